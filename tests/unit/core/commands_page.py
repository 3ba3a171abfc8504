"""Compare the tables of docs/commands.md with broker/core/command.def, from which they are made.

usage: commands_page.py SOURCE_ROOT [--print]
Prints each line that differs and exits 1 if there is one; with --print, the tables as they should be.
"""

import difflib
import re
import sys
from pathlib import Path

root = Path(sys.argv[1])
text = (root / "broker/core/command.def").read_text()
text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
ROW = re.compile(r"^(\w+)\((.*)\)$", re.M)
STRING = re.compile(r'"([^"]*)"$')
KINDS = {"flag": "bool", "u32": "uint, 32 bits", "u64": "uint", "i64": "int", "code": "uint, 0 or an error's number", "bytes": "bin", "change": "change"}


def kind(word):
    return KINDS.get(word, f"[{word}](#{word})")


def say(words):
    return words[:1].upper() + words[1:]


def field(macro, cells, words):
    """One row of a record's table; None for what is not encoded."""
    if macro == "FIELD":
        return cells[1], kind(cells[0]), words
    if macro == "LATER":
        return cells[0], "bin", f"{words}. The last value, and only there if it is not empty"
    if macro == "TOPIC":
        return cells[0], "bin", words or "the topic's name"
    if macro == "GROUP":
        return cells[0], "bin", "the group's name" + (f"; {words}" if words else "")
    if macro == "JOB":
        return cells[0], "uint", "the job's number" + (f"; {words}" if words else "")
    if macro == "CHOICE":
        return cells[1], f"uint, below `{cells[2]}`", words
    if macro == "LIST":
        return cells[1], f"array of {kind(cells[0])}, at most `{cells[3]}`", words
    return None


def tables():
    records, commands, members = [], [], {}
    lines = text[text.index("PART(batch_room"):].splitlines()
    for line in filter(None, lines):
        match = ROW.match(line)
        if not match:
            continue
        macro, arguments = match.groups()
        words = STRING.search(arguments)
        words = words.group(1) if words else ""
        cells = [cell.strip() for cell in arguments.split(",")]
        if macro in ("PART", "RECORD"):
            records.append((cells[0], words, []))
            if macro == "RECORD":
                members[cells[1]] = cells[0]
        elif macro == "STOP_IF":
            records[-1][2].append(("", "", f"*the array ends here if `{cells[0]}` is true*"))
        elif macro == "COMMAND":
            commands.append((cells[1], cells[0], members[cells[2]], words))
        else:
            row = field(macro, cells, words)
            if row:
                records[-1][2].append(row)
    out = ["| kind | command | fields | what it does |", "| --- | --- | --- | --- |"]
    out += [f"| {number} | `{name}` | [{record}](#{record}) | {words} |" for number, name, record, words in commands]
    for name, words, rows in records:
        out += ["", f"### {name}", "", f"{say(words)}.", ""]
        if rows:
            out += ["| field | type | |", "| --- | --- | --- |"]
            out += [f"| {f'`{cell}`' if cell else ''} | {of} | {meaning} |" for cell, of, meaning in rows]
        else:
            out += ["No fields."]
    return len(commands), out


count, wanted = tables()
if "--print" in sys.argv:
    print("\n".join(wanted))
    sys.exit(0)
page = (root / "docs/commands.md").read_text().splitlines()
found = page[page.index(wanted[0]):] if wanted[0] in page else []
different = list(difflib.unified_diff(found, wanted, "docs/commands.md", "command.def", lineterm="", n=0))
print("\n".join(different) or f"{count} commands: the page is right")
sys.exit(1 if different else 0)
