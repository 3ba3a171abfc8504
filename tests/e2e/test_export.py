#!/usr/bin/env python3
"""What can be read of a store is exported as JSON lines, each message once: all of a store in order, and of a damaged one all that the damage left,
with a word about the rest. What was exported can be published again."""
import base64
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import unittest

import harness
import wire

LOST, USAGE, DATA, NO_STORE, LOCKED = 1, 64, 65, 66, 75
PAGE = 4096
COUNT = 1500
DAMAGES = 24
BINARY = bytes(range(256))


def body_of(number):
    return b"%d " % number + b"%d" % number * (number % 40 * 5)


def number_of(row):
    body = row["body"].encode()
    number = int(body.split(b" ")[0])
    assert body == body_of(number), row
    return number


@unittest.skipIf(os.environ.get("SANITIZED"), "a sanitizer ends where LMDB follows damage")
class Export(unittest.TestCase):
    CONFIG = "journal: off\n"

    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="export-")))
        self.config = self.directory / "shunt.yaml"
        self.config.write_text(self.CONFIG, encoding="utf-8")
        self.server = self.enterContext(harness.Server(options=["--config", self.config]))
        self.to = self.directory / "all.jsonl"

    def export(self, code=0, data=None, to=None, **more):
        done = subprocess.run([harness.SHUNTD, "--config", self.config, "--data", data or self.server.data, "--export", to or self.to],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=300, **more)
        self.assertIn(done.returncode, code if isinstance(code, tuple) else (code,), done.stderr)
        return done

    def rows(self, data=None, code=0):
        """What is exported, what is said, and the exit status."""
        self.to.unlink(missing_ok=True)
        done = self.export(code, data)
        lines = self.to.read_text(encoding="utf-8").splitlines() if self.to.exists() else []
        return [json.loads(line) for line in lines], done.stderr.decode(), done.returncode

    def fill(self):
        """Some of the messages of `t` are acked, some dead, some delayed; `other` has what is not text. Returns the numbers that are stored."""
        with wire.connect(self.server) as client:
            client.topic_create("t", groups=["default", "second"], max_attempts=1)
            client.topic_create("other")
            client.topic_create("gone")
            client.publish("gone", b"x")
            wire.publish_all(client, "t", [body_of(n) for n in range(1, COUNT + 1)])
            client.publish("other", [BINARY, {"text": "é", "bytes": b"\xff"}, b"a key"], [b"", None, None, 0, 3600000], b"last")
            for group in ("default", "second"):
                sub = client.subscribe("t", group, messages=100)
                taken = sub.take(100)
                refused = sub.resolve(*((d.seq, d.token, wire.ACK) if d.seq % 10 else (d.seq, d.token, wire.REJECT, None, "Bad", "it is bad", "at step()") for d in taken))
                self.assertEqual(refused, {})
                sub.unsubscribe()
            client.topic_delete("gone")
        self.assertEqual(self.server.stop(), 0, self.server.log_text())
        return [n for n in range(1, COUNT + 1) if n > 100 or n % 10 == 0]

    def test_of_a_store_in_order_each_message_is_exported_once(self):
        stored = self.fill()
        rows, said, _ = self.rows()
        self.assertIn(f"exported {len(stored) + 3} messages", said)
        of_t = [row for row in rows if row["topic"] == "t"]
        self.assertEqual([number_of(row) for row in of_t], stored)
        self.assertEqual([row["id"] for row in of_t], [f"t/{n}" for n in stored])
        for row in of_t:
            if number_of(row) <= 100:
                self.assertEqual((row["state"], row["group"], row["reason"], row["attempts"]), ("dead", "default", "rejected", 1), row)
                self.assertEqual((row["error_type"], row["error_message"], row["error_stack"]), ("Bad", "it is bad", "at step()"))
                self.assertIn("died", row)
            else:
                self.assertNotIn("group", row)
        first, empty, last = (row for row in rows if row["topic"] == "other")
        self.assertEqual(base64.b64decode(first["body_base64"]), BINARY)
        self.assertEqual((first["headers"], first["key"]), ({"text": "é", "bytes": {"base64": "/w=="}}, "a key"))
        self.assertEqual((empty["body"], empty["ttl_ms"], last["body"]), ("", 3600000, "last"))
        self.assertNotIn("gone", {row["topic"] for row in rows})
        self.assertEqual(sorted(path.name for path in self.directory.iterdir()), ["all.jsonl", "shunt.yaml"])

    def test_it_is_published_again(self):
        stored = self.fill()
        rows, _, _ = self.rows()
        lines = self.directory / "t.jsonl"
        lines.write_text("".join(json.dumps(row) + "\n" for row in rows if row["topic"] == "t"), encoding="utf-8")
        with harness.Server() as server, wire.connect(server) as client:
            client.topic_create("t")
            server.shunt("publish", "t", "--jsonl", lines)
            sub = client.subscribe("t", messages=COUNT, bytes=1 << 24)
            self.assertEqual([bytes(d.message.body) for d in sub.take(len(stored))], [body_of(n) for n in stored])

    def test_standard_output(self):
        stored = self.fill()
        done = self.export(to="-")
        self.assertEqual(len(done.stdout.splitlines()), len(stored) + 3)
        self.assertFalse((self.directory / "-").exists())

    def test_what_is_wrong_with_the_call_is_told_and_leaves_nothing(self):
        self.assertIn(b"in use by process", self.export(LOCKED).stderr)
        self.assertEqual(self.server.stop(), 0)
        self.assertIn(b"no store", self.export(NO_STORE, data=self.directory).stderr)
        self.assertEqual([path.name for path in self.directory.iterdir()], ["shunt.yaml"])
        self.to.write_text("mine", encoding="utf-8")
        self.assertIn(b"is there already", self.export(USAGE).stderr)
        self.assertEqual(self.to.read_text(encoding="utf-8"), "mine")

    def damaged(self, harm):
        """A copy of the store, and what was done to its file."""
        copy = self.directory / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.server.data, copy)
        data = bytearray((copy / "data.mdb").read_bytes())
        name = harm(data)
        (copy / "data.mdb").write_bytes(data)
        return copy, name

    def test_one_message_with_a_flipped_bit_is_told_and_all_others_are_there(self):
        stored = self.fill()

        def flip(data):
            at = data.find(body_of(777))
            if at < 0:
                self.skipTest("the messages are in the journal")
            while at >= 0:  # old pages have it, too
                data[at] ^= 1
                at = data.find(body_of(777))
        rows, said, _ = self.rows(self.damaged(flip)[0], LOST)
        self.assertIn("damaged: 1 messages", said)
        self.assertIn(f"count {len(stored) + 3} stored", said)
        self.assertEqual([number_of(row) for row in rows if row["topic"] == "t"], [n for n in stored if n != 777])

    def harms(self, dice, used):
        """Kinds of damage within the pages that are used, the first two, with LMDB's own record of its trees, left out."""
        def flip(data):
            at = dice.randrange(2 * PAGE, used)
            data[at] ^= 1 << dice.randrange(8)
            return f"a bit at {at}"

        def overwrite(data):
            at = dice.randrange(2 * PAGE, used - 64)
            data[at:at + 64] = dice.randbytes(64)
            return f"bytes at {at}"

        def zero(data):
            page = dice.randrange(2, used // PAGE - 8)
            count = dice.randrange(1, 8)
            data[page * PAGE:(page + count) * PAGE] = bytes(count * PAGE)
            return f"{count} pages zeroed at {page}"

        def swap(data):
            a, b = (dice.randrange(2, used // PAGE) * PAGE for _ in range(2))
            data[a:a + PAGE], data[b:b + PAGE] = data[b:b + PAGE], data[a:a + PAGE]
            return f"pages at {a} and {b} swapped"

        def cut(data):
            to = dice.randrange(used // 4, used)
            del data[to:]
            return f"cut to {to}"
        return [flip, overwrite, zero, swap, cut]

    def test_all_that_the_damage_left_is_exported_and_nothing_else(self):
        """Never a message twice, never one that was not published; and it is only called whole when it is."""
        stored = set(self.fill())
        dice = random.Random(7)
        image = (self.server.data / "data.mdb").read_bytes()
        used = len(image.rstrip(b"\0")) // PAGE * PAGE
        kinds = self.harms(dice, used)
        whole = lost = most = 0
        for n in range(DAMAGES):
            copy, name = self.damaged(kinds[n % len(kinds)])
            rows, said, code = self.rows(copy, (0, LOST, DATA, 74))
            numbers = [number_of(row) for row in rows if row.get("topic", "t") == "t" and "body" in row and row["id"][-2:] != "/0" and row["id"].split("/")[0] in ("t", "#1")]
            self.assertEqual(len(numbers), len(set(numbers)), name)
            self.assertLessEqual(set(numbers), stored, name)
            if code == 0:
                self.assertEqual(set(numbers), stored, name)
                whole += 1
            else:
                self.assertTrue(said, name)
                lost += 1
                most = max(most, len(numbers)) if len(numbers) < len(stored) else most
        self.assertGreater(whole, 0)
        self.assertGreater(lost, 0)
        self.assertGreater(most, COUNT // 2, "damage here took all that was elsewhere")

    def test_a_leaf_that_is_gone_costs_what_was_on_it(self):
        """Zeroed pages in the midst of the messages: those before and behind them are there."""
        stored = self.fill()

        def zero(data):
            at = data.rfind(body_of(777))
            if at < 0:
                self.skipTest("the messages are in the journal")
            data[at // PAGE * PAGE:(at // PAGE + 1) * PAGE] = bytes(PAGE)
        rows, said, _ = self.rows(self.damaged(zero)[0], LOST)
        numbers = [number_of(row) for row in rows if row["topic"] == "t"]
        gone = sorted(set(stored) - set(numbers))
        self.assertIn(777, gone)
        self.assertLess(len(gone), 200)
        self.assertEqual(gone, list(range(gone[0], gone[-1] + 1)))
        self.assertIn("unreadable: topic number 1", said)
        self.assertIn(str(gone[0]), said)

    def test_a_signal_ends_it_and_nothing_is_left(self):
        self.fill()
        pipe = self.directory / "pipe"
        os.mkfifo(pipe)
        with open(os.open(pipe, os.O_RDWR), "rb") as held:  # nobody reads it, so the export waits for room there
            process = subprocess.Popen([harness.SHUNTD, "--config", self.config, "--data", self.server.data, "--export", "-"],
                                       stdout=held.fileno(), stderr=subprocess.PIPE)
            self.addCleanup(process.wait)
            os.read(held.fileno(), 1)
            process.send_signal(signal.SIGINT)
            self.assertIn(b"stopped", process.communicate(timeout=60)[1])
            self.assertEqual(process.returncode, 80)


@unittest.skipIf(os.environ.get("SANITIZED"), "a sanitizer ends where LMDB follows damage")
class WithJournal(Export):
    """The store has a stub for most of the messages, and the journal's file has them."""

    CONFIG = "journal: on\n"

    def test_all_that_the_damage_left_is_exported_and_nothing_else(self):
        stored = set(self.fill())
        dice = random.Random(11)
        whole = lost = 0
        for n in range(8):
            copy = self.damaged(lambda data: None)[0]
            journal = bytearray((copy / "journal").read_bytes())
            at = dice.randrange(PAGE, len(journal) // 2)
            journal[at:at + 100] = bytes(100 if n else 0)
            (copy / "journal").write_bytes(journal)
            rows, said, code = self.rows(copy, (0, LOST))
            numbers = [number_of(row) for row in rows if row.get("topic") == "t"]
            self.assertEqual(len(numbers), len(set(numbers)), at)
            self.assertLessEqual(set(numbers), stored, at)
            self.assertEqual(code == 0, set(numbers) == stored, said)
            whole += code == 0
            lost += code != 0
        self.assertGreater(whole, 0)
        self.assertGreater(lost, 0)

    def test_a_journal_that_is_gone_is_told(self):
        self.fill()
        copy = self.damaged(lambda data: None)[0]
        (copy / "journal").unlink()
        self.assertIn("unreadable: the journal", self.rows(copy, LOST)[1])


if __name__ == "__main__":
    harness.main()
