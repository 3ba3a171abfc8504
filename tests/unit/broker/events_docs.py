#!/usr/bin/env python3
"""broker/events.def against the code that writes the lines and the page that explains them.

events_docs.py ROOT           compare docs/operations.md and the sources with the table
events_docs.py --write ROOT   write the generated part of the page
"""
import pathlib
import re
import sys

ROW = re.compile(r'^LOG_EVENT\((\w+), (\w+), "(.*)"\)$', re.M)
BEGIN, END = "<!-- table: made from broker/events.def -->", "<!-- end of the table -->"
# Where a line begins: its level and event, side by side in a call or a table; the text of one that is written at once; an act's name.
WRITTEN = re.compile(r'LOG_LEVEL_(\w+),\s*"(\w+)"')
AT_ONCE = re.compile(r"level=(\w+) event=(\w+)")
EITHER = re.compile(r'\? LOG_LEVEL_(\w+) : LOG_LEVEL_(\w+),\s*[\w>-]+ \? "(\w+)" : "(\w+)"')
ACT = re.compile(r'^STEP\(.*, "(\w+)"\)$', re.M)


def rows(root):
    return [(match[1], match[2], match[3]) for match in ROW.finditer((root / "broker/events.def").read_text(encoding="utf-8"))]


def table(root):
    lines = [f"| `{name}` | {level} | {text} |" for name, level, text in rows(root)]
    return "\n".join([BEGIN, "", "| event | level | meaning |", "| --- | --- | --- |", *lines, "", END])


def written(root):
    found = {}
    for path in [*(root / "base").rglob("*.c"), *(root / "broker").rglob("*.c")]:
        text = path.read_text(encoding="utf-8")
        for match in WRITTEN.finditer(text):
            found[match[2]] = match[1].lower()
        for match in AT_ONCE.finditer(text):
            found[match[2]] = match[1]
        for match in EITHER.finditer(text):
            found[match[3]], found[match[4]] = match[1].lower(), match[2].lower()
        if path.name == "event_log.c":
            found["job_done"] = "info"
    found.update({name: "info" for name in ACT.findall((root / "broker/engine/step.def").read_text(encoding="utf-8"))})
    return found


def main():
    write = sys.argv[1:2] == ["--write"]
    root = pathlib.Path(sys.argv[-1])
    page = root / "docs/operations.md"
    text = page.read_text(encoding="utf-8")
    wanted = re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: table(root), text, flags=re.S)
    if write:
        page.write_text(wanted, encoding="utf-8")
        return 0
    wrong = []
    if BEGIN not in text or wanted != text:
        wrong.append("docs/operations.md is not what events_docs.py --write makes of broker/events.def")
    told, code = {name: level for name, level, _ in rows(root)}, written(root)
    wrong += [f"{name}: level {level} in the code, {told.get(name, 'not')} in broker/events.def" for name, level in code.items() if told.get(name) != level]
    wrong += [f"{name} is in broker/events.def, and nothing writes it" for name in told if name not in code]
    print("\n".join(wrong) or f"{len(told)} events: code and page agree")
    return 1 if wrong or len(told) < 30 else 0


if __name__ == "__main__":
    sys.exit(main())
