"""Section 1 of the page: frames, what is refused and how, request ids, pipelining. And section 2: hello."""

import socket
import struct
import unittest

from client import (
    DELIVER,
    ERROR,
    HELLO,
    OK,
    PEEK,
    PING,
    PUBLISH,
    RESOLVE,
    SUBSCRIBE,
    TOPIC_SHOW,
    Disconnected,
    ShuntError,
    frame,
)
from packing import Raw
from server import WireTest, plain_only

PROTOCOL = 1


def framed(payload):
    return struct.pack(">I", len(payload)) + payload


def nested(depth):
    return Raw(b"\x91" * (depth - 1) + b"\x90")


BAD_PAYLOADS = {
    "an empty payload": b"",
    "a nil": b"\xc0",
    "a map": b"\x81\x03\x01",
    "an empty array": b"\x90",
    "an array of one": b"\x91\x03",
    "an operation of text": b"\x92\xa1p\x01",
    "a negative operation": b"\x92\xff\x01",
    "a request id of nil": b"\x92\x03\xc0",
    "a negative request id": b"\x92\x03\xff",
    "a byte behind the array": b"\x92\x03\x01\x00",
    "the byte that is never used": b"\x93\x03\x01\xc1",
    "an extension type": b"\x93\x03\x01\xd4\x01x",
    "an array count": b"\xdd\x00\x00\x00\xc8",
    "an array count in a frame": b"\x93\x03\x01\xdd\x00\x00\x00\xc8",
    "a map count": b"\x93\x03\x01\xdf\x00\x00\x00\xc8",
    "a map whose double is larger than its frame": b"\x93\x03\x01\x83\xa1k\x01\x01\x01",
    "a bin length": b"\x93\x03\x01\xc6\x00\x00\x00\xc8",
    "a str length": b"\x93\x03\x01\xdb\x00\x00\x00\xc8",
    "nine levels": b"\x93\x03\x01" + nested(8),
    "a million levels": b"\x93\x03\x01" + nested(1000000),
    "an array that is cut": b"\x94\x03\x01\x01",
    "garbage": bytes(range(200, 256)) * 5,
}


