"""Section 6 of the page: where one message is, how it came there, what comes next."""

import unittest

from client import Message, ShuntError
from server import WireTest

WHY = {"message", "topic", "seq", "now", "stored", "groups", "more", "published", "due", "deadline"}
GROUP = {"group", "state", "since", "until", "next", "attempts", "deliveries", "generation", "attempts_total", "deliveries_total", "expires", "deadline", "suspect", "paused",
         "consumers", "ready", "holder", "waits_for", "death", "end", "redrive", "limits", "edited", "history"}
HOLDER = {"consumer", "host", "build", "peer", "leased", "started", "until", "silent"}
DEATH = {"id", "died", "reason", "cause", "cause_state", "cause_title", "attended", "rule", "rule_action", "rule_at"}
STACK = "x" * 16384


class Why(WireTest):
    def nack(self, client, group, times, stack=""):
        subscription = client.subscribe(self.topic, group, messages=1)
        for n in range(times):
            [held] = subscription.take(1)
            if n == times - 1:
                subscription.credit(0)
            subscription.nack(held, 0, "E", "broken", stack)
        subscription.unsubscribe()

    def test_the_maps_have_the_keys_of_the_page(self):
        client = self.create(max_attempts=1)
        client.publish(self.topic, Message(b"1"), Message(b"2"))
        self.nack(client, "default", 1)
        client.subscribe(self.topic, messages=1).take(1)
        dead, held = (client.why(self.topic, seq) for seq in (1, 2))
        self.assertEqual((set(dead), set(held)), (WHY, WHY))
        [of_dead], [of_held] = dead["groups"], held["groups"]
        self.assertEqual((set(of_dead), set(of_held)), (GROUP, GROUP))
        self.assertEqual((set(of_dead["death"]), of_dead["holder"], of_dead["end"]), (DEATH, None, None))
        self.assertEqual((set(of_held["holder"]), of_held["death"]), (HOLDER, None))
        self.assertEqual({row["setting"]: (row["value"], row["source"]) for row in of_dead["limits"]}["max_attempts"], (1, "topic"))
        letter = client.why(f"dlq:{self.topic}:default", 1)
        self.assertEqual((letter["message"], letter["groups"]), (f"{self.topic}/1", dead["groups"]))
        client.dlq_purge(self.topic, all=True)
        self.until(lambda: client.why(self.topic, 1)["groups"][0]["state"] == "done")
        [ended] = client.why(self.topic, 1)["groups"]
        self.assertEqual((ended["end"], ended["death"]), ({"how": "purged", "moved_to": None, "consumer": None, "host": None, "build": None, "rule": None}, of_dead["death"]))
        with self.assertRaises(ShuntError) as caught:
            client.why(f"dlq:{self.topic}:default", 1)
        self.assertEqual(caught.exception.name, "NOT_FOUND")

    def test_the_redrive_that_brought_it_back(self):
        client = self.create(max_attempts=1)
        client.publish(self.topic, Message(b"1"))
        self.nack(client, "default", 1)
        [dead] = client.why(self.topic, 1)["groups"]
        self.assertEqual((dead["redrive"], dead["history"][0]["job"]), (None, None))
        job, _ = client.dlq_redrive(self.topic, all=True)
        self.until(lambda: client.why(self.topic, 1)["groups"][0]["state"] == "ready")
        [back] = client.why(self.topic, 1)["groups"]
        self.assertEqual(back["redrive"], {"job": job, "rule": None, "outcome": "pending", "filter": None})
        self.nack(client, "default", 1)
        [again] = client.why(self.topic, 1)["groups"]
        self.assertEqual((again["redrive"], [row["job"] for row in again["history"]]), (None, [None, job]))

    def test_groups_that_do_not_fit_are_asked_for_by_name(self):
        """16 attempts with the longest stacks are a quarter of a MiB for each group; a page ends after the one that passes 4."""
        client = self.create(max_attempts=1000, backoff_min_ms=1, backoff_max_ms=1)
        names = [f"g{n:02}" for n in range(20)]
        for name in names:
            client.group_create(self.topic, name)
        client.publish(self.topic, Message(b"1"))
        for name in names:
            self.nack(client, name, 16, STACK)
        why = client.why(self.topic, 1)
        self.assertTrue(why["more"])
        self.assertTrue(2 < len(why["groups"]) < 20, len(why["groups"]))
        one = client.why(self.topic, 1, names[-1])
        self.assertEqual(([group["group"] for group in one["groups"]], one["more"]), ([names[-1]], False))
        self.assertEqual(len(one["groups"][0]["history"]), 16)


if __name__ == "__main__":
    unittest.main()
