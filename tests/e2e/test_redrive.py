"""Two groups on one topic: one fails everything, the other nothing. Redriving the first one's dead letters is the first one's affair alone.

The redrives are made with the tool, as an operator would; both groups' consumers stay connected all the time, so that anything sent to
the wrong one would arrive.
"""
import collections
import json
import time
import unittest

import harness
import wire

MESSAGES = 300
FAILING, GOOD = "failing", "good"


def seqs_of(deliveries):
    return [delivery.seq for delivery in deliveries]


class Redrive(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server())
        self.client = wire.connect(self.server)
        self.addCleanup(self.client.close)
        self.client.topic_create("orders", [FAILING, GOOD], max_attempts=2, breaker=0, backoff_min_ms=1, backoff_max_ms=2)
        self.bodies = {seq: body for body, seq in wire.publish_all(self.client, "orders", [b"order %d" % n for n in range(MESSAGES)]).items()}
        self.failing = self.member(FAILING)
        self.good = self.member(GOOD)
        rows = self.good.take(MESSAGES)
        self.assertEqual(self.good.ack(*rows), {})
        self.fail_all(MESSAGES)
        self.good_before = self.client.group_show("orders", GOOD)
        self.assertEqual(wire.states(self.client, "orders", GOOD), {"acked": MESSAGES})

    def member(self, group):
        client = wire.connect(self.server, client=group)
        self.addCleanup(client.close)
        return client.subscribe("orders", group, messages=MESSAGES)

    def fail_all(self, count):
        """Nack what comes until `count` messages have died."""
        wanted = self.client.group_show("orders", FAILING)["dead"] + count
        nacks = collections.Counter()
        while self.client.group_show("orders", FAILING)["dead"] < wanted:
            rows = self.failing.take(1) + list(self.failing.held)
            self.failing.held.clear()
            nacks.update(seqs_of(rows))
            self.assertEqual(self.failing.resolve(*((row.seq, row.token, wire.NACK, None, "bad", "as always") for row in rows)), {})
        self.assertEqual(set(nacks.values()), {2}, "each was tried max_attempts times")

    def redrive(self, *which):
        done = self.server.shunt("dlq", "redrive", "orders", "-g", FAILING, "-o", "json", *which)
        return json.loads(done.stdout)["redriven"]

    def check_the_good_group_saw_nothing(self):
        """Neither on the wire nor in its counts. PING is answered after all that was on its way to this connection."""
        self.good.client.ping()
        self.assertIsNone(self.good.next(timeout=0.05))
        after = self.client.group_show("orders", GOOD)
        for key in ("deliveries", "acked", "ready", "in_flight", "delayed", "dead", "published", "redriven"):
            self.assertEqual(after[key], self.good_before[key], key)

    def take_redriven(self, count):
        """They come whole, with attempts 0 and the next generation; all are acked."""
        rows = self.failing.take(count)
        for row in rows:
            self.assertEqual((row.attempts, row.deliveries, row.generation), (0, 1, 1))
            self.assertEqual(row.message.body, self.bodies[row.seq])
        self.assertEqual(self.failing.ack(*rows), {})
        self.assertIsNone(self.failing.next(timeout=0.05), "more came than were redriven")
        return seqs_of(rows)

    def test_all(self):
        self.assertEqual(self.redrive("--all"), MESSAGES)
        self.assertEqual(sorted(self.take_redriven(MESSAGES)), sorted(self.bodies))
        self.assertEqual(wire.states(self.client, "orders", FAILING), {"acked": MESSAGES})
        self.check_the_good_group_saw_nothing()

    def test_those_named(self):
        dead = [row["id"] for row in wire.dead_letters(self.client, "orders", FAILING)]
        origins = {row["id"]: int(row["origin"].split("/")[1]) for row in wire.dead_letters(self.client, "orders", FAILING)}
        chosen = dead[7], dead[100], dead[-1]
        self.assertEqual(self.redrive(*chosen), 3)
        self.assertEqual(sorted(self.take_redriven(3)), sorted(origins[id] for id in chosen))
        self.assertEqual(wire.states(self.client, "orders", FAILING), {"acked": 3, "dead": MESSAGES - 3})
        self.check_the_good_group_saw_nothing()

    def test_the_oldest_so_many(self):
        oldest = [int(row["origin"].split("/")[1]) for row in wire.dead_letters(self.client, "orders", FAILING)[:10]]
        self.assertEqual(self.redrive("--count", "10"), 10)
        self.assertEqual(sorted(self.take_redriven(10)), sorted(oldest))
        self.check_the_good_group_saw_nothing()

    def test_at_a_rate(self):
        """50 at 100/s take half a second at least; how much longer is the machine's affair."""
        begin = time.monotonic()
        self.assertEqual(self.redrive("--count", "50", "--rate", "100/s"), 50)
        self.assertGreater(time.monotonic() - begin, 0.4)
        self.assertEqual(len(self.take_redriven(50)), 50)
        self.check_the_good_group_saw_nothing()

    def test_what_fails_again_dies_again_with_its_whole_history(self):
        self.assertEqual(self.redrive("--all"), MESSAGES)
        self.fail_all(MESSAGES)
        self.assertEqual(wire.states(self.client, "orders", FAILING), {"dead": MESSAGES})
        shown = self.client.dlq_show("orders", "orders/1", FAILING)
        self.assertEqual((shown["generation"], shown["attempts"], shown["attempts_total"]), (1, 2, 4))
        self.assertEqual([(row["generation"], row["outcome"]) for row in shown["history"]], [(0, "nacked")] * 2 + [(1, "nacked")] * 2)
        self.check_the_good_group_saw_nothing()

    def test_the_rig_sees_a_good_group_that_gets_something(self):
        """Its negative control: one message for both groups."""
        self.client.publish("orders", b"one more")
        with self.assertRaises(AssertionError):
            self.check_the_good_group_saw_nothing()


if __name__ == "__main__":
    harness.main()
