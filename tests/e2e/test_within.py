#!/usr/bin/env python3
"""A disk stalls; what is asked meanwhile, and given up by its callers, is not carried out when it is well again."""
import ctypes
import json
import mmap
import os
import pathlib
import struct
import sys
import tempfile
import time
import unittest
import urllib.request

import harness
import wire

sys.path.insert(0, str(harness.SOURCE_ROOT / "python"))
import shunt  # noqa: E402

STALL_S = 3.0
PATIENCE_MS = 100  # of a caller: so much shorter than the stall that a slow machine does not matter
BURST = 20
TRIES = 5  # to have asked all before the stall is over, on a machine that is very busy


class Disk:
    """A disk under bench/disk_model.c, whose flushes take no time but when it is told to stall."""

    LIBRARY = os.path.join(harness.BUILD_DIR, "bench", "shunt-disk-model.so")
    HEAD = struct.Struct("@IQQQ")  # magic, device, ns of a flush, bytes per second
    MAGIC, FILES = 0x6D646973, 16384
    FLUSH_NS_AT, IDLE_NS_AT, FLUSHES_AT = 16, 32, 48

    def __init__(self, directory):
        self.path = directory / "disk"
        self.path.write_bytes(self.HEAD.pack(self.MAGIC, os.stat(directory).st_dev, 0, 1 << 40) + bytes(48 + 16 * self.FILES))
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)

    def environment(self):
        return {**os.environ, "LD_PRELOAD": self.LIBRARY, "SHUNT_DISK_MODEL": str(self.path)}

    def word(self, at):
        return ctypes.c_uint64.from_buffer(self.memory, at)

    def flushes(self):
        return self.word(self.FLUSHES_AT).value

    def stall(self, publish):
        """Let the flush of what `publish` asks for take long; returns when it has begun."""
        before = self.flushes()
        self.word(self.FLUSH_NS_AT).value = int(STALL_S * 1e9)
        publish()
        wire.until(lambda: self.flushes() > before)
        self.word(self.FLUSH_NS_AT).value = 0  # for those that come behind it

    def is_stalled(self, left_ms=0):
        """For so long still, at least."""
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) + left_ms * 1000000 < self.word(self.IDLE_NS_AT).value


class Server(harness.Server):
    def __init__(self, disk, settings):
        super().__init__(settings=settings)
        self.disk = disk

    def launch(self, command, listens, **more):
        return super().launch(command, listens, env=self.disk.environment(), **more)


