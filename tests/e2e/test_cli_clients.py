"""`shunt clients` and `shunt group holders`: the consumer that keeps a message is the first that an operator sees."""
import re

import harness
import wire
from cli_case import FAILED, USAGE, Case, alone, lines_of

CLIENT_KEYS = ["connection", "client", "host", "build", "peer", "since", "heard", "silent", "in_flight", "oldest", "state", "unread", "unsent_bytes",
               "held_bytes", "subscriptions"]
HELD_KEYS = ["message", "attempts", "deliveries", "generation", "connection", "consumer", "host", "build", "peer", "leased", "started", "until", "held_ms",
             "left_ms", "silent"]
HOSTILE = "\x1b]0;owned\x07\r\nroot\u202e\x7f\x00"[:-1]


class Clients(Case):
    def setUp(self):
        super().setUp()
        self.admin = self.connect(client="admin")
        self.admin.topic_create("t", ["default", "other"], backoff_min_ms=1, backoff_max_ms=1)

    def connect(self, **options):
        client = wire.connect(self.server, **options)
        self.addCleanup(client.close)
        return client

    def later(self):
        """The broker's clock has moved on."""
        now = self.admin.client_list()[3]
        wire.until(lambda: self.admin.client_list()[3] > now)

    def hold(self, name, count=1, topic="t", **options):
        """A consumer that holds so many new messages and takes no others."""
        client = self.connect(client=name, **options)
        subscription = client.subscribe(topic, messages=count)
        self.admin.publish(topic, *[b"x"] * count)
        held = subscription.take(count)
        subscription.credit(0)
        self.later()
        return subscription, held

    def names(self, *args):
        return [row["client"] for row in self.document("clients", *args)]

    def test_the_one_that_holds_the_oldest_comes_first_and_idle_ones_last(self):
        self.connect(client="idle").subscribe("t", "other", messages=0)
        first, held = self.hold("first", host="h1", build="b1")
        self.hold("second", count=3)
        rows = self.document("clients")
        self.assertEqual([row["client"] for row in rows[:4]], ["first", "second", "admin", "idle"])
        self.assertRegex(rows[4]["client"], r"shunt-\d+$")
        self.assertEqual(list(rows[0]), CLIENT_KEYS)
        self.assertEqual((rows[0]["host"], rows[0]["build"], rows[0]["in_flight"], rows[1]["in_flight"]), ("h1", "b1", 1, 3))
        self.assertEqual((rows[2]["oldest"], rows[2]["subscriptions"]), (None, []))
        [subscription] = rows[1]["subscriptions"]
        self.assertEqual(list(subscription), ["sub", "topic", "group", "messages", "bytes", "in_flight", "oldest"])
        self.assertEqual((subscription["topic"], subscription["group"], subscription["messages"], subscription["in_flight"]), ("t", "default", 0, 3))
        first.ack(*held)
        self.assertEqual(self.names()[0], "second")

    def test_only_those_that_subscribe_to_a_topic_or_group(self):
        self.admin.topic_create("u")
        self.connect(client="other").subscribe("t", "other", messages=0)
        self.hold("here")
        self.hold("there", topic="u")
        self.assertEqual(self.names("t"), ["here", "other"])
        self.assertEqual(self.names("t", "other"), ["other"])
        self.assertEqual(self.names("u"), ["there"])
        done = self.shunt("clients", "none")
        self.assertEqual((done.stdout, done.stderr), ("", "shunt: nobody subscribes to none\n"))
        self.shunt("clients", "t", "other", "more", code=USAGE)

    def test_the_table_says_it_in_words(self):
        self.hold("worker-1", count=2, host="h1")
        heading, row = self.shunt("clients", "t").stdout.splitlines()
        self.assertRegex(heading, r"^ *CONNECTION +CLIENT +HOST +BUILD +PEER +FOR +HEARD AGO +HOLDS +OLDEST +UNSENT +STATE +SUBSCRIPTIONS")
        self.assertRegex(row, r"^ *\d+ +worker-1 +h1 +- +127\.0\.0\.1:\d+ +\S+ +\S+ +2 +\S+ +0B +open +t:default 2 of 0$")

    def test_many_subscriptions_are_cut_in_the_table_and_whole_in_json(self):
        client = self.connect(client="busy")
        for _ in range(20):
            client.subscribe("t", "other", messages=1)
        self.assertRegex(self.shunt("clients", "t").stdout, r"t:other 0 of 1, t:other 0 of 1, .*, and \d+ more\n")
        [row] = self.document("clients", "t")
        self.assertEqual(len(row["subscriptions"]), 20)

    def test_what_clients_say_of_themselves_is_harmless_on_a_terminal(self):
        self.hold(HOSTILE, host=HOSTILE, build=HOSTILE)
        for command in (["clients"], ["group", "holders", "t", "default"]):
            shown = self.shunt(*command).stdout
            self.assertIn("root", shown)
            self.assertEqual(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown), [], command)
            self.assertEqual(len(shown.splitlines()), 2 if command[0] == "group" else 4, "no row is broken in two")
            said = self.shunt(*command, "-o", "jsonl").stdout
            self.assertNotIn("\x1b", said)
            self.assertIn(HOSTILE, [row.get("client") or row.get("consumer") for row in lines_of(said)], "JSON has it whole, escaped")

    def publish_keys(self, *keys):
        self.admin.publish("t", *[wire.Message(b"x", key=key) for key in keys])

    def test_the_keys_that_weigh_most_come_first(self):
        self.publish_keys(b"b", b"a", b"b", b"b")
        done = self.shunt("keys", "t")
        heading, first, second = done.stdout.splitlines()
        self.assertRegex(heading, r"^KEY +PER SECOND +SHARE +TOO LARGE BY AT MOST$")
        self.assertRegex(first, r"^b +\d+\.\d{3} +75\.\d % +0\.000$")
        self.assertRegex(second, r"^a +\d+\.\d{3} +25\.\d % +0\.000$")
        self.assertIn("messages published in a second, of the last 1m or so; of all keys ", done.stderr)
        found = self.document("keys", "t", "--limit", "1")
        self.assertEqual(list(found), ["by", "counters", "half_life_ms", "all_milli", "bound_milli", "since", "keys"])
        self.assertEqual([list(row) for row in found["keys"]], [["key", "milli", "error_milli"]])
        self.assertEqual(self.document("keys", "t", "-g", "other", "--by", "in-flight")["keys"], [])
        self.assertIn("no key is known by waiting", self.shunt("keys", "t", "--by", "waiting").stderr)

    def test_a_blocked_key_is_shown_with_its_letter(self):
        self.admin.topic_create("ordered", order=1, on_dead=1)
        self.admin.publish("ordered", wire.Message(b"x", key=b"poison"), wire.Message(b"x", key=b"poison"))
        subscription = self.admin.subscribe("ordered", messages=2)
        subscription.reject(*subscription.take(1))
        wire.until(lambda: self.admin.group_show("ordered", "default")["blocked_messages"])
        [row] = self.document("keys", "ordered", "--by", "blocked")["keys"]
        self.assertEqual((row["key"], row["waiting"], row["letters"], row["message"], row["letter"]), ("poison", 1, 1, "ordered/1", "dlq:ordered:default/1"))
        self.assertRegex(self.shunt("keys", "ordered", "--by", "blocked").stdout.splitlines()[1], r"^poison +1 +1 +dlq:ordered:default/1 +\S+$")

    def test_a_wrong_question_about_keys_is_told_as_such(self):
        self.assertIn("must be rate, waiting, in-flight, failures or blocked", self.shunt("keys", "t", "--by", "in_flight", code=USAGE).stderr)
        self.shunt("keys", "t", "--limit", "0", code=USAGE)
        self.shunt("keys", "t", "--limit", "1001", code=USAGE)
        self.shunt("keys", code=USAGE)
        self.assertIn("none", self.shunt("keys", "t", "-g", "none", code=FAILED).stderr)

    def test_keys_are_harmless_on_a_terminal(self):
        self.publish_keys(HOSTILE.encode(), b"\xff\x00end")
        shown = self.shunt("keys", "t").stdout
        self.assertEqual(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown), [])
        self.assertEqual(len(shown.splitlines()), 3, "no row is broken in two")
        self.assertIn("end", shown)
        said = self.shunt("keys", "t", "-o", "json").stdout
        self.assertNotIn("\x1b", said)
        rows = self.document("keys", "t")["keys"]
        self.assertEqual({row.get("key") or row["key_base64"] for row in rows}, {HOSTILE, "/wBlbmQ="})

    def test_of_a_group_the_message_that_is_held_longest_comes_first(self):
        its, [first, second] = self.hold("one", count=2, host="h1", build="b1")
        its.release(first)
        self.hold("two")
        rows = self.document("group", "holders", "t", "default")
        taken = [row["message"] for row in rows]
        self.assertEqual((taken[0], rows[0]["consumer"]), ("t/2", "one"))
        self.assertEqual([row["consumer"] for row in rows[1:]], ["two"] * (len(rows) - 1))
        self.assertEqual(list(rows[0]), HELD_KEYS)
        self.assertEqual((rows[0]["host"], rows[0]["build"], rows[0]["started"], rows[0]["silent"]), ("h1", "b1", None, False))
        self.assertTrue(0 < rows[0]["left_ms"] <= 30000)
        self.assertGreater(rows[0]["held_ms"], 0)
        self.assertEqual(second.seq, 2)
        heading, row, *_ = self.shunt("group", "holders", "t", "default").stdout.splitlines()
        self.assertRegex(heading, r"^MESSAGE +HELD FOR +STARTED AGO +LEASE LEFT +ATTEMPTS +DELIVERIES +CONSUMER +HOST +BUILD +PEER$")
        self.assertRegex(row, r"^t/2 +\S+ +- +(29|30|2\d)s +0 +1 +one +h1 +b1 +127\.0\.0\.1:\d+$")

    def test_a_limit_keeps_the_oldest_and_says_that_there_are_more(self):
        self.hold("new", count=1)
        for name in ("a", "b", "c"):
            self.hold(name, count=700)
        done = self.shunt("group", "holders", "t", "default", "--limit", "3", "-o", "jsonl")
        self.assertEqual([row["message"] for row in lines_of(done.stdout)], ["t/1", "t/2", "t/3"])
        self.assertIn("2098 more are in flight, and --limit N shows more", done.stderr)
        self.assertEqual(len(self.document("group", "holders", "t", "default")), 100)
        rows = self.document("group", "holders", "t", "default", "--limit", "1000000")
        self.assertEqual([row["message"] for row in rows], [f"t/{n}" for n in range(1, 2102)])
        self.shunt("group", "holders", "t", "default", "--limit", "0", code=USAGE)
        self.shunt("group", "holders", "t", "default", "--limit", "1000001", code=USAGE)

    def test_a_group_that_holds_nothing_or_is_not_there(self):
        done = self.shunt("group", "holders", "t", "default")
        self.assertEqual((done.stdout, done.stderr), ("", "shunt: nothing of group default of topic t is in flight\n"))
        self.assertEqual(self.document("group", "holders", "t", "default"), [])
        self.assertIn("none", self.shunt("group", "holders", "t", "none", code=FAILED).stderr)
        self.shunt("group", "holders", "t", code=USAGE)
        self.assertEqual(alone("group", "holders", "t", "g", "--nonsense").returncode, USAGE)


if __name__ == "__main__":
    harness.main()
