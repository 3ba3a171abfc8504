#!/usr/bin/env python3
"""The Python package's calls for what operators do: peeking, edits of dead letters, rules, jobs, the audit log; each to its end over several pages."""
import sys
import threading

import harness
import wire
from secure import FIRST_ACT, plain_only

sys.path.insert(0, str(harness.SOURCE_ROOT / "python"))
import shunt  # noqa: E402
from test_python import Case  # noqa: E402

PAGE_MORE = 1200  # rows: more than a page has


class Admin(Case):
    def die(self, *types, topic="t"):
        """Dead letters of these types; their bodies are numbers."""
        self.broker.topic_create(topic, max_attempts=1)
        self.broker.publish_batch(topic, [str(n) for n in range(len(types))])
        with self.broker.consume(topic, window=1000) as consumer:
            for kind in types:
                consumer.next(60).reject(shunt.Failure(kind, "as planted"))
            consumer.flush()

    def test_peeking_shows_what_waits_and_takes_nothing(self):
        self.broker.topic_create("t")
        self.broker.publish("t", b"\x00one", headers={"a": "b", "c": b"\xff"}, key="k")
        self.broker.publish("t", "two", delay=3600)
        first, second = self.broker.peek("t")
        self.assertEqual((first["seq"], first["state"], first["size"], first["due"]), (1, "ready", 4, None))
        self.assertEqual((second["seq"], second["state"]), (2, "delayed"))
        self.assertFalse(first.keys() & {"body", "message"})
        first, second = self.broker.peek("t", bodies=True)
        self.assertEqual((first["body"], first["headers"], first["key"]), (b"\x00one", {"a": "b", "c": b"\xff"}, "k"), "as published")
        self.assertEqual((second["body"], second["headers"], second["key"]), (b"two", {}, None))
        self.assertEqual(self.counts("t"), {"ready": 1, "delayed": 1})
        self.assertEqual(first["deliveries"], 0)

    def test_peeking_goes_on_to_the_last_message(self):
        self.broker.topic_create("t")
        self.broker.publish_batch("t", ["x"] * PAGE_MORE)
        self.assertEqual([row["seq"] for row in self.broker.peek("t")], list(range(1, PAGE_MORE + 1)))

    def test_a_dead_letter_queue_is_not_peeked_at(self):
        self.die("A")
        with self.assertRaises(shunt.BadArgument):
            list(self.broker.peek(shunt.dlq_name("t")))

    def test_an_edit_is_for_the_group_and_can_be_taken_back(self):
        self.die("A")
        edit = self.broker.dlq_edit("t", "t/1", "better", reason="it was wrong")
        self.assertGreater(edit, 0)
        shown = self.broker.dlq_show("t", "t/1")
        self.assertEqual((shown["body"], shown["edit"], shown["edited"]["reason"]), (b"better", edit, "it was wrong"))
        self.assertEqual(self.broker.dlq_show("t", "t/1", original=True)["body"], b"0")
        self.assertEqual(self.broker.dlq_edit("t", "t/1", None, edit=edit), 0)
        self.assertEqual(self.broker.dlq_show("t", "t/1")["body"], b"0")

    def test_of_two_editors_the_second_is_told(self):
        self.die("A")
        seen = self.broker.dlq_show("t", "t/1")["edit"]
        self.broker.dlq_edit("t", "t/1", b"mine", edit=seen)
        with self.assertRaises(shunt.Stale):
            self.broker.dlq_edit("t", "t/1", b"yours", edit=seen)
        self.assertEqual(self.broker.dlq_show("t", "t/1")["body"], b"mine")
        with self.assertRaises(shunt.NotFound):
            self.broker.dlq_edit("t", "t/2", b"nobody's")

    def test_an_edited_letter_comes_back_edited(self):
        self.die("A")
        self.broker.dlq_edit("t", "t/1", "better")
        self.broker.dlq_redrive("t", ["t/1"])
        with self.broker.consume("t") as consumer:
            self.assertEqual(consumer.next(60).body, b"better")

    @plain_only("it starts from a store without users")
    def test_users_roles_and_tokens(self):
        self.broker.role_set("triage", ["*:look,dlq-look"], must_be="new", reason="a team of its own")
        self.broker.user_set("kim", must_be="new", roles=["triage"], grants=["t:publish"], certificates=["cn:Kim"])
        kim = self.broker.user_show("kim")
        self.assertEqual((kim["roles"], kim["grants"], kim["certificates"], kim["disabled"]), (["triage"], ["t:publish"], ["cn:Kim"], False))
        self.broker.user_set("kim", disabled=True, grants=[])
        self.assertEqual([(row["user"], row["disabled"], row["grants"], row["roles"]) for row in self.broker.user_list()], [("kim", True, [], ["triage"])])
        self.assertEqual([row["role"] for row in self.broker.role_list()], ["administrator", "triage"])
        number, text = self.broker.token_create("kim", lifetime_ms=60000, note="a note")
        self.assertTrue(text.startswith("shunt_"))
        (token,) = self.broker.token_list("kim")
        self.assertEqual((token["token"], token["note"], token["user"]), (number, "a note", "kim"))
        with self.assertRaises(shunt.NotFound):
            self.broker.token_revoke(number, user="ann")
        self.broker.token_revoke(number, user="kim")
        self.assertEqual(list(self.broker.token_list()), [])
        with self.assertRaises(shunt.BadArgument):
            self.broker.user_set("kim", must_be="new")
        self.assertEqual(self.broker.user_delete("kim"), 0)
        self.broker.role_delete("triage")
        self.assertEqual(self.broker.whoami()["how"], "anybody")

    def test_a_rule_is_set_turned_off_and_deleted(self):
        self.broker.topic_create("t", max_attempts=1)
        rule = self.broker.rule_set("t", filter={"type": "A"}, action="redrive", times=2, wait_ms=5, wait_max_ms=10)
        (row,) = self.broker.rule_list("t")
        self.assertEqual((row["rule"], row["action"], row["times"], row["wait_ms"], row["wait_max_ms"], row["disabled"]), (rule, "redrive", 2, 5, 10, False))
        self.assertEqual(row["filter"]["type"], "A")
        self.assertEqual(self.broker.rule_set("t", rule=rule, disabled=True), rule)
        self.assertTrue(self.broker.rule_list("t")[0]["disabled"])
        self.assertEqual(self.broker.rule_list("t")[0]["times"], 2, "otherwise it stays")
        self.broker.rule_delete("t", rule)
        self.assertEqual(self.broker.rule_list("t"), [])
        for wrong in ({"action": "fly"}, {"action": "redrive", "times": 21}, {}):
            with self.assertRaises(shunt.BadArgument):
                self.broker.rule_set("t", **wrong)

    def test_a_rule_moves_what_it_matches(self):
        self.broker.topic_create("parked")
        self.broker.topic_create("t", max_attempts=1)
        self.broker.rule_set("t", filter={"type": "A"}, action="move", to="parked")
        self.broker.publish_batch("t", ["0", "1"])
        with self.broker.consume("t") as consumer:
            for kind in ("A", "B"):
                consumer.next(60).reject(shunt.Failure(kind, "as planted"))
            consumer.flush()
        with self.broker.consume("parked") as consumer:
            self.assertEqual(consumer.next(60).body, b"0")
        self.assertEqual(self.counts("t"), {"dead": 1})

    def test_what_a_rule_would_match_is_added_up_over_pages(self):
        self.die(*(["A", "A", "B"] * (PAGE_MORE // 3)))
        (row,) = self.broker.rule_test("t", filter={"type": "A"})
        self.assertEqual((row["title"], row["count"], row["earlier"]), ("A: as planted", PAGE_MORE // 3 * 2, 0))
        self.broker.rule_set("t", filter={"type": "A"}, action="mute")
        self.assertEqual([row["earlier"] for row in self.broker.rule_test("t", filter={"match": "planted"})], [PAGE_MORE // 3 * 2, 0])
        self.assertEqual(self.counts("t"), {"dead": PAGE_MORE}, "nothing was changed")

    def test_jobs_are_listed_paused_and_resumed(self):
        self.die("A", "A", "B")
        first, _ = self.broker.dlq_redrive("t", ["t/3"])
        job, _ = self.broker.dlq_redrive("t", ["t/1", "t/2"], rate=1)
        self.broker.job_pause(job, reason="wait")
        self.assertEqual(self.broker.job_show(job)["phase"], "paused")
        self.assertEqual([row["job"] for row in self.broker.job_list()], [first, job])
        self.broker.job_resume(job)
        self.assertNotEqual(self.broker.job_show(job)["phase"], "paused")
        wire.until(lambda: self.broker.job_show(job)["state"] == "done")

    def test_the_audit_log_tells_who_did_what_and_why(self):
        named = self.client(client="ann", host="desk")
        named.topic_create("t", reason="for fruit", max_attempts=2)
        named.topic_create("u")
        (act,) = self.broker.audit(topic="t")
        self.assertEqual((act["act"], act["client"], act["host"], act["reason"]), ("topic_created", "ann", "desk", "for fruit"))
        self.assertIn("max_attempts=2", act["asked"])
        self.assertEqual([act["topic"] for act in self.broker.audit(act="topic_created")], ["t", "u"])
        second = list(self.broker.audit())[FIRST_ACT]["time"]
        self.assertLess(len(list(self.broker.audit(until=second))), FIRST_ACT + 1)
        self.assertEqual(list(self.broker.audit(since=second + 1)), [])

    def test_the_audit_log_goes_on_to_the_last_act(self):
        self.broker.topic_create("t")
        clients = [self.client() for _ in range(4)]

        def act(client):
            for n in range(PAGE_MORE // 8):
                client.group_pause("t", reason=str(n))
                client.group_resume("t")
        threads = [threading.Thread(target=act, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ids = [row["id"] for row in self.broker.audit()]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertEqual(len(ids), FIRST_ACT + PAGE_MORE // 8 * 8)


if __name__ == "__main__":
    harness.main()
