"""Section 3 of the page: publishing, its limits, and exactly once in effect."""

import os
import unittest

from client import HELLO, PRODUCER, PUBLISH, Disconnected, Message, Producer, Published, ShuntError
from packing import Raw, decode, encode
from server import WireTest

DURATION_MS_MAX = 315360000000
TOPIC_FULL = 27


class Publish(WireTest):
    def test_messages_get_consecutive_numbers(self):
        client = self.create()
        first = client.publish(self.topic, b"a")
        self.assertEqual((first.accepted, first.code), (1, 0))
        second = client.publish(self.topic, b"b", b"c")
        self.assertEqual(second, Published(2, first.first_seq + 1, 0))
        third = client.publish(self.topic, b"d")
        self.assertEqual(third.first_seq, first.first_seq + 3)
        self.assertEqual(self.counts(client), {"ready": 4})

    def test_a_message_comes_back_as_the_very_array(self):
        client = self.create()
        odd = Raw(  # every length longer than it need be, and a field of a later version
            b"\xdd\0\0\0\x07\xc6\0\0\0\x02hi\xdf\0\0\0\x01\xdb\0\0\0\x01k\xc5\0\x01v\xda\0\x03key\xcf\0\0\0\0\0\0\0\0\xd0\0\xcd\0\0\x92\x01\x80"
        )
        client.publish(self.topic, odd)
        subscription = client.subscribe(self.topic)
        delivery = subscription.next()
        self.assertIn(bytes(odd), client.last_payload)
        self.assertEqual(delivery.message, Message(b"hi", {"k": b"v"}, "key", 0, 0))
        peeked, _ = client.peek(self.topic, bodies=True)
        self.assertIn(bytes(odd), client.last_payload)
        self.assertEqual(peeked[0]["message"][0], b"hi")

    def test_all_fields_travel(self):
        client = self.create()
        message = Message(b"\0\xff", {"text": "caf\u00e9", "bytes": b"\xff\0", "empty": ""}, b"\0key", 0, 60000)
        client.publish(self.topic, message, b"", [b"short", {}], Message(b"nil"))
        got = [d.message for d in client.subscribe(self.topic).take(4)]
        self.assertEqual(got[0], message)
        self.assertEqual([m.body for m in got], [b"\0\xff", b"", b"short", b"nil"])

    def test_each_limit_is_held_at_and_above(self):
        client = self.create()
        body_max = client.info["max_body_bytes"]
        # 8 headers of 3 + 256 + 3 bytes of heads and key, one byte of map head: 32768 in all with these values.
        values = [3834] * 7 + [3833]
        headers = {f"{i:0256}": b"v" * size for i, size in enumerate(values)}
        self.assertEqual(len(encode(headers)), 32768)
        over = {**headers, f"{7:0256}": b"v" * 3834}
        for what, message, refusal in (
            ("body at", [b"x" * body_max], None),
            ("body above", [b"x" * (body_max + 1)], "TOO_LARGE"),
            ("headers at", [b"", {str(i): "" for i in range(64)}], None),
            ("headers above", [b"", {str(i): "" for i in range(65)}], "TOO_LARGE"),
            ("header key at", [b"", {"k" * 256: ""}], None),
            ("header key above", [b"", {"k" * 257: ""}], "TOO_LARGE"),
            ("header key empty", [b"", {"": ""}], "BAD_ARGUMENT"),
            ("header key no text", [b"", {b"\xff".decode("utf-8", "surrogateescape"): ""}], "BAD_ARGUMENT"),
            ("header value at", [b"", {"k": b"v" * 4096}], None),
            ("header value above", [b"", {"k": b"v" * 4097}], "TOO_LARGE"),
            ("header bytes at", [b"", headers], None),
            ("header bytes above", [b"", over], "TOO_LARGE"),
            ("key at", [b"", None, b"k" * 256], None),
            ("key above", [b"", None, b"k" * 257], "TOO_LARGE"),
            ("delay at", [b"", None, None, DURATION_MS_MAX], None),
            ("delay above", [b"", None, None, DURATION_MS_MAX + 1], "BAD_ARGUMENT"),
            ("delay over 63 bits", [b"", None, None, 2**64 - 1], "BAD_ARGUMENT"),
            ("delay negative", [b"", None, None, -1], "BAD_ARGUMENT"),
            ("time to live at", [b"", None, None, 0, DURATION_MS_MAX], None),
            ("time to live above", [b"", None, None, 0, DURATION_MS_MAX + 1], "BAD_ARGUMENT"),
        ):
            with self.subTest(what):
                if refusal is None:
                    self.assertEqual(client.publish(self.topic, message).accepted, 1)
                else:
                    before = client.group_show(self.topic)["published"]
                    error = self.refused(refusal, client.publish, self.topic, b"innocent", message)
                    self.assertFalse(error.retry)
                    self.assertEqual(client.group_show(self.topic)["published"], before, "the whole frame is refused")

    def test_a_frame_holds_1_to_16384_messages(self):
        client = self.create()
        self.assertEqual(client.publish(self.topic, *[b""] * 16384).accepted, 16384)
        for count in (0, 16385):
            with self.assertRaises(ShuntError, msg=f"{count} messages"):
                client.publish(self.topic, *[b""] * count)
        client.ping()
        self.assertEqual(self.counts(client), {"ready": 16384})

    def test_names_are_checked(self):
        client = self.create()
        client.topic_create("n" * 100)
        self.assertEqual(client.publish("n" * 100, b"").accepted, 1)
        for name, refusal in (
            ("not-there", "UNKNOWN_TOPIC"),
            (f"dlq:{self.topic}:default", "RESERVED"),
            ("a:b", "RESERVED"),
            ("", "BAD_NAME"),
            ("a b", "BAD_NAME"),
            (".a", "BAD_NAME"),
            ("a/1", "BAD_NAME"),
            ("n" * 101, "BAD_NAME"),
            ("caf\u00e9", "BAD_NAME"),
        ):
            with self.subTest(name):
                self.refused(refusal, client.publish, name, b"x")

    def test_a_full_topic_accepts_what_fits(self):
        client = self.create(max_messages=3)
        part = client.publish(self.topic, *[b"x"] * 5)
        self.assertEqual((part.accepted, part.code), (3, TOPIC_FULL))
        error = self.refused("TOPIC_FULL", client.publish, self.topic, b"y")
        self.assertTrue(error.retry)
        self.assertEqual(self.counts(client), {"ready": 3})
        subscription = client.subscribe(self.topic)
        self.assertEqual(subscription.ack(subscription.next()), {})
        self.assertEqual(client.publish(self.topic, b"z").accepted, 1)

    def test_a_topic_may_be_full_of_bytes(self):
        client = self.create(max_bytes=100000)
        part = client.publish(self.topic, *[b"x" * 30000] * 5)
        self.assertEqual((part.accepted, part.code), (3, TOPIC_FULL))
        self.assertLessEqual(client.topic_show(self.topic)["bytes"], 100000)

    def test_a_delayed_message_waits(self):
        client = self.create()
        client.publish(self.topic, Message(b"later", delay=3600000), Message(b"soon", delay=200))
        self.assertEqual(self.counts(client), {"delayed": 2})
        subscription = client.subscribe(self.topic)
        delivery = subscription.next()
        self.assertEqual(delivery.message.body, b"soon")
        self.assertGreaterEqual(client.stats()["published"], 2)
        self.assertEqual(self.counts(client), {"delayed": 1, "in_flight": 1})

    def test_a_message_outlives_its_time_in_the_dlq(self):
        client = self.create()
        client.publish(self.topic, Message(b"own", ttl=1))
        dead = self.until(lambda: client.dlq_list(self.topic)[0])
        self.assertEqual((dead[0]["reason"], dead[0]["attempts"]), ("ttl_expired", 0))
        client.topic_update(self.topic, ttl_ms=1, expired=1)
        client.publish(self.topic, b"by the topic's")
        self.until(lambda: self.counts(client) == {"dead": 1, "discarded": 1} or self.counts(client) == {"dead": 1, "expired": 1})