@unittest.skipIf(os.environ.get("SANITIZED"), "a preloaded library does not go with a sanitizer")
class Within(unittest.TestCase):
    def begin(self, settings):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="within-")))
        self.disk = Disk(self.directory)
        self.server = self.enterContext(Server(self.disk, settings))
        self.asker = self.connect()
        self.asker.topic_create("t")

    def connect(self):
        client = wire.connect(self.server, features=["within"])
        self.addCleanup(client.close)
        return client

    def ask(self, op, *fields, timeout_ms=None):
        """From a connection of its own; returns that and the request's id."""
        client = self.connect()
        return client, lambda: client.send(wire.WITHIN, timeout_ms, op, *fields) if timeout_ms is not None else client.send(op, *fields)

    def publish(self, body, timeout_ms=None):
        return self.ask(wire.PUBLISH, "t", 0, 0, [[body]], timeout_ms=timeout_ms)

    def stalled(self, requests, more=lambda: None):
        """Send the requests while the disk stalls; returns for each its answer, or the name of its error."""
        for _ in range(TRIES):
            self.disk.stall(lambda: self.asker.send(wire.PUBLISH, "t", 0, 0, [[b"slow"]]))
            sent = [(client, send()) for client, send in requests]
            more()
            if self.disk.is_stalled():
                return [self.answer(client, id) for client, id in sent]
            for client, id in sent:
                self.answer(client, id)
            self.asker.topic_purge("t")
        self.fail("the machine was too slow to ask so much while the disk stalled")

    def answer(self, client, id):
        try:
            return client.reply(id)
        except wire.ShuntError as error:
            return error.name

    def metric(self):
        with urllib.request.urlopen(f"{self.server.http}/metrics", timeout=60) as page:
            lines = page.read().decode().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("shunt_requests_expired_total "))

    def check_burst(self, settings):
        self.begin(settings)
        impatient = [self.publish(b"late", PATIENCE_MS) for _ in range(BURST)]
        looks = [self.ask(wire.TOPIC_LIST, timeout_ms=PATIENCE_MS) for _ in range(BURST)]
        patient = [self.publish(b"patient", 600000) for _ in range(3)]
        unlimited = [self.publish(b"unlimited") for _ in range(3)]
        answers = self.stalled([*impatient, *looks, *patient, *unlimited])
        self.assertEqual(answers[: 2 * BURST], ["DEADLINE_EXCEEDED"] * 2 * BURST)
        self.assertEqual([answer[0] for answer in answers[2 * BURST :]], [1] * 6, "who waits is served")
        self.assertEqual(wire.states(self.asker, "t"), {"ready": 1 + 6})
        self.assertEqual(self.asker.stats()["requests_expired"], 2 * BURST)
        self.assertEqual(self.metric(), 2 * BURST)
        stats = json.loads(self.server.shunt("stats", "-o", "json").stdout)
        self.assertEqual(stats["requests_expired"], 2 * BURST)

    def test_what_was_given_up_is_not_carried_out(self):
        self.check_burst("")

    def test_nor_is_it_without_a_journal(self):
        self.check_burst("journal: off\n")

    def test_without_time_outs_all_of_it_is(self):
        self.begin("")
        answers = self.stalled([self.publish(b"late") for _ in range(BURST)])
        self.assertEqual([answer[0] for answer in answers], [1] * BURST)
        self.assertEqual(wire.states(self.asker, "t"), {"ready": 1 + BURST})
        self.assertEqual(self.asker.stats()["requests_expired"], 0)

    def call(self, method, path, body=None, timeout_ms=None):
        """Send a call over HTTP, on a connection of its own; returns that."""
        client = self.server.http_client()
        self.addCleanup(client.close)
        headers = {"Content-Type": "application/json"}
        if timeout_ms is not None:
            headers["X-Shunt-Timeout-Ms"] = str(timeout_ms)
        client.request(method, path, json.dumps(body) if body else None, headers)
        return client

    def read(self, client):
        answer = client.getresponse()
        return answer.status, json.load(answer)

    def calls_are_read(self):
        """What was sent before: one thread reads all calls, and this one, which needs no engine, was sent later. Once more, as that
        thread looks at what came at the same time in any order."""
        for _ in range(2):
            self.assertEqual(self.read(self.call("GET", "/api/v1"))[0], 200)

    def test_so_does_who_calls_over_http(self):
        self.begin("")
        path = "/api/v1/topics/t/messages"
        for _ in range(TRIES):
            self.asker.topic_purge("t")
            before = self.asker.stats()["requests_expired"]
            self.disk.stall(lambda: self.asker.send(wire.PUBLISH, "t", 0, 0, [[b"slow"]]))
            late = [self.call("POST", path, {"body": "late"}, PATIENCE_MS) for _ in range(4)]
            late += [self.call("GET", "/api/v1/topics", timeout_ms=PATIENCE_MS) for _ in range(4)]
            patient = [self.call("POST", path, {"body": "patient"}, 60000), self.call("POST", path, {"body": "unlimited"})]
            self.calls_are_read()
            in_time = self.disk.is_stalled(PATIENCE_MS)
            answers = [self.read(client) for client in late]
            served = [self.read(client)[0] for client in patient]
            if in_time:
                break
        else:
            self.fail("the machine was too slow to call so much while the disk stalled")
        for status, answer in answers:
            self.assertEqual((status, answer.get("code"), answer.get("retry")), (504, "DEADLINE_EXCEEDED", True), answer)
        self.assertEqual(served, [201, 201])
        self.assertEqual(wire.states(self.asker, "t"), {"ready": 3}, "the slow one, and those of who waited")
        self.assertEqual(self.asker.stats()["requests_expired"] - before, len(late))

    def test_the_python_client_says_how_long_it_waits(self):
        self.begin("")
        client = shunt.connect(self.server.url, timeout=60)
        self.addCleanup(client.close)
        client.publish("t", "early")
        caught = []

        def give_up():
            try:
                client.publish("t", "late", timeout=PATIENCE_MS / 1000)
            except (shunt.Timeout, shunt.DeadlineExceeded) as error:
                caught.append(error)

        self.stalled([], give_up)
        self.assertEqual(len(caught), 1)
        client.publish("t", "again")  # behind it, on the same connection
        self.assertEqual(wire.states(self.asker, "t"), {"ready": 3}, "the early one, the slow one, and this one")
        self.assertEqual(self.asker.stats()["requests_expired"], 1)


if __name__ == "__main__":
    harness.main()
