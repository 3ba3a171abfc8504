#!/usr/bin/env python3
"""tidy: what clang-format and the compiler do not see.

tidy.py ROOT          exit 1 and one line for each thing that is not tidy
tidy.py --self-test   break each rule once and see that it is found

Rules: files of at most 450 lines and functions of at most 70, except those in long.txt, which may be as long as it says
(a ratchet: what was short stays short); no left-over marks for work not done; no tabs, no trailing blanks, a newline at
the end; the dialect of C that dialect.py holds; the plain English that english.py holds, in documents too; every header
has a guard named after its file, and no two are the same; no two objects have the same magic; a C file opens with a
comment that says what it is for; decisions are numbered in a row and dated; each test in tests/e2e is named in a meson.build.
"""
import os
import re
import sys

import dialect
import english

HERE = os.path.dirname(os.path.abspath(__file__))
FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 70
TOP = ("base", "proto", "tls", "broker", "client", "cli", "bench", "python", "tests", "deploy", "docs", "findings", "README.md", "CHANGELOG.md")
C_FILES = (".c", ".h", ".def")
TEXT_FILES = C_FILES + (".py", ".sh", ".txt", ".conf", ".service", "meson.build")
DOCUMENTS = (".md", ".1", ".8", ".yml")
DECISIONS = "docs/decisions.md"
WHOLE_PROGRAMS = "tests/e2e"
# In two halves, so that this file passes its own rule.
MARKS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "HA" + "CK", "XX" + "X")) + r")\b")
# A function's body begins at a line that is only `{` and ends at one that is only `}`, as clang-format writes them.
NAME = re.compile(r"\b([A-Za-z_]\w*)\s*\(")


def functions(lines):
    """(name, line number, length) of each function, signature not counted."""
    begin = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
        elif line == "}" and begin:
            head = " ".join(lines[max(0, begin - 6):begin - 1])
            head = re.split(r"[;}]|\*/", head)[-1]
            match = NAME.search(head)
            if match and match[1] in ("Test", "ParameterizedTest", "TheoryTest"):
                name = "Test(" + head[match.end():].split(")")[0] + ")"
            else:
                name = match[1] if match else "?"
            yield name, begin, number - begin - 1
            begin = None


def check_guard(path, text, guards):
    match = re.search(r"^#ifndef (\w+)\n#define (\w+)\n", text, re.MULTILINE)
    if not match or match[1] != match[2] or not text.rstrip().endswith("#endif"):
        return "no include guard around the whole header"
    stem = re.sub(r"\W", "_", os.path.basename(path)).upper()
    if not match[1].startswith("SHUNT_") or not match[1].endswith(stem):
        return f"the include guard {match[1]} is not SHUNT_..._{stem}"
    if match[1] in guards:
        return f"the include guard {match[1]} is also that of {guards[match[1]]}"
    guards[match[1]] = path
    return None


# Where what a library or another room carried as `void *` is known by its magic. crash_capture runs while the process crashes, and must not crash it again.
CARRIED_IN = re.compile(r"(client/(wire|driving|worker)|cli|tls|broker(/\w+)?)/(?!crash_capture\.c)\w+\.[ch]$")
CARRIED = re.compile(r"struct \w+ \*\w+ = (context|arg|argument|cls|with|who|(\w+(->|\.))?data|(\w+(->|\.))?who|(holder|member)_owner\(\w+\));|\(\((const )?struct \w+ \*\)(context|arg|argument|cls|with|who)\)")


def check_magics(path, text, magics):
    """An object must not be taken for another: each magic is one of a kind, and asked for."""
    if CARRIED_IN.match(path):
        for match in CARRIED.finditer(text):
            yield f"`{match[0]}`: what was carried as void * is taken back by magic_of()"
    for name, value in re.findall(r"^#define (\w*MAGIC_?) (0x[0-9a-f]+)u?$", text, re.MULTILINE):
        if magics.setdefault(int(value, 16), (path, name)) != (path, name):
            yield f"{name} is also {magics[int(value, 16)][1]} of {magics[int(value, 16)][0]}"


