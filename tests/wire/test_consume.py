"""Section 4 of the page: subscriptions, credit, leases, and what each end of a delivery counts."""

import time
import unittest

from client import ACK, CREDIT, EXTEND, PEEK, RELEASE, SUBSCRIBE, TOPIC_DELETE, Message, ShuntError, SubscriptionClosed, frame
from server import WireTest

BAD_ARGUMENT, STALE = 5, 25


class Credit(WireTest):
    def test_a_window_of_messages_is_kept(self):
        client = self.create()
        client.publish(self.topic, *[b"%d" % n for n in range(10)])
        subscription = client.subscribe(self.topic, messages=3)
        held = subscription.take(3)
        client.ping()
        self.assertEqual(len(subscription.held), 0, "no more than the window")
        self.assertEqual(self.counts(client), {"ready": 7, "in_flight": 3})
        subscription.ack(held[1])
        held.append(subscription.next())
        self.assertEqual([d.message.body for d in held], [b"0", b"1", b"2", b"3"])
        client.ping()
        self.assertEqual(len(subscription.held), 0)

    def test_credit_for_what_the_frame_before_it_deleted(self):
        client = self.create()
        sub = client.subscribe(self.topic).sub
        client.send_bytes(frame(TOPIC_DELETE, 101, self.topic) + frame(CREDIT, 102, sub, 5, 1000))
        client.waiting.extend((101, 102))
        client.reply(101)
        with self.assertRaises(ShuntError) as caught:
            client.reply(102)
        self.assertEqual(caught.exception.name, "NOT_FOUND")
        client.ping()

    def test_credit_replaces_the_window(self):
        client = self.create()
        client.publish(self.topic, *[b"x"] * 10)
        subscription = client.subscribe(self.topic, messages=0)
        client.ping()
        self.assertEqual(self.counts(client), {"ready": 10}, "a window of 0 pauses")
        subscription.credit(2)
        held = subscription.take(2)
        subscription.credit(1)
        subscription.ack(held[0])
        client.ping()
        self.assertEqual(self.counts(client), {"ready": 8, "in_flight": 1, "acked": 1})
        subscription.credit(5)
        self.assertEqual(len(subscription.take(4)), 4)

    def test_a_window_of_bytes_is_kept(self):
        client = self.create()
        client.publish(self.topic, *[b"x" * 1000] * 10)
        subscription = client.subscribe(self.topic, messages=100, bytes=3500)
        first = subscription.next()
        client.ping()
        held = 1 + len(subscription.held)
        self.assertLessEqual(held, 4, "fewer than 3500 bytes were held when the last one was handed out")
        self.assertGreaterEqual(held, 3)
        self.assertEqual(first.message.body, b"x" * 1000)

    def test_a_message_larger_than_the_window_comes_alone(self):
        client = self.create()
        client.publish(self.topic, b"x" * 5000, b"y" * 5000)
        subscription = client.subscribe(self.topic, messages=10, bytes=100)
        held = subscription.next()
        client.ping()
        self.assertEqual(len(subscription.held), 0)
        subscription.ack(held)
        self.assertEqual(subscription.next().message.body, b"y" * 5000)

    def test_members_of_a_group_share_and_groups_do_not(self):
        client = self.create(groups=["one", "two"])
        client.publish(self.topic, *[b"%d" % n for n in range(20)])
        first = client.subscribe(self.topic, "one", messages=10)
        second = self.connect().subscribe(self.topic, "one", messages=10)
        other = client.subscribe(self.topic, "two", messages=20)
        halves = [d.message.body for d in first.take(10) + second.take(10)]
        self.assertEqual(sorted(halves, key=int), [b"%d" % n for n in range(20)])
        self.assertEqual([d.message.body for d in other.take(20)], [b"%d" % n for n in range(20)])

    def test_unsubscribing_gives_back_uncharged(self):
        client = self.create()
        client.publish(self.topic, *[b"%d" % n for n in range(5)])
        subscription = client.subscribe(self.topic)
        held = subscription.take(5)
        subscription.started(*held)
        subscription.unsubscribe()
        again = client.subscribe(self.topic)
        self.assertNotEqual(again.sub, subscription.sub)
        got = again.take(5)
        self.assertEqual([(d.seq, d.attempts, d.deliveries) for d in got], [(d.seq, 0, 2) for d in held])

    def test_what_is_not_there_cannot_be_subscribed_to(self):
        client = self.create()
        self.refused("UNKNOWN_TOPIC", client.subscribe, "not-there")
        self.refused("UNKNOWN_GROUP", client.subscribe, self.topic, "not-there")
        self.refused("UNKNOWN_TOPIC", client.subscribe, "dlq:not-there:default")
        with self.assertRaises(ShuntError):
            client.request(CREDIT, 4711, 1, 1)

    def test_subscriptions_of_a_connection_are_limited(self):
        client = self.create()
        ids = [client.send(SUBSCRIBE, self.topic, "default", 0, 0) for _ in range(1024)]
        self.assertEqual(len({client.reply(id)[0] for id in ids}), 1024)
        error = self.refused("TOO_MANY", client.subscribe, self.topic)
        self.assertTrue(error.retry)
        self.connect().subscribe(self.topic)

    def test_deleting_closes_subscriptions(self):
        client = self.create(groups=["one", "two"])
        one, two = client.subscribe(self.topic, "one"), client.subscribe(self.topic, "two")
        admin = self.connect()
        admin.publish(self.topic, b"x")
        held = one.next()
        admin.group_delete(self.topic, "one")
        with self.assertRaises(SubscriptionClosed) as closed:
            one.next()
        self.assertEqual(closed.exception.code, 21, "UNKNOWN_GROUP")
        two.next()
        admin.topic_delete(self.topic)
        with self.assertRaises(SubscriptionClosed) as closed:
            two.next()
        self.assertEqual(closed.exception.code, 20, "UNKNOWN_TOPIC")
        self.assertIsNotNone(held)
        client.ping()

    def test_a_paused_group_hands_out_nothing(self):
        client = self.create()
        client.group_pause(self.topic)
        client.publish(self.topic, b"x")
        subscription = client.subscribe(self.topic)
        client.ping()
        self.assertEqual(self.counts(client), {"ready": 1})
        self.assertTrue(client.group_show(self.topic)["paused"])
        client.group_resume(self.topic)
        self.assertEqual(subscription.next().message.body, b"x")


