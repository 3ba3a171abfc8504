"""CLIENT_LIST and GROUP_HOLDERS (sections 5 and 7 of the page): which clients are connected, and what each holds since when."""

import time

from client import NACK, Disconnected, frame
from server import WireTest

KEYS = {"connection", "client", "host", "build", "peer", "since", "heard", "silent", "in_flight", "oldest", "state", "unread", "unsent_bytes",
        "held_bytes", "subscriptions"}
SUBSCRIPTION_KEYS = {"sub", "topic", "group", "messages", "bytes", "in_flight", "oldest"}
HELD_KEYS = {"seq", "attempts", "deliveries", "generation", "connection", "consumer", "host", "build", "peer", "leased", "started", "until", "silent"}
PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX = 100, 1000
U64_MAX = (1 << 64) - 1


class Lists(WireTest):
    def all_clients(self, client, limit=None):
        """All rows, and how many each page had."""
        rows, counts, after, more = [], [], 0, True
        while more:
            page, more, following, _ = client.client_list(after, limit)
            self.assertGreaterEqual(following, after)
            after = following
            rows += page
            counts.append(len(page))
        numbers = [row["connection"] for row in rows]
        self.assertEqual(numbers, sorted(set(numbers)), "in order, and each once")
        return rows, counts

    def row_of(self, client, name):
        rows = [row for row in self.all_clients(client)[0] if row["client"] == name]
        return rows[0] if rows else None

    def all_held(self, client, group="default", limit=None, topic=None):
        rows, after, more = [], 0, True
        while more:
            page, more, after, _ = client.group_holders(topic or self.topic, group, after, limit)
            rows += page
        return rows


