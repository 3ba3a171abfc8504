"""`shunt why`: a message in each state and at each end is explained: where it is, what happened, which rule and which limit decided, what comes next."""
import unittest

import harness
import wire
from cli_case import NOTHING, OK, USAGE, Case
from secure import FIRST_JOB


class Why(Case):
    def setUp(self):
        super().setUp()
        self.client = self.enterContext(wire.connect(self.server, client="worker-7", host="host-a", build="b12"))

    def topic(self, name, *settings, messages=1, groups="default", **published):
        self.shunt("topic", "create", name, "--backoff", "10ms..10ms", "--groups", groups, *settings)
        self.client.publish(name, *[wire.Message(b"m", **published) for _ in range(messages)])

    def take(self, topic, count=1, group="default"):
        subscription = self.client.subscribe(topic, group, messages=count)
        held = subscription.take(count)
        subscription.started(*held)
        return subscription, held

    def end(self, topic, how, *error, times=1, group="default"):
        """The next message of the topic is answered so, that often; `how` is a method of the subscription."""
        subscription = self.client.subscribe(topic, group, messages=1)
        for n in range(times):
            [held] = subscription.take(1)
            subscription.started(held)
            if n == times - 1:
                subscription.credit(0)
            self.assertEqual(getattr(subscription, how)(held, *error), {})
        subscription.unsubscribe()

    def why(self, name, *args):
        """The JSON of its only group."""
        [group] = self.document("why", name, *args)["groups"]
        return group

    def told(self, name, *args, code=OK):
        """What people read, each run of spaces as one."""
        return [" ".join(line.split()) for line in self.shunt("why", name, *args, code=code).stdout.splitlines()]

    def holds(self, name, *sentences):
        text = "\n".join(self.told(name))
        for sentence in sentences:
            self.assertIn(sentence, text)

    def limit(self, group, setting):
        [limit] = [row for row in group["limits"] if row["setting"] == setting]
        return limit["value"], limit["source"]


