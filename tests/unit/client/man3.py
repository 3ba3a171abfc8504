#!/usr/bin/env python3
"""The manual of section 3: each function of the public headers has a page, nothing that the headers say is lost on the way, and each is used somewhere.

man3.py GENERATOR ROOT HEADER…
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MADE_UP = """/* shunt_made.h: a header that is made up. It's .here.
 *
 *   a table    of its own
 */
#ifndef SHUNT_MADE_H
#define SHUNT_MADE_H

/* ------ things */

/* What it does.
 * fails: NEVER */
SHUNT_API int shunt_made(int a,
                         int b);
SHUNT_API void shunt_other(void); /* beside it */

#endif
"""


def words(text):
    return set(re.findall(r"[A-Za-z_0-9]+", text))


def pages(generator, destination, headers):
    environment = {key: value for key, value in os.environ.items() if key != "DESTDIR"}
    subprocess.run([sys.executable, generator, destination, *headers], check=True, env=environment)
    return {path.stem: path.read_text(encoding="utf-8") for path in pathlib.Path(destination).iterdir()}


def plain(page):
    """Its text without roff's escapes."""
    return re.sub(r"\\\[u([0-9A-F]{4})\]", lambda m: chr(int(m[1], 16)), page.replace("\\-", "-").replace("\\&", "")).replace("\\(aq", "'").replace("\\(ga", "`").replace("\\e", "\\")


def check(condition, what, problems):
    if not condition:
        problems.append(what)


def check_made_up(generator, problems):
    with tempfile.TemporaryDirectory() as directory:
        header = pathlib.Path(directory) / "shunt_made.h"
        header.write_text(MADE_UP, encoding="utf-8")
        made = pages(generator, directory + "/man3", [header])
        text = plain(made["shunt_made"])
        check(made.keys() == {"shunt_made", "shunt_other"} and made["shunt_other"] == ".so man3/shunt_made.3\n", f"pages: {sorted(made)}", problems)
        check("int shunt_made(int a,\n               int b);\nvoid shunt_other(void); /* beside it */" in text, f"a prototype: {text}", problems)
        check(text.index("shunt_made(int") < text.index("What it does."), "what it does stands below it", problems)
        check(".nf\n  a table    of its own" in text and "SHUNT_MADE_H" not in text, f"a table: {text}", problems)


def main():
    generator, root, headers = sys.argv[1], pathlib.Path(sys.argv[2]), [pathlib.Path(name) for name in sys.argv[3:]]
    problems, functions = [], 0
    used = words("\n".join(path.read_text(encoding="utf-8") for folder in ("tests", "client/examples", "cli") for path in (root / folder).rglob("*") if path.suffix in (".c", ".cpp")))
    check_made_up(generator, problems)
    with tempfile.TemporaryDirectory() as directory:
        made = pages(generator, directory + "/man3", headers)
        for header in headers:
            text = header.read_text(encoding="utf-8")
            shown = plain(made[header.stem])
            said = re.sub(r"^#.*$|^extern \"C\" \{$", "", text, flags=re.MULTILINE)
            lost = words(said) - words(shown) - {"SHUNT_API", "h"}
            check(not lost, f"{header.name}: not on its page: {sorted(lost)}", problems)
            for line in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).split("\n"):
                found = re.match(r"SHUNT_API .*?\b(shunt_\w+)\(", line)
                if not found:
                    continue
                functions += 1
                page = made.get(found[1], "")
                check(page == f".so man3/{header.stem}.3\n" or found[1] == header.stem, f"{found[1]} has no page: {page}", problems)
                check(re.search(rf"[ *]{found[1]}\(", shown) is not None, f"{found[1]} is not on {header.stem}(3)", problems)
                check(found[1] in used, f"{found[1]} is in no test and no example", problems)
        if shutil.which("groff"):
            for header in headers:
                told = subprocess.run(["groff", "-man", "-Tutf8", "-ww", f"{directory}/man3/{header.stem}.3"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False).stderr
                check(not told, f"{header.stem}(3): {told}", problems)
    check(functions > 100, f"only {functions} functions", problems)
    for problem in problems:
        print(problem)
    print(f"{functions} functions, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
