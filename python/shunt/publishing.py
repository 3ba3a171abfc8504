"""publishing: messages on their way, each stored once. Every frame has a number; after a lost connection all that have no answer are sent again,
unchanged, in order and before any new one, and the broker stores none of them twice."""

from __future__ import annotations

import collections
import re
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from . import errors, protocol
from .frames import Received, with_length
from .link import Call, Link, jittered
from .packing import array_head, encode

FRAME_BYTES = 256 << 10  # gathered for one frame of a Publisher
FRAMES_AHEAD = 2  # on their way before a Publisher gathers more
DEDUP_FRAMES_LEAST = 2
SPLIT_PARTS_MAX = 1024
SPLIT_HEADER = "shunt-split"  # of a message whose key is a part: in how many it was split
_PLAIN_NUMBER = re.compile("0|[1-9][0-9]{0,3}")
_PART = re.compile(rb"(.+)#(0|[1-9][0-9]{0,3})", re.DOTALL)


class Message(NamedTuple):
    """A message to publish. `delay` and `ttl` are seconds: until it is handed out first, and how long it lives from then. `deadline` is a time in seconds
    since 1970, as time.time() tells it, after which nobody needs it to be handled; a delivery has one to pass on: `deadline=delivery.deadline`."""

    body: bytes | str
    headers: Mapping[str, str | bytes] | None = None
    key: bytes | str | None = None
    delay: float = 0
    ttl: float = 0
    deadline: float | None = None


def milliseconds(seconds: float, what: str) -> int:
    if not 0 <= seconds <= protocol.DURATION_MS_MAX / 1000:
        raise errors.BadArgument(f"{what} is a number of seconds from 0 to {protocol.DURATION_MS_MAX // 1000}, not {seconds}")
    return round(seconds * 1000) or (1 if seconds else 0)


def deadline_ms(deadline: float | None) -> int:
    if deadline is None:
        return 0
    if not 0 < deadline <= protocol.DEADLINE_LAST_MS / 1000:
        raise errors.BadArgument(f"a deadline is a time in seconds since 1970, not {deadline}")
    return max(1, int(deadline * 1000))


def pack_message(message: Message) -> bytes:
    body, headers, key, delay, ttl, deadline = message
    if not isinstance(body, (bytes, bytearray, str)):
        raise errors.BadArgument(f"a body is bytes or str, not {type(body).__name__}")
    if headers is not None and not all(isinstance(name, str) and isinstance(value, (str, bytes)) for name, value in headers.items()):
        raise errors.BadArgument("headers are a mapping of str to str or bytes")
    if not isinstance(key, (bytes, str, type(None))):
        raise errors.BadArgument(f"a key is bytes or str, not {type(key).__name__}")
    fields = [body.encode() if isinstance(body, str) else bytes(body), dict(headers) if headers else None, key, milliseconds(delay, "delay"), milliseconds(ttl, "ttl"), deadline_ms(deadline)]
    while not fields[-1]:
        if len(fields) == 1:
            break
        fields.pop()
    return encode(fields)


def split(message: Message, parts: int, number: int) -> Message:
    """The message with its key as one of so many parts: `K` becomes `K#0` to `K#<parts-1>`, by `number` modulo `parts`, so that messages of one key need not wait for each other where
    a group keeps their order. `number` is a counter, or a hash of what is still to be in order. A consumer finds `K` as `base_key`. With one part it stays as it is."""
    if message.key is None or not len(message.key):
        raise errors.BadArgument("a message without a key cannot be split")
    if not 1 <= parts <= SPLIT_PARTS_MAX:
        raise errors.BadArgument(f"a key is split into 1 to {SPLIT_PARTS_MAX} parts, not {parts}")
    if parts == 1:
        return message
    part = f"#{number % parts}"
    return message._replace(key=message.key + part if isinstance(message.key, str) else bytes(message.key) + part.encode(), headers={**(message.headers or {}), SPLIT_HEADER: str(parts)})


