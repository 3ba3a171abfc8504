"""Sections 6 and 7 of the page: redrives with a filter, a canary, a bound on failures and a spread; jobs listed, paused and resumed."""

import unittest

from client import DLQ_REDRIVE, Message
from server import WireTest

OUTCOMES = ("pending", "acked", "failed_same", "failed_other", "gone", "moved")


class Redrive(WireTest):
    settings = "resume-wait: 0ms\n"

    def kill(self, *types, **policy):
        """A client, and a dead letter for each type, in order."""
        client = self.create(**policy)
        client.publish(self.topic, *[Message(b"%d" % n, {"n": str(n)}, b"key%d" % (n % 2)) for n in range(len(types))])
        subscription = client.subscribe(self.topic, messages=len(types))
        held = subscription.take(len(types))
        subscription.resolve(*((d.seq, d.token, 2, None, types[n], "as planted", None) for n, d in enumerate(held)))
        subscription.credit(0)
        self.subscription = subscription
        return client

    def dead(self, client):
        return [row["error_type"] for row in client.dlq_list(self.topic)[0]]

    def in_phase(self, client, job, phase):
        return self.until(lambda: (shown := client.job_show(job))["phase"] == phase and shown)

    def outcomes(self, shown):
        return {name: count for name, count in shown["outcomes"].items() if count}

    def test_a_filter_takes_what_it_lets_through(self):
        client = self.kill("A", "B", "A", "B")
        cause = {row["title"].split(":")[0]: row["cause"] for row in client.dlq_causes(self.topic)}
        job, count = client.dlq_redrive(self.topic, matching=10, options={"cause": cause["A"]})
        self.assertEqual(count, 2)
        shown = self.in_phase(client, job, "draining")
        self.assertEqual((shown["state"], shown["total"], shown["done"], shown["filter"]["cause"]), ("done", 2, 2, cause["A"]))
        self.assertEqual(self.outcomes(shown), {"pending": 2})
        self.assertEqual(self.dead(client), ["B", "B"])
        job, count = client.dlq_purge(self.topic, matching=2**64 - 1, filter={"header": ["n", "1"], "key": b"key1"})
        self.until(lambda: client.job_show(job)["state"] == "done")
        self.assertEqual(client.job_show(job)["done"], 1)
        self.assertEqual([row["headers"]["n"] for row in client.dlq_list(self.topic)[0]], ["3"])
        for options in ({"type": "A"}, {"match": "nothing like it"}, {"reason": "corrupt"}, {"since": 2**62}):
            job, _ = client.dlq_redrive(self.topic, matching=10, options=options)
            self.assertEqual(self.in_phase(client, job, "done")["done"], 0, options)

    def test_options_are_within_their_bounds_and_known(self):
        client = self.kill("A")
        for options, word in (({"canary": 1000001}, "canary"), ({"max_fail": 1001}, "max_fail"), ({"spread_ms": 86400001}, "spread"),
                              ({"match": "m" * 257}, "256"), ({"cause": "x"}, "hexadecimal"), ({"reason": "x"}, "reason"),
                              ({"canary": 1, "shrink": 1}, "does not know")):
            with self.subTest(options=str(options)[:40]):
                code = "TOO_LARGE" if word == "256" else "BAD_ARGUMENT"
                self.assertIn(word, self.refused(code, client.dlq_redrive, self.topic, matching=1, options=options).text)
        self.assertEqual(self.dead(client), ["A"], "nothing was touched")
        client.request(DLQ_REDRIVE, self.topic, "default", {"matching": 1}, None, {"canary": 1000000, "max_fail": 1000, "spread_ms": 86400000})

    def test_a_canary_that_fails_stops_the_job(self):
        client = self.kill("A", "A", "A")
        job, _ = client.dlq_redrive(self.topic, all=True, options={"canary": 1})
        self.in_phase(client, job, "canary")
        self.subscription.credit(10)
        delivery = self.subscription.next()
        self.subscription.reject(delivery, "A", "as planted")
        shown = self.in_phase(client, job, "stopped")
        self.assertEqual((shown["state"], shown["done"]), ("done", 1))
        self.assertEqual(self.outcomes(shown), {"failed_same": 1})
        self.assertIn(f"the canary {self.topic}/1 failed of the same cause", shown["why"])
        self.assertEqual(len(self.dead(client)), 3)

    def test_a_canary_that_is_acked_lets_the_rest_follow(self):
        client = self.kill(*"AAAAA")
        job, _ = client.dlq_redrive(self.topic, all=True, options={"canary": 1})
        self.subscription.credit(10)
        self.subscription.ack(self.subscription.next())
        self.in_phase(client, job, "ramp")
        self.subscription.ack(*self.subscription.take(2))
        self.subscription.ack(*self.subscription.take(2))
        shown = self.in_phase(client, job, "done")
        self.assertEqual(self.outcomes(shown), {"acked": 5})
        self.assertEqual(set(shown["outcomes"]), set(OUTCOMES))

    def test_too_many_failures_stop_it_and_it_says_why(self):
        client = self.kill(*"AAAAAAAAAA")
        job, _ = client.dlq_redrive(self.topic, all=True, rate=1, options={"max_fail": 250})
        self.subscription.credit(10)
        self.subscription.reject(self.subscription.next(), "B", "another one")
        shown = self.in_phase(client, job, "stopped")
        self.assertEqual(shown["why"], f"1 of 1 failed again, which is more than 25%; the last was {self.topic}/1")
        self.assertEqual(self.outcomes(shown), {"failed_other": 1})

    def test_two_at_the_same_letters_are_refused_by_name(self):
        client = self.kill("A", "A", "B")
        job, _ = client.dlq_redrive(self.topic, all=True, options={"canary": 1})
        self.assertIn(f"job {job} ", self.refused("TOO_MANY", client.dlq_redrive, self.topic, count=1).text)
        self.assertIn(f"job {job} ", self.refused("TOO_MANY", client.dlq_purge, self.topic, ids=["3"]).text)
        client.job_cancel(job)
        self.assertEqual(client.job_show(job)["phase"], "cancelled")
        client.dlq_purge(self.topic, ids=["3"])

    def test_a_job_is_paused_over_a_restart_and_resumed(self):
        client = self.kill(*"AAA")
        job, _ = client.dlq_redrive(self.topic, all=True, rate=1)
        client.job_pause(job)
        self.server.restart()
        client = self.connect()
        shown = client.job_show(job)
        self.assertEqual((shown["state"], shown["phase"], shown["done"]), ("running", "paused", 1))
        client.job_resume(job)
        self.until(lambda: client.job_show(job)["state"] == "done")
        self.refused("BAD_ARGUMENT", client.job_resume, job)
        self.refused("NOT_FOUND", client.job_pause, 999999)

    def test_jobs_are_listed_by_page(self):
        client = self.kill(*"AAAA")
        jobs = [client.dlq_redrive(self.topic, ids=[str(n)])[0] for n in (1, 2, 3)]
        page, more = client.job_list(after=jobs[0] - 1, limit=2)
        self.assertEqual(([job["job"] for job in page], more), (jobs[:2], True))
        page, more = client.job_list(after=jobs[1])
        self.assertEqual(([job["job"] for job in page], more), (jobs[2:], False))
        self.assertEqual(page[0], client.job_show(jobs[2]))
        self.assertEqual(client.job_list(after=2**64 - 1), [[], False])

    def test_letters_are_moved_to_another_topic_as_new_messages(self):
        client = self.kill("A", "B", "A")
        self.other = self.topic + "-parking"
        client.topic_create(self.other)
        job, count = client.dlq_redrive(self.topic, matching=10, options={"type": "A", "to": self.other})
        shown = self.in_phase(client, job, "done")
        self.assertEqual((count, shown["done"], shown["to"]), (3, 2, self.other))
        self.assertEqual(self.outcomes(shown), {"moved": 2})
        self.assertEqual(self.dead(client), ["B"])
        subscription = client.subscribe(self.other)
        first, second = subscription.take(2)
        self.assertEqual((first.message.body, first.message.key, first.message.headers), (b"0", b"key0", {"n": "0", "shunt-origin": f"{self.topic}/1"}))
        self.assertEqual((second.message.body, second.message.headers["shunt-origin"]), (b"2", f"{self.topic}/3"))
        self.assertEqual(first.attempts, 0)
        group = client.group_show(self.topic)
        self.assertEqual((group["moved"], group["redriven"], group["dead"]), (2, 0, 1))
        end = client.why(self.topic, 1)["groups"][0]["end"]
        self.assertEqual((end["how"], end["moved_to"]), ("moved", f"{self.other}/1"))

    def test_a_topic_that_cannot_take_letters_is_refused_or_pauses_the_job(self):
        client = self.kill("A", "A")
        for to, code in ((self.topic, "BAD_ARGUMENT"), (f"dlq:{self.topic}:default", "RESERVED"), ("nowhere", "UNKNOWN_TOPIC"), ("n" * 101, "BAD_NAME")):
            self.refused(code, client.dlq_redrive, self.topic, matching=1, options={"to": to})
        self.other = self.topic + "-small"
        client.topic_create(self.other, max_messages=1)
        job, _ = client.dlq_redrive(self.topic, all=True, options={"to": self.other})
        shown = self.in_phase(client, job, "paused")
        self.assertEqual((shown["done"], len(self.dead(client))), (1, 1))
        self.assertIn(f"topic {self.other} has as much as it may", shown["why"])
        client.topic_update(self.other, max_messages=2)
        client.job_resume(job)
        self.assertEqual(self.in_phase(client, job, "done")["why"], None)

    def test_a_job_is_held_until_a_consumer_of_another_build_comes(self):
        client = self.kill("A", "A")
        job, _ = client.dlq_redrive(self.topic, all=True, options={"canary": 1, "hold_for_build": ""})
        shown = self.in_phase(client, job, "held")
        self.assertEqual((shown["hold_for_build"], shown["why"], shown["done"]), ("", "waits for a consumer of another build than those that failed", 0))
        self.server.restart()
        nameless = self.connect()
        nameless.subscribe(self.topic)
        self.assertEqual(nameless.job_show(job)["phase"], "held")
        mended = self.connect(build="mended").subscribe(self.topic, messages=1)
        self.in_phase(nameless, job, "canary")
        second = nameless.job_show(job)
        self.assertEqual((second["why"], second["done"]), (None, 1))
        del mended

    def test_a_job_is_held_for_the_build_that_is_named_and_begins_at_once_if_it_is_there(self):
        client = self.kill("A")
        self.connect(build="v8").subscribe(self.topic, messages=1)
        job, _ = client.dlq_redrive(self.topic, all=True, options={"hold_for_build": "v9"})
        self.assertEqual(client.job_show(job)["why"], "waits for a consumer of build v9")
        client.job_cancel(job)
        job, _ = client.dlq_redrive(self.topic, all=True, options={"hold_for_build": "v8"})
        self.in_phase(client, job, "draining")
        self.assertIn("128", self.refused("TOO_LARGE", client.dlq_redrive, self.topic, all=True, options={"hold_for_build": "b" * 129}).text)

    def test_a_spread_brings_them_back_by_and_by(self):
        client = self.kill(*"A" * 50)
        client.dlq_redrive(self.topic, all=True, options={"spread_ms": 86400000})
        shown = client.group_show(self.topic)
        self.assertEqual((shown["dead"], shown["ready"] + shown["delayed"]), (0, 50))
        self.assertGreater(shown["delayed"], 40)


if __name__ == "__main__":
    unittest.main()
