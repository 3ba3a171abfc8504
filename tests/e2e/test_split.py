"""Keys in parts: from the publisher to the worker, and how many handlers one key keeps busy with and without."""
import json
import pathlib
import subprocess
import sys
import unittest

import harness
from cli_case import FAILED, USAGE, Case, lines_of

sys.path.insert(0, str(harness.SOURCE_ROOT / "python"))
import shunt  # noqa: E402
from shunt import publishing  # noqa: E402

PARTS = 8
PARTS_MAX = 1024
HANDLERS = 8
HANDLER_MS = 5
MESSAGES = 400  # in the rig


class Publishing(Case):
    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "t", "--order", "key")

    def keys(self, count):
        return [row["key"] for row in lines_of(self.shunt("consume", "t", "--peek", "-n", str(count), "-o", "jsonl").stdout)]

    def test_lines_fill_the_parts_in_turn(self):
        self.shunt("publish", "t", "--lines", "--key", "hot", "--split", str(PARTS), input="x\n" * (2 * PARTS))
        keys = self.keys(2 * PARTS)
        self.assertEqual(sorted(keys), sorted([f"hot#{part}" for part in range(PARTS)] * 2))
        self.assertEqual(keys[:PARTS], keys[PARTS:])

    def test_a_worker_finds_the_whole_key(self):
        self.shunt("publish", "t", "x", "--key", "hot", "--split", "2")
        self.shunt("publish", "t", "y", "--key", "cold#1")
        rows = self.shunt("work", "t", "--drain", "--", "sh", "-c", 'echo "$SHUNT_BASE_KEY $SHUNT_KEY"').stdout.splitlines()
        self.assertEqual(sorted(row.split()[0] for row in rows), ["cold#1", "hot"])
        self.assertRegex(" ".join(rows), "hot hot#[01]")

    def test_a_stream_worker_finds_it_too_where_it_was_split(self):
        self.shunt("publish", "t", "x", "--key", "hot", "--split", "2")
        self.shunt("publish", "t", "y", "--key", "cold#1")
        seen = self.directory / "seen"
        script = f'while read -r line; do echo "$line" >> {seen}; echo "$line" | sed \'s/,"topic".*/,"outcome":"ack"}}/\'; done'
        self.shunt("work", "t", "--drain", "--stream", "--", "sh", "-c", script)
        rows = [json.loads(line) for line in seen.read_text().splitlines()]
        self.assertEqual(sorted((row["body"], row.get("base_key")) for row in rows), [("x", "hot"), ("y", None)])

    def test_lines_of_json_without_a_key_stay_as_they_are(self):
        rows = [{"body": "a", "key": "k"}, {"body": "b"}, {"body": "c", "key": "é" * 128}]
        done = self.shunt("publish", "t", "--jsonl", "--split", "2", input="".join(json.dumps(row) + "\n" for row in rows), code=2)
        self.assertIn("line 3: ", done.stderr)
        self.assertEqual(self.group("t")["published"], 2)
        keys = self.keys(2)
        self.assertIn(keys[0], ("k#0", "k#1"))
        self.assertIsNone(keys[1])

    def test_what_cannot_be_split_is_refused(self):
        self.assertIn("--key", self.shunt("publish", "t", "x", "--split", "2", code=USAGE).stderr)
        for parts in ("0", str(PARTS_MAX + 1), "-1", "many"):
            self.assertIn("--split", self.shunt("publish", "t", "x", "--key", "k", "--split", parts, code=USAGE).stderr)
        self.assertIn("TOO_LARGE", self.shunt("publish", "t", "x", "--key", "k" * 255, "--split", "2", code=FAILED).stderr)
        self.assertEqual(self.group("t")["published"], 0)
        self.shunt("publish", "t", "x", "--key", "k", "--split", "1")
        self.shunt("publish", "t", "x", "--key", "k", "--split", str(PARTS_MAX))
        keys = self.keys(2)
        self.assertEqual(keys[0], "k")
        self.assertRegex(keys[1], "^k#[0-9]{1,4}$")