class States(Why):
    def test_ready_says_what_keeps_it(self):
        self.topic("t", messages=2)
        group = self.why("t/2")
        self.assertEqual((group["state"], group["next"], group["ready"], group["consumers"], group["history"]), ("ready", "consumer", 2, 0, []))
        self.holds("t/2", "t/2 in group default: ready", "the group has 2 messages ready and 0 consumers connected", "next nothing, until a consumer of the group connects",
                   "do shunt work t -g default -- COMMAND")
        self.shunt("group", "pause", "t", "default")
        self.assertEqual((self.why("t/2")["next"], self.why("t/2")["paused"]), ("resume", True))
        self.holds("t/2", "until the group is resumed", "do shunt group resume t default")

    def test_ready_says_which_message_of_its_key_comes_first(self):
        self.topic("t", "--order", "key", "--on-dead", "block", "--max-attempts", "1", messages=3, key="account-17")
        subscription, [held] = self.take("t")
        subscription.credit(10)
        self.eventually(lambda: self.document("group", "show", "t", "default")["parked"] == 2)
        group = self.why("t/2")
        self.assertEqual(group["waits_for"], {"message": "t/1", "state": "in_flight", "letter": None, "key": "account-17"})
        self.assertEqual((group["state"], group["next"]), ("ready", "key"))
        self.holds("t/2", "next nothing, until it is its turn: t/1, of the same key, is in flight", "do shunt why t/1 -g default")
        subscription.reject(held)
        group = self.why("t/3")
        self.assertEqual(group["waits_for"], {"message": "t/1", "state": "dead", "letter": "dlq:t:default/1", "key": "account-17"})
        self.holds("t/3", "t/1, of the same key, is dead and holds the key", "do shunt dlq show t dlq:t:default/1", "do shunt dlq redrive t --key account-17",
                   "do shunt dlq purge t dlq:t:default/1")
        shown = self.document("group", "show", "t", "default")
        self.assertEqual((shown["blocked_keys"], shown["blocked_messages"], shown["parked"]), (1, 2, 2))
        self.assertEqual(shown["oldest_blocked"], shown["oldest_dead"])
        self.shunt("dlq", "redrive", "t", "--key", "account-17")
        [held] = subscription.take(1)
        self.assertEqual((held.seq, self.why("t/1")["waits_for"]), (1, None))
        self.assertEqual(self.why("t/2")["waits_for"]["state"], "in_flight")
        self.assertIsNone(self.document("group", "show", "t", "default")["oldest_blocked"])

    def test_in_flight_says_who_holds_it_and_until_when(self):
        self.topic("t", "--lease", "1h")
        self.take("t")
        group = self.why("t/1")
        holder = group["holder"]
        self.assertEqual((group["state"], group["next"], group["deliveries"], group["attempts"]), ("in_flight", "answer", 1, 0))
        self.assertEqual((holder["consumer"], holder["host"], holder["build"], holder["silent"]), ("worker-7", "host-a", "b12", False))
        self.assertTrue(holder["leased"] and holder["started"] and holder["until"] == group["until"] and holder["peer"].startswith("127.0.0.1"))
        self.assertEqual(self.limit(group, "lease_ms"), (3600000, "topic"))
        self.holds("t/1", "handed out to worker-7 on host-a (build b12), from 127.0.0.1", "delivery 1; its handler runs",
                   "its lease ends (lease 1h, set by the topic), which is charged", "attempt 1 (max-attempts 5, the default)")

    def test_delayed_after_a_failure_and_by_its_publisher(self):
        self.topic("t", "--max-attempts", "7", ttl=3600000)
        self.end("t", "nack", 600000, "KeyError", "no such order")
        group = self.why("t/1")
        [row] = group["history"]
        self.assertEqual((group["state"], group["next"], group["attempts"], row["outcome"], row["charged"]), ("delayed", "due", 1, "nacked", True))
        self.assertTrue(group["until"] and group["expires"])
        self.holds("t/1", "handed out to worker-7 on host-a (build b12)", "KeyError: no such order",
                   "charged as attempt 1 (max-attempts 7, set by the topic): its handler said that it failed", "delayed until",
                   "backoff-min 10ms, set by the topic", "its time to live is over at")
        self.topic("s", delay=600000)
        self.assertEqual((self.why("s/1")["state"], self.document("why", "s/1")["due"] is not None), ("delayed", True))
        self.holds("s/1", "scheduled for", "next it is ready then")

    def test_dead_with_its_rule_its_cause_and_what_to_do(self):
        self.topic("t", groups="billing")
        self.shunt("group", "update", "t", "billing", "--max-attempts", "2", "--dlq-retention", "30d")
        self.end("t", "nack", 0, "KeyError", "no such order", times=2, group="billing")
        group = self.why("t/1")
        death = group["death"]
        self.assertEqual((group["state"], group["next"], death["reason"], death["cause_state"], death["attended"]), ("dead", "triage", "max_attempts", "new", False))
        self.assertEqual((death["id"], self.limit(group, "max_attempts"), self.limit(group, "lease_ms")), ("dlq:t:billing/1", (2, "group"), (30000, "default")))
        self.holds("t/1", "charged as attempt 2 (max-attempts 2, set by the group)",
                   "died, because it had failed as often as it may (max-attempts 2, set by the group): dead letter dlq:t:billing/1",
                   "of cause " + death["cause"] + " (new): KeyError", "nobody has looked at it", "it is dropped at", "dlq-retention 30d, set by the group",
                   f"do shunt dlq cause t {death['cause']} -g billing", "do shunt dlq redrive t dlq:t:billing/1 -g billing")
        self.assertEqual(self.told("dlq:t:billing/1"), self.told("t/1"), "its name in the DLQ does too")
        self.assertEqual(self.why("t/1")["death"]["attended"], False, "to explain it is no look at the dead letter")

    def test_suspects_after_a_lost_connection(self):
        self.topic("t", messages=2)
        with wire.connect(self.server, client="killer") as other:
            subscription = other.subscribe("t", messages=2)
            subscription.started(*subscription.take(2))
            other.close()
        wire.until(lambda: self.why("t/2")["state"] == "ready")
        group = self.why("t/2")
        self.assertEqual((group["suspect"], group["attempts"], group["history"][0]["outcome"]), (True, 0, "suspected"))
        self.holds("t/2", "handed out to killer", "not charged: the connection was lost while several messages were being handled")
        self.client.subscribe("t", messages=0)
        self.assertEqual(self.why("t/2")["next"], "alone")

    def test_each_group_has_its_own_story(self):
        self.topic("t", groups="one,two")
        self.end("t", "reject", "E", "broken", group="one")
        groups = {group["group"]: group["state"] for group in self.document("why", "t/1")["groups"]}
        self.assertEqual(groups, {"one": "dead", "two": "ready"})
        self.assertEqual(self.why("t/1", "-g", "two")["state"], "ready")
        self.assertIn("t/1 in group two: ready", self.told("t/1"))

    def test_what_never_was(self):
        self.topic("t")
        self.shunt("group", "create", "t", "late", "--from", "now")
        self.assertEqual([group["state"] for group in self.document("why", "t/9", code=NOTHING)["groups"]], ["not_yet", "not_yet"])
        self.assertIn("now no message of this number has been published yet", self.told("t/9", code=NOTHING))
        self.assertIn("now not this group's: it was published before the group was made, or the group begins later", self.told("t/1", "-g", "late", code=NOTHING))
        for wrong in ("t", "t/", "/1", "t/x", "t/1x"):
            self.shunt("why", wrong, code=USAGE)
        self.shunt("why", "none/1", code=1)
        self.shunt("why", "t/1", "-g", "none", code=1)
        self.assertIn("name the message by its origin", self.shunt("why", "dlq:t:default/9", code=NOTHING).stderr)


