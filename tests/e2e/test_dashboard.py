"""The dashboard: every query is one that Prometheus parses and answers with something, and every metric is on the page of a live server."""
import json
import re
import unittest
import urllib.request

import harness
import monitoring
from cli_case import Case
from monitoring import wait_until

DASHBOARD = json.loads((harness.SOURCE_ROOT / "deploy/grafana/shunt.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
METRIC = re.compile(r"(?<![\w:])(?:shunt|process)_\w+")


def queries():
    """[(panel's title, expression)], as Grafana sends them when all is chosen."""
    found = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            found.append((variable["name"], re.fullmatch(r"label_values\((.+), \w+\)", variable["query"]["query"])[1]))
    return [(title, re.sub(r"\$(?!__)\w+", ".*", expression).replace("$__rate_interval", "1m")) for title, expression in found]


class Layout(unittest.TestCase):
    def test_each_panel_has_a_place_of_its_own(self):
        taken = {}
        for panel in DASHBOARD["panels"]:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, panel["title"])
                    taken[x, y] = panel["title"]
        self.assertEqual(len({panel["id"] for panel in DASHBOARD["panels"]}), len(DASHBOARD["panels"]))
        self.assertEqual(len({panel["title"] for panel in PANELS}), len(PANELS))

    def test_only_variables_that_there_are_are_used(self):
        names = {variable["name"] for variable in DASHBOARD["templating"]["list"]} | {"__rate_interval", "__all"}
        self.assertEqual(set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) - names, set())

    def test_alerts_that_are_named_exist(self):
        rules = (harness.SOURCE_ROOT / "deploy/prometheus/shunt.rules.yml").read_text(encoding="utf-8")
        named = set(re.findall(r"\bShunt\w+", json.dumps(DASHBOARD)))
        self.assertGreater(len(named), 5)
        self.assertEqual(named - set(re.findall(r"- alert: (\w+)", rules)), set())


class Live(Case):
    def setUp(self):
        """A server on which each thing has happened that a metric without a series waits for."""
        super().setUp()
        self.fill_dlq("bad", ["one", "two", "three"])
        self.shunt("topic", "update", "bad", "--dlq-retention", "30d")
        self.shunt("dlq", "show", "bad", self.document("dlq", "list", "bad")[0]["id"])
        self.shunt("topic", "create", "paused")
        self.shunt("group", "pause", "paused", "default")

    def test_every_metric_is_on_the_page(self):
        with urllib.request.urlopen(self.server.http + "/metrics", timeout=30) as answer:
            page = set(METRIC.findall(answer.read().decode()))
        for title, expression in queries():
            for name in METRIC.findall(expression):
                self.assertIn(name, page, title)

    @unittest.skipIf(monitoring.unavailable(), monitoring.unavailable())
    def test_every_query_is_answered(self):
        address, scrape = self.server.scraped()
        with monitoring.Prometheus(self.directory, {"broker": address}, scrape=scrape) as prometheus:
            wait_until(lambda: prometheus.query("count_over_time(shunt_up[1m]) > 2"), "the server is scraped")
            # Something that grows between two scrapes, for what is a quotient of growths.
            self.shunt("publish", "bad", "--lines", input="four\nfive\n")
            self.shunt("work", "bad", "--drain", "--", "sh", "-c", "exit 65")
            self.shunt("dlq", "show", "bad", self.document("dlq", "list", "bad")[1]["id"])
            wait_until(lambda: prometheus.query("increase(shunt_dead_lettered_total[1m]) > 0"), "the growth is scraped")
            for title, expression in queries():
                with self.subTest(panel=title, expression=expression):
                    wait_until(lambda: prometheus.query(expression), f"{title} shows something")
            with self.assertRaisesRegex(AssertionError, "parse error"):
                prometheus.query("sum by (le (rate(shunt_commit_seconds_bucket[1m])))")


if __name__ == "__main__":
    harness.main()
