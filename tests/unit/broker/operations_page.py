#!/usr/bin/env python3
"""docs/operations.md against what pages somebody and what a server ends with: each shipped alert has its row, and no other; each exit status has
its row there and in the manual page.

operations_page.py ROOT
"""
import pathlib
import re
import sys


def compare(what, wanted, found):
    return [f"{what}: no row for {name}" for name in sorted(wanted - found)] + [f"{what}: a row for {name}, which is no more" for name in sorted(found - wanted)]


def main():
    root = pathlib.Path(sys.argv[1])
    page = (root / "docs/operations.md").read_text(encoding="utf-8")
    manual = (root / "docs/man/shuntd.8").read_text(encoding="utf-8")
    rules = (root / "deploy/prometheus/shunt.rules.yml").read_text(encoding="utf-8")
    codes = (root / "broker/exit_code.h").read_text(encoding="utf-8")
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    statuses = set(re.findall(r"EXIT_CODE_\w+ = (\d+)", codes))
    if not alerts or not statuses:
        print("no alert or no exit status was found: this test looks in the wrong place")
        return 1
    wrong = compare("docs/operations.md", alerts, set(re.findall(r"^\| `(Shunt\w+)` \|", page, re.M)))
    wrong += compare("docs/operations.md", statuses, set(re.findall(r"^\| (\d+) \|", page, re.M)))
    listed = manual[manual.index(".Sh EXIT STATUS"):manual.index(".Sh SEE ALSO")]
    wrong += compare("shuntd(8)", statuses, set(re.findall(r"^\.It (\d+)$", listed, re.M)))
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
