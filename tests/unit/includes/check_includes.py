#!/usr/bin/env python3
"""The include graph: does every #include in the tree follow graph.txt?

check_includes.py ROOT          exit 1 and one line for each include that is not allowed
check_includes.py --self-test   break each kind of rule in a tree of its own and see that it is found
"""
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
TOP = ("base", "proto", "tls", "broker", "client", "cli", "bench", "tests")


def covers(place, path):
    return place == path or path.startswith(place + "/")


class Graph:
    def __init__(self, text):
        self.may, self.ban, self.only = {}, {}, {}
        for number, line in enumerate(text.splitlines(), 1):
            line = line.split("#")[0].strip()
            if not line:
                continue
            match = re.fullmatch(r"(may|ban|only) (\S+):(.*)", line)
            if not match:
                raise SystemExit(f"graph.txt:{number}: not a rule: {line}")
            rules = getattr(self, match[1])
            if match[2] in rules:
                raise SystemExit(f"graph.txt:{number}: a second rule for {match[2]}")
            rules[match[2]] = match[3].split()

    def rule_for(self, path):
        places = [place for place in self.may if covers(place, path)]
        return max(places, key=len) if places else None

    def problem(self, path, kind, header):
        """What is wrong with `path` including `header`; None if nothing is."""
        for place, banned in self.ban.items():
            if covers(place, path) and header in banned:
                return f"{header} is banned in {place}"
        if kind == "<":
            places = self.only.get(header)
            if places is not None and not any(covers(place, path) for place in places):
                return f"<{header}> belongs to {', '.join(places)} alone"
            return None
        place = self.rule_for(path)
        if place is None:
            return "no rule for this file in graph.txt"
        if "/" not in header:
            beside = os.path.dirname(path)
            return None if covers("tests", beside) or header in self.may[place] else f'"{header}" is not written from the root of the tree'
        allowed = self.may[place]
        own = place if place == os.path.dirname(path) or covers(place, os.path.dirname(path)) else None
        if own and os.path.dirname(header) == own:
            return None
        if "*" in allowed or any(covers(entry, header) for entry in allowed):
            return None
        if own is None and header == os.path.splitext(path)[0] + ".h":
            return None
        return f'"{header}" may not be included in {place}'


