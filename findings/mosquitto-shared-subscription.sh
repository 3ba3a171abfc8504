#!/bin/bash
# mosquitto 2.0.11, a shared subscription of MQTT 5 ($share/GROUP/TOPIC) with QoS 1, which looks like a work queue: messages stay with the
# member that they were given to.
#
# One would guess that what a member had not acknowledged goes to another one when its connection ends, and that new messages go to those
# who are there. But a member that is away gets its share of new messages as before, and when its session ends, what it held and what was
# kept for it is in nobody's hands: the other member, connected all the time, is given none of it. (MQTT allows both.)
set -euo pipefail
version=2.0.11-1.2+deb12u2

folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "mosquitto=$version" libdlt2=2.18.8-6 >/dev/null
for package in ./*.deb; do
    dpkg-deb -x "$package" root
done

cat >client.py <<'PY'
import socket
import struct
import sys

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, PINGRESP, DISCONNECT = 0x10, 0x32, 0x40, 0x82, 0xC0, 13, 0xE0
SESSION_EXPIRY = b"\x05\x11"  # properties of 5 bytes: the session lasts so many seconds without a connection

def text(value):
    return struct.pack(">H", len(value)) + value.encode()

class Client:
    def __init__(self, name):
        self.socket = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20)
        self.stream = self.socket.makefile("rb")
        self.send(CONNECT, text("MQTT") + struct.pack(">BBH", 5, 0, 60) + SESSION_EXPIRY + struct.pack(">I", 3600) + text(name))
        self.receive()

    def send(self, kind, body=b""):
        self.socket.sendall(bytes((kind, len(body))) + body)

    def receive(self):
        kind, size = self.stream.read(2)
        return kind >> 4, self.stream.read(size)

    def subscribe(self):
        self.send(SUBSCRIBE, b"\0\1\0" + text("$share/workers/jobs") + b"\1")
        self.receive()

    def publish(self, *names):
        for number, name in enumerate(names, 1):
            self.send(PUBLISH, text("jobs") + struct.pack(">HB", number, 0) + name.encode())
            self.receive()

    def given(self, acknowledge):
        """All that it has been sent until now: the answer to a ping comes behind it."""
        names = []
        self.send(PINGREQ)
        while (packet := self.receive())[0] != PINGRESP:
            body = packet[1]
            names.append(body[9:].decode())  # behind the topic, the number and no properties
            if acknowledge:
                self.send(PUBACK, body[6:8])
        return " ".join(names) or "nothing"

    def end(self, session):
        if session:
            self.send(DISCONNECT, b"\0" + SESSION_EXPIRY + struct.pack(">I", 0))
            self.stream.read()  # until the server has closed the connection
        self.stream.close()
        self.socket.close()

steady, weak, publisher = Client("steady"), Client("weak"), Client("publisher")
weak.subscribe()
steady.subscribe()
publisher.publish("a", "b", "c", "d")
print(f"both are there: weak got {weak.given(False)}, steady {steady.given(True)}")
weak.end(session=False)
publisher.publish("e", "f", "g", "h")
print(f"weak has lost its connection: steady got {steady.given(True)}")
weak = Client("weak")
print(f"weak is back: it got {weak.given(False)}")
weak.end(session=True)
print(f"weak has ended its session without an answer to any: steady got {steady.given(True)}")
publisher.publish("i", "j")
print(f"later: steady got {steady.given(True)}")
PY

# Ask the kernel for a port that is free.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$port" >conf
LD_LIBRARY_PATH=root/usr/lib/$(uname -m)-linux-gnu root/usr/sbin/mosquitto -c conf 2>log &
server=$!
until (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$server"
done
{
    sed -n 's/.*\(mosquitto version [0-9.]*\) starting/\1/p' log
    python3 client.py "$port"
} >seen
cat seen

expected='mosquitto version 2.0.11
both are there: weak got a c, steady b d
weak has lost its connection: steady got f h
weak is back: it got a c e g
weak has ended its session without an answer to any: steady got nothing
later: steady got i j'
[[ $(<seen) == "$expected" ]] || {
    echo "mosquitto-shared-subscription: this is no longer what was found" >&2
    exit 1
}
