#!/bin/bash
# beanstalkd 1.12 with a binlog that is flushed after each write (-b, -f0): the counts by which a client would tell a
# poison job do not survive a restart as they were.
#
# The job survives, and its record in the binlog has room for every count, so one would guess that all of them do. But
# a reservation, a time-out and a release without a delay write nothing: a job that only ever hangs or kills its worker
# begins again at 0. A bury writes the record with all counts of then, and reading it back counts that bury once more.
set -euo pipefail
version=1.12-2+b1

folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "beanstalkd=$version" >/dev/null
dpkg-deb -x ./*.deb root
mkdir binlog

cat >client.py <<'PY'
import socket
import sys

def ask(stream, line, body=None):
    stream.write(line + b"\r\n" + (b"" if body is None else body + b"\r\n"))
    stream.flush()
    reply = stream.readline().split()
    if not reply:
        sys.exit("the server has closed the connection")
    text = stream.read(int(reply[-1]) + 2) if reply[0] in (b"OK", b"RESERVED") else b""
    return reply, text

def counts(stream, job):
    _, text = ask(stream, b"stats-job " + job)
    rows = dict(line.split(": ") for line in text.decode().splitlines() if ": " in line)
    return ", ".join(f"{name} {rows[name]}" for name in ("state", "reserves", "timeouts", "releases", "buries"))

connection = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
stream = connection.makefile("rwb")

def run_out(job):
    ask(stream, b"reserve")
    while b"state: reserved" in ask(stream, b"stats-job " + job)[1]:
        pass  # until its time is over

if sys.argv[1] == "work":
    for job in (b"1", b"2"):
        ask(stream, b"put 0 0 1 5", b"hello")  # it may run for a second
        ask(stream, b"reserve")
        ask(stream, b"release " + job + b" 0 0")
        run_out(job)
        if job == b"1":
            ask(stream, b"use aside")
            ask(stream, b"watch aside")
            ask(stream, b"ignore default")
    ask(stream, b"reserve")
    ask(stream, b"bury 2 0")
for name, job in (("job that ran out of time", b"1"), ("job that was buried in the end", b"2")):
    print(f"{sys.argv[1]}: {name}: {counts(stream, job)}")
PY

start() {
    # Ask the kernel for a port that is free; beanstalkd itself cannot be asked which one it took.
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    root/usr/bin/beanstalkd -l 127.0.0.1 -p "$port" -b binlog -f0 &
    server=$!
    until (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        kill -0 "$server"
    done
}

{
    root/usr/bin/beanstalkd -v
    start
    python3 client.py work "$port"
    kill "$server" && wait "$server" || true
    start
    python3 client.py restarted "$port"
} >seen
cat seen

expected='beanstalkd 1.12
work: job that ran out of time: state ready, reserves 2, timeouts 1, releases 1, buries 0
work: job that was buried in the end: state buried, reserves 3, timeouts 1, releases 1, buries 1
restarted: job that ran out of time: state ready, reserves 0, timeouts 0, releases 0, buries 0
restarted: job that was buried in the end: state buried, reserves 3, timeouts 1, releases 1, buries 2'
[[ $(<seen) == "$expected" ]] || {
    echo "beanstalkd-counts: this is no longer what was found" >&2
    exit 1
}
