"""The tool against a real server: every command, its forms of output, its errors and its exit codes."""
import base64
import json
import os
import pathlib
import pty
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import harness

OK, FAILED, PARTLY, NOTHING, USAGE, UNREACHABLE = 0, 1, 2, 3, 64, 69
WAIT_SECONDS_MAX = 60


def alone(*args, **more):
    """Run the tool without a server; returns the completed process with text output."""
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([harness.SHUNT, *args], capture_output=True, text=True, check=False, timeout=60, **more)


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


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
        self.refused("dlq", "causes", "t", says="unknown command after `dlq`: `causes`")
        self.refused("bench", says="unknown command")
        self.refused("why", "t/1", says="unknown command")
        self.refused("topic", says="Usage: shunt topic")

    def test_unknown_options_get_a_hint(self):
        self.refused("topic", "create", "t", "--max-atempts", "3", says="unknown option --max-atempts; did you mean --max-attempts?")
        self.refused("work", "t", "--jbos", "3", "--", "true", says="unknown option --jbos; did you mean --jobs?")
        self.refused("publish", "t", "-Z", says="unknown option -Z")
        self.refused("--frobnicate", "ping", says="unknown option --frobnicate")

    def test_too_few_and_too_many_words(self):
        self.refused("publish", says="something is missing: TOPIC")
        self.refused("publish", "t", "two", "words", says="`words` is too much")
        self.refused("publish", "--file", "t", says="missing before --file")
        self.refused("group", "show", "t", says="something is missing: TOPIC GROUP")
        self.refused("topic", "list", "t", says="`t` is too much")
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
        self.refused("dlq", "redrive", "t", says="say which")
        self.refused("dlq", "redrive", "t", "1", "--all", says="say which")
        self.refused("dlq", "purge", "t", "--all", "--count", "3", says="say which")
        self.refused("consume", "t", "--peek", "--wait", "1s", says="cannot --wait")
        self.refused("topic", "update", "t", says="nothing to change")

    def test_a_command_that_cannot_run_is_told_before_anything_is_taken(self):
        self.refused("work", "t", "--", "no-such-program", says="no-such-program: command not found")
        self.refused("work", "t", "--", "/etc/passwd", says="/etc/passwd: Permission denied")

    def test_every_command_has_help_with_an_example(self):
        nouns = {"topic": "create update show list delete purge", "group": "create update show list delete pause resume",
                 "dlq": "list show redrive purge export"}
        commands = [["ping"], ["publish"], ["consume"], ["work"], ["stats"]]
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
        for setting in ("max-attempts", "lease", "backoff", "ttl", "expired", "dlq-retention", "max-messages", "max-bytes"):
            self.assertIn(f"--{setting} ", alone("topic", "create", "--help").stdout)
        self.assertNotIn("--max-bytes", alone("group", "create", "--help").stdout)
        self.assertEqual(alone("--help").returncode, OK)
        self.assertEqual(alone().returncode, USAGE)

    def test_version(self):
        done = alone("--version")
        self.assertEqual(done.returncode, OK)
        self.assertRegex(done.stdout, r"^shunt \d+\.\d+\.\d+ ")

    def test_an_unreachable_server(self):
        with socket.socket() as held:  # bound, not listening: nobody else gets the port
            held.bind(("127.0.0.1", 0))
            url = f"shunt://127.0.0.1:{held.getsockname()[1]}"
            for command in (["ping"], ["publish", "t", "b"], ["consume", "t", "-n", "1"], ["work", "t", "--", "true"], ["dlq", "list", "t"],
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


class Case(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server())
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="cli-")))

    def shunt(self, *args, code=OK, **more):
        done = self.server.shunt(*args, check=False, **more)
        self.assertEqual(done.returncode, code, f"shunt {' '.join(map(str, args))}\n{done.stdout}{done.stderr}")
        return done

    def document(self, *args, **more):
        return json.loads(self.shunt(*args, "-o", "json", **more).stdout)

    def group(self, topic, group="default"):
        return self.document("group", "show", topic, group)

    def start(self, *args, **more):
        """The tool as a process that goes on; it is killed at the end of the test if it still runs."""
        process = subprocess.Popen([harness.SHUNT, *map(str, args)], env=self.server.environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def eventually(self, condition):
        end = time.monotonic() + WAIT_SECONDS_MAX
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not happen")
            time.sleep(0.01)

    def fill_dlq(self, topic, bodies, reject=True):
        """A topic whose dead letters are `bodies`."""
        self.shunt("topic", "create", topic, "--max-attempts", "1")
        self.shunt("publish", topic, "--lines", input="".join(body + "\n" for body in bodies))
        self.shunt("work", topic, "--drain", "--", "sh", "-c", "echo cannot: $(cat) >&2; exit %d" % (65 if reject else 7))


class Basics(Case):
    def test_ping(self):
        self.assertRegex(self.shunt("ping").stdout, r"answered in \d+ us")
        answer = self.document("ping")
        self.assertEqual(answer["url"], self.server.url)
        self.assertGreater(answer["us"], 0)

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
            self.assertIn("us", json.loads(self.shunt(*args).stdout))

    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([harness.SHUNT, "stats"], env=self.server.environment(), stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("cannot write to standard output", done.stderr)


class Topics(Case):
    def test_create_update_show_list_delete(self):
        self.shunt("topic", "create", "files", "--max-attempts", "3", "--backoff", "10ms..50ms", "--lease", "1m", "--ttl", "7d",
                   "--expired", "discard", "--dlq-retention", "30d", "--max-messages", "1000", "--max-bytes", "2GiB")
        policy = self.document("topic", "show", "files")["policy"]
        self.assertEqual(policy, {"max_attempts": 3, "backoff_min_ms": 10, "backoff_max_ms": 50, "lease_ms": 60000,
                                  "ttl_ms": 7 * 86400000, "expired": "discard", "dlq_retention_ms": 30 * 86400000,
                                  "max_messages": 1000, "max_bytes": 2 << 30})
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
        self.assertRegex(shown, r"(?m)^ +max-bytes +2(\.0)? GiB$")
        self.shunt("topic", "delete", "files", "-y")
        self.assertEqual([topic["topic"] for topic in self.document("topic", "list")], ["another"])

    def test_refusals(self):
        self.shunt("topic", "create", "t")
        for code, says, args in (
                (FAILED, "TOPIC_EXISTS", ["topic", "create", "t"]),
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
                (FAILED, "GROUP_EXISTS", ["group", "create", "t", "default"]),
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
        self.shunt("topic", "create", "x" * 100)

    def test_bad_settings_name_the_setting(self):
        for option, value in (("max-attempts", "0"), ("max-attempts", "1001"), ("max-attempts", "-1"), ("max-attempts", "many"), ("lease", "1ms"),
                              ("lease", "-1s"), ("lease", "30"), ("lease", "13h"), ("backoff", "5s..1s"), ("backoff", "1s"), ("ttl", "-1s"),
                              ("ttl", "99999999999d"), ("expired", "perhaps"), ("max-bytes", "-1"), ("max-bytes", "99999999999GiB"),
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
        self.assertEqual(self.group("t")["ready"], 2)
        self.assertEqual(self.with_terminal("y\n", "topic", "delete", "t"), OK)
        self.assertEqual(self.document("topic", "list"), [])

    def with_terminal(self, answer, *args):
        ours, theirs = pty.openpty()
        with open(ours, "wb", buffering=0) as keyboard, open(theirs, "rb") as terminal:
            keyboard.write(answer.encode())
            return self.server.shunt(*args, check=False, stdin=terminal).returncode


class Publishing(Case):
    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "t")

    def consumed(self, count):
        return lines_of(self.shunt("consume", "t", "-n", count, "-o", "jsonl").stdout)

    def test_a_body_with_everything(self):
        done = self.shunt("publish", "t", "hällo", "-H", "a=1", "-H", "b=x=y", "-H", "empty=", "--key", "k", "--ttl", "1h")
        self.assertEqual((done.stdout, done.stderr), ("t/1\n", ""))
        message = self.consumed(1)[0]
        self.assertRegex(message.pop("published"), r"^20\d\d-.*Z$")
        self.assertEqual(message, {"id": "t/1", "attempts": 0, "deliveries": 1, "generation": 0, "headers": {"a": "1", "b": "x=y", "empty": ""},
                                   "key": "k", "size": 6, "body": "hällo"})
        self.assertEqual(self.document("publish", "t", "x"), {"id": "t/2"})
        self.shunt("publish", "t", "--", "-n")
        self.assertEqual([message["body"] for message in self.consumed(2)], ["x", "-n"])

    def test_standard_input_is_one_message(self):
        self.shunt("publish", "t", input="two\nlines\n")
        self.shunt("publish", "t", "-", input="")
        self.shunt("publish", "t", "")
        self.assertEqual([message["body"] for message in self.consumed(3)], ["two\nlines\n", "", ""])

    def test_bytes_come_back_as_they_went(self):
        body = bytes(range(256)) * 4
        subprocess.run([harness.SHUNT, "publish", "t"], env=self.server.environment(), input=body, check=True, stdout=subprocess.DEVNULL,
                       timeout=60)
        peeked = lines_of(self.shunt("consume", "t", "--peek", "-o", "jsonl").stdout)[0]
        self.assertEqual(base64.b64decode(peeked["body_base64"]), body)
        self.assertNotIn("body", peeked)
        raw = subprocess.run([harness.SHUNT, "consume", "t", "-n", "1"], env=self.server.environment(), check=True,
                             stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60).stdout
        self.assertEqual(raw, body + b"\n")

    def test_files_take_all_the_words_and_give_their_names(self):
        for name in ("a.json", "b.json", "c.json"):
            (self.directory / name).write_text("body of " + name)
        done = self.shunt("publish", "t", "--file", self.directory / "a.json", self.directory / "b.json", "-H", "x=1", self.directory / "c.json",
                          "-o", "jsonl")
        self.assertEqual([row["id"] for row in lines_of(done.stdout)], ["t/1", "t/2", "t/3"])
        self.assertIn("published 3 messages to t", done.stderr)
        messages = self.consumed(3)
        self.assertEqual([message["headers"] for message in messages], [{"file": name, "x": "1"} for name in ("a.json", "b.json", "c.json")])
        self.assertEqual([message["body"] for message in messages], ["body of " + name for name in ("a.json", "b.json", "c.json")])

    def test_some_files_that_cannot_be_published(self):
        (self.directory / "good").write_text("good")
        (self.directory / "large").write_bytes(b"x" * (16 * 1024 * 1024 + 1))
        done = self.shunt("publish", "t", "--file", self.directory / "missing", self.directory / "good", self.directory / "large", self.directory,
                          code=PARTLY)
        self.assertIn("missing: No such file or directory", done.stderr)
        self.assertIn("large: File too large", done.stderr)
        self.assertIn("1 of 4 messages confirmed, 3 failed, 0 unknown", done.stderr)
        self.assertEqual(self.group("t")["ready"], 1)
        self.shunt("publish", "t", "--file", self.directory / "missing", code=FAILED)

    def test_a_body_over_the_server_s_limit(self):
        done = self.shunt("publish", "t", input="x" * (1024 * 1024 + 1), code=FAILED)
        self.assertIn("TOO_LARGE", done.stderr)
        self.shunt("publish", "t", input="x" * (1024 * 1024))

    def test_lines(self):
        (self.directory / "lines").write_text("one\n\nthree")
        self.assertIn("published 3 messages", self.shunt("publish", "t", "--lines", self.directory / "lines").stderr)
        self.shunt("publish", "t", "--lines", "-q", input="four\n")
        self.assertEqual([message["body"] for message in self.consumed(4)], ["one", "", "three", "four"])
        done = self.shunt("publish", "t", "--lines", self.directory / "missing", code=FAILED)
        self.assertIn("No such file", done.stderr)
        self.assertEqual(self.shunt("publish", "t", "--lines", "-q", input="x\n").stderr, "")

    def test_many_lines_keep_their_order(self):
        count = 20000
        self.shunt("publish", "t", "--lines", input="".join(f"{i}\n" for i in range(count)))
        self.assertEqual(self.group("t")["ready"], count)
        done = self.shunt("consume", "t", "--wait", "2s")
        self.assertEqual(done.stdout.split(), [str(i) for i in range(count)])
        self.assertEqual(self.group("t")["acked"], count)

    def test_a_full_topic_confirms_some(self):
        self.shunt("topic", "create", "small", "--max-messages", "3")
        done = self.shunt("publish", "small", "--lines", input="1\n2\n3\n4\n5\n", code=PARTLY)
        self.assertIn("TOPIC_FULL", done.stderr)
        self.assertIn("3 of 5 messages confirmed, 2 failed, 0 unknown", done.stderr)
        self.shunt("publish", "small", "6", code=FAILED)

    def test_delay(self):
        self.shunt("publish", "t", "later", "--delay", "1h")
        self.assertEqual((self.group("t")["ready"], self.group("t")["delayed"]), (0, 1))
        peeked = lines_of(self.shunt("consume", "t", "--peek", "-o", "jsonl").stdout)[0]
        self.assertEqual((peeked["state"], peeked["id"], peeked["body"]), ("delayed", "t/1", "later"))
        self.assertRegex(peeked["due"], r"^20\d\d-.*Z$")


class Consuming(Case):
    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "t")

    def test_n_fetches_no_more_than_n(self):
        self.shunt("publish", "t", "--lines", input="".join(f"{i}\n" for i in range(1000)))
        for start, count in ((0, 1), (1, 5), (6, 300)):
            done = self.shunt("consume", "t", "-n", count)
            self.assertEqual(done.stdout.split(), [str(i) for i in range(start, start + count)])
            group = self.group("t")
            self.assertEqual((group["acked"], group["deliveries"], group["ready"]), (start + count, start + count, 1000 - start - count))

    def test_nothing_came(self):
        self.assertEqual(self.shunt("consume", "t", "--wait", "100ms", code=NOTHING).stdout, "")
        self.assertEqual(self.document("consume", "t", "--wait", "100ms", code=NOTHING), [])
        self.shunt("consume", "t", "--peek", code=NOTHING)

    def test_peek_takes_nothing(self):
        self.shunt("publish", "t", "--lines", input="".join(f"{i}\n" for i in range(250)))
        self.assertEqual(len(self.shunt("consume", "t", "--peek").stdout.split()), 250)
        self.assertEqual(self.shunt("consume", "t", "--peek", "-n", "2").stdout, "0\n1\n")
        row = self.document("consume", "t", "--peek", "-n", "1")[0]
        self.assertEqual((row["state"], row["attempts"], row["deliveries"], row["due"]), ("ready", 0, 0, None))
        group = self.group("t")
        self.assertEqual((group["ready"], group["deliveries"]), (250, 0))

    def test_runs_until_interrupted(self):
        process = self.start("consume", "t", "-o", "jsonl")
        for body in ("one", "two"):
            self.shunt("publish", "t", body)
            self.assertEqual(json.loads(process.stdout.readline())["body"], body)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(WAIT_SECONDS_MAX), OK)
        self.assertEqual(self.group("t")["acked"], 2)

    def test_what_nobody_read_is_not_acked(self):
        self.shunt("publish", "t", "--lines", input="x" * 1000 + "\n")
        with open("/dev/full", "w") as full:
            done = subprocess.run([harness.SHUNT, "consume", "t", "-n", "1"], env=self.server.environment(), stdin=subprocess.DEVNULL,
                                  stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, FAILED)
        group = self.group("t")
        self.assertEqual((group["acked"], group["ready"]), (0, 1))

    def test_a_dead_letter_queue_like_any_topic(self):
        self.fill_dlq("d", ["a", "b"])
        rows = lines_of(self.shunt("consume", "dlq:d:default", "-n", "2", "-o", "jsonl").stdout)
        self.assertEqual([row["body"] for row in rows], ["a", "b"])
        self.assertEqual(self.document("dlq", "list", "d"), [])


class Working(Case):
    def work(self, *args, **more):
        return self.shunt("work", "t", "--drain", *args, **more)

    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "t", "--max-attempts", "2", "--backoff", "1ms..2ms")

    def dead(self):
        return [json.loads(line) for line in self.shunt("dlq", "export", "t", "-q").stdout.splitlines()]

    def test_body_environment_and_output(self):
        self.shunt("publish", "t", "the body", "-H", "content-type=text/plain")
        done = self.work("--", "sh", "-c", 'cat; echo "|$SHUNT_TOPIC|$SHUNT_GROUP|$SHUNT_MESSAGE|$SHUNT_ATTEMPT|$SHUNT_HEADER_CONTENT_TYPE"; echo log >&2')
        self.assertEqual(done.stdout, "the body|t|default|t/1|1|text/plain\n")
        self.assertIn("log\n", done.stderr)
        self.assertIn("1 acked, 0 failed attempts, 0 rejected", done.stderr)
        group = self.group("t")
        self.assertEqual((group["acked"], group["in_flight"], group["dead"]), (1, 0, 0))

    def test_exit_codes_and_signals(self):
        self.shunt("publish", "t", "--lines", input="exit 0\nexit 65\nexit 7\nkill -SEGV $$\nkill -KILL $$\n")
        done = self.work("-j", "3", "--", "sh", "-c", 'ulimit -c 0; script=$(cat); echo "about: $script" >&2; eval "$script"')
        self.assertIn("1 acked, 6 failed attempts, 1 rejected", done.stderr)
        dead = {row["body"]: row for row in self.dead()}
        self.assertEqual({body: (row["reason"], row["error_type"], row["attempts"]) for body, row in dead.items()},
                         {"exit 65": ("rejected", "exit 65", 1), "exit 7": ("max_attempts", "exit 7", 2),
                          "kill -SEGV $$": ("max_attempts", "SIGSEGV", 2), "kill -KILL $$": ("max_attempts", "SIGKILL", 2)})
        for body, row in dead.items():
            self.assertEqual((row["error_message"], row["error_stack"]), (f"about: {body}", f"about: {body}\n"))
            self.assertEqual([step["number"] for step in row["history"]], list(range(1, row["attempts"] + 1)))
            self.assertTrue(all(step["charged"] and step["error_message"] == f"about: {body}" for step in row["history"]))

    def test_attempts_are_numbered(self):
        self.shunt("publish", "t", "b")
        self.assertEqual(self.work("--", "sh", "-c", "echo $SHUNT_ATTEMPT; exit 1").stdout, "1\n2\n")

    def test_the_last_line_and_the_last_16_kib(self):
        self.shunt("publish", "t", "b")
        self.work("--", "python3", "-c", "import sys\nfor i in range(5000): print('line', i, file=sys.stderr)\nprint(' \\n', file=sys.stderr)\nsys.exit(3)")
        row = self.dead()[0]
        self.assertEqual(row["error_message"], "line 4999")
        self.assertLessEqual(len(row["error_stack"]), 16384)
        self.assertGreater(len(row["error_stack"]), 16000)
        self.assertTrue(row["error_stack"].rstrip().endswith("line 4999"))

    def test_stdout_speaks_when_stderr_is_silent(self):
        self.shunt("publish", "t", "b")
        self.work("--", "sh", "-c", "echo on stdout; exit 3")
        self.assertEqual(self.dead()[0]["error_message"], "on stdout")

    def test_bytes_that_are_no_text_in_an_error(self):
        self.shunt("publish", "t", "b")
        self.work("--", "sh", "-c", r"printf 'bad \377 \0 byte\n' >&2; exit 3")
        self.assertEqual(self.dead()[0]["error_message"], "bad ? ? byte")

    def test_timeout_kills_the_whole_group(self):
        self.shunt("publish", "t", "b")
        self.work("--timeout", "200ms", "--", "sh", "-c", "sleep 1000 & echo $! >> %s; wait" % (self.directory / "pids"))
        row = self.dead()[0]
        self.assertEqual((row["error_type"], row["error_message"], row["attempts"]), ("timeout", "killed after 200ms", 2))
        pids = (self.directory / "pids").read_text().split()
        self.assertEqual(len(pids), 2)

        def gone():
            return all(not os.path.exists(f"/proc/{pid}") or " Z " in pathlib.Path(f"/proc/{pid}/stat").read_text() for pid in pids)
        self.eventually(gone)

    def test_large_bodies_read_or_not(self):
        body = "x" * (1024 * 1024)
        self.shunt("publish", "t", input=body)
        self.shunt("publish", "t", input=body)
        self.assertEqual(self.work("--", "sh", "-c", "wc -c").stdout.split(), [str(len(body))] * 2)
        self.shunt("publish", "t", input=body)
        self.assertIn("1 acked", self.work("--", "true").stderr)

    def test_commands_run_side_by_side(self):
        self.shunt("publish", "t", "--lines", input="a\nb\n")
        # Each waits for the other's mark: it ends only if both run at once.
        script = 'me=$(cat); touch "$0/$me"; until [ -e "$0/a" ] && [ -e "$0/b" ]; do sleep 0.01; done; echo $me'
        done = self.work("-j", "2", "--timeout", "60s", "--", "sh", "-c", script, str(self.directory))
        self.assertEqual(sorted(done.stdout.split()), ["a", "b"])
        self.assertIn("2 acked, 0 failed", done.stderr)

    def test_a_lease_is_extended_for_as_long_as_it_takes(self):
        self.shunt("topic", "update", "t", "--lease", "300ms")
        self.shunt("publish", "t", "b")
        done = self.work("--", "sleep", "1.5")
        self.assertIn("1 acked, 0 failed attempts, 0 rejected", done.stderr)
        group = self.group("t")
        self.assertEqual((group["acked"], group["deliveries"]), (1, 1))

    def test_a_first_signal_waits_for_what_runs(self):
        self.shunt("publish", "t", "--lines", input="1\n2\n3\n")
        go = self.directory / "go"
        process = self.start("work", "t", "--", "sh", "-c", f"echo begun; until [ -e {go} ]; do sleep 0.01; done; echo ended")
        self.assertEqual(process.stdout.readline(), "begun\n")
        process.send_signal(signal.SIGTERM)
        self.assertIn("stopping: waiting for 1 running command", process.stderr.readline())
        go.touch()
        out, _ = process.communicate(timeout=WAIT_SECONDS_MAX)
        self.assertEqual((out, process.returncode), ("ended\n", OK))
        group = self.group("t")
        self.assertEqual((group["acked"], group["ready"], group["in_flight"]), (1, 2, 0))

    def test_a_second_signal_kills_and_charges_nothing(self):
        self.shunt("publish", "t", "1")
        process = self.start("work", "t", "--", "sh", "-c", "echo begun; sleep 1000")
        self.assertEqual(process.stdout.readline(), "begun\n")
        process.send_signal(signal.SIGINT)
        self.assertIn("stopping", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(WAIT_SECONDS_MAX), FAILED)
        message = lines_of(self.shunt("consume", "t", "-n", "1", "-o", "jsonl").stdout)[0]
        self.assertEqual(message["attempts"], 0)

    def test_drain_waits_for_what_is_delayed(self):
        self.shunt("publish", "t", "b", "--delay", "300ms")
        self.assertEqual(self.work("--", "cat").stdout, "b")
        self.assertIn("0 acked", self.work("--", "cat").stderr)

    def test_a_program_without_a_format_charges_nothing(self):
        program = self.directory / "no-program"
        program.write_bytes(b"\x7fnonsense")
        program.chmod(0o755)
        self.shunt("publish", "t", "b")
        done = self.work("--", program, code=FAILED)
        self.assertIn("cannot be run", done.stderr)
        message = lines_of(self.shunt("consume", "t", "-n", "1", "-o", "jsonl").stdout)[0]
        self.assertEqual(message["attempts"], 0)


