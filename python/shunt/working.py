"""working: run a handler on each message, and answer by what happens to it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import FrameType

from . import errors
from .consuming import Consumer, Delivery, Failure

DRAIN_LOOK_S = 0.1  # how often a worker that drains looks whether anything is left
RELEASE_MIN_S, RELEASE_MAX_S = 0.1, 5.0


class Reject(Exception):
    """Raised by a handler: the message can never be handled; it becomes a dead letter at once."""


class Retry(Exception):
    """Raised by a handler: this attempt has failed; again after `delay` seconds, without it as the group's back-off says."""

    def __init__(self, text: str = "", delay: float | None = None) -> None:
        super().__init__(text)
        self.delay = delay


class Release(Exception):
    """Raised by a handler: not handled, and nobody's fault. Given back uncharged, to come again after `delay` seconds."""

    def __init__(self, text: str = "", delay: float = RELEASE_MIN_S) -> None:
        super().__init__(text)
        self.delay = delay


Handler = Callable[[Delivery], object]


def run(consumer: Consumer, handler: Handler, is_drained: Callable[[], bool] | None, extend: bool, signals: bool) -> int:
    with _stops(consumer) if signals else nullcontext():
        consumer._open(None)
        with consumer:
            return _consume(consumer, handler, is_drained, extend)


def _consume(consumer: Consumer, handler: Handler, is_drained: Callable[[], bool] | None, extend: bool) -> int:
    handled = 0
    while not consumer._stopped:
        delivery = consumer.next(DRAIN_LOOK_S if is_drained else None)
        if delivery:
            if extend:
                delivery.keep()
            handle(handler, delivery)
            handled += 1
        elif is_drained and not consumer._stopped:
            try:
                if is_drained():
                    break
            except (errors.Unreachable, errors.Disconnected):
                pass
    if handled:
        consumer.flush()
    return handled


def handle(handler: Handler, delivery: Delivery) -> None:
    try:
        handler(delivery)
    except Reject as error:
        _answer(lambda: delivery.reject(Failure.of(error, skip=1)))
    except Retry as error:
        _answer(lambda: delivery.nack(Failure.of(error, skip=1), delay=error.delay))
    except Release as error:
        _answer(lambda: delivery.release(delay=error.delay))
    except Exception as error:
        _answer(lambda: delivery.nack(Failure.of(error, skip=1)))
    except BaseException:
        _answer(delivery.release)  # the program ends, and that is not the message's fault
        raise
    else:
        _answer(delivery.ack)


def _answer(answer: Callable[[], None]) -> None:
    try:
        answer()
    except errors.Stale:
        pass  # the handler has answered by itself


class _stops(AbstractContextManager[None]):
    """SIGTERM and SIGINT let the message that is handled be finished; the second one does what it would have done without this. Only Python's main thread can be told."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.before: dict[int, object] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self.before[number] = signal.signal(number, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._restore()
        self.consumer.stop()

    def _restore(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler if callable(handler) or isinstance(handler, signal.Handlers) else signal.SIG_DFL)
        self.before = {}

    def __exit__(self, *_: object) -> None:
        self._restore()