def check_decisions(text):
    """Each paragraph behind the first is an entry: its number, which is one more than the last, its title, its date."""
    paragraphs = re.split(r"\n\n+", text.strip())[2:]
    for expected, paragraph in enumerate(paragraphs, 1):
        if not re.match(rf"\*\*{expected}\. .+?\*\* \([^)]*\d{{4}}-\d\d-\d\d[^)]*\)", paragraph.replace("\n", " ")):
            yield text[: text.index(paragraph)].count("\n") + 1, f"this entry begins with `**{expected}. Title** (date)`"


def check_file(path, text, guards, long_known):
    if not path.startswith(english.NOT_YET):
        yield from english.problems(path, text)
    if path == DECISIONS:
        yield from check_decisions(text)
    if path.endswith(DOCUMENTS):
        return
    lines = text.split("\n")
    if not text.endswith("\n") or text.endswith("\n\n"):
        yield 1, "must end with one newline"
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            yield number, "a tab"
        if line != line.rstrip():
            yield number, "blanks at the end of the line"
        if MARKS.search(line):
            yield number, "a mark for work that is not done"
    if not path.endswith(C_FILES):
        return
    limit = long_known.get(path, FILE_LINES_MAX)
    if len(lines) - 1 > limit:
        yield 1, f"{len(lines) - 1} lines; at most {limit}"
    if not text.startswith("/* "):
        yield 1, "does not open with a comment that says what it is for"
    for name, number, length in functions(lines):
        limit = long_known.get(f"{path} {name}", FUNCTION_LINES_MAX)
        if length > limit:
            yield number, f"{name} has {length} lines; at most {limit}"
    yield from dialect.problems(text)
    if path.endswith(".h"):
        why = check_guard(path, text, guards)
        if why:
            yield 1, why


def check_run(files, builds):
    """A test of whole programs that no meson.build names is never run, and nobody notices."""
    for name in sorted(files):
        match = re.fullmatch(r"test_(\w+)\.py", name)
        if match and f"/{name}'" not in builds and f"'{match[1]}'" not in builds:
            yield f"{name} is named in no meson.build, so it is never run"


def read_long():
    """FILE FUNCTION LINES or FILE LINES: may only shrink."""
    known = {}
    with open(os.path.join(HERE, "long.txt"), encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0].strip()
            if line:
                key, lines = line.rsplit(" ", 1)
                known[key] = int(lines)
    return known


def check_tree(root):
    problems, guards, magics, count = [], {}, {}, 0
    builds, whole_programs = "", []
    long_known = read_long()
    for top in TOP:
        alone = [(root, [], [top])] if os.path.isfile(os.path.join(root, top)) else []
        for folder, folders, files in alone or os.walk(os.path.join(root, top)):
            folders[:] = [name for name in folders if name not in ("node_modules", "__pycache__")]
            for name in sorted(files):
                if not name.endswith(TEXT_FILES + DOCUMENTS):
                    continue
                count += 1
                path = os.path.relpath(os.path.join(folder, name), root)
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    text = file.read()
                for number, why in check_file(path, text, guards, long_known):
                    problems.append(f"{path}:{number}: {why}")
                problems += [f"{path}: {why}" for why in check_magics(path, text, magics)]
                if name == "meson.build":
                    builds += text
                if os.path.dirname(path) == WHOLE_PROGRAMS:
                    whole_programs.append(name)
    problems += [f"{WHOLE_PROGRAMS}: {why}" for why in check_run(whole_programs, builds)]
    return problems, count


