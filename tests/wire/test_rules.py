"""Section 6 of the page: rules on dead letters: which decides, what it does and counts, and what a test of one says."""

import unittest

from client import Message, ShuntError
from server import WireTest

RULE = {"rule", "filter", "action", "times", "wait_ms", "wait_max_ms", "to", "disabled", "set", "matched", "done", "waiting", "given_up", "outcomes"}


class Rules(WireTest):
    def setUp(self):
        super().setUp()
        self.client = self.create(max_attempts=1)
        self.worker = self.client.subscribe(self.topic, "default", messages=10)

    def fail(self, type_, message="it did not work"):
        [held] = self.worker.take(1)
        self.assertEqual(self.worker.resolve((held.seq, held.token, 2, None, type_, message, None)), {})
        return held.seq

    def die(self, *types):
        for type_ in types:
            self.client.publish(self.topic, Message(b"m", {"tenant": "x"}, b"k"))
            self.fail(type_)

    def rule(self, number):
        [rule] = [rule for rule in self.client.rule_list(self.topic) if rule["rule"] == number]
        return rule

    def test_rules_are_listed_in_order_with_what_they_did(self):
        client, topic = self.client, self.topic
        self.assertEqual(client.rule_set(topic, "mute", filter={"type": "A"}), 10)
        self.assertEqual(client.rule_set(topic, "discard", 5, {"type": "B", "header": ["tenant", "x"], "key": b"k"}), 5)
        self.assertEqual(client.rule_set(topic, "redrive", times=2, wait_ms=3600000), 20)
        first, second, third = client.rule_list(topic)
        self.assertEqual(set(first), RULE)
        self.assertEqual([(r["rule"], r["action"], r["times"], r["wait_ms"], r["wait_max_ms"]) for r in (first, second, third)],
                         [(5, "discard", 0, 0, 0), (10, "mute", 0, 0, 0), (20, "redrive", 2, 3600000, 3600000)])
        self.assertEqual((first["filter"]["type"], first["filter"]["key"], second["filter"]["type"], third["filter"]), ("B", b"k", "A", None))
        self.die("A", "B", "C")
        self.until(lambda: client.group_show(topic)["discarded"] == 1)
        shown = client.group_show(topic)
        self.assertEqual((shown["dead"], shown["unattended"]), (2, 1))
        self.assertEqual([(r["matched"], r["done"], r["waiting"]) for r in client.rule_list(topic)], [(1, 1, 0), (1, 1, 0), (1, 0, 1)])
        self.assertEqual([d["attended"] for d in client.dlq_list(topic)[0]], [True, False])

    def test_a_letter_comes_back_and_is_given_up_in_the_end(self):
        client, topic = self.client, self.topic
        client.rule_set(topic, "redrive", 1, times=2, wait_ms=1)
        self.die("A")
        self.fail("A")
        self.fail("A")
        rule = self.rule(1)
        self.assertEqual((rule["matched"], rule["done"], rule["given_up"], rule["waiting"]), (3, 2, 1, 0))
        self.assertEqual(rule["outcomes"], {"pending": 0, "acked": 0, "failed_same": 2, "failed_other": 0, "gone": 0})
        shown = client.group_show(topic)
        self.assertEqual((shown["dead"], shown["unattended"], shown["redriven"]), (1, 1, 2))

    def test_letters_are_moved_to_another_topic(self):
        client, topic = self.client, self.topic
        other = topic + "-others"
        client.topic_create(other)
        client.rule_set(topic, "move", 1, to=other)
        self.die("A")
        self.until(lambda: self.rule(1)["done"] == 1)
        self.assertEqual((self.rule(1)["to"], client.group_show(topic)["dead"], client.group_show(other)["ready"]), (other, 0, 1))
        [moved] = client.subscribe(other, "default", messages=1).take(1)
        self.assertEqual(moved.message.headers["shunt-origin"], f"{topic}/1")

    def test_why_tells_which_rule_brought_it_back(self):
        client, topic = self.client, self.topic
        client.rule_set(topic, "redrive", 3, {"type": "A"}, wait_ms=1)
        self.die("A")
        [held] = self.worker.take(1)
        [back] = client.why(topic, 1)["groups"]
        self.assertEqual((back["redrive"]["rule"], back["redrive"]["outcome"], back["redrive"]["filter"]["type"]), (3, "pending", "A"))
        self.worker.ack(held)
        self.until(lambda: self.rule(3)["outcomes"]["acked"] == 1)
        [done] = client.why(topic, 1)["groups"]
        self.assertEqual((done["redrive"]["rule"], done["redrive"]["outcome"]), (3, "acked"))

    def test_why_tells_of_the_rule(self):
        client, topic = self.client, self.topic
        client.rule_set(topic, "redrive", 3, {"type": "A"}, wait_ms=3600000)
        client.rule_set(topic, "discard", 4, {"type": "B"})
        self.die("A", "B")
        self.until(lambda: client.group_show(topic)["discarded"] == 1)
        [waits] = client.why(topic, 1)["groups"]
        self.assertEqual((waits["next"], waits["death"]["rule"], waits["death"]["rule_action"]), ("rule", 3, "redrive"))
        self.assertTrue(waits["death"]["died"] < waits["death"]["rule_at"] <= waits["death"]["died"] + 3600000)
        [gone] = client.why(topic, 2)["groups"]
        self.assertEqual((gone["state"], gone["end"]["how"], gone["end"]["rule"]), ("done", "discarded", 4))
        client.rule_set(topic, rule=3, disabled=True)
        [waits] = client.why(topic, 1)["groups"]
        self.assertEqual((waits["next"], waits["death"]["rule"], waits["death"]["rule_at"]), ("triage", None, None))

    def test_a_test_says_what_a_rule_would_match_and_changes_nothing(self):
        client, topic = self.client, self.topic
        self.die("A", "A", "B", "C")
        client.rule_set(topic, "mute", 10, {"type": "A"})
        cause = {c["title"][0]: c["cause"] for c in client.dlq_causes(topic)}
        matches, more, after = client.rule_test(topic)
        self.assertEqual(({m["cause"]: (m["count"], m["earlier"]) for m in matches}, more, after), ({cause["A"]: (2, 2), cause["B"]: (1, 0), cause["C"]: (1, 0)}, False, 4))
        self.assertEqual([(m["cause"], m["title"][0], m["count"], m["earlier"]) for m in client.rule_test(topic, 10)[0]], [(cause["A"], "A", 2, 0)])
        self.assertEqual([m["count"] for m in client.rule_test(topic, 5, {"type": "B"})[0]], [1])
        matches, more, after = client.rule_test(topic, filter={"reason": "rejected"}, limit=3)
        self.assertEqual((sum(m["count"] for m in matches), more, after), (3, True, 3))
        matches, more, after = client.rule_test(topic, filter={"reason": "rejected"}, after=after, limit=3)
        self.assertEqual((sum(m["count"] for m in matches), more, after), (1, False, 4))
        self.assertEqual((self.rule(10)["matched"], client.group_show(topic)["unattended"]), (0, 4))

    def test_bounds_and_names_that_are_wrong(self):
        client, topic = self.client, self.topic
        for what, code, call in [
                ("no such action", "BAD_ARGUMENT", lambda: client.rule_set(topic, "eat")),
                ("a time", "BAD_ARGUMENT", lambda: client.rule_set(topic, "mute", filter={"since": 1})),
                ("a time", "BAD_ARGUMENT", lambda: client.rule_test(topic, filter={"since": 1})),
                ("nowhere to move to", "BAD_ARGUMENT", lambda: client.rule_set(topic, "move")),
                ("a mute that moves", "BAD_ARGUMENT", lambda: client.rule_set(topic, "mute", to="x")),
                ("no such topic", "UNKNOWN_TOPIC", lambda: client.rule_set(topic, "move", to="x")),
                ("to itself", "BAD_ARGUMENT", lambda: client.rule_set(topic, "move", to=topic)),
                ("times of a mute", "BAD_ARGUMENT", lambda: client.rule_set(topic, "mute", times=1)),
                ("too often", "BAD_ARGUMENT", lambda: client.rule_set(topic, "redrive", times=21)),
                ("too late", "BAD_ARGUMENT", lambda: client.rule_set(topic, "redrive", wait_ms=86400001)),
                ("shorter in the end", "BAD_ARGUMENT", lambda: client.rule_set(topic, "redrive", wait_ms=5, wait_max_ms=4)),
                ("a number too large", "BAD_ARGUMENT", lambda: client.rule_set(topic, "mute", 65536)),
                ("a long text", "TOO_LARGE", lambda: client.rule_set(topic, "mute", filter={"match": "m" * 257})),
                ("no hex", "BAD_ARGUMENT", lambda: client.rule_set(topic, "mute", filter={"cause": "x"})),
                ("an option that is not known", "BAD_ARGUMENT", lambda: client.rule_set(topic, "mute", later=1)),
                ("nothing to turn off", "NOT_FOUND", lambda: client.rule_set(topic, rule=9, disabled=True)),
                ("neither set nor named", "BAD_ARGUMENT", lambda: client.rule_set(topic, disabled=True)),
                ("half of a rule", "BAD_ARGUMENT", lambda: client.rule_set(topic, rule=9, filter={"type": "A"})),
                ("not there", "NOT_FOUND", lambda: client.rule_delete(topic, 9)),
                ("not there", "NOT_FOUND", lambda: client.rule_test(topic, 9)),
                ("a DLQ", "BAD_ARGUMENT", lambda: client.rule_set(f"dlq:{topic}:default", "mute")),
                ("a DLQ", "BAD_ARGUMENT", lambda: client.rule_list(f"dlq:{topic}:default")),
                ("a DLQ", "BAD_ARGUMENT", lambda: client.rule_test(f"dlq:{topic}:default")),
                ("no such group", "UNKNOWN_GROUP", lambda: client.rule_list(topic, "x"))]:
            with self.subTest(what=what, code=code), self.assertRaises(ShuntError) as caught:
                call()
            self.assertEqual(caught.exception.name, code, caught.exception)
        client.rule_set(topic, "redrive", 65535, {"match": "m" * 256}, times=20, wait_ms=86400000, wait_max_ms=86400000)
        client.rule_set(topic, rule=65535, disabled=True)
        self.assertTrue(self.rule(65535)["disabled"])
        client.rule_delete(topic, 65535)
        self.assertEqual(client.rule_list(topic), [])


if __name__ == "__main__":
    unittest.main()
