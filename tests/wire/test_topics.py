"""Sections 5, 7 and 8 of the page: topics, groups, their settings, statistics."""

import time
import unittest

from client import GROUP_CREATE, OVERVIEW, PEEK, PUBLISH, STATS, TOPIC_CREATE, TOPIC_LIST, ShuntError
from server import WireTest

DEFAULTS = {
    "max_attempts": 5,
    "lease_ms": 30000,
    "backoff_min_ms": 1000,
    "backoff_max_ms": 300000,
    "expired": 0,
    "dlq_retention_ms": 0, "dlq_slo_ms": 300000,
    "ttl_ms": 0,
    "max_messages": 0,
    "max_bytes": 0,
    "history_after_ms": 3600000,
    "backoff_floor_ms": 0,
    "order": 0,
    "on_dead": 0,
    "follow_max": 1000,
    "fair": 0,
    "breaker": 1, "breaker_window": 40, "breaker_threshold": 80, "breaker_pause_min_ms": 1000, "breaker_pause_max_ms": 15000,
    "key_run": 1,
}
OF_TOPICS = {"ttl_ms", "max_messages", "max_bytes"}
BOUNDS = {
    "max_attempts": (1, 1000),
    "lease_ms": (10, 43200000),
    "expired": (0, 1),
    "dlq_retention_ms": (0, 315360000000),
    "dlq_slo_ms": (0, 315360000000),
    "ttl_ms": (0, 315360000000),
    "max_messages": (0, 1000000000000),
    "max_bytes": (0, 1125899906842624),
    "history_after_ms": (0, 315360000000),
    "backoff_floor_ms": (0, 315360000000),
    "order": (0, 1),
    "on_dead": (0, 2),
    "follow_max": (1, 1000000),
    "fair": (0, 1),
    "breaker": (0, 1),
    "breaker_window": (5, 100),
    "breaker_threshold": (50, 100),
    "key_run": (1, 100),
}


