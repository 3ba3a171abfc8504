"""Section 6 of the page: dead letters, their history, redrive and purge, and a DLQ consumed as a topic."""

import time
import unittest

from client import DLQ_PURGE, DLQ_REDRIVE, DLQ_SHOW, Message, ShuntError
from server import WireTest

LISTED = {"id", "seq", "origin", "topic", "group", "reason", "attempts", "deliveries", "generation", "published", "died",
          "error_type", "error_message", "headers", "key", "size", "ttl_ms", "edit"}
SHOWN = LISTED | {"body", "error_stack", "attempts_total", "deliveries_total", "edited", "history"}
ROW = {"number", "generation", "consumer", "host", "build", "leased", "started", "ended", "outcome", "charged",
       "error_type", "error_message", "error_stack", "job"}


class Dead(WireTest):
    settings = "resume-wait: 0ms\n"
    def kill(self, count=1, groups=None, **policy):
        """A client, and so many rejected messages in the first group."""
        client = self.create(groups, **policy)
        self.group = groups[0] if groups else "default"
        client.publish(self.topic, *[Message(b"%d" % n, {"n": str(n)}, b"key") for n in range(count)])
        worker = self.connect(client="w1", host="h1", build="b1")
        subscription = worker.subscribe(self.topic, self.group, messages=count)
        held = subscription.take(count)
        subscription.started(*held)
        subscription.resolve(*((d.seq, d.token, 2, None, "E%d" % n, "m", "s") for n, d in enumerate(held)))
        worker.goodbye()
        return client, held

    def finished(self, client, job):
        return self.until(lambda: (shown := client.job_show(job))["state"] == "done" and shown)

    def test_a_dead_letter_says_all_the_page_lists(self):
        client, [held] = self.kill()
        [dead], more = client.dlq_list(self.topic)
        self.assertFalse(more)
        self.assertEqual(LISTED - set(dead), set())
        self.assertEqual(dead["id"], f"dlq:{self.topic}:default/{dead['seq']}")
        self.assertEqual(dead["origin"], f"{self.topic}/{held.seq}")
        self.assertEqual((dead["topic"], dead["group"], dead["reason"]), (self.topic, "default", "rejected"))
        self.assertEqual((dead["attempts"], dead["deliveries"]), (1, 1))
        self.assertEqual((dead["error_type"], dead["error_message"]), ("E0", "m"))
        self.assertEqual((dead["headers"], dead["key"], dead["size"]), ({"n": "0"}, b"key", 1))
        self.assertEqual(dead["published"], held.published)
        self.assertTrue(dead["published"] <= dead["died"] <= time.time() * 1000 + 60000)

    def test_showing_adds_body_stack_and_history_under_every_name(self):
        client, [held] = self.kill()
        [listed], _ = client.dlq_list(self.topic)
        for name in (listed["id"], listed["origin"], str(listed["seq"])):
            dead = client.dlq_show(self.topic, name)
            self.assertEqual({key: dead[key] for key in LISTED}, {key: listed[key] for key in LISTED})
        self.assertEqual(SHOWN - set(dead), set())
        self.assertEqual((dead["body"], dead["error_stack"]), (b"0", "s"))
        self.assertEqual((dead["attempts_total"], dead["deliveries_total"]), (1, 1))
        [row] = dead["history"]
        self.assertEqual(ROW - set(row), set())
        self.assertEqual((row["number"], row["consumer"], row["host"], row["build"]), (1, "w1", "h1", "b1"))
        self.assertEqual((row["outcome"], row["charged"], row["error_type"]), ("rejected", True, "E0"))
        self.assertTrue(row["leased"] <= row["started"] <= row["ended"])
        for name in ("9999", f"{self.topic}/9999", f"dlq:{self.topic}:default/9999"):
            self.refused("NOT_FOUND", client.dlq_show, self.topic, name)
        for name in ("", "x", "-1", "0", "1/2/3", "99999999999999999999999", "other/1"):
            with self.subTest(name), self.assertRaises(ShuntError) as caught:
                client.dlq_show(self.topic, name)
            self.assertIn(caught.exception.name, ("NOT_FOUND", "BAD_ARGUMENT"))

    def test_an_edited_letter_is_what_its_group_gets_and_others_get_what_was_published(self):
        client, [held] = self.kill(groups=["billing", "audit"])
        name = f"{self.topic}/{held.seq}"
        self.assertIsNone(client.dlq_show(self.topic, name, "billing")["edited"])
        first = client.dlq_edit(self.topic, name, b"mended", group="billing")
        self.refused("STALE", client.dlq_edit, self.topic, name, b"by another", group="billing")
        self.assertGreater(client.dlq_edit(self.topic, name, b"mended again", first, "billing"), first)
        shown = client.dlq_show(self.topic, name, "billing")
        self.assertEqual((shown["body"], shown["size"], shown["headers"], shown["key"]), (b"mended again", 12, {"n": "0"}, b"key"))
        self.assertEqual(shown["edit"], shown["edited"]["edit"])
        self.assertLess(abs(shown["edited"]["at"] - time.time() * 1000), 60000)
        self.assertEqual(client.request(DLQ_SHOW, self.topic, "billing", name, True)[0]["body"], b"0")
        [group] = client.why(self.topic, held.seq, "billing")["groups"]
        self.assertEqual(group["edited"], shown["edited"])
        self.refused("NOT_FOUND", client.dlq_edit, self.topic, name, b"x", group="audit")
        client.dlq_redrive(self.topic, "billing", all=True)
        worker = client.subscribe(self.topic, "billing")
        again = worker.next()
        self.assertEqual((again.message.body, again.message.headers, again.message.key), (b"mended again", {"n": "0"}, b"key"))
        self.assertEqual(client.subscribe(self.topic, "audit").next().message.body, b"0")
        self.refused("NOT_FOUND", client.dlq_edit, self.topic, name, b"x", shown["edit"], "billing")
        worker.ack(again)

    def test_an_edit_can_be_taken_back_and_is_held_to_the_limits(self):
        client, [held] = self.kill()
        name = f"{self.topic}/{held.seq}"
        self.refused("NOT_FOUND", client.dlq_edit, self.topic, name)
        self.refused("TOO_LARGE", client.dlq_edit, self.topic, name, bytes(16 * 1024 * 1024 + 1))
        self.refused("TOO_LARGE", client.dlq_edit, self.topic, name, bytes(1024 * 1024 + 1))
        edit = client.dlq_edit(self.topic, name, b"")
        self.assertEqual(client.dlq_show(self.topic, name)["body"], b"")
        self.assertEqual(client.dlq_edit(self.topic, name, None, edit), 0)
        shown = client.dlq_show(self.topic, name)
        self.assertEqual((shown["body"], shown["edit"], shown["edited"]), (b"0", None, None))

    def test_history_keeps_the_first_row_and_the_newest(self):
        client = self.create(max_attempts=30)
        client.publish(self.topic, b"x")
        subscription = client.subscribe(self.topic)
        for n in range(1, 31):
            subscription.nack(subscription.next(), None, "E", "attempt %d" % n)
        dead = client.dlq_show(self.topic, client.dlq_list(self.topic)[0][0]["id"])
        self.assertEqual((dead["attempts"], dead["deliveries"], dead["reason"]), (30, 30, "max_attempts"))
        self.assertEqual([row["number"] for row in dead["history"]], [1, *range(16, 31)])
        self.assertEqual([row["error_message"] for row in dead["history"]],
                         ["attempt %d" % n for n in (1, *range(16, 31))])
        self.assertEqual({(row["outcome"], row["charged"]) for row in dead["history"]}, {("nacked", True)})

    def test_dead_letters_are_listed_by_page(self):
        client, held = self.kill(25)
        seen, after = [], 0
        while True:
            page, more = client.dlq_list(self.topic, after=after, limit=10)
            self.assertLessEqual(len(page), 10)
            seen += page
            if not more:
                break
            after = page[-1]["seq"]
        self.assertEqual([dead["origin"] for dead in seen], [f"{self.topic}/{d.seq}" for d in held])

    def test_redrive_goes_to_the_failing_group_alone(self):
        client, held = self.kill(3, groups=["bad", "good"])
        subscription = client.subscribe(self.topic, "good")
        subscription.ack(*subscription.take(3))
        job, count = client.dlq_redrive(self.topic, "bad", all=True)
        self.assertEqual(count, 3)
        done = self.finished(client, job)
        self.assertEqual((done["kind"], done["total"], done["done"]), ("redrive", 3, 3))
        self.assertEqual((done["topic"], done["group"]), (self.topic, "bad"))
        again = client.subscribe(self.topic, "bad").take(3)
        self.assertEqual([(d.seq, d.attempts, d.generation) for d in again],
                         [(d.seq, 0, d.generation + 1) for d in held])
        client.ping()
        self.assertEqual(len(subscription.held), 0, "the other group gets nothing")
        self.assertEqual(self.counts(client, "good"), {"acked": 3})
        self.assertEqual(self.counts(client, "bad"), {"in_flight": 3})
        self.assertEqual(client.group_show(self.topic, "bad")["redriven"], 3)

    def test_history_and_totals_stay_over_a_redrive(self):
        client, [held] = self.kill()
        self.finished(client, client.dlq_redrive(self.topic, all=True)[0])
        subscription = client.subscribe(self.topic)
        subscription.reject(subscription.next(), "Again")
        [dead], _ = client.dlq_list(self.topic)
        self.assertEqual((dead["attempts"], dead["deliveries"], dead["generation"]), (1, 1, held.generation + 1))
        self.assertEqual(dead["origin"], f"{self.topic}/{held.seq}")
        self.assertEqual(dead["published"], held.published)
        dead = client.dlq_show(self.topic, dead["id"])
        self.assertEqual((dead["attempts_total"], dead["deliveries_total"]), (2, 2))
        self.assertEqual([row["error_type"] for row in dead["history"]], ["E0", "Again"])
        self.assertEqual([row["number"] for row in dead["history"]], [1, 2])

    def test_redrive_takes_ids_or_a_count(self):
        client, held = self.kill(10)
        rows = client.dlq_list(self.topic)[0]
        ids = [rows[4]["id"], rows[5]["origin"], str(rows[6]["seq"]), f"{self.topic}/99999"]
        job, count = client.dlq_redrive(self.topic, ids=ids)
        self.finished(client, job)
        left = [dead["origin"] for dead in client.dlq_list(self.topic)[0]]
        self.assertEqual(left, [row["origin"] for n, row in enumerate(rows) if n not in (4, 5, 6)])
        job, count = client.dlq_redrive(self.topic, count=2)
        self.assertEqual(count, 2)
        self.finished(client, job)
        left = [dead["origin"] for dead in client.dlq_list(self.topic)[0]]
        self.assertEqual(left, [rows[n]["origin"] for n in (2, 3, 7, 8, 9)], "the oldest go first")
        self.assertEqual(self.counts(client), {"ready": 5, "dead": 5})

    def test_redrive_of_nothing_is_no_job(self):
        client = self.create()
        self.assertEqual(client.dlq_redrive(self.topic, all=True), [0, 0])
        self.assertEqual(client.dlq_purge(self.topic, all=True), [0, 0])
        self.assertEqual(client.dlq_redrive(self.topic, count=5), [0, 0])

    def test_redrive_keeps_to_its_rate(self):
        client, _ = self.kill(10)
        begun = time.monotonic()
        job, count = client.dlq_redrive(self.topic, all=True, rate=10)
        self.assertEqual(count, 10)
        self.finished(client, job)
        self.assertGreater(time.monotonic() - begun, 0.5, "10 at 10 a second are not done at once")

    def test_purge_takes_the_chosen(self):
        client, _ = self.kill(5)
        rows = client.dlq_list(self.topic)[0]
        job, count = client.dlq_purge(self.topic, ids=[rows[1]["id"]])
        self.assertEqual(count, 1)
        self.assertEqual(self.finished(client, job)["kind"], "purge_dlq")
        job, count = client.dlq_purge(self.topic, count=1)
        self.finished(client, job)
        self.assertEqual([d["id"] for d in client.dlq_list(self.topic)[0]], [rows[n]["id"] for n in (2, 3, 4)])
        job, count = client.dlq_purge(self.topic, all=True)
        self.assertEqual(count, 3)
        self.finished(client, job)
        self.assertEqual(self.counts(client), {"purged": 5})
        self.refused("NOT_FOUND", client.dlq_show, self.topic, rows[2]["id"])

    def test_a_choice_has_exactly_one_kind(self):
        client, _ = self.kill(2)
        for which in ({}, {"all": True, "count": 1}, {"ids": ["1"], "all": True}, {"most": 5}, {"all": False},
                      {"ids": ["1"] * 1001}):
            for op, *rest in ((DLQ_REDRIVE, 0), (DLQ_PURGE,)):
                with self.subTest(which=str(which)[:30], op=op), self.assertRaises(ShuntError):
                    client.request(op, self.topic, "default", which, *rest)
        self.assertEqual(self.counts(self.connect()), {"dead": 2}, "nothing was touched")

    def test_all_that_is_false_does_not_make_one_all(self):
        client, _ = self.kill(3)
        for which in ({"count": 1, "all": False}, {"all": False, "count": 1}):
            self.assertEqual(client.dlq_purge(self.topic, **which)[1], 1, which)
        self.assertEqual(self.counts(client), {"dead": 1, "purged": 2})

    def test_a_dlq_is_consumed_like_a_topic(self):
        client, held = self.kill(2)
        dlq = f"dlq:{self.topic}:default"
        subscription = client.subscribe(dlq)
        first, second = subscription.take(2)
        self.assertEqual((first.message.body, second.message.body), (b"0", b"1"))
        self.assertEqual(LISTED - set(first.dead), set())
        self.assertEqual(first.dead["origin"], f"{self.topic}/{held[0].seq}")
        self.assertEqual(subscription.nack(first, None, "TriageFailed", "later"), {})
        self.assertEqual(subscription.ack(second), {})
        [left], _ = client.dlq_list(self.topic)
        self.assertEqual(left["origin"], f"{self.topic}/{held[0].seq}", "an ack takes it out, failing only delays it")

    def test_a_delivery_from_a_dlq_tells_the_history_to_who_asks_for_it(self):
        _, held = self.kill(2)
        plain, asking = self.connect(), self.connect(features=["none-such", "dead_history"])
        self.assertEqual((plain.info["features"], asking.info["features"]), ([], ["dead_history"]))
        dlq = f"dlq:{self.topic}:default"
        first = plain.subscribe(dlq, messages=1).next()
        self.assertEqual((SHOWN - LISTED) & set(first.dead), set(), "nobody pays for what was not asked for")
        second = asking.subscribe(dlq, messages=1).next()
        shown = asking.dlq_show(self.topic, second.dead["id"])
        self.assertEqual(second.message.body, shown.pop("body"))
        self.assertEqual(second.dead, shown)
        self.assertEqual([(row["outcome"], row["error_type"], row["error_stack"]) for row in second.dead["history"]], [("rejected", "E1", "s")])
        ordinary = asking.subscribe(self.topic, messages=1)
        asking.publish(self.topic, Message(b"alive"))
        self.assertIsNone(ordinary.next().dead)

    def test_histories_count_against_the_credit(self):
        client = self.create()
        client.publish(self.topic, *[Message(b"x") for _ in range(200)])
        worker = client.subscribe(self.topic, messages=200)
        worker.resolve(*((d.seq, d.token, 2, None, "E", "m", "s" * 10000) for d in worker.take(200)))
        dlq, bytes_max = f"dlq:{self.topic}:default", 100000
        asking = self.connect(features=["dead_history"]).subscribe(dlq, messages=200, bytes=bytes_max)
        held = asking.take(64)  # no more are assigned before it is known how large they are
        self.assertEqual(client.group_show(dlq)["in_flight"], 64, "the credit is used up")
        self.assertEqual(asking.ack(*held), {})
        self.assertEqual([len(d.dead["history"][0]["error_stack"]) for d in asking.take(64)], [10000] * 64)
        plain = self.connect().subscribe(dlq, messages=200, bytes=bytes_max)
        plain.take(200 - 64 - 64)  # more than 64: without histories they are small

    def test_a_dead_letter_is_never_diverted_again(self):
        client, _ = self.kill(1, max_attempts=2)
        subscription = client.subscribe(f"dlq:{self.topic}:default")
        for _ in range(4):
            delivery = subscription.next()
            self.assertIsNotNone(delivery)
            self.assertEqual(subscription.nack(delivery, 1), {})
        delivery = subscription.next()
        self.assertEqual(subscription.reject(delivery, "No", "no"), {})
        self.assertEqual(len(client.dlq_list(self.topic)[0]), 1)

    def test_failing_in_a_dlq_only_delays_and_its_error_is_kept_nowhere(self):
        client, _ = self.kill(1, backoff_min_ms=3600000, backoff_max_ms=3600000)
        subscription = client.subscribe(f"dlq:{self.topic}:default")
        before = client.dlq_show(self.topic, "1")
        delivery = subscription.next()
        self.assertEqual(subscription.reject(delivery, "Triage", "said the triage"), {})
        after = client.dlq_show(self.topic, "1")
        self.assertEqual(after, before)
        self.assertEqual([row["error_type"] for row in after["history"]], ["E0"])
        counts = client.group_show(f"dlq:{self.topic}:default")
        self.assertEqual((counts["delayed"], counts["dead"]), (1, 0), "it waits as after a nack")

    def test_a_dlqs_groups_are_shown_set_paused_and_purged_like_any(self):
        client, _ = self.kill(2, lease_ms=11111)
        dlq = f"dlq:{self.topic}:default"
        self.assertEqual(client.topic_show(dlq)["messages"], 2)
        self.assertEqual([group["ready"] for group in client.group_list(dlq)], [2])
        self.assertEqual(client.group_show(dlq)["policy"]["lease_ms"], 30000, "the default, not what the failing group has")
        self.assertIsNone(client.group_show(dlq)["dlq"])
        client.group_update(dlq, "default", lease_ms=22222)
        self.assertEqual(client.subscribe(dlq, messages=0).lease_ms, 22222)
        client.group_pause(dlq)
        self.assertTrue(client.group_show(dlq)["paused"])
        client.group_resume(dlq)
        held = client.subscribe(dlq, messages=1)
        self.assertIsNotNone(held.next())
        self.finished(client, client.topic_purge(dlq))
        self.assertEqual(self.counts(client), {"dead": 1, "purged": 1}, "all but what is held there")
        for call in (client.topic_update, client.topic_delete, client.topic_create):
            self.refused("RESERVED", call, dlq)

    def test_a_dlq_is_named_by_what_failed(self):
        client, _ = self.kill()
        dlq = f"dlq:{self.topic}:default"
        for call, *arguments in ((client.peek,), (client.dlq_list,), (client.dlq_show, "1")):
            self.refused("BAD_ARGUMENT", call, dlq, *arguments)
        for call in (client.dlq_redrive, client.dlq_purge):
            self.refused("BAD_ARGUMENT", call, dlq, all=True)

    def test_redrive_takes_what_a_dlqs_consumer_holds(self):
        client, _ = self.kill(2)
        subscription = client.subscribe(f"dlq:{self.topic}:default")
        held = subscription.take(2)
        subscription.started(held[0])
        self.finished(client, client.dlq_redrive(self.topic, all=True)[0])
        self.assertEqual(subscription.ack(*held), {0: 25, 1: 25}, "STALE")
        self.assertEqual(self.counts(client), {"ready": 2})
        self.assertEqual(client.group_show(f"dlq:{self.topic}:default")["redriven"], 2)

    def test_purging_dead_letters_takes_what_a_dlqs_consumer_holds(self):
        client, _ = self.kill()
        subscription = client.subscribe(f"dlq:{self.topic}:default")
        held = subscription.next()
        self.finished(client, client.dlq_purge(self.topic, all=True)[0])
        self.assertEqual(subscription.ack(held), {0: 25}, "STALE")
        self.assertEqual(self.counts(client), {"purged": 1})

    def test_suspicion_stays_over_a_redrive(self):
        """Several were started when their consumer was lost: they come alone, until one is answered; dying of something else is no answer."""
        client = self.create()
        client.publish(self.topic, *[Message(b"%d" % n, ttl=2500) for n in range(2)])
        worker = self.connect()
        subscription = worker.subscribe(self.topic, messages=2)
        subscription.started(*subscription.take(2))
        worker.ping()
        worker.close()
        self.until(lambda: self.counts(client) == {"dead": 2})  # their time to live has passed
        client.publish(self.topic, b"innocent")
        self.finished(client, client.dlq_redrive(self.topic, all=True)[0])
        subscription = self.connect().subscribe(self.topic, messages=10)
        seen = []
        while len(seen) < 3:
            delivery = subscription.next()
            subscription.client.ping()
            if delivery.message.body != b"innocent":
                self.assertEqual(len(subscription.held), 0, "alone on its connection")
            seen.append(delivery.message.body)
            self.assertEqual(subscription.ack(delivery), {})
        self.assertEqual(sorted(seen), [b"0", b"1", b"innocent"])

    def test_a_time_to_live_stands_still_while_dead_and_begins_anew_if_it_had_run_out(self):
        client = self.create()
        client.publish(self.topic, Message(b"over", ttl=1))
        self.until(lambda: self.counts(client) == {"dead": 1})
        client.publish(self.topic, Message(b"left", ttl=2000))
        subscription = client.subscribe(self.topic, messages=1)
        subscription.reject(subscription.next())
        subscription.credit(0)
        reasons = lambda: {client.dlq_show(self.topic, row["id"])["body"]: (row["reason"], row["generation"]) for row in client.dlq_list(self.topic)[0]}
        self.assertEqual(reasons()[b"over"], ("ttl_expired", 0))
        died = {row["origin"]: row["died"] for row in client.dlq_list(self.topic)[0]}
        self.finished(client, client.dlq_redrive(self.topic, all=True)[0])
        self.until(lambda: self.counts(client) == {"dead": 2})
        self.assertEqual(reasons(), {b"left": ("ttl_expired", 1), b"over": ("ttl_expired", 1)})
        again = {row["origin"]: row["died"] for row in client.dlq_list(self.topic)[0]}
        self.assertTrue(all(again[origin] > died[origin] for origin in died))

    def test_rows_of_history_say_nil_where_nobody_was(self):
        client = self.create()
        client.publish(self.topic, Message(b"x", ttl=1))
        [row] = self.until(lambda: client.dlq_list(self.topic)[0])
        [row] = client.dlq_show(self.topic, row["id"])["history"]
        self.assertEqual(row["outcome"], "ttl_expired")
        self.assertIs(row["charged"], False)
        for field in ("consumer", "host", "build", "leased", "started"):
            self.assertIsNone(row[field], field)
        self.assertIsInstance(row["ended"], int)

    def test_rows_of_a_restart_and_of_a_nameless_client(self):
        client = self.create()
        client.publish(self.topic, b"x")
        self.assertIsNotNone(client.subscribe(self.topic).next())
        self.server.restart()
        client = self.connect()
        subscription = client.subscribe(self.topic)
        subscription.reject(subscription.next())
        restart, rejected = client.dlq_show(self.topic, f"{self.topic}/1")["history"]
        self.assertEqual((restart["outcome"], rejected["outcome"]), ("broker_restart", "rejected"))
        for field in ("consumer", "host", "build", "leased", "started"):
            self.assertIsNone(restart[field], field)
        for field in ("consumer", "host", "build", "started", "error_stack"):
            self.assertIsNone(rejected[field], field)
        self.assertEqual((restart["error_type"], rejected["error_type"]), (None, "rejected"), "nothing failed; the consumer said nothing")
        self.assertIsInstance(rejected["leased"], int)

    def test_a_dlq_cannot_be_made_published_to_or_deleted(self):
        client, _ = self.kill()
        dlq = f"dlq:{self.topic}:default"
        self.refused("RESERVED", client.topic_create, dlq)
        self.refused("RESERVED", client.publish, dlq, b"x")
        with self.assertRaises(ShuntError):
            client.topic_delete(dlq)
        self.assertEqual(len(client.dlq_list(self.topic)[0]), 1)

    def test_a_dlqs_further_group_can_be_deleted_and_its_first_cannot(self):
        client, _ = self.kill(2)
        dlq = f"dlq:{self.topic}:default"
        client.group_create(dlq, "audit")
        subscription = client.subscribe(dlq)
        delivery = subscription.next()
        self.assertEqual(subscription.ack(delivery), {})
        self.assertEqual(self.counts(client), {"dead": 2}, "the audit still needs it")
        held = client.subscribe(dlq, "audit")
        self.assertIsNotNone(held.next())
        job = client.group_delete(dlq, "audit")
        self.assertEqual(self.finished(client, job)["group"], "audit")
        self.assertEqual(self.counts(client), {"dead": 1, "acked": 1})
        client.ping()
        self.assertIsNotNone(held.closed)
        self.assertEqual([group["group"] for group in client.group_list(dlq)], ["default"])
        refusal = self.refused("LAST_GROUP", client.group_delete, dlq, "default")
        self.assertIn("pause it", refusal.text)

    def test_retention_ends_a_dead_letter(self):
        client, _ = self.kill(dlq_retention_ms=1)
        self.until(lambda: not client.dlq_list(self.topic)[0])
        self.assertNotIn("dead", self.counts(client))

    def test_a_job_goes_on_after_sigkill(self):
        client, _ = self.kill(60)
        job, count = client.dlq_redrive(self.topic, all=True, rate=50)
        self.assertEqual(count, 60)
        self.until(lambda: client.job_show(job)["done"] > 0)
        self.server.restart()
        client = self.connect()
        done = self.finished(client, job)
        self.assertEqual((done["total"], done["done"]), (60, 60))
        self.assertEqual(self.counts(client), {"ready": 60})


if __name__ == "__main__":
    unittest.main()
