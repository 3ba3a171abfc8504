#!/usr/bin/env python3
"""shuntd dies by SIGKILL at its n-th system call of a kind, for one kind and n after another: at first start, and on a store that is
there; without a journal, and with one. After each death `shuntd --check` finds nothing wrong, the next server knows all that was confirmed, and nothing else, and the
history of all that clients saw can be true. Servers with a planted bug (plant.c) are caught, by the account and by the history alone.

SHUNT_CRASH_SECONDS bounds each sweep (rig.py has the default, 0 for every point); SHUNT_SEED shuffles the points.
"""
import os
import unittest

from rig import PLANTS, PLANTS_IN_HISTORY, SECONDS, Place, Workload, aftermath, count_calls, harness, injection, live, strace_unavailable, sweep

ROUNDS = 8
CALLS = ("pwrite64", "pwritev", "writev", "fdatasync", "write", "fsync", "rename", "mkdir", "unlink", "rmdir", "fallocate", "ftruncate")
POINTS_MIN = 20  # fewer would prove little
PLANTED_SECONDS = 60  # of a sweep that ends with the first death that shows the bug
NEVER = 60000  # no run makes so many calls


class Kept(Workload):
    """Goes on where another run ended."""

    def __init__(self, rounds_before, place):
        super().__init__()
        with place.server() as server:
            self.run(server.port, rounds_before)
            self.take_over(server.port)

    def create(self, topic):
        if topic not in self.topics:
            super().create(topic)

    def run(self, port, rounds, address="127.0.0.1"):
        self.subscription = None
        super().run(port, rounds, address)


class Gullible(Workload):
    """The negative control: takes the sending of a request for its confirmation, as a client of a server that confirms first would."""

    def step(self, changes, call):
        for key, state in changes.items():
            self.possible[key] = [state]
        self.confirmed += 1
        return call()


class KillSyscall(unittest.TestCase):
    def setUp(self):
        if why := strace_unavailable():
            self.skipTest(why)

    def points(self, new_place, new_workload):
        for journal in (False, True):
            with new_place(journal) as place:
                counts = count_calls(place, CALLS, ROUNDS, new_workload(place))
            for call in ("pwrite64", "fdatasync", "write", *(["pwritev"] if journal else [])):
                self.assertGreater(counts[call], 0, counts)
            yield from ((call, n, journal) for call in CALLS for n in range(1, counts[call] + 1))

    def sweep(self, new_place, new_workload, seconds=SECONDS, points=None, plant=None, history_only=False):
        killed = []

        def visit(point):
            call, n, journal = point
            with new_place(journal) as place:
                workload = new_workload(place)
                before = workload.confirmed
                with_kill = place.server(injection(call, "signal=SIGKILL", n), plant=plant)
                try:
                    with_kill.start()
                    status = live(with_kill, workload, ROUNDS)
                finally:
                    with_kill.remove()
                if status is not None:
                    self.assertEqual(status, -9, with_kill.log_text())
                    killed.append((call, workload.confirmed - before))
                aftermath(place, workload, history_only)

        points = points or list(self.points(new_place, new_workload))
        visited = sweep(points, visit, seconds)
        print(f"{visited} of {len(points)} points, {len(killed)} kills, {sum(n for _, n in killed)} requests confirmed before them")
        self.assertGreaterEqual(len(killed), max(1, min(POINTS_MIN, visited // 2)), "too few were killed")
        self.assertGreater(sum(n for _, n in killed), len(killed), "too little was confirmed")

    def test_at_first_start(self):
        self.sweep(Place, lambda place: Workload())

    def test_on_a_store_that_is_there(self):
        with Place() as without, Place(journal=True) as model:
            models = without, model
            before = [Kept(ROUNDS, place) for place in models]

            def new_place(journal):
                place = Place(journal)
                place.copy_from(models[journal])
                return place

            def new_workload(place):
                workload = Kept.__new__(Kept)
                workload.__dict__.update({name: value.copy() if hasattr(value, "copy") else value for name, value in vars(before[place.journal]).items()})
                return workload

            self.sweep(new_place, new_workload)

    def test_a_server_that_confirms_too_early_is_caught(self):
        with self.assertRaisesRegex(AssertionError, "must be one of|no store after|is gone"):
            self.sweep(Place, lambda place: Gullible(), 30)

    @unittest.skipIf(os.environ.get("SANITIZED"), "it is about the test")
    def test_planted_bugs_are_caught(self):
        for plant, said in PLANTS.items():
            with self.subTest(plant), self.assertRaisesRegex(AssertionError, said):
                self.sweep(Place, lambda place: Workload(), PLANTED_SECONDS, self.middle(), plant)

    @unittest.skipIf(os.environ.get("SANITIZED"), "it is about the test")
    def test_planted_bugs_are_caught_by_the_history_alone(self):
        for plant, said in PLANTS_IN_HISTORY.items():
            with self.subTest(plant), self.assertRaisesRegex(AssertionError, f"(?s)the history cannot be true.*({said})"):
                self.sweep(Place, lambda place: Workload(), PLANTED_SECONDS, self.middle(), plant, True)

    def middle(self):
        """Points at which a server has served for a while."""
        return [("fdatasync", n, False) for n in range(20, 50)]

    def test_a_sweep_that_saw_too_little_fails(self):
        with self.assertRaisesRegex(AssertionError, "too few were killed"):
            self.sweep(Place, lambda place: Workload(), points=[("fdatasync", NEVER, True)])
        with self.assertRaisesRegex(AssertionError, "too little was confirmed"):
            self.sweep(Place, lambda place: Workload(), points=[("fdatasync", 1, False)])


if __name__ == "__main__":
    harness.main()