GOOD = "/* a: for the test. */\n#ifndef SHUNT_X_A_H\n#define SHUNT_X_A_H\n\nint f(void)\n{\n    return 1;\n}\n\n#endif\n"
CASES = [
    ("a tidy header", "x/a.h", GOOD, None),
    ("a tab", "x/a.h", GOOD.replace("    return", "\treturn"), "a tab"),
    ("trailing blank", "x/a.h", GOOD.replace("1;", "1; "), "blanks"),
    ("no newline at the end", "x/a.h", GOOD.rstrip(), "newline"),
    ("two newlines at the end", "x/a.h", GOOD + "\n", "newline"),
    ("a mark", "x/a.h", GOOD.replace("for the test", "TO" + "DO later"), "mark"),
    ("a mark in Python", "x/a.py", "# FIX" + "ME\n", "mark"),
    ("no guard", "x/a.h", "/* a: for the test. */\nint f(void);\n", "no include guard"),
    ("a guard of another file", "x/b.h", GOOD, "SHUNT_X_A_H is not"),
    ("a guard that is misspelt", "x/a.h", GOOD.replace("#define SHUNT_X", "#define SHUNT_Y"), "no include guard"),
    ("no opening comment", "x/a.c", "int f(void)\n{\n    return 1;\n}\n", "open with a comment"),
    ("a long file", "x/a.c", "/* a */\n" + "int a;\n" * FILE_LINES_MAX, f"at most {FILE_LINES_MAX}"),
    ("a file at the limit", "x/a.c", "/* a */\n" + "int a;\n" * (FILE_LINES_MAX - 1), None),
    ("a long function", "x/a.c", "/* a */\nint f(int b)\n{\n" + "    b++;\n" * 71 + "}\n", "f has 71 lines"),
    ("a function at the limit", "x/a.c", "/* a */\nint f(int b)\n{\n" + "    b++;\n" * 70 + "}\n", None),
    ("decisions in order", "docs/decisions.md", "# D\n\nHead.\n\n**1. A `b`** (`c/`, 2026-11-28). D.\n\n**2. E**\n(2026-11-28): f.\n", None),
    ("a decision without a number", "docs/decisions.md", "# D\n\nHead.\n\n**1. A** (2026-11-28). B.\n\n**C** (2026-11-28). D.\n", "**2. Title"),
    ("a decision without a date", "docs/decisions.md", "# D\n\nHead.\n\n**1. A.** B.\n", "(date)"),
    ("a long test", "x/a.c", "/* a */\nTest(x, y)\n{\n" + "    b++;\n" * 71 + "}\n", "Test(x, y) has 71"),
]


def self_test():
    wrong = []
    for name, path, text, expected in CASES:
        found = [why for _, why in check_file(path, text, {}, {})]
        if (expected is None and found) or (expected and not any(expected in why for why in found)):
            wrong.append(f"{name}: expected {expected}, found {found}")
    guards = {}
    found = [why for folder in "xy" for _, why in check_file(folder + "/a.h", GOOD, guards, {})]
    if not any("also that of x/a.h" in why for why in found):
        wrong.append(f"the same guard twice: found {found}")
    if list(check_file("x/a.c", CASES[13][2], {}, {"x/a.c f": 71})) != []:
        wrong.append("a function that is known to be long is reported")
    magics = {}
    found = [why for path, text in (("x/a.h", "#define A_MAGIC 0x12u\n"), ("x/b.h", "#define B_MAGIC 0x13u\n"), ("y/a.h", "#define C_MAGIC 0x12u\n"))
             for why in check_magics(path, text, magics)]
    if found != ["C_MAGIC is also A_MAGIC of x/a.h"]:
        wrong.append(f"the same magic twice: found {found}")
    for line, bad in (("struct a *b = context;", 1), ("struct a *b = magic_of(context, a, A_MAGIC);", 0), ("struct a *b = poll->data;", 1), ("struct a *b = holder_owner(h);", 1), ("((const struct a *)arg)->b", 1)):
        if len(list(check_magics("cli/a.c", line, {}))) != bad or list(check_magics("proto/a.c", line, {})):
            wrong.append(f"a void * that is taken back: {line}")
    found = list(check_run(["harness.py", "test_a.py", "test_b.py", "test_c.py"], "foreach name : ['a']\nfiles('../e2e/test_b.py')"))
    if found != ["test_c.py is named in no meson.build, so it is never run"]:
        wrong.append(f"a test that is never run: found {found}")
    count = len(CASES) + 8
    for part in (dialect, english):
        more, cases = part.self_test()
        wrong, count = wrong + more, count + cases
    return wrong, count


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    problems, count = self_test() if sys.argv[1] == "--self-test" else check_tree(sys.argv[1])
    for problem in problems:
        print(problem)
    print(f"{count} looked at, {len(problems)} wrong")
    return 1 if problems or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