class Outcomes(WireTest):
    def one(self, body=b"x", **policy):
        """A client that holds the only message of its topic."""
        client = self.create(**policy)
        client.publish(self.topic, body)
        subscription = client.subscribe(self.topic, messages=10)
        return client, subscription, subscription.next()

    def test_a_delivery_says_what_it_is(self):
        before = int(time.time() * 1000) - 1000
        client, subscription, delivery = self.one(lease_ms=12345)
        self.assertEqual((delivery.attempts, delivery.deliveries, delivery.lease_ms), (0, 1, 12345))
        self.assertEqual(subscription.lease_ms, 12345)
        self.assertIsInstance(delivery.generation, int)
        self.assertTrue(before <= delivery.published <= before + 60000)
        self.assertIsNone(delivery.dead)

    def test_ack_is_the_end(self):
        client, subscription, delivery = self.one()
        self.assertEqual(subscription.ack(delivery), {})
        self.assertEqual(self.counts(client), {"acked": 1})

    def test_nack_charges_and_comes_again(self):
        client, subscription, delivery = self.one(max_attempts=3)
        for attempt in (1, 2):
            self.assertEqual(subscription.nack(delivery, None, "E", "text", "stack"), {})
            delivery = subscription.next()
            self.assertEqual((delivery.attempts, delivery.deliveries), (attempt, attempt + 1))
        subscription.nack(delivery, 3600000, "Last", "words")
        self.assertEqual(self.counts(client), {"dead": 1}, "max_attempts counts, whatever delay was asked for")
        dead = client.dlq_list(self.topic)[0][0]
        self.assertEqual((dead["reason"], dead["attempts"], dead["deliveries"]), ("max_attempts", 3, 3))
        self.assertEqual((dead["error_type"], dead["error_message"]), ("Last", "words"))

    def test_nack_with_a_delay_waits_as_long(self):
        client, subscription, delivery = self.one()
        subscription.nack(delivery, 3600000)
        self.assertEqual(self.counts(client), {"delayed": 1})
        peeked = client.peek(self.topic)[0][0]
        self.assertEqual((peeked["state"], peeked["attempts"]), ("delayed", 1))
        self.assertTrue(3500000 < peeked["due"] - time.time() * 1000 < 3700000)

    def test_reject_is_dead_at_once(self):
        client, subscription, delivery = self.one()
        subscription.reject(delivery, "BadInput", "no")
        self.assertEqual(self.counts(client), {"dead": 1})
        self.assertEqual(client.dlq_list(self.topic)[0][0]["reason"], "rejected")

    def test_release_comes_again_uncharged_and_in_front(self):
        client, subscription, delivery = self.one()
        client.publish(self.topic, b"y")
        subscription.take(1)
        subscription.credit(0)
        client.publish(self.topic, b"z")
        subscription.release(delivery)
        subscription.credit(2)
        again = subscription.next()
        self.assertEqual((again.message.body, again.attempts, again.deliveries), (b"x", 0, 2))
        self.assertNotEqual(again.token, delivery.token)

    def test_release_with_a_delay_lets_others_go_first(self):
        client, subscription, delivery = self.one()
        client.publish(self.topic, b"y")
        self.assertEqual(subscription.resolve((delivery.seq, delivery.token, RELEASE, 50)), {})
        first, again = subscription.take(2)
        self.assertEqual([first.message.body, again.message.body], [b"y", b"x"])
        self.assertEqual((again.attempts, again.deliveries), (0, 2))
        self.assertEqual(subscription.resolve((again.seq, again.token, RELEASE, 1 << 62)), {0: BAD_ARGUMENT})

    def test_extend_keeps_the_lease(self):
        client, subscription, delivery = self.one(lease_ms=1000)
        self.assertEqual(subscription.extend(delivery, 60000), {})
        ends = time.monotonic() + 1.5
        while time.monotonic() < ends:
            self.assertIsNone(subscription.next(timeout=0.1))
        self.assertEqual(subscription.ack(delivery), {}, "it is still held")

    def test_an_old_token_has_no_effect_and_is_told(self):
        client, subscription, delivery = self.one()
        self.assertEqual(subscription.resolve((delivery.seq, delivery.token + 1, ACK)), {0: STALE})
        self.assertEqual(subscription.resolve((delivery.seq + 1, delivery.token, ACK)), {0: STALE})
        other = client.subscribe(self.topic)
        self.assertEqual(other.ack(delivery), {0: STALE}, "another subscription does not hold it")
        self.assertEqual(subscription.resolve((delivery.seq, 2**64 - 1, EXTEND, 5)), {0: STALE})
        self.assertEqual(self.counts(client), {"in_flight": 1})
        self.assertEqual(subscription.release(delivery), {})
        again = subscription.next(timeout=0.2) or other.next()
        self.assertEqual(subscription.ack(delivery), {0: STALE})
        self.assertEqual(again.seq, delivery.seq)

    def test_an_answer_may_be_given_once(self):
        client, subscription, delivery = self.one()
        answers = subscription.resolve(*[(delivery.seq, delivery.token, outcome) for outcome in (ACK, 1, 2, 3, ACK)])
        self.assertEqual(answers, {1: STALE, 2: STALE, 3: STALE, 4: STALE})
        self.assertEqual(self.counts(client), {"acked": 1})

    def test_many_answers_in_one_frame(self):
        client = self.create()
        client.publish(self.topic, *[b"%d" % n for n in range(1000)])
        subscription = client.subscribe(self.topic, messages=1000)
        held = subscription.take(1000)
        entries = [(d.seq, d.token + (n % 10 == 0), ACK) for n, d in enumerate(held)]
        self.assertEqual(subscription.resolve(*entries), {n: STALE for n in range(0, 1000, 10)})
        self.assertEqual(self.counts(client), {"in_flight": 100, "acked": 900})

    def test_error_fields_are_cut_not_refused(self):
        client, subscription, delivery = self.one()
        subscription.reject(delivery, "t" * 200, "\u20ac" * 1000, "head" + "s" * 20000 + "tail")
        dead = client.dlq_show(self.topic, client.dlq_list(self.topic)[0][0]["id"])
        self.assertEqual(dead["error_type"], "t" * 128)
        self.assertEqual(dead["error_message"], "\u20ac" * 341, "cut between characters")
        self.assertEqual(len(dead["error_stack"]), 16384)
        self.assertTrue(dead["error_stack"].endswith("tail"))

    def test_wrong_outcomes_change_nothing(self):
        client, subscription, delivery = self.one()
        for entry in ((delivery.seq, delivery.token, 99), (delivery.seq, delivery.token, EXTEND, 0)):
            with self.subTest(entry=entry[2:]):
                try:
                    self.assertEqual(list(subscription.resolve(entry)), [0])
                except ShuntError as error:
                    self.assertEqual(error.name, "BAD_ARGUMENT")
        self.assertEqual(subscription.ack(delivery), {})


