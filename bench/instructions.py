#!/usr/bin/env python3
"""instructions: has the work for one message grown? Counted by callgrind, so that it does not depend on the machine's mood.

instructions.py PROGRAM COUNTS            exit 1 if a work takes more than its line of COUNTS, and the tolerance, allows
instructions.py PROGRAM COUNTS --update   write what is counted now
"""
import os
import re
import subprocess
import sys
import tempfile

SKIPPED = 77


def count(program, work):
    """Instructions for one message."""
    with tempfile.NamedTemporaryFile(prefix="callgrind-") as out:
        done = subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no", f"--callgrind-out-file={out.name}", program, work],
                              capture_output=True, text=True, check=False, env={**os.environ, "MALLOC_PERTURB_": "0"})
    collected = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode != 0 or not collected:
        raise SystemExit(f"{work}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return int(collected[1]) / int(done.stdout)


def main():
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    program, path = sys.argv[1:3]
    try:
        subprocess.run(["valgrind", "--version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        print("valgrind is not here")
        return SKIPPED
    with open(path, encoding="utf-8") as file:
        lines = file.readlines()
    tolerance = next(float(line.split()[1]) / 100 for line in lines if line.startswith("tolerance"))
    grown = False
    for number, line in enumerate(lines):
        if line.startswith(("#", "tolerance")) or not line.strip():
            continue
        work, allowed = line.split()
        counted = count(program, work)
        now = f"{work:<17} {counted:.0f}"
        if sys.argv[3:] == ["--update"]:
            lines[number] = now + "\n"
        elif counted > float(allowed) * (1 + tolerance):
            grown = True
            print(f"{now}, {counted / float(allowed) - 1:+.1%}: more than {allowed} and the tolerance of {tolerance:.0%}")
        else:
            less = counted < float(allowed) * (1 - tolerance)
            print(f"{now}, {counted / float(allowed) - 1:+.1%}" + (f": lower its line in {path}" if less else ""))
    if sys.argv[3:] == ["--update"]:
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(lines)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
