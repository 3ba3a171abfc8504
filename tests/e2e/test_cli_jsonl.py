"""`shunt publish --jsonl`: what was exported or consumed comes back whole, each line that is wrong is told, and done again it stores nothing twice."""
import base64
import json
import subprocess

import harness
from cli_case import FAILED, OK, PARTLY, UNREACHABLE, USAGE, Case, alone, lines_of

LINE_BYTES_MAX = 128 * 1024 * 1024

# Body, headers, key, options: everything that a message can be.
ODD = [
    (b"", {}, None, ()),
    (bytes(range(256)) * 3, {b"plain": b"text", b"bytes": b"\xff\x00\xfe".replace(b"\0", b"\x01")}, b"\xff\xfekey", ()),
    ("hällo\n\x1b[31m\x7f  \u2028".encode(), {'sp ace "quoted" \\ {}'.encode(): b"", "ключ".encode(): "знач=ение".encode()}, b"customer-12", ("--ttl", "2h")),
    (b'{"order": 7, "body": "inner"}', {b"base64": b"AAAA", b"body": b"x", b"__proto__": b"y", b"a\nb\t": b"\n"}, b"k", ("--ttl", "1d")),
    (b"\xef\xbb\xbfBOM and \xed\xa0\x80 a surrogate", {}, b"\x01", ()),
]


def body_of(row):
    return base64.b64decode(row["body_base64"]) if "body_base64" in row else row["body"].encode()


def key_of(row):
    if "key_base64" in row:
        return base64.b64decode(row["key_base64"])
    return None if row["key"] is None else row["key"].encode()


def headers_of(row):
    return {name.encode(): base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode() for name, value in row["headers"].items()}


def whole(row):
    return body_of(row), headers_of(row), key_of(row), row["ttl_ms"]