class WhatCounts(WireTest):
    """The page: a lease that runs out, or a connection that is lost, charges only what was started."""

    def hold(self, count=1, **options):
        """A consumer on a connection of its own, holding so many messages."""
        self.admin = self.create(lease_ms=options.pop("lease_ms", 30000))
        self.admin.publish(self.topic, *[b"%d" % n for n in range(count)])
        client = self.connect(**options)
        subscription = client.subscribe(self.topic, messages=count)
        return client, subscription, subscription.take(count)

    def again(self, count=1):
        """What comes, each acked before the next is waited for: a suspect comes alone."""
        subscription = self.connect().subscribe(self.topic, messages=count)
        seen = []
        for _ in range(count):
            delivery = subscription.next()
            seen.append((delivery.message.body, delivery.attempts, delivery.deliveries))
            subscription.ack(delivery)
        return seen

    def next_while_it_speaks(self, client, subscription):
        self.until(lambda: client.ping() or subscription.held)
        return subscription.next()

    def test_a_lease_that_runs_out_unstarted_is_not_charged(self):
        client, subscription, [delivery] = self.hold(lease_ms=50)
        again = self.next_while_it_speaks(client, subscription)
        self.assertEqual((again.seq, again.attempts, again.deliveries), (delivery.seq, 0, 2))
        self.assertEqual(subscription.ack(delivery), {0: STALE})

    def test_a_lease_that_runs_out_started_is_charged(self):
        client, subscription, [delivery] = self.hold(lease_ms=1000)
        subscription.started(delivery)
        again = self.next_while_it_speaks(client, subscription)
        self.assertEqual((again.seq, again.attempts, again.deliveries), (delivery.seq, 1, 2))
        self.assertEqual(subscription.ack(delivery), {0: STALE})

    def test_a_lost_connection_charges_the_one_started(self):
        client, subscription, held = self.hold(3)
        subscription.started(held[1])
        client.ping()  # the server has the mark
        client.close()
        self.assertEqual(sorted(self.again(3)), [(b"0", 0, 2), (b"1", 1, 2), (b"2", 0, 2)])

    def test_a_lost_connection_charges_nothing_unstarted(self):
        client, _, _ = self.hold(3)
        client.close()
        self.assertEqual(sorted(self.again(3)), [(b"0", 0, 2), (b"1", 0, 2), (b"2", 0, 2)])

    def test_several_started_are_suspects_and_come_alone(self):
        client, subscription, held = self.hold(4)
        subscription.started(*held[:3])
        client.ping()
        client.close()
        next_client = self.connect()
        subscription = next_client.subscribe(self.topic, messages=10)
        seen = {}
        while len(seen) < 4:
            delivery = subscription.next()
            self.assertIsNotNone(delivery, seen)
            next_client.ping()
            body = delivery.message.body
            if body != b"3":
                self.assertEqual(len(subscription.held), 0, "a suspect is alone on its connection")
            seen[body] = delivery.attempts
            self.assertEqual(subscription.ack(delivery), {})
        self.assertEqual(seen, {b"0": 0, b"1": 0, b"2": 0, b"3": 0})

    def test_a_second_loss_has_one_culprit(self):
        client, subscription, held = self.hold(2)
        subscription.started(*held)
        client.ping()
        client.close()
        second = self.connect()
        subscription = second.subscribe(self.topic, messages=10)
        culprit = subscription.next()
        subscription.started(culprit)
        second.ping()
        second.close()
        attempts = {}
        third = self.connect()
        subscription = third.subscribe(self.topic, messages=10)
        while len(attempts) < 2:
            delivery = subscription.next()
            attempts[delivery.seq] = delivery.attempts
            subscription.ack(delivery)
        self.assertEqual(attempts, {d.seq: int(d.seq == culprit.seq) for d in held})

    def test_a_client_without_marks_has_started_all(self):
        client, _, _ = self.hold(1, marks=False)
        client.close()
        self.assertEqual(self.again(), [(b"0", 1, 2)])

    def test_goodbye_charges_nothing(self):
        client, subscription, held = self.hold(2)
        subscription.started(held[0])
        client.goodbye()
        self.assertEqual(sorted(self.again(2)), [(b"0", 0, 2), (b"1", 0, 2)])

    def test_marks_with_old_tokens_are_ignored(self):
        client, subscription, [delivery] = self.hold(1)
        subscription.started(delivery._replace(token=delivery.token + 1))
        subscription.started(delivery._replace(seq=delivery.seq + 1))
        client.ping()
        self.assertEqual(client.unasked_errors, [])
        client.close()
        self.assertEqual(self.again(), [(b"0", 0, 2)])

    def test_time_to_live_does_not_end_what_is_held(self):
        client = self.create()
        client.publish(self.topic, Message(b"x", ttl=300))
        subscription = client.subscribe(self.topic)
        delivery = subscription.next()
        self.assertIsNone(subscription.next(timeout=0.5))
        self.assertEqual(subscription.ack(delivery), {})


