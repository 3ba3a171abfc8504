#!/usr/bin/env python3
"""The disk fails: EIO, ENOSPC, short writes and delays at the n-th call of each kind, once or from then on (delays: of the
n-th, or of all); without a journal, and with one.

A server that cannot commit must end with its documented status and one line that says why; a delay must only delay. Afterwards the store is
in order, and the next server knows all that was confirmed, and nothing else. Then a disk that is really full.

SHUNT_CRASH_SECONDS bounds the sweep (rig.py has the default, 0 for every point); SHUNT_SEED shuffles the points.
"""
import os
import subprocess
import time
import unittest

from rig import PLANTS, PLANTS_IN_HISTORY, SECONDS, Place, Workload, aftermath, count_calls, harness, injection, live, preload, strace_unavailable, sweep, wire
from private_mount import PrivateMount

ROUNDS = 6
CALLS = ("pwrite64", "pwritev", "writev", "fdatasync", "fsync", "fallocate", "ftruncate", "rename", "mkdir")
ERRORS = ("error=EIO", "error=ENOSPC")
SHORT = {"pwrite64": "retval=100", "writev": "retval=4096"}  # nothing is written, and part of it is said to be
DELAY = "delay_enter=20000"  # us
IO_FAILED, NO_SPACE = 74, 79
# Setting space aside ahead of time is a precaution: a server goes on without it, and may refuse to publish.
MAY_FAIL = {"fallocate"}
# With a journal, what fails in the store behind it is noticed when the next commit comes, if one does.
OF_JOURNAL = {"pwritev"}
ROOM_BEHIND = "error=ENOSPC"  # a full disk may be where the file is made longer, which it then is not
FRAMES_LATER = 200  # so many commits later at most
POINTS_MIN = 20
NEVER = 60000  # no run makes so many calls