class Jsonl(Case):
    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "t", "--max-attempts", "1")

    def publish_odd(self):
        """Publish all of ODD, by other ways than JSON; returns them as whole() tells them."""
        for body, headers, key, options in ODD:
            words = [b"-H" + name + b"=" + value for name, value in headers.items()] + ([b"--key=" + key] if key else [])
            subprocess.run([harness.SHUNT, "publish", "t", *options, *words], env=self.server.environment(), input=body, check=True,
                           stdout=subprocess.DEVNULL, timeout=60)
        ttl_ms = {(): None, ("--ttl", "2h"): 7200000, ("--ttl", "1d"): 86400000}
        return [(body, headers, key, ttl_ms[options]) for body, headers, key, options in ODD]

    def file(self, *rows, name="in.jsonl"):
        path = self.directory / name
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return path

    def consumed(self, *args, topic="t"):
        done = self.shunt("consume", topic, "--wait", "300ms", "-o", "jsonl", *args)
        return [json.loads(line) for line in done.stdout.split("\n") if line]  # U+2028 ends no line

    def bodies(self):
        return [row["body"] for row in self.consumed()]

    def refused(self, row, says):
        done = self.shunt("publish", "t", "--jsonl", self.file({"body": "before"}, row, {"body": "behind"}), code=PARTLY)
        self.assertIn("line 2: ", done.stderr)
        self.assertIn(says, done.stderr)
        self.assertIn("2 of 3 messages confirmed, 1 failed, 0 unknown", done.stderr)
        self.assertEqual(self.bodies(), ["before", "behind"])

    # ---- there and back

    def test_an_export_comes_back_as_it_was_after_a_purge(self):
        published = self.publish_odd()
        self.shunt("work", "t", "--drain", "--", "sh", "-c", "echo no >&2; exit 65")
        export = self.directory / "dead.jsonl"
        self.shunt("dlq", "export", "t", "--to", export)
        self.shunt("dlq", "purge", "t", "--all", "-y")
        self.assertEqual(self.group("t")["dead"], 0)
        done = self.shunt("publish", "t", "--jsonl", export)
        self.assertIn(f"published {len(ODD)} messages to t", done.stderr)
        self.assertEqual([whole(row) for row in self.consumed()], published)

    def test_what_was_consumed_or_looked_at_comes_back_in_a_pipe(self):
        published = self.publish_odd()
        for topic, how in (("looked-at", "--peek"), ("taken", "--wait=300ms")):
            lines = subprocess.run([harness.SHUNT, "consume", "t", how, "-o", "jsonl"], env=self.server.environment(), stdin=subprocess.DEVNULL,
                                   capture_output=True, check=True, timeout=60).stdout
            self.shunt("topic", "create", topic)
            self.shunt("publish", topic, "--jsonl", input=lines.decode())
            self.assertEqual([whole(row) for row in self.consumed(topic=topic)], published)

    def test_dead_letters_that_were_consumed_or_looked_at_come_back(self):
        published = self.publish_odd()
        self.shunt("work", "t", "--drain", "--", "sh", "-c", "echo no >&2; exit 65")
        for topic, how in (("looked-at", ("--peek",)), ("taken", ("--wait=300ms", "-y"))):
            lines = self.shunt("consume", "dlq:t:default", *how, "-o", "jsonl").stdout
            self.shunt("topic", "create", topic)
            self.shunt("publish", topic, "--jsonl", input=lines)
            self.assertEqual([whole(row) for row in self.consumed(topic=topic)], published)

    def test_an_edited_letter_comes_back_as_it_was_edited(self):
        self.fill_dlq("d", ["wrong"])
        self.shunt("dlq", "edit", "d", "d/1", "--body-file", "-", input="right")
        export = self.shunt("dlq", "export", "d").stdout
        self.shunt("publish", "t", "--jsonl", "-q", input=export)
        self.assertEqual(self.bodies(), ["right"])

    def test_the_whole_dlq_is_in_one_window_of_many(self):
        rows = [json.dumps({"body": f"{n}", "headers": {"n": str(n)}}) for n in range(20000)]
        done = self.shunt("publish", "t", "--jsonl", "-o", "jsonl", input="\n".join(rows))
        printed = lines_of(done.stdout)
        self.assertEqual([(row["id"], row["line"]) for row in printed], [(f"t/{n}", n) for n in range(1, 20001)])
        self.assertEqual([(row["body"], row["headers"]) for row in self.consumed()], [(f"{n}", {"n": str(n)}) for n in range(20000)])

    # ---- what a line says

    def test_what_the_options_say_is_for_lines_that_do_not(self):
        path = self.file({"body": "a"}, {"body": "b", "key": "own", "headers": {"x": "own", "y": "2"}, "ttl_ms": 5000}, {"body": "c", "key": None, "ttl_ms": None})
        self.shunt("publish", "t", "--jsonl", path, "-H", "x=1", "--key", "k", "--ttl", "1h")
        self.assertEqual([(row["headers"], row["key"], row["ttl_ms"]) for row in self.consumed()],
                         [({"x": "1"}, "k", 3600000), ({"x": "own", "y": "2"}, "own", 5000), ({"x": "1"}, "k", 3600000)])

    def test_a_delay_delays(self):
        self.shunt("publish", "t", "--jsonl", "-q", input='{"body": "later", "delay_ms": 3600000}\n{"body": "now"}')
        self.assertEqual((self.group("t")["delayed"], self.bodies()), (1, ["now"]))

    def test_blank_lines_are_passed_over_and_counted(self):
        done = self.shunt("publish", "t", "--jsonl", code=PARTLY, input='\n  \t\r\n{"body": "a"}\r\n\n{"bod": "b"}')
        self.assertIn("line 5: a message has no member `bod`: `body`?", done.stderr)
        self.assertIn("1 of 2 messages confirmed", done.stderr)
        self.assertEqual(self.bodies(), ["a"])

    def test_nothing_to_publish_is_no_failure(self):
        self.assertIn("published 0 messages", self.shunt("publish", "t", "--jsonl", input="").stderr)

    # ---- lines that are wrong

    def test_a_line_that_is_no_json(self):
        self.refused("order 7", "this is no JSON object")

    def test_a_line_that_is_no_object(self):
        self.refused("[1]", "this is JSON, but no object")

    def test_a_line_that_is_not_utf8(self):
        (self.directory / "b").write_bytes(b'{"body": "\xff"}\n')
        self.assertIn("line 1: this is no JSON object", self.shunt("publish", "t", "--jsonl", self.directory / "b", code=FAILED).stderr)

    def test_a_member_that_is_none(self):
        self.refused({"body": "x", "tenant": "blue"}, "a message has no member `tenant`: take it out, or put it into headers")

    def test_a_member_that_comes_twice(self):
        self.refused('{"body": "x", "headers": {"a": "1", "a": "2"}}', "duplicate")

    def test_bodies_that_are_none(self):
        for row, says in (({"key": "k"}, "it has no body"), ({"body": None}, "damaged in the store"), ({"body": {"id": 7}}, "body is a text; a JSON value goes in as a text"),
                          ({"body": "x", "body_base64": "eA=="}, "both body and body_base64"), ({"body_base64": "eA"}, "body_base64 is no base64")):
            with self.subTest(row=row):
                self.refused(row, says)

    def test_the_bounds_of_a_message_and_beyond(self):
        def row(key="k", headers=None, **more):
            return {"body": "x", "key": key, "headers": headers or {}, **more}
        ten_years_ms = 10 * 365 * 24 * 3600 * 1000
        good = [row(key="k" * 256), row(headers={"n" * 256: "v" * 4096}), row(headers={f"h{n}": "" for n in range(64)}), row(ttl_ms=ten_years_ms), row(ttl_ms=0)]
        self.shunt("publish", "t", "--jsonl", self.file(*good))
        self.assertEqual(len(self.consumed()), len(good))
        for wrong, says in ((row(key="k" * 257), "its key has 257 bytes"), (row(key=""), "its key is empty"), (row(headers={"n" * 257: "v"}), "is too much"),
                            (row(headers={"n": "v" * 4097}), "is too much"), (row(headers={f"h{n}": "" for n in range(65)}), "is too much"),
                            (row(headers={"": "v"}), "the header ``"), (row(headers={"n": 7}), "the header n is a text"), (row(headers=["n"]), "headers is an object"),
                            (row(headers={"n": {"base64": "!"}}), "n is no base64"), (row(ttl_ms=ten_years_ms + 1), "ttl_ms is a whole number"),
                            (row(delay_ms=-1), "delay_ms is a whole number"), (row(delay_ms="1s"), "delay_ms is a whole number")):
            with self.subTest(says=says):
                self.refused(wrong, says)

    def test_a_body_over_the_server_s_limit_is_told_with_its_line(self):
        self.refused({"body": "x" * (1024 * 1024 + 1)}, "TOO_LARGE")
        self.shunt("publish", "t", "--jsonl", self.file({"body": "x" * (1024 * 1024)}))

    def test_every_wrong_line_is_told(self):
        done = self.shunt("publish", "t", "--jsonl", self.file(*(["no"] * 50)), code=FAILED)
        self.assertEqual([line for line in range(1, 51) if f"line {line}: this is no JSON object" not in done.stderr], [])

    def test_the_longest_line_and_one_byte_more(self):
        path = self.directory / "long"
        head = b'{"body": "first"}\n{"body": "second"'
        for more, code in ((0, OK), (1, PARTLY)):
            path.write_bytes(head + b" " * (LINE_BYTES_MAX - len('{"body": "second"}') + more) + b'}\n{"body": "behind"}\n')
            done = self.shunt("publish", "t", "--jsonl", path, code=code)
            self.assertEqual(self.bodies(), ["first", "second", "behind"] if code == OK else ["first"])
        self.assertIn("line 2 is longer than 128 MiB", done.stderr)

    def test_faults_of_all(self):
        self.assertIn("UNKNOWN_TOPIC", self.shunt("publish", "absent", "--jsonl", self.file({"body": "x"}), code=FAILED).stderr)
        self.assertIn("No such file", self.shunt("publish", "t", "--jsonl", self.directory / "absent", code=FAILED).stderr)
        self.shunt("publish", "t", "--url", "shunt://127.0.0.1:1", "--jsonl", self.file({"body": "x"}), code=UNREACHABLE)

    # ---- only looked at

    def test_a_dry_run_needs_no_broker_and_tells_what_is_wrong(self):
        path = self.file({"body": "a"}, {"body": 1}, {"body": "c"})
        done = alone("publish", "t", "--url", "shunt://127.0.0.1:1", "--jsonl", str(path), "--dry-run")
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("line 2: body is a text", done.stderr)
        self.assertIn("2 messages could be published, 1 could not; nothing was", done.stderr)
        done = alone("publish", "t", "--jsonl", str(self.file({"body": "a"})), "--dry-run", "-o", "json")
        self.assertEqual((done.returncode, json.loads(done.stdout)), (OK, {"messages": 1, "refused": 0}))

    def test_options_that_do_not_go_together(self):
        for words, says in ((("b", "--jsonl"), "give one of"), (("--lines", "x", "--jsonl"), "give one of"), (("b", "--dry-run"), "--dry-run goes with --jsonl"),
                            (("b", "--producer", "p"), "goes with --lines and --jsonl"), (("--lines", "x", "--dry-run"), "--dry-run goes with --jsonl")):
            with self.subTest(words=words):
                self.assertIn(says, self.shunt("publish", "t", *words, code=USAGE).stderr)

    # ---- done again

    def test_the_same_again_is_stored_once_with_a_producer_and_twice_without(self):
        path = self.file(*({"body": str(n)} for n in range(10)))
        first = self.shunt("publish", "t", "--jsonl", path, "--producer", "p", "-o", "jsonl").stdout
        again = self.shunt("publish", "t", "--jsonl", path, "--producer", "p", "-o", "jsonl")
        self.assertEqual(lines_of(again.stdout), lines_of(first))
        self.assertIn("going on behind line 10", again.stderr)
        self.assertEqual(self.bodies(), [str(n) for n in range(10)])
        for _ in range(2):
            self.shunt("publish", "t", "--jsonl", path)
        self.assertEqual(self.bodies(), [str(n) for n in range(10)] * 2)

    def test_what_is_behind_the_window_is_passed_over(self):
        rows = [{"body": str(n)} for n in range(6000)]
        self.shunt("publish", "t", "--jsonl", self.file(*rows[:5000]), "--producer", "p")
        again = self.shunt("publish", "t", "--jsonl", self.file(*rows), "--producer", "p")
        self.assertIn(f"published {6000 - 5000 + 4096} messages", again.stderr)
        self.assertEqual(self.bodies(), [str(n) for n in range(6000)])

    def test_a_wrong_line_ends_the_reading_and_mended_it_goes_on_there(self):
        rows = [{"body": "0"}, {"bdy": "1"}, {"body": "2"}]
        done = self.shunt("publish", "t", "--jsonl", self.file(*rows), "--producer", "p", code=PARTLY)
        self.assertIn("line 2: ", done.stderr)
        self.assertIn("the same command goes on where this one ended", done.stderr)
        self.shunt("publish", "t", "--jsonl", self.file(rows[0], {"body": "1"}, rows[2]), "--producer", "p")
        self.assertEqual(self.bodies(), ["0", "1", "2"])

    def test_a_refused_line_ends_the_reading_and_mended_it_is_published(self):
        rows = [{"body": str(n)} for n in range(9000)]
        rows[1000] = {"body": "x" * (1024 * 1024 + 1)}
        self.shunt("publish", "t", "--jsonl", self.file(*rows), "--producer", "p", code=PARTLY)
        rows[1000] = {"body": "mended"}
        self.shunt("publish", "t", "--jsonl", self.file(*rows), "--producer", "p")
        self.assertEqual(sorted(self.bodies()), sorted(row["body"] for row in rows))

    def killed_and_run_again(self, kill):
        rows = [{"body": str(n)} for n in range(30000)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        process = subprocess.Popen([harness.SHUNT, "publish", "t", "--jsonl", "--producer", "p"], env=self.server.environment(), stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        try:
            process.stdin.write("".join(text.splitlines(True)[:20000]))  # more than a window: it is in the midst of it
            process.stdin.flush()
            kill(process)
        finally:
            process.kill()
            process.wait()
            try:
                process.stdin.close()
            except BrokenPipeError:
                pass
        self.shunt("publish", "t", "--jsonl", "--producer", "p", input=text)
        self.assertEqual(self.bodies(), [str(n) for n in range(30000)])

    def test_a_killed_publisher_run_again_doubles_nothing(self):
        self.killed_and_run_again(lambda process: self.eventually(lambda: self.group("t")["ready"] > 0))

    def test_a_killed_broker_doubles_nothing(self):
        def kill(process):
            self.eventually(lambda: self.group("t")["ready"] > 0)
            self.server.kill()
            self.server.start()
        self.killed_and_run_again(kill)

    def test_lines_are_numbered_as_well(self):
        for _ in range(2):
            self.shunt("publish", "t", "--lines", "--producer", "p", input="a\n\nc\n")
        self.assertEqual(self.bodies(), ["a", "", "c"])


if __name__ == "__main__":
    harness.main()
