"""From a message that dies to the page that somebody gets, and its all-clear: shuntd, Prometheus with the shipped rules, Alertmanager, a webhook.

The rules are those of deploy/prometheus, but for each `for`, which is 1,200 times as short: an hour is three seconds. The age at which somebody is
paged is a setting of the group, dlq-slo.
"""
import re
import tempfile
import unittest

import harness
import monitoring
from monitoring import wait_until

FACTOR = 1200
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
OVERDUE = "ShuntDeadLetterOverdue"
DOWN = "ShuntDown"
SLO = "3s"

FOR = re.compile(r"(?m)^( +for: )(\d+)([smhd])$")


def sooner(rules):
    """The same rules, except that each `for` is FACTOR times shorter."""
    return FOR.sub(lambda m: f"{m[1]}{int(m[2]) * SECONDS[m[3]] * 1000 // FACTOR}ms", rules)


def without(rules, alert):
    """The rules but for all that have this name."""
    return re.sub(r"(?m)^      - alert: %s\n(?:(?!      - |      #).*\n)*" % alert, "", rules)


class Rules(unittest.TestCase):
    """The rules that are tested here are the shipped ones."""

    def test_only_the_waiting_differs_from_what_is_shipped(self):
        before, after = SHIPPED.splitlines(), sooner(SHIPPED).splitlines()
        self.assertEqual(len(before), len(after))
        changed = [(old, new) for old, new in zip(before, after) if old != new]
        self.assertEqual(len(changed), SHIPPED.count("\n        for: "))
        for old, new in changed:
            was, now = (re.fullmatch(r"        for: (\d+)(s|m|h|ms)", line).groups() for line in (old, new))
            self.assertEqual((int(was[0]) * SECONDS[was[1]] * 1000, now[1]), (int(now[0]) * FACTOR, "ms"))


@unittest.skipIf(monitoring.unavailable(), monitoring.unavailable())
class Alerting(unittest.TestCase):
    def setUp(self):
        self.webhook = self.enterContext(monitoring.Webhook())
        self.server = self.enterContext(harness.Server())
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="alerting-"))
        self.alertmanager = self.enterContext(monitoring.Alertmanager(self.directory, self.webhook.url))

    def watch(self, rules):
        address, scrape = self.server.scraped()
        self.prometheus = self.enterContext(monitoring.Prometheus(self.directory, {"broker": address}, rules, self.alertmanager.url, scrape=scrape))

    def poison(self, topic):
        self.server.shunt("topic", "create", topic, "--max-attempts", "1", "--dlq-slo", SLO)
        self.server.shunt("publish", topic, "the one that kills its worker")
        self.server.shunt("work", topic, "--drain", "--", "sh", "-c", "echo cannot >&2; exit 1")

    def heal(self, topic):
        """A topic whose messages are handled, and one dead letter that somebody has looked at."""
        self.poison(topic)
        self.server.shunt("dlq", "show", topic, f"{topic}/1")
        self.server.shunt("publish", topic, "--lines", input="a\nb\nc\n")
        self.server.shunt("work", topic, "--drain", "--", "cat")

    def page(self, status="firing", after=0, **labels):
        """The first page, of those `after` the first so many, that has this status and these labels, once it has come."""
        return wait_until(lambda: [page for page in self.webhook.of(**labels)[after:] if page["status"] == status], f"{labels} is {status}")[0]

    def stop_server(self):
        """Until somebody is told that it is down, which is some rounds later."""
        before = len(self.webhook.of(alertname=DOWN))
        self.assertEqual(self.server.stop(), 0)
        self.page(after=before, alertname=DOWN)

    def start_server(self):
        """Where it was before, and until its all-clear."""
        before = len(self.webhook.of(alertname=DOWN))
        self.server.options = ["--http", self.server.scraped()[0]]
        self.server.start()
        self.page("resolved", after=before, alertname=DOWN)

    def restart_prometheus(self, end):
        """Until Alertmanager has been told again of the dead letter."""
        told = self.ongoing()[0]["updatedAt"]
        end()
        self.prometheus.start()
        wait_until(lambda: max(alert["updatedAt"] for alert in self.ongoing()) > told, "Prometheus tells again of the alert")

    def ongoing(self):
        return [alert for alert in self.alertmanager.alerts() if alert["labels"]["alertname"] == OVERDUE]

    def assert_goes_on(self, page, started):
        """Two rounds later the alert is still the one that began then, and `page` is all that anybody was told."""
        self.prometheus.wait_rounds(2)
        self.assertEqual([(alert["startsAt"], alert["status"]["state"]) for alert in self.ongoing()], [(started, "active")])
        self.assertEqual(self.webhook.of(alertname=OVERDUE), [page])

    def test_a_poisoned_queue_pages_once_whatever_is_restarted_until_its_triage_gives_the_all_clear(self):
        self.watch(sooner(SHIPPED))
        self.heal("mails")
        self.poison("orders")
        page = self.page(alertname=OVERDUE)
        self.assertEqual(page["labels"], {"alertname": OVERDUE, "severity": "critical", "topic": "orders", "group": "default", "job": "shunt",
                                          "instance": "broker"})
        self.assertIn("orders/default", page["annotations"]["summary"])
        started = self.ongoing()[0]["startsAt"]
        announced = [alert for alert in self.alertmanager.alerts() if alert["labels"]["alertname"] == "ShuntDeadLetterUnattended"]
        self.assertEqual([alert["status"]["state"] for alert in announced], ["suppressed"], "what only announced it is silent from now on")

        self.stop_server()
        self.assert_goes_on(page, started)
        self.start_server()
        self.assert_goes_on(page, started)
        self.restart_prometheus(self.prometheus.stop)
        self.assert_goes_on(page, started)
        self.stop_server()
        self.restart_prometheus(self.prometheus.kill)
        self.assert_goes_on(page, started)
        self.start_server()
        self.assert_goes_on(page, started)

        self.server.shunt("dlq", "causes", "orders")
        self.assert_goes_on(page, started)  # to list is not to look
        self.server.shunt("dlq", "show", "orders", "orders/1")
        end = self.page("resolved", alertname=OVERDUE)
        self.assertEqual(end["fingerprint"], page["fingerprint"])
        self.assertEqual([page["status"] for page in self.webhook.of(alertname=OVERDUE)], ["firing", "resolved"])
        self.assertEqual(page["annotations"]["runbook"], "docs/runbooks/ShuntDeadLetterOverdue.md")
        self.assertEqual(self.webhook.of(topic="mails"), [], "of the queue that is well")

    def test_nobody_is_paged_without_the_rule(self):
        rules = without(sooner(SHIPPED), OVERDUE)
        self.watch(rules)
        self.assertEqual(len(self.prometheus.rules()), len(re.findall("- (?:alert|record): ", SHIPPED)) - 1)
        self.poison("orders")
        wait_until(lambda: self.prometheus.query("time() - shunt_dlq_oldest_unattended_timestamp_seconds > shunt_dlq_slo_seconds"), "the rule would have fired")
        self.stop_server()
        self.assertEqual({page["labels"]["alertname"] for page in self.webhook.of(topic="orders")}, {"ShuntDeadLetterUnattended"})


SHIPPED = (harness.SOURCE_ROOT / "deploy/prometheus/shunt.rules.yml").read_text(encoding="utf-8")

if __name__ == "__main__":
    harness.main()
