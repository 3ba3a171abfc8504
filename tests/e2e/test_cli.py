"""The tool: its help, its refusals, its exit codes; topics, groups and statistics on a real server."""
import json
import os
import pty
import re
import signal
import socket
import subprocess
import unittest

import harness
from cli_case import FAILED, NOTHING, OK, UNREACHABLE, USAGE, WAIT_SECONDS_MAX, Case, alone, lines_of


class Usage(unittest.TestCase):
    """What needs no server, and must not try to reach one."""

    def refused(self, *args, says):
        done = alone("--url", "shunt://127.0.0.1:1", *args)
        self.assertEqual(done.returncode, USAGE, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertIn(says, done.stderr)

    def test_unknown_commands_get_a_hint(self):
        self.refused("pubish", "t", says="unknown command `pubish`; did you mean `publish`?")
        self.refused("frobnicate", says="unknown command `frobnicate`\n")
        self.refused("topic", "craete", "t", says="did you mean `create`?")
        self.refused("dlq", "reasons", "t", says="unknown command after `dlq`: `reasons`")
        self.refused("whence", "t/1", says="unknown command `whence`")
        self.refused("topic", says="Usage: shunt topic")

    def test_unknown_options_get_a_hint(self):
        self.refused("topic", "create", "t", "--max-atempts", "3", says="unknown option --max-atempts; did you mean --max-attempts?")
        self.refused("work", "t", "--jbos", "3", "--", "true", says="unknown option --jbos; did you mean --jobs?")
        self.refused("publish", "t", "-Z", says="unknown option -Z")
        self.refused("--frobnicate", "ping", says="unknown option --frobnicate")

    def test_too_few_and_too_many_words(self):
        self.refused("publish", says="an argument is missing: TOPIC")
        self.refused("publish", "t", "two", "words", says="unexpected argument `words`")
        self.refused("publish", "--file", "t", says="missing before --file")
        self.refused("group", "show", "t", says="an argument is missing: TOPIC GROUP")
        self.refused("topic", "list", "t", says="unexpected argument `t`")
        self.refused("work", "t", says="the command to run is missing: put it after `--`")
        self.refused("work", "t", "jq", ".", says="put `--` before the command")
        self.refused("work", "t", "--", says="the command to run is missing")

    def test_values_that_cannot_be(self):
        for duration in ("-1s", "5", "5parsecs", "", "1e3s", "99999999999999999999s", "99999999999w"):
            with self.subTest(duration=duration):
                self.refused("publish", "t", "b", "--delay", duration, says="--delay")
                self.refused("publish", "t", "b", "--ttl", duration, says="--ttl")
                self.refused("consume", "t", "--wait", duration, says="--wait")
                self.refused("work", "t", "--timeout", duration, "--", "true", says="--timeout")
                self.refused("--timeout", duration, "ping", says="--timeout")
        for count in ("-1", "0", "1.5", "x", "", "99999999999999999999"):
            with self.subTest(count=count):
                self.refused("consume", "t", "-n", count, says="--count")
                self.refused("work", "t", "-j", count, "--", "true", says="--jobs")
                self.refused("dlq", "list", "t", "--limit", count, says="--limit")
                self.refused("dlq", "redrive", "t", "--count", count, says="--count")
        self.refused("work", "t", "-j", "1025", "--", "true", says="must be from 1 to 1024")
        for rate in ("0", "-1/s", "5/m", "x", "99999999999"):
            self.refused("dlq", "redrive", "t", "--all", "--rate", rate, says="--rate")
        self.refused("-o", "xml", "ping", says="must be table, json or jsonl")
        self.refused("publish", "t", "b", "-H", "novalue", says="a header is KEY=VALUE")
        self.refused("publish", "t", "b", "-H", "=x", says="a header is KEY=VALUE")
        self.refused("group", "create", "t", "g", "--from", "yesterday", says="must be oldest or now")
        self.refused("--url", "http://127.0.0.1", "ping", says="")

    def test_choices_that_exclude_each_other(self):
        self.refused("publish", "t", "body", "--lines", says="give one of")
        self.refused("publish", "t", "--lines", "x", "--file", "y", says="give one of")
        self.refused("dlq", "redrive", "t", says="name the dead letters")
        self.refused("dlq", "redrive", "t", "1", "--all", says="name the dead letters")
        self.refused("dlq", "purge", "t", "--all", "--count", "3", says="name the dead letters")
        self.refused("consume", "t", "--peek", "--wait", "1s", says="leave out --wait")
        self.refused("topic", "update", "t", says="nothing to change")

    def test_a_command_that_cannot_run_is_told_before_anything_is_taken(self):
        self.refused("work", "t", "--", "no-such-program", says="no-such-program: command not found")
        self.refused("work", "t", "--", "/etc/passwd", says="/etc/passwd: Permission denied")

    def test_every_command_has_help_with_an_example(self):
        nouns = {"topic": "create update show list delete purge", "group": "create update show list holders delete pause resume",
                 "dlq": "causes cause list show redrive purge export", "clock": "set", "rule": "list set delete test",
                 "redrive": "list show watch pause resume cancel", "job": "list show watch pause resume cancel"}
        commands = [["ping"], ["publish"], ["consume"], ["work"], ["stats"], ["check"], ["audit"], ["clients"], ["keys"], ["overview"]]
        commands += [[noun, verb] for noun, verbs in nouns.items() for verb in verbs.split()]
        for command in commands:
            with self.subTest(command=command):
                done = alone(*command, "--help")
                self.assertEqual((done.returncode, done.stderr), (OK, ""))
                self.assertIn("Usage: shunt " + " ".join(command), done.stdout)
                self.assertIn("  shunt " + (" ".join(command) if command != ["ping"] else "ping"), done.stdout.split("Examples:")[1])
                self.assertEqual(alone("help", *command).stdout, done.stdout)
        for noun, verbs in nouns.items():
            done = alone(noun, "--help")
            self.assertEqual(done.returncode, OK)
            for verb in verbs.split():
                self.assertIn(f"  {verb} ", done.stdout)
        for setting in ("max-attempts", "lease", "backoff", "ttl", "expired", "order", "dlq-retention", "max-messages", "max-bytes"):
            self.assertIn(f"--{setting} ", alone("topic", "create", "--help").stdout)
        self.assertNotIn("--max-bytes", alone("group", "create", "--help").stdout)
        self.assertEqual(alone("--help").returncode, OK)
        self.assertEqual(alone().returncode, USAGE)

    def test_the_manual_has_every_command_and_option(self):
        manual = (harness.SOURCE_ROOT / "docs/man/shunt.1").read_text().replace("\\-", "-")
        for noun in ("ping", "topic", "group", "publish", "consume", "work", "dlq", "redrive", "rule", "job", "clock", "audit", "clients", "keys", "stats", "overview", "check", "backup", "bench"):
            self.assertIn(f".SS {noun}", manual)
            usages = [alone(noun, "--help").stdout]
            if "Usage: shunt %s COMMAND" % noun in usages[0]:
                usages += [alone(noun, line.split()[0], "--help").stdout for line in usages[0].split("Commands:")[1].split("\n\n")[0].splitlines() if line]
            for usage in usages:
                for option in re.findall(r"(?m)^ +(?:-\w, )?--([\w-]+)", usage):
                    self.assertRegex(manual, rf"--{option}\b", usage.splitlines()[0])

    def test_version(self):
        done = alone("--version")
        self.assertEqual(done.returncode, OK)
        self.assertRegex(done.stdout, r"^shunt \d+\.\d+\.\d+ ")

    def test_an_unreachable_server(self):
        with socket.socket() as held:  # bound, not listening: nobody else gets the port
            held.bind(("127.0.0.1", 0))
            url = f"shunt://127.0.0.1:{held.getsockname()[1]}"
            for command in (["ping"], ["publish", "t", "b"], ["consume", "t", "-n", "1"], ["work", "t", "--drain", "--", "true"], ["dlq", "list", "t"],
                            ["topic", "delete", "t", "-y"], ["stats"]):
                done = alone("--url", url, "--timeout", "5s", *command)
                self.assertEqual(done.returncode, UNREACHABLE, command)
                self.assertIn(url, done.stderr)
            environment = {**os.environ, "SHUNT_URL": url}
            self.assertEqual(alone("ping", "--timeout", "5s", env=environment).returncode, UNREACHABLE)

    def test_a_server_that_never_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            done = alone("--url", f"shunt://127.0.0.1:{mute.getsockname()[1]}", "--timeout", "300ms", "ping")
            self.assertEqual(done.returncode, UNREACHABLE, done.stderr)


class Basics(Case):
    def test_ping(self):
        self.assertRegex(self.shunt("ping").stdout, r"answered in \d+us")
        answer = self.document("ping")
        self.assertEqual(answer["url"], self.server.url)
        self.assertGreater(answer["round_trip_us"], 0)

    def test_stats(self):
        self.shunt("topic", "create", "t")
        self.shunt("publish", "t", "b")
        stats = self.document("stats")
        self.assertEqual((stats["topics"], stats["published"], stats["ready"], stats["conservation_error"]), (1, 1, 1, 0))
        self.assertIs(stats["full"], False)
        self.assertRegex(self.shunt("stats").stdout, r"(?m)^published +1$")

    def test_stats_watch_goes_on_until_interrupted(self):
        process = self.start("stats", "--watch", "100ms", "-o", "jsonl")
        for _ in range(3):
            self.assertIn("published", json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(WAIT_SECONDS_MAX), OK)

    def test_global_options_stand_anywhere(self):
        for args in (["-o", "jsonl", "ping"], ["ping", "-o", "jsonl"], ["-ojsonl", "ping"], ["--output=jsonl", "ping"]):
            self.assertIn("round_trip_us", json.loads(self.shunt(*args).stdout))

    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([harness.SHUNT, "stats"], env=self.server.environment(), stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("cannot write to standard output", done.stderr)


class Topics(Case):
    def test_create_update_show_list_delete(self):
        self.shunt("topic", "create", "files", "--max-attempts", "3", "--backoff", "10ms..50ms", "--lease", "1m", "--ttl", "7d",
                   "--expired", "discard", "--dlq-retention", "30d", "--max-messages", "1000", "--max-bytes", "2GiB", "--dlq-slo", "90s", "--backoff-floor", "20ms", "--order", "key",
                   "--on-dead", "block", "--follow-max", "7", "--fair", "key", "--key-run", "5",
                   "--breaker", "off", "--breaker-window", "20", "--breaker-threshold", "90", "--breaker-pause-min", "2s", "--breaker-pause-max", "1m")
        policy = self.document("topic", "show", "files")["policy"]
        self.assertEqual(policy, {"max_attempts": 3, "backoff_min_ms": 10, "backoff_max_ms": 50, "lease_ms": 60000,
                                  "ttl_ms": 7 * 86400000, "expired": "discard", "dlq_retention_ms": 30 * 86400000,
                                  "max_messages": 1000, "max_bytes": 2 << 30, "dlq_slo_ms": 90000, "history_after_ms": 3600000, "backoff_floor_ms": 20, "order": "key",
                                  "on_dead": "block", "follow_max": 7, "fair": "key", "key_run": 5,
                                  "breaker": "off", "breaker_window": 20, "breaker_threshold": 90, "breaker_pause_min_ms": 2000, "breaker_pause_max_ms": 60000})
        changed = self.document("topic", "update", "files", "--max-attempts", "inherit", "--backoff-max", "1s")["policy"]
        self.assertEqual((changed["max_attempts"], changed["backoff_min_ms"], changed["backoff_max_ms"]), (5, 10, 1000))
        made = self.document("topic", "create", "another")
        self.assertEqual(made["topic"], "another")
        self.assertRegex(made["created"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual([group["group"] for group in made["groups"]], ["default"])
        self.assertEqual([topic["topic"] for topic in self.document("topic", "list")], ["another", "files"])
        self.assertEqual([topic["topic"] for topic in lines_of(self.shunt("topic", "list", "-o", "jsonl").stdout)], ["another", "files"])
        table = self.shunt("topic", "list").stdout.splitlines()
        self.assertEqual(table[0].split(), "TOPIC GROUPS MESSAGES BYTES READY IN FLIGHT DELAYED DEAD".split())
        self.assertEqual([row.split()[0] for row in table[1:]], ["another", "files"])
        shown = self.shunt("topic", "show", "files").stdout
        self.assertRegex(shown, r"(?m)^ +lease +1m$")
        self.assertRegex(shown, r"(?m)^ +order +key$")
        self.assertRegex(shown, r"(?m)^ +on-dead +block$")
        self.assertRegex(shown, r"(?m)^ +max-bytes +2GiB$")
        self.shunt("topic", "delete", "files", "-y")
        self.assertEqual([topic["topic"] for topic in self.document("topic", "list")], ["another"])

    def test_refusals(self):
        self.shunt("topic", "create", "t")
        for code, says, args in (
                (FAILED, "TOPIC_EXISTS", ["topic", "create", "t", "--lease", "1s"]),
                (FAILED, "UNKNOWN_TOPIC", ["topic", "show", "nowhere"]),
                (FAILED, "UNKNOWN_TOPIC", ["topic", "update", "nowhere", "--lease", "1s"]),
                (FAILED, "UNKNOWN_TOPIC", ["topic", "delete", "nowhere", "-y"]),
                (FAILED, "UNKNOWN_TOPIC", ["publish", "nowhere", "b"]),
                (FAILED, "UNKNOWN_TOPIC", ["consume", "nowhere", "-n", "1"]),
                (FAILED, "UNKNOWN_TOPIC", ["work", "nowhere", "--", "true"]),
                (FAILED, "UNKNOWN_TOPIC", ["dlq", "list", "nowhere"]),
                (FAILED, "UNKNOWN_GROUP", ["group", "show", "t", "nobody"]),
                (FAILED, "UNKNOWN_GROUP", ["consume", "t", "-g", "nobody", "-n", "1"]),
                (FAILED, "UNKNOWN_GROUP", ["topic", "purge", "t", "-g", "nobody", "-y"]),
                (FAILED, "GROUP_EXISTS", ["group", "create", "t", "default", "--lease", "1s"]),
                (FAILED, "LAST_GROUP", ["group", "delete", "t", "default", "-y"]),
                (NOTHING, "NOT_FOUND", ["dlq", "show", "t", "t/1"]),
                (USAGE, "BAD_NAME", ["topic", "create", "x" * 101]),
                (USAGE, "BAD_NAME", ["topic", "create", ""]),
                (USAGE, "BAD_NAME", ["topic", "create", ".hidden"]),
                (USAGE, "BAD_NAME", ["topic", "create", "with space"]),
                (USAGE, "RESERVED", ["topic", "create", "dlq:t:default"]),
                (USAGE, "RESERVED", ["group", "create", "t", "a:b"]),
                (USAGE, "RESERVED", ["publish", "dlq:t:default", "b"])):
            with self.subTest(args=args):
                done = self.shunt(*args, code=code)
                self.assertIn(says, done.stderr)
                self.assertEqual(done.stdout, "")
                missing = {"UNKNOWN_TOPIC": "no such topic: `nowhere`", "UNKNOWN_GROUP": "no such group: `nobody` of topic `t`",
                           "TOPIC_EXISTS": "topic t is there", "GROUP_EXISTS": "group default of topic t", "NOT_FOUND": "`t/1`"}
                self.assertIn(missing.get(says, ""), done.stderr)
        self.shunt("topic", "create", "x" * 100)

    def test_created_again_as_it_is_wanted(self):
        wanted = ("--max-attempts", "3", "--backoff", "10ms..2s", "--max-bytes", "2GiB", "--expired", "discard", "--groups", "a,b")
        self.shunt("topic", "create", "t", *wanted)
        was = self.document("topic", "show", "t")
        self.assertIn("topic t is there already", self.shunt("topic", "create", "t", *wanted).stderr)
        self.shunt("topic", "create", "t")
        self.shunt("topic", "create", "t", "--groups", "b,a", "--backoff-max", "2000ms")
        self.assertEqual(self.document("topic", "create", "t", "--max-attempts", "3")["topic"], "t")
        for setting, value, said in (("--max-attempts", "4", "max-attempts is 3, not 4"), ("--backoff", "10ms..3s", "backoff-max is 2s, not 3s"),
                                     ("--backoff-min", "11ms", "backoff-min is 10ms, not 11ms"), ("--max-bytes", "3GiB", "max-bytes is 2GiB, not 3GiB"),
                                     ("--expired", "dlq", "expired is discard, not dlq"), ("--dlq-retention", "1h", "dlq-retention is 0s, not 1h"),
                                     ("--groups", "a", "its groups are others"), ("--groups", "a,b,c", "its groups are others"), ("--groups", "a,c", "its groups are others")):
            done = self.shunt("topic", "create", "t", setting, value, code=FAILED)
            self.assertIn(said, done.stderr)
            self.assertIn("TOPIC_EXISTS", done.stderr)
        self.assertEqual(self.document("topic", "show", "t"), was)
        self.shunt("group", "create", "t", "c", "--lease", "2s")
        self.shunt("group", "create", "t", "c", "--lease", "2000ms")
        self.assertIn("lease is 2s, not 3s", self.shunt("group", "create", "t", "c", "--lease", "3s", code=FAILED).stderr)

    def test_a_group_that_is_not_there_is_told_with_those_that_are(self):
        self.shunt("topic", "create", "t", "--groups", "billing,audit")
        for line in (("consume", "t"), ("work", "t", "--", "true"), ("dlq", "list", "t"), ("group", "show", "t", "default"), ("dlq", "redrive", "t", "--all"),
                     ("topic", "purge", "t", "-y", "-g", "default")):
            said = self.shunt(*line, code=FAILED).stderr
            self.assertRegex(said, r"groups of topic t are: (billing, audit|audit, billing)\n", line)

    def test_bad_settings_name_the_setting(self):
        for option, value in (("max-attempts", "0"), ("max-attempts", "1001"), ("max-attempts", "-1"), ("max-attempts", "many"), ("lease", "1ms"),
                              ("lease", "-1s"), ("lease", "30"), ("lease", "13h"), ("backoff", "5s..1s"), ("backoff", "1s"), ("ttl", "-1s"),
                              ("ttl", "99999999999d"), ("expired", "perhaps"), ("order", "perhaps"), ("on-dead", "stop"), ("fair", "perhaps"), ("follow-max", "0"), ("max-bytes", "-1"), ("max-bytes", "99999999999GiB"),
                              ("max-messages", "1.5"), ("dlq-retention", "soon")):
            with self.subTest(option=option, value=value):
                done = self.shunt("topic", "create", "t", "--" + option, value, code=USAGE)
                self.assertIn(option, done.stderr)
        self.assertEqual(self.document("topic", "list"), [])

    def test_groups(self):
        self.shunt("topic", "create", "t", "--max-attempts", "3")
        self.shunt("publish", "t", "--lines", input="1\n2\n")
        self.shunt("group", "create", "t", "late", "--from", "now", "--max-attempts", "9")
        self.shunt("group", "create", "t", "early", "--from", "oldest")
        self.assertEqual((self.group("t", "late")["ready"], self.group("t", "early")["ready"]), (0, 2))
        late = self.group("t", "late")
        self.assertEqual((late["policy"]["max_attempts"], late["own"], late["dlq"]), (9, ["max_attempts"], "dlq:t:late"))
        self.assertEqual(self.document("group", "update", "t", "late", "--max-attempts", "inherit")["policy"]["max_attempts"], 3)
        self.assertEqual(sorted(row["group"] for row in self.document("group", "list", "t")), ["default", "early", "late"])
        self.assertEqual(self.shunt("group", "list", "t").stdout.splitlines()[0].split()[0], "GROUP")
        self.assertRegex(self.shunt("group", "show", "t", "early").stdout, r"(?m)^ready +2$")
        self.assertIs(self.document("group", "pause", "t", "early")["paused"], True)
        self.shunt("consume", "t", "-g", "early", "--wait", "100ms", code=NOTHING)
        self.assertIs(self.document("group", "resume", "t", "early")["paused"], False)
        self.assertEqual(self.shunt("consume", "t", "-g", "early", "-n", "2").stdout, "1\n2\n")
        done = self.shunt("group", "delete", "t", "early", code=USAGE)
        self.assertIn("deleting group early of topic t", done.stderr)
        self.shunt("group", "delete", "t", "early", "-y")
        self.assertEqual(sorted(row["group"] for row in self.document("group", "list", "t")), ["default", "late"])

    def test_a_topic_made_with_groups_of_ones_own(self):
        topic = self.document("topic", "create", "t", "--groups", "billing,audit", "--lease", "7s")
        self.assertEqual([(row["group"], row["policy"]["lease_ms"]) for row in topic["groups"]], [("billing", 7000), ("audit", 7000)])
        self.shunt("topic", "create", "u", "--groups", "a,,b", code=USAGE)
        self.shunt("topic", "create", "u", "--groups", "", code=USAGE)
        self.shunt("topic", "create", "u", "--groups", "a,a", code=FAILED)
        self.shunt("topic", "update", "t", "--groups", "c", code=USAGE)
        self.assertEqual([topic["topic"] for topic in self.document("topic", "list")], ["t"])

    def test_purge(self):
        self.shunt("topic", "create", "t")
        self.shunt("topic", "purge", "t", "-y", code=NOTHING)
        self.shunt("group", "create", "t", "other")
        self.shunt("publish", "t", "--lines", input="1\n2\n3\n")
        self.shunt("publish", "t", "later", "--delay", "1h")
        done = self.shunt("topic", "purge", "t", "-g", "other", code=USAGE)
        self.assertIn("purging 4 ready or delayed messages of group other", done.stderr)
        self.assertIn("purged 4 messages", self.shunt("topic", "purge", "t", "-g", "other", "-y").stderr)
        other, default = self.group("t", "other"), self.group("t")
        self.assertEqual((other["ready"], other["delayed"], other["purged"]), (0, 0, 4))
        self.assertEqual((default["ready"], default["delayed"]), (3, 1))
        self.shunt("topic", "purge", "t", "-y")
        self.assertEqual(self.group("t")["purged"], 4)

    def test_destructive_commands_ask(self):
        self.shunt("topic", "create", "t")
        self.shunt("publish", "t", "--lines", input="1\n2\n")
        done = self.shunt("topic", "delete", "t", code=USAGE)
        self.assertIn("deleting topic t: 2 messages, 1 group and 0 dead letters go with it", done.stderr)
        self.assertIn("nothing was changed", done.stderr)
        self.assertEqual(self.with_terminal("n\n", "topic", "delete", "t"), FAILED)
        self.assertEqual(self.with_terminal("\n", "topic", "delete", "t"), FAILED)
        self.assertEqual(self.with_terminal("y\n", "topic", "delete", "t", stderr=subprocess.DEVNULL), USAGE, "nobody could read the question")
        self.assertEqual(self.group("t")["ready"], 2)
        self.assertEqual(self.with_terminal("y\n", "topic", "delete", "t"), OK)
        self.assertEqual(self.document("topic", "list"), [])

    def with_terminal(self, answer, *args, stderr=None):
        ours, theirs = pty.openpty()
        with open(ours, "wb", buffering=0) as keyboard, open(theirs, "rb") as terminal:
            keyboard.write(answer.encode())
            return subprocess.run([harness.SHUNT, *args], env=self.server.environment(), stdin=terminal, stdout=subprocess.DEVNULL,
                                  stderr=stderr or terminal, check=False, timeout=60).returncode


if __name__ == "__main__":
    harness.main()
