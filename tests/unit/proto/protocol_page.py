"""Compare the tables of proto/PROTOCOL.md with the tables in C that they are made from.

usage: protocol_page.py PROTO_DIR
Prints each difference and exits 1 if there is one.
"""

import re
import sys
from pathlib import Path


def section(page, title):
    """The rows of the first table, as lists of cells, under the heading that ends with `title`."""
    part = re.search(r"^## \d+\. %s\n(.*?)(?=^## |\Z)" % re.escape(title), page, re.S | re.M)
    if not part:
        sys.exit(f"PROTOCOL.md has no section '{title}'")
    rows = re.search(r"^(?:\|.*\n)+", part.group(1), re.M).group().splitlines()
    cells = [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]
    return cells[2:]


def whole(folder, name):
    """A table with the parts that it includes in its middle, and without their comments."""
    def part(match):
        return re.sub(r"/\*.*?\*/", "", (folder / match[1]).read_text(), flags=re.S).strip() + "\n"
    return re.sub(r'^#include "proto/(request_access\.def)"\n', part, (folder / name).read_text(), flags=re.M)


def errors_in_c(text):
    rows = re.findall(r'^SHUNT_ERROR\((\w+), (\d+), (true|false), "([^"]*)"\)$', text, re.M)
    return [[number, name, "yes" if retry == "true" else "no", words] for name, number, retry, words in rows]


def limits_in_c(text):
    """Every #define with a number, computed."""
    limits = {}
    for name, value in re.findall(r"^#define (\w+)\s+(.*?)\s*(?:/\*.*)?$", text, re.M):
        value = re.sub(r"(?<=\d)(u|ll)\b", "", value)
        value = re.sub(r"[A-Z]\w+", lambda m: str(limits.get(m.group(), m.group())), value)
        if re.fullmatch(r"[\d\s()*+]+", value):
            limits[name] = eval(value)  # digits, brackets, * and + alone
    return limits


def policies_in_c(text, limits):
    units = {"COUNT": "count", "DURATION": "ms", "SIZE": "bytes", "CHOICE": "choice"}
    rows = re.findall(
        r'^SHUNT_POLICY\((\w+), "[\w-]+", (\w+), (\w+), (\w+), (\w+), (\w+), "([^"]*)"\)$', text, re.M
    )
    return [
        [field, units[unit], *(str(limits.get(bound, bound)) for bound in bounds), scope.lower(), words]
        for field, unit, *bounds, scope, words in rows
    ]


FIELD = re.compile(r"(OPTIONAL_|)(TOPIC|TOPIC_OR_DLQ|GROUP|FIELD|OPTIONAL|OF|LIST)\((.*)\)")


def field_in_c(row):
    """A field as the page shows it; None if the row is none: it says more about a field."""
    if row == "REASON":
        return "reason?"
    if row == "INSIDE":
        return "field, …"
    match = FIELD.fullmatch(row)
    if not match:
        return None
    words = [word.strip() for word in match[3].split(", ")]
    optional, kind = match[1] or match[2] == "OPTIONAL", match[2]
    if kind == "LIST" and not optional:
        return "[" + re.search(r', "([^"]*)"$', match[3])[1] + ", …]"
    return (words[0] if kind in ("TOPIC", "TOPIC_OR_DLQ", "GROUP") else words[1]) + ("?" if optional else "")


def operations_in_c(text):
    """{name: (number, fields, answer)}; an answer of None: there is none; of "-": it is a frame from the server."""
    answers = {name: text for name, text in re.findall(r'^ANSWER\((\w+), \d+, "([^"]*)"\)$', text, re.M)}
    found = {}
    for name, number, answer, rows in re.findall(r"^REQUEST\((\w+), \w+, (\d+), \w+, \w+, (\w+)\)\n(.*?)^END$", text, re.M | re.S):
        fields = [field for field in map(field_in_c, rows.splitlines()) if field]
        found[name] = (number, ", ".join(fields), None if answer == "NONE" else answers[answer])
    notices = re.findall(r'^NOTICE\((\w+), (\d+), "([^"]*)"\)$', text, re.M)
    operations = len(found) + len(notices)
    return found | {name: (number, fields, "-") for name, number, fields in notices}, operations


