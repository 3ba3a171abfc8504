#!/usr/bin/env python3
"""The audit log by the tool: who did what, when, from where and why, also after the broker was killed; bounded."""
import unittest

import harness
from cli_case import NOTHING, USAGE, Case, alone, lines_of
from secure import FIRST_ACT


class Audit(Case):
    def acts(self, *options):
        return [act for act in lines_of(self.shunt("audit", "-o", "jsonl", *options).stdout) if act["client"] != "shuntd --init-admin"]

    def test_each_act_is_there_with_who_what_and_why_and_nothing_that_was_refused(self):
        did = [("topic_created", "t", None, ["topic", "create", "t", "--lease", "7s"]),
               ("topic_updated", "t", None, ["topic", "update", "t", "--ttl", "1h"]),
               ("group_created", "t", "g", ["group", "create", "t", "g"]),
               ("group_updated", "t", "g", ["group", "update", "t", "g", "--max-attempts", "3"]),
               ("group_paused", "t", "g", ["group", "pause", "t", "g"]),
               ("group_resumed", "t", "g", ["group", "resume", "t", "g"]),
               ("breaker_reset", "t", "g", ["group", "reset-breaker", "t", "g"]),
               ("topic_purged", "t", "g", ["topic", "purge", "t", "-g", "g", "-y"]),
               ("dlq_redriven", "t", "default", ["dlq", "redrive", "t", "--all"]),
               ("dlq_purged", "t", "default", ["dlq", "purge", "t", "--all", "-y"]),
               ("clock_set", None, None, ["clock", "set"]),
               ("group_deleted", "t", "g", ["group", "delete", "t", "g", "-y"]),
               ("topic_deleted", "t", None, ["topic", "delete", "t", "-y"])]
        wanted = []
        for number, (act, topic, group, words) in enumerate(did):
            if act in ("topic_purged", "dlq_redriven", "dlq_purged"):  # without messages the tool asks for nothing
                self.shunt("publish", "t", "--lines", input="1\n2\n")
            if act.startswith("dlq"):
                self.shunt("work", "t", "--drain", "--", "sh", "-c", "exit 65")
            self.shunt("--because", f"ticket {number}", *words)
            wanted.append((act, topic, group, f"ticket {number}"))
        self.shunt("topic", "delete", "nobody", "-y", code=1)
        self.shunt("topic", "create", "a:b", code=USAGE)
        acts = self.acts()
        self.assertEqual([(act["act"], act["topic"], act["group"], act["reason"]) for act in acts], wanted)
        self.assertEqual([act["id"] for act in acts], list(range(FIRST_ACT, FIRST_ACT + len(did))))
        for act in acts:
            self.assertRegex(act["client"], r"^\S+@shunt-\d+$")
            self.assertRegex(act["peer"], r"^127\.0\.0\.1:\d+$")
            self.assertRegex(act["time"], r"^\d{4}-\d\d-\d\dT")
            self.assertTrue(act["host"])
        self.assertEqual([act["asked"] for act in acts[:4]], ["lease_ms=7000", "ttl_ms=3600000", None, "max_attempts=3"])
        redriven = next(act for act in acts if act["act"] == "dlq_redriven")
        self.assertEqual((redriven["asked"], redriven["count"]), ("all=true", 4))
        self.assertTrue(redriven["job"])
        self.server.kill()
        self.server.start()
        self.assertEqual(self.acts(), acts, "a broker that was killed has lost none")
        self.shunt("topic", "create", "u")
        self.assertEqual(self.acts()[-1]["id"], FIRST_ACT + len(did))

    def test_the_listing_is_chosen_by_time_topic_and_act(self):
        self.shunt("topic", "create", "t", "--reason", "after the name")
        self.shunt("topic", "create", "u")
        self.shunt("topic", "delete", "t", "-y")
        self.assertEqual([act["act"] for act in self.acts("--topic", "t")], ["topic_created", "topic_deleted"])
        self.assertEqual([act["topic"] for act in self.acts("--act", "topic_created")], ["t", "u"])
        self.assertEqual(len(self.acts("--since", "1h")), 3)
        self.assertEqual(self.shunt("audit", "--until", "1h", code=NOTHING).stdout, "")
        self.shunt("audit", "--topic", "none", code=NOTHING)
        self.assertIn("topic_deleted", self.shunt("audit", "--act", "removed", code=USAGE).stderr)
        table = self.shunt("audit").stdout.splitlines()
        del table[1:FIRST_ACT]  # of the administrator
        self.assertRegex(table[0], r"^TIME +ACT +TOPIC:GROUP +ASKED +COUNT +WHO +REASON$")
        self.assertRegex(table[1], r"topic_created +t .* (\S+@shunt-\d+|rig-\d+) on \S+ +after the name$")
        self.assertEqual(len(table), 4)

    def test_the_oldest_make_room_when_all_take_more_than_they_may(self):
        settings = self.directory / "settings"
        settings.write_text("audit-bytes: 64KiB\n")
        with harness.Server(options=["--config", settings]) as server:
            server.shunt("topic", "create", "t")
            for number in range(120):
                server.shunt("group", "pause" if number % 2 else "resume", "t", "default", "--because", f"{number} " + 500 * "r")
            acts = lines_of(server.shunt("audit", "-o", "jsonl").stdout)
            self.assertEqual(acts[-1]["id"], FIRST_ACT + 120)
            self.assertEqual([act["id"] for act in acts], list(range(acts[0]["id"], FIRST_ACT + 121)), "none is missing in between")
            self.assertGreater(acts[0]["id"], FIRST_ACT, "the first are gone")
            texts = sum(len(act[key] or "") for act in acts for key in ("topic", "group", "client", "host", "peer", "reason", "asked"))
            self.assertTrue(65536 - len(acts) * 100 - 2000 < texts < 65536, texts)
            server.kill()
            server.start()
            self.assertEqual(lines_of(server.shunt("audit", "-o", "jsonl").stdout), acts)

    def test_because_says_it_wherever_it_stands_and_reason_where_the_command_has_no_other(self):
        self.fill_dlq("t", ["a", "b"])
        self.shunt("dlq", "redrive", "t", "--reason", "rejected", "--because", "mended", "--no-wait")
        self.shunt("group", "pause", "t", "default", "--reason", "look at it")
        self.shunt("--reason", "before", "group", "resume", "t", "default", "--because", "after")
        self.assertEqual([(act["act"], act["reason"], act["asked"]) for act in self.acts("--topic", "t")[1:]],
                         [("dlq_redriven", "mended", "all=true reason=rejected canary=1"), ("group_paused", "look at it", None), ("group_resumed", "after", None)])
        self.shunt("dlq", "redrive", "t", "--reason", "mended", code=USAGE)

    def test_a_reason_that_is_too_long_is_refused_before_anything_is_done(self):
        self.assertIn("512", self.shunt("topic", "create", "t", "--because", 513 * "r", code=1).stderr)
        self.shunt("topic", "show", "t", code=1)

    def test_help_tells_of_it(self):
        self.assertIn("--because TEXT", alone("topic", "delete", "--help").stdout)
        self.assertIn("--since D", alone("audit", "--help").stdout)


if __name__ == "__main__":
    unittest.main()
