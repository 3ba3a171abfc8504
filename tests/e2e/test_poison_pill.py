"""The poison pill: one message kills every worker that touches it, and it alone ends in the dead-letter queue.

Workers are real processes that die of a null write, or hang until they are killed, with up to 100 messages in hand; a loop starts
each again. What came out is judged by Outcome.faults(), which has tests of its own.
"""
import collections
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import threading
import unittest

import harness
import wire

HERE = pathlib.Path(__file__).resolve().parent
MESSAGES = 1000
PREFETCH = 100
TRIES = 10
MAX_ATTEMPTS = 5
RUN_SECONDS_MAX = 120
DEATHS_MAX = 200  # where a rig that goes round for ever stops

# A pill that kills beside others is found out by the first death, and charged by each one after it: with marks and without.
BOUND = MAX_ATTEMPTS + 1


@dataclasses.dataclass
class Outcome:
    deaths: int
    states: dict  # of the group
    dead: list  # (seq, reason, attempts)
    handled: list  # (what, seq, attempts, deliveries), as the workers logged it
    errors: list  # what went wrong in the rig

    def faults(self, pills, deaths_max, messages=MESSAGES):
        """What is not as promised; `pills` are the only messages that may have died."""
        found = list(self.errors)
        if sorted(seq for seq, _, _ in self.dead) != sorted(pills):
            found.append(f"dead are {[row[0] for row in self.dead][:20]}, and should be {sorted(pills)}")
        found += [f"{seq} died of {reason} after {attempts} attempts" for seq, reason, attempts in self.dead
                  if (reason, attempts) != ("max_attempts", MAX_ATTEMPTS)]
        if self.states != {"dead": len(pills), "acked": messages - len(pills)}:
            found.append(f"the group ends as {self.states}")
        charged = sorted({seq for what, seq, attempts, _ in self.handled if seq not in pills and attempts > 0})
        if charged:
            found.append(f"innocents were charged: {charged[:20]}")
        finished = {seq for what, seq, *_ in self.handled if what == "ack"}
        if finished != set(range(1, messages + 1)) - set(pills):
            found.append(f"{len(finished)} messages were handled to their end")
        if not 0 < self.deaths <= deaths_max:
            found.append(f"{self.deaths} deaths, at most {deaths_max} allowed")
        return found


