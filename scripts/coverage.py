"""Sum up what gcov knows: coverage.py BUILD_DIR SOURCE_DIR [--gaps]. Called by scripts/coverage.

A source that is compiled into several programs counts once: a branch is taken if any of them took it. The branch of a `check(…)` that
stops the server is not counted: it is there not to be taken.
"""
import collections
import json
import pathlib
import re
import subprocess
import sys

CHECK = re.compile(r"\b(check|assert)\(")
FOLDERS = ("base", "proto", "broker/core", "broker/store")


def main():
    build, source = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    lines, branches = collections.defaultdict(dict), collections.defaultdict(dict)
    notes = sorted(build.rglob("*.gcda"))
    for note in notes:
        done = subprocess.run(["gcov", "--branch-probabilities", "--json-format", "--stdout", note], cwd=build, capture_output=True, check=False)
        for text in done.stdout.decode(errors="replace").splitlines():
            if text.startswith("{"):
                add(json.loads(text), build, source, lines, branches)
    total = collections.defaultdict(lambda: [0, 0, 0, 0])
    print(f"{'':42}{'lines':>8}{'branches':>10}{'taken':>8}{'%':>7}")
    for name in sorted(lines):
        sums = [len(lines[name]), sum(lines[name].values()), len(branches[name]), sum(branches[name].values())]
        show(name, sums)
        place = next(each for each in FOLDERS if name.startswith(each + "/"))
        total[place] = [a + b for a, b in zip(total[place], sums)]
    print()
    for place in FOLDERS:
        show(place, total[place])
    if "--gaps" in sys.argv:
        for name in sorted(branches):
            missed = sorted({line for (line, _), taken in branches[name].items() if not taken})
            print(f"{name}: {' '.join(map(str, missed))}")
    return 0 if lines else 1


def add(found, build, source, lines, branches):
    for file in found["files"]:
        path = (build / file["file"]).resolve()
        name = str(path.relative_to(source)) if path.is_relative_to(source) else ""
        if not name.endswith(".c") or not name.startswith(tuple(place + "/" for place in FOLDERS)):
            continue
        text = path.read_text(encoding="utf-8").splitlines()
        for line in file["lines"]:
            number = line["line_number"]
            lines[name][number] = lines[name].get(number, False) or line["count"] > 0
            if CHECK.search(text[number - 1]):
                continue
            for index, branch in enumerate(line["branches"]):
                key = (number, index)
                branches[name][key] = branches[name].get(key, False) or branch["count"] > 0


def show(name, sums):
    line_percent = 100 * sums[1] / sums[0] if sums[0] else 100
    percent = 100 * sums[3] / sums[2] if sums[2] else 100
    print(f"{name:42}{line_percent:7.1f}%{sums[2]:10}{sums[3]:8}{percent:6.1f}%")


sys.exit(main())
