#!/usr/bin/env python3
"""format: C sources are as clang-format writes them, by .clang-format.

format.py ROOT | --self-test

What it garbles says `clang-format off` where it stands, and why. Other versions than Debian 12's (14) write a few things otherwise: with those the
test is skipped.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

VERSION = "14"
SKIPPED = 77
ROOMS = ("base", "bench", "broker", "cli", "client", "proto", "tests", "tls")
ROOT = pathlib.Path(__file__).resolve().parents[3]


def sources(root):
    return sorted(path for room in ROOMS for path in (root / room).rglob("*") if path.suffix in (".c", ".h"))


def wrong(paths):
    """A line for each place that clang-format would write otherwise."""
    done = subprocess.run(["clang-format", f"--style=file:{ROOT / '.clang-format'}", "--dry-run", "-Werror", *map(str, paths)], capture_output=True, text=True, check=False)
    found = [line for line in done.stderr.splitlines() if "error:" in line]
    assert bool(found) == bool(done.returncode), done.stderr[-2000:]
    return found


def self_test():
    with tempfile.TemporaryDirectory() as directory:
        good, bad = pathlib.Path(directory, "good.c"), pathlib.Path(directory, "bad.c")
        good.write_text("int one(void)\n{\n    return 1;\n}\n", encoding="ascii")
        bad.write_text("int one( void ) {\n  return 1;\n}\n", encoding="ascii")
        assert not wrong([good])
        assert all("bad.c" in line for line in wrong([good, bad])) and wrong([good, bad])


def main(what):
    version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True, check=False).stdout if shutil.which("clang-format") else ""
    if not re.search(rf"version {VERSION}\.", version):
        print(f"needs clang-format {VERSION}; here: {version.strip() or 'none'}")
        return SKIPPED
    if what == "--self-test":
        self_test()
        return 0
    paths = sources(pathlib.Path(what))
    found = wrong(paths)
    print("\n".join(found + [f"{len(paths)} looked at, {len(found)} places wrong: clang-format -i FILE"]))
    return 1 if found or len(paths) < 500 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
