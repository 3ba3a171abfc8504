"""The tool publishing and consuming on a real server."""
import base64
import json
import signal
import subprocess

import harness
from cli_case import FAILED, NOTHING, OK, PARTLY, USAGE, WAIT_SECONDS_MAX, Case, lines_of


class Publishing(Case):
    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "t")

    def start_with_input(self, *args):
        process = subprocess.Popen([harness.SHUNT, *args], env=self.server.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        self.addCleanup(end)
        return process

    def consumed(self, count):
        return lines_of(self.shunt("consume", "t", "-n", count, "-o", "jsonl").stdout)

    def test_a_body_with_everything(self):
        done = self.shunt("publish", "t", "hällo", "-H", "a=1", "-H", "b=x=y", "-H", "empty=", "--key", "k", "--ttl", "1h")
        self.assertEqual((done.stdout, done.stderr), ("t/1\n", ""))
        message = self.consumed(1)[0]
        self.assertRegex(message.pop("published"), r"^20\d\d-.*Z$")
        self.assertEqual(message, {"id": "t/1", "attempts": 0, "deliveries": 1, "generation": 0, "headers": {"a": "1", "b": "x=y", "empty": ""},
                                   "key": "k", "ttl_ms": 3600000, "deadline": None, "size": 6, "body": "hällo"})
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

    def test_files_named_after_two_dashes_or_two_options(self):
        (self.directory / "-a").write_text("of -a")
        (self.directory / "b").write_text("of b")
        self.shunt("publish", "t", "--file", "--", "-a", "b", cwd=self.directory)
        self.shunt("publish", "t", "--file", "--file", "b", cwd=self.directory)
        self.assertEqual([message["body"] for message in self.consumed(3)], ["of -a", "of b", "of b"])

    def test_a_header_called_file_stands_against_the_names_of_files(self):
        (self.directory / "a").write_text("a")
        self.shunt("publish", "t", "--file", self.directory / "a", "-H", "file=mine")
        self.assertEqual(self.consumed(1)[0]["headers"], {"file": "mine"})

    def test_lines_of_a_slow_writer_are_published_as_they_come(self):
        publisher = self.start_with_input("publish", "t", "--lines", "-o", "jsonl")
        publisher.stdin.write("one\n")
        publisher.stdin.flush()
        self.eventually(lambda: self.group("t")["ready"] == 1)  # before the end of the input
        self.assertEqual(json.loads(publisher.stdout.readline()), {"id": "t/1"})
        publisher.stdin.write("two\n")
        publisher.stdin.close()
        self.assertEqual(publisher.wait(WAIT_SECONDS_MAX), OK)
        self.assertEqual([message["body"] for message in self.consumed(2)], ["one", "two"])

    def test_closed_standard_input_is_no_empty_message(self):
        done = self.run_without(0, "publish", "t")
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("standard input", done.stderr)
        self.assertEqual(self.group("t")["ready"], 0)

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

    def test_a_dead_letter_is_consumed_with_what_it_died_of(self):
        self.fill_dlq("d", ["one", "two"])
        letters = {row["id"]: row for row in lines_of(self.shunt("dlq", "export", "d").stdout)}
        told = ("origin", "topic", "group", "reason", "cause", "died", "error_type", "error_message", "error_stack", "attempts_total", "history", "edited")
        for row in lines_of(self.shunt("consume", "dlq:d:default", "-n", "2", "-y", "-o", "jsonl").stdout):
            letter = letters.pop(row["id"])
            self.assertEqual((row["body"], row["published"]), (letter["body"], letter["published"]))
            self.assertEqual({key: row["dead"][key] for key in told}, {key: letter[key] for key in told})
            self.assertEqual(row["dead"]["history"][0]["error_message"], "cannot: " + row["body"])
        self.assertEqual(letters, {})
        self.shunt("publish", "t", "alive")
        self.assertNotIn("dead", self.document("consume", "t", "-n", "1")[0])

    def test_dead_letters_are_peeked_at_without_a_trace(self):
        self.fill_dlq("d", [str(n) for n in range(250)])
        before = lines_of(self.shunt("dlq", "export", "d").stdout)
        group, queue = self.group("d"), self.group("dlq:d:default")
        self.assertEqual(self.shunt("consume", "dlq:d:default", "--peek").stdout, "".join(f"{n}\n" for n in range(250)))
        self.assertEqual(self.shunt("consume", "dlq:d:default", "--peek", "-n", "2").stdout, "0\n1\n")
        row = self.document("consume", "dlq:d:default", "--peek", "-n", "1")[0]
        self.assertEqual((row["id"], row["body"], row["state"], row["deliveries"]), ("dlq:d:default/1", "0", "dead", None))
        self.assertEqual((row["dead"]["reason"], len(row["dead"]["history"])), ("rejected", 1))
        self.assertEqual(lines_of(self.shunt("dlq", "export", "d").stdout), before, "no delivery, no attempt, no look")
        self.assertEqual((self.group("d"), self.group("dlq:d:default")), (group, queue))
        taken = lines_of(self.shunt("consume", "dlq:d:default", "-n", "1", "-y", "-o", "jsonl").stdout)[0]
        self.assertEqual((taken["id"], taken["attempts"], taken["deliveries"]), ("dlq:d:default/1", 0, 1))
        self.shunt("consume", "dlq:d:default", "--peek", "-g", "other", code=USAGE)
        self.shunt("consume", "dlq:d", "--peek", code=USAGE)
        self.shunt("consume", "dlq:absent:default", "--peek", code=FAILED)
        self.shunt("consume", "dlq:t:default", "--peek", code=NOTHING)

    def test_peek_takes_nothing(self):
        self.shunt("publish", "t", "--lines", input="".join(f"{i}\n" for i in range(250)))
        self.assertEqual(len(self.shunt("consume", "t", "--peek").stdout.split()), 250)
        self.assertEqual(self.shunt("consume", "t", "--peek", "-n", "2").stdout, "0\n1\n")
        row = self.document("consume", "t", "--peek", "-n", "1")[0]
        self.assertEqual((row["state"], row["attempts"], row["deliveries"], row["due"]), ("ready", 0, 0, None))
        group = self.group("t")
        self.assertEqual((group["ready"], group["deliveries"]), (250, 0))

    def test_closed_standard_output_acks_nothing(self):
        self.shunt("publish", "t", "precious")
        done = self.run_without(1, "consume", "t", "-n", "1")
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("cannot write to standard output", done.stderr)
        self.assertEqual((self.group("t")["acked"], self.group("t")["ready"]), (0, 1))

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

    def test_an_expired_letter_says_what_ran_out(self):
        self.shunt("publish", "t", "x", "--ttl", "1ms")
        self.eventually(lambda: self.group("t")["dead"] == 1)
        said = "the time to live of 1ms ran out while the message waited for a consumer"
        [row] = self.document("dlq", "list", "t")
        self.assertEqual((row["error_type"], row["error_message"]), ("ttl_expired", said))
        shown = self.shunt("dlq", "show", "t", "1").stdout
        history = shown[shown.index("\nhistory:"):].splitlines()
        cells = dict(zip(history[2].split(), history[3].split()))
        self.assertEqual((cells["OUTCOME"], cells["TOOK"], cells["CONSUMER"]), ("ttl_expired", "-", "-"), shown)

    def test_an_id_names_its_topic(self):
        self.shunt("topic", "create", "d", "--groups", "a,default", "--max-attempts", "1")
        self.shunt("publish", "d", "--lines", input="one\ntwo\nthree\n")
        for group in ("a", "default"):
            self.shunt("work", "d", "-g", group, "--drain", "--", "false")
        for words, group in ((("d/2",), "default"), (("d/2", "-g", "a"), "a"), (("dlq:d:a/2",), "a"), (("dlq:d:default/2",), "default"), (("d", "d/2"), "default")):
            shown = self.document("dlq", "show", *words)
            self.assertEqual((shown["origin"], shown["group"], shown["body"]), ("d/2", group, "two"), words)
        self.shunt("dlq", "edit", "d/2", "--body-file", "-", input="another")
        self.assertEqual(self.shunt("dlq", "show", "d/2", "--raw").stdout, "another")
        self.shunt("dlq", "redrive", "d/1", "d/2")
        self.shunt("dlq", "purge", "dlq:d:a/1", "dlq:d:a/3", "-y")
        self.assertEqual([row["origin"] for row in self.document("dlq", "list", "d")], ["d/3"])
        self.assertEqual([row["origin"] for row in self.document("dlq", "list", "d", "-g", "a")], ["d/2"])
        for words in (("dlq", "show", "d"), ("dlq", "show", "dlq:d/1"), ("dlq", "redrive", "d/3", "e/3"), ("dlq", "purge", "dlq:d:a/1", "d/3", "-y"), ("dlq", "edit", "d")):
            self.shunt(*words, code=USAGE)

    def test_without_a_topic_the_queues_that_hold_something(self):
        self.assertEqual(self.document("dlq", "list"), [])
        self.fill_dlq("d", ["a", "b"])
        self.fill_dlq("e", ["c"])
        self.shunt("topic", "create", "empty")
        self.shunt("dlq", "show", "d/1")
        rows = self.document("dlq", "list")
        self.assertEqual([(row["topic"], row["group"], row["dlq"], row["dead"], row["unattended"]) for row in rows],
                         [("d", "default", "dlq:d:default", 2, 1), ("e", "default", "dlq:e:default", 1, 1)])
        self.assertEqual(set(rows[0]) - {"topic", "group", "dlq", "dead", "unattended"}, {"oldest_dead", "oldest_unattended"})
        self.assertRegex(self.shunt("dlq", "list").stdout, r"(?m)^d +default +2 +1 +\S+ +\S+$")
        self.assertEqual(self.document("dlq", "list", "-g", "other"), [])
        self.shunt("dlq", "list", "--type", "x", code=USAGE)

    def test_a_dead_letter_queue_like_any_topic(self):
        self.fill_dlq("d", ["a", "b"])
        self.assertIn("`dlq list` and `dlq show` only look", self.shunt("consume", "dlq:d:default", "-n", "2", code=USAGE).stderr)
        self.assertEqual(len(self.document("dlq", "list", "d")), 2)
        rows = lines_of(self.shunt("consume", "dlq:d:default", "-n", "2", "-y", "-o", "jsonl").stdout)
        self.assertEqual([row["body"] for row in rows], ["a", "b"])
        self.assertEqual(self.document("dlq", "list", "d"), [])


if __name__ == "__main__":
    harness.main()
