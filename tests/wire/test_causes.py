"""Section 6 of the page: what dead letters died of, who has looked, what was decided, and which are listed."""

import time
import unittest

from client import Message, ShuntError
from server import WireTest

CAUSE = {"cause", "topic", "title", "state", "state_since", "reason", "count", "dead", "first", "last", "unattended", "attended", "builds", "hosts", "samples", "owner", "note", "hours", "hours_until"}


class Causes(WireTest):
    def die(self, *errors, build="b1", host="h1"):
        """A client; a message dies of each (type, message)."""
        client = self.create() if not getattr(self, "made", False) else self.connect()
        self.made = True
        client.publish(self.topic, *[Message(b"%d" % n, {"n": str(n)}, b"key%d" % n) for n in range(len(errors))])
        worker = self.connect(client="w1", host=host, build=build)
        subscription = worker.subscribe(self.topic, "default", messages=len(errors))
        held = subscription.take(len(errors))
        subscription.started(*held)
        subscription.resolve(*((d.seq, d.token, 2, None, type_, message, "at handle (pay.c:7)") for d, (type_, message) in zip(held, errors)))
        worker.goodbye()
        return client

    def test_one_fault_is_one_cause_whatever_values_it_speaks_of(self):
        client = self.die(("E", "order 17 is bad"), ("E", "order 42 is bad"), ("F", "no route"))
        causes = client.dlq_causes(self.topic)
        self.assertEqual([(c["dead"], c["count"], c["state"]) for c in causes], [(2, 2, "new"), (1, 1, "new")])
        first = causes[0]
        self.assertEqual(CAUSE - set(first), set())
        self.assertEqual((first["topic"], first["reason"], first["unattended"], first["attended"], first["owner"]), (self.topic, "rejected", True, None, None))
        self.assertRegex(first["cause"], "^[0-9a-f]{16}$")
        self.assertIn("E", first["title"])
        self.assertEqual([(b["name"], b["count"]) for b in first["builds"] + first["hosts"]], [("b1", 2), ("h1", 2)])
        self.assertEqual(first["samples"], [f"{self.topic}/1", f"{self.topic}/2"])
        self.assertEqual({d["cause"] for d in client.dlq_list(self.topic)[0]}, {c["cause"] for c in causes})

    def test_a_clients_own_word_names_the_fault(self):
        client = self.create()
        client.publish(self.topic, *[b"%d" % n for n in range(4)])
        subscription = client.subscribe(self.topic)
        held = subscription.take(4)
        subscription.started(*held)
        words, types = ("no-customer", "no-customer", None, ""), ("Early", "Wrong", "Late", "Lost")
        self.assertEqual(subscription.resolve(*((d.seq, d.token, 2, None, type_, "m", None, word) for d, type_, word in zip(held, types, words))), {})
        self.assertEqual(sorted((c["title"], c["samples"]) for c in client.dlq_causes(self.topic)),
                         [("Late: m", [f"{self.topic}/3"]), ("Lost: m", [f"{self.topic}/4"]), ("no-customer", [f"{self.topic}/1", f"{self.topic}/2"])])
        self.assertEqual(client.dlq_show(self.topic, f"{self.topic}/1")["error_type"], "Early", "the error is kept as it was")

    def test_one_cause_is_shown_with_its_hours_and_an_example(self):
        client = self.die(("E", "order 17 is bad"))
        [listed] = client.dlq_causes(self.topic)
        shown = client.dlq_cause(self.topic, listed["cause"])
        self.assertEqual({key: shown[key] for key in CAUSE}, listed)
        self.assertEqual((len(shown["hours"]), shown["hours"][-1], sum(shown["hours"])), (48, 1, 1))
        self.assertTrue(shown["hours_until"] <= listed["last"] < shown["hours_until"] + 3600000)
        example = shown["example"]
        self.assertEqual((example["error_type"], example["error_message"], example["error_stack"], example["build"]), ("E", "order 17 is bad", "at handle (pay.c:7)", "b1"))
        client.dlq_purge(self.topic, all=True)
        self.until(lambda: client.dlq_cause(self.topic, listed["cause"])["dead"] == 0)
        self.assertEqual(client.dlq_cause(self.topic, listed["cause"])["example"]["error_type"], "E", "it outlives the letters")

    def test_to_look_changes_nothing_and_to_attend_does(self):
        client = self.die(("E", "x"), ("E", "x"), ("F", "y"))
        e, f = client.dlq_causes(self.topic)
        client.dlq_cause(self.topic, e["cause"])
        client.dlq_show(self.topic, f"{self.topic}/1")
        self.assertEqual([c["state"] for c in client.dlq_causes(self.topic)], ["new", "new"])
        self.assertEqual(client.dlq_attend(self.topic, messages=[f"{self.topic}/3", f"{self.topic}/99"]), 1)
        self.assertEqual([d["attended"] for d in client.dlq_list(self.topic)[0]], [False, False, True])
        self.assertEqual(client.dlq_attend(self.topic, cause=e["cause"]), 1)
        self.assertEqual([d["attended"] for d in client.dlq_list(self.topic)[0]], [True, True, True])
        shown = client.dlq_cause(self.topic, e["cause"])
        self.assertEqual((shown["state"], shown["unattended"]), ("seen", False))
        self.assertTrue(abs(shown["attended"] - time.time() * 1000) < 60000)

    def test_what_nobody_has_looked_at_is_counted(self):
        client = self.die(("E", "x"), ("E", "x"), ("F", "y"))

        others = client.stats()["unattended"] - 3

        def figures():
            shown = client.group_show(self.topic)
            return shown["unattended"], shown["oldest_unattended"], client.stats()["unattended"] - others

        first = client.dlq_list(self.topic)[0][0]["died"]
        self.assertEqual(figures(), (3, first, 3))
        client.dlq_attend(self.topic, cause=client.dlq_causes(self.topic)[0]["cause"])
        self.assertEqual(figures(), (1, client.dlq_list(self.topic)[0][2]["died"], 1))
        client.dlq_purge(self.topic, all=True)
        self.until(lambda: figures() == (0, None, 0))
        self.assertEqual((client.group_show(self.topic)["slo_breaches"], client.group_show(self.topic)["expired_unattended"]), (0, 0))

    def test_an_overdue_letter_is_counted_once(self):
        client = self.die(("E", "x"), ("E", "x"))
        client.dlq_attend(self.topic, messages=[f"{self.topic}/2"])
        client.group_update(self.topic, "default", dlq_slo_ms=1)
        self.until(lambda: client.group_show(self.topic)["slo_breaches"] == 1)
        client.group_update(self.topic, "default", dlq_slo_ms=2)
        client.group_update(self.topic, "default", dlq_retention_ms=1)
        self.until(lambda: client.group_show(self.topic)["expired"] == 2)
        shown = client.group_show(self.topic)
        self.assertEqual((shown["slo_breaches"], shown["expired_unattended"], shown["unattended"]), (1, 1, 0))

    def test_what_was_decided_is_kept_and_a_resolved_cause_regresses(self):
        client = self.die(("E", "x"))
        [cause] = client.dlq_causes(self.topic)
        self.assertEqual(client.cause_update(self.topic, cause["cause"], owner="kim", note="the\nline"), 1)
        shown = client.dlq_cause(self.topic, cause["cause"])
        self.assertEqual((shown["owner"], shown["note"], shown["state"]), ("kim", "the\nline", "seen"))
        client.cause_update(self.topic, cause["cause"], state="resolved", note="")
        shown = client.dlq_cause(self.topic, cause["cause"])
        self.assertEqual((shown["owner"], shown["note"], shown["state"]), ("kim", None, "resolved"))
        self.die(("E", "x"))
        self.assertEqual(client.dlq_cause(self.topic, cause["cause"])["state"], "regressed")

    def test_the_most_pressing_comes_first(self):
        client = self.die(("A", "x"), ("B", "x"), ("B", "x"), ("C", "x"))
        title = {c["title"][0]: c["cause"] for c in client.dlq_causes(self.topic)}
        client.cause_update(self.topic, title["C"], state="resolved")
        client.cause_update(self.topic, title["B"], state="muted")
        self.die(("C", "x"))
        self.assertEqual([c["cause"] for c in client.dlq_causes(self.topic)], [title["C"], title["A"], title["B"]])

    def test_bounds_and_names_that_are_wrong(self):
        client = self.die(("E", "x"))
        [cause] = client.dlq_causes(self.topic)
        name = cause["cause"]
        for what, code, call in [
                ("no hex", "BAD_ARGUMENT", lambda: client.dlq_cause(self.topic, "x" * 16)),
                ("too short", "BAD_ARGUMENT", lambda: client.dlq_attend(self.topic, cause="12")),
                ("not there", "NOT_FOUND", lambda: client.dlq_cause(self.topic, "0" * 15 + "9")),
                ("not there", "NOT_FOUND", lambda: client.dlq_attend(self.topic, cause="0" * 15 + "9")),
                ("not there", "NOT_FOUND", lambda: client.cause_update(self.topic, "0" * 15 + "9", state="seen")),
                ("no such state", "BAD_ARGUMENT", lambda: client.cause_update(self.topic, name, state="gone")),
                ("not to be chosen", "BAD_ARGUMENT", lambda: client.cause_update(self.topic, name, state="regressed")),
                ("long owner", "TOO_LARGE", lambda: client.cause_update(self.topic, name, owner="o" * 65)),
                ("long note", "TOO_LARGE", lambda: client.cause_update(self.topic, name, note="n" * 513)),
                ("a DLQ", "BAD_ARGUMENT", lambda: client.dlq_causes(f"dlq:{self.topic}:default")),
                ("a key that is not known", "BAD_ARGUMENT", lambda: client.dlq_list(self.topic, later=1)),
                ("no such reason", "BAD_ARGUMENT", lambda: client.dlq_list(self.topic, reason="sad"))]:
            with self.subTest(what=what, code=code), self.assertRaises(ShuntError) as caught:
                call()
            self.assertEqual(caught.exception.name, code, caught.exception)
        client.cause_update(self.topic, name, owner="o" * 64, note="n" * 512)

    def test_letters_are_listed_by_what_is_asked_for(self):
        client = self.die(("E", "order 17 is bad"), ("E", "order 42 is bad"), ("F", "no route to 17"))
        e, f = (c["cause"] for c in client.dlq_causes(self.topic))
        died = client.dlq_list(self.topic)[0][0]["died"]
        for filter, found in [({}, [1, 2, 3]), ({"cause": e}, [1, 2]), ({"cause": f}, [3]), ({"type": "E"}, [1, 2]), ({"match": "17"}, [1, 3]),
                              ({"cause": e, "match": "17"}, [1]), ({"reason": "rejected"}, [1, 2, 3]), ({"reason": "corrupt"}, []),
                              ({"since": died}, [1, 2, 3]), ({"since": died + 3600000}, []), ({"header": ["n", "1"]}, [2]), ({"header": ["n", b"1"]}, [2]),
                              ({"header": ["m", "1"]}, []), ({"key": b"key2"}, [3]), ({"key": b"key"}, [])]:
            with self.subTest(filter=filter):
                self.assertEqual(client.dlq_find(self.topic, **filter), found)


if __name__ == "__main__":
    unittest.main()
