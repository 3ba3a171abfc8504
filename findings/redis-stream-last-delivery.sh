#!/bin/bash
# Redis 7.0 streams: what happens to messages that a consumer group has handed out when their consumer, or they
# themselves, go away.
#
# XGROUP DELCONSUMER answers with the number of messages that the consumer still held. One would guess that they go
# back to the group, or that they can be claimed. Neither: they are in the stream, but to the group they are as good
# as acknowledged; no XREADGROUP, XPENDING or XAUTOCLAIM ever shows them again. And XTRIM takes messages away that are
# held: they stay in XPENDING, and the first XAUTOCLAIM drops them from there, so the group has nothing left that
# says there was a message which nobody finished.
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

redis() { root/usr/bin/redis-cli -s socket "$@" | tr '\n' ' '; }
count() { redis "$@" | grep -cw hello || true; }

{
    root/usr/bin/redis-server --version | awk '{print "redis " $3}'
    redis XGROUP CREATE jobs workers '$' MKSTREAM >/dev/null
    for id in 1-0 2-0 3-0; do redis XADD jobs "$id" text hello >/dev/null; done
    echo "handed to one: $(count XREADGROUP GROUP workers one COUNT 1 STREAMS jobs '>')" \
         "$(count XREADGROUP GROUP workers one COUNT 1 STREAMS jobs '>')"
    echo "pending: $(redis XPENDING jobs workers | awk '{print $1}')"
    echo "one is deleted, it held: $(redis XGROUP DELCONSUMER jobs workers one)"
    echo "pending: $(redis XPENDING jobs workers | awk '{print $1}'), in the stream: $(redis XLEN jobs)"
    echo "claimed by two: $(count XAUTOCLAIM jobs workers two 0 0)"
    echo "read by two: $(redis XREADGROUP GROUP workers two COUNT 10 STREAMS jobs '>' | grep -ow '[0-9]-0' | tr '\n' ' ')"
    echo "held by two is trimmed: $(redis XTRIM jobs MAXLEN 0)"
    echo "pending: $(redis XPENDING jobs workers | awk '{print $1}')"
    echo "claimed by three: $(count XAUTOCLAIM jobs workers three 0 0)"
    echo "pending: $(redis XPENDING jobs workers | awk '{print $1}')"
} | sed 's/ *$//' >seen
cat seen

expected='redis v=7.0.15
handed to one: 1 1
pending: 2
one is deleted, it held: 2
pending: 0, in the stream: 3
claimed by two: 0
read by two: 3-0
held by two is trimmed: 3
pending: 1
claimed by three: 0
pending: 0'
[[ $(<seen) == "$expected" ]] || {
    echo "redis-stream-last-delivery: this is no longer what was found" >&2
    exit 1
}