class DeadLetters(Case):
    def test_list_and_show(self):
        self.fill_dlq("d", ["a", "b", "c"], reject=False)
        rows = self.document("dlq", "list", "d")
        self.assertEqual(list(rows[0]), "id origin topic group reason attempts deliveries generation published died error_type error_message "
                                        "headers key size".split())
        self.assertEqual([row["origin"] for row in rows], ["d/1", "d/2", "d/3"])
        first = rows[0]
        self.assertRegex(first["id"], r"^dlq:d:default/\d+$")
        self.assertRegex(first["died"], r"^20\d\d-.*Z$")
        self.assertEqual((first["topic"], first["group"], first["reason"], first["attempts"], first["error_type"], first["error_message"], first["size"]),
                         ("d", "default", "max_attempts", 1, "exit 7", "cannot: a", 1))
        table = self.shunt("dlq", "list", "d").stdout.splitlines()
        self.assertEqual(table[0].split(), "ID ORIGIN REASON ATTEMPTS DIED AGE ERROR".split())
        self.assertEqual(len(table), 4)
        self.assertTrue(table[1].endswith("exit 7: cannot: a"))

        page = self.shunt("dlq", "list", "d", "--limit", "2", "-o", "jsonl")
        self.assertEqual([row["origin"] for row in lines_of(page.stdout)], ["d/1", "d/2"])
        self.assertIn("there are more", page.stderr)
        last = lines_of(page.stdout)[-1]["id"]
        self.assertEqual([row["origin"] for row in self.document("dlq", "list", "d", "--after", last)], ["d/3"])
        self.shunt("dlq", "list", "d", "--after", "x", code=USAGE)

        for name in (first["id"], "d/1", first["id"].split("/")[1]):
            shown = self.document("dlq", "show", "d", name)
            self.assertEqual((shown["origin"], shown["body"], shown["error_stack"]), ("d/1", "a", "cannot: a\n"))
            self.assertEqual(len(shown["history"]), 1)
            self.assertEqual((shown["history"][0]["outcome"], shown["history"][0]["charged"]), ("nacked", True))
        text = self.shunt("dlq", "show", "d", "d/1").stdout
        for part in ("history:", "error stack:\n  cannot: a", "body (1 bytes):\n  a"):
            self.assertIn(part, text)
        self.shunt("dlq", "show", "d", "d/99", code=NOTHING)

    def test_an_empty_queue(self):
        self.shunt("topic", "create", "t")
        self.assertEqual(self.document("dlq", "list", "t"), [])
        self.assertEqual(len(self.shunt("dlq", "list", "t").stdout.splitlines()), 1)
        self.assertEqual(self.shunt("dlq", "export", "t").stdout, "")
        self.shunt("dlq", "redrive", "t", "--all", code=NOTHING)
        self.shunt("dlq", "redrive", "t", "t/1", code=NOTHING)
        self.shunt("dlq", "purge", "t", "--all", code=NOTHING)

    def test_a_body_that_is_no_text_is_dumped(self):
        self.shunt("topic", "create", "d", "--max-attempts", "1")
        subprocess.run([harness.SHUNT, "publish", "d"], env=self.server.environment(), input=b"\x00\xff\x1b[31m", check=True,
                       stdout=subprocess.DEVNULL, timeout=60)
        self.shunt("work", "d", "--drain", "--", "false")
        self.assertIn("00 ff 1b 5b 33 31 6d", self.shunt("dlq", "show", "d", "d/1").stdout)
        self.assertEqual(base64.b64decode(self.document("dlq", "show", "d", "d/1")["body_base64"]), b"\x00\xff\x1b[31m")

    def test_redrive_of_some_of_a_count_and_of_all(self):
        self.fill_dlq("d", list("abcdef"))
        done = self.shunt("dlq", "redrive", "d", "d/2", "d/4")
        self.assertIn("redriven 2 dead letters", done.stderr)
        messages = lines_of(self.shunt("consume", "d", "-n", "2", "-o", "jsonl").stdout)
        self.assertEqual([(m["id"], m["body"], m["attempts"], m["generation"]) for m in messages], [("d/2", "b", 0, 1), ("d/4", "d", 0, 1)])
        self.shunt("dlq", "redrive", "d", "d/1", "d/99", code=PARTLY)
        self.assertEqual(self.document("dlq", "redrive", "d", "--count", "1")["redriven"], 1)
        self.assertEqual([row["origin"] for row in self.document("dlq", "list", "d")], ["d/5", "d/6"])
        self.shunt("dlq", "redrive", "d", "--all", "--rate", "1000/s")
        self.assertEqual(self.document("dlq", "list", "d"), [])
        self.assertEqual(self.shunt("consume", "d", "-n", "4").stdout.split(), ["a", "c", "e", "f"])

    def test_redrive_without_waiting(self):
        self.fill_dlq("d", list("abc"))
        answer = self.document("dlq", "redrive", "d", "--all", "--no-wait")
        self.assertEqual(answer["redriven"], 3)
        self.assertGreater(answer["job"], 0)
        self.eventually(lambda: self.group("d")["ready"] == 3)

    def test_purge_asks_and_exports_come_first(self):
        self.fill_dlq("d", list("abc"))
        target = self.directory / "dead.jsonl"
        self.assertIn("exported 3 dead letters", self.shunt("dlq", "export", "d", "--to", target).stderr)
        exported = lines_of(target.read_text())
        self.assertEqual([(row["origin"], row["body"], len(row["history"])) for row in exported], [("d/1", "a", 1), ("d/2", "b", 1), ("d/3", "c", 1)])
        self.assertEqual(os.listdir(self.directory), ["dead.jsonl"])
        self.shunt("dlq", "export", "d", "--to", self.directory / "missing" / "x", code=FAILED)
        done = self.shunt("dlq", "purge", "d", "--all", code=USAGE)
        self.assertIn("purging 3 dead letters of group default of topic d for good", done.stderr)
        self.assertEqual(len(self.document("dlq", "list", "d")), 3)
        self.assertEqual(self.document("dlq", "purge", "d", "d/2", "-y")["purged"], 1)
        self.assertEqual(self.document("dlq", "purge", "d", "--count", "1", "-y")["purged"], 1)
        self.assertEqual([row["origin"] for row in self.document("dlq", "list", "d")], ["d/3"])
        self.shunt("dlq", "purge", "d", "--all", "-y")
        self.assertEqual(self.document("dlq", "list", "d"), [])

    def test_of_a_group(self):
        self.shunt("topic", "create", "t", "--max-attempts", "1")
        self.shunt("group", "create", "t", "g")
        self.shunt("publish", "t", "b")
        self.shunt("work", "t", "-g", "g", "--drain", "--", "false")
        self.assertEqual(self.document("dlq", "list", "t"), [])
        self.assertEqual(self.document("dlq", "list", "t", "-g", "g")[0]["id"].split("/")[0], "dlq:t:g")


if __name__ == "__main__":
    harness.main()
