"""flood: one connection that sends as much as it can of one kind of request, and reads what is answered.

Each kind says hello, makes what it needs, and returns something with run(over), which floods until over(seconds) comes true and returns
what it did. attack.py runs it.
"""
import os
import pathlib
import select
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "wire"))
from client import EXTEND, NACK, PUBLISH, RESOLVE, Client, frame  # noqa: E402
from packing import Raw, encode  # noqa: E402

TOPIC = f"flooded-{os.getpid()}"
GROUPS = 16
FRAME_MESSAGES = 16384
MINUTE_MS = 60_000
STREAM_BYTES = 1 << 18  # of short frames, sent over and over
HELD, RECV_BYTES = 1000, 1 << 18
ERROR = (Raw(encode("Error")), Raw(encode("m" * 1024)), Raw(encode("s" * 16384)))
UNKNOWN_OPERATION, PATIENCE_MS = 99, 5


def connect(port, groups=1, **policy):
    client = Client(port, timeout=60.0)
    client.topic_create(TOPIC, [f"g{n}" for n in range(groups)], **policy)
    return client


class Stream:
    """The same bytes over and over, as fast as they are taken."""

    def __init__(self, client, frames):
        self.client, self.frames = client, memoryview(frames * (STREAM_BYTES // len(frames) + 1))

    def run(self, over):
        one, at, sent, answered, sink = self.client.socket, 0, 0, 0, bytearray(RECV_BYTES)
        one.setblocking(False)
        poll = select.poll()
        poll.register(one, select.POLLIN | select.POLLOUT)
        while not over():
            for _, events in poll.poll(PATIENCE_MS):
                if events & select.POLLIN:
                    size = one.recv_into(sink)
                    if not size:
                        raise SystemExit("the server ended the connection")
                    answered += size
                if events & select.POLLOUT:
                    size = one.send(self.frames[at:])
                    at = (at + size) % len(self.frames)
                    sent += size
        self.client.close()
        return f"{sent} bytes sent, {answered} answered"


class Nacks:
    """Every message that comes is given back at once, with as long an error as there may be."""

    def __init__(self, client):
        self.client = client
        self.subscription = client.subscribe(TOPIC, "g0", HELD)

    def run(self, over):
        sent, held, client = 0, self.subscription.held, self.client
        while not over():
            while not held:
                client.step()
            client.send(RESOLVE, self.subscription.sub, [[d.seq, d.token, NACK, 0, *ERROR] for d in held], id=0)
            sent += len(held)
            held.clear()
        client.close()
        return f"{sent} nacks sent"


def publishes(port, topic, messages, groups=1):
    return Stream(connect(port, groups), frame(PUBLISH, 9, topic, 0, 0, messages))


def timed_messages(port):
    return publishes(port, TOPIC, [[b"x", None, None, MINUTE_MS, MINUTE_MS]] * FRAME_MESSAGES)


def timed_messages_to_many_groups(port):
    return publishes(port, TOPIC, [[b"x", None, None, MINUTE_MS, MINUTE_MS]] * FRAME_MESSAGES, GROUPS)


def tiny_messages(port):
    return publishes(port, TOPIC, [[b"x"]] * FRAME_MESSAGES)


def single_messages(port):
    return publishes(port, TOPIC, [[b"x"]])


def unknown_topic(port):
    return publishes(port, "nowhere", [[b"x"]])


def unknown_operations(port):
    return Stream(connect(port), frame(UNKNOWN_OPERATION, 9))


def stale_answers(port):
    client = connect(port)
    sub = client.subscribe(TOPIC, "g0").sub
    return Stream(client, frame(RESOLVE, 9, sub, [[1, 1, 0]]))


def many_stale_answers(port):
    client = connect(port)
    sub = client.subscribe(TOPIC, "g0").sub
    return Stream(client, frame(RESOLVE, 9, sub, [[1, 1, 0]] * FRAME_MESSAGES))


def extends(port):
    client = connect(port)
    client.publish(TOPIC, *[b"x"] * HELD)
    subscription = client.subscribe(TOPIC, "g0", HELD)
    held = subscription.take(HELD)
    return Stream(client, b"".join(frame(RESOLVE, 9, subscription.sub, [[d.seq, d.token, EXTEND, MINUTE_MS]]) for d in held))


def large_nacks(port):
    client = connect(port, max_attempts=1000)
    client.publish(TOPIC, *[b"x"] * HELD)
    return Nacks(client)


KINDS = (timed_messages, timed_messages_to_many_groups, tiny_messages, single_messages, unknown_topic, unknown_operations, stale_answers,
         many_stale_answers, extends, large_nacks)
