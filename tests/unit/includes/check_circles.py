#!/usr/bin/env python3
"""Files that need each other in a circle: which there are, by the symbols that their objects define and use.

check_circles.py [--exact] BUILD_ROOT

There may be none. Without --exact there may be some within a folder: where nothing is optimised, calls that can never be made count, too.
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


def main():
    exact, build = sys.argv[1] == "--exact", pathlib.Path(sys.argv[-1])
    edges = graph(build)
    found = circles(edges)
    wrong = [f"a circle: {' '.join(sorted(circle))}" for circle in found if exact or len({name.rpartition("/")[0] for name in circle}) > 1]
    # The tool's own control: two files that must not be one circle, until the one uses the other.
    one, other = "broker/core/schema", "broker/core/ledger"
    edges[one] = edges[one] | {other}
    if not any({one, other} <= circle for circle in circles(edges)):
        wrong.append("a planted circle was not found: this test looks in the wrong place")
    print("\n".join([*wrong, f"{len(edges)} files, {len(found)} circles"]))
    return 1 if wrong else 0


sys.exit(main())
