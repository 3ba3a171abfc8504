"""consuming: deliveries and their answers. A subscription outlives its connection: on the next one the consumer takes up again what it held."""

from __future__ import annotations

import collections
import itertools
import json
import time
import traceback
from collections.abc import Iterator
from typing import Any

from . import errors, protocol
from .frames import Handout, Received
from .link import Backoff, Call, Link
from .publishing import base_key, milliseconds

WINDOW_MAX = protocol.KEPT_MAX  # so that all that is held can be taken up again
MARGIN = 0.1  # of a lease: a message that lay here for the rest of it is dropped unbegun
ACK_WAIT_MS = 2  # an answer that nobody waits for may share a commit with what comes in this time
EXTEND_PARTS = 3  # a lease is extended so many times before it would end
UNSENT_BYTES_MAX = 1 << 20  # no marks are added to more than this
LEASE_MIN_S = 0.01
GATHERED_MAX = 2  # a broker that sends more windows than this, unasked, breaks the protocol


class Failure:
    """What an attempt failed of: as the history of the message and the cause of its death show it."""

    def __init__(self, type: str | None = None, message: str | None = None, stack: str | None = None, fingerprint: str | None = None) -> None:
        self.type, self.message, self.stack, self.fingerprint = type, message, stack, fingerprint

    @classmethod
    def of(cls, error: BaseException, skip: int = 0) -> Failure:
        """Of an exception: its class, its last line and its traceback as Python prints it, without the outermost `skip` frames."""
        trace = error.__traceback__
        for _ in range(skip):
            trace = trace.tb_next if trace else None
        kind, module = type(error).__qualname__, type(error).__module__
        last = "".join(traceback.format_exception_only(type(error), error)).strip()
        stack = "".join(traceback.format_exception(type(error), error, trace))
        # The broker keeps the end of a long one; so the whole need not be sent.
        cut = stack.encode("utf-8", "backslashreplace")[-protocol.ERROR_STACK_BYTES_MAX :].decode("utf-8", "ignore")
        return cls(kind if module in ("builtins", "__main__") else f"{module}.{kind}", next((line for line in last.splitlines() if line.strip()), kind)[: 1 << 10], cut)

    def fields(self) -> list[str | None]:
        return [text if text is None else text.encode("utf-8", "backslashreplace").decode() for text in (self.type, self.message, self.stack, self.fingerprint)]


class Delivery:
    """A message in the hands of this consumer, which answers it once: ack, nack, reject, release or late.

    topic, group, seq, id   where it is from, its number, and its name `TOPIC/SEQ`
    body, headers, key      as published; base_key is the key before it was split
    attempts, deliveries    failed attempts and hand-outs in this generation, the latter with this one
    generation, published   how often it was redriven; when it was published, in ms since 1970
    deadline                when nobody needs it any more, in seconds since 1970; None: it has no deadline, or none that is in force
    dead                    what a letter died of, with its `history`, if this comes from a dead-letter queue
    """

    def __init__(self, consumer: Consumer, handout: Handout, read_at: float) -> None:
        self.consumer = consumer
        self.topic, self.group = consumer.topic, consumer.group
        self.seq, self.attempts, self.deliveries = handout.seq, handout.attempts, handout.deliveries
        self.generation, self.published, self.lease_ms = handout.generation, handout.published, handout.lease_ms
        self.body, self.headers, self.key, self.dead = handout.body, handout.headers, handout.key, handout.dead
        self.deadline = handout.deadline_ms / 1000 if handout.deadline_ms else None
        self._expires = None if handout.remaining_ms is None else read_at + handout.remaining_ms / 1000
        self._token, self._size = handout.token, handout.size
        self._until = read_at + self._lease_s  # when its lease is over, by the clock of this process
        self._overdue = False
        self._extend_at: float | None = None
        self._extending = False
        self._started = False
        self._answer: list[Any] | None = None
        self._ended: errors.Error | bool = False  # True: the answer is confirmed

    @property
    def id(self) -> str:
        return f"{self.topic}/{self.seq}"

    @property
    def _lease_s(self) -> float:
        return max(LEASE_MIN_S, self.lease_ms / 1000)

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self.attempts + 1

    @property
    def lost(self) -> bool:
        """It is known to be no longer this consumer's: an answer would change nothing."""
        return isinstance(self._ended, errors.Stale)

    @property
    def remaining(self) -> float | None:
        """Seconds until its deadline, by the clock of this process since it came, so that clocks may differ; 0: it has passed. None: it has none."""
        return None if self._expires is None else max(0.0, self._expires - time.monotonic())

    @property
    def base_key(self) -> bytes | str | None:
        """The key as it was before its publisher split it; the key of a message whose key was not."""
        return base_key(self.key, self.headers)

    def json(self) -> Any:
        return json.loads(self.body)

    def ack(self, *, wait: bool = False) -> None:
        """Done. Without `wait` the answer is sent and not waited for; with it, the call returns when it is on disk, and raises Stale if it had no effect."""
        self.consumer._answer([self], [protocol.ACK, None if wait else ACK_WAIT_MS], wait)

    def nack(self, failure: Failure | BaseException | str | None = None, *, delay: float | None = None, wait: bool = False) -> None:
        """Failed: again after `delay` seconds, without it as the group's back-off says; after the last attempt it becomes a dead letter."""
        self.consumer._answer([self], [protocol.NACK, None if delay is None else milliseconds(delay, "delay"), *_failure(failure).fields()], wait)

    def reject(self, failure: Failure | BaseException | str | None = None, *, wait: bool = False) -> None:
        """Failed for good: it becomes a dead letter."""
        self.consumer._answer([self], [protocol.REJECT, None, *_failure(failure).fields()], wait)

    def release(self, *, delay: float = 0, wait: bool = False) -> None:
        """Give it back uncharged, to be handed out again after `delay` seconds."""
        self.consumer._answer([self], [protocol.RELEASE, milliseconds(delay, "delay")], wait)

    def late(self, *, wait: bool = False) -> None:
        """Its deadline leaves no time for it: uncharged, and then dead or discarded as `deadline_exceeded`. Without a deadline it is a nack."""
        self.consumer._answer([self], [protocol.LATE], wait)

    def extend(self, seconds: float) -> None:
        """Its lease ends so many seconds from now. Raises Stale if it is not held any more."""
        self.consumer._extend(self, max(1, milliseconds(seconds, "extend")))

    def keep(self) -> None:
        """Extend its lease by itself from now on, until it is answered. A handler that hangs is then never noticed by its lease."""
        self.consumer._keep(self)

    def __repr__(self) -> str:
        return f"<Delivery {self.id} attempt {self.attempt}>"


