"""Section 2 of the page: what HELLO may hold, how it is refused, and which other ends a connection has that say why."""

import unittest

from client import CLOSED, ERROR, HELLO, OK, PEEK, PING, Disconnected, ShuntError, frame
from packing import Raw
from server import WireTest, plain_only

PROTOCOL, VERSION_MISMATCH, BAD_ARGUMENT, TOO_LARGE, TOO_MANY = 1, 2, 5, 8, 29


class HelloOptions(WireTest):
    def refused_and_closed(self, code, *fields):
        client = self.connect(hello=False)
        client.send_bytes(frame(HELLO, 7, *fields) + frame(PING, 8))
        answer = client.read_frame()
        self.assertEqual((answer[0], answer[1], answer[2]), (ERROR, 7, code), answer)
        with self.assertRaises(Disconnected):
            client.read_frame()

    @plain_only("a HELLO without options shows no token")
    def test_options_may_be_left_out_or_nil(self):
        for fields in ((1, 1), (1, 1, None), (1, 1, {}), (1, 1, {}, "later")):
            client = self.connect(hello=False)
            self.assertEqual(client.request(HELLO, *fields)[0], 1)
            client.ping()

    def test_every_refusal_closes_the_connection(self):
        no_text = Raw(b"\xa2\xff\xfe")
        for code, *fields in (
            (VERSION_MISMATCH, 2, 9, {}), (VERSION_MISMATCH, 0, 0, {}), (VERSION_MISMATCH, 9, 1, {}),
            *[(TOO_LARGE, 1, 1, {name: "x" * 129}) for name in ("client", "host", "build")],
            (TOO_LARGE, 1, 1, {"auth": {"mechanism": "x" * 4096}}),
            *[(BAD_ARGUMENT, 1, 1, {name: text}) for name in ("client", "host", "build") for text in ("a\0b", no_text)],
            (BAD_ARGUMENT, 1, 1, {"producer": b""}), (BAD_ARGUMENT, 1, 1, {"producer": b"x" * 15}), (BAD_ARGUMENT, 1, 1, {"producer": b"x" * 17}),
        ):
            with self.subTest(code=code, fields=str(fields)[:80]):
                self.refused_and_closed(code, *fields)

    def test_a_hello_of_another_shape_is_protocol(self):
        for fields in (
            (), (1,), (1, None), ("1", 1), (-1, 1), (1, 1, []), (1, 1, "x"), (1, 1, {"client": b"x"}), (1, 1, {"client": None}),
            (1, 1, {"producer": "x" * 16}), (1, 1, {"marks": 1}), (1, 1, {"auth": "x"}), (1, 1, {"features": "x"}), (1, 1, {"features": [1]}),
        ):
            with self.subTest(fields=fields):
                self.refused_and_closed(PROTOCOL, *fields)

    def test_a_second_hello_is_protocol_and_the_end(self):
        client = self.connect()
        client.send_bytes(frame(HELLO, 7, 1, 1, {}) + frame(PING, 8))
        self.assertEqual(client.read_frame()[:3], [ERROR, 7, PROTOCOL])
        self.assertRaises(Disconnected, client.read_frame)

    def test_a_refused_hello_does_not_speak_for_its_producer(self):
        owner = self.create()
        producing = self.connect(producer=b"p" * 16)
        self.refused_and_closed(TOO_LARGE, 1, 1, {"producer": b"p" * 16, "client": "x" * 129})
        self.refused_and_closed(VERSION_MISMATCH, 2, 2, {"producer": b"p" * 16})
        self.assertEqual(producing.publish(self.topic, b"x", sequence=1).accepted, 1)
        self.assertEqual(self.counts(owner), {"ready": 1})


class TooManyConnections(WireTest):
    settings = "max-connections: 1\n"

    def test_the_one_too_many_is_told_without_being_asked(self):
        with self.connect() as first:
            first.ping()
            second = self.connect(hello=False)
            op, id, code, name, _, retry = second.read_frame()[:6]
            self.assertEqual((op, id, code, name, retry), (ERROR, 0, TOO_MANY, "TOO_MANY", True))
            self.assertRaises(Disconnected, second.read_frame)
            first.ping()
        self.until(self.may_connect)

    def may_connect(self):
        try:
            self.connect().ping()
        except (ShuntError, AssertionError, Disconnected, OSError):
            return False  # the first one's end has not come to the server yet
        return True


class TooSlow(WireTest):
    settings = "frame-timeout: 200ms\nwrite-timeout: 200ms\nunsent-bytes: 64KiB\n"

    def test_half_a_frame_is_waited_for_for_a_while_and_the_end_is_told(self):
        client = self.connect()
        client.send_bytes(frame(PING, 7)[:-1])
        self.assertEqual(client.read_frame()[:3], [ERROR, 0, PROTOCOL])
        self.assertRaises(Disconnected, client.read_frame)

    def test_who_reads_nothing_is_closed_without_a_word(self):
        owner = self.create()
        for _ in range(4):
            owner.publish(self.topic, *[b"x" * 100000] * 10)
        lazy = self.connect()
        lazy.send_bytes(b"".join(frame(PEEK, id, self.topic, "default", 0, 1000, True) for id in range(2, 12)))
        self.until(lambda: owner.stats()["connections"] == 1)
        with self.assertRaises(Disconnected):
            while True:
                self.assertEqual(lazy.read_frame()[0], OK, "answers may come, and no error")


class Stopping(WireTest):
    own_server = True

    def test_who_has_not_said_hello_is_closed_too(self):
        greeted, silent = self.connect(), self.connect(hello=False)
        greeted.ping()
        self.assertEqual(self.server.terminate(), 0)
        op, id, sub, code = greeted.read_frame()[:4]
        self.assertEqual((op, id, sub, code), (CLOSED, 0, 0, 42))
        for client in (greeted, silent):
            self.assertRaises(Disconnected, client.read_frame)


if __name__ == "__main__":
    unittest.main()
