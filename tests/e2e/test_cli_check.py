"""`shunt check`: each verdict on a real server, and what a broker that lies, hangs or is away makes of it."""
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import unittest

import harness
from cli_case import Case, alone

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../wire"))
import packing

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
# What a plug-in may print: one line, words, a bar, then label=value[unit];warn;crit;min with one blank between.
NUMBER = r"\d+(?:\.\d+)?"
PERFDATA = rf"\w+={NUMBER}s?(?:;(?:{NUMBER})?)*"
LINE = re.compile(rf"SHUNT (OK|WARNING|CRITICAL|UNKNOWN): [^|\x00-\x1f]+(?: \| {PERFDATA}(?: {PERFDATA})*)?\n")


class Check(Case):
    def check(self, code, *args):
        """Both forms of the same verdict; returns the document."""
        line = self.shunt("check", *args, code=code).stdout
        self.assertEqual(LINE.fullmatch(line)[1], ("OK", "WARNING", "CRITICAL", "UNKNOWN")[code])
        found = json.loads(self.shunt("check", *args, "--format", "json", code=code).stdout)
        self.assertEqual((found["code"], found["status"]), (code, line.split()[1].rstrip(":").lower()))
        self.assertEqual(json.loads(self.shunt("check", *args, "-o", "jsonl", code=code).stdout)["code"], code)
        return found

    def problems(self, code, *args):
        return [(p["status"], p["what"], p["topic"], p["group"]) for p in self.check(code, *args)["problems"]]

    def test_all_is_well(self):
        self.assertEqual(self.check(OK)["groups"], 0)
        self.shunt("topic", "create", "t")
        self.shunt("publish", "t", "b")
        found = self.check(OK)
        self.assertEqual((found["problems"], found["groups"], found["ready"], found["oldest_unattended_ms"]), ([], 1, 1, None))
        self.assertIn("oldest_unattended=0.000s;;;0 unattended=0;;;0 dead=0;;;0 ready=1;;;0", self.shunt("check").stdout)

    def test_a_dead_letter_is_judged_by_its_age(self):
        self.fill_dlq("bad", ["one", "two"])
        self.shunt("topic", "create", "good")
        self.assertEqual(self.problems(OK, "--warn-age", "1h", "--crit-age", "2h"), [])
        self.assertEqual(self.problems(WARNING, "--warn-age", "0", "--crit-age", "1h"), [("warning", "unattended", "bad", "default")])
        self.assertEqual(self.problems(CRITICAL, "--crit-age", "0"), [("critical", "unattended", "bad", "default")])
        self.assertEqual(self.problems(OK, "good", "--crit-age", "0"), [])
        self.assertEqual(self.problems(CRITICAL, "bad", "-g", "default", "--crit-age", "0"), [("critical", "unattended", "bad", "default")])
        line = self.shunt("check", "--warn-age", "0", "--crit-age", "1h", code=WARNING).stdout
        self.assertRegex(line, r"^SHUNT WARNING: bad/default: nobody has looked at 2 dead letters, the oldest died \S+ ago \(limit 0s\) \| "
                               r"oldest_unattended=[\d.]+s;0.000;3600.000;0 unattended=2;;;0 dead=2;;;0 ")

    def test_what_somebody_has_looked_at_is_well(self):
        self.fill_dlq("bad", ["one", "two"])
        self.check(CRITICAL, "--crit-age", "0")
        for letter in self.document("dlq", "list", "bad"):
            self.shunt("dlq", "show", "bad", letter["id"])
        found = self.check(OK, "--crit-age", "0")
        self.assertEqual((found["dead"], found["unattended"], found["oldest_unattended_ms"]), (2, 0, None))

    def test_without_limits_the_groups_own_counts(self):
        self.fill_dlq("bad", ["one"])
        self.check(OK)
        self.shunt("topic", "update", "bad", "--dlq-slo", "1ms")
        self.assertEqual(self.problems(CRITICAL), [("critical", "unattended", "bad", "default")])
        self.shunt("topic", "update", "bad", "--dlq-slo", "0")
        self.assertEqual(self.check(OK)["crit_age_ms"], None)

    def test_one_limit_gives_the_other(self):
        self.fill_dlq("t", ["one"])
        for options, limits in ((["--warn-age", "20m"], (1200000, 2400000)), (["--crit-age", "20m"], (600000, 1200000)), ([], (150000, 300000)),
                                (["--warn-age", "5m", "--crit-age", "2h"], (300000, 7200000))):
            found = self.check(OK, *options)
            self.assertEqual((found["warn_age_ms"], found["crit_age_ms"]), limits, options)
            self.assertLess(found["oldest_unattended_ms"], limits[0])

    def test_a_paused_group_with_a_backlog(self):
        self.shunt("topic", "create", "t")
        self.shunt("group", "pause", "t", "default")
        self.assertEqual(self.problems(OK), [])
        self.shunt("publish", "t", "b", "--delay", "1h")
        self.assertEqual(self.problems(WARNING), [("warning", "paused", "t", "default")])
        self.shunt("group", "resume", "t", "default")
        self.assertEqual(self.problems(OK), [])

    def test_the_worst_comes_first_and_the_line_stays_short(self):
        for n in range(20):
            self.shunt("topic", "create", f"paused{n}")
            self.shunt("group", "pause", f"paused{n}", "default")
            self.shunt("publish", f"paused{n}", "b")
        self.fill_dlq("worst", ["one"])
        found = self.check(CRITICAL, "--crit-age", "0")
        self.assertEqual(len(found["problems"]), 21)
        self.assertEqual(found["problems"][0]["topic"], "worst")
        line = self.shunt("check", "--crit-age", "0", code=CRITICAL).stdout
        self.assertIn("CRITICAL: worst/default: ", line)
        self.assertIn("; and 13 more | ", line)

    def test_what_is_not_there_is_unknown(self):
        self.shunt("topic", "create", "t")
        for args in (["nosuch"], ["t", "-g", "nosuch"], ["a|b\nc"], ["t", "-g", "|"]):
            self.assertEqual(self.problems(UNKNOWN, *args), [("unknown", "failed", None, None)])

    def test_output_that_cannot_be_written_is_unknown(self):
        self.shunt("topic", "create", "t")
        self.shunt("group", "pause", "t", "default")
        self.shunt("publish", "t", "b")
        with open("/dev/full", "w") as full:
            done = subprocess.run([harness.SHUNT, "check"], env=self.server.environment(), stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
        self.assertEqual(done.returncode, UNKNOWN)

    def test_a_full_store_is_critical(self):
        config = self.directory / "conf"
        config.write_text("map-size: 96MiB\nmap-size-max: 96MiB\n", encoding="utf-8")
        self.server.stop()
        self.server.options = ["--config", config]
        self.server.start()
        self.shunt("topic", "create", "t")
        self.assertEqual(self.problems(OK), [])
        body = ("x" * (1 << 20) + "\n") * 4
        for _ in range(200):
            if self.server.shunt("publish", "t", "--lines", "-q", input=body, check=False).returncode:
                break
        self.eventually(lambda: self.document("stats")["full"])
        self.assertEqual(self.problems(CRITICAL), [("critical", "full", None, None)])


class Misused(unittest.TestCase):
    def test_what_is_not_valid_is_unknown(self):
        for args in (["--warn-age", "-1s"], ["--crit-age", "soon"], ["--crit-age", "99999999999w"], ["--warn-age", "2h", "--crit-age", "1h"], ["--format", "xml"],
                     ["--frobnicate"], ["t", "u"], ["-g", "default"], ["-o", "xml"]):
            done = alone("check", "--url", "shunt://127.0.0.1:1", *args)
            self.assertEqual((done.returncode, done.stdout), (UNKNOWN, ""), args)
            self.assertTrue(done.stderr.startswith("shunt: "), done.stderr)

    def test_an_address_that_is_none_is_unknown(self):
        self.assertEqual(alone("check", "--url", "http://127.0.0.1:1").returncode, UNKNOWN)

    def test_a_broker_that_is_away_or_hangs_is_critical(self):
        with socket.socket() as held:  # bound, not listening: nobody else gets the port
            held.bind(("127.0.0.1", 0))
            done = alone("check", "--url", f"shunt://127.0.0.1:{held.getsockname()[1]}", "--timeout", "5s")
            self.assertEqual(done.returncode, CRITICAL)
            self.assertRegex(done.stdout, r"^SHUNT CRITICAL: cannot connect [^|]+\n$")
        with socket.create_server(("127.0.0.1", 0)) as mute:
            done = alone("check", "--url", f"shunt://127.0.0.1:{mute.getsockname()[1]}", "--timeout", "300ms", "--format", "json")
            self.assertEqual(done.returncode, CRITICAL)
            self.assertEqual(json.loads(done.stdout)["problems"][0]["what"], "unreachable")


class Liar:
    """A broker that answers each request with what `answers` has for its number; without an answer it hangs."""

    def __init__(self, answers):
        self.answers = {1: [1, {"server": "liar", "max_body_bytes": 1 << 20, "max_frame_bytes": 1 << 22, "max_messages": 100, "dedup_frames": 100,
                                "now": 0, "features": []}], 2: [], 3: [], **answers}

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "shunt://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.thread.join()

    def serve(self):
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rwb") as stream:
            while head := stream.read(4):
                op, number, *_ = packing.decode(stream.read(int.from_bytes(head, "big")))
                if op in self.answers:
                    frame = packing.encode([128, number, *self.answers[op]])
                    stream.write(len(frame).to_bytes(4, "big") + frame)
                    stream.flush()


class Lied(unittest.TestCase):
    STATS, TOPIC_LIST = 80, 33

    def check(self, stats, *groups, timeout="20s"):
        answers = {self.STATS: [stats], self.TOPIC_LIST: [[{"topic": "t", "groups": list(groups)}], False]}
        if stats is None:
            del answers[self.STATS]
        with Liar(answers) as liar:
            done = alone("check", "--url", liar.url, "--timeout", timeout)
        self.assertRegex(done.stdout, LINE, done.stderr)
        return done.returncode, done.stdout

    def test_messages_lost_count_of_are_critical(self):
        code, line = self.check({"conservation_error": 3, "full": False})
        self.assertEqual((code, line), (CRITICAL, "SHUNT CRITICAL: the broker has lost count of 3 messages, which is a bug in shunt\n"))
        self.assertEqual(self.check({"conservation_error": 0, "full": False})[0], OK)

    def test_an_engine_that_hangs_is_critical(self):
        code, line = self.check(None, timeout="300ms")
        self.assertEqual(code, CRITICAL)
        self.assertIn("TIMEOUT", line)

    def test_names_and_numbers_that_no_broker_sends(self):
        group = {"topic": "a|b\nc\x1b[2J", "group": "x" * 5000, "paused": True, "ready": 2**64 - 1, "delayed": 2**64 - 1, "dead": -1, "oldest_dead": -2**63,
                 "policy": {"dlq_slo_ms": 2**63 - 1}}
        later = {"topic": "t", "group": "g", "oldest_unattended": 2**63 - 1, "policy": {"dlq_slo_ms": -2**63}}
        code, line = self.check({"full": True, "store_limit": "|\n\x00", "conservation_error": -1, "clock_error_ms": 2**63 - 1}, group, later, {},
                                {"oldest_dead": "yesterday"})
        self.assertEqual(code, CRITICAL)
        self.assertLess(len(line), 16384)

    def test_an_older_broker_has_each_letter_count_and_five_minutes(self):
        hour_ago = int(time.time() * 1000) - 3600000
        self.assertEqual(self.check({}, {"topic": "t", "group": "g", "dead": 1, "oldest_dead": hour_ago, "policy": {}})[0], CRITICAL)
        self.assertEqual(self.check({}, {"topic": "t", "group": "g", "dead": 1, "oldest_dead": hour_ago + 3590000, "policy": {}})[0], OK)

    def test_only_what_nobody_looked_at_counts_and_by_the_groups_own_limit(self):
        hour_ago = int(time.time() * 1000) - 3600000
        group = {"topic": "t", "group": "g", "dead": 1, "oldest_dead": hour_ago, "unattended": 0, "oldest_unattended": None, "policy": {"dlq_slo_ms": 300000}}
        self.assertEqual(self.check({}, group)[0], OK)
        group.update(unattended=1, oldest_unattended=hour_ago)
        for slo_ms, code in ((3600000, CRITICAL), (7000000, WARNING), (7300000, OK), (0, OK)):
            group["policy"] = {"dlq_slo_ms": slo_ms}
            self.assertEqual(self.check({}, group)[0], code, slo_ms)

    def test_a_clock_that_is_behind_is_told(self):
        code, line = self.check({}, {"topic": "t", "group": "g", "dead": 1, "oldest_dead": int(time.time() * 1000) + 3600000})
        self.assertEqual(code, WARNING)
        self.assertIn("in the future: is this machine's clock right?", line)


if __name__ == "__main__":
    harness.main()