class BadFrames(WireTest):
    def expect_protocol_error_and_end(self, client, ids=(0,)):
        """ERROR PROTOCOL as the last thing on the connection."""
        op, id, code, name, text, retry = client.read_frame()[:6]
        self.assertEqual((op, code, name, retry), (ERROR, PROTOCOL, "PROTOCOL", False))
        self.assertIn(id, ids)
        self.assertTrue(text)
        with self.assertRaises(Disconnected):
            client.read_frame()

    def test_bad_payloads_are_answered_and_end_their_connection_alone(self):
        neighbour = self.create()
        for what, payload in BAD_PAYLOADS.items():
            with self.subTest(what):
                client = self.connect()
                client.send_bytes(framed(payload))
                self.expect_protocol_error_and_end(client)
                neighbour.ping()

    def test_nothing_is_handed_to_a_connection_that_is_about_to_be_closed(self):
        # Its client sends no marks, so each message that it was given would count as started when it ends.
        owner = self.create()
        owner.publish(self.topic, b"one", b"two")
        client = self.connect(marks=False)
        client.send_bytes(frame(SUBSCRIBE, 1, self.topic, "default", 10, 1000) + frame(PUBLISH, 2))
        self.assertEqual(client.read_frame()[:2], [OK, 1])
        self.expect_protocol_error_and_end(client, (2,))
        self.assertEqual([(d.deliveries, d.attempts) for d in owner.subscribe(self.topic).take(2)], [(1, 0), (1, 0)])

    def test_what_came_before_a_bad_frame_is_still_answered(self):
        client = self.connect()
        first = client.send(PING)
        client.send_bytes(framed(b"\xc1"))
        self.assertEqual(client.read_frame()[:2], [OK, first])
        self.expect_protocol_error_and_end(client)

    def test_a_length_over_the_limit_is_refused_before_the_payload_comes(self):
        for length in ("limit", 0x7FFFFFFF, 0xFFFFFFFF):
            client = self.connect()
            if length == "limit":
                length = client.info["max_frame_bytes"] + 1
            client.send_bytes(struct.pack(">I", length))
            self.expect_protocol_error_and_end(client)

    def test_garbage_on_a_fresh_connection_is_refused(self):
        for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00" * 20, b"\x00\x00\x00\x20" + bytes(range(0xE0, 0x100))):
            client = self.connect(hello=False)
            client.send_bytes(garbage)
            self.expect_protocol_error_and_end(client)

    def test_a_truncated_frame_disturbs_nobody(self):
        neighbour = self.connect()
        whole = frame(PING, 1)
        for size in range(1, len(whole)):
            client = self.connect()
            client.send_bytes(whole[:size])
            client.socket.shutdown(socket.SHUT_WR)
            with self.assertRaises(Disconnected):
                client.read_frame()
        neighbour.ping()

    def test_fields_of_a_wrong_type_are_answered_with_their_request_id(self):
        self.create()
        wrong = {
            "topic is a number": (TOPIC_SHOW, 5),
            "topic is nil": (TOPIC_SHOW, None),
            "topic is bin": (TOPIC_SHOW, b"orders"),
            "topic is missing": (TOPIC_SHOW,),
            "group is a map": (SUBSCRIBE, self.topic, {}, 1, 1),
            "credit is text": (SUBSCRIBE, self.topic, "default", "1", 1),
            "messages are a map": (PUBLISH, self.topic, 0, 0, {}),
            "a message is bare bytes": (PUBLISH, self.topic, 0, 0, [b"x"]),
            "a message is an empty array": (PUBLISH, self.topic, 0, 0, [[]]),
            "a body is text": (PUBLISH, self.topic, 0, 0, [["x"]]),
            "headers are an array": (PUBLISH, self.topic, 0, 0, [[b"", [1, 2]]]),
            "a header's key is a number": (PUBLISH, self.topic, 0, 0, [[b"", {1: "x"}]]),
            "a header's value is a number": (PUBLISH, self.topic, 0, 0, [[b"", {"k": 1}]]),
            "a key is a number": (PUBLISH, self.topic, 0, 0, [[b"", None, 5]]),
            "a delay is text": (PUBLISH, self.topic, 0, 0, [[b"", None, None, "1s"]]),
            "entries are a number": (RESOLVE, 1, 5),
        }
        for what, (op, *fields) in wrong.items():
            with self.subTest(what):
                client = self.connect()
                id = client.send(op, *fields)
                self.expect_protocol_error_and_end(client, ids=(0, id))
        self.assertEqual(self.counts(self.connect()), {}, "nothing of it was stored")