class Ends(Why):
    def test_acked_after_a_failure_says_by_whom(self):
        self.topic("t")
        self.end("t", "nack", 0, "E", "once")
        self.end("t", "ack")
        document = self.document("why", "t/1")
        [group] = document["groups"]
        self.assertEqual((group["state"], group["end"]["how"], group["end"]["consumer"], len(group["history"])), ("done", "acked", "worker-7", 1))
        self.assertTrue(group["since"] and group["until"] and document["published"])
        self.assertEqual((document["stored"], group["attempts"], group["deliveries"]), (False, 1, 2))
        self.holds("t/1", "E: once", "acknowledged by worker-7 on host-a (build b12)", "this is forgotten at", "history-after 1h, the default")

    def test_acked_at_once_is_forgotten_and_says_which_setting_would_keep_it(self):
        self.topic("t", messages=2)
        self.end("t", "ack")
        group = self.why("t/1")
        self.assertEqual((group["state"], group["end"], group["history"]), ("done", None, []))
        self.holds("t/1", "now done", "remembered for history-after 1h, the default after its end", "do shunt group update t default --history-after D")
        self.shunt("topic", "update", "t", "--history-after", "0")
        self.end("t", "nack", 0, "E", "once")
        self.end("t", "ack")
        self.assertEqual((self.why("t/2")["end"], self.why("t/2")["history"]), (None, []), "0 keeps none")

    def test_redriven_failed_again_and_acked_is_one_story(self):
        self.topic("t", "--max-attempts", "1")
        self.end("t", "nack", 0, "E", "first")
        for _ in range(2):
            self.shunt("dlq", "redrive", "t", "--all")
            self.end("t", "nack", 0, "E", "again")
        self.shunt("dlq", "redrive", "t", "--all")
        self.end("t", "ack")
        group = self.why("t/1")
        self.assertEqual(([row["generation"] for row in group["history"]], group["generation"], group["attempts_total"]), ([0, 1, 2], 3, 3))
        self.assertEqual([row["job"] for row in group["history"]], [None, FIRST_JOB, FIRST_JOB + 1])
        self.assertEqual(group["redrive"], {"job": FIRST_JOB + 2, "rule": None, "outcome": "acked", "filter": {}})
        told = self.told("t/1")
        begun = [told.index(f"died, and was redriven by job {FIRST_JOB + n - 1}: generation {n} begins, with attempts 0") for n in (1, 2, 3)]
        self.assertIn(f"job {FIRST_JOB + 2} counts it as acked (`shunt redrive show {FIRST_JOB + 2}`)", told)
        self.assertEqual(begun, sorted(begun))
        self.assertLess(begun[2], [n for n, line in enumerate(told) if "acknowledged by" in line][0])

    def test_what_came_of_it_for_the_redrive_that_brought_it_back(self):
        self.topic("t", "--max-attempts", "2")
        self.end("t", "reject", "E", "for good")
        cause = self.why("t/1")["death"]["cause"]
        self.assertIsNone(self.why("t/1")["redrive"])
        self.shunt("dlq", "redrive", "t", "--cause", cause, "--no-wait")
        wire.until(lambda: self.why("t/1")["state"] == "ready")
        self.assertEqual((self.why("t/1")["redrive"]["job"], self.why("t/1")["redrive"]["filter"]["cause"]), (FIRST_JOB, cause))
        self.holds("t/1", f"job {FIRST_JOB}, which takes cause {cause}, has no outcome of it yet")
        self.end("t", "nack", 600000, "E", "for good")
        self.assertEqual(self.why("t/1")["redrive"]["outcome"], "failed_same")
        self.holds("t/1", "counts it as failed: again of the cause that it had died of")
        self.shunt("topic", "purge", "t", "-y")
        self.assertEqual(self.why("t/1")["redrive"]["outcome"], "failed_same", "the first outcome stays, unless it is acked")
        self.topic("s")
        self.end("s", "reject", "E", "for good")
        self.shunt("dlq", "redrive", "s", "--all")
        self.shunt("topic", "purge", "s", "-y")
        self.holds("s/1", "counts it as gone", "purged by an operator")

    def test_purged_discarded_and_expired(self):
        self.topic("purged", messages=2)
        self.end("purged", "nack", 0, "E", "once")
        self.shunt("topic", "purge", "purged", "-y")
        self.assertEqual(self.why("purged/1")["end"]["how"], "purged")
        self.holds("purged/1", "E: once", "purged by an operator")

        self.topic("discarded", "--expired", "discard", ttl=300)
        self.end("discarded", "nack", 600000, "E", "once")
        wire.until(lambda: self.why("discarded/1")["state"] == "done")
        self.assertEqual(self.why("discarded/1")["end"]["how"], "discarded")
        self.holds("discarded/1", "its time to live was over and the group discards such messages")

        self.topic("expired", "--dlq-retention", "1s", ttl=1)
        wire.until(lambda: self.why("expired/1")["state"] == "done")
        group = self.why("expired/1")
        self.assertEqual((group["end"]["how"], group["death"]["reason"], group["history"][0]["outcome"]), ("expired", "ttl_expired", "ttl_expired"))
        self.holds("expired/1", "not charged: nobody had it when its time to live was over", "died, because its time to live was over before anybody had it",
                   "dropped by the retention of its DLQ (dlq-retention 1s, set by the topic)")

    def test_the_story_is_the_same_after_a_restart(self):
        self.topic("t", messages=3)
        self.end("t", "nack", 0, "E", "once")
        self.end("t", "ack")
        self.end("t", "reject", "E", "for good")
        before = [self.told(f"t/{n}") for n in (1, 2)]
        self.take("t")
        self.server.kill()
        self.server.start()
        self.assertEqual([self.told(f"t/{n}") for n in (1, 2)], before)
        wire.until(lambda: self.why("t/3")["history"])
        self.assertEqual(self.why("t/3")["history"][0]["outcome"], "broker_restart")
        self.holds("t/3", "the broker restarted", "not charged: a restart of the broker is no fault of the message")


if __name__ == "__main__":
    harness.main()