class Python(unittest.TestCase):
    def test_it_splits_and_reads_as_the_library_does(self):
        message = shunt.Message("x", {"a": "b"}, key="k")
        self.assertEqual(shunt.split(message, 3, 7), shunt.Message("x", {"a": "b", "shunt-split": "3"}, key="k#1"))
        self.assertEqual(shunt.split(message._replace(key=b"\xff"), PARTS_MAX, 2**64 - 1).key, b"\xff#1023")
        self.assertIs(shunt.split(message, 1, 7), message)
        for wrong, parts in ((message, 0), (message, PARTS_MAX + 1), (message._replace(key=None), 2), (message._replace(key=""), 2)):
            with self.assertRaises(shunt.BadArgument):
                shunt.split(wrong, parts, 0)

    def test_a_key_that_only_looks_like_a_part_is_its_own_base(self):
        rows = [("k#1", None, "k#1"), ("k#1", "", "k#1"), ("k#1", "x8", "k#1"), ("k#1", "8\n", "k#1"), ("k#1", "1025", "k#1"), ("k#8", "8", "k#8"), ("k#01", "8", "k#01"), ("#1", "8", "#1"),
                ("1", "8", "1"), ("k#", "8", "k#"), ("k#7", "8", "k"), ("k#2#7", "8", "k#2"), ("k\n#7", b"8", "k\n"), ("k#7", "008", "k#7"), (b"\xff#0", "2", b"\xff"), ("\udcff#0", "2", "\udcff"), (None, "2", None)]
        for key, parts, base in rows:
            with self.subTest(key=key, parts=parts):
                self.assertEqual(publishing.base_key(key, {} if parts is None else {"shunt-split": parts}), base)


class Handlers(Case):
    """What splitting is for: in an ordered group one key keeps one handler busy, and each part of it another one."""

    def setUp(self):
        super().setUp()
        self.broker = self.client()

    def client(self):
        client = shunt.connect(self.server.url, timeout=60)
        self.addCleanup(client.close)
        return client

    def fill(self, topic, parts, count):
        self.shunt("topic", "create", topic, "--order", "key")
        message = shunt.Message("x", key=b"hot")
        self.broker.publish_batch(topic, [shunt.split(message, parts, number) for number in range(count)])

    def held(self, parts):
        """How many consumers have a message while none is answered; the others' subscriptions were answered, so what there is for them was handed out."""
        topic = f"held-{parts}"
        self.fill(topic, parts, 8 * PARTS)
        for _ in range(HANDLERS):
            self.enterContext(self.client().consume(topic, window=1))
        self.eventually(lambda: self.group(topic)["in_flight"] >= parts)
        return self.group(topic)["in_flight"]

    def test_each_part_is_held_by_a_consumer_of_its_own(self):
        self.assertEqual(self.held(PARTS), PARTS)

    def test_a_key_that_is_not_split_is_held_by_one(self):
        self.assertEqual(self.held(1), 1)

    def rate(self, parts):
        """Messages a second, of handlers that take a time."""
        topic = f"rate-{parts}"
        self.fill(topic, parts, MESSAGES)
        worker = pathlib.Path(harness.BUILD_DIR) / "tests/e2e/slow_worker"
        done = subprocess.run([worker, topic, str(HANDLERS), str(HANDLER_MS)], env=self.server.environment(), capture_output=True, text=True, check=True, timeout=120)
        self.assertEqual(self.group(topic)["acked"], MESSAGES)
        return MESSAGES * 1000 / int(done.stdout)

    def test_split_in_eight_a_key_is_handled_faster(self):
        """How much faster is told, and not judged: that is a matter of the machine. A whole key cannot be faster than its handlers, one after the other."""
        whole, split = self.rate(1), self.rate(PARTS)
        print(f"handlers of {HANDLER_MS} ms: whole key {whole:.0f}/s, in {PARTS} parts {split:.0f}/s: {split / whole:.1f} times the rate", file=sys.stderr)
        self.assertLessEqual(whole, 1000 / HANDLER_MS)


if __name__ == "__main__":
    unittest.main()
