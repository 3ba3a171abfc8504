#!/usr/bin/env python3
"""One word for one thing, and one way to write a duration or a size: all --help texts, and what else the tool says, against docs/words.md."""
import re
import unittest

import harness
from cli_case import alone

SOURCES = sorted((harness.SOURCE_ROOT / "cli").glob("*.c"))
PAGE = (harness.SOURCE_ROOT / "docs" / "words.md").read_text(encoding="utf-8")
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
FIELD = re.compile(r'\{"(\w+)",\s*RECORD_(\w+)')
UNITS = {"SPAN": re.compile(r"\w+_ms"), "SIZE": re.compile(r"(\w+_)?bytes|size")}


def forbidden(page):
    """{word: what to say instead}, from the table of the page."""
    rows = re.findall(r"(?m)^\| (.*?) \| (.*?) \|$", page.split("## Words that are not used")[1])
    return {word: instead for words, instead in rows if words not in ("not", "---") for word in words.split(", ")}


def found(text, words):
    return [f"{word}: say {instead}" for word, instead in words.items() if re.search(rf"(?i)\b{re.escape(word)}s?\b", text)]


def helps():
    """The text of every --help of the tool, by command line."""
    first = alone("--help").stdout
    texts = {"": first}
    for noun in re.findall(r"(?m)^  (\w+) ", first.split("Commands:")[1].split("\n\n")[0]):
        if noun == "bench":
            continue  # a program of its own, whose workloads have names
        texts[noun] = alone(noun, "--help").stdout
        if f"Usage: shunt {noun} COMMAND" in texts[noun]:
            for verb in re.findall(r"(?m)^  (\w+) ", texts[noun].split("Commands:")[1].split("\n\n")[0]):
                texts[f"{noun} {verb}"] = alone(noun, verb, "--help").stdout
    return texts


def strings(source):
    """What a C file has in quotes: errors, heads of tables, names of members."""
    plain = re.sub(r"/\*.*?\*/|#include.*?$", "", source, flags=re.S | re.M)
    return "\n".join(STRING.findall(plain))


def misnamed(source):
    """Fields of JSON that hold a duration or a size and do not name its unit."""
    return [name for name, kind in FIELD.findall(source) if kind in UNITS and not UNITS[kind].fullmatch(name)]


class Words(unittest.TestCase):
    def test_every_help_uses_the_words_of_the_page(self):
        words, texts = forbidden(PAGE), helps()
        self.assertGreater(len(words), 10)
        self.assertGreater(len(texts), 45)
        for command, text in texts.items():
            self.assertIn("Usage: shunt", text)
            self.assertEqual(found(text, words), [], f"shunt {command} --help")

    def test_and_so_does_what_else_the_tool_says(self):
        words = forbidden(PAGE)
        for source in SOURCES:
            self.assertEqual(found(strings(source.read_text(encoding="utf-8")), words), [], source.name)

    def test_a_member_of_json_that_holds_a_duration_or_a_size_names_its_unit(self):
        fields = 0
        for source in SOURCES:
            text = source.read_text(encoding="utf-8")
            fields += len(FIELD.findall(text))
            self.assertEqual(misnamed(text), [], source.name)
        self.assertGreater(fields, 150)

    def test_the_rig_finds_what_it_looks_for(self):
        words = forbidden(PAGE)
        self.assertEqual(found("Retries of the subscriber", words), ["subscriber: say consumer", "retries: say attempt"])
        self.assertEqual(strings('f("one \\"two\\"", /* "no" */ "three");\n#include "four.h"\n'), 'one \\"two\\"\nthree')
        self.assertEqual(misnamed('{"wait", RECORD_SPAN, "x", NULL}, {"wait_ms", RECORD_SPAN}, {"memory", RECORD_SIZE}, {"bytes", RECORD_SIZE}'), ["wait", "memory"])


if __name__ == "__main__":
    harness.main()
