"""KEY_LIST (section 5 of the page): which keys weigh most."""

from server import WireTest

MEASURED = {"by", "counters", "half_life_ms", "all_milli", "bound_milli", "since", "keys"}
BLOCKED = {"by", "more", "keys"}
MEASURES = ("rate", "waiting", "in_flight", "failures")
KEY_BYTES_MAX, COUNTERS = 256, 256


class KeyCase(WireTest):
    def names(self, client, *args, topic=None):
        return [row["key"] for row in client.key_list(topic or self.topic, *args)["keys"]]

    def publish(self, client, *keys, topic=None):
        return client.publish(topic or self.topic, *[(b"x", None, key) if key else b"x" for key in keys])

    def clock_moves(self, client):
        now = client.client_list()[3]
        self.until(lambda: client.client_list()[3] > now)


class Keys(KeyCase):
    def test_by_rate_the_key_published_most_comes_first(self):
        client = self.create()
        self.publish(client, None, b"a", b"b", b"b", None, b"b", b"a", b"\x00\xff\x1b[2J")
        found = client.key_list(self.topic)
        self.assertEqual(set(found), MEASURED)
        self.assertEqual([row["key"] for row in found["keys"]], [b"b", b"a", b"\x00\xff\x1b[2J"])
        self.assertEqual((found["by"], found["counters"], found["half_life_ms"], found["bound_milli"]), ("rate", COUNTERS, 60000, 0))
        self.assertAlmostEqual(sum(row["milli"] for row in found["keys"]), found["all_milli"], delta=3)
        self.assertEqual({row["error_milli"] for row in found["keys"]}, {0})
        self.assertLessEqual(found["since"], client.client_list()[3])
        self.assertEqual(self.names(client, None, "rate", 1), [b"b"])

    def test_a_topic_without_keys_has_none(self):
        client = self.create()
        client.publish(self.topic, b"1", b"2")
        client.subscribe(self.topic).take(2)
        for by in MEASURES:
            found = client.key_list(self.topic, "default", by)
            self.assertEqual((found["by"], found["keys"], found["all_milli"], found["since"]), (by, [], 0, None))

    def test_more_keys_than_counters_are_within_the_bound(self):
        client = self.create()
        hot = [b"hot"] * 100
        self.publish(client, *hot, *[b"k%d" % n for n in range(3 * COUNTERS)], *hot)
        found = client.key_list(self.topic, None, "rate", 1000)
        self.assertEqual(len(found["keys"]), COUNTERS)
        self.assertEqual(found["keys"][0]["key"], b"hot")
        self.assertAlmostEqual(found["bound_milli"], found["all_milli"] / COUNTERS, delta=1)
        one = found["all_milli"] / (200 + 3 * COUNTERS)
        for row in found["keys"]:
            exact = (200 if row["key"] == b"hot" else 1) * one
            self.assertGreaterEqual(row["milli"], exact - 1)
            self.assertLessEqual(row["milli"] - exact, row["error_milli"] + 2)
            self.assertLessEqual(row["error_milli"], found["bound_milli"] + 1)

    def test_a_group_has_the_keys_that_waited_failed_and_were_in_flight(self):
        client = self.create(["default", "other"], backoff_min_ms=60000, backoff_max_ms=60000)
        self.publish(client, b"good", b"bad")
        self.clock_moves(client)
        subscription = client.subscribe(self.topic)
        good, bad = subscription.take(2)
        self.assertEqual(set(self.names(client, None, "waiting")), {b"good", b"bad"})
        self.assertEqual(self.names(client, "default", "in_flight"), [], "it is told at the end")
        self.clock_moves(client)
        subscription.ack(good)
        subscription.nack(bad)
        self.assertEqual(self.names(client, "default", "failures"), [b"bad"])
        self.assertEqual(set(self.names(client, "default", "in_flight")), {b"good", b"bad"})
        for by in MEASURES[1:]:
            self.assertEqual(self.names(client, "other", by), [])

    def test_what_a_lost_connection_held_and_had_begun_has_failed(self):
        client = self.create(backoff_min_ms=60000, backoff_max_ms=60000)
        self.publish(client, b"poison")
        worker = self.connect()
        subscription = worker.subscribe(self.topic)
        subscription.started(*subscription.take(1))
        worker.ping()
        worker.close()
        self.until(lambda: self.names(client, None, "failures") == [b"poison"])

    def test_by_blocked_the_key_behind_which_most_wait_comes_first(self):
        client = self.create(order=1, on_dead=1)
        self.publish(client, b"a", b"b", b"c")
        subscription = client.subscribe(self.topic)
        dead = subscription.take(3)
        for delivery in dead[:2]:
            subscription.reject(delivery)
        self.publish(client, b"b", b"a", b"b", b"c", b"c", b"c")
        self.until(lambda: client.group_show(self.topic, "default")["blocked_messages"] == 3)
        found = client.key_list(self.topic, "default", "blocked")
        self.assertEqual(set(found), BLOCKED)
        self.assertEqual((found["by"], found["more"]), ("blocked", False))
        rows = found["keys"]
        self.assertEqual([(row["key"], row["waiting"], row["letters"]) for row in rows], [(b"b", 2, 1), (b"a", 1, 1)])
        self.assertEqual(rows[0]["message"], f"{self.topic}/{dead[1].seq}")
        self.assertEqual(rows[0]["letter"], f"dlq:{self.topic}:default/2")
        self.assertLessEqual(rows[1]["since"], rows[0]["since"])
        self.assertEqual(self.names(client, "default", "blocked", 1), [b"b"])

    def test_a_wrong_question_is_refused(self):
        client = self.create()
        for by in ("Rate", "rates", "x" * 1000, "in-flight"):
            self.assertIn("in_flight", self.refused("BAD_ARGUMENT", client.key_list, self.topic, None, by).text)
        self.refused("UNKNOWN_TOPIC", client.key_list, "none")
        self.refused("UNKNOWN_TOPIC", client.key_list, "none", None, "waiting")
        for by in ("rate", "waiting", "blocked"):
            self.refused("UNKNOWN_GROUP", client.key_list, self.topic, "none", by)

    def test_what_was_deleted_is_forgotten(self):
        client = self.create()
        self.publish(client, b"old")
        client.topic_delete(self.topic)
        client.topic_create(self.topic)
        self.assertEqual(self.names(client), [])
        self.publish(client, b"new")
        self.assertEqual(self.names(client), [b"new"])


