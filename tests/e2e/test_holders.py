"""Consumers compete for one group's messages under short leases, die, and answer late; the broker is killed, too: a message has one holder at
a time, and a token that is no longer good has no effect. shunt-history judges all that they saw. Two planted bugs (tests/crash/plant_lease.c)
must be found by it; what they leave on disk is in order.
"""
import os
import time
import unittest

import harness
import holders
import test_kill_broker

KILLS = 4 if os.environ.get("SANITIZED") else 8
SEED = int(os.environ.get("SHUNT_SEED", "1"))
ENOUGH_SECONDS_MAX = 60
# To go on for until it was seen so often.
ENOUGH = {"deliveries": 100 * KILLS, "came to another": 100, "kept until it did": 30, "late ack": 8, "late nack": 8, "late reject": 8, "late release": 8, "late extend": 8,
          "former ack": 1, "former nack": 1, "former reject": 1, "former release": 1, "former extend": 1, "killed with messages in hand": 10,
          "holders at once": 4}
# What is said of a bug, and by which of the two promises.
PLANTS = {"short-lease": "held by two at once", "stale-answer": "a stale token had effect"}
ENOUGH_PLANTED = {"deliveries": 200, "kept until it did": 15}


class Holders(unittest.TestCase):
    def begin(self, plant=None):
        server = harness.Server(wrapper=["env", f"SHUNT_PLANT={plant}"] if plant else [])
        if plant:
            server.program = os.path.join(harness.BUILD_DIR, "tests", "crash", "shuntd-planted")
        self.addCleanup(server.remove)
        server.start()
        self.crowd = holders.Crowd(server, SEED)
        self.addCleanup(self.crowd.close)
        return server

    def go_on(self, enough):
        """Until it is enough, whatever the machine is busy with."""
        end = time.monotonic() + ENOUGH_SECONDS_MAX
        while not enough():
            self.crowd.step()
            self.assertLess(time.monotonic(), end, f"saw too little: {dict(self.crowd.seen)}")

    def deliveries(self, more):
        wanted = self.crowd.seen["deliveries"] + more
        self.go_on(lambda: self.crowd.seen["deliveries"] >= wanted)

    def see(self, least):
        self.go_on(lambda: all(self.crowd.seen[what] >= count for what, count in least.items()))

    def test_one_holder_at_a_time_and_stale_tokens_have_no_effect(self):
        server = self.begin()
        for _ in range(KILLS):
            self.deliveries(self.crowd.random.randrange(40, 120))
            self.go_on(self.crowd.is_busy)
            self.crowd.kill_server()
            test_kill_broker.check_store(server.data)
            server.start()
        self.see(ENOUGH)
        self.crowd.finish()
        print(dict(sorted(self.crowd.seen.items())))
        print(self.crowd.history.judge(f"restarts={KILLS}", "passed=20", "late=20", "lost=20", f"unknown={KILLS}"))
        self.assertEqual(server.stop(), 0, server.log_text()[-2000:])
        test_kill_broker.check_store(server.data)
        with self.assertRaisesRegex(AssertionError, "saw too little"):
            self.crowd.history.judge("passed=1000000")

    @unittest.skipIf(os.environ.get("SANITIZED"), "it is about the test")
    def test_planted_bugs_are_found(self):
        for plant, said in PLANTS.items():
            with self.subTest(plant):
                server = self.begin(plant)
                self.see(ENOUGH_PLANTED)
                self.crowd.finish()
                self.assertEqual(server.stop(), 0)
                test_kill_broker.check_store(server.data)  # finds nothing: it is not in what is stored
                with self.assertRaisesRegex(AssertionError, f"(?s)cannot be true.*{said}"):
                    self.crowd.history.judge()

    @unittest.skipIf(os.environ.get("SANITIZED"), "it is about the test")
    def test_the_planted_program_without_a_bug_passes(self):
        self.begin("")
        self.see(ENOUGH_PLANTED)
        self.crowd.finish()
        self.crowd.history.judge("passed=5", "late=5")


if __name__ == "__main__":
    harness.main()
