"""/metrics, /healthz and /readyz of a real server, before and after a message dies."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

import harness
import wire

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../unit/http"))
import openmetrics

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def get(url):
    """(status, body)."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def samples(page):
    """{(name, frozenset of labels): value}; a series that is there twice is an error."""
    found = {}
    for line in page.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        key = (name, frozenset(LABEL.findall(labels or "")))
        if key in found:
            raise AssertionError(f"twice: {line}")
        found[key] = float(value)
    return found


class Metrics(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server())

    def test_health_and_readiness_of_a_running_server(self):
        self.assertEqual(get(self.server.http + "/healthz"), (200, "ok\n"))
        self.assertEqual(get(self.server.http + "/readyz"), (200, "ok\n"))
        self.assertEqual(get(self.server.http + "/nowhere")[0], 404)

    def test_a_dead_letter_shows(self):
        of = {"topic": "metrics", "group": "default"}
        self.server.shunt("topic", "create", "metrics", "--max-attempts", "2", "--backoff", "1ms..2ms")
        self.server.shunt("publish", "metrics", "--lines", input="good\nbad\n")
        self.server.shunt("work", "metrics", "--drain", "--", "grep", "good")
        # No waiting for the page to be made anew: a server's first page is never an old one.
        status, page = get(self.server.http + "/metrics")
        self.assertEqual(status, 200)
        found = samples(page)

        def value(name, **labels):
            return found[(name, frozenset({**of, **labels}.items()))]

        self.assertEqual(value("shunt_published_total"), 2)
        self.assertEqual(value("shunt_acked_total"), 1)
        self.assertEqual(value("shunt_deliveries_total"), 3)
        self.assertEqual(value("shunt_attempts_total", outcome="nacked"), 2)
        self.assertEqual(value("shunt_dead_lettered_total", reason="max_attempts"), 1)
        self.assertEqual(value("shunt_dlq_depth"), 1)
        self.assertGreater(value("shunt_dlq_oldest_timestamp_seconds"), 1.6e9)
        self.assertEqual(value("shunt_conservation_error"), 0)
        for state in ("ready", "in_flight", "delayed"):
            self.assertEqual(value("shunt_messages", state=state), 0)
        self.assertEqual(found[("shunt_up", frozenset())], 1)
        self.assertEqual(found[("shunt_ready", frozenset())], 1)
        self.assertGreater(found[("shunt_commit_seconds_count", frozenset())], 0)
        self.assertGreater(found[("process_resident_memory_bytes", frozenset())], 0)

    def test_what_nobody_has_looked_at_shows(self):
        of = {"topic": "metrics", "group": "default"}
        self.server.shunt("topic", "create", "metrics", "--max-attempts", "1", "--dlq-slo", "1ms", "--dlq-retention", "30d")
        self.server.shunt("publish", "metrics", "--lines", input="one\ntwo\n")
        self.server.shunt("work", "metrics", "--drain", "--", "false")

        def page():
            found = samples(get(self.server.http + "/metrics")[1])
            return lambda name, **labels: found.get((name, frozenset({**of, **labels}.items())))

        def when(name, wanted):
            return wire.until(lambda: [value for value in [page()] if value(name) == wanted])[0]

        value = when("shunt_dlq_slo_breaches_total", 2)
        self.assertEqual(value("shunt_dlq_unattended"), 2)
        self.assertEqual(value("shunt_dlq_slo_seconds"), 0.001)
        self.assertEqual(value("shunt_dlq_oldest_unattended_timestamp_seconds"), value("shunt_dlq_oldest_timestamp_seconds"))
        left = value("shunt_dlq_next_expiry_timestamp_seconds") - value("shunt_dlq_oldest_timestamp_seconds") - 30 * 86400
        self.assertTrue(0 <= left < 1, left)
        self.assertEqual({state: value("shunt_dlq_causes", state=state) for state in ("new", "seen", "muted", "resolved", "regressed")},
                         {"new": 1, "seen": 0, "muted": 0, "resolved": 0, "regressed": 0})
        self.server.kill()
        self.server.start()
        self.server.shunt("dlq", "purge", "metrics", "--count", "1", "--yes")
        value = when("shunt_dlq_unattended", 1)
        self.assertEqual(value("shunt_dlq_slo_breaches_total"), 2, "the restart neither lost nor doubled one")
        self.assertEqual(samples(get(self.server.http + "/metrics")[1])[("shunt_dlq_attend_delay_seconds_count", frozenset())], 1)
        self.server.shunt("dlq", "purge", "metrics", "--all", "--yes")
        value = when("shunt_dlq_unattended", 0)
        self.assertIsNone(value("shunt_dlq_oldest_unattended_timestamp_seconds"))
        self.assertIsNone(value("shunt_dlq_next_expiry_timestamp_seconds"))

    def test_the_hottest_key_shows_and_its_name_does_not(self):
        self.server.shunt("topic", "create", "metrics")
        keys = ["customer-17"] * 3 + ["customer-4", None]  # at one moment: what comes later counts for more
        self.server.shunt("publish", "metrics", "--jsonl", input="".join(json.dumps({"body": "x", **({"key": key} if key else {})}) + "\n" for key in keys))
        page = get(self.server.http + "/metrics")[1]
        shares = {labels: value for (name, labels), value in samples(page).items() if name == "shunt_hot_key_share"}
        self.assertEqual(shares, {frozenset({("topic", "metrics"), ("group", "default"), ("by", "rate")}): 0.75})
        self.assertNotIn("customer", page)

    def test_what_came_of_redrives_shows(self):
        of = frozenset({("topic", "metrics"), ("group", "default")})
        self.server.shunt("topic", "create", "metrics", "--max-attempts", "1")
        self.server.shunt("publish", "metrics", "--lines", input="good\nbad\nbad\n")
        self.server.shunt("work", "metrics", "--drain", "--", "false")
        self.server.shunt("dlq", "redrive", "metrics", "--all")
        self.server.shunt("work", "metrics", "--drain", "--", "grep", "good")
        self.server.kill()
        self.server.start()
        found = samples(get(self.server.http + "/metrics")[1])
        self.assertEqual({outcome: found[("shunt_redrive_outcomes_total", of | {("outcome", outcome)})]
                          for outcome in ("acked", "failed_same", "failed_other", "gone")},
                         {"acked": 1, "failed_same": 2, "failed_other": 0, "gone": 0})

    def test_the_page_as_openmetrics_says_the_same(self):
        self.server.shunt("topic", "create", "metrics")
        self.server.shunt("publish", "metrics", "--lines", input="one\ntwo\n")
        asked = urllib.request.Request(self.server.http + "/metrics",
                                       headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            self.assertEqual(answer.headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
            families = openmetrics.parse(answer.read().decode())
        of = frozenset({("topic", "metrics"), ("group", "default")})
        self.assertEqual(families["shunt_published"].samples[("_total", of)], 2)
        self.assertEqual(families["shunt_up"].samples[("", frozenset())], 1)
        plain = {name for name, _ in samples(get(self.server.http + "/metrics")[1])}
        self.assertEqual({family.name + suffix for family in families.values() for suffix, _ in family.samples}, plain)

    def test_promtool_finds_nothing_to_complain_of(self):
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed (Debian package prometheus)")
        self.server.shunt("topic", "create", "metrics")
        page = get(self.server.http + "/metrics")[1]
        done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


if __name__ == "__main__":
    harness.main()
