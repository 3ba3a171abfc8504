"""Compare the tables and records of docs/storage.md with the code that stores them.

usage: storage_page.py SOURCE_ROOT
Prints each difference and exits 1 if there is one.
"""

import re
import sys
from pathlib import Path

root = Path(sys.argv[1])
page = (root / "docs/storage.md").read_text()
store_h = (root / "broker/store/store.h").read_text()
schema_c = "".join((root / f"broker/core/{name}.c").read_text() for name in ("schema", "schema_group", "schema_cause", "schema_job"))
schema_keys_c = (root / "broker/core/schema_keys.c").read_text()
wrong = []

# The list of tables.
in_c = re.findall(r"TABLE_(\w+)", re.search(r"enum store_table \{(.*?)\};", store_h, re.S).group(1))
in_c = [name for name in in_c if name != "COUNT"]
section = re.search(r"^## The tables\n(.*?)^## ", page, re.S | re.M).group(1)
rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", section, re.M)
if [name for name, _ in rows] != in_c:
    wrong.append(f"tables: in C {in_c}, on the page {[name for name, _ in rows]}")

# The sizes of keys.
sizes = dict(re.findall(r"^struct key key_(\w+)\(.*?\)\n\{\n    struct key k = \{\.size = (\d+)\}", schema_keys_c, re.M))
key_of = {"TOPIC": "id", "GROUP": "id", "MESSAGE": "id_seq", "DONE": "id_seq", "ATTEMPT": "id_seq", "DEAD": "id_seq",
          "HISTORY": "history", "DUE": "due", "EXPIRY": "expiry", "JOB": "job"}
for name, key in rows:
    if name in key_of:
        size = sum(int(n) for n in re.findall(r"\d+", key))
        if size != int(sizes[key_of[name]]):
            wrong.append(f"key of {name}: {sizes[key_of[name]]} bytes in C, {size} on the page")

# Every record's part of the page names every field that is stored, in order.
aliases = {"time_ms": "time", "dedup_window_ms": "dedup_window", "dedup_swept_ms": "dedup_swept", "created_ms": "created",
           "due_mark_ms": "due_mark", "due_ms": "due", "expires_ms": "expires", "ttl_left_ms": "ttl_left",
           "leased_ms": "leased", "started_ms": "started", "ended_ms": "ended", "begun_ms": "begun", "died_ms": "died",
           "last_ms": "last_publish", "published_ms": "published", "dedup_away_ms": "dedup_away", "audit_keep_ms": "audit_keep", "ids_count": "number of chosen ids", "count": "number of answers"}
records = re.search(r"^## Records\n(.*?)^## ", page, re.S | re.M).group(1)
headings = {"meta": "`META` key `ledger`", "topic": "`TOPIC`", "group": "`GROUP`", "attempt": "`ATTEMPT`",
            "history": "`HISTORY`", "ended": "`HISTORY` row 0", "dead": "`DEAD`", "job": "`JOB`", "dedup": "`DEDUP`",
            "dedup_chunk": "`DEDUP` of a chunk", "audit": "`AUDIT`"}
for name, heading in headings.items():
    body = re.search(r"^static void %s_fields\(.*?\n\{\n(.*?)^\}" % name, schema_c, re.S | re.M).group(1)
    fields = re.findall(r"(?:&r->|&n->|, r->|&)(\w+)(?:\[i\])?(?:\.\w+)?(?=[,);}])", body)
    fields = [f for f in fields if f not in ("r", "n", "counts", "answers", "ids", "latest")]
    part = records[records.index("\n" + heading) :]
    part = part[: re.search(r"\n\n(?=`[A-Z]+`)|\Z", part[1:]).start() + 1]
    for field in fields:
        word = aliases.get(field, field) if name != "audit" or field != "count" else field
        if not re.search(r"\b%s\b" % re.escape(word), part):
            wrong.append(f"{heading}: the page does not name {field}")

print("\n".join(wrong) or f"{len(rows)} tables, {len(headings)} records: the page is right")
sys.exit(1 if wrong else 0)
