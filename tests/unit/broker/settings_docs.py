#!/usr/bin/env python3
"""broker/config.def against what is written about it.

settings_docs.py ROOT           compare docs/configuration.md, deploy/shuntd.conf and docs/man/shuntd.8 with the table
settings_docs.py --write ROOT   write the generated parts of the first two
"""
import ast
import os
import re
import sys

ROW = re.compile(r'^CONFIG\((\w+), (".*?"), (\w+), (".*?"), (".*?"), (".*?"), (true|false), (".*")\)$')
UNITS = {"ADDRESS": "address", "ADDRESS_OR_OFF": "address, or `off`", "PATH": "path", "SIZE": "size",
         "DURATION": "duration", "COUNT": "number", "LEVEL": "level", "AUTO": "`auto`, `on` or `off`", "HOSTS": "names",
         "COMMAND": "command, or `off`", "URL": "URL, or `off`", "PATH_OR_OFF": "path, or `off`", "SOCKET_OR_OFF": "path, or `off`",
         "CLIENT_AUTH": "`off`, `request` or `require`", "TLS_VERSION": "`1.2` or `1.3`"}
BEGIN, END = "<!-- table: made from broker/config.def -->", "<!-- end of the table -->"
EXIT = re.compile(r"EXIT_CODE_(\w+) = (\d+)")


def rows(root):
    found = []
    with open(os.path.join(root, "broker/config.def"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("CONFIG("):
                match = ROW.match(line.rstrip())
                if not match:
                    raise SystemExit(f"not a row: {line}")
                name, least, most, initial, text = (ast.literal_eval(match[i]) for i in (2, 4, 5, 6, 8))
                found.append((name, UNITS[match[3]], least, most, initial, match[7] == "true", text))
    return found


def table(root):
    lines = [BEGIN, "", "| setting | kind | least | most | default | change takes | meaning |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for name, unit, least, most, initial, reload, text in rows(root):
        lines.append(f"| `{name}` | {unit} | {least} | {most} | `{initial}` | {'SIGHUP' if reload else 'a restart'} | {text} |")
    return "\n".join(lines + ["", END])


def sample(root):
    lines = ["# Settings of shuntd, with their defaults. Take away the # before a line to change it.",
             "# `shuntd --check-config FILE` verifies a file; docs/configuration.md explains it.",
             "# (*) takes effect with SIGHUP; the others with a restart.", ""]
    for name, _, least, most, initial, reload, text in rows(root):
        bounds = f"; {least} to {most}" if least else ""
        lines += [f"# {text}{bounds}{' (*)' if reload else ''}", f"#{name}: {initial}", ""]
    return "\n".join(lines[:-1]) + "\n"


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def with_table(root):
    page = read(root, "docs/configuration.md")
    begin, end = page.index(BEGIN), page.index(END) + len(END)
    return page[:begin] + table(root) + page[end:]


def write(root):
    for path, text in (("docs/configuration.md", with_table(root)), ("deploy/shuntd.conf", sample(root))):
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)


def compare(root):
    if with_table(root) != read(root, "docs/configuration.md"):
        yield "docs/configuration.md: the table differs from broker/config.def (settings_docs.py --write mends it)"
    if sample(root) != read(root, "deploy/shuntd.conf"):
        yield "deploy/shuntd.conf differs from broker/config.def (settings_docs.py --write mends it)"
    manual = read(root, "docs/man/shuntd.8")
    for name, code in EXIT.findall(read(root, "broker/exit_code.h")):
        if not re.search(rf"^\.It {code}$", manual, re.MULTILINE):
            yield f"docs/man/shuntd.8: exit status {code} ({name}) is missing"
    for option in re.findall(r'^    \{"([a-z-]+)", (?:required|no)_argument', read(root, "broker/options.c"), re.MULTILINE):
        if not re.search(rf"^\.It Fl -{option}( |$)", manual, re.MULTILINE):
            yield f"docs/man/shuntd.8: option --{option} is missing"


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--write":
        write(sys.argv[2])
        return 0
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    problems = list(compare(sys.argv[1]))
    print("\n".join(problems) or f"{len(rows(sys.argv[1]))} settings agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
