"""Real files through real programs: the dead letters are exactly the files on which the same program fails by hand,
each with what the program said of it.

SHUNT_DOCUMENTS bounds their number; those taken are spread over the suite (default 120, 0: all of them; 24 where
shunt is sanitized).
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import harness

MAX_ATTEMPTS = 3
DOCUMENTS_MAX = int(os.environ.get("SHUNT_DOCUMENTS", "24" if os.environ.get("SANITIZED") else "120"))
JOBS = 4
SHARED = pathlib.Path(os.environ.get("SHUNT_SHARED") or harness.SOURCE_ROOT.parent / "shared")
SUITE = SHARED / "data" / "json-suite" / "test_parsing"

# For machines without the suite: what parsers stumble over, and what they do not.
OWN = {
    "y_array.json": b'[1, 2.5e3, "x", null, true]', "y_object.json": b'{"a": {"b": [1]}}', "y_string.json": b'"\\u00e4 \xc3\xa4"',
    "y_number.json": b"-0.5", "y_space.json": b" \n\t[ ]\n", "y_large.json": b"[" + b"1," * 100000 + b"1]",
    "n_empty.json": b"", "n_comma.json": b"[1,]", "n_open.json": b'{"a":', "n_string.json": b'"open', "n_words.json": b"hello world",
    "n_two.json": b"[1] x", "n_single.json": b"['a']", "n_utf8.json": b'["\xff"]', "n_nul.json": b"[1]\x00", "n_minus.json": b"[-]",
    "n_bom16.json": "[1]".encode("utf-16"), "n_key.json": b"{a: 1}", "n_plus.json": b"[+1]", "n_tab.json": b"[\x0b]", "n_deep.json": b"[" * 100000,
}


def last_line(data):
    """The last line that is not blank, as text in which what is no text is a '?'; None if there is none."""
    lines = [line.strip(b" \t\r\v\f") for line in data.split(b"\n")]
    lines = [line for line in lines if line]
    return tame(lines[-1]) if lines else None


# How Python and node end what they say of an error that nobody caught.
PYTHON = re.compile(r"Traceback \(most recent call last\):\n(?:.*\n)*(([\w.]+)(?:: .*)?)\n\Z")
NODE = re.compile(r"^((\w*Error)(?: \[\w+\])?: .*)\n(?:.*\n)*    at ", re.MULTILINE)


def uncaught(said):
    """(class, line) of the error that nobody caught, None if it ended in another way."""
    text = said.decode("latin-1")
    found = PYTHON.search(text) or NODE.search(text)
    return (found[2], tame(found[1].encode("latin-1").strip(b" \t\r\v\f"))) if found else None


# For each byte of it a '?': control characters, which some versions of node say as they are, and what is no UTF-8.
TAMED = {code: "?" for code in (*range(0x20), 0x7F, *range(0xDC80, 0xDD00)) if code not in (9, 10)} | {code: "??" for code in range(0x80, 0xA0)}


def tame(data):
    return data.decode("utf-8", errors="surrogateescape").translate(TAMED)


def verdict(status):
    return "SIG" + signal.Signals(-status).name[3:] if status < 0 else f"exit {status}"


def run_by_hand(command, path):
    """(type, line) if it fails: of an error that nobody caught, else the last. Its output goes to files, which are never full."""
    with open(path, "rb") as body, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        done = subprocess.run(command, stdin=body, stdout=out, stderr=err, check=False, timeout=120)
        said = []
        for stream in (err, out):
            stream.seek(0)
            said.append(stream.read())
    if not done.returncode:
        return None
    return uncaught(said[0]) or (verdict(done.returncode), last_line(said[0] or said[1]))


class RealInput(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server())
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="real-")))
        self.files = sorted(SUITE.glob("*.json"))
        if 0 < DOCUMENTS_MAX < len(self.files):
            self.files = self.files[:: -(-len(self.files) // DOCUMENTS_MAX)]
        if not self.files:
            for name, body in OWN.items():
                (self.directory / name).write_bytes(body)
            self.files = sorted(self.directory.glob("*.json"))

    def by_hand(self, command):
        """{file: (type, line)} of those on which `command` fails."""
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            outcomes = pool.map(lambda path: run_by_hand(command, path), self.files)
            return {path.name: outcome for path, outcome in zip(self.files, outcomes) if outcome}

    def check(self, *command):
        if shutil.which(command[0]) is None:
            self.skipTest(f"{command[0]} is not installed")
        expected = self.by_hand(command)
        self.assertGreater(len(expected), 5)
        self.assertLess(len(expected), len(self.files))
        shunt = self.server.shunt
        # More of them are bad than a breaker takes for poison.
        shunt("topic", "create", "files", "--max-attempts", MAX_ATTEMPTS, "--backoff", "10ms..50ms", "--breaker", "off")
        published = shunt("publish", "files", "--file", *self.files, "-H", "suite=parsing", "-o", "jsonl").stdout.splitlines()
        self.assertEqual(len(published), len(self.files))
        shunt("work", "files", "-j", JOBS, "--drain", "--", *command, timeout=250)

        dead = [json.loads(line) for line in shunt("dlq", "export", "files").stdout.splitlines()]
        found = {row["headers"]["file"]: (row["error_type"], row["error_message"]) for row in dead}
        self.assertEqual(len(found), len(dead), "a file is there twice")
        self.assertEqual(found, expected)
        for row in dead:
            self.assertEqual((row["reason"], row["attempts"], row["headers"]["suite"]), ("max_attempts", MAX_ATTEMPTS, "parsing"))
            self.assertEqual([(step["number"], step["outcome"], step["charged"], step["error_type"], step["error_message"]) for step in row["history"]],
                             [(n, "nacked", True, row["error_type"], row["error_message"]) for n in range(1, MAX_ATTEMPTS + 1)])
            self.assertEqual(row["size"], os.path.getsize(self.files[0].parent / row["headers"]["file"]))
        group = json.loads(shunt("group", "show", "files", "default", "-o", "json").stdout)
        self.assertEqual({state: group[state] for state in ("ready", "in_flight", "delayed", "dead", "acked")},
                         {"ready": 0, "in_flight": 0, "delayed": 0, "dead": len(expected), "acked": len(self.files) - len(expected)})

    def test_python(self):
        self.check("python3", "-m", "json.tool")

    def test_jq(self):
        self.check("jq", ".")

    def test_node(self):
        self.check("node", "-e", "JSON.parse(require('fs').readFileSync(0, 'utf8'))")


if __name__ == "__main__":
    harness.main()
