#!/usr/bin/env python3
"""What the log tells of a real server: who changed what, which letters died, when the store was full."""
import re
import shlex
import subprocess

import harness
from cli_case import Case


class Log(Case):
    def lines(self, event):
        """All lines of this event so far, as dictionaries."""
        found = [dict(pair.partition("=")[::2] for pair in shlex.split(line)) for line in self.server.log]
        return [line for line in found if line["event"] == event]

    def line(self, event):
        """The only line of this event, once it is there."""
        self.eventually(lambda: self.lines(event))
        [line] = self.lines(event)
        return line

    def test_each_act_says_who_from_where_and_how_much(self):
        acts = [("topic_created", ["topic", "create", "t", "--lease", "7s"], {"topic": "t", "asked": "lease_ms=7000"}),
                ("topic_updated", ["topic", "update", "t", "--ttl", "1h"], {"topic": "t", "asked": "ttl_ms=3600000"}),
                ("group_created", ["group", "create", "t", "g"], {"topic": "t", "group": "g"}),
                ("group_updated", ["group", "update", "t", "g", "--max-attempts", "3"], {"topic": "t", "group": "g", "asked": "max_attempts=3"}),
                ("group_paused", ["group", "pause", "t", "g"], {"topic": "t", "group": "g"}),
                ("group_resumed", ["group", "resume", "t", "g"], {"topic": "t", "group": "g"})]
        for event, words, pairs in acts:
            self.shunt(*words)
            self.assertLessEqual(pairs.items(), self.line(event).items())
            self.assertRegex(self.line(event)["peer"], r"^127\.0\.0\.1:\d+$")
            self.assertTrue(self.line(event)["client"] and self.line(event)["host"])
        self.shunt("publish", "t", "--lines", input="1\n2\n3\n")
        self.shunt("topic", "purge", "t", "-g", "g", "--yes")
        self.assertLessEqual({"topic": "t", "group": "g", "count": "3"}.items(), self.line("topic_purged").items())
        self.fill_dlq("d", [str(i) for i in range(5)])
        self.shunt("dlq", "redrive", "d", "--count", "2")
        self.assertLessEqual({"topic": "d", "group": "default", "count": "2"}.items(), self.line("dlq_redriven").items())
        self.shunt("dlq", "purge", "d", "--all", "--yes")
        self.assertLessEqual({"topic": "d", "group": "default", "count": "3"}.items(), self.line("dlq_purged").items())
        self.shunt("group", "delete", "t", "g", "--yes")
        self.assertEqual(self.line("group_deleted")["group"], "g")
        self.shunt("topic", "delete", "d", "--yes")
        self.assertEqual(self.line("topic_deleted")["topic"], "d")
        self.eventually(lambda: len(self.lines("job_done")) >= 5)
        done = {(line["kind"], line["job"]): line["count"] for line in self.lines("job_done")}
        for event, kind in (("topic_purged", "purge"), ("dlq_redriven", "redrive"), ("dlq_purged", "purge_dlq")):
            self.assertEqual(done[kind, self.line(event)["job"]], self.line(event)["count"])
        self.shunt("topic", "delete", "nobody", "--yes", code=1)
        self.assertEqual(len(self.lines("topic_deleted")), 1, "what was refused is not told")

    def test_deaths_are_told_and_none_is_left_out(self):
        self.fill_dlq("t", [str(i) for i in range(50)])
        first = self.line("dead_letters") if len(self.lines("dead_letters")) < 2 else self.lines("dead_letters")[0]
        self.assertEqual((first["topic"], first["group"], first["reason"]), ("t", "default", "rejected"))
        self.assertRegex(first["newest"], r"^t/\d+$")
        self.server.stop()
        lines = self.lines("dead_letters")
        self.assertEqual(sum(int(line["count"]) for line in lines), 50)
        self.assertLess(len(lines), 10)

    def test_a_cause_is_told_when_it_is_new_when_nobody_looks_and_when_it_comes_back(self):
        self.fill_dlq("t", ["1", "2"])
        self.shunt("group", "update", "t", "default", "--dlq-slo", "1ms")
        new = self.line("cause_new")
        self.assertEqual((new["topic"], new["group"], new["message"]), ("t", "default", "t/1"))
        self.eventually(lambda: self.lines("dead_letters_overdue"))
        self.assertEqual(self.line("dead_letters_overdue")["oldest"], "t/1")
        self.shunt("dlq", "cause", "t", new["cause"], "--state", "resolved")
        self.assertFalse(self.lines("cause_regressed"))
        self.shunt("publish", "t", "3")
        self.shunt("work", "t", "--drain", "--", "sh", "-c", "echo cannot: $(cat) >&2; exit 65")
        self.assertEqual(len(self.lines("cause_new")), 1)
        self.assertLessEqual({"cause": new["cause"], "message": "t/3", "level": "warning"}.items(), self.line("cause_regressed").items())


class Full(Case):
    def setUp(self):
        super().setUp()
        self.server.stop()
        self.server.options = ["--config", str(self.directory / "conf")]
        (self.directory / "conf").write_text("map-size: 96MiB\nmap-size-max: 96MiB\n", encoding="utf-8")
        self.server.start()

    def test_a_full_store_is_told_and_so_is_room(self):
        self.shunt("topic", "create", "t")
        body = "x" * (1 << 20) + "\n"
        for _ in range(200):
            done = subprocess.run([harness.SHUNT, "publish", "t", "--lines", "-q"], env=self.server.environment(), input=body * 4,
                                  capture_output=True, text=True, check=False, timeout=60)
            if "NO_SPACE" in done.stderr or done.returncode != 0:
                break
        log = lambda event: [line for line in self.server.log if re.search(rf"\bevent={event}\b", line)]
        self.eventually(lambda: log("store_full"))
        self.assertRegex(log("store_full")[0], r" limit=map free=\d+ kept=\d+ map=\d+ map_max=100663296 ")
        self.assertFalse(log("store_has_room"))
        self.shunt("topic", "purge", "t", "--yes")
        self.eventually(lambda: log("store_has_room"))


if __name__ == "__main__":
    harness.main()
