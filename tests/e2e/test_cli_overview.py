"""`shunt overview`: of many groups, the one that needs somebody stands first."""
import json
import re
import shutil
import subprocess
import unittest

import harness
import wire
from cli_case import USAGE, Case, lines_of

KEYS = ["topic", "group", "state", "since", "ready", "in_flight", "delayed", "dead", "unattended", "causes_new", "blocked_keys", "slo_breaches", "published", "acked",
        "consumers", "paused", "breaker", "breaker_until", "oldest_ready", "oldest_dead", "oldest_unattended", "oldest_blocked", "dlq_slo_ms"]


class Overview(Case):
    def setUp(self):
        super().setUp()
        self.admin = self.connect()

    def connect(self):
        client = wire.connect(self.server)
        self.addCleanup(client.close)
        return client

    def die(self, topic, count=1, key=None, **policy):
        """So many messages die in a new topic."""
        self.admin.topic_create(topic, **policy)
        consumer = self.connect()
        subscription = consumer.subscribe(topic, messages=1)
        self.admin.publish(topic, *[wire.Message(b"x", key=key)] * count)
        for _ in range(count):
            subscription.reject(*subscription.take(1))
            subscription.credit(1)
        consumer.close()
        self.until_row(topic, lambda row: row["consumers"] == 0)

    def row(self, topic):
        [row] = [row for row in self.document("overview") if row["topic"] == topic]
        return row

    def until_row(self, topic, holds):
        wire.until(lambda: holds(self.row(topic)))

    def fill(self):
        """A topic of each state; the names say nothing of their order."""
        self.admin.topic_create("a-well")
        self.die("b-looked-at")
        self.shunt("dlq", "show", "b-looked-at/1")
        self.admin.topic_create("c-idle")
        self.shunt("group", "pause", "c-idle", "default")
        self.admin.topic_create("d-nobody")
        self.admin.publish("d-nobody", b"x")
        self.admin.topic_create("e-paused")
        self.admin.publish("e-paused", b"x")
        self.shunt("group", "pause", "e-paused", "default")
        self.die("f-blocked", key=b"k", order=1, on_dead=1)
        self.shunt("dlq", "show", "f-blocked/1")
        self.die("g-dead", count=2)
        self.die("h-older", dlq_slo_ms=0)
        self.die("i-overdue", dlq_slo_ms=1)
        self.until_row("i-overdue", lambda row: row["state"] == "overdue" and row["slo_breaches"])  # which the broker counts a moment later

    def test_what_needs_somebody_comes_first(self):
        self.fill()
        rows = self.document("overview")
        self.assertEqual([(row["topic"], row["state"]) for row in rows],
                         [("i-overdue", "overdue"), ("g-dead", "unattended"), ("h-older", "unattended"), ("f-blocked", "blocked"), ("e-paused", "paused"),
                          ("d-nobody", "no_consumer"), ("c-idle", "paused"), ("b-looked-at", "looked_at"), ("a-well", "well")])
        self.assertEqual(list(rows[0]), KEYS)
        self.assertEqual([rows[0]["since"], rows[1]["since"], rows[3]["since"]],
                         [rows[0]["oldest_unattended"], rows[1]["oldest_unattended"], rows[3]["oldest_blocked"]])
        self.assertEqual((rows[1]["dead"], rows[1]["unattended"], rows[1]["causes_new"], rows[1]["ready"]), (2, 2, 1, 0))
        self.assertEqual((rows[-1]["since"], rows[-1]["breaker"], rows[-1]["paused"], rows[-1]["dlq_slo_ms"]), (None, None, False, None))
        self.assertEqual(lines_of(self.shunt("overview", "-o", "jsonl").stdout), rows)
        self.shunt("dlq", "purge", "i-overdue", "--all", "--yes")
        self.assertEqual(self.row("i-overdue")["state"], "well", "it is said of what is there")

    @unittest.skipUnless(shutil.which("node"), "there is no Node to run the console's part with")
    def test_the_console_judges_alike(self):
        self.fill()
        said = [re.split(r" {2,}", line) for line in self.shunt("overview").stdout.splitlines()[1:]]
        connection = self.server.http_client()
        self.addCleanup(connection.close)
        connection.request("GET", "/api/v1/overview")
        page = json.loads(connection.getresponse().read())
        program = f"""import {{ byAttention }} from {json.dumps(str(harness.SOURCE_ROOT / "console/src/lib/attention.js"))};
            for (const row of byAttention({json.dumps(page["groups"][::-1])}, {page["now"]})) console.log(`${{row.topic}} ${{row.attention.word}}`);"""
        done = subprocess.run(["node", "--input-type=module"], input=program, capture_output=True, text=True, check=False)
        self.assertEqual(done.stdout.splitlines(), [f"{topic} {word}" for topic, _, word, *_ in said], done.stderr)

    def test_the_table_says_it_in_words(self):
        self.die("fruit")
        self.admin.topic_create("idle")
        heading, first, second = self.shunt("overview").stdout.splitlines()
        self.assertRegex(heading, r"^TOPIC +GROUP +STATE +FOR +READY +IN FLIGHT +DELAYED +DEAD +UNATTENDED +CONSUMERS$")
        self.assertRegex(first, r"^fruit +default +new dead letters +\d\S* +0 +0 +0 +1 +1 +0$")
        self.assertRegex(second, r"^idle +default +well +- +0 +0 +0 +0 +0 +0$")

    def test_a_breaker_that_is_open_comes_before_new_dead_letters(self):
        self.die("a-dead")
        self.admin.topic_create("b-away", breaker_window=5, breaker_threshold=100, backoff_min_ms=60000, backoff_max_ms=60000)
        subscription = self.admin.subscribe("b-away", messages=8)
        self.admin.publish("b-away", *[b"x"] * 8)
        for delivery in subscription.take(8):
            subscription.nack(delivery)
        self.until_row("b-away", lambda row: row["breaker"] == "open")
        rows = self.document("overview")
        self.assertEqual([(row["topic"], row["state"]) for row in rows], [("b-away", "breaker"), ("a-dead", "unattended")])
        self.assertIsNotNone(rows[0]["breaker_until"])
        self.assertRegex(self.shunt("overview").stdout.splitlines()[1], r"^b-away +default +breaker open +- ")

    def test_more_groups_than_one_page_holds_are_all_there(self):
        groups = [f"g{i:02}" for i in range(40)]
        for i in range(30):
            self.admin.topic_create(f"t{i:02}", groups)
        rows = self.document("overview")
        self.assertEqual([(row["topic"], row["group"]) for row in rows], [(f"t{i:02}", group) for i in range(30) for group in groups])

    def test_without_topics_it_says_so(self):
        done = self.shunt("overview")
        self.assertEqual((done.stdout, done.stderr), ("", "shunt: there are no topics\n"))
        self.assertEqual(self.document("overview"), [])
        self.shunt("overview", "fruit", code=USAGE)


if __name__ == "__main__":
    harness.main()