def depth(value):
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max([depth(item) for item in inner], default=0)


class LaterFields(WireTest):
    """Fields of a later version are passed on to consumers of any age: what they hold must not be what stops one."""

    def message(self, levels):
        value = "x"
        for n in range(levels - 1):
            value = [value] if n % 2 else {"k": value}
        return [b"body", None, None, 0, 0, 0, value]

    def test_no_frame_that_carries_a_message_is_deeper_than_a_frame_may_be(self):
        client = self.create()
        client.publish(self.topic, self.message(5))
        error = self.refused("TOO_LARGE", client.publish, self.topic, b"innocent", self.message(6))
        self.assertIn("message 1", error.text)
        client.peek(self.topic, bodies=True)
        self.assertEqual(depth(decode(client.last_payload)), 8)
        subscription = client.subscribe(self.topic)
        delivery = subscription.next()
        self.assertEqual(depth(decode(client.last_payload)), 8, "FRAME_DEPTH_MAX")
        self.assertEqual(subscription.ack(delivery), {})
        self.assertEqual(self.counts(client), {"acked": 1})

    def test_a_map_with_other_keys_than_str_is_no_frame(self):
        owner = self.create()
        for key in (5, None, b"k", [], {}, 1.5, True):
            for message in (
                [b"x", None, None, 0, 0, 0, Raw(b"\x81" + encode(key) + b"\x01")],
                [b"x", None, None, 0, 0, 0, [Raw(b"\x82\xa1k\x80" + encode(key) + b"\x01")]],
                [b"x", Raw(b"\x81" + encode(key) + b"\xa1v")],
            ):
                client = self.connect()
                client.send(PUBLISH, self.topic, 0, 0, [[b"innocent"], message])
                self.assertEqual(client.read_frame()[3], "PROTOCOL")
        self.assertEqual(self.counts(owner), {})


