#!/usr/bin/env python3
"""How secrets are compared: by valgrind, which sees each branch that depends on one. And that nothing of the rooms that handle secrets compares in another way.

secret_trace.py PROGRAM ROOT
"""
import pathlib
import re
import subprocess
import sys

REPORTED = 9
ROOMS = ["broker/login", "broker/engine/identify.c", "broker/http/login_header.c"]
EARLY = re.compile(r"\b(memcmp|bcmp|strn?cmp|strn?casecmp|slice_equal|slice_compare)\(([^;]*)")
SECRET = re.compile(r"password|proof|hash\b|token\b|secret|verifier")


def run(program, *args):
    done = subprocess.run(["valgrind", "--quiet", f"--error-exitcode={REPORTED}", program, *args], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def early_comparisons(root):
    for room in ROOMS:
        path = root / room
        for source in sorted(path.glob("*.c")) if path.is_dir() else [path]:
            for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
                found = EARLY.search(line)
                if found and SECRET.search(found[2]):
                    yield f"{source}:{number}: a secret is compared with {found[1]}(): use secret_equal()"


def main():
    program, root = sys.argv[1], pathlib.Path(sys.argv[2])
    problems = list(early_comparisons(root))
    tool = dict(re.findall(r"#define (MEMORY_KIB|PASSES|LANES) +(\d+)", (root / "cli/password.c").read_text(encoding="utf-8")))
    if f"m={tool['MEMORY_KIB']},t={tool['PASSES']},p={tool['LANES']}$" not in (root / "broker/login/login.h").read_text(encoding="utf-8"):
        problems.append("nobody's verifier takes another time than those of the tool")
    most = re.search(r"#define VERIFIER_OWN_COST_MAX \((\d+)u \* (\d+)\)", (root / "proto/verifier.h").read_text(encoding="utf-8"))
    if most.groups() != (tool["MEMORY_KIB"], tool["PASSES"]):
        problems.append("what the tool takes is not what everybody may set as a password")
    code, text = run(program)
    if code != 0:
        problems.append(f"secret_equal() depends on what it compares:\n{text}")
    code, text = run(program, "plant")
    if code != REPORTED or "depends on uninitialised" not in text:
        problems.append(f"a comparison that stops early was not reported: {code}\n{text}")
    if not EARLY.search("if (memcmp(hash, known.hash, 32) == 0)"):
        problems.append("the pattern finds nothing")
    print("\n".join(problems) or "secrets are compared without a branch")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
