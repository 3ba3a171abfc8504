#!/usr/bin/env python3
"""A downstream goes away under a real broker and its workers: nothing dies of it, and it is told everywhere."""
import json
import urllib.request

import cli_case
import harness

SETTINGS = ["--max-attempts", "3", "--backoff-min", "20ms", "--backoff-max", "20ms"]
QUICK = ["--breaker-window", "10", "--breaker-pause-min", "100ms", "--breaker-pause-max", "200ms"]  # 8 failures open it
LONG = ["--breaker-window", "10", "--breaker-pause-min", "10m", "--breaker-pause-max", "10m"]


class Breaker(cli_case.Case):
    def begin(self, *settings):
        self.up = self.directory / "up"
        self.shunt("topic", "create", "t", *SETTINGS, *settings)

    def publish(self, count):
        self.shunt("publish", "t", "--lines", input="".join(f"{n}\n" for n in range(count)))

    def work(self):
        """A worker that can do nothing while the file is not there."""
        return self.start("work", "t", "-j", "4", "--", "sh", "-c", f"test -e {self.up} || {{ echo 'ConnectionError: away' >&2; exit 1; }}")

    def breaker(self):
        return self.group("t")["breaker"]

    def metric(self, name, labels=""):
        """Its values for the group."""
        with urllib.request.urlopen(f"{self.server.http}/metrics", timeout=60) as page:
            lines = page.read().decode().splitlines()
        return [line.rsplit(" ", 1)[1] for line in lines if line.startswith(name + '{topic="t",group="default"' + labels + "}")]

    def test_while_it_is_away_nothing_dies_and_afterwards_all_is_done(self):
        self.begin(*QUICK)
        self.publish(40)
        self.work()
        self.eventually(lambda: self.group("t")["breaker_trips"] == 1)
        self.eventually(lambda: int(self.metric("shunt_attempts_total", ',outcome="outage"')[0]) >= 4)  # probes, and what was out, that would have been charged
        self.assertEqual(self.group("t")["dead"], 0)
        self.up.touch()
        self.eventually(lambda: self.group("t")["acked"] == 40)
        self.eventually(lambda: self.breaker() == "closed")
        shown = self.group("t")
        self.assertEqual((shown["dead"], shown["breaker_trips"]), (0, 1))

    def test_without_it_they_die(self):
        self.begin(*QUICK, "--breaker", "off")
        self.publish(40)
        self.work()
        self.eventually(lambda: self.group("t")["dead"] == 40)
        self.assertEqual(self.breaker(), "off")

    def test_one_message_that_fails_for_ever_opens_nothing(self):
        self.begin(*QUICK, "--max-attempts", "30")
        self.publish(1)
        self.work()
        self.eventually(lambda: self.group("t")["dead"] == 1)
        self.assertEqual(self.group("t")["breaker_trips"], 0)

    def open(self):
        self.begin(*LONG)
        self.publish(20)
        worker = self.work()
        self.eventually(lambda: self.breaker() == "open")
        worker.terminate()
        worker.wait()

    def test_what_is_open_is_told_everywhere(self):
        self.open()
        shown = self.group("t")
        self.assertTrue(shown["breaker_since"] < shown["breaker_until"])
        self.assertEqual(self.document("stats")["breakers_open"], 1)
        self.assertRegex(self.shunt("stats").stdout, r"(?m)^breakers open +1$")
        self.assertRegex(self.shunt("group", "show", "t", "default").stdout, r"(?m)^breaker +open$")
        self.assertEqual((self.metric("shunt_breaker_state"), self.metric("shunt_breaker_trips_total")), (["1"], ["1"]))
        self.assertRegex(self.shunt("check", code=1).stdout, r"WARNING: t/default: its breaker opened \S+ ago because most of its messages failed")
        with urllib.request.urlopen(f"{self.server.http}/api/v1/topics/t/groups/default", timeout=60) as page:
            self.assertEqual(json.load(page)["breaker"], "open")
        self.assertIn("nothing, until the group's breaker closes", self.shunt("why", "t/20").stdout)
        [line] = [line for line in self.server.log_text().splitlines() if "event=breaker_opened" in line]
        self.assertRegex(line, r"level=warning .*topic=t group=default failed=8\b")

    def test_it_is_open_after_a_restart_and_an_operator_closes_it(self):
        self.open()
        self.server.kill()
        self.server.start()
        self.assertEqual(self.breaker(), "open")
        self.up.touch()
        done = self.shunt("group", "reset-breaker", "t", "default")
        self.assertEqual(done.stderr, "shunt: group default of topic t hands out messages: its breaker is closed\n")
        self.assertEqual(self.breaker(), "closed")
        self.shunt("work", "t", "--drain", "--", "true")
        self.assertEqual((self.group("t")["acked"], self.group("t")["dead"]), (20, 0))
        self.assertEqual([act["act"] for act in self.document("audit")][-1], "breaker_reset")
        self.assertIn("event=breaker_closed", self.server.log_text())
        self.shunt("group", "reset-breaker", "t", "none", code=1)


if __name__ == "__main__":
    harness.main()
