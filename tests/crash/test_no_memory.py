#!/usr/bin/env python3
"""The n-th allocation fails, once or from then on; and there are few descriptors. A server goes on, or ends with its documented status and one
line; it never dies of a signal. Afterwards the store is in order, and the next server knows all that was confirmed, and nothing else.

SHUNT_CRASH_SECONDS bounds the sweep (rig.py has the default, 0 for every point); SHUNT_SEED shuffles the points.
"""
import os
import unittest

from rig import SECONDS, Place, Workload, aftermath, harness, live, preload, sweep, wire

ROUNDS = 3
# As shuntd(8) has them: no memory; in doubt about a commit; or, when not even the settings can be read, 78.
ENDS = {71, 74, 78}
LIBUV_GAVE_UP = -6  # it calls abort() where its table of descriptors cannot grow, and where making its loop fails half-way
READ_BYTES, READ_ALLOCATIONS_MAX = 256 << 10, 12  # what sockets are read into, and how many so large there are until then
POINTS_MIN = 10
NEVER = 1 << 40  # no run allocates so often
DESCRIPTORS = range(6, 40)  # with fewer, libuv itself calls abort()


class NoMemory(unittest.TestCase):
    def setUp(self):
        if os.environ.get("SANITIZED"):
            self.skipTest("the sanitizer has an allocator of its own")
        self.outcomes = {}

    def run_once(self, at, lasting, **more):
        """Returns the status (None: it lived), whether an allocation was refused, and how many there were (of none refused)."""
        with Place() as place:
            count = place.directory / "count"
            environment = {**preload("no_memory.so"), "NO_MEMORY_COUNT": count, "NO_MEMORY_AT": at, **more}
            if lasting:
                environment["NO_MEMORY_LASTING"] = 1
            server, workload = place.server(environment=environment), Workload()
            try:
                server.start()
                try:
                    status = live(server, workload, ROUNDS, 0.5)
                except AssertionError:
                    if not count.exists():
                        raise
                    status = server.process.poll()  # a connection may be turned away for want of memory
                if status is None:
                    status = server.stop() or None
            finally:
                server.remove()
                self.log = server.log_text()
            refused = count.exists() and not count.read_text()
            if status is not None:
                self.assertTrue(refused, server.log_text())
                if status == LIBUV_GAVE_UP:
                    aftermath(place, workload)
                    return status, True, 0
                self.assertIn(status, ENDS, server.log_text())
                self.assertGreaterEqual(len([line for line in server.log if line.strip()]), 1, "it ended without a word")
            aftermath(place, workload)
            return status, refused, 0 if refused else int(count.read_text())

    def visit(self, point):
        status, _, _ = self.run_once(*point)
        self.outcomes[status] = self.outcomes.get(status, 0) + 1

    def test_an_allocation_that_fails(self):
        _, _, allocations = self.run_once(0, False)
        self.sweep([(n, lasting) for n in range(1, allocations + 1) for lasting in (False, True)])

    def sweep(self, points):
        visited = sweep(points, self.visit, SECONDS)
        print(f"{visited} of {len(points)} points: {self.outcomes}")
        self.assertGreaterEqual(visited, POINTS_MIN, "too few were visited")
        ended = sum(n for status, n in self.outcomes.items() if status is not None)
        self.assertGreaterEqual(ended, min(POINTS_MIN, visited // 4), "too few ended")

    def test_a_sweep_that_saw_too_little_fails(self):
        with self.assertRaisesRegex(AssertionError, "too few were visited"):
            self.sweep([(1, False)])
        with self.assertRaisesRegex(AssertionError, "too few ended"):
            self.sweep([(NEVER, False)] * POINTS_MIN)

    def test_no_memory_to_read_into(self):
        """It once ended the server: libuv was left to call what closing the connection had taken away."""
        lived = 0
        for at in range(1, READ_ALLOCATIONS_MAX):
            status, refused, _ = self.run_once(at, False, NO_MEMORY_LEAST=READ_BYTES)
            lived += refused and status is None and "no memory to read into" in self.log
        self.assertGreater(lived, 0)

    def test_a_server_that_uses_what_it_did_not_get_is_caught(self):
        with self.assertRaisesRegex(AssertionError, "-11 not found"):
            self.run_once(300, False, NO_MEMORY_CRASH=1)


class FewDescriptors(unittest.TestCase):
    def test_a_start_with_few_descriptors_succeeds_or_says_why_not(self):
        refused = served = 0
        for number in DESCRIPTORS:
            with Place() as place:
                server = place.server(["prlimit", f"--nofile={number}"])
                try:
                    server.start()
                    if server.started:
                        self.assertEqual(len(server.lines("few_descriptors")), 1, server.log_text())
                        served += self.serves(server)
                        self.assertEqual(server.stop(), 0, server.log_text())
                    else:
                        refused += 1
                        self.assertIn(server.process.returncode, {71, 74}, server.log_text())
                        self.assertEqual(len(server.lines("cannot_start")), 1, server.log_text())
                finally:
                    server.remove()
                place.check()
        self.assertGreater(served, 0)
        self.assertGreater(refused, 0)

    def serves(self, server):
        """Whether there was a descriptor left for a client."""
        try:
            with wire.connect(server) as client:
                client.ping()
            return True
        except (wire.Disconnected, ConnectionError):
            return False


if __name__ == "__main__":
    harness.main()