class KeysForgotten(KeyCase):
    own_server = True

    def test_a_restart_forgets_estimates_and_no_blocked_key(self):
        client = self.create(order=1, on_dead=1)
        self.publish(client, b"a")
        subscription = client.subscribe(self.topic)
        subscription.reject(*subscription.take(1))
        self.server.restart()
        client = self.connect()
        for by in MEASURES:
            self.assertEqual(self.names(client, None, by), [])
        self.assertEqual(self.names(client, None, "blocked"), [b"a"])


class KeysOff(KeyCase):
    settings = "hot-keys: 0\n"

    def test_without_counters_no_key_is_watched(self):
        client = self.create()
        self.publish(client, b"a")
        found = client.key_list(self.topic)
        self.assertEqual((found["counters"], found["keys"], found["since"]), (0, [], None))


class KeysFew(KeyCase):
    settings = "hot-keys: 2\nhot-keys-half-life: 10s\nhot-keys-memory: 4MiB\n"

    def test_settings_bound_counters_and_memory(self):
        client = self.create()
        self.publish(client, b"a", b"b", b"c", b"c", b"c")
        found = client.key_list(self.topic)
        self.assertEqual((found["counters"], found["half_life_ms"], len(found["keys"])), (2, 10000, 2))
        self.assertEqual(found["keys"][0]["key"], b"c")

    def test_longest_keys_are_whole(self):
        client = self.create()
        key = bytes(range(KEY_BYTES_MAX))
        self.publish(client, key)
        self.assertEqual(self.names(client), [key])