class Clients(Lists):
    def test_each_connection_is_shown_with_its_subscriptions_and_what_it_holds(self):
        admin = self.create(groups=["default", "other"])
        worker = self.connect(client="w-4711", host="h1", build="b7")
        first = worker.subscribe(self.topic, "default", messages=3, bytes=5000)
        worker.subscribe(self.topic, "other", messages=0, bytes=0)
        admin.publish(self.topic, b"1", b"2", b"3", b"4")
        held = first.take(3)
        row = self.row_of(admin, "w-4711")
        now = admin.client_list()[3]
        self.assertEqual(set(row), KEYS)
        host, port = worker.socket.getsockname()
        self.assertEqual((row["host"], row["build"], row["peer"]), ("h1", "b7", f"{host}:{port}"))
        self.assertLessEqual(row["since"], row["heard"])
        self.assertLessEqual(row["heard"], row["oldest"] + 1, "of two clocks, each in whole milliseconds")
        self.assertLessEqual(row["oldest"], now)
        self.assertLess(abs(now - time.time() * 1000), 3600000)
        self.assertEqual((row["silent"], row["in_flight"], row["state"], row["unread"], row["unsent_bytes"], row["held_bytes"]), (False, 3, "open", False, 0, 0))
        one, other = row["subscriptions"]
        self.assertEqual(set(one), SUBSCRIPTION_KEYS)
        self.assertEqual((one["sub"], one["topic"], one["group"], one["messages"], one["bytes"], one["in_flight"], one["oldest"]),
                         (first.sub, self.topic, "default", 3, 5000, 3, row["oldest"]))
        self.assertEqual((other["group"], other["messages"], other["bytes"], other["in_flight"], other["oldest"]), ("other", 0, 0, 0, None))
        first.credit(0, 0)
        first.resolve(*((d.seq, d.token, 0) for d in held))
        row = self.row_of(admin, "w-4711")
        self.assertEqual((row["in_flight"], row["oldest"], row["subscriptions"][0]["messages"]), (0, None, 0))
        worker.close()
        self.until(lambda: not self.row_of(admin, "w-4711"))

    def test_the_oldest_is_that_which_was_handed_out_first_of_those_still_held(self):
        admin = self.create()
        worker = self.connect(client="w")
        its = worker.subscribe(self.topic, messages=5)
        admin.publish(self.topic, b"1")
        delivery = its.next()
        [first] = self.all_held(admin)
        self.until(lambda: admin.client_list()[3] > first["leased"])
        admin.publish(self.topic, b"2")
        its.next()
        self.assertEqual(self.row_of(admin, "w")["oldest"], first["leased"])
        its.ack(delivery)
        [second] = self.all_held(admin)
        self.assertGreater(second["leased"], first["leased"])
        self.assertEqual(self.row_of(admin, "w")["oldest"], second["leased"])

    def test_what_hello_left_out_is_nil_and_what_it_gave_is_passed_on(self):
        hostile = "\x1b]0;owned\x07\r\n\t\u202e" + "n" * 100
        self.connect(client=hostile, host="\x01", build="\x7f")
        self.connect()
        asking = self.connect(client="asking")
        rows, _ = self.all_clients(asking)
        [row] = [row for row in rows if row["client"] == hostile]
        self.assertEqual((row["host"], row["build"]), ("\x01", "\x7f"))
        self.assertTrue([row for row in rows if (row["client"], row["host"], row["build"]) == (None, None, None)])
        self.assertTrue(self.row_of(asking, "asking"), "the one that asks is there, too")

    def test_a_connection_without_hello_is_not_shown(self):
        admin = self.connect(client="admin")
        before = len(self.all_clients(admin)[0])
        silent = self.connect(hello=False)
        silent.send_bytes(frame(1, 1, 1, 1)[:5])
        client = self.connect(hello=False)
        client.send_bytes(frame(3, 1))
        with self.assertRaises(Disconnected):
            while True:
                client.read_frame()
        self.assertEqual(len(self.all_clients(admin)[0]), before)

    def test_a_client_that_reads_nothing_is_seen_with_what_waits_for_it(self):
        admin = self.create(max_bytes=0)
        frozen = self.connect(client="ice")
        frozen.subscribe(self.topic, messages=1000, bytes=1 << 28)
        for _ in range(40):
            admin.publish(self.topic, b"x" * 1000000)

        def is_unread():
            row = self.row_of(admin, "ice")
            return row["unread"] and row["unsent_bytes"] > 0 and row

        row = self.until(is_unread)
        self.assertGreater(row["in_flight"], 0)

    def test_a_silent_consumer_is_marked(self):
        admin = self.create(lease_ms=60)
        worker = self.connect(client="ice")
        worker.subscribe(self.topic)
        admin.publish(self.topic, b"1")
        row = self.until(lambda: self.row_of(admin, "ice")["silent"] and self.row_of(admin, "ice"))
        self.assertLess(row["heard"], admin.client_list()[3])
        worker.ping()
        self.assertFalse(self.row_of(admin, "ice")["silent"])

    def test_a_page_goes_on_behind_a_connection_that_has_gone(self):
        admin = self.connect(client="admin")
        clients = [self.connect(client=f"page-{n}") for n in range(6)]
        rows, _ = self.all_clients(admin)
        numbers = {row["client"]: row["connection"] for row in rows if (row["client"] or "").startswith("page-")}
        clients[2].close()
        clients[4].close()
        self.until(lambda: len([row for row in self.all_clients(admin)[0] if (row["client"] or "").startswith("page-")]) == 4)
        page, more, following, _ = admin.client_list(numbers["page-2"], 2)
        self.assertEqual([row["client"] for row in page], ["page-3", "page-5"])
        self.assertEqual(following, numbers["page-5"])
        self.assertFalse(more)
        again = self.connect(client="again")
        self.assertGreater(self.row_of(again, "again")["connection"], numbers["page-5"], "a number is not given twice")

    def test_a_page_ends_at_the_limit(self):
        admin = self.connect(client="admin")
        for _ in range(PAGE_ROWS_DEFAULT + 1):
            self.connect()
        total = len(self.all_clients(admin)[0])
        for limit, most in ((None, PAGE_ROWS_DEFAULT), (0, PAGE_ROWS_DEFAULT), (7, 7), (1, 1), (PAGE_ROWS_MAX, PAGE_ROWS_MAX), (U64_MAX, PAGE_ROWS_MAX)):
            rows, counts = self.all_clients(admin, limit)
            self.assertEqual((len(rows), max(counts)), (total, min(most, total)))
        for after in (1 << 32, U64_MAX):
            self.assertEqual(admin.client_list(after)[:3], [[], False, after])