class Lifecycle(WireTest):
    own_server = True
    settings = "resume-wait: 0ms\n"

    def test_what_was_resolved_outlives_sigkill_and_leases_do_not(self):
        client = self.create()
        client.publish(self.topic, *[b"%d" % n for n in range(6)])
        subscription = client.subscribe(self.topic)
        held = subscription.take(6)
        subscription.started(*held)
        self.assertEqual(subscription.ack(held[0]), {})
        self.assertEqual(subscription.nack(held[1], 3600000, "E", "m"), {})
        self.assertEqual(subscription.reject(held[2], "R", "m"), {})
        self.server.restart()
        client = self.connect()
        self.assertEqual(self.counts(client), {"ready": 3, "delayed": 1, "dead": 1, "acked": 1})
        got = client.subscribe(self.topic).take(3)
        self.assertEqual([(d.message.body, d.attempts, d.deliveries) for d in got],
                         [(b"3", 0, 2), (b"4", 0, 2), (b"5", 0, 2)], "a restart of the broker charges nobody")
        self.assertFalse({d.token for d in got} & {d.token for d in held}, "an old token is of no use")
        self.assertEqual(client.peek(self.topic)[0][0]["attempts"], 1)
        self.assertEqual(client.dlq_list(self.topic)[0][0]["error_type"], "R")

    def test_sigterm_says_so_and_exits_clean(self):
        client = self.create()
        self.assertEqual(self.server.terminate(), 0)
        client.expect_end()
        self.assertIsNotNone(client.closing)
        self.assertEqual((client.closing.sub, client.closing.code), (0, 42))
        self.server.start()
        self.assertEqual(self.connect().topic_show(self.topic)["topic"], self.topic)

    def test_a_client_that_never_reads_costs_nobody_else_anything(self):
        client = self.create()
        client.publish(self.topic, *[b"x" * 60000] * 100)
        lazy = self.connect()
        lazy.subscribe(self.topic, messages=65536, bytes=1 << 28)
        before = client.stats()["memory_bytes"]
        lazy.socket.settimeout(0.5)
        asked = 0
        try:  # 6 MB of answer each, as far as the server takes the questions
            while asked < 2000:
                lazy.socket.sendall(frame(PEEK, asked + 100, self.topic, "default", 0, 100, True))
                asked += 1
        except TimeoutError:
            pass
        other = self.topic + "-2"
        client.topic_create(other)
        subscription = client.subscribe(other)
        for n in range(200):
            client.publish(other, b"%d" % n)
            delivery = subscription.next()
            self.assertEqual(delivery.message.body, b"%d" % n)
            self.assertEqual(subscription.ack(delivery), {})
        self.assertLess(client.stats()["memory_bytes"] - before, 256 << 20)
        lazy.close()
        held = self.connect().subscribe(self.topic, messages=100, bytes=1 << 28).take(100)
        self.assertEqual({d.attempts for d in held}, {0}, "what it never saw is not charged")


if __name__ == "__main__":
    unittest.main()