def entries_in_c(text):
    """{name: values} of the elements of lists, and the keys of each map."""
    items = {name: ", ".join(re.findall(r"^(?:OPTIONAL_)?VALUE\(\w+, (\w+)\)$", rows, re.M))
             for name, rows in re.findall(r"^ITEM\(wire_(\w+)\)\n(.*?)^ITEM_END$", text, re.M | re.S)}
    maps = {name: re.findall(r"^KEY(?:_OF)?\(\w+, (\w+)", rows, re.M) for name, rows in re.findall(r"^MAP\((\w+)\)\n(.*?)^MAP_END$", text, re.M | re.S)}
    return items, maps


def strangers(text):
    """Rows that are none of the table's, so that none is passed over; and answers that do not count their fields."""
    rows = "REASON INSIDE OPTIONAL_OF ITEM ITEM_END VALUE OPTIONAL_VALUE KEY KEY_OF NO_OTHER_KEYS MAP NO_FIELDS TOPIC TOPIC_OR_DLQ GROUP OPTIONAL_GROUP FIELD OPTIONAL LIST OPTIONAL_LIST AT_MOST ONLY_IF REQUEST ANSWER NOTICE MAP_END END"
    body = text[text.index("\nMAP("):text.rindex("\n#include")]
    found = [line for line in body.splitlines() if line and re.split(r"\W", line)[0] not in rows.split()]
    for name, count, fields in re.findall(r'^ANSWER\((\w+), (\d+), "([^"]*)"\)$', text, re.M):
        needed = [field for field in re.sub(r"\[.*?\]", "list", fields).split(", ") if field and not field.endswith("?")]
        found += [] if len(needed) == int(count) else [f"{name} has {len(needed)} fields, not {count}"]
    return found


ANSWER = re.compile(r"^(?:OK +)?\[128, id(?:, )?(.*)\](?:, then .*)?$")


def operations_on_page(page):
    """The same, of each frame that is shown; OK and ERROR are rows of a table."""
    found = {name: (number, fields, "-") for number, name, fields in re.findall(r"^\| (\d+) (OK|ERROR) \| `\[\d+, id, (.*?)\]` \|", page, re.M)}
    lines = page.splitlines()
    for line, below in zip(lines, lines[1:] + [""]):
        asked, _, answered = line.partition(" OK [")
        frame = re.match(r"^([A-Z_]+) +\[(\d+), (?:id|0)(?:, )?(.*)\] *(no reply)?$", asked)
        if not frame or frame[1] == "OK":
            continue
        answer = ANSWER.match("[" + answered if answered else below)
        says_none = None if frame[4] else "-"
        found[frame[1]] = (frame[2], frame[3], answer[1] if answer and not frame[4] else says_none)
    return found


