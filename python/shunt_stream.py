"""shunt_stream: a worker in Python for `shunt work TOPIC --stream -- python3 WORKER`.

    import shunt_stream

    def handle(message):
        print("order", message.id, message.json())

    shunt_stream.run(handle)

What the handler returns from is acked; an exception is a failed attempt, with its class, text and traceback. It may raise Reject (failed for good), Retry (failed, again
later), Release (given back, uncharged) or Late (its deadline leaves no time; uncharged). What it prints goes to standard error: standard output belongs to the protocol. sys.exit() ends the process, which is charged to the message: `exit N`.
"""
import base64
import json
import os
import sys
import traceback


class Reject(Exception):
    """The message can never be handled: to the dead-letter queue at once."""


class Retry(Exception):
    """A failed attempt. `delay`: seconds until the next one; without it the group's back-off decides."""

    def __init__(self, text="", delay=None):
        super().__init__(text)
        self.delay = delay


class Release(Retry):
    """Not handled, and nobody's fault: back to the queue, uncharged."""


class Late(Exception):
    """Its deadline leaves no time for it; nobody is charged: it goes where it would have gone at its deadline."""


class Message:
    """A message. Text attributes are str; body and key are bytes, as are header values that are no text. `dead` is of a dead-letter queue alone."""

    def __init__(self, fields, send):
        self._send = send
        self.id, self.topic, self.group = fields["id"], fields["topic"], fields["group"]
        self.attempt, self.deliveries, self.generation = fields["attempt"], fields["deliveries"], fields["generation"]
        self.published, self.lease_ms, self.timeout_ms = fields["published"], fields["lease_ms"], fields.get("timeout_ms")
        self.ttl_ms, self.deadline, self.remaining_ms, self.dead = (fields.get(name) for name in ("ttl_ms", "deadline", "remaining_ms", "dead"))
        self.headers = {key: value if isinstance(value, str) else base64.b64decode(value["base64"]) for key, value in fields["headers"].items()}
        self.key, self.body = _bytes_of(fields, "key"), _bytes_of(fields, "body")
        self.base_key = _bytes_of(fields, "base_key") or self.key

    def json(self):
        return json.loads(self.body)

    def heartbeat(self):
        """The handler is alive: the time limit of `work --timeout` begins again."""
        self._send({"id": self.id, "outcome": "extend"})


def _bytes_of(fields, name):
    return fields[name].encode() if name in fields else base64.b64decode(fields[name + "_base64"]) if name + "_base64" in fields else None


def _failure(error):
    """As Python itself would print it, without this module's own frame."""
    last = "".join(traceback.format_exception_only(error)).strip()
    kind, module = type(error).__qualname__, type(error).__module__
    return {"error_type": kind if module in ("builtins", "__main__", __name__) else f"{module}.{kind}",
            "error_message": next((line for line in last.splitlines() if line.strip()), kind),
            "error_stack": "".join(traceback.format_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next))[-16384:]}


def _answer(handler, message):
    try:
        handler(message)
        return {"outcome": "ack"}
    except Retry as error:
        wait = {} if error.delay is None else {"delay_ms": int(error.delay * 1000)}
        return {"outcome": "release", **wait} if isinstance(error, Release) else {"outcome": "nack", **wait, **_failure(error)}
    except Exception as error:
        return {"outcome": "reject" if isinstance(error, Reject) else "late" if isinstance(error, Late) else "nack", **_failure(error)}


def run(handler):
    """Handle messages until there are no more, which is when the worker stops."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def send(fields):
        line = memoryview(json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        while line:
            line = line[answers.write(line):]

    for line in sys.stdin.buffer:
        message = Message(json.loads(line), send)
        answer = {"id": message.id, **_answer(handler, message)}
        sys.stdout.flush()
        send(answer)