class GoodFrames(WireTest):
    def test_a_frame_may_come_byte_by_byte(self):
        client = self.connect()
        for byte in frame(PING, 77):
            client.send_bytes(bytes([byte]))
        self.assertEqual(client.read_frame()[:2], [OK, 77])

    def test_a_thousand_frames_may_come_in_one_write(self):
        client = self.connect()
        client.send_bytes(b"".join(frame(PING, id) for id in range(1, 1001)))
        self.assertEqual([client.read_frame()[1] for _ in range(1000)], list(range(1, 1001)))

    def test_integers_may_have_any_encoding(self):
        client = self.connect()
        for payload, id in (
            (b"\x92\xcf\0\0\0\0\0\0\0\x03\xcf\0\0\0\0\0\0\0\x05", 5),
            (b"\x92\xd0\x03\xd3\0\0\0\0\0\0\0\x06", 6),
            (b"\xdd\0\0\0\x02\xce\0\0\0\x03\xcd\x01\0", 256),
            (b"\x92\x03\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 2**64 - 1),
        ):
            client.send_bytes(framed(payload))
            self.assertEqual(client.read_frame()[:2], [OK, id])

    def test_later_fields_are_ignored_down_to_the_depth_allowed(self):
        client = self.connect()
        client.request(PING, "later", 1.5, {"k": [None]}, b"", nested(7))
        self.assertEqual(client.request(PING), [])

    def test_unknown_operations_are_unsupported_and_harmless(self):
        client = self.connect()
        for op in (0, 5, 99, OK, ERROR, DELIVER, 255, 2**32 + PING, 2**64 - 1):
            with self.subTest(op=op):
                self.refused("UNSUPPORTED", client.request, op)
        client.ping()

    def test_request_id_0_is_answered_only_by_errors(self):
        client = self.create()
        client.send(PUBLISH, self.topic, 0, 0, [[b"x"]], id=0)
        client.send(PING, id=0)
        client.send(TOPIC_SHOW, "not-there", id=0)
        client.ping()
        self.assertEqual([error.name for error in client.unasked_errors], ["UNKNOWN_TOPIC"])
        self.assertEqual(self.counts(client), {"ready": 1}, "what asked for no answer was done")

    def test_replies_keep_the_order_of_requests(self):
        client = self.create()
        wanted = []
        for i in range(400):
            wanted.append((client.send(PING), None))
            wanted.append((client.send(PUBLISH, self.topic, 0, 0, [[b"x" * i]]), None))
            wanted.append((client.send(TOPIC_SHOW, self.topic), None))
            wanted.append((client.send(TOPIC_SHOW, "not-there"), "UNKNOWN_TOPIC"))
            wanted.append((client.send(PUBLISH, "not-there", 0, 0, [[b""]]), "UNKNOWN_TOPIC"))
            wanted.append((client.send(200 + i), "UNSUPPORTED"))
        published = 0
        for id, error in wanted:  # reply() itself refuses replies out of order
            try:
                answer = client.reply(id)
                self.assertIsNone(error)
                published += bool(answer) and answer[0] == 1
            except ShuntError as refused:
                self.assertEqual(refused.name, error)
        self.assertEqual(published, 400)

    def test_errors_carry_code_name_text_and_retry(self):
        client = self.connect()
        error = self.refused("UNKNOWN_TOPIC", client.topic_show, "not-there")
        self.assertEqual((error.code, error.retry), (20, False))
        self.assertTrue(error.text)


class Hello(WireTest):
    def test_info_has_what_the_page_lists(self):
        client = self.connect(client="w1", host="h1", build="b1", features=["none-such"], later_option=[1])
        self.assertEqual(client.version, 1)
        info = client.info
        self.assertIsInstance(info["server"], str)
        for key in ("max_body_bytes", "max_frame_bytes", "max_messages", "dedup_frames", "now"):
            self.assertGreater(info[key], 0, key)
        self.assertEqual(info["max_messages"], 16384)
        self.assertEqual(info["features"], [])

    def test_versions_are_negotiated(self):
        for least, most in ((0, 1), (1, 1), (1, 9), (0, 2**32)):
            client = self.connect(hello=False)
            self.assertEqual(client.request(HELLO, least, most, {})[0], 1)
        for least, most in ((2, 9), (0, 0)):
            client = self.connect(hello=False)
            self.refused("VERSION_MISMATCH", client.request, HELLO, least, most, {})

    def test_another_first_frame_is_refused(self):
        for op, *fields in ((PING,), (PUBLISH, "t", 0, 0, [[b""]]), (99,), (OK,)):
            client = self.connect(hello=False)
            id = client.send(op, *fields)
            answer = client.read_frame()
            self.assertEqual((answer[0], answer[2]), (ERROR, PROTOCOL))
            self.assertIn(answer[1], (0, id))
            with self.assertRaises(Disconnected):
                client.read_frame()

    def test_a_second_hello_is_refused(self):
        client = self.connect()
        with self.assertRaises(ShuntError):
            client.request(HELLO, 1, 1, {})

    def test_the_first_frame_is_held_to_its_own_limit(self):
        for filler, accepted in ((7000, True), (8192, False)):
            client = self.connect(hello=False)
            client.send(HELLO, 1, 1, {"later": "x" * filler}, id=1)
            if accepted:
                self.assertEqual(client.reply(1)[0], 1)
            else:
                self.assertEqual(client.read_frame()[2], PROTOCOL)
                with self.assertRaises(Disconnected):
                    client.read_frame()

    def test_options_are_held_to_their_limits(self):
        self.connect(client="x" * 128, host="x" * 128, build="x" * 128, producer=b"x" * 16)
        for options in ({"client": "x" * 129}, {"host": "x" * 129}, {"build": "x" * 129}, {"producer": b"x" * 15},
                        {"auth": {"mechanism": "x" * 4097}}):
            client = self.connect(hello=False)
            with self.assertRaises(ShuntError, msg=str(options)[:40]):
                client.request(HELLO, 1, 1, options)

    @plain_only("a HELLO with another mechanism shows no token")
    def test_auth_is_passed_over_where_nobody_has_to_log_in(self):
        self.connect(auth={"mechanism": "none"}).ping()

    def test_a_connection_that_says_nothing_is_closed(self):
        """The server's setting hello-timeout is 10 s: this one takes as long."""
        silent = self.connect(hello=False, timeout=30)
        half = self.connect(hello=False, timeout=30)
        half.send_bytes(frame(HELLO, 1, 1, 1, {})[:-1])
        for client in (silent, half):
            try:
                answer = client.read_frame()
                self.assertEqual((answer[0], answer[1], answer[2]), (ERROR, 0, PROTOCOL))
                client.read_frame()
                self.fail("it is still open")
            except Disconnected:
                pass

    def test_goodbye_is_answered_and_then_the_server_closes(self):
        client = self.connect()
        client.request(2)
        with self.assertRaises(Disconnected):
            client.read_frame()


class SaidAll(WireTest):
    """A client that ends its sending side, as `nc -N` does, and reads on."""

    def test_what_it_asked_for_is_answered_before_the_server_closes(self):
        client = self.connect()
        client.topic_create(self.topic)
        ids = [client.send(PUBLISH, self.topic, 0, 0, [[b"x" * 1000]] * 10) for _ in range(100)] + [client.send(PING)]
        client.socket.shutdown(socket.SHUT_WR)
        for id in ids:
            client.reply(id)
        client.expect_end()
        self.assertEqual(self.connect().topic_show(self.topic)["messages"], 1000)

    def test_it_is_read_to_the_end_when_it_reads_late(self):
        """Its requests wait with what was sent to it, and so does its end."""
        other = self.connect()
        other.topic_create(self.topic)
        for _ in range(4):
            other.publish(self.topic, *[b"x" * 100000] * 10)
        client = self.connect()
        ids = [client.send(PEEK, self.topic, "default", 0, 1000, True) for _ in range(10)] + [client.send(PING)]
        client.socket.shutdown(socket.SHUT_WR)
        for _ in range(20):
            other.ping()
        for id in ids:
            client.reply(id)
        client.expect_end()

    def test_what_it_holds_is_judged_as_with_a_lost_connection(self):
        client, other = self.connect(), self.connect()
        other.topic_create(self.topic, backoff_min_ms=1, backoff_max_ms=1)
        other.publish(self.topic, b"started", b"not started")
        subscription = client.subscribe(self.topic, messages=2)
        first, _ = subscription.take(2)
        subscription.started(first)
        client.socket.shutdown(socket.SHUT_WR)
        client.expect_end()
        subscription, attempts = other.subscribe(self.topic), {}
        for _ in range(2):  # one that is suspected comes alone
            row = subscription.next()
            attempts[row.message.body] = row.attempts
            subscription.ack(row)
        self.assertEqual(attempts, {b"started": 1, b"not started": 0})


if __name__ == "__main__":
    unittest.main()
