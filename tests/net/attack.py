"""attack: one kind of hostile client, many of it, until its stdin ends. It prints `ready` when it is in place, and what it did at the end.

attack.py KIND PORT

It runs at the lowest priority, as one on another machine would take no processor time from the server.
"""
import os
import pathlib
import resource
import selectors
import socket
import ssl
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "wire"))
import flood as floods  # noqa: E402
from client import DLQ_LIST, HELLO, PEEK, PING, PUBLISH, STATS, SUBSCRIBE, TOPIC_LIST, frame  # noqa: E402

GREETING = frame(HELLO, 1, 1, 1, {})
IDLE = 10000
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # how a ClientHello of 512 bytes begins
ESTABLISHED = b"\1"  # the first byte of TCP_INFO


class Crowd:
    """Connections that are fed, and made anew when the server ends them."""

    def __init__(self, port, count, first, feed, room=0):
        """`first` is sent at once; feed(n) gives the next bytes of the n-th time. `room`: bytes that the kernel takes for it, unread."""
        self.port, self.first, self.feed, self.room = port, first, feed, room
        self.made = self.ended = self.fed = 0
        self.open = {}  # socket -> times fed
        for _ in range(count):
            self.connect()

    def connect(self):
        try:
            one = socket.socket()
            one.settimeout(5)
            if self.room:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.room)
            one.connect(("127.0.0.1", self.port))
            one.sendall(self.first)
        except OSError:
            return
        one.setblocking(False)
        self.made += 1
        self.open[one] = 0

    def round(self):
        for one, times in list(self.open.items()):
            try:
                over = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != ESTABLISHED
                if not over:
                    one.send(self.feed(times))
                    self.open[one] = times + 1
                    self.fed += 1
            except BlockingIOError:
                pass
            except OSError:
                over = True
            if over:
                one.close()
                del self.open[one]
                self.ended += 1
                self.connect()

    def run(self, over, pause):
        while not over():
            self.round()
            time.sleep(pause)
        for one in self.open:
            one.close()
        return f"made {self.made} ended {self.ended} fed {self.fed}"


def slow_hello(port):
    """A HELLO that comes byte by byte, and never whole."""
    return Crowd(port, 300, GREETING[:1], lambda n: GREETING[1 + n:2 + n] if n < len(GREETING) - 2 else b""), 0.1


def slow_frame(port):
    """Frames of a megabyte that come by a hundred bytes."""
    begin = GREETING + (1 << 20).to_bytes(4, "big") + b"\x93\x0a\x01"
    return Crowd(port, 300, begin, lambda n: b"x" * 100), 0.1


def fat_frames(port):
    """Frames of 16 MiB of which as much comes as is taken, but never the end."""
    part, parts = b"x" * (1 << 18), 63
    begin = GREETING + (16 << 20).to_bytes(4, "big") + b"\x93\x0a\x01"
    return Crowd(port, 200, begin, lambda n: part if n < parts else b""), 0.02


def idle(port):
    """Ten thousand that say hello, or not even that, and then nothing."""
    first = Crowd(port, IDLE // 2, GREETING, lambda n: b"")
    second = Crowd(port, IDLE // 2, b"", lambda n: b"")
    first.open.update(second.open)
    first.made += second.made
    if first.made < IDLE:
        raise SystemExit(f"only {first.made} connections could be made")
    first.round = lambda: None
    return first, 0.1


def lazy_consumers(port):
    """Subscribed to a topic with a large backlog, with all the credit there is; they never read."""
    return Crowd(port, 50, GREETING + frame(SUBSCRIBE, 2, "large", "default", 65536, 1 << 28), lambda n: frame(PING, 3), 4096), 0.05


def lazy_requesters(port):
    """They ask for more and more and never read."""
    requests = b"".join(frame(op, n + 2, *fields) for n, (op, *fields) in
                        enumerate([(STATS,), (TOPIC_LIST, None, 1000), (DLQ_LIST, "large", "default", 0, 1000)] * 20))
    return Crowd(port, 50, GREETING, lambda n: requests, 4096), 0.02


def crowd_of_consumers(port):
    """So many that what each may have is too much in sum."""
    return Crowd(port, 400, GREETING + frame(SUBSCRIBE, 2, "large", "default", 65536, 1 << 28), lambda n: frame(PING, 3), 4096), 0.05


def crowd_of_requesters(port):
    """The same with the longest answers there are."""
    return Crowd(port, 400, GREETING, lambda n: frame(PEEK, 3, "large", "default", 0, 1000, True), 4096), 0.05


def half_handshakes(port):
    """Handshakes of TLS that come byte by byte and never whole, more of them than may be under way."""
    return Crowd(port, 700, HALF_HELLO, lambda n: b"x" if n < 400 else b""), 0.05


def garbage(port):
    """Good frames with a bad one behind them, over and over."""
    bad = (b"\xff" * 64, (5).to_bytes(4, "big") + b"\xdd\x00\x00\x00\xc8", frame(PUBLISH, 9, "nowhere", 0, 0, [[b"x"]]) + b"\x00\x00\x00\x01\xc1")
    return Crowd(port, 50, GREETING, lambda n: frame(PING, 2) * 20 + bad[n % 3]), 0.04


class Flood:
    """Connects and leaves as fast as it can: with FIN, with RST, with and without a word."""

    def __init__(self, port):
        self.port, self.made = port, 0

    def run(self, over, _):
        while not over():
            for n in range(50):
                try:
                    one = socket.create_connection(("127.0.0.1", self.port), timeout=5)
                    if n % 2:
                        one.sendall(GREETING)
                    if n % 3 == 0:
                        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    one.close()
                    self.made += 1
                except OSError:
                    pass
        return f"made {self.made} ended {self.made} fed 0"


def flood(port):
    return Flood(port), 0


class Handshakes(Flood):
    """Whole handshakes, one after the other, each for a connection that then leaves."""

    def run(self, over, _):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        while not over():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as plain, context.wrap_socket(plain):
                    self.made += 1
            except OSError:
                pass
        return f"made {self.made} ended {self.made} fed 0"


def whole_handshakes(port):
    return Handshakes(port), 0


def main():
    kind, port = sys.argv[1], int(sys.argv[2])
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    attack = getattr(floods, kind, None)
    attack, *pause = (attack(port),) if attack else globals()[kind](port)
    print("ready", flush=True)
    print(attack.run(lambda: bool(selector.select(0)), *pause), flush=True)


main()