class Holders(Lists):
    def test_each_message_in_flight_is_shown_with_its_holder(self):
        admin = self.create(lease_ms=60000)
        one, two = self.connect(client="one", host="h1", build="b1"), self.connect(client="two", host="h2")
        first, second = one.subscribe(self.topic, messages=1), None
        admin.publish(self.topic, b"1", b"2", b"3")
        [delivery] = first.take(1)
        second = two.subscribe(self.topic, messages=1)
        [other] = second.take(1)
        first.started(delivery)
        one.ping()
        rows, more, following, now = admin.group_holders(self.topic)
        self.assertEqual([row["seq"] for row in rows], [delivery.seq, other.seq])
        self.assertEqual((more, following), (False, other.seq))
        row = rows[0]
        self.assertEqual(set(row), HELD_KEYS)
        host, port = one.socket.getsockname()
        self.assertEqual((row["consumer"], row["host"], row["build"], row["peer"]), ("one", "h1", "b1", f"{host}:{port}"))
        self.assertEqual(row["connection"], self.row_of(admin, "one")["connection"])
        self.assertEqual((row["attempts"], row["deliveries"], row["generation"], row["silent"]), (0, 1, 0, False))
        self.assertLessEqual(row["leased"], row["started"])
        self.assertLessEqual(row["started"], now)
        self.assertTrue(now < row["until"] <= now + 60000 + 5000)
        self.assertEqual((rows[1]["consumer"], rows[1]["build"], rows[1]["started"]), ("two", None, None))
        first.ack(delivery)
        second.unsubscribe()
        [row] = self.until(lambda: self.all_held(admin))
        self.assertEqual((row["consumer"], row["deliveries"]), ("one", 2 if row["seq"] == other.seq else 1))

    def test_first_flights_and_later_ones_come_in_order_of_number(self):
        admin = self.create(max_attempts=9)
        worker = self.connect(client="w")
        its = worker.subscribe(self.topic, messages=10)
        admin.publish(self.topic, *[b"%d" % n for n in range(10)])
        held = {d.seq: d for d in its.take(10)}
        its.resolve(*((seq, held[seq].token, NACK) for seq in (2, 5, 6)), (4, held[4].token, 0), (10, held[10].token, 0))
        its.take(3)
        for limit in (1, 2, 3, None):
            rows = self.all_held(admin, limit=limit)
            self.assertEqual([(row["seq"], row["attempts"], row["deliveries"]) for row in rows],
                             [(1, 0, 1), (2, 1, 2), (3, 0, 1), (5, 1, 2), (6, 1, 2), (7, 0, 1), (8, 0, 1), (9, 0, 1)])
        self.assertEqual([row["seq"] for row in admin.group_holders(self.topic, after=5)[0]], [6, 7, 8, 9])
        for after in (9, 10, 1 << 40, U64_MAX):
            self.assertEqual(admin.group_holders(self.topic, after=after)[:3], [[], False, after])

    def test_ready_delayed_and_dead_ones_are_held_by_nobody(self):
        admin = self.create()
        worker = self.connect(client="w")
        its = worker.subscribe(self.topic, messages=2)
        admin.publish(self.topic, b"1", b"2", b"3")
        one, two = its.take(2)
        its.credit(0, 0)
        its.resolve((one.seq, one.token, 2, None, "E", "m", None), (two.seq, two.token, NACK, 3600000))
        self.assertEqual(self.counts(admin), {"ready": 1, "delayed": 1, "dead": 1})
        self.assertEqual(admin.group_holders(self.topic)[:3], [[], False, 0])

    def test_a_dead_letter_that_is_consumed_has_a_holder(self):
        admin = self.create()
        worker = self.connect(client="w")
        its = worker.subscribe(self.topic, messages=1)
        admin.publish(self.topic, b"1")
        its.resolve((1, its.take(1)[0].token, 2, None, "E", "m", None))
        dlq = f"dlq:{self.topic}:default"
        medic = self.connect(client="medic")
        medic.subscribe(dlq).take(1)
        [row] = self.all_held(admin, topic=dlq)
        self.assertEqual((row["seq"], row["consumer"]), (1, "medic"))
        [subscription] = self.row_of(admin, "medic")["subscriptions"]
        self.assertEqual((subscription["topic"], subscription["group"]), (dlq, "default"))

    def test_a_page_ends_at_the_limit(self):
        admin = self.create()
        its = self.connect(client="w").subscribe(self.topic, messages=PAGE_ROWS_MAX + 1, bytes=1 << 22)
        admin.publish(self.topic, *[b"x"] * (PAGE_ROWS_MAX + 1))
        its.take(PAGE_ROWS_MAX + 1)
        for limit, most in ((None, PAGE_ROWS_DEFAULT), (0, PAGE_ROWS_DEFAULT), (1, 1), (PAGE_ROWS_MAX, PAGE_ROWS_MAX), (PAGE_ROWS_MAX + 1, PAGE_ROWS_MAX)):
            rows, more, following, _ = admin.group_holders(self.topic, limit=limit)
            self.assertEqual((len(rows), more, following), (most, True, most))
        self.assertEqual([row["seq"] for row in self.all_held(admin, limit=PAGE_ROWS_MAX)], list(range(1, PAGE_ROWS_MAX + 2)))

    def test_of_what_is_not_there_it_is_told(self):
        admin = self.create()
        self.refused("UNKNOWN_TOPIC", admin.group_holders, "none")
        self.refused("UNKNOWN_GROUP", admin.group_holders, self.topic, "none")


class AfterARestart(Lists):
    own_server = True

    def test_numbers_begin_anew_and_nobody_holds_what_waits_for_its_holder(self):
        admin = self.create()
        worker = self.connect(client="w")
        worker.subscribe(self.topic)
        admin.publish(self.topic, b"1")
        self.until(lambda: self.all_held(admin))
        self.server.restart()
        admin = self.connect(client="admin")
        [row] = self.all_clients(admin)[0]
        self.assertEqual(row["client"], "admin")
        self.assertEqual(self.all_held(admin), [])
