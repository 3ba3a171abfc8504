#!/usr/bin/env python3
"""docs/operations.md and docs/runbooks against what pages somebody and what a server ends with: each shipped alert names its page, which is there and
listed, and there is no other; each exit status has its row in docs/operations.md and in the manual page.

operations_page.py ROOT
"""
import pathlib
import re
import sys


def compare(what, wanted, found):
    return [f"{what}: nothing for {name}" for name in sorted(wanted - found)] + [f"{what}: {name}, which is no more" for name in sorted(found - wanted)]


def runbooks(root, rules):
    """What is wrong between the rules and their pages."""
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    wrong = compare("docs/runbooks", alerts, {page.stem for page in (root / "docs/runbooks").glob("Shunt*.md")})
    listed = (root / "docs/runbooks/README.md").read_text(encoding="utf-8")
    wrong += compare("docs/runbooks/README.md", alerts, {name for name, page in re.findall(r"^- \[(\w+)\]\((\w+)\.md\)$", listed, re.M) if name == page})
    for rule in re.split(r"(?m)^ +- (?=alert: |record: )", rules)[1:]:
        name = re.match(r"alert: (\w+)", rule)
        if name and f"\n          runbook: docs/runbooks/{name[1]}.md\n" not in rule + "\n":
            wrong.append(f"{name[1]}: a rule has no annotation `runbook` that names its page")
    return wrong


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
    wrong = runbooks(root, rules)
    if "(runbooks/README.md)" not in page:
        wrong.append("docs/operations.md does not name the runbooks")
    wrong += compare("docs/operations.md", statuses, set(re.findall(r"^\| (\d+) \|", page, re.M)))
    listed = manual[manual.index(".Sh EXIT STATUS"):manual.index(".Sh SEE ALSO")]
    wrong += compare("shuntd(8)", statuses, set(re.findall(r"^\.It (\d+)$", listed, re.M)))
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