def sources(root):
    for top in TOP:
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                if name.endswith((".c", ".h", ".def")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def check(root, graph):
    problems, count = [], 0
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        for match in INCLUDE.finditer(text):
            count += 1
            why = graph.problem(path, match[1], match[2])
            if not why and match[1] == '"' and "/" in match[2] and not os.path.exists(os.path.join(root, match[2])):
                why = f'"{match[2]}" is not there'
            if why:
                line = text.count("\n", 0, match.start()) + 1
                problems.append(f"{path}:{line}: {why}")
    return problems, count


# One file of a made-up tree, what it includes, and whether that must be found.
CASES = [
    ("base/a.c", '#include "base/a.h"', False),
    ("base/a.c", '#include "proto/a.h"', True),
    ("proto/a.c", '#include "proto/a.h"', False),
    ("proto/a.c", '#include "base/a.h"', False),
    ("proto/a.c", '#include "base/clock.h"', True),
    ("broker/core/a.c", '#include "base/a.h"', False),
    ("broker/core/a.c", '#include "base/clock.h"', True),
    ("client/shunt.h", '#include "base/a.h"', True),
    ("cli/a.c", '#include "base/a.h"', False),
    ("proto/a.c", '#include "broker/core/a.h"', True),
    ("proto/a.c", "#include <unistd.h>", True),
    ("proto/a.c", '#include "a.h"', True),
    ("proto/a.c", '#include "proto/not_there.h"', True),
    ("broker/core/a.c", '#include "broker/store/store.h"', False),
    ("broker/core/a.c", '#include "broker/store/store_lmdb.h"', True),
    ("broker/core/a.c", '#include "broker/engine/port.h"', True),
    ("broker/core/a.c", "#include <time.h>", True),
    ("broker/core/a.c", "#  include  <stdio.h>", True),
    ("broker/core/a.c", "#include <uv.h>", True),
    ("broker/core/a.c", "#include <string.h>", False),
    ("broker/net/a.c", '#include "broker/engine/port.h"', False),
    ("broker/net/a.c", '#include "broker/engine/engine.h"', True),
    ("broker/net/a.c", '#include "broker/core/a.h"', True),
    ("broker/net/a.c", '#include "broker/log.h"', True),
    ("broker/net/a.c", "#include <uv.h>", False),
    ("broker/engine/a.c", "#include <uv.h>", True),
    ("broker/engine/a.c", '#include "broker/core/a.h"', False),
    ("broker/a.c", '#include "broker/net/net.h"', False),
    ("broker/a.c", '#include "broker/net/conn.h"', True),
    ("broker/a.c", '#include "broker/core/a.h"', True),
    ("broker/a.c", "#include <lmdb.h>", True),
    ("broker/check.c", '#include "broker/core/a.h"', False),
    ("broker/check.c", '#include "broker/check.h"', False),
    ("broker/store/store_lmdb.h", "#include <lmdb.h>", False),
    ("client/wire/a.c", '#include "broker/core/a.h"', True),
    ("client/wire/a.c", '#include "client/driving/a.h"', True),
    ("client/wire/a.c", "#include <sys/socket.h>", True),
    ("client/wire/a.c", '#include "base/clock.h"', True),
    ("client/driving/a.c", '#include "client/wire/a.h"', False),
    ("client/driving/a.c", '#include "base/clock.h"', False),
    ("client/driving/a.c", '#include "client/worker/a.h"', True),
    ("client/worker/a.c", '#include "client/driving/a.h"', False),
    ("client/a.c", '#include "client/shunt.h"', True),
    ("client/shunt.h", '#include "client/wire/a.h"', True),
    ("client/shunt.h", '#include "shunt_worker.h"', False),
    ("client/shunt_error.h", '#include "shunt_worker.h"', True),
    ("client/shunt_triage.h", '#include "shunt.h"', False),
    ("client/shunt_triage.h", '#include "client/shunt.h"', True),
    ("client/shunt_triage.h", '#include "mpack.h"', True),
    ("cli/a.c", '#include "client/shunt.h"', False),
    ("cli/a.c", '#include "client/driving/a.h"', True),
    ("cli/a.c", '#include "proto/a.h"', True),
    ("tests/a.c", '#include "broker/core/a.h"', False),
]
HEADERS = [
    "base/a.h", "base/clock.h", "proto/a.h", "broker/core/a.h", "broker/store/store.h", "broker/store/store_lmdb.h", "broker/engine/port.h",
    "broker/engine/engine.h", "broker/net/net.h", "broker/net/conn.h", "broker/log.h", "broker/check.h", "client/wire/a.h",
    "client/driving/a.h", "client/worker/a.h",
    "client/shunt.h",
]


def self_test(graph):
    wrong = []
    for path, include, expected in CASES:
        with tempfile.TemporaryDirectory() as root:
            for name in HEADERS + [path]:
                os.makedirs(os.path.join(root, os.path.dirname(name)), exist_ok=True)
                with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                    file.write(include + "\n" if name == path else "")
            problems, count = check(root, graph)
            if count != 1 or bool(problems) != expected:
                wrong.append(f"{path} with {include}: {'not found' if expected else problems}")
    return wrong, len(CASES)


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    with open(os.path.join(HERE, "graph.txt"), encoding="utf-8") as file:
        graph = Graph(file.read())
    problems, count = self_test(graph) if sys.argv[1] == "--self-test" else check(sys.argv[1], graph)
    for problem in problems:
        print(problem)
    print(f"{count} looked at, {len(problems)} wrong")
    return 1 if problems or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
