#!/bin/bash
# nats-server 2.9.10, JetStream: a message whose deliveries are used up (max_deliver) looks as if it had been acknowledged.
#
# One would guess that the consumer still shows it in some count, and hands it out again when it is allowed more deliveries. But neither
# num_pending nor num_ack_pending has it, the ack floor moves past it, and after max_deliver was raised, which the server accepts, it
# does not come back. In these numbers the consumer cannot be told from one that acknowledged all three messages.
set -euo pipefail
version=2.9.10-1+b3

folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "nats-server=$version" >/dev/null
dpkg-deb -x ./*.deb root

cat >client.py <<'PY'
import json
import socket
import sys

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
stream = connection.makefile("rwb")
asked = 0

def say(text, body=None):
    stream.write(text.encode() + b"\r\n" + (b"" if body is None else body + b"\r\n"))
    stream.flush()

def next_message():
    """Where it can be answered, whether it has headers alone (what says that nothing came), and its body."""
    while words := stream.readline().split():
        if words[0] == b"PING":
            say("PONG")
        if words[0] in (b"MSG", b"HMSG"):
            headers = words[0] == b"HMSG"
            body = stream.read(int(words[-1]) + 2)[:-2]
            reply = words[3].decode() if len(words) == (6 if headers else 5) else ""
            return reply, headers, body
    sys.exit("the server has closed the connection")

def ask(subject, body):
    global asked
    asked += 1
    say(f"PUB {subject} answers.{asked} {len(body)}", body)
    return next_message()

def manage(what, fields):
    answer = json.loads(ask(f"$JS.API.{what}", json.dumps(fields).encode())[2])
    if "error" in answer:
        sys.exit(f"{what}: {answer['error']}")
    return answer

def consume(consumer, seconds):
    """Each that comes until nothing has come for so long; of these, only `poison` is never acknowledged by the consumer `strict`."""
    got = []
    while True:
        want = json.dumps({"batch": 1, "expires": int(seconds * 1e9)}).encode()
        reply, empty, body = ask(f"$JS.API.CONSUMER.MSG.NEXT.S.{consumer}", want)
        if empty:
            return got
        got.append(body.decode())
        if consumer != "strict" or body != b"poison":
            say(f"PUB {reply} 4", b"+ACK")

def show(consumer, what, got):
    info = manage(f"CONSUMER.INFO.S.{consumer}", {})
    print(f"{consumer}, {what}: got {' '.join(got) or 'nothing'}; num_pending {info['num_pending']}, num_ack_pending {info['num_ack_pending']},"
          f" delivered up to {info['delivered']['stream_seq']}, ack floor {info['ack_floor']['stream_seq']}")

stream.readline()
say('CONNECT {"verbose": false, "headers": true}')
say("SUB answers.* 1")
manage("STREAM.CREATE.S", {"name": "S", "subjects": ["s"], "storage": "file"})
# One at a time, so that a message whose time is over is handed out again before the next.
policy = {"ack_policy": "explicit", "max_deliver": 2, "ack_wait": 10**9, "max_ack_pending": 1}
for consumer in ("strict", "kind"):
    manage(f"CONSUMER.DURABLE.CREATE.S.{consumer}", {"stream_name": "S", "config": {"durable_name": consumer, **policy}})
for body in (b"poison", b"pear", b"plum"):
    ask("s", body)
for consumer in ("kind", "strict"):
    show(consumer, "at most 2 deliveries", consume(consumer, 4))
config = manage("CONSUMER.INFO.S.strict", {})["config"]
config["max_deliver"] = 9
manage("CONSUMER.DURABLE.CREATE.S.strict", {"stream_name": "S", "config": config})
show("strict", f"at most {manage('CONSUMER.INFO.S.strict', {})['config']['max_deliver']}", consume("strict", 4))
PY

# Ask the kernel for a port that is free.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
root/usr/sbin/nats-server -a 127.0.0.1 -p "$port" -js -sd store 2>log &
server=$!
until grep -q "Server is ready" log; do
    kill -0 "$server"
done
{
    root/usr/sbin/nats-server --version
    python3 client.py "$port"
} >seen
cat seen

expected='nats-server: v2.9.10
kind, at most 2 deliveries: got poison pear plum; num_pending 0, num_ack_pending 0, delivered up to 3, ack floor 3
strict, at most 2 deliveries: got poison poison pear plum; num_pending 0, num_ack_pending 0, delivered up to 3, ack floor 3
strict, at most 9: got nothing; num_pending 0, num_ack_pending 0, delivered up to 3, ack floor 3'
[[ $(<seen) == "$expected" ]] || {
    echo "nats-after-the-last-delivery: this is no longer what was found" >&2
    exit 1
}
