"""link: the connection to a broker, over all its losses. One thread per client connects, reads, writes and connects again; the threads of the
program leave requests with it and wait. So frames are taken from the socket whatever a handler does, and it is known when each came.

Everything is guarded by one lock, which the condition `changed` holds. Methods that say "locked" are called with it. What has state of its own on
a connection (the publishes without an answer, the consumers) is told by its hooks when one stands, and when it is lost.
"""

from __future__ import annotations

import collections
import math
import os
import random
import select
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from . import errors, protocol
from .login import Login
from .frames import FrameReader, Received, frame, parse, with_length
from .packing import PackingError, array_head, encode
from .secure import Secure, context_of, said
from .url import Host, Tls

RECONNECT_MIN_S, RECONNECT_MAX_S = 0.05, 5.0
READ_BYTES = 1 << 18
KEEPALIVE_S = 45  # a machine that went away without a word is noticed after this


class Call:
    """A request that waits for its answer: `fields` of the OK, or `error`."""

    __slots__ = ("id", "fields", "error", "done", "then")

    def __init__(self, id: int, then: Callable[[Call], None] | None) -> None:
        self.id, self.then = id, then
        self.fields: list[Any] = []
        self.error: errors.Error | None = None
        self.done = False

    def end(self, fields: list[Any], error: errors.Error | None) -> None:
        self.fields, self.error, self.done = fields, error, True
        if self.then:
            self.then(self)


class Hook(Protocol):
    """Somebody with state on the connection. All are called locked, by the link's thread."""

    def up(self) -> None: ...
    def lost(self) -> None: ...
    def received(self, frame: Received) -> None: ...
    def due(self) -> float | None: ...
    def tick(self, now: float) -> None: ...


