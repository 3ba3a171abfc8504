#!/usr/bin/env python3
"""run.py dist | unit | pages FILE: tests of the console with Node.

Works on a copy in the build directory (BUILD_DIR), where npm puts the packages that the lock files name, once for each state of them; nothing is
written beside the sources. Without a network for npm the tests fail, unless SHUNT_NO_NPM=1 says that they shall be skipped then.
"""
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

SOURCE_ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = pathlib.Path(os.environ["BUILD_DIR"])
SKIPPED = 77
PLACES = {"dist": SOURCE_ROOT / "console", "unit": SOURCE_ROOT / "console", "pages": SOURCE_ROOT / "tests" / "console"}


def files_of(source):
    return sorted(path for path in source.rglob("*") if path.is_file() and "node_modules" not in path.parts)


def copy(source, target):
    """Make `target` hold what lies in `source`, unless it does: another test may be at work on it. Packages stay."""
    files = {path.relative_to(source): path.read_bytes() for path in files_of(source)}
    state = hashlib.sha256(repr(sorted((str(path), data) for path, data in files.items())).encode()).hexdigest()
    mark = target / "state"
    if mark.exists() and mark.read_text(encoding="ascii") == state:
        return
    target.mkdir(parents=True, exist_ok=True)
    mark.unlink(missing_ok=True)
    for there in target.iterdir():
        if there.name not in ("node_modules", "installed"):
            shutil.rmtree(there) if there.is_dir() else there.unlink()
    for path, data in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(data)
    mark.write_text(state, encoding="ascii")


def install(target):
    """The packages of its lock file. Ends the program if they cannot be had."""
    lock = hashlib.sha256((target / "package-lock.json").read_bytes() + (target / "package.json").read_bytes()).hexdigest()
    mark = target / "installed"
    if mark.exists() and mark.read_text(encoding="ascii") == lock:
        return
    mark.unlink(missing_ok=True)
    # No script of a package runs: what they hold is looked at by its checksum alone.
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"], cwd=target, check=False)
    if done.returncode == 0:
        mark.write_text(lock, encoding="ascii")
        return
    if os.environ.get("SHUNT_NO_NPM") == "1":
        print("npm cannot fetch the packages, and SHUNT_NO_NPM=1: skipped")
        sys.exit(SKIPPED)
    sys.exit("npm cannot fetch the packages that the console is tested with; SHUNT_NO_NPM=1 leaves these tests out where there is no network")


def main():
    kind, *files = sys.argv[1:]
    source = PLACES[kind]
    target = WORK / ("pages" if kind == "pages" else "sources")
    WORK.mkdir(parents=True, exist_ok=True)
    with open(WORK / f"{target.name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        copy(source, target)
        if kind != "unit":
            install(target)
    commands = {"dist": ["node", "build.mjs", "--check"], "unit": ["node", "--test", "test/"], "pages": ["node", *files]}
    sys.exit(subprocess.run(commands[kind], cwd=target, check=False).returncode)


if __name__ == "__main__":
    main()
