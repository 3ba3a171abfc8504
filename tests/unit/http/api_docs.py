#!/usr/bin/env python3
"""api_docs: docs/api.md against the tables that the admin API is made from.

api_docs.py ROOT           exit 1 and one line for each difference
api_docs.py --write ROOT   write the table of problems into the page

A call stands in broker/http/api.def, and has a section of the page with an example that a test runs, and the other way round; the
parameters of its path are fields of its request; the table of problems is that of broker/http/problem.def.
"""
import os
import re
import sys

BEGIN, END = "<!-- table: made from broker/http/problem.def -->", "<!-- end of the table -->"
CALL = re.compile(r'^API(?:_OWN|_WORK)?\("(\w+)", "(/\S+)", (\w+), (?:\d+, )?".+"\)$', re.M)
SECTION = re.compile(r"^### (\w+) (/\S+)\n(.*?)(?=^##|\Z)", re.M | re.S)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def problems(root):
    """(name, status, retry, title, hint) of each, in the order of the table."""
    errors = {name: (retry == "true", text) for name, retry, text in
              re.findall(r'^SHUNT_ERROR\((\w+), \d+, (\w+), "(.*)"\)$', read(root, "proto/errors.def"), re.M)}
    rows = re.compile(r'^OF_ERROR\((\w+), (\d+), "(.*)"\)$|^OF_HTTP\((\w+), (\d+), (\w+), "(.*?)", "(.*)"\)$', re.M)
    for match in rows.finditer(read(root, "broker/http/problem.def")):
        name, status, hint, own, own_status, own_retry, own_title, own_hint = match.groups()
        if own:
            yield own, own_status, own_retry == "true", own_title, own_hint
        else:
            yield name, status, *errors[name], hint


def table(root):
    lines = [BEGIN, "", "| code | status | retry | title | what to do |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| `{name}` | {status} | {'yes' if retry else 'no'} | {title} | {hint} |" for name, status, retry, title, hint in problems(root)]
    return "\n".join(lines + ["", END])


def with_table(root):
    page = read(root, "docs/api.md")
    return page[:page.index(BEGIN)] + table(root) + page[page.index(END) + len(END):]


def fields(root):
    """{request: names of its fields}."""
    found = {}
    for name, body in re.findall(r"^REQUEST\((\w+), .*?\)\n(.*?)^END$", read(root, "proto/request.def") + read(root, "proto/request_access.def"), re.M | re.S):
        found[name] = set(re.findall(r"^(?:TOPIC|TOPIC_OR_DLQ|GROUP|OPTIONAL_GROUP)\((\w+)\)$", body, re.M))
        found[name] |= set(re.findall(r"^(?:FIELD|OPTIONAL|LIST|OPTIONAL_LIST)\(\w+, (\w+)[,)]", body, re.M))
    return found


def compare(root):
    calls = CALL.findall(read(root, "broker/http/api.def"))
    if not calls:
        yield "broker/http/api.def: no call was found"
    sections = {(method, path): text for method, path, text in SECTION.findall(read(root, "docs/api.md"))}
    known = fields(root)
    for method, path, request in calls:
        text = sections.pop((method, path), None)
        if text is None:
            yield f"docs/api.md: no section `### {method} {path}`"
        elif "<!-- tested -->" not in text or "#=>" not in text:
            yield f"docs/api.md: {method} {path} has no example that is tested"
        for name in re.findall(r"\{(\w+)\}", path):
            if name not in known.get(request, ("topic", "group")):
                yield f"broker/http/api.def: {request} has no field `{name}`"
    for method, path in sections:
        yield f"docs/api.md: {method} {path} is no call of broker/http/api.def"
    if with_table(root) != read(root, "docs/api.md"):
        yield "docs/api.md: the table of problems differs from broker/http/problem.def (api_docs.py --write mends it)"


def main():
    write = "--write" in sys.argv
    root = sys.argv[-1]
    if write:
        page = with_table(root)
        with open(os.path.join(root, "docs/api.md"), "w", encoding="utf-8") as file:
            file.write(page)
    found = list(compare(root))
    print("\n".join(found) or "docs/api.md says what the tables say")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
