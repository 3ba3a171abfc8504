"""client: what a program holds."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from . import errors, protocol, working
from .admin import Admin
from .consuming import Consumer
from .link import Link
from .login import login_of, refuse_plain
from .publishing import Frame, Message, Outbox, Publisher, pack_message
from .secure import context_of
from .url import URL_DEFAULT, parse_url

TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 5.0
WINDOW = 32
WINDOW_BYTES = 1 << 20
PUBLISH_WINDOW = 4096
PUBLISH_WINDOW_BYTES = 64 << 20
PRODUCER_BYTES = 16


class Client(Admin):
    """A client of one broker, over any number of connections: it connects when it is first needed, and again whenever the connection was lost.

    url              shunt://HOST[:PORT][,HOST[:PORT]]…, at most 16. Any is tried first, and after a failure the next in turn.
                     With TLS shunts://HOST…[?ca=FILE][&cert=FILE&key=FILE]: files in PEM, read again for each connection; the broker's certificate must name HOST.
                     shunt+unix:///PATH is the broker of this machine, by its Unix-domain socket (the server's setting `listen-unix`).
    client           the name in the history of messages (default: the program's name and process id)
    host, build      its machine (default: the host name), and the version of the program
    producer         16 bytes, for a program that numbers its messages itself, over its restarts: see publish(). One client at a time may have it.
    timeout          seconds that a call waits, for a connection too
    connect_timeout  seconds for one attempt to connect
    user             who the program is, with password or password_file: a file whose first line is the password, read again for each connection
    token            instead of a user: a token, or token_file, a file with it
    insecure         such a secret may go to another machine without TLS

    Of user, password_file, token_file and insecure the URL may say each instead: ?user=NAME&password-file=FILE, ?token-file=FILE, insecure=yes.

    Use one client in each thread; what it does is guarded, but a connection serves its requests one after the other. After a fork, make another one.
    """

    def __init__(
        self, url: str = URL_DEFAULT, *, client: str | None = None, host: str | None = None, build: str | None = None, producer: bytes | None = None,
        timeout: float = TIMEOUT_S, connect_timeout: float = CONNECT_TIMEOUT_S, user: str | None = None, password: str | None = None,
        password_file: str | os.PathLike[str] | None = None, token: str | None = None, token_file: str | os.PathLike[str] | None = None, insecure: bool = False
    ) -> None:
        if producer is not None and len(producer) != PRODUCER_BYTES:
            raise errors.BadArgument(f"a producer is {PRODUCER_BYTES} bytes, not {len(producer)}")
        hello: dict[str, Any] = {
            "client": f"{os.path.basename(sys.argv[0]) or 'python'}-{os.getpid()}" if client is None else client,
            "host": socket.gethostname() if host is None else host,
            "producer": os.urandom(PRODUCER_BYTES) if producer is None else producer,
            "features": ["dead_history", "within"]}  # letters tell their attempts as they are consumed; calls tell how long they wait
        if build is not None:
            hello["build"] = build
        self._timeout = timeout
        hosts, tls, auth = parse_url(url)
        login = login_of(auth, user, password, password_file, token, token_file)
        if login and not (insecure or auth.insecure or tls):
            refuse_plain(hosts)
        if tls:
            context_of(tls)  # files that cannot be used are told at once
        self._link = Link(hosts, hello, connect_timeout, tls, login)
        self._outbox = Outbox(self._link, producer is not None)
        self._link.hooks.append(self._outbox)

    # ---- the connection ----

    def connect(self, timeout: float | None = None) -> None:
        """Connect now, in one attempt with each host. Raises Unreachable if all failed. All other calls go on trying until their time is over."""
        self._link.connect(time.monotonic() + (self._timeout if timeout is None else timeout))

    @property
    def connected(self) -> bool:
        return self._link.is_up

    @property
    def server(self) -> dict[str, Any]:
        """What the broker said of itself when it was connected last: its name and limits."""
        return dict(self._link.info)

    def ping(self) -> float:
        """One round trip through the broker; seconds."""
        begin = time.monotonic()
        self._request(protocol.PING)
        return time.monotonic() - begin

    def close(self, timeout: float = CLOSE_TIMEOUT_S) -> None:
        """Close consumers, say goodbye, and end the connection."""
        with self._link.changed:
            consumers = [hook for hook in self._link.hooks if isinstance(hook, Consumer)]
        for consumer in consumers:
            consumer.close(timeout)
        self._link.close(timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- publishing ----

    def publish(
        self, topic: str, body: bytes | str, *, headers: Mapping[str, str | bytes] | None = None, key: bytes | str | None = None, delay: float = 0, ttl: float = 0,
        deadline: float | None = None, number: int | None = None, timeout: float | None = None
    ) -> int:
        """Publish one message; returns its number in the topic when it is on disk. It is stored once, also if the connection was lost on the way.
        `delay` and `ttl` are seconds, `deadline` is a time after which nobody needs it (Message). With a `producer` of the client's own, `number` is this message's, greater than all before it; one that was stored before is not
        stored again. Raises Unreachable if nothing was sent, Busy if too many before it are not confirmed, Timeout if it is unknown whether it was stored (or will be, by a broker that is too old to be told how long the
        call waits), and DeadlineExceeded if it was not, because that was over before the broker came to it."""
        return self._publish(topic, [Message(body, headers, key, delay, ttl, deadline)], number, timeout)[0]

    def publish_batch(self, topic: str, messages: Iterable[Message | bytes | str], *, timeout: float | None = None) -> list[int]:
        """Publish several in one frame; returns their numbers. If only the first of them could be stored, the error has these as `accepted`."""
        return self._publish(topic, [message if isinstance(message, Message) else Message(message) for message in messages], None, timeout)

    def _publish(self, topic: str, messages: list[Message], number: int | None, timeout: float | None) -> list[int]:
        if not messages:
            return []
        self._outbox.check_number(number)
        rows = [pack_message(message) for message in messages]
        size = sum(map(len, rows)) + 1024
        if size > protocol.FRAME_BYTES_MAX:
            raise errors.TooLarge(f"messages of {size} bytes in one frame; at most {protocol.FRAME_BYTES_MAX}")
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        with self._link.changed:
            self._link.start()
            if not self._link.wait(self._outbox.room, deadline):
                raise errors.Busy("the publishes before this one are not confirmed; it was not published")
            frame = self._outbox.submit(topic, rows, number, deadline=deadline)
            if not self._link.wait(lambda: frame.done, deadline):
                raise self._too_late(frame)
            if frame.error:
                frame.error.accepted = frame.seqs
                raise frame.error
            return frame.seqs

    def _too_late(self, frame: Frame) -> errors.Error:
        if self._outbox.withdraw(frame):
            if self._outbox.held_until is not None and self._outbox.held_error:
                return self._outbox.held_error.again()  # it waited for that
            return errors.Unreachable(self._link.last_error.text if self._link.last_error else "no connection in time; the message was not published")
        return errors.Timeout("not confirmed in time: whether the message was stored is unknown")

    def publisher(self, topic: str, *, window: int = PUBLISH_WINDOW, window_bytes: int = PUBLISH_WINDOW_BYTES) -> Publisher:
        """Publish many: as a context, it has published all when it is left. At most `window` messages of `window_bytes` are unconfirmed."""
        return Publisher(self._link, self._outbox, topic, window, window_bytes, self._timeout)

    def last_number(self) -> int:
        """The highest number of this client's `producer` that the broker has answered; 0 if there is none."""
        return int(self._ask(protocol.PRODUCER))

    # ---- consuming ----

    def consume(self, topic: str, group: str = "default", *, window: int = WINDOW, window_bytes: int = WINDOW_BYTES, timeout: float | None = None) -> Consumer:
        """Subscribe. At most `window` messages, and about `window_bytes`, are in this client's hands; choose what is handled within a good part of a lease.
        `topic` may be a dead-letter queue: dlq_name("orders")."""
        consumer = Consumer(self._link, topic, group, window, window_bytes, self._timeout)
        consumer._open(time.monotonic() + (self._timeout if timeout is None else timeout))
        return consumer

    def work(
        self, topic: str, handler: working.Handler, *, group: str = "default", window: int = WINDOW, window_bytes: int = WINDOW_BYTES, extend: bool = False,
        drain: bool = False, signals: bool = True
    ) -> int:
        """Call `handler` with each message until stop() of the consumer is called, or SIGTERM or SIGINT comes; returns how many were handled.

        A message whose handler returns is acked. An exception is a failed attempt, with its class, text and traceback; Reject, Retry and Release say what else is meant.
        If the broker cannot be reached, this waits until it can, also at the beginning.
        extend   extend the lease while the handler runs, however long it takes
        drain    return when the group has nothing ready, in flight or delayed, but what waits for dead letters of its keys
        signals  stop on SIGTERM and SIGINT when the message at hand is done, if this is the main thread"""

        def is_drained() -> bool:
            counts = self.group_show(topic, group)
            left: int = counts["ready"] + counts["in_flight"] + counts["delayed"]
            blocked: int = counts["parked"] if counts["blocked_keys"] else 0
            return left == blocked

        consumer = Consumer(self._link, topic, group, window, window_bytes, self._timeout)
        return working.run(consumer, handler, is_drained if drain else None, extend, signals)


def connect(url: str = URL_DEFAULT, **options: Any) -> Client:
    """A client that is connected. Options are those of Client; raises Unreachable if no host answers."""
    client = Client(url, **options)
    try:
        client.connect()
    except BaseException:
        client.close(0)
        raise
    return client