class Backoff:
    """Waits of random length, up to a bound that doubles."""

    def __init__(self, least: float = RECONNECT_MIN_S, most: float = RECONNECT_MAX_S) -> None:
        self.least, self.most, self.failures = least, most, 0

    def next(self) -> float:
        bound = min(self.most, self.least * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return random.uniform(0, bound)

    def reset(self) -> None:
        self.failures = 0


def jittered(seconds: float) -> float:
    """So long, and a random time of up to as long again: others were told the same."""
    return seconds + random.uniform(0, seconds)


def patient(wait: float, asked: float, most: float) -> float:
    """The wait before the next attempt to connect, if the broker wants to be left alone so long; never more than twice `most`."""
    asked = min(asked, most)
    return max(jittered(asked), asked + wait) if asked else wait


class Link:
    def __init__(self, hosts: list[Host], hello: dict[str, Any], connect_timeout: float, tls: Tls | None = None, login: Login | None = None) -> None:
        self.changed = threading.Condition()
        self.hosts, self.hello, self.connect_timeout, self.tls, self.login = hosts, hello, connect_timeout, tls, login
        self.host = random.randrange(len(hosts))
        self.hooks: list[Hook] = []
        self.info: dict[str, Any] = {}
        self.is_up = False
        self.ended: errors.Error | None = None  # why there will be no connection any more
        self.last_error: errors.Error | None = None
        self.failures = 0  # attempts to connect, since one succeeded
        self._socket: socket.socket | None = None
        self._secure: Secure | None = None  # of the connection that is up, if it speaks TLS
        self._out = bytearray()  # encrypted, if it does
        self._calls: collections.OrderedDict[int, Call] = collections.OrderedDict()
        self._next_id = 1
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._thread: threading.Thread | None = None
        self._leaving = False
        _links.add(self)

    # ---- for the program's threads ----

    def start(self) -> None:
        """Begin to connect; locked."""
        self.check()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="shunt", daemon=True)
            self._thread.start()

    def check(self) -> None:
        """Raises if there will be no connection any more; locked."""
        if self.ended:
            raise self.ended.again()

    def wait(self, until: Callable[[], bool], deadline: float | None) -> bool:
        """Wait until it is true; False at the deadline. Locked; the lock is given away meanwhile."""
        while not until():
            self.check()
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            self.changed.wait(left)
        return True

    def wait_up(self, deadline: float | None) -> None:
        """Wait for a connection. Raises Unreachable at the deadline: nothing was sent. Locked."""
        self.start()
        if not self.wait(lambda: self.is_up, deadline):
            raise errors.Unreachable(self.last_error.text if self.last_error else f"{self.hosts[self.host]} did not answer in time")

    def connect(self, deadline: float) -> None:
        """One attempt with each host."""
        with self.changed:
            self.start()
            self.wait(lambda: self.is_up or self.failures >= len(self.hosts), deadline)
            if not self.is_up:
                raise errors.Unreachable(self.last_error.text if self.last_error else "no connection in time")

    def request(self, op: int, *fields: object, timeout: float) -> list[Any]:
        """Ask, and wait for the answer's fields."""
        while fields and fields[-1] is None:
            fields = fields[:-1]
        deadline = time.monotonic() + timeout
        with self.changed:
            self.wait_up(deadline)
            call = self.call(op, *fields, deadline=deadline)
            if not self.wait(lambda: call.done, deadline):
                raise errors.Timeout(f"no answer within {timeout:g} s")
            if call.error:
                raise call.error
            return call.fields

    def call(self, op: int, *fields: object, then: Callable[[Call], None] | None = None, deadline: float | None = None) -> Call:
        """Send a request without waiting. Locked, and only while `is_up`. `then` is called, locked, when it ended. After `deadline` nobody waits for it, and a
        broker that knows WITHIN does not begin with it."""
        return self.call_packed(op, len(fields), b"".join(map(encode, fields)), then, deadline)

    def call_packed(self, op: int, count: int, fields: bytes, then: Callable[[Call], None] | None = None, deadline: float | None = None) -> Call:
        """The same with `count` fields that are msgpack already."""
        call = Call(self._next_id, then)
        if deadline is not None and "within" in self.info.get("features", ()):
            left = max(0, math.ceil((deadline - time.monotonic()) * 1000))
            op, count, fields = protocol.WITHIN, count + 2, encode(left) + encode(op) + fields
        data = with_length(array_head(count + 2) + encode(op) + encode(call.id) + fields)
        if len(data) - 4 > protocol.FRAME_BYTES_MAX:
            raise errors.TooLarge(f"a frame of {len(data) - 4} bytes; at most {protocol.FRAME_BYTES_MAX}")
        self._next_id += 1
        self._calls[call.id] = call
        self.send(data)
        return call

    def send_quiet(self, op: int, *fields: object) -> None:
        """Send a request that has no answer. Locked, and only while `is_up`."""
        self.send(frame(op, 0, *fields))

    def send(self, data: bytes) -> None:
        """Locked, and only while `is_up`. What the socket does not take now, the link's thread writes."""
        waited = bool(self._out)
        self._out += self._secure.seal(data) if self._secure else data
        if not waited:
            self._write()
            if self._out:
                self.wake()

    @property
    def unsent_bytes(self) -> int:
        """What the socket has not taken yet; locked."""
        return len(self._out)

    def limit(self, name: str, default: int) -> int:
        """A number that the broker told in HELLO."""
        value = self.info.get(name)
        return value if type(value) is int and value > 0 else default

    def wake(self) -> None:
        """Make the link's thread look at everything again; may be called from a signal handler."""
        if self._wake_write < 0:
            return
        try:
            os.write(self._wake_write, b"w")
        except BlockingIOError:
            pass  # it is awake

    def close(self, timeout: float) -> None:
        """Say goodbye, wait for the answer that long, and end."""
        deadline = time.monotonic() + timeout
        with self.changed:
            if self._thread and not self.ended and self.is_up:
                goodbye = self.call(protocol.GOODBYE)
                self._leaving = True
                try:
                    self.wait(lambda: goodbye.done, deadline)
                except errors.Error:
                    pass
            self.end(errors.Closed("the client is closed"))
            thread, self._thread = self._thread, None
        if thread and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()) + 1)
            if thread.is_alive():
                return  # it waits for a name server or a host, ends when it has its answer, and still looks at the pipe
        with self.changed:
            self._close_pipe()

    def end(self, error: errors.Error) -> None:
        """No connection any more; the first reason stays. Locked."""
        self.ended = self.ended or error
        self.changed.notify_all()
        self.wake()

    def forget(self) -> None:
        """Not ours any more: close what was inherited, and say no word on the connection."""
        self.changed = threading.Condition()
        self.ended = errors.Closed("this client was made by another process: make one in each process, after the fork")
        self.is_up, self._thread = False, None
        if self._socket:
            self._socket.close()
        self._close_pipe()

    def _close_pipe(self) -> None:
        if self._wake_write >= 0:
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._wake_read = self._wake_write = -1

    # ---- the thread ----

    def _run(self) -> None:
        backoff = Backoff()
        try:
            while not self.ended:
                try:
                    connection, reader = self._connect()
                except (errors.Unauthenticated, errors.Forbidden, errors.VersionMismatch, errors.BadArgument, errors.TooLarge) as error:
                    with self.changed:
                        self.end(error)
                    return
                except errors.Error as error:
                    self._failed(error)
                else:
                    begin = time.monotonic()
                    self._lost(self._serve(connection, reader), connection)
                    if time.monotonic() - begin > backoff.most:
                        backoff.reset()  # one that is lost at once, again and again, is not asked for at once
                self._pause(backoff)
        except BaseException as error:  # nobody else would see it, and all would wait for ever
            with self.changed:
                self.end(errors.Internal(f"the client's thread failed: {type(error).__name__}: {error}"))
            raise
        finally:
            with self.changed:
                self.is_up = False
                self.end(errors.Closed("the client is closed"))
                self._drop(self.ended or errors.Closed())

    def _pause(self, backoff: Backoff) -> None:
        """After each failure the next host, soon; when all were tried, the wait grows."""
        with self.changed:
            self.host = (self.host + 1) % len(self.hosts)
            all_tried = self.failures % len(self.hosts) == 0
            asked = self.last_error.retry_after if self.last_error and len(self.hosts) == 1 else 0.0  # another host has asked for nothing
            due = time.monotonic() + patient(backoff.next() if all_tried else random.uniform(0, backoff.least), asked, backoff.most)
            while not self.ended and (left := due - time.monotonic()) > 0:
                self.changed.wait(left)

    def _failed(self, error: errors.Error) -> None:
        with self.changed:
            self.failures += 1
            self.last_error = error
            self.changed.notify_all()

    def _connect(self) -> tuple[socket.socket, FrameReader]:
        """A connection that has said HELLO."""
        host = self.hosts[self.host]
        try:
            connection = self._open_local(host.name) if host.is_local else socket.create_connection(host, self.connect_timeout)
        except (OSError, UnicodeError) as error:
            raise errors.Unreachable(f"{host}: {error}") from error
        self._socket = connection  # from now on a forked child closes its copy
        try:
            if not host.is_local:
                self._set_options(connection)
            secure = self._shake(connection, host) if self.tls else None
            reader = self._greet(connection, host, secure)
        except errors.BadArgument as error:  # files that could be used when the client was made
            connection.close()
            raise errors.Unreachable(f"{host}: {error.text}") from error
        except ssl.SSLError as error:
            connection.close()
            raise errors.Unreachable(f"{host}: {said(error)}") from error
        except (OSError, PackingError) as error:
            connection.close()
            raise errors.Unreachable(f"{host}: {error}") from error
        except BaseException:
            connection.close()
            raise
        return connection, reader

    def _open_local(self, path: str) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.connect_timeout)
            connection.connect(path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _shake(self, connection: socket.socket, host: Host) -> Secure:
        assert self.tls
        secure = Secure(context_of(self.tls), host.name)
        try:
            secure.shake(connection, time.monotonic() + self.connect_timeout)
        except TimeoutError:
            raise TimeoutError(f"no TLS within {self.connect_timeout:g} s") from None
        return secure

    def _set_options(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", KEEPALIVE_S // 3), ("TCP_KEEPINTVL", KEEPALIVE_S // 3), ("TCP_KEEPCNT", 2), ("TCP_USER_TIMEOUT", KEEPALIVE_S * 1000)):
            if hasattr(socket, option):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def _greet(self, connection: socket.socket, host: Host, secure: Secure | None) -> FrameReader:
        deadline = time.monotonic() + self.connect_timeout
        reader = FrameReader()
        options = self.hello | {"auth": self.login.auth()} if self.login else self.hello
        hello = frame(protocol.HELLO, 1, protocol.VERSION, protocol.VERSION, options)
        connection.sendall(secure.seal(hello) if secure else hello)
        while (payload := reader.take()) is None:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = connection.recv(READ_BYTES)
            except TimeoutError:
                raise TimeoutError(f"no answer to HELLO within {self.connect_timeout:g} s") from None
            if not data or (secure and secure.ended):
                raise ConnectionResetError("the server closed the connection before it answered HELLO")
            reader.feed(secure.open(data) if secure else data)
        received = parse(payload)
        if received.op == protocol.ERROR:
            error = _error_of(received.fields)
            error.text = f"{host}: {error.text}"
            raise error
        if received.op != protocol.OK or len(received.fields) < 2 or not isinstance(received.fields[1], dict):
            raise PackingError("the answer to HELLO is not one")
        connection.setblocking(False)
        with self.changed:
            self.info = received.fields[1]
            self._socket, self._secure, self._next_id = connection, secure, 2
            self._out.clear()
            self.is_up, self.failures = True, 0
            for hook in list(self.hooks):
                hook.up()
            self.changed.notify_all()
        return reader

    def _serve(self, connection: socket.socket, reader: FrameReader) -> errors.Error:
        """Read and write until the connection is lost; returns why."""
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        while True:
            try:
                # What came in one go with the answer to HELLO, or behind the last whole frame, is looked at first.
                frames = []
                while (payload := reader.take()) is not None:
                    frames.append(parse(payload))
                with self.changed:
                    for received in frames:
                        self._received(received)
                    if frames:
                        self.changed.notify_all()
                    if self.ended:
                        return self.ended
                    if self._secure and self._secure.ended:
                        return self._closing or errors.Disconnected("the server closed the connection")
                    self._tick()
                    self._write()
                    poll.register(connection, select.POLLIN | (select.POLLOUT if self._out else 0))
                    due = min((due for hook in self.hooks if (due := hook.due()) is not None), default=None)
                ready = poll.poll(None if due is None else max(0.0, due - time.monotonic()) * 1000 + 1)
                for descriptor, events in ready:
                    if descriptor == self._wake_read:
                        self._woken()
                    elif events & ~select.POLLOUT:
                        data = connection.recv(READ_BYTES)
                        if not data:
                            return self._closing or errors.Disconnected("the server closed the connection")
                        reader.feed(self._open(data))
            except BlockingIOError:
                continue
            except OSError as error:
                return self._closing or errors.Disconnected(str(error))
            except (PackingError, errors.Protocol) as error:
                return errors.Disconnected(f"the server broke the protocol: {error}")

    def _open(self, data: bytes) -> bytes:
        if not self._secure:
            return data
        with self.changed:  # others write meanwhile
            data = self._secure.open(data)
            self._out += self._secure.answers()
        return data

    _closing: errors.Error | None = None  # what the server said before it closed

    def _woken(self) -> None:
        os.read(self._wake_read, 4096)
        with self.changed:
            self.changed.notify_all()

    def _tick(self) -> None:
        now = time.monotonic()
        for hook in list(self.hooks):
            due = hook.due()
            if due is not None and due <= now:
                hook.tick(now)

    def _write(self) -> None:
        """What the socket takes now; locked. That the connection is lost, its reader will find."""
        while self._out and self._socket:
            try:
                sent = self._socket.send(memoryview(self._out)[: 1 << 20])
            except BlockingIOError:
                return
            except OSError:
                self._out.clear()
                return
            del self._out[:sent]
            self.changed.notify_all()

    def _received(self, received: Received) -> None:
        op, id, fields = received
        if op in (protocol.OK, protocol.ERROR) and id != 0:
            call = self._calls.pop(id, None)
            if call is None:
                raise errors.Protocol(f"an answer to request {id}, which was not asked or was answered")
            call.end([] if op == protocol.ERROR else fields, _error_of(fields) if op == protocol.ERROR else None)
        elif op == protocol.ERROR:
            self._closing = _error_of(fields)
        elif op == protocol.CLOSED and fields[0] == 0:
            self._closing = errors.error_of(fields[1], fields[2], retry_after_ms=fields[3] if len(fields) > 3 else None)
        elif op in (protocol.DELIVER, protocol.CLOSED):
            for hook in list(self.hooks):
                hook.received(received)

    def _lost(self, error: errors.Error, connection: socket.socket) -> None:
        with self.changed:
            if self._leaving and self._secure:
                try:
                    connection.send(self._secure.end())
                except OSError:
                    pass  # it is lost already
            self.is_up, self._socket, self._secure, self._closing = False, None, None, None
            connection.close()
            self._out.clear()
            self.failures += 1
            self.last_error = error
            self._drop(errors.Disconnected(error.text))
            for hook in list(self.hooks):
                hook.lost()
            if self._leaving:
                self.end(errors.Closed("the client is closed"))
            self.changed.notify_all()

    def _drop(self, error: errors.Error) -> None:
        calls, self._calls = self._calls, collections.OrderedDict()
        for call in calls.values():
            call.end([], error)


_links: weakref.WeakSet[Link] = weakref.WeakSet()


def _forked() -> None:
    """In a forked child: its parent's thread and its locks are not there, and the connection must end when the parent does."""
    for link in list(_links):
        link.forget()


os.register_at_fork(after_in_child=_forked)


def _error_of(fields: list[Any]) -> errors.Error:
    return errors.error_of(fields[0], fields[2], fields[1], fields[3], fields[4] if len(fields) > 4 else None)
