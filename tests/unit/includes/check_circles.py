#!/usr/bin/env python3
"""Files that need each other in a circle: which there are, by the symbols that their objects define and use.

check_circles.py [--exact] SOURCE_ROOT BUILD_ROOT

There may be none. Without --exact there may be some within a folder: where nothing is optimised, calls that can never be made count, too.
With it the engine's files must stand on the floors that docs/architecture.md draws, each above those that it uses.
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

ROOMS = ("base", "broker", "cli", "client", "proto", "tls")


def objects(build):
    """Name (`broker/core/tick`) and path of each object file of the programs and libraries."""
    for path in sorted(build.rglob("*.c.o")):
        folder = path.parent.relative_to(build)
        if folder.parts[0] in ROOMS and "examples" not in folder.parts:
            yield str(folder.parent / path.name[:-len(".c.o")]), path


def symbols(paths):
    """What each file defines and uses. One process for all: hundreds of them take longer than what they do."""
    found = {str(path): (set(), set()) for path in paths}
    listed = subprocess.run(["nm", "--portability", "--print-file-name", *found], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        path, _, rest = line.partition(": ")
        defined, used = found[path]
        name, kind = rest.split()[:2]
        if kind == "U":
            used.add(name)
        elif kind in "BCDGRSTVW":
            defined.add(name)
    return found


def graph(build):
    home, uses = {}, {}
    files = dict(objects(build))
    found = symbols(files.values())
    for name, path in files.items():
        defined, uses[name] = found[str(path)]
        for symbol in defined:
            home.setdefault(symbol, name)
    return {name: {home[symbol] for symbol in used if symbol in home} - {name} for name, used in uses.items()}


def circles(edges):
    """The strongly connected components of more than one (Kosaraju, as in Sharir 1981)."""
    order, seen = [], set()

    def visit(start, neighbours, out):
        stack = [(start, iter(sorted(neighbours[start])))]
        seen.add(start)
        while stack:
            node, rest = stack[-1]
            following = next((n for n in rest if n not in seen), None)
            if following is None:
                out.append(node)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(sorted(neighbours[following]))))

    for node in edges:
        if node not in seen:
            visit(node, edges, order)
    backwards = {node: set() for node in edges}
    for node, targets in edges.items():
        for target in targets:
            backwards[target].add(node)
    seen.clear()
    found = []
    for node in reversed(order):
        if node not in seen:
            component = []
            visit(node, backwards, component)
            if len(component) > 1:
                found.append(frozenset(component))
    return found


def floors(page):
    """The floors of the engine as docs/architecture.md draws them: for each, the top one first, the patterns of its files."""
    picture = page.split("## The engine's floors", 1)[1].split("```")[1]
    return [re.findall(r"([\w*]+)\.c\b", line) for line in picture.splitlines() if line.strip()]


def upward(edges, drawn):
    """Each use of a file that does not stand below the one that uses it. Files of one pattern may use each other."""
    engine = {name: name.rpartition("/")[2] for name in edges if name.startswith("broker/engine/")}
    place = {}
    for floor, patterns in enumerate(drawn):
        for pattern in patterns:
            for name, file in engine.items():
                if fnmatch.fnmatch(file, pattern):
                    place.setdefault(name, (floor, pattern))
    yield from (f"{name}.c stands on no floor of docs/architecture.md" for name in engine if name not in place)
    for name in place:
        for target in sorted(edges[name] & place.keys()):
            if place[target][0] <= place[name][0] and place[target][1] != place[name][1]:
                yield f"{name}.c uses {target}.c, which does not stand below it in docs/architecture.md"


def main():
    exact, (source, build) = sys.argv[1] == "--exact", map(pathlib.Path, sys.argv[-2:])
    edges = graph(build)
    found = circles(edges)
    wrong = [f"a circle: {' '.join(sorted(circle))}" for circle in found if exact or len({name.rpartition("/")[0] for name in circle}) > 1]
    if exact:
        drawn = floors((source / "docs/architecture.md").read_text(encoding="utf-8"))
        wrong += upward(edges, drawn)
        if not list(upward(edges, drawn[::-1])):
            wrong.append("the floors upside down were not found wrong: this test looks in the wrong place")
    # The tool's own control: two files that must not be one circle, until the one uses the other.
    one, other = "broker/core/schema", "broker/core/ledger"
    edges[one] = edges[one] | {other}
    if not any({one, other} <= circle for circle in circles(edges)):
        wrong.append("a planted circle was not found: this test looks in the wrong place")
    print("\n".join([*wrong, f"{len(edges)} files, {len(found)} circles"]))
    return 1 if wrong else 0


sys.exit(main())
