#!/usr/bin/env python3
"""Files that need each other in a circle: which there are, by the symbols that their objects define and use.

check_circles.py [--exact] SOURCE_ROOT BUILD_ROOT

A circle may not span folders, and within a folder only those may be that circles.txt lists: FOLDER: FILE FILE …, a line each. With --exact a line must
be a circle as it stands (without optimisation, calls that can never be made count, too, and circles may be larger).
"""
import pathlib
import re
import subprocess
import sys

ROOMS = ("base", "broker", "cli", "client", "proto")


def objects(build):
    """Name (`broker/core/tick`) and path of each object file of the programs and libraries."""
    for path in sorted(build.rglob("*.c.o")):
        folder = path.parent.relative_to(build)
        if folder.parts[0] in ROOMS and "examples" not in folder.parts:
            yield str(folder.parent / path.name[:-len(".c.o")]), path


def symbols(path):
    defined, used = set(), set()
    for line in subprocess.run(["nm", "--portability", path], capture_output=True, text=True, check=True).stdout.splitlines():
        name, kind = line.split()[:2]
        if kind == "U":
            used.add(name)
        elif kind in "BCDGRSTVW":
            defined.add(name)
    return defined, used


def graph(build):
    home, uses = {}, {}
    for name, path in objects(build):
        defined, uses[name] = symbols(path)
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


def allowed(source):
    for line in (source / "tests/unit/includes/circles.txt").read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"(\S+): (.+)", line)
        if match and not line.startswith("#"):
            yield frozenset(f"{match[1]}/{name}" for name in match[2].split())


def main():
    exact = sys.argv[1] == "--exact"
    source, build = map(pathlib.Path, sys.argv[-2:])
    edges = graph(build)
    found, listed = circles(edges), set(allowed(source))
    wrong = []
    for circle in found:
        text = " ".join(sorted(circle))
        if len({name.rpartition("/")[0] for name in circle}) > 1:
            wrong.append(f"a circle over several folders: {text}")
        elif exact and circle not in listed:
            wrong.append(f"a circle that circles.txt does not list: {text}")
    if exact:
        wrong += [f"circles.txt lists a circle that there is not: {' '.join(sorted(circle))}" for circle in listed - set(found)]
    # The tool's own control: two files that must not be one circle, until the one uses the other.
    one, other = "broker/core/schema", "broker/core/ledger"
    edges[one] = edges[one] | {other}
    if not any({one, other} <= circle for circle in circles(edges)):
        wrong.append("a planted circle was not found: this test looks in the wrong place")
    print("\n".join([*wrong, f"{len(edges)} files, {len(found)} circles"]))
    return 1 if wrong else 0


sys.exit(main())