def errors_explained(page):
    """The names in the table of who sends which error, each as often as it is there."""
    table = page.partition("| name | from | when | what to do |\n")[2].partition("\n\n")[0]
    return [name for row in table.splitlines()[1:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def needs_in_c(needs, requests):
    """Rows of the page: the requests that need the same, and that in words."""
    asked = re.findall(r"^REQUEST\((\w+), \w+, \d+, (\w+),", requests, re.M)
    rows = [[", ".join(f"`{name}`" for name, need in asked if need == row), words]
            for row, words in re.findall(r'^NEED\((\w+), .*, "([^"]*)"\)$', needs, re.M)]
    return [[names.strip("`"), words.strip("`")] for names, words in rows if names]


def compare(what, page_rows, c_rows):
    wrong = []
    for row in c_rows:
        if row not in page_rows:
            wrong.append(f"{what}: in C, not on the page: {row}")
    for row in page_rows:
        if row not in c_rows:
            wrong.append(f"{what}: on the page, not in C: {row}")
    if not wrong and page_rows != c_rows:
        wrong.append(f"{what}: the order differs")
    return wrong


def main():
    proto = Path(sys.argv[1])
    page = (proto / "PROTOCOL.md").read_text()
    errors = (proto / "errors.def").read_text()
    policies = (proto / "policy.def").read_text()
    limits = limits_in_c((proto / "limits.h").read_text())

    wrong = compare("errors", section(page, "Errors"), errors_in_c(errors))
    wrong += compare("settings", section(page, "Settings of topics and groups"), policies_in_c(policies, limits))
    for name, value, _unit in section(page, "Limits"):
        if str(limits.get(name)) != value:
            wrong.append(f"limits: {name} is {value} on the page and {limits.get(name)} in C")

    explained, known = errors_explained(page), [name for _, name, *_ in errors_in_c(errors)]
    wrong += [f"errors: {name} is explained {explained.count(name)} times" for name in known if explained.count(name) != 1]
    wrong += [f"errors: {name} is explained and does not exist" for name in explained if name not in known]

    requests = whole(proto, "request.def")
    on_page, (in_c, operations) = operations_on_page(page), operations_in_c(requests)
    for name in sorted(on_page.keys() | in_c.keys()):
        if on_page.get(name) != in_c.get(name):
            wrong.append(f"operations: {name} is {on_page.get(name)} on the page and {in_c.get(name)} in C")

    items, maps = entries_in_c(requests)
    for name, values in items.items():
        shown = re.search(r"^%s: +\[(.*)\]$" % name, page, re.M)
        if not shown or shown[1] != values:
            wrong.append(f"operations: {name} is {shown and shown[1]} on the page and {values} in C")
    options = [row[0] for row in section(page, "Hello")]
    if options != maps["hello_options"]:
        wrong.append(f"operations: the options of HELLO are {options} on the page and {maps['hello_options']} in C")

    needs = (proto / "need.def").read_text()
    wrong += compare("rights", section(page, "Rights"), needs_in_c(needs, requests))
    rights = re.search(r"#define RIGHT_NAMES.*?\{(.*?)\}", (proto / "words.h").read_text(), re.S)[1]
    known_rights = set(re.findall(r'"([\w-]+)"', rights))
    named = set(re.findall(r"^\| `([\w-]+)` \|", page.partition("| right | on a topic |")[2].partition("\n\n")[0], re.M))
    if named != known_rights:
        wrong.append(f"rights: {sorted(named)} on the page and {sorted(known_rights)} in C")
    for table in (rf"\| request \| what its connection needs \|", rf"\| right \| on a topic \|"):
        tables = [re.search(rf"^{table}\n(?:\|.*\n)+", text, re.M) for text in (page, (proto.parent / "docs/access.md").read_text())]
        if not all(tables) or tables[0][0] != tables[1][0]:
            wrong.append(f"docs/access.md: the table '{table}' is not that of PROTOCOL.md")
    unknown = set(re.findall(r"^REQUEST\(\w+, \w+, \d+, (\w+),", requests, re.M)) - set(re.findall(r"^NEED\((\w+),", needs, re.M))
    wrong += [f"request.def: there is no need {name}" for name in sorted(unknown)]

    # A row the patterns above do not understand must not pass unseen.
    rows = len(re.findall(r"^(?:REQUEST|NOTICE)\(", requests, re.M))
    if rows != operations or rows != len(in_c):
        wrong.append(f"request.def: {rows} rows, {operations} of them understood, {len(in_c)} names")
    wrong += [f"request.def: not understood: {row}" for row in strangers(requests)]
    for name, text, found in (
        ("errors.def", errors, errors_in_c(errors)),
        ("policy.def", policies, policies_in_c(policies, limits)),
    ):
        rows = len(re.findall(r"^SHUNT_", text, re.M))
        if rows != len(found) or rows == 0:
            wrong.append(f"{name}: {rows} rows, {len(found)} of them understood")
    used = set(re.findall(r"`([A-Z][A-Z_]+_MAX)\b", page))
    listed = {row[0] for row in section(page, "Limits")}
    wrong += [f"limits: {name} is used on the page and not listed" for name in sorted(used - listed)]

    print("\n".join(wrong) or "PROTOCOL.md agrees with errors.def, policy.def, limits.h, request.def and need.def")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