def _failure(failure: Failure | BaseException | str | None) -> Failure:
    if isinstance(failure, BaseException):
        return Failure.of(failure)
    return failure if isinstance(failure, Failure) else Failure(message=failure)


class Consumer:
    """Messages of one group, as an iterator. What was not answered goes back uncharged when it is closed.

    dropped   messages that lay here until their lease was over, and were not begun
    stale     answers that had no effect, because the message was no longer this consumer's
    """

    def __init__(self, link: Link, topic: str, group: str, window: int, window_bytes: int, timeout: float) -> None:
        if not 1 <= window <= WINDOW_MAX:
            raise errors.BadArgument(f"window is a number from 1 to {WINDOW_MAX}, not {window}")
        if not 1 <= window_bytes <= protocol.CREDIT_BYTES_MAX:
            raise errors.BadArgument(f"window_bytes is a number from 1 to {protocol.CREDIT_BYTES_MAX}, not {window_bytes}")
        self.topic, self.group = topic, group
        self.dropped = self.stale = 0
        self._link, self._window, self._window_bytes, self._timeout = link, window, window_bytes, timeout
        self._sub: int | None = None
        self._subscribing = False
        self._early: list[tuple[int, list[Handout], float]] = []  # deliveries that came before the number of their subscription
        self._queue: collections.deque[Delivery] = collections.deque()
        self._held: dict[int, Delivery] = {}  # by seq: queued, in a handler, or answered and not confirmed
        self._error: errors.Error | None = None
        self._stopped = self._closed = False
        self._backoff = Backoff(0.1)
        self._retry_at: float | None = None
        self._opening_until: float | None = None  # until it first stood

    # ---- for the program ----

    def next(self, timeout: float | None = None) -> Delivery | None:
        """The next message, marked as started; None if none came within `timeout` seconds (None: wait for ever), or stop() was called."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._link.changed:
            self._check()
            while not self._stopped:
                if self._sub is not None and (delivery := self._take()):
                    return delivery
                overdue_at = self._tell_overdue()
                until = min((at for at in (deadline, overdue_at) if at is not None), default=None)
                if not self._link.wait(lambda: self._stopped or self._error is not None or (self._sub is not None and bool(self._queue)), until) and until == deadline:
                    return None
                self._check()
            return None

    def __iter__(self) -> Iterator[Delivery]:
        while (delivery := self.next()) is not None:
            yield delivery

    def ack(self, *deliveries: Delivery, wait: bool = False) -> None:
        """Ack several in one frame."""
        for part in range(0, len(deliveries), WINDOW_MAX):
            self._answer(list(deliveries[part : part + WINDOW_MAX]), [protocol.ACK, None if wait else ACK_WAIT_MS], wait)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until all answers are confirmed."""
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        with self._link.changed:
            if not self._link.wait(lambda: not any(delivery._answer for delivery in self._held.values()), deadline):
                raise errors.Timeout("answers are not confirmed")

    def stop(self) -> None:
        """Let next() return None and the iteration end; may be called from any thread and from a signal handler."""
        self._stopped = True
        self._link.wake()

    def close(self, timeout: float | None = None) -> None:
        """Wait until the answers are confirmed, and give back what has none."""
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        with self._link.changed:
            if self._closed:
                return
            self._closed = self._stopped = True
            self._queue.clear()
            try:
                self._leave(deadline)
            except errors.Error:
                pass  # without a connection the broker takes them back by itself
            self._link.hooks.remove(self)
            for delivery in list(self._held.values()):
                self._settle(delivery, errors.Disconnected("the consumer was closed before the answer was confirmed") if delivery._answer else errors.Stale("the consumer is closed"))

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- answers; locked but for the first lines of those that Delivery calls ----

    def _answer(self, deliveries: list[Delivery], answer: list[Any], wait: bool) -> None:
        while answer and answer[-1] is None:
            answer = answer[:-1]
        with self._link.changed:
            self._link.check()
            for delivery in deliveries:
                if delivery._answer:
                    raise errors.Stale(f"{delivery.id} was answered before")
                if isinstance(delivery._ended, errors.Error):
                    self.stale += 1
                    if wait:
                        raise delivery._ended.again()
            rest = [delivery for delivery in deliveries if not delivery._ended]
            for delivery in rest:
                delivery._answer = answer
            self._send_answers(rest)
            deadline = time.monotonic() + self._timeout
            if wait:
                if not self._link.wait(lambda: all(delivery._ended for delivery in rest), deadline):
                    raise errors.Timeout("the answer is not confirmed")
                for delivery in rest:
                    if isinstance(delivery._ended, errors.Error):
                        raise delivery._ended.again()

    def _send_answers(self, deliveries: list[Delivery]) -> None:
        if self._sub is not None and deliveries:
            entries = [[delivery.seq, delivery._token, *(delivery._answer or [])] for delivery in deliveries]
            self._link.call(protocol.RESOLVE, self._sub, entries, then=lambda call: self._answered(deliveries, call))

    def _answered(self, deliveries: list[Delivery], call: Call) -> None:
        if isinstance(call.error, (errors.Disconnected, errors.Closed)):
            for delivery in deliveries:
                if self._held.get(delivery.seq) is not delivery and not delivery._ended:
                    self._settle(delivery, _unknown(delivery))
            return  # the others are taken up again, or not
        without_effect = {} if call.error else _without_effect(call.fields)
        for index, delivery in enumerate(deliveries):
            if delivery._ended:
                continue
            code = without_effect.get(index, 0)
            self._settle(delivery, call.error or (errors.error_of(code, f"the answer to {delivery.id} had no effect") if code else None))

    def _settle(self, delivery: Delivery, error: errors.Error | None) -> None:
        if isinstance(error, errors.Stale) and delivery._answer:
            self.stale += 1
        delivery._ended, delivery._extend_at = error or True, None
        if self._held.get(delivery.seq) is delivery:
            del self._held[delivery.seq]

    def _extend(self, delivery: Delivery, ms: int) -> None:
        deadline = time.monotonic() + self._timeout
        with self._link.changed:
            if isinstance(delivery._ended, errors.Error):
                raise delivery._ended.again()
            if delivery._answer:
                raise errors.Stale(f"{delivery.id} was answered before")
            if not self._link.wait(lambda: self._sub is not None or bool(delivery._ended), deadline):
                raise errors.Unreachable("there is no connection to extend the lease on")
            if isinstance(delivery._ended, errors.Error):
                raise delivery._ended.again()
            call = self._send_extend(delivery, ms)
            if not self._link.wait(lambda: call.done, deadline):
                raise errors.Timeout("the extend is not confirmed")
            error = call.error or (delivery._ended if isinstance(delivery._ended, errors.Error) else None)
            if error:
                raise error.again()

    def _send_extend(self, delivery: Delivery, ms: int) -> Call:
        def extended(call: Call) -> None:
            delivery._extending = False
            if not call.error and (code := _without_effect(call.fields).get(0)) and not delivery._answer and not delivery._ended:
                self._settle(delivery, errors.error_of(code, f"{delivery.id} is not held any more"))

        delivery._until, delivery._extending = time.monotonic() + ms / 1000, True
        return self._link.call(protocol.RESOLVE, self._sub, [[delivery.seq, delivery._token, protocol.EXTEND, ms]], then=extended)

    def _keep(self, delivery: Delivery) -> None:
        with self._link.changed:
            if not delivery._answer and not delivery._ended:
                delivery._extend_at = time.monotonic() + delivery._lease_s / EXTEND_PARTS
                self._link.wake()

    # ---- hand-outs; locked ----

    def _check(self) -> None:
        if self._closed:
            raise errors.Closed("the consumer is closed")
        if self._error:
            raise self._error.again()
        self._link.check()

    def _take(self) -> Delivery | None:
        """The next message whose lease lasts; mark it as started."""
        before = self.dropped
        while self._queue and self._is_over(self._queue[0]):
            self._drop(self._queue.popleft())
        while self._queue and self._queue[0].remaining == 0:
            late = self._queue.popleft()
            late._answer = [protocol.LATE]
            self._send_answers([late])
        dropped = self.dropped > before
        delivery = self._queue.popleft() if self._queue else None
        if delivery:
            self._start(delivery)
        elif dropped:
            self._send_credit()  # nothing more comes until the broker hears something
        return delivery

    def _is_over(self, delivery: Delivery) -> bool:
        return time.monotonic() >= delivery._until - delivery._lease_s * MARGIN

    def _drop(self, delivery: Delivery) -> None:
        self.dropped += 1
        self._settle(delivery, errors.Stale("its lease was over before it was begun"))

    def _tell_overdue(self) -> float | None:
        """A program that waits for a message is alive. If a lease was over, tell the broker so: it hands out nothing more until it hears something. Returns when the next lease is over."""
        now, begun = time.monotonic(), [delivery for delivery in self._held.values() if delivery._started and not delivery._answer and not delivery._overdue]
        over = [delivery for delivery in begun if delivery._until <= now]
        for delivery in over:
            delivery._overdue = True
        if over and self._sub is not None:
            self._send_credit()
        return min((delivery._until for delivery in begun if delivery._until > now), default=None)

    def _start(self, delivery: Delivery) -> None:
        delivery._started, delivery._until, delivery._overdue = True, time.monotonic() + delivery._lease_s, False
        self._link.send_quiet(protocol.STARTED, self._sub, [delivery.seq, delivery._token])

    def _send_credit(self) -> None:
        self._link.call(protocol.CREDIT, self._sub, self._window, self._window_bytes)

    def _delivered(self, handouts: list[Handout], now: float) -> None:
        for handout in handouts:
            known = self._held.get(handout.seq)
            if known and known._started and not known._answer:
                # Its handler still runs, and answers with the new token.
                known._token, known.lease_ms, known.deliveries = handout.token, handout.lease_ms, handout.deliveries
                if self._link.unsent_bytes <= UNSENT_BYTES_MAX:  # a mark that is not sent charges nobody
                    self._start(known)
                continue
            if known and not known._started:
                self._queue.remove(known)
                self._drop(known)
            delivery = Delivery(self, handout, now)
            self._held[handout.seq] = delivery
            self._queue.append(delivery)
        for delivery in [delivery for delivery in self._queue if self._is_over(delivery)]:
            self._queue.remove(delivery)
            self._drop(delivery)
        size = sum(delivery._size for delivery in self._queue)
        if len(self._queue) > GATHERED_MAX * self._window or size > GATHERED_MAX * self._window_bytes + protocol.FRAME_BYTES_MAX:
            raise errors.Protocol(f"{len(self._queue)} messages of {size} bytes, with a window of {self._window} messages and {self._window_bytes} bytes")

    # ---- subscribing, as a hook of the link; locked ----

    def up(self) -> None:
        self._retry_at = None
        if self._closed or self._error:
            return
        held = sorted(self._held.values(), key=lambda delivery: not delivery._started)
        kept = held[: protocol.KEPT_MAX]
        fields: list[Any] = [self.topic, self.group, self._window, self._window_bytes]
        if kept:
            fields.append([part for delivery in kept for part in (delivery.seq, delivery._token, delivery._started)])
        self._subscribing = True
        self._link.call(protocol.SUBSCRIBE, *fields, then=lambda call: self._subscribed(kept, held, call), deadline=self._opening_until)

    def _subscribed(self, kept: list[Delivery], held: list[Delivery], call: Call) -> None:
        early, self._early, self._subscribing = self._early, [], False
        if isinstance(call.error, (errors.Disconnected, errors.Closed)):
            return
        if call.error and call.error.may_retry:
            self._retry_at = time.monotonic() + call.error.retry_after + self._backoff.next()
        elif call.error:
            self._end(call.error)
        else:
            tokens = call.fields[2] if len(call.fields) > 2 else [0] * len(kept)
            if type(call.fields[0]) is not int or not isinstance(tokens, list) or len(tokens) != len(kept) or not all(type(token) is int for token in tokens):
                raise errors.Protocol("an answer to SUBSCRIBE of another shape")
            if self._closed:
                self._link.call(protocol.UNSUBSCRIBE, call.fields[0])
                return
            self._sub, self._opening_until = call.fields[0], None
            self._backoff.reset()
            self._take_up(list(zip(held, itertools.chain(tokens, itertools.repeat(0)))))
            for sub, handouts, now in early:
                if sub == self._sub:
                    self._delivered(handouts, now)

    def _take_up(self, kept: list[tuple[Delivery, int]]) -> None:
        now, again = time.monotonic(), []
        for delivery, token in kept:
            if delivery._ended:
                continue
            if token:
                delivery._token, delivery._until, delivery._overdue = token, now + delivery._lease_s, False
                delivery.deliveries += 1
                again += [delivery] if delivery._answer else []
            elif delivery._answer:
                self._settle(delivery, _unknown(delivery))
            elif not delivery._started:
                self._queue.remove(delivery)
                self._settle(delivery, errors.Stale("the connection was lost"))
            else:
                delivery._token = 0  # its handler works for nothing, unless the message comes again meanwhile
        self._send_answers(again)

    def lost(self) -> None:
        self._sub, self._subscribing, self._early = None, False, []

    def received(self, frame: Received) -> None:
        if frame.op == protocol.CLOSED and frame.fields[0] == self._sub:
            self._end(errors.error_of(frame.fields[1], frame.fields[2]))
        elif frame.op == protocol.DELIVER and frame.fields[0] == self._sub:
            if not self._closed:
                self._delivered(frame.fields[1], time.monotonic())
        elif frame.op == protocol.DELIVER and self._subscribing:
            self._early.append((frame.fields[0], frame.fields[1], time.monotonic()))
            if sum(len(handouts) for _, handouts, _ in self._early) > GATHERED_MAX * WINDOW_MAX:
                raise errors.Protocol("deliveries of a subscription that was not asked for")

    def _end(self, error: errors.Error) -> None:
        self._error, self._sub = error, None
        self._queue.clear()
        for delivery in list(self._held.values()):
            self._settle(delivery, errors.Stale(error.text))

    def due(self) -> float | None:
        if self._sub is None:
            return self._retry_at
        return min((delivery._extend_at for delivery in self._held.values() if delivery._extend_at is not None), default=None)

    def tick(self, now: float) -> None:
        if self._sub is None:
            self.up()
            return
        for delivery in list(self._held.values()):
            if delivery._extend_at is not None and delivery._extend_at <= now:
                delivery._extend_at = now + delivery._lease_s / EXTEND_PARTS
                if not delivery._answer and not delivery._extending:
                    self._send_extend(delivery, delivery.lease_ms)

    def _open(self, deadline: float | None) -> None:
        """Subscribe, and wait for the answer, or for stop()."""
        with self._link.changed:
            self._opening_until = deadline
            self._link.hooks.append(self)
            try:
                if self._link.is_up:
                    self.up()
                self._link.start()
                if not self._link.wait(lambda: self._sub is not None or self._error is not None or self._stopped, deadline):
                    raise errors.Unreachable(self._link.last_error.text if self._link.last_error else "no answer in time")
                self._check()
            except BaseException:
                self._closed = True
                self._link.hooks.remove(self)
                raise

    def _leave(self, deadline: float) -> None:
        if self._sub is None or self._link.ended or not self._link.is_up:
            return
        call = self._link.call(protocol.UNSUBSCRIBE, self._sub)  # behind the answers
        self._link.wait(lambda: call.done, deadline)


def _unknown(delivery: Delivery) -> errors.Disconnected:
    return errors.Disconnected(f"the connection was lost before the answer to {delivery.id} was confirmed: whether it took effect is unknown")


def _without_effect(fields: list[Any]) -> dict[int, int]:
    flat = fields[0] if fields else None
    if not isinstance(flat, list) or len(flat) % 2 or not all(type(number) is int for number in flat):
        raise errors.Protocol("an answer to RESOLVE of another shape")
    return dict(zip(flat[::2], flat[1::2]))
