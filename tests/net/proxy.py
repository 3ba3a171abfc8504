"""proxy: a TCP proxy that misbehaves on demand, between any client and a server.

Everything it does to bytes is a switch that may be thrown at any time (`chop`, `delay`, `stalled`, `refusing`), an act on what is open
now (reset, half_close), or a `plan`: called with the number of each new connection, it returns {direction: (bytes, act)}, the act to be
done once so many bytes have gone that way. UP is from the client to the server, DOWN is back.
"""
import collections
import selectors
import socket
import struct
import threading
import time

UP, DOWN = "up", "down"
BUFFER_BYTES_MAX = 1 << 18
CHOPS_AT_ONCE = 64


class _Way:
    """One direction of one connection."""

    def __init__(self, name, source, sink):
        self.name, self.source, self.sink = name, source, sink
        self.waiting = collections.deque()  # (when it may go on, bytes)
        self.bytes = 0  # waiting
        self.passed = 0
        self.ended = self.end_passed = False
        self.limit = self.act = None


class _Connection:
    def __init__(self, client, server, plan):
        self.client, self.server = client, server
        self.ways = {UP: _Way(UP, client, server), DOWN: _Way(DOWN, server, client)}
        for direction, (limit, act) in plan.items():
            self.ways[direction].limit, self.ways[direction].act = limit, act


class Proxy:
    """As a context: it runs in a thread of its own until the end."""

    def __init__(self, target, address="127.0.0.1"):
        self.target = target  # (host, port)
        self.chop, self.delay, self.stalled, self.refusing = False, 0.0, set(), False
        self.plan = lambda number: {}
        self.accepted = self.broken = 0
        self.listener = socket.create_server((address, 0), backlog=512)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.url = f"shunt://{address}:{self.port}"
        self.orders = collections.deque()
        self.connections = set()
        self.stopping = False
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()

    def calm(self):
        """No switch is thrown any more."""
        self.chop, self.delay, self.stalled, self.refusing = False, 0.0, set(), False
        self.plan = lambda number: {}

    def reset(self):
        """RST to both ends of all connections."""
        self.orders.append(self._reset)

    def half_close(self, direction):
        """No more bytes that way: FIN behind those that have passed. The other way goes on."""
        self.orders.append(lambda connection: self._end(connection, direction))

    # ---- the thread ----

    def _run(self):
        while not self.stopping:
            self._step()
        for connection in list(self.connections):
            self._drop(connection)
        self.listener.close()

    def _step(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ, None)
            now, soon = time.monotonic(), 0.005
            for connection in self.connections:
                self._watch(selector, connection, now)
            events = selector.select(soon)
        while self.orders:
            order = self.orders.popleft()
            for connection in list(self.connections):
                order(connection)
        for key, mask in events:
            if key.data is None:
                self._accept()
            elif key.data in self.connections:
                self._move(key.data, key.fileobj, mask)
        now = time.monotonic()
        for connection in list(self.connections):
            self._finish(connection)

    def _watch(self, selector, connection, now):
        for end in (connection.client, connection.server):
            mask = 0
            for way in connection.ways.values():
                if way.source is end and not way.ended and way.name not in self.stalled and way.bytes < BUFFER_BYTES_MAX:
                    mask |= selectors.EVENT_READ
                if way.sink is end and way.waiting and way.waiting[0][0] <= now and way.name not in self.stalled:
                    mask |= selectors.EVENT_WRITE
            if mask:
                selector.register(end, mask, connection)

    def _accept(self):
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        self.accepted += 1
        if self.refusing:
            _abort(client)
            return
        try:
            server = socket.create_connection(self.target, timeout=5)
        except OSError:
            _abort(client)
            return
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.add(_Connection(client, server, self.plan(self.accepted)))

    def _move(self, connection, end, mask):
        for way in connection.ways.values():
            try:
                if mask & selectors.EVENT_READ and way.source is end and not way.ended:
                    self._read(way)
                if mask & selectors.EVENT_WRITE and way.sink is end and way.waiting:
                    self._write(connection, way)
            except BlockingIOError:
                pass
            except OSError:
                self._reset(connection)
            if connection not in self.connections:
                return

    def _read(self, way):
        data = way.source.recv(1 << 16)
        if data:
            way.waiting.append((time.monotonic() + self.delay, data))
            way.bytes += len(data)
        else:
            way.ended = True

    def _write(self, connection, way):
        for _ in range(CHOPS_AT_ONCE if self.chop else 1):
            if not way.waiting or way.waiting[0][0] > time.monotonic():
                return
            due, data = way.waiting[0]
            most = 1 if self.chop else len(data)
            if way.limit is not None:
                most = min(most, way.limit - way.passed)
            sent = way.sink.send(data[:most]) if most else 0
            way.passed += sent
            way.bytes -= sent
            way.waiting.popleft()
            if sent < len(data):
                way.waiting.appendleft((due, data[sent:]))
            if way.passed == way.limit:
                way.limit = None
                way.act(self, connection)
                return

    def _finish(self, connection):
        """An end that came is passed on behind the bytes before it; with both it is over."""
        try:
            for way in connection.ways.values():
                if way.ended and not way.waiting and not way.end_passed and way.name not in self.stalled:
                    way.end_passed = True
                    way.sink.shutdown(socket.SHUT_WR)
            if all(way.end_passed for way in connection.ways.values()):
                self._drop(connection)
        except OSError:
            self._drop(connection)

    def _end(self, connection, direction):
        way = connection.ways[direction]
        way.ended = True
        way.waiting.clear()
        way.bytes = 0
        self.broken += 1

    def _reset(self, connection):
        if connection in self.connections:
            self.broken += 1
            self.connections.discard(connection)
            _abort(connection.client)
            _abort(connection.server)

    def _drop(self, connection):
        self.connections.discard(connection)
        connection.client.close()
        connection.server.close()


def reset(proxy, connection):
    """The act of a plan: RST both ways."""
    proxy._reset(connection)


def half_close(direction):
    """The act of a plan: FIN that way."""
    return lambda proxy, connection: proxy._end(connection, direction)


def _abort(end):
    """Closed with RST instead of FIN."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