class DiskFaults(unittest.TestCase):
    def setUp(self):
        if why := strace_unavailable():
            self.skipTest(why)
        self.ended = self.delayed = 0

    def points(self):
        for journal in (False, True):
            with Place(journal) as place:
                counts = count_calls(place, CALLS, ROUNDS, Workload(), place.paths())
            self.assertGreater(min(counts[call] for call in ("pwrite64", "fdatasync", "fsync", *(["pwritev"] if journal else []))), 0, counts)
            for call, count in counts.items():
                faults = [*ERRORS, DELAY] + ([SHORT[call]] if call in SHORT else [])
                for n in range(1, count + 1):
                    yield from ((call, fault, f"{n}{more}", journal) for fault in faults for more in ("", "+") if not (fault == DELAY and more and n > 1))

    def visit(self, point, environment=lambda place: None, plant=None, history_only=False):
        call, fault, when, journal = point
        with Place(journal) as place:
            workload, trace = Workload(), place.directory / "trace"
            trace.touch()
            server = place.server(injection(call, fault, when, place.paths(), trace), environment(place), plant)
            try:
                server.start()
                status = self.live(server, workload, call)
                must_end = fault != DELAY and call not in MAY_FAIL and (not journal or (call in OF_JOURNAL and fault != ROOM_BEHIND))
                if status is None and must_end and "INJECTED" in trace.read_text():
                    # The journal's file is made longer behind: that it failed shows at one of the next commits.
                    status = live(server, workload, FRAMES_LATER, run=workload.more)
                if status is None:
                    self.assertEqual(server.stop(), 0, server.log_text())
            finally:
                server.remove()
            hit = "INJECTED" in trace.read_text() or "DELAYED" in trace.read_text()
            if hit and status is not None:
                self.check_end(server, status)
                self.ended += 1
            self.assertTrue(hit or status is None, server.log_text())
            if fault == DELAY:
                self.assertIsNone(status, server.log_text())
                self.delayed += hit
            elif hit and must_end:
                self.assertIsNotNone(status, f"it went on after a failed {call}\n" + server.log_text())
            aftermath(place, workload, history_only)

    def live(self, server, workload, call):
        try:
            return live(server, workload, ROUNDS)
        except AssertionError as error:
            if call in MAY_FAIL and "NO_SPACE" in str(error):
                return None  # so are publishing and making topics without it
            raise

    def check_end(self, server, status):
        last = server.lines("fatal") + server.lines("cannot_start")
        self.assertEqual(len(last), 1, server.log_text())
        self.assertIn("level=error", last[0])
        allowed = (IO_FAILED,) if "event=fatal" in last[0] else (IO_FAILED, NO_SPACE)
        self.assertIn(status, allowed, server.log_text())

    def test_a_server_that_cannot_commit_says_so_and_ends(self):
        self.sweep(list(self.points()))

    def sweep(self, points):
        visited = sweep(points, self.visit, SECONDS)
        print(f"{visited} of {len(points)} points: {self.ended} ends, {self.delayed} runs delayed")
        self.assertGreaterEqual(self.ended, max(1, min(POINTS_MIN, visited // 3)), "too few ended")
        self.assertGreater(self.delayed, 0, "none was delayed")

    def test_a_sweep_that_saw_too_little_fails(self):
        with self.assertRaisesRegex(AssertionError, "too few ended"):
            self.sweep([("fdatasync", "error=EIO", NEVER, False)])
        with self.assertRaisesRegex(AssertionError, "none was delayed"):
            self.sweep([("fdatasync", "error=EIO", "5", False)])

    @unittest.skipIf(os.environ.get("SANITIZED"), "it is about the test")
    def test_planted_bugs_are_caught(self):
        for history_only, plants in ((False, PLANTS), (True, PLANTS_IN_HISTORY)):
            for plant, said in plants.items():
                with self.subTest(plant, history_only=history_only), self.assertRaisesRegex(AssertionError, f"(?s){said}"):
                    for n in range(20, 40):
                        self.visit(("fdatasync", "error=EIO", n, False), plant=plant, history_only=history_only)

    def test_a_server_that_does_not_hear_of_it_is_caught(self):
        def deaf(place):
            return {**preload("record.so"), "RECORD_LOG": place.directory / "log", "RECORD_ROOT": place.directory, "RECORD_PLANT": "deaf"}

        with self.assertRaisesRegex(AssertionError, "it went on after a failed fdatasync"):
            self.visit(("fdatasync", "error=EIO", "5", False), deaf)


class FullDisk(unittest.TestCase):
    """Another program fills the disk of a server that runs."""

    BODY = bytes(100_000)
    MESSAGES = 10  # of a frame

    def fill(self, client):
        """Publish until it is refused; returns how many were accepted."""
        accepted = 0
        for _ in range(1000):
            try:
                accepted += client.publish("t", *[self.BODY] * self.MESSAGES).accepted
            except wire.ShuntError as error:
                self.assertEqual(error.name, "NO_SPACE")
                return accepted
        raise AssertionError("a full disk took a gigabyte")

    def drain(self, client, count):
        subscription = client.subscribe("t", messages=64, bytes=1 << 26)
        for _ in range(count):
            delivery = subscription.next()
            self.assertEqual(bytes(delivery.message.body), self.BODY)
            self.assertEqual(subscription.ack(delivery), {})
        subscription.unsubscribe()

    def test_only_publishing_is_refused_and_it_comes_back(self):
        with Place() as place:
            place.settings.write_text("resume-wait: 1ms\nmap-size: 1GiB\nmap-size-max: 1GiB\n")
            mount = PrivateMount(place.directory, "mount -t tmpfs -o size=250m none \"$1\"")
            self.addCleanup(mount.close)
            if mount.unavailable:
                self.skipTest(mount.unavailable)
            (mount.inside / "conf").write_text(place.settings.read_text())
            with harness.Server(data=place.data, options=["--config", place.settings, "--http", "off"], wrapper=mount.prefix) as server:
                with wire.connect(server) as client:
                    client.topic_create("t")
                    client.publish("t", self.BODY)
                    with open(mount.inside / "other", "wb") as other, self.assertRaises(OSError):
                        while True:
                            other.write(bytes(1 << 20))
                            other.flush()
                    accepted = 1 + self.fill(client)
                    with self.assertRaisesRegex(wire.ShuntError, "NO_SPACE.*the disk is nearly full"):
                        client.topic_create("made-when-full")
                    self.drain(client, accepted)
                    os.unlink(mount.inside / "other")
                    self.wait_for_room(client)
                    self.assertGreater(self.fill(client), accepted)
                self.assertEqual(server.lines("fatal") if hasattr(server, "lines") else [], [])
            done = subprocess.run([*mount.prefix, harness.SHUNTD, "--check", place.data], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def wait_for_room(self, client):
        """It is noticed while nothing is committed."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return client.topic_create("made-with-room")
            except wire.ShuntError as error:
                self.assertEqual(error.name, "NO_SPACE")
                self.assertLess(time.monotonic(), deadline, "nobody asked the disk again")


if __name__ == "__main__":
    harness.main()
