"""Single sentences of the page that nothing else tries: order, windows, pauses, names that are no text."""

import unittest

from client import ACK, NACK, SUBSCRIBE, UNSUBSCRIBE, Message
from packing import Raw, encode
from server import WireTest

NO_TEXT = Raw(b"\xa4or\xff\n")


class Order(WireTest):
    def bodies(self, subscription, count):
        return [d.message.body for d in subscription.take(count)]

    def test_messages_come_in_the_order_of_their_numbers(self):
        client = self.create()
        for n in range(5):
            client.publish(self.topic, *[b"%d" % (20 * n + k) for k in range(20)])
        self.assertEqual(self.bodies(client.subscribe(self.topic), 100), [b"%d" % n for n in range(100)])
        self.assertEqual(client.peek(self.topic, limit=1)[0][0]["seq"], 1, "numbers begin at 1")

    def test_what_is_ready_again_comes_before_what_is_new(self):
        client = self.create()
        client.publish(self.topic, b"delayed", b"released", b"failed")
        subscription = client.subscribe(self.topic, messages=3)
        delayed, released, failed = subscription.take(3)
        subscription.credit(0)
        client.publish(self.topic, Message(b"later", delay=1))
        client.publish(self.topic, b"new")
        entries = [(d.seq, d.token, NACK, 1) for d in (delayed, failed)] + [(released.seq, released.token, 3)]
        self.assertEqual(subscription.resolve(*entries), {})
        self.until(lambda: self.counts(client) == {"ready": 5})
        subscription.credit(10)
        bodies = self.bodies(subscription, 5)
        self.assertEqual((bodies[0], bodies[-1]), (b"released", b"new"))
        self.assertEqual(set(bodies[1:-1]), {b"delayed", b"failed", b"later"})


class Windows(WireTest):
    def test_no_bytes_of_credit_is_one_message_at_a_time(self):
        client = self.create()
        client.publish(self.topic, b"1", b"2", b"")
        subscription = client.subscribe(self.topic, messages=10, bytes=0)
        for body in (b"1", b"2", b""):
            delivery = subscription.next()
            client.ping()
            self.assertEqual((delivery.message.body, len(subscription.held)), (body, 0))
            self.assertEqual(subscription.ack(delivery), {})

    def test_less_credit_takes_nothing_back(self):
        client = self.create()
        client.publish(self.topic, *[b"x"] * 5)
        subscription = client.subscribe(self.topic, messages=5)
        held = subscription.take(5)
        subscription.credit(1, 0)
        self.assertEqual(subscription.ack(*held), {})
        self.assertEqual(self.counts(client), {"acked": 5})

    def test_credit_is_limited(self):
        client = self.create()
        subscription = client.subscribe(self.topic, messages=65536, bytes=268435456)
        for messages, size in ((65537, 1), (1, 268435457), (2**64 - 1, 1)):
            self.refused("BAD_ARGUMENT", subscription.credit, messages, size)
            self.refused("BAD_ARGUMENT", client.subscribe, self.topic, "default", messages, size)
        client.ping()

    def test_nothing_is_delivered_after_the_answer_to_unsubscribe(self):
        client = self.create()
        sub = client.subscribe(self.topic, messages=1).sub
        other = self.connect()
        client.send(UNSUBSCRIBE, sub)
        client.read_frame()
        other.publish(self.topic, b"x")
        client.send(3, id=99)
        self.assertEqual(client.read_frame()[:2], [128, 99])
        client.waiting.clear()
        self.assertGreater(client.request(SUBSCRIBE, self.topic, "default", 1, 1)[0], sub, "its number is not used again")

    def test_what_goes_back_is_stale_for_the_handlers_that_still_run(self):
        client = self.create()
        client.publish(self.topic, b"x")
        subscription = client.subscribe(self.topic)
        held = subscription.next()
        subscription.started(held)
        subscription.unsubscribe()
        again = client.subscribe(self.topic)
        self.assertEqual(again.next().attempts, 0)
        self.assertEqual(again.resolve((held.seq, held.token, ACK)), {0: 25}, "an old token on another subscription")


class Pause(WireTest):
    own_server = True

    def test_a_pause_outlives_a_restart_and_stops_nothing_but_the_hand_out(self):
        client = self.create()
        client.publish(self.topic, b"1")
        subscription = client.subscribe(self.topic)
        held = subscription.next()
        client.group_pause(self.topic)
        client.group_pause(self.topic)
        client.publish(self.topic, b"2", Message(b"short", ttl=1))
        self.assertEqual(subscription.ack(held), {}, "what is in flight goes on")
        self.until(lambda: self.counts(client) == {"ready": 1, "dead": 1, "acked": 1})
        self.server.restart()
        client = self.connect()
        self.assertTrue(client.group_show(self.topic)["paused"])
        subscription = client.subscribe(self.topic)
        client.ping()
        self.assertEqual(len(subscription.held), 0)
        client.group_resume(self.topic)
        client.group_resume(self.topic)
        self.assertEqual(subscription.next().message.body, b"2")


class Names(WireTest):
    def test_a_name_that_is_no_text_is_refused_or_unknown_and_the_error_is(self):
        client = self.create()
        for call, *arguments in ((client.publish, NO_TEXT, b"x"), (client.topic_create, NO_TEXT), (client.subscribe, NO_TEXT),
                                 (client.group_create, self.topic, NO_TEXT)):
            self.refused("BAD_NAME", call, *arguments)
        for call, *arguments in ((client.topic_show, NO_TEXT), (client.peek, NO_TEXT), (client.topic_delete, NO_TEXT), (client.dlq_list, NO_TEXT)):
            error = self.refused("UNKNOWN_TOPIC", call, *arguments)
            self.assertIn("`or??`", error.text, "one line, of text")
        self.refused("UNKNOWN_GROUP", client.subscribe, self.topic, NO_TEXT)
        self.refused("UNKNOWN_GROUP", client.group_show, self.topic, NO_TEXT)

    def test_error_fields_that_are_no_text_are_made_text(self):
        client = self.create()
        client.publish(self.topic, b"x")
        subscription = client.subscribe(self.topic)
        subscription.reject(subscription.next(), NO_TEXT, Raw(b"\xa5a\x00b\xc3("), Raw(b"\xa4\ttab"))
        dead = client.dlq_show(self.topic, "1")
        self.assertEqual((dead["error_type"], dead["error_message"], dead["error_stack"]), ("or?\n", "a?b?(", "\ttab"))

    def test_no_groups_are_the_one_that_is_always_there(self):
        client = self.connect()
        for n, groups in enumerate(([], None)):
            client.request(30, f"{self.topic}-{n}", None, groups)
            self.assertEqual([group["group"] for group in client.group_list(f"{self.topic}-{n}")], ["default"])
        self.refused("GROUP_EXISTS", client.topic_create, self.topic, ["a", "b", "a"])
        self.refused("UNKNOWN_TOPIC", client.topic_show, self.topic)

    def test_a_choice_named_twice_is_two_choices(self):
        client = self.create()
        twice = Raw(b"\x82" + (encode("count") + b"\x01") * 2)
        self.refused("BAD_ARGUMENT", client.request, 63, self.topic, "default", twice)


if __name__ == "__main__":
    unittest.main()
