#!/usr/bin/env python3
"""Manual pages of section 3, made of the public headers: what stands there is said once.

section3.py DESTINATION HEADER…    write a page for each header, and for each function a page that leads to it

A header is its opening comment, then paragraphs that blank lines part: a comment, code, and more of both. `meson install` runs this (client/meson.build);
DESTINATION is made if it is missing, and stands below DESTDIR if that is set.
"""
import os
import pathlib
import re
import sys

FUNCTION = re.compile(r"^SHUNT_API\b[^;]*?[ *](shunt_[a-z0-9_]+)\(", re.MULTILINE)
SECTION = re.compile(r"/\* -{3,} (.*) \*/")
HIDDEN = re.compile(r"^\s*#\s*(if|ifdef|ifndef|else|elif|endif|include)\b|^extern \"C\" \{|^\}$|^#define SHUNT(_API\b|(_\w+)?_H$)")


def escaped(text):
    """Text for roff: no request at the beginning of a line, no escape, and quotes and dashes as they are typed."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    text = "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in text)
    return "\\&" + text if text[:1] in (".", "\\") and text[:2] in (".", "\\(") or text[:1] == "." else text


def comment_lines(comment):
    """Without the marks around it."""
    text = comment.strip().removeprefix("/*").removesuffix("*/")
    return [re.sub(r"^ ?\*? ?", "", line, count=1).rstrip() if n else line.strip() for n, line in enumerate(text.split("\n"))]


def prose(lines):
    """Paragraphs flow; what is indented, and what begins in a column of its own, stands as it is."""
    out, verbatim = [], False
    for line in lines:
        kept = line.startswith("  ") or re.match(r"(fails|out|url|options|rate)\b ?:? {1,}", line) is not None
        if not line:
            out += [".fi"] * verbatim + [".PP"]
            verbatim = False
            continue
        if kept != verbatim:
            out.append(".nf" if kept else ".fi")
            verbatim = kept
        out.append(escaped(line))
    return out + [".fi"] * verbatim


def pieces(text):
    """(kind, text) of everything behind the opening comment: section, comment or code."""
    for match in re.finditer(r"/\*.*?\*/(?=[ \t]*\n)|[^\n]+(?:\n|$)|\n", text, re.DOTALL):
        piece = match[0]
        if not piece.strip():
            yield "blank", ""
        elif SECTION.fullmatch(piece.strip()):
            yield "section", SECTION.fullmatch(piece.strip())[1]
        elif piece.startswith("/*"):
            yield "comment", piece
        elif not HIDDEN.match(piece):
            yield "code", piece.rstrip("\n")


def body_of(text):
    """What is declared, and below it the comment that stood above it."""
    out, comment, code = [], [], []

    def item():
        if code:
            shown = [re.sub(r"^ {10}(?= )", "", line).replace("SHUNT_API ", "") for line in code]
            out.extend([".PP", ".nf", ".ft B", *map(escaped, shown), ".ft R", ".fi"])
        if comment:
            out.extend([".RS 4", *prose(comment), ".RE"])
        comment.clear()
        code.clear()

    for kind, piece in pieces(text):
        if kind == "code":
            code.append(piece)
        elif kind == "comment" and comment and not code:
            comment.extend(["", *comment_lines(piece)])
        else:
            if kind != "blank" or code:
                item()
            if kind == "comment":
                comment.extend(comment_lines(piece))
            elif kind == "section":
                out.append(f".SS {escaped(piece)}")
    item()
    return out


def page(name, text, others):
    head, rest = re.match(r"/\*(.*?)\*/\n(.*)", text, re.DOTALL).groups()
    lines = comment_lines("/*" + head + "*/")
    title, what = re.match(r"(\w+)\.h: (.*)", lines[0]).groups()
    functions = FUNCTION.findall(text)
    out = [f".TH {name} 3 \"\" shunt \"the C client of shunt\"", ".SH NAME", escaped(", ".join([title, *functions])) + " \\- " + escaped(what.split(". ")[0].rstrip("."))]
    out += [".SH SYNOPSIS", ".nf", f".B #include <{title if title in ('shunt_access', 'shunt_triage') else 'shunt'}.h>", ".B cc ... $(pkg\\-config \\-\\-cflags \\-\\-libs shunt)", ".fi"]
    out += [".SH DESCRIPTION", *prose([*what.split(". ")[1:], *lines[1:]]), *body_of(rest)]
    return "\n".join([*out, ".SH SEE ALSO", ",\n".join(f".BR {other} (3)" for other in others if other != name), ""]).replace("(3),\n", "(3),\n")


def write(destination, headers):
    """Every page by its name; returns the functions of each header."""
    destination.mkdir(parents=True, exist_ok=True)
    names, functions = [header.stem for header in headers], {}
    for header in headers:
        text = header.read_text(encoding="utf-8")
        (destination / f"{header.stem}.3").write_text(page(header.stem, text, names), encoding="utf-8")
        functions[header.stem] = FUNCTION.findall(text)
        for function in functions[header.stem]:
            if function not in names:
                (destination / f"{function}.3").write_text(f".so man3/{header.stem}.3\n", encoding="utf-8")
    return functions


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    destination = pathlib.Path(sys.argv[1])
    if os.environ.get("DESTDIR"):
        destination = pathlib.Path(os.environ["DESTDIR"] + str(destination))
    write(destination, [pathlib.Path(name) for name in sys.argv[2:]])


if __name__ == "__main__":
    main()