class ExactlyOnce(WireTest):
    own_server = True

    def producing(self, producer):
        return self.connect(producer=producer)

    def test_a_number_sent_again_gets_the_first_answer(self):
        self.create(max_messages=3)
        producer = os.urandom(16)
        client = self.producing(producer)
        first = client.publish(self.topic, b"a", sequence=1)
        part = client.publish(self.topic, b"b", b"c", b"d", sequence=2)
        self.assertEqual((part.accepted, part.code), (2, TOPIC_FULL))
        for _ in range(2):  # on the same connection, then on another
            self.assertEqual(client.publish(self.topic, b"a", sequence=1), first)
            self.assertEqual(client.publish(self.topic, b"b", b"c", b"d", sequence=2), part)
            client = self.producing(producer)
        self.assertEqual(self.counts(client), {"ready": 3})

    def test_producers_do_not_share_numbers(self):
        self.create()
        answers = {self.producing(os.urandom(16)).publish(self.topic, b"x", sequence=1) for _ in range(3)}
        self.assertEqual(len(answers), 3)

    def test_sequence_0_is_not_remembered(self):
        self.create()
        client = self.producing(os.urandom(16))
        self.assertNotEqual(client.publish(self.topic, b"x"), client.publish(self.topic, b"x"))

    def test_errors_are_not_remembered(self):
        client = self.producing(os.urandom(16))
        self.refused("UNKNOWN_TOPIC", client.publish, self.topic, b"x", sequence=1)
        client.topic_create(self.topic)
        self.assertEqual(client.publish(self.topic, b"x", sequence=1).accepted, 1)

    def test_the_first_copy_cannot_come_after_the_answer_to_the_second(self):
        """Seed 634 of the simulator: the copy sent again was refused, the first one, still on its way on the connection that
        was lost, was stored after that."""
        producer = os.urandom(16)
        before = self.producing(producer)
        after = self.producing(producer)
        self.refused("UNKNOWN_TOPIC", after.publish, self.topic, b"x", sequence=1)
        after.topic_create(self.topic)
        self.refused("PROTOCOL", before.publish, self.topic, b"x", sequence=1)
        self.assertRaises(Disconnected, before.ping)
        self.assertEqual(self.counts(after), {})
        self.assertEqual(after.publish(self.topic, b"x", sequence=1).accepted, 1)

    def test_a_hello_that_comes_late_does_not_make_its_connection_the_newest(self):
        """Seed 102786 of the simulator: of two lost connections, the older one's hello and frame came after the newer one's."""
        producer = os.urandom(16)
        before = self.connect(hello=False)
        after = self.producing(producer)
        self.refused("UNKNOWN_TOPIC", after.publish, self.topic, b"x", sequence=1)
        after.topic_create(self.topic)
        after.goodbye()
        before.request(HELLO, 1, 1, {"producer": producer})
        self.refused("PROTOCOL", before.publish, self.topic, b"x", sequence=1)
        self.assertEqual(self.counts(self.connect()), {})

    def test_the_highest_number_of_a_producer_is_told_to_its_next_connection(self):
        self.create()
        producer = os.urandom(16)
        client = self.producing(producer)
        self.assertEqual(client.request(PRODUCER), [0])
        for number in (7, 1000, 999):
            client.publish(self.topic, b"x", sequence=number)
        self.refused("UNKNOWN_TOPIC", client.publish, "not-" + self.topic, b"x", sequence=2000)
        self.assertEqual(client.request(PRODUCER), [1000], "what was refused is not answered for good")
        self.assertEqual(self.producing(producer).request(PRODUCER), [1000])
        self.refused("BAD_ARGUMENT", self.connect().request, PRODUCER)

    def test_a_number_out_of_the_window_is_refused(self):
        self.create()
        client = self.producing(os.urandom(16))
        window = client.info["dedup_frames"]
        ids = [client.send(PUBLISH, self.topic, n, 0, [[b""]]) for n in range(1, window + 2)]
        answers = [client.reply(id) for id in ids]
        error = self.refused("DEDUP_WINDOW", client.publish, self.topic, b"", sequence=1)
        self.assertFalse(error.retry)
        self.assertEqual(list(client.publish(self.topic, b"", sequence=2)), answers[1][:3], "the oldest that is kept")
        self.assertEqual(self.counts(client), {"ready": window + 1})

    def test_a_sequence_without_a_producer_is_refused(self):
        """Nothing would protect it, and nobody would notice."""
        client = self.create()
        error = self.refused("BAD_ARGUMENT", client.publish, self.topic, b"x", sequence=1)
        self.assertIn("producer", error.text)
        self.refused("BAD_ARGUMENT", client.publish, self.topic, b"x", sequence=2**64 - 1, forget_below=5)
        self.assertEqual(self.counts(client), {})
        self.assertEqual(client.publish(self.topic, b"x", forget_below=5).accepted, 1, "of a frame without a number it says nothing")

    def test_forget_below_is_cut_to_the_frames_own_number(self):
        self.create()
        client = self.producing(os.urandom(16))
        first = client.publish(self.topic, b"1", sequence=1)
        fifth = client.publish(self.topic, b"5", sequence=5, forget_below=2**64 - 1)
        self.assertEqual(client.publish(self.topic, b"5", sequence=5), fifth, "its own answer is kept")
        self.refused("DEDUP_WINDOW", client.publish, self.topic, b"1", sequence=1)
        self.refused("DEDUP_WINDOW", client.publish, self.topic, b"4", sequence=4)
        self.assertEqual(client.publish(self.topic, b"6", sequence=6).first_seq, fifth.first_seq + 1)
        self.assertEqual(first.accepted, 1)

    def test_forget_below_counts_only_where_a_frame_is_stored(self):
        self.create()
        client = self.producing(os.urandom(16))
        first = client.publish(self.topic, b"1", sequence=1)
        second = client.publish(self.topic, b"2", sequence=2)
        self.assertEqual(client.publish(self.topic, b"2", sequence=2, forget_below=2), second, "sent again")
        self.refused("UNKNOWN_TOPIC", client.publish, "not-there", b"3", sequence=3, forget_below=3)
        client.publish(self.topic, b"0", forget_below=2)
        self.assertEqual(client.publish(self.topic, b"1", sequence=1), first, "still kept")
        client.publish(self.topic, b"3", sequence=3, forget_below=2)
        self.refused("DEDUP_WINDOW", client.publish, self.topic, b"1", sequence=1)
        self.assertEqual(client.publish(self.topic, b"2", sequence=2), second)

    def test_answers_outlive_sigkill(self):
        self.create()
        producer = os.urandom(16)
        client = self.producing(producer)
        answers = [client.publish(self.topic, b"x" * n, b"y", sequence=n) for n in range(1, 21)]
        self.server.restart()
        client = self.producing(producer)
        self.assertEqual([client.publish(self.topic, b"x" * n, b"y", sequence=n) for n in range(1, 21)], answers)
        self.assertEqual(client.publish(self.topic, b"z", sequence=21).first_seq, answers[-1].first_seq + 2)
        self.assertEqual(self.counts(client), {"ready": 41})

    def test_a_producer_loses_and_doubles_nothing_over_broken_connections(self):
        self.create()
        producer = Producer(self.server.connect)
        for n in range(300):
            producer.send(self.topic, b"%d" % n)
            if n % 37 == 36:
                producer.drop_connection()
            if n % 100 == 99:
                producer.flush()
        self.assertEqual(len(producer.flush()), 300)
        self.expect_bodies_once(300)

    def test_a_producer_loses_and_doubles_nothing_over_sigkill(self):
        self.create()
        producer = Producer(self.server.connect)
        for n in range(300):
            producer.send(self.topic, b"%d" % n)
            if n % 60 == 59:  # with up to 60 frames unanswered
                self.server.restart()
                producer.flush()
        self.assertEqual(len(producer.flush()), 300)
        self.expect_bodies_once(300)

    def expect_bodies_once(self, count):
        client = self.connect()
        self.assertEqual(self.counts(client), {"ready": count})
        bodies = [d.message.body for d in client.subscribe(self.topic, messages=count).take(count)]
        self.assertEqual(bodies, [b"%d" % n for n in range(count)], "each once, in order")

    def test_what_was_confirmed_outlives_sigkill(self):
        client = self.create()
        confirmed = 0
        ids = [client.send(PUBLISH, self.topic, 0, 0, [[b"x"]] * 10) for _ in range(200)]
        try:
            for id in ids:
                confirmed += client.reply(id)[0]
                if confirmed == 500:
                    self.server.kill()
        except Disconnected:
            pass
        self.server.start()
        stored = self.counts(self.connect())["ready"]
        self.assertGreaterEqual(stored, confirmed)
        self.assertLessEqual(stored, 2000)
        self.assertEqual(stored % 10, 0, "a frame is stored whole or not at all")


if __name__ == "__main__":
    unittest.main()