class Topics(WireTest):
    def test_a_topic_is_made_with_the_group_default(self):
        client = self.connect()
        before = int(time.time() * 1000) - 1000
        client.topic_create(self.topic)
        info = client.topic_show(self.topic)
        self.assertEqual(info["topic"], self.topic)
        self.assertTrue(before <= info["created"] <= before + 60000)
        self.assertEqual((info["messages"], info["bytes"], info["published"]), (0, 0, 0))
        self.assertEqual(info["policy"], DEFAULTS)
        [group] = info["groups"]
        self.assertEqual((group["topic"], group["group"]), (self.topic, "default"))
        self.assertEqual(group["dlq"], f"dlq:{self.topic}:default")
        self.assertEqual({k: v for k, v in DEFAULTS.items() if k not in OF_TOPICS},
                         {k: v for k, v in group["policy"].items() if k not in OF_TOPICS})
        self.assertEqual(group["own"], [])
        self.assertIs(group["paused"], False)
        for count in ("ready", "in_flight", "delayed", "dead", "acked", "expired", "discarded", "purged", "redriven",
                      "published", "deliveries", "consumers", "parked", "blocked_keys", "blocked_messages"):
            self.assertEqual(group[count], 0, count)
        self.assertIsNone(group["oldest_ready"])
        self.assertIsNone(group["oldest_dead"])
        self.assertIsNone(group["oldest_blocked"])

    def test_a_topic_is_made_with_groups_of_choice(self):
        client = self.connect()
        client.topic_create(self.topic, ["b", "a"], lease_ms=5000)
        self.assertEqual(sorted(g["group"] for g in client.group_list(self.topic)), ["a", "b"])
        self.assertEqual({g["policy"]["lease_ms"] for g in client.group_list(self.topic)}, {5000})

    def test_what_is_there_cannot_be_made_again(self):
        client = self.create()
        self.refused("TOPIC_EXISTS", client.topic_create, self.topic)
        self.refused("GROUP_EXISTS", client.group_create, self.topic, "default")
        self.assertEqual(client.topic_show(self.topic)["policy"]["backoff_min_ms"], 1, "nothing changed")

    def test_names_are_checked(self):
        client = self.create()
        for name, refusal in (("a:b", "RESERVED"), ("dlq:a:b", "RESERVED"), ("", "BAD_NAME"), (".x", "BAD_NAME"),
                              ("a b", "BAD_NAME"), ("x" * 101, "BAD_NAME"), ("\u00fc", "BAD_NAME"), ("a\0", "BAD_NAME")):
            with self.subTest(name):
                self.refused(refusal, client.request, TOPIC_CREATE, name, {})
                self.refused(refusal, client.request, TOPIC_CREATE, self.topic + "-2", {}, [name])
                self.refused(refusal, client.request, GROUP_CREATE, self.topic, name, {}, None)
        self.refused("UNKNOWN_TOPIC", client.topic_show, self.topic + "-2")

    def test_what_is_not_there_is_said(self):
        client = self.create()
        for call, *arguments in (
            (client.topic_show,), (client.topic_update,), (client.topic_delete,), (client.topic_purge,),
            (client.group_list,), (client.group_show,), (client.group_create, "g"), (client.group_update, "default"),
            (client.group_delete, "default"), (client.group_pause,), (client.group_resume,), (client.peek,),
            (client.dlq_list,),
        ):
            with self.subTest(call=call.__name__):
                self.refused("UNKNOWN_TOPIC", call, "not-there", *arguments)
        for call in (client.topic_purge, client.group_show, client.group_update, client.group_delete,
                     client.group_pause, client.group_resume, client.peek, client.dlq_list):
            with self.subTest(call=call.__name__):
                self.refused("UNKNOWN_GROUP", call, self.topic, "not-there")
        self.refused("NOT_FOUND", client.job_show, 4711000)

    def test_settings_are_inherited_from_group_to_topic_to_default(self):
        client = self.connect()
        client.topic_create(self.topic, ["g"], max_attempts=7)
        policy = lambda: client.group_show(self.topic, "g")["policy"]["max_attempts"]
        self.assertEqual(policy(), 7)
        client.group_update(self.topic, "g", max_attempts=2)
        self.assertEqual(policy(), 2)
        self.assertEqual(client.group_show(self.topic, "g")["own"], ["max_attempts"])
        client.topic_update(self.topic, max_attempts=9)
        self.assertEqual(policy(), 2)
        client.group_update(self.topic, "g", max_attempts=None)
        self.assertEqual(policy(), 9)
        self.assertEqual(client.group_show(self.topic, "g")["own"], [])
        client.topic_update(self.topic, max_attempts=None)
        self.assertEqual(policy(), 5)

    def test_settings_are_held_to_their_bounds(self):
        client = self.create()
        for field, (least, most) in BOUNDS.items():
            for value in (least, most):
                client.topic_update(self.topic, **{field: value})
                self.assertEqual(client.topic_show(self.topic)["policy"][field], value)
            for value in (least - 1, most + 1, 2**63, 2**64 - 1, -(2**63)):
                with self.subTest(field=field, value=value):
                    self.refused("BAD_ARGUMENT", client.topic_update, self.topic, **{field: value})
            self.assertEqual(client.topic_show(self.topic)["policy"][field], most)
            client.topic_update(self.topic, **{field: None})
        self.refused("BAD_ARGUMENT", client.topic_update, self.topic, lease=5)
        self.refused("BAD_ARGUMENT", client.topic_create, self.topic + "-2", max_attempt=5)
        self.refused("BAD_ARGUMENT", client.group_create, self.topic, "g", typo=1)

    def test_back_offs_bounds_must_not_cross_whoever_sets_them(self):
        client = self.connect()
        client.topic_create(self.topic, ["g"], backoff_max_ms=5000)
        self.refused("BAD_ARGUMENT", client.group_update, self.topic, "g", backoff_min_ms=5001)
        self.refused("BAD_ARGUMENT", client.group_create, self.topic, "h", backoff_min_ms=5001)
        self.refused("BAD_ARGUMENT", client.topic_update, self.topic, backoff_max_ms=999)
        self.refused("BAD_ARGUMENT", client.topic_create, self.topic + "-2", backoff_max_ms=999)
        client.group_update(self.topic, "g", backoff_min_ms=5000)
        self.refused("BAD_ARGUMENT", client.topic_update, self.topic, backoff_max_ms=4999)
        self.refused("BAD_ARGUMENT", client.topic_update, self.topic, backoff_max_ms=4999, max_attempts=2)
        self.assertEqual(client.topic_show(self.topic)["policy"]["max_attempts"], 5, "and nothing else is changed")
        client.group_update(self.topic, "g", backoff_min_ms=6000, backoff_max_ms=7000)
        client.topic_update(self.topic, backoff_max_ms=4999)

    def test_purging_nothing_is_no_job(self):
        client = self.create(groups=["a", "b"])
        self.assertEqual([client.topic_purge(self.topic), client.topic_purge(self.topic, "a")], [0, 0])
        client.publish(self.topic, b"x")
        client.subscribe(self.topic, "a").next()
        self.assertEqual(client.topic_purge(self.topic, "a"), 0, "what is in flight is not purged")
        self.assertGreater(client.topic_purge(self.topic), 0)

    def test_a_limit_of_a_listing_is_cut_to_what_may_be(self):
        client = self.create()
        client.publish(self.topic, *[b""] * 1100)
        for limit, rows in ((0, 100), (None, 100), (1, 1), (1000, 1000), (1001, 1000), (2**64 - 1, 1000)):
            page, more = client.peek(self.topic, limit=limit)
            self.assertEqual((len(page), more), (rows, True), limit)
        self.assertEqual(len(client.request(PEEK, self.topic, "default")[0]), 100)

    def test_a_refused_update_changes_none_of_its_fields(self):
        client = self.create()
        self.refused("BAD_ARGUMENT", client.topic_update, self.topic, lease_ms=777, max_attempts=0)
        self.assertEqual(client.topic_show(self.topic)["policy"]["lease_ms"], 30000)

    def test_topics_are_listed_by_name_and_page(self):
        client = self.connect()
        names = [f"{self.topic}-{n:02}" for n in range(12)]
        for name in reversed(names):
            client.topic_create(name)
        client.publish(names[0], b"x")
        seen, after = [], self.topic
        while True:
            page, more = client.topic_list(after, 5)
            self.assertLessEqual(len(page), 5)
            seen += [info["topic"] for info in page if info["topic"].startswith(self.topic)]
            if not more:
                break
            after = page[-1]["topic"]
        self.assertEqual(seen, names)
        first, _ = client.topic_list(None, 1000)
        self.assertFalse([info for info in first if info["topic"].startswith("dlq:")], "DLQs are not listed")
        with self.assertRaises(ShuntError):
            client.request(TOPIC_LIST, 5, 5)

    def test_the_overview_shows_every_group_and_pages_by_topic(self):
        client = self.create()
        names = sorted(f"{self.topic}.{i}" for i in range(5))
        for name in names:
            client.topic_create(name, ["a", "b"])
        client.publish(names[0], b"x")
        seen, after = [], self.topic
        while True:
            page, more, after, now = client.overview(after, 3)
            self.assertLessEqual(len(page), 4)
            seen += [row for row in page if row["topic"].startswith(self.topic + ".")]
            if not more:
                break
        self.assertEqual([(row["topic"], row["group"]) for row in seen], [(name, group) for name in names for group in "ab"])
        self.assertLessEqual(abs(now - seen[0]["oldest_ready"]), 60_000)
        self.assertEqual({key: value for key, value in seen[0].items() if key != "oldest_ready"}, {"topic": names[0], "group": "a", "published": 1, "ready": 1})
        self.assertEqual(set(seen[2]), {"topic", "group"})
        with self.assertRaises(ShuntError):
            client.request(OVERVIEW, 5, 5)

    def test_a_new_group_starts_at_the_oldest_or_at_now(self):
        client = self.create()
        client.publish(self.topic, b"1", b"2")
        client.group_create(self.topic, "oldest", "oldest")
        client.group_create(self.topic, "silent")
        client.group_create(self.topic, "now", "now", max_attempts=3)
        client.publish(self.topic, b"3")
        for group, bodies in (("oldest", [b"1", b"2", b"3"]), ("silent", [b"1", b"2", b"3"]), ("now", [b"3"])):
            got = client.subscribe(self.topic, group).take(len(bodies))
            self.assertEqual([d.message.body for d in got], bodies)
        self.assertEqual(client.group_show(self.topic, "now")["policy"]["max_attempts"], 3)
        self.refused("BAD_ARGUMENT", client.group_create, self.topic, "never", "tomorrow")

    def test_a_topic_keeps_a_group(self):
        client = self.create(groups=["a", "b"])
        client.publish(self.topic, b"x")
        client.group_delete(self.topic, "a")
        self.refused("UNKNOWN_GROUP", client.group_show, self.topic, "a")
        self.refused("LAST_GROUP", client.group_delete, self.topic, "b")
        self.assertEqual(self.counts(client, "b"), {"ready": 1})

    def test_a_deleted_topic_is_gone_and_its_name_free(self):
        client = self.create()
        client.publish(self.topic, *[b"x"] * 1000)
        job = client.topic_delete(self.topic)
        self.refused("UNKNOWN_TOPIC", client.topic_show, self.topic)
        client.topic_create(self.topic)
        self.assertEqual(self.counts(client), {})
        done = self.until(lambda: (shown := client.job_show(job))["state"] == "done" and shown)
        self.assertEqual((done["job"], done["kind"], done["topic"]), (job, "drop", self.topic))
        self.assertEqual(done["done"], done["total"])
        self.assertGreaterEqual(done["ended"], done["begun"])

    def test_purging_leaves_what_is_held_or_dead(self):
        client = self.create(groups=["a", "b"])
        client.publish(self.topic, *[b"%d" % n for n in range(10)])
        subscription = client.subscribe(self.topic, "a", messages=3)
        held = subscription.take(3)
        subscription.credit(0)
        subscription.reject(held[0])
        subscription.nack(held[1], 3600000)
        job = client.topic_purge(self.topic, "a")
        self.until(lambda: client.job_show(job)["state"] == "done")
        self.assertEqual(client.job_show(job)["kind"], "purge")
        self.assertEqual(self.counts(client, "a"), {"in_flight": 1, "dead": 1, "purged": 8})
        self.assertEqual(self.counts(client, "b"), {"ready": 10})
        self.assertEqual(subscription.ack(held[2]), {})
        job = client.topic_purge(self.topic, None)
        self.until(lambda: client.job_show(job)["state"] == "done")
        self.assertEqual(self.counts(client, "b"), {"purged": 10})

    def test_peeking_changes_nothing(self):
        client = self.create()
        client.publish(self.topic, b"a", [b"b", None, None, 3600000], b"ccc")
        subscription = client.subscribe(self.topic, messages=1)
        subscription.take(1)
        before = client.group_show(self.topic)
        page, more = client.peek(self.topic, limit=2)
        self.assertEqual([row["state"] for row in page], ["in_flight", "delayed"])
        self.assertTrue(more)
        self.assertNotIn("message", page[0])
        rest, more = client.peek(self.topic, after=page[-1]["seq"], bodies=True)
        self.assertFalse(more)
        [row] = rest
        self.assertEqual((row["state"], row["attempts"], row["deliveries"], row["due"]), ("ready", 0, 0, None))
        self.assertEqual(row["message"][0], b"ccc")
        self.assertEqual(client.group_show(self.topic), before)

    def test_consumers_and_the_oldest_are_shown(self):
        client = self.create()
        client.publish(self.topic, b"x")
        info = client.group_show(self.topic)
        self.assertEqual(info["consumers"], 0)
        self.assertLess(abs(info["oldest_ready"] - time.time() * 1000), 60000)
        one, two = client.subscribe(self.topic, messages=0), client.subscribe(self.topic, messages=0)
        self.assertEqual(client.group_show(self.topic)["consumers"], 2)
        one.unsubscribe()
        self.assertEqual(client.group_show(self.topic)["consumers"], 1)
        two.credit(1)
        two.reject(two.next())
        info = client.group_show(self.topic)
        self.assertIsNone(info["oldest_ready"])
        self.assertLess(abs(info["oldest_dead"] - time.time() * 1000), 60000)

    def test_statistics_see_what_the_frames_before_them_did(self):
        client = self.create()
        begin = client.stats()["published"]
        ids = []
        for _ in range(5):
            ids += [client.send(PUBLISH, self.topic, 0, 0, [[b"x"]]), client.send(STATS), client.send(STATS)]
        shown = [client.reply(id)[0] for id in ids]
        self.assertEqual([row["published"] - begin for row in shown if isinstance(row, dict)], [1, 1, 2, 2, 3, 3, 4, 4, 5, 5])

    def test_a_clock_that_is_right_is_put_right(self):
        client = self.create()
        before_ms = client.stats()["clock_error_ms"]
        self.assertLess(abs(client.clock_set() - before_ms), 1000)
        self.assertLess(abs(client.clock_set()), 1000)
        self.assertLess(abs(client.stats()["clock_error_ms"]), 1000)

    def test_statistics_have_what_the_page_lists(self):
        client = self.create()
        client.publish(self.topic, b"x")
        stats = client.stats()
        self.assertIsInstance(stats["server"], str)
        for key in ("uptime_ms", "connections", "topics", "groups", "commits", "applied_index", "memory_bytes",
                    "published", "ready"):
            self.assertGreater(stats[key], 0, key)
        for key in ("in_flight", "delayed", "dead", "acked", "deliveries"):
            self.assertGreaterEqual(stats[key], 0, key)
        self.assertEqual(stats["conservation_error"], 0)
        self.assertLess(abs(stats["clock_error_ms"]), 60000)
        self.assertIs(stats["full"], False)
        self.assertEqual(set(stats["store_bytes"]) & {"used", "free", "map", "map_max", "left"}, {"used", "free", "map", "map_max", "left"})
        self.assertIn(stats["store_limit"], ("map", "disk"))


if __name__ == "__main__":
    unittest.main()