def base_key(key: bytes | str | None, headers: Mapping[str, str | bytes]) -> bytes | str | None:
    """The key as it was before it was split; one that was not is its own."""
    count = headers.get(SPLIT_HEADER, "")
    count = count.decode("latin-1") if isinstance(count, bytes) else count
    if key is None or not _PLAIN_NUMBER.fullmatch(count) or int(count) > SPLIT_PARTS_MAX:
        return key
    found = _PART.fullmatch(key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape"))
    if not found or int(found[2]) >= int(count):
        return key
    return key[: found.end(1)] if isinstance(key, bytes) else found[1].decode("utf-8", "surrogateescape")


class Frame:
    """One PUBLISH, until it is answered. `seqs` are the numbers that its first messages got; `error` says why the rest were refused."""

    __slots__ = ("number", "topic", "rows", "forget_below", "deadline", "was_sent", "was_sent_before", "done", "seqs", "error", "then")

    def __init__(self, topic: str, rows: list[bytes], then: Callable[[Frame], None] | None, deadline: float | None) -> None:
        self.topic, self.rows, self.then, self.deadline = topic, rows, then, deadline
        self.number = self.forget_below = 0
        self.was_sent = self.was_sent_before = self.done = False
        self.seqs: list[int] = []
        self.error: errors.Error | None = None


class Outbox:
    """All frames of a client that have no answer, in the order of their numbers. Locked throughout."""

    def __init__(self, link: Link, numbers_given: bool) -> None:
        self.link, self.numbers_given = link, numbers_given
        self.last = 0
        self.frames: collections.OrderedDict[int, Frame] = collections.OrderedDict()
        self.held_until: float | None = None  # the store is full, and the broker wants to be left alone
        self.held_error: errors.Error | None = None

    def submit(self, topic: str, rows: list[bytes], number: int | None = None, then: Callable[[Frame], None] | None = None, deadline: float | None = None) -> Frame:
        """After `deadline` nobody waits for it."""
        self.check_number(number)
        frame = Frame(topic, rows, then, deadline)
        self._number(frame, number)
        if self.link.is_up and self.held_until is None:
            self._send(frame)
        return frame

    def check_number(self, number: int | None) -> None:
        if self.numbers_given != (number is not None):
            raise errors.BadArgument("with a producer of your own each message is published with its number" if self.numbers_given else "a number needs a producer of your own")
        if number is not None and not 1 <= number < 2**64:
            raise errors.BadArgument(f"a number is from 1 to 2^64-1, not {number}")

    def _number(self, frame: Frame, number: int | None = None) -> None:
        if number is None:
            self.last += 1
            frame.number = self.last
            frame.forget_below = next(iter(self.frames), self.last)
        else:
            if number in self.frames:
                raise errors.BadArgument(f"number {number} is on its way already")
            frame.number = number
        self.frames[frame.number] = frame

    def room(self) -> bool:
        """Whether one more frame stays within what the broker remembers."""
        most = self.link.limit("dedup_frames", DEDUP_FRAMES_LEAST)
        if self.numbers_given:
            return len(self.frames) < most
        return self.last + 1 - next(iter(self.frames), self.last + 1) < most

    def withdraw(self, frame: Frame) -> bool:
        """Take back what was never sent."""
        if frame.was_sent or frame.done:
            return False
        self.frames.pop(frame.number, None)
        return True

    def _send(self, frame: Frame) -> None:
        frame.was_sent_before, frame.was_sent = frame.was_sent, True
        rows = [array_head(len(frame.rows)), *frame.rows]
        fields = encode(frame.topic) + encode(frame.number) + encode(frame.forget_below) + b"".join(rows)
        self.link.call_packed(protocol.PUBLISH, 4, fields, lambda call: self._answered(frame, call), frame.deadline)

    def _answered(self, frame: Frame, call: Call) -> None:
        if isinstance(call.error, (errors.Disconnected, errors.Closed)):
            return  # it is sent again
        del self.frames[frame.number]
        if isinstance(call.error, errors.Protocol):
            frame.error = errors.Protocol(f"{call.error.text}: does another client use this producer id?")
            self.link.end(frame.error)
        elif isinstance(call.error, errors.DeadlineExceeded) and frame.was_sent_before:
            frame.error = errors.Timeout("not confirmed in time: it may have been stored before the connection was lost")
        elif call.error:
            frame.error = call.error
            self._hold(call.error)
        else:
            self._stored(frame, *check_stored(call.fields, len(frame.rows)), call.fields[3] if len(call.fields) > 3 else None)
            if frame.number in self.frames:
                return  # the rest is on its way
        frame.done, frame.rows = True, []
        if frame.then:
            frame.then(frame)

    def _stored(self, frame: Frame, accepted: int, first: int, code: int, retry_after_ms: object) -> None:
        frame.seqs += range(first, first + accepted)
        if code == errors.Unavailable.code and accepted < len(frame.rows):  # broken off by a crash, and others came behind it: the rest goes in a frame of its own
            frame.rows = frame.rows[accepted:]
            self._number(frame)
            if self.link.is_up and self.held_until is None:
                self._send(frame)
        elif code:
            frame.error = errors.error_of(code, f"{accepted} of {len(frame.rows)} messages were stored", retry_after_ms=retry_after_ms)
            self._hold(frame.error)

    def _hold(self, error: errors.Error) -> None:
        """The store is full for those behind it as well."""
        if isinstance(error, errors.NoSpace) and error.retry_after and self.held_until is None:
            self.held_until, self.held_error = time.monotonic() + jittered(error.retry_after), error

    # ---- as a hook of the link ----

    def up(self) -> None:
        self.held_until = None  # this connection's broker has asked for nothing
        for frame in list(self.frames.values()):
            self._send(frame)

    def lost(self) -> None:
        pass

    def received(self, frame: Received) -> None:
        pass

    def due(self) -> float | None:
        return self.held_until

    def tick(self, now: float) -> None:
        self.held_until = None
        for frame in list(self.frames.values()):
            if not frame.was_sent:
                self._send(frame)


def check_stored(fields: list[object], rows: int) -> tuple[int, int, int]:
    """The fields of the answer to a PUBLISH."""
    if len(fields) < 3 or not all(type(field) is int and field >= 0 for field in fields[:3]):
        raise errors.Protocol("an answer to PUBLISH of another shape")
    accepted, first, code = fields[:3]
    assert isinstance(accepted, int) and isinstance(first, int) and isinstance(code, int)
    if not (accepted == rows if code == 0 else 0 < accepted < rows):
        raise errors.Protocol(f"{accepted} of {rows} messages accepted, with code {code}")
    return accepted, first, code


class Receipt:
    """What became of one message of a Publisher."""

    __slots__ = ("_link", "_frame", "_index")

    def __init__(self, link: Link, index: int) -> None:
        self._link, self._index = link, index
        self._frame: Frame | None = None

    @property
    def done(self) -> bool:
        return self._frame is not None and self._frame.done

    @property
    def seq(self) -> int | None:
        """Its number in the topic; None if it was refused, or is not confirmed yet."""
        frame = self._frame
        return frame.seqs[self._index] if frame and frame.done and self._index < len(frame.seqs) else None

    @property
    def error(self) -> errors.Error | None:
        """Why it was refused; None if it was not, or is not yet known."""
        return self._frame.error if self._frame and self.done and self.seq is None else None


class Publisher:
    """Publishes many messages to one topic: gathers them into frames, and waits only when more than a window is unconfirmed."""

    def __init__(self, link: Link, outbox: Outbox, topic: str, window: int, window_bytes: int, timeout: float) -> None:
        if window < 1 or window_bytes < 1:
            raise errors.BadArgument("window and window_bytes are at least 1")
        self._link, self._outbox, self.topic, self._timeout = link, outbox, topic, timeout
        self._window, self._window_bytes = window, window_bytes
        self._gathered: list[tuple[bytes, Receipt]] = []
        self._gathered_bytes = 0
        self._frames: dict[Frame, tuple[int, int]] = {}  # on their way: messages and bytes of each
        self._error: errors.Error | None = None
        self.confirmed = self.refused = 0

    def send(
        self, body: bytes | str, *, headers: Mapping[str, str | bytes] | None = None, key: bytes | str | None = None, delay: float = 0, ttl: float = 0,
        deadline: float | None = None
    ) -> Receipt:
        """Leave a message, to be confirmed later. Waits while the window is full: Busy if that lasts too long, and the message is not published."""
        row = pack_message(Message(body, headers, key, delay, ttl, deadline))
        deadline = time.monotonic() + self._timeout
        with self._link.changed:
            self._link.start()
            if not self._link.wait(lambda: self._has_room(len(row)), deadline):
                raise errors.Busy(f"{self.unconfirmed} messages were not confirmed within {self._timeout:g} s; this one was not published")
            if self._gathered_bytes + len(row) > FRAME_BYTES or len(self._gathered) >= self._rows_max():
                self._submit()
            receipt = Receipt(self._link, len(self._gathered))
            self._gathered.append((row, receipt))
            self._gathered_bytes += len(row)
            if len(self._frames) < FRAMES_AHEAD and self._outbox.room():
                self._submit()
            return receipt

    @property
    def unconfirmed(self) -> int:
        return len(self._gathered) + sum(count for count, _ in self._frames.values())

    def flush(self, timeout: float | None = None) -> None:
        """Wait until each message was confirmed or refused. Raises the first refusal since the last flush, or Timeout."""
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        with self._link.changed:
            while self._gathered or self._frames:
                if self._gathered and self._link.wait(self._outbox.room, deadline):
                    self._submit()
                if not self._link.wait(lambda: not self._frames, deadline):
                    raise errors.Timeout(f"{self.unconfirmed} messages are not confirmed: whether they were stored is unknown")
            error, self._error = self._error, None
            if error:
                raise error

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self.flush()
        except errors.Error:
            if kind is None:
                raise

    def _rows_max(self) -> int:
        return min(self._link.limit("max_messages", protocol.FRAME_MESSAGES_MAX), protocol.FRAME_MESSAGES_MAX)

    def _has_room(self, size: int) -> bool:
        count, bytes_ = self.unconfirmed, self._gathered_bytes + sum(size for _, size in self._frames.values())
        fits = count < self._window and bytes_ + size <= self._window_bytes
        full = self._gathered_bytes + size > FRAME_BYTES or len(self._gathered) >= self._rows_max()
        return count == 0 or (fits and (not full or self._outbox.room()))

    def _submit(self) -> None:
        gathered, size = self._gathered, self._gathered_bytes
        if not gathered:
            return
        self._gathered, self._gathered_bytes = [], 0
        frame = self._outbox.submit(self.topic, [row for row, _ in gathered], then=self._ended)
        self._frames[frame] = (len(gathered), size)
        for _, receipt in gathered:
            receipt._frame = frame

    def _ended(self, frame: Frame) -> None:
        count, _ = self._frames.pop(frame)
        self.confirmed += len(frame.seqs)
        self.refused += count - len(frame.seqs)
        self._error = self._error or frame.error
        if self._gathered and self._outbox.room():
            self._submit()
