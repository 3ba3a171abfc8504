#!/usr/bin/env python3
"""What promtool does not look at: names that are misspelt make a test that cannot fail.

usage: check_names.py SOURCE_ROOT
Each alert that the tests or the pages mention exists; each that exists is tested, to fire and not to fire, and explained; each metric
in a rule or a test is one that the server has; no `for` lies where Prometheus does not restore it (README of the rules).
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
rules = (root / "deploy/prometheus/shunt.rules.yml").read_text(encoding="utf-8")
tests = "\n".join(path.read_text(encoding="utf-8") for path in sorted((root / "deploy/prometheus/tests").glob("*.test.yml")))
page = (root / "docs/metrics.md").read_text(encoding="utf-8")
metrics_def = (root / "broker/http/metrics.def").read_text(encoding="utf-8")
wrong = []

alerts = set(re.findall(r"- alert: (\w+)", rules))
recorded = set(re.findall(r"- record: (\S+)", rules))
metrics = set(re.findall(r"^METRIC\((\w+),", metrics_def, re.M))

# One mention in a test: the name, and whether it is expected to be there.
mentioned = [(name, rest.strip() != "exp_alerts: []}" and "exp_alerts: []" not in rest)
             for name, rest in re.findall(r"alertname: (\w+),?\s*((?:\n\s*)?exp_alerts:.*)", tests)]
mentioned += [(name, exp != "[]") for name, exp in re.findall(r'alertname="(\w+)".*?exp_samples: (\[\]|\[?.*)', tests)]
fires, rests = {n for n, there in mentioned if there}, {n for n, there in mentioned if not there}
for name in sorted((fires | rests) - alerts):
    wrong.append(f"the tests mention {name}, which no rule has")
for name in sorted(alerts - fires):
    wrong.append(f"no test expects that {name} fires")
for name in sorted(alerts - rests):
    wrong.append(f"no test expects that {name} does not fire")
explained = set(re.findall(r"^\| (Shunt\w+) \|", page, re.M))
for name in sorted(explained ^ alerts):
    wrong.append(f"{name} is only {'a rule' if name in alerts else 'in docs/metrics.md'}")

expressions = re.sub(r'"(?:[^"\\]|\\.)*"|`[^`]*`', "", rules)
for name in sorted(set(re.findall(r"(?<![:\w])shunt_\w+", expressions)) | set(re.findall(r"series: '(shunt_\w+)", tests))):
    if name not in metrics:
        wrong.append(f"{name} is no metric of the server")
for name in sorted(set(re.findall(r"\b\w+:\w+:\w+", expressions)) - recorded):
    wrong.append(f"{name} is recorded by no rule")

units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
for number, unit in re.findall(r"^\s+for: (\d+)(\w)$", rules, re.M):
    if 180 <= int(number) * units[unit] <= 600:
        wrong.append(f"for: {number}{unit} is not restored after a restart of Prometheus, and too long to begin again")

print("\n".join(wrong) or f"{len(alerts)} alerts: each exists where it is mentioned, is tested and explained")
sys.exit(1 if wrong or len(alerts) < 10 else 0)