class Rig:
    """A topic full of messages, some of which are poison, and workers that are started again whenever they die."""

    def __init__(self, server, topic, bodies):
        self.server, self.topic = server, topic
        self.log = server.directory / (topic + ".log")
        self.log.touch()
        self.client = wire.connect(server)
        self.client.topic_create(topic, max_attempts=MAX_ATTEMPTS, backoff_min_ms=10, backoff_max_ms=50)
        wire.publish_all(self.client, topic, bodies)
        self.deaths, self.errors = 0, []
        self.seen = 0  # lines of the log that were looked at for workers that hang
        self.lock = threading.Lock()
        self.running = {}  # pid -> process

    def c_worker(self, marks):
        return [os.path.join(harness.BUILD_DIR, "tests", "e2e", "poison_worker"), self.topic, self.log, marks, str(PREFETCH)]

    def python_worker(self):
        return [sys.executable, HERE / "unmarked_worker.py", self.server.url, self.topic, self.log, str(PREFETCH)]

    def run(self, command, workers=1):
        """Until every worker has found the group drained."""
        # A sanitizer must not turn the crash into an exit of its own.
        environment = {**self.server.environment(), "ASAN_OPTIONS": "handle_segv=0:detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=0"}
        threads = [threading.Thread(target=self._keep_alive, args=(command, environment)) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            wire.until(lambda: self._kill_those_that_hang() or not any(thread.is_alive() for thread in threads), RUN_SECONDS_MAX,
                       lambda: f"still not drained after {self.deaths} deaths: {wire.states(self.client, self.topic)}")
        finally:
            with self.lock:
                self.errors.append("stopped")
                for process in self.running.values():
                    process.kill()
            for thread in threads:
                thread.join()
            self.errors.remove("stopped")
        return self._outcome()

    def _keep_alive(self, command, environment):
        while True:
            with self.lock:
                if self.errors:
                    return
                process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                self.running[process.pid] = process
            status = process.wait()
            with self.lock:
                del self.running[process.pid]
                if status == 0:
                    return
                self.deaths += 1
                if status not in (-signal.SIGSEGV, -signal.SIGKILL):
                    self.errors.append(f"a worker ended with {status}")
                if self.deaths >= DEATHS_MAX:
                    self.errors.append(f"{self.deaths} deaths")

    def _kill_those_that_hang(self):
        lines = self._lines()
        for what, _, _, _, pid in lines[self.seen :]:
            with self.lock:
                if what == "hang" and pid in self.running:
                    self.running[pid].kill()
        self.seen = len(lines)

    def _lines(self):
        whole = self.log.read_text(encoding="utf-8").rpartition("\n")[0]
        return [(what, *map(int, numbers)) for what, *numbers in map(str.split, whole.splitlines())]

    def _outcome(self):
        dead = [(int(row["origin"].rsplit("/", 1)[1]), row["reason"], row["attempts"]) for row in wire.dead_letters(self.client, self.topic)]
        return Outcome(self.deaths, wire.states(self.client, self.topic), dead, [line[:4] for line in self._lines()], self.errors)


def bodies(**tricks):
    """1,000 bodies; `poison=417` makes that sequence number a pill."""
    at = {seq: trick for trick, seqs in tricks.items() for seq in (seqs if isinstance(seqs, tuple) else (seqs,))}
    return [f"{at.get(seq, 'message')} {seq}".encode() for seq in range(1, MESSAGES + 1)]


class PoisonPill(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(harness.Server())

    def rig(self, topic=None, **tricks):
        rig = Rig(self.server, topic or self.id().rsplit(".", 1)[1], bodies(**tricks))
        self.addCleanup(rig.client.close)
        return rig

    def judge(self, outcome, pills, deaths_max):
        self.assertEqual(outcome.faults(pills, deaths_max), [], f"after {outcome.deaths} deaths")
        print(f"{outcome.deaths} deaths, at most {deaths_max} allowed ... ", end="", flush=True)

    def test_one_pill_among_a_thousand(self):
        in_hand = []
        for number in range(TRIES):  # how much the worker holds when it dies is a matter of timing
            rig = self.rig(f"one-pill-{number}", poison=417)
            outcome = rig.run(rig.c_worker("yes"))
            self.judge(outcome, {417}, BOUND)
            in_hand.append(len({seq for what, seq, _, deliveries in outcome.handled if what == "ack" and deliveries > 1}))
            if in_hand[-1] > PREFETCH // 2:
                return
        self.fail(f"the worker died with too few others in hand to prove anything: {in_hand}")

    def test_the_first_and_the_last_message_may_be_the_pill(self):
        for seq in (1, MESSAGES):
            with self.subTest(seq=seq):
                rig = self.rig(f"pill-at-{seq}", poison=seq)
                self.judge(rig.run(rig.c_worker("yes")), {seq}, BOUND)

    def test_without_marks(self):
        rig = self.rig(poison=417)
        self.judge(rig.run(rig.c_worker("no")), {417}, BOUND)

    def test_without_marks_and_without_our_library(self):
        rig = self.rig(poison=417)
        self.judge(rig.run(rig.python_worker()), {417}, BOUND)

    def test_two_pills_next_to_each_other(self):
        rig = self.rig(poison=(500, 501))
        self.judge(rig.run(rig.c_worker("yes")), {500, 501}, 2 * BOUND)

    def test_two_pills_without_marks(self):
        rig = self.rig(poison=(500, 560))
        self.judge(rig.run(rig.c_worker("no")), {500, 560}, 2 * BOUND)

    def test_several_workers(self):
        rig = self.rig(poison=417)
        self.judge(rig.run(rig.c_worker("yes"), workers=4), {417}, BOUND)

    def test_several_workers_and_pills_without_marks(self):
        rig = self.rig(poison=(10, 417, 418))
        self.judge(rig.run(rig.c_worker("no"), workers=3), {10, 417, 418}, 3 * BOUND)

    def test_a_pill_on_which_workers_hang_until_they_are_killed(self):
        rig = self.rig(hang=417)
        self.judge(rig.run(rig.c_worker("yes")), {417}, BOUND)

    def test_the_rig_sees_an_innocent_that_was_charged(self):
        rig = self.rig(poison=417, clumsy=600)
        faults = rig.run(rig.c_worker("yes")).faults({417}, BOUND)
        self.assertEqual(len([fault for fault in faults if "innocents were charged: [600]" in fault]), 1, faults)


class Judge(unittest.TestCase):
    """The rig's negative control: a good outcome passes, and each way of being bad is told."""

    GOOD = Outcome(deaths=3, states={"dead": 1, "acked": 4}, dead=[(2, "max_attempts", MAX_ATTEMPTS)],
                   handled=[("ack", 1, 0, 1), ("poison", 2, 0, 1), ("poison", 2, 1, 2), ("ack", 3, 0, 2), ("ack", 4, 0, 1), ("ack", 5, 0, 1)], errors=[])

    def faults(self, **change):
        return dataclasses.replace(self.GOOD, **change).faults({2}, 6, messages=5)

    def test_a_good_outcome_passes(self):
        self.assertEqual(self.faults(), [])

    def test_each_falsification_is_told(self):
        falsified = collections.OrderedDict(
            another_died=dict(dead=self.GOOD.dead + [(3, "max_attempts", MAX_ATTEMPTS)]),
            the_pill_lives=dict(dead=[]),
            another_reason=dict(dead=[(2, "rejected", MAX_ATTEMPTS)]),
            too_few_attempts=dict(dead=[(2, "max_attempts", MAX_ATTEMPTS - 1)]),
            one_is_left=dict(states={"dead": 1, "acked": 3, "ready": 1}),
            one_is_charged=dict(handled=self.GOOD.handled + [("ack", 4, 1, 2)]),
            one_is_not_handled=dict(handled=self.GOOD.handled[:-1]),
            nobody_died=dict(deaths=0),
            too_many_deaths=dict(deaths=7),
            a_worker_failed=dict(errors=["a worker ended with 1"]),
        )
        for what, change in falsified.items():
            with self.subTest(what):
                self.assertNotEqual(self.faults(**change), [])


if __name__ == "__main__":
    harness.main()
