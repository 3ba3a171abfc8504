#!/bin/bash
# Redis 7.0 streams: a consumer that reads again what it already holds raises the messages' delivery counter.
#
# XREADGROUP with an id instead of `>` shows a consumer its own pending messages; a worker does that after a restart, or
# to see what is left. The manual recommends the counter to find messages that can never be handled. One would guess
# that looking changes nothing, as XPENDING and XRANGE change nothing. But each look counts as a delivery and restarts
# the idle time, so a message that was handed out once reaches any limit on the counter by being looked at.
set -euo pipefail
packages=(redis-server=5:7.0.15-1~deb12u10 redis-tools=5:7.0.15-1~deb12u10 libjemalloc2=5.3.0-1 liblzf1=3.6-3)

folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "${packages[@]}" >/dev/null
for package in ./*.deb; do dpkg-deb -x "$package" root; done
export LD_LIBRARY_PATH=$folder/root/usr/lib/x86_64-linux-gnu

root/usr/bin/redis-server --port 0 --unixsocket "$folder/socket" --save '' >log &
server=$!
until root/usr/bin/redis-cli -s socket ping >/dev/null 2>&1; do
    kill -0 "$server" || { cat log >&2; exit 1; }
done

redis() { root/usr/bin/redis-cli -s socket "$@"; }
deliveries() { redis XPENDING jobs workers - + 10 | tail -n 1; }

{
    root/usr/bin/redis-server --version | awk '{print "redis " $3}'
    redis XGROUP CREATE jobs workers '$' MKSTREAM >/dev/null
    redis XADD jobs 1-0 text hello >/dev/null
    redis XREADGROUP GROUP workers one COUNT 1 STREAMS jobs '>' >/dev/null
    echo "handed out: $(deliveries)"
    redis XPENDING jobs workers - + 10 >/dev/null
    redis XRANGE jobs - + >/dev/null
    echo "after XPENDING and XRANGE: $(deliveries)"
    for _ in 1 2 3; do redis XREADGROUP GROUP workers one COUNT 1 STREAMS jobs 0 >/dev/null; done
    echo "after three looks by its own consumer: $(deliveries)"
} >seen
cat seen

expected='redis v=7.0.15
handed out: 1
after XPENDING and XRANGE: 1
after three looks by its own consumer: 4'
[[ $(<seen) == "$expected" ]] || {
    echo "redis-stream-read-again: this is no longer what was found" >&2
    exit 1
}
