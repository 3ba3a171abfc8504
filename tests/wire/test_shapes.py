"""Section 1 of the page, request by request: a field of the wrong kind ends the connection, everything else is answered, and no request
is left without an answer."""

import os
import random
import re
import unittest

import client as wire
from client import ERROR, OK, PING, PUBLISH, RESOLVE, STARTED, SUBSCRIBE, Disconnected, frame
from packing import Raw, encode
from server import WireTest
from shapes import REQUESTS, operation, right_fields, short_requests, wrong_requests

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto", "PROTOCOL.md")
BAD_ARGUMENT, STALE = 5, 25
RANDOM_REQUESTS = 3000


def page_operations():
    """name -> (number, its fields), of all that the page shows as a frame."""
    with open(PAGE, encoding="utf-8") as file:
        rows = re.findall(r"^([A-Z_]+) +\[(\d+), (?:id|0)((?:, (?:\[.*?\]|\w+\??))*)\]", file.read(), re.M)
    return {name: (int(number), re.findall(r"\[.*?\]|\w+\??", fields)) for name, number, fields in rows}


class Shapes(WireTest):
    def ends_with_protocol(self, client, *ids):
        answer = client.read_frame()
        self.assertEqual((answer[0], answer[3]), (ERROR, "PROTOCOL"), answer)
        self.assertIn(answer[1], ids)
        with self.assertRaises(Disconnected):
            client.read_frame()

    def test_every_request_of_the_page_is_in_the_table(self):
        page = page_operations()
        self.assertEqual({name: getattr(wire, name) for name in page}, {name: number for name, (number, _) in page.items()})
        requests = {name: fields for name, (number, fields) in page.items() if number < OK and name != "HELLO"}
        self.assertEqual({name: [field.endswith("?") for field in fields] for name, fields in requests.items()},
                         {name: [optional for _, optional in spec] for name, spec in REQUESTS.items()})

    def test_a_field_of_another_kind_is_protocol_and_the_end(self):
        neighbour = self.connect()
        for what, name, fields in wrong_requests():
            with self.subTest(what):
                client = self.connect()
                client.send_bytes(frame(operation(name), 7, *fields))
                self.ends_with_protocol(client, 7)
                client.close()
        neighbour.ping()

    def test_so_is_one_within_a_map(self):
        topic = self.topic
        self.connect().topic_create(topic)
        policies = [{"lease_ms": "1s"}, {"lease_ms": 1.5}, {"lease_ms": []}]
        choices = [{"ids": 1}, {"ids": [1]}, {"count": "1"}, {"count": -1}, {"count": None}, {"all": 1}]
        for fields in (
            *[(wire.TOPIC_UPDATE, topic, policy) for policy in policies],
            *[(wire.GROUP_CREATE, topic, "g", policy) for policy in policies],
            *[(wire.DLQ_PURGE, topic, "default", which) for which in choices],
        ):
            with self.subTest(fields=fields):
                client = self.connect()
                client.send_bytes(frame(fields[0], 7, *fields[1:]))
                self.ends_with_protocol(client, 7)

    def test_a_key_that_is_no_str_is_no_frame_wherever_it_is(self):
        for key in (5, None, b"k", [], True):
            bad = Raw(b"\x81" + encode(key) + b"\x01")
            for fields in ((wire.TOPIC_UPDATE, self.topic, bad), (wire.DLQ_PURGE, self.topic, "default", bad), (PING, bad), (PING, [[bad]]), (99, bad)):
                with self.subTest(fields=fields):
                    client = self.connect()
                    client.send_bytes(frame(fields[0], 7, *fields[1:]))
                    self.ends_with_protocol(client, 0)

    def test_what_may_be_left_out_may_also_be_nil(self):
        client = self.connect()
        for what, name, fields in short_requests():
            with self.subTest(what):
                client.send_bytes(frame(operation(name), 7, *fields) + frame(PING, 8))
                self.assertNotEqual(self.answer(client, name), "PROTOCOL")

    def test_later_fields_are_ignored_by_every_request(self):
        for name in REQUESTS:
            with self.subTest(name):
                client = self.connect()
                client.send_bytes(frame(operation(name), 7, *right_fields(name), "later", {"k": [1.5, None]}) + frame(PING, 8))
                answers = [client.read_frame()]
                if name not in ("STARTED", "GOODBYE"):
                    answers.append(client.read_frame())
                self.assertNotIn("PROTOCOL", [answer[3] for answer in answers if answer[0] == ERROR])
                self.assertEqual(answers[-1][1], 7 if name == "GOODBYE" else 8)

    def test_random_values_are_answered_once_and_in_order(self):
        """Each request gets one answer, or PROTOCOL and the end; the seed is fixed, so the run is the same each time."""
        dice = random.Random(20261128)
        owner = self.create()
        client, protocol = self.connect(), 0
        for number in range(RANDOM_REQUESTS):
            name = dice.choice([name for name in REQUESTS if name != "GOODBYE"])
            fields = self.random_fields(dice, name)
            with self.subTest(number=number, name=name, fields=str(fields)[:200]):
                client.send_bytes(frame(operation(name), 7, *fields) + frame(PING, 8))
                if self.answer(client, name) == "PROTOCOL":
                    protocol += 1
                    client = self.connect()
        self.assertTrue(RANDOM_REQUESTS / 20 < protocol < RANDOM_REQUESTS * 19 / 20, "both kinds of answers were seen")
        owner.ping()

    def answer(self, client, name):
        """Reads what answers the request and the PING behind it; the error's name or None."""
        error, answers = None, []
        while not answers or answers[-1] != 8:
            op, id, *fields = client.read_frame()
            if op not in (OK, ERROR):
                continue  # CLOSED and DELIVER come in between
            answers.append(id)
            if op == ERROR:
                error = fields[1]
                if error == "PROTOCOL":
                    self.assertRaises(Disconnected, client.read_frame)
                    break
        if name == "STARTED" and not error:
            answers.insert(0, 7)
        self.assertIn(answers, ([7], [0]) if error == "PROTOCOL" else ([7, 8],))
        return error

    def random_fields(self, dice, name):
        fields = right_fields(name)
        for at, value in enumerate(fields):
            if dice.random() < 0.35:
                fields[at] = self.random_value(dice, 2)
            elif isinstance(value, str) and dice.random() < 0.5:
                fields[at] = dice.choice([self.topic, "default", f"dlq:{self.topic}:default", "", "a:b", "\u20ac\0"])
        return fields[: dice.choice([len(fields)] * 6 + list(range(len(fields) + 1)))]

    def random_value(self, dice, depth):
        kinds = 12 if depth else 8
        match dice.randrange(kinds):
            case 0:
                return None
            case 1:
                return dice.random() < 0.5
            case 2:
                return dice.choice([0, 1, 5, 1 << 16, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
            case 3:
                return dice.choice([-1, -32, -(1 << 31), -(1 << 63), 0.5])
            case 4 | 5:
                return dice.choice(["", "default", self.topic, "dlq:", "x" * 200, "lease_ms", Raw(b"\xa2\xff\xfe")])
            case 6 | 7:
                return dice.choice([b"", b"x", b"\0" * 300])
            case 8 | 9 | 10:
                return [self.random_value(dice, depth - 1) for _ in range(dice.randrange(5))]
            case _:
                keys = ["ids", "count", "all", "lease_ms", "max_attempts", "", 5, None]
                pairs = [(dice.choice(keys), self.random_value(dice, depth - 1)) for _ in range(dice.randrange(4))]
                return Raw(bytes([0x80 | len(pairs)]) + b"".join(encode(key) + encode(value) for key, value in pairs))


class Behind(WireTest):
    """What was sent behind a frame that breaks the rules: nothing of it is done, whatever the rule is. What came before is."""

    def bad_frames(self, sub):
        return {
            "not msgpack": b"\0\0\0\1\xc1",
            "longer than allowed": b"\xff\xff\xff\xff",
            "a key that is no str, where it is ignored": frame(PING, 7, Raw(b"\x81\x05\x06")),
            "an operation of text": b"\0\0\0\4\x92\xa1p\x01",
            "a field is missing": frame(PUBLISH, 7),
            "a field of another kind": frame(PUBLISH, 7, 5, 0, 0, [[b"x"]]),
            "a message of another shape": frame(PUBLISH, 7, self.topic, 0, 0, [[b"x"], ["x"]]),
            "a message that is not there": frame(PUBLISH, 7, self.topic, 0, 0, Raw(b"\x93\x91\xc4\0\xc0\xc0")),
            "a message of another shape for no topic": frame(PUBLISH, 7, "not-there", 0, 0, [["x"]]),
            "an entry of another shape": frame(RESOLVE, 7, sub, [[1, 1, 0], [1, 1, "ack"]]),
            "marks of another kind": frame(STARTED, 7, sub, [1, 1, 2, None]),
            "half a mark": frame(STARTED, 7, sub, [1, 1, 2]),
            "a second HELLO": frame(wire.HELLO, 7, 1, 1, {}),
        }

    def test_nothing_behind_a_bad_frame_is_done(self):
        owner = self.create()
        good = lambda first: b"".join(frame(PUBLISH, id, self.topic, 0, 0, [[b"x"]]) for id in range(first, first + 40))
        for n, (what, bad) in enumerate(self.bad_frames(1).items()):
            with self.subTest(what):
                client = self.connect()
                client.send_bytes(good(100) + bad + good(200))
                self.assertEqual([client.read_frame()[:2] for _ in range(40)], [[OK, id] for id in range(100, 140)])
                answer = client.read_frame()
                self.assertEqual((answer[0], answer[3]), (ERROR, "PROTOCOL"))
                self.assertIn(answer[1], (0, 7))
                with self.assertRaises(Disconnected):
                    client.read_frame()
                self.assertEqual(self.counts(owner), {"ready": 40 * (n + 1)}, "what came before, and nothing else")

    def test_nothing_of_a_bad_frame_is_done(self):
        """Its first entries, or marks, are whole; they have no effect for that."""
        for kind in ("entries", "marks"):
            topic = f"{self.topic}-{kind}"
            owner = self.connect()
            owner.topic_create(topic)
            owner.publish(topic, b"x", b"y")
            client = self.connect()
            subscription = client.subscribe(topic)
            one, two = subscription.take(2)
            if kind == "entries":
                client.send(RESOLVE, subscription.sub, [[one.seq, one.token, 0], [two.seq, two.token, None]])
            else:
                client.send(STARTED, subscription.sub, [one.seq, one.token, two.seq, "token"], id=0)
            self.assertEqual(client.read_frame()[3], "PROTOCOL")
            client.expect_end()
            got = owner.subscribe(topic).take(2)
            self.assertEqual([(d.message.body, d.attempts, d.deliveries) for d in got], [(b"x", 0, 2), (b"y", 0, 2)])

    def test_what_waits_for_its_client_to_read_is_done_before_the_bad_frame_ends_it(self):
        owner = self.create()
        for _ in range(4):
            owner.publish(self.topic, *[b"x" * 100000] * 10)
        client = self.connect()
        looks = [client.send(wire.PEEK, self.topic, "default", 0, 1000, True) for _ in range(10)]
        looks.append(client.send(PUBLISH, self.topic, 0, 0, [[b"last"]]))
        client.send_bytes(b"\0\0\0\1\xc1")
        for _ in range(20):
            owner.ping()
        for id in looks:
            client.reply(id)
        self.assertEqual(client.read_frame()[3], "PROTOCOL")
        self.assertEqual(self.counts(owner), {"ready": 41})


class Counts(WireTest):
    """Counts that are larger than the frame which holds them, and more than the page allows."""

    def test_a_count_larger_than_its_frame_is_refused(self):
        for what, value in (("array", b"\xdc\0\xc8"), ("map", b"\xde\0\xc8"), ("str", b"\xd9\xc8"), ("bin", b"\xc4\xc8")):
            with self.subTest(what):  # 200, of which three are there
                client = self.connect()
                client.send_bytes(frame(PING, 7, Raw(value + b"\1\2\3")))
                self.assertEqual(client.read_frame()[3], "PROTOCOL")
                self.assertRaises(Disconnected, client.read_frame)

    def test_entries_and_marks_of_a_frame_are_limited(self):
        client = self.connect()
        for op, at, over in ((RESOLVE, [[1, 1, 0]] * 16384, [[1, 1, 0]] * 16385), (STARTED, [1, 1] * 16384, [1, 1] * 16385)):
            client.send_bytes(frame(op, 7, 1, at) + frame(op, 8, 1, over) + frame(PING, 9))
            if op == RESOLVE:
                self.assertEqual(client.read_frame()[:2], [OK, 7])
            answer = client.read_frame()
            self.assertEqual((answer[0], answer[1], answer[2]), (ERROR, 8, BAD_ARGUMENT))
            self.assertEqual(client.read_frame()[:2], [OK, 9])

    def test_of_a_setting_named_twice_the_last_counts(self):
        client = self.create()
        twice = lambda *values: Raw(bytes([0x80 | len(values)]) + b"".join(encode("lease_ms") + encode(v) for v in values))
        for values, lease_ms in (((500, 600), 600), ((500, None), 30000), ((None, 700), 700), ((700, None, 800), 800)):
            client.request(wire.TOPIC_UPDATE, self.topic, twice(*values))
            self.assertEqual(client.topic_show(self.topic)["policy"]["lease_ms"], lease_ms, values)


class UnknownSubscription(WireTest):
    """A subscription may end while a request for it is under way, so what the request gets is no surprise to anybody."""

    def test_each_request_says_so_in_its_own_way(self):
        client = self.create()
        client.publish(self.topic, b"x")
        gone = client.subscribe(self.topic)
        held = gone.next()
        gone.unsubscribe()
        for sub in (gone.sub, 4711, 0, 2**64 - 1):
            with self.subTest(sub=sub):
                self.refused("NOT_FOUND", client.request, wire.CREDIT, sub, 1, 1)
                self.refused("NOT_FOUND", client.request, wire.UNSUBSCRIBE, sub)
                entries = [[held.seq, held.token, 0], [held.seq, held.token, 9], [held.seq, held.token, 4, 100]]
                self.assertEqual(client.request(RESOLVE, sub, entries), [[0, STALE, 1, BAD_ARGUMENT, 2, STALE]])
                self.assertEqual(client.request(RESOLVE, sub, []), [[]])
                client.send(STARTED, sub, [held.seq, held.token], id=0)
                client.ping()
        self.assertEqual(client.unasked_errors, [])
        self.assertEqual(client.subscribe(self.topic).next().deliveries, 2)

    def test_the_list_of_a_resolve_names_each_entry_that_had_no_effect(self):
        client = self.create()
        client.publish(self.topic, *[b"x"] * 9)
        subscription = client.subscribe(self.topic)
        held = [(d.seq, d.token) for d in subscription.take(9)]
        most = 315360000000
        answers = subscription.resolve(
            (*held[0], 99), (*held[1], 4), (*held[2], 4, 0), (*held[3], 4, most + 1), (*held[4], 1, most + 1), (*held[5], 0, most + 1),
            (held[6][0], held[6][1] + 1, 0), (*held[7], 4, most), (*held[8], 0, most))
        self.assertEqual(answers, {0: 5, 1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: STALE})
        self.assertEqual(self.counts(client), {"in_flight": 8, "acked": 1})


if __name__ == "__main__":
    unittest.main()
