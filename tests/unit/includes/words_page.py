#!/usr/bin/env python3
"""docs/words.md against the code: each name in `code` with a file behind it is declared in that file.

words_page.py ROOT          exit 1 and one line for each name that is not there
words_page.py --self-test   a page that names what is not there is found out
"""
import pathlib
import re
import sys

NAME = re.compile(r"`((?:struct )?\w+)` \[[\w.]+\]\((\.\./[\w/.]+)\)")
NAMES_MIN = 25


def problems(page, read):
    names = NAME.findall(page)
    for name, path in names:
        text = read(path.removeprefix("../"))
        if text is None:
            yield f"{path} is not there, which has {name} by the page"
        elif not re.search(rf"{name} \{{" if name.startswith("struct ") else rf"\b{name}\b", text):
            yield f"{path} does not declare {name}"
    if len(names) < NAMES_MIN:
        yield f"only {len(names)} names with a file; at least {NAMES_MIN} were there"


def self_test():
    page = "`struct a` [a.h](../x/a.h) " * NAMES_MIN
    cases = {
        "declared": (page, "struct a {\n};\n", 0),
        "used alone": (page, "struct a *f(void);\n", NAMES_MIN),
        "no file": (page, None, NAMES_MIN),
        "no names": ("", "struct a {\n};\n", 1),
    }
    return [name for name, (text, code, count) in cases.items() if len(list(problems(text, lambda _, code=code: code))) != count]


def main():
    if sys.argv[1] == "--self-test":
        wrong = self_test()
    else:
        root = pathlib.Path(sys.argv[1])

        def read(path):
            file = root / path
            return file.read_text(encoding="utf-8") if file.is_file() else None

        wrong = list(problems((root / "docs/words.md").read_text(encoding="utf-8"), read))
    print("\n".join(wrong) or "each name of the page is in its file")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
