#!/usr/bin/env python3
"""What the tool shows on a terminal: no line is longer than it is wide, and what has to be whole is whole; it follows a terminal that is resized."""
import os
import re
import subprocess
import unittest

import cli_case
import harness
import terminal

WIDTHS = (40, 80, 132)
OLD = "\u65e5\u672c\u8a9e\u306e\u9577\u3044\u8aac\u660e"  # eight characters of two columns
ERROR = f"e\u0301 \u202e\u202d\x1b[31m cannot read it: {OLD} and then so much more that no terminal in this test has room for all of it in one line"


def widest(text):
    return max(map(terminal.width, text.split("\n")))


class Rig(unittest.TestCase):
    def test_it_measures_as_a_terminal_does(self):
        self.assertEqual([terminal.width(text) for text in ("ab", "\u65e5", "e\u0301", "\u200b", "\U0001f600")], [2, 2, 1, 0, 2])

    def test_a_line_that_is_too_long_is_found(self):
        with terminal.Terminal(["sh", "-c", "printf '%041d\\n' 1"], 40) as seen:
            self.assertEqual(widest(seen.end()[1]), 41)

    def test_the_program_sees_the_width(self):
        with terminal.Terminal(["stty", "size"], 41) as seen:
            self.assertEqual(seen.end(), (0, "24 41\n"))


class Tables(cli_case.Case):
    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "orders", "--max-attempts", "1")
        for body in ("one", "two"):
            self.shunt("publish", "orders", body, "-H", "file=long name of a file.json", "--key", "k")
        self.shunt("work", "orders", "--drain", "--", "sh", "-c", 'cat >&2; printf ": %s\\n" "$1" >&2; exit 65', "sh", ERROR)
        self.shunt("publish", "orders", "three")
        self.shunt("group", "update", "orders", "default", "--lease", "1m", "--because", "a reason that is told with so many words that it needs lines of its own")
        self.shunt("rule", "set", "orders", "--action", "redrive", "--type", "a type of an error that has a long name", "--times", "5", "--wait", "2m")
        self.job = str(self.document("dlq", "redrive", "orders", "orders/1")["job"])
        self.cause = self.document("dlq", "causes")[0]["cause"]

    def seen(self, columns, *args):
        with terminal.Terminal([harness.SHUNT, *args], columns, self.server.environment(), stderr=subprocess.DEVNULL) as shown:
            status, text = shown.end()
        self.assertEqual(status, 0, f"{args}:\n{text}")
        return text

    def test_no_line_is_longer_than_the_terminal_is_wide(self):
        commands = [("topic", "list"), ("topic", "show", "orders"), ("group", "list", "orders"), ("group", "show", "orders", "default"), ("dlq", "list"), ("dlq", "list", "orders"), ("dlq", "causes"),
                    ("dlq", "causes", "orders"), ("dlq", "redrive", "orders", "--all", "--dry-run"), ("dlq", "cause", "orders", self.cause, "--unattended"), ("job", "list"), ("job", "show", self.job),
                    ("audit",), ("rule", "list", "orders"), ("clients",), ("stats",), ("why", "orders/2"), ("why", "orders/1")]
        with self.server_holding():
            for columns in WIDTHS:
                for command in (*commands, ("group", "holders", "orders", "default")):
                    text = self.seen(columns, *command)
                    if command[:2] == ("dlq", "cause"):
                        text = text.split("\nerror stack")[0]  # that is shown as it is
                    self.assertLessEqual(widest(text), columns, f"{command} at {columns}:\n{text}")

    def server_holding(self):
        """Somebody holds a message."""
        ready = self.directory / "held"
        holder = self.start("work", "orders", "--", "sh", "-c", f"touch {ready}; exec sleep 60")
        self.eventually(ready.exists)
        case = self

        class Holding:
            def __enter__(self):
                return holder

            def __exit__(self, *_):
                holder.terminate()
                holder.kill()
                case.assertIsNotNone(holder.wait(60))
        return Holding()

    def test_names_and_numbers_are_whole_and_prose_is_cut(self):
        letter = self.document("dlq", "list", "orders")[0]
        for columns in WIDTHS:
            text = self.seen(columns, "dlq", "list", "orders")
            for whole in (letter["origin"], letter["cause"]):
                self.assertRegex(text, rf"(?m)(^|\s){whole}(\s|$)", f"at {columns}:\n{text}")
        self.assertIn("…\n", self.seen(80, "dlq", "list", "orders"))
        self.assertNotIn("ID ", self.seen(80, "dlq", "list", "orders"), "the origin names it, too")
        self.assertIn("\nCAUSE     " + letter["cause"] + "\n", self.seen(40, "dlq", "list", "orders"), "a block for each")
        self.assertNotIn("…", self.seen(40, "dlq", "list", "orders"), "there is room below")

    def test_what_turns_the_writing_or_commands_a_terminal_is_shown_as_a_question_mark(self):
        for command in (("dlq", "list", "orders"), ("dlq", "show", "orders", "orders/2", "--unattended"), ("why", "orders/2")):
            text = self.seen(200, *command)
            self.assertIn("e\u0301", text, "what is set over a letter stays")
            self.assertNotRegex(text, "[\x1b\u202a-\u202e\u2066-\u2069]")
            self.assertIn("?", text)

    def test_what_is_piped_is_not_cut(self):
        narrow = {**self.server.environment(), "COLUMNS": "40"}
        lengths = set()
        while len(lengths) != 1:  # between the two the age may become a digit longer, which makes its column wider
            piped, cut = (subprocess.run([harness.SHUNT, "dlq", "list", "orders"], env=env, capture_output=True, text=True, check=True, timeout=60).stdout
                          for env in (self.server.environment(), narrow))
            lengths = {len(re.search(r" (\d+m?s) ", text)[1]) for text in (piped, cut)}
        self.assertIn("room for all of it in one line\n", piped)
        self.assertRegex(piped, "^ID ")
        self.assertEqual(re.sub(r"\d+(ms|s)", "", cut), re.sub(r"\d+(ms|s)", "", piped), "COLUMNS is a terminal's")

    def test_a_terminal_that_says_no_width_has_that_of_columns_or_eighty(self):
        for said, width in (("60", 60), ("0", 80), ("x", 80), (None, 80)):
            environment = {name: value for name, value in self.server.environment().items() if name != "COLUMNS"} | ({"COLUMNS": said} if said else {})
            with terminal.Terminal([harness.SHUNT, "dlq", "redrive", "orders", "--all", "--dry-run"], 0, environment, stderr=subprocess.DEVNULL) as shown:
                self.assertIn(width - widest(shown.end()[1]), (0, 1), f"COLUMNS={said}")  # a character of two columns may not fit


class Watch(cli_case.Case):
    def test_stats_watch_follows_a_terminal_that_is_resized(self):
        with terminal.Terminal([harness.SHUNT, "stats", "--watch", "100ms"], 132, self.server.environment()) as shown:
            shown.read_until(r"(?m)^TIME {20,}PUBLISHED/S.*\n20.*\n")
            shown.resize(80)
            narrow = shown.read_until(r"(?m)^TIME {6}PUBLISHED/S.*\n\d\d:\d\d:\d\dZ.*\n")
            self.assertLessEqual(widest(narrow[narrow.rindex("TIME"):]), 80)
            shown.resize(40)
            blocks = shown.read_until(r"(?m)^TIME +20.*Z\n(.*\n)+DEAD +0\n")
            self.assertLessEqual(widest(blocks[blocks.rindex("TIME"):]), 40)
            self.assertRegex(blocks[blocks.rindex("TIME"):], r"IN FLIGHT +0\n")
            shown.resize(132)
            shown.read_until(r"(?s)DEAD +0\nTIME {20,}PUBLISHED/S")
            shown.press(b"\x03")
            self.assertEqual(shown.end()[0], 0)

    def test_the_bar_of_a_job_stays_in_one_line(self):
        self.fill_dlq("orders", [str(n) for n in range(5)])
        for columns in (30, 80, 132):
            with terminal.Terminal([harness.SHUNT, "dlq", "redrive", "orders", "--count", "1", "--rate", "1/s"], columns, self.server.environment()) as shown:
                status, text = shown.end()
            self.assertEqual(status, 0, text)
            for line in re.split(r"[\r\n]", text):
                if line.startswith("redriven "):
                    self.assertLess(terminal.width(line.replace("\x1b[K", "")), columns, text)
            self.assertEqual("[###" in text, columns > 30, text)


if __name__ == "__main__":
    os.environ.pop("COLUMNS", None)
    harness.main()
