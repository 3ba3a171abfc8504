"""dialect: the one dialect of C that clang-format does not see to. docs/style.md has the rules.

Reads text as clang-format writes it: a body stands below its condition and is indented deeper.
"""
import re

NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
CONTROL = re.compile(r"^( *)(?:\} )?(?:(else if|if|for|while)\b(?= \()|(else)\b)")
SPELLINGS = [
    (re.compile(r"== NULL\b"), "a pointer is compared with NULL: write `!p`"),
    (re.compile(r"(\b(if|while) \(|&&|\|\|).*!= NULL\b|!= NULL\b.*(&&|\|\|| \? )"), "a condition compares a pointer with NULL: write `p`"),
    (re.compile(r"[!=]= (true|false)\b"), "a bool is compared: write `b` or `!b`"),
    (re.compile(r"\bwhile \((1|true)\)"), "an endless loop is written `for (;;)`"),
    (re.compile(r"\bsizeof\((?!(const|struct|enum|union|unsigned|char|short|int|long|void|bool|float|double)\b|\w+_t\b|\w+ \*|[A-Z]\w+[()])"), "sizeof of an object has no brackets"),
    (re.compile(r"\bcr_(assert|expect)\(gt\("), "Criterion's gt() passes for equals: write cr_assert_gt, or lt() the other way round"),
    (re.compile(r"\btypedef (struct|union|enum) \w* ?\{"), "a struct, union or enum has no typedef"),
]


# What clang-format makes of a field whose comment is too long to stand beside it.
TORN_FIELD = re.compile(r"^ +(?!(?:else|do)$)(?:const |unsigned )?(?:struct |enum )?\w+(?: \*)?\n\s+\w+;", re.MULTILINE)


def without_comments(text):
    """The text with comments and what strings hold blanked out, of the same length."""

    def blank(match):
        found = match[0]
        if found.startswith("/"):
            return re.sub(r"[^\n]", " ", found)
        return found[0] + "x" * (len(found) - 2) + found[-1]

    return NOT_CODE.sub(blank, text)


class Arm:
    """One body: of an `if`, an `else`, a loop."""

    def __init__(self, first, last, end, kind, indent, braced):
        self.first, self.last, self.end = first, last, end  # lines from 0: of the condition, its end, behind the body
        self.kind, self.indent, self.braced = kind, indent, braced
        self.next = None  # the `else` that follows

    def lines(self):
        return self.end - self.last - 1


def arms(text):
    """Every arm that stands in lines of its own, in order; `next` links those of one chain."""
    raw, lines = text.split("\n"), without_comments(text).split("\n")
    found = {}
    for first, line in enumerate(lines):
        match = CONTROL.match(line)
        if not match or raw[first].endswith("\\"):
            continue
        last, at, depth = first, match.end(), 0
        if match[2]:  # to the bracket that closes the condition
            while last < len(lines):
                at = next((i for i in range(at, len(lines[last])) if (depth := depth + {"(": 1, ")": -1}.get(lines[last][i], 0)) == 0 and lines[last][i] == ")"), None)
                if at is not None:
                    break
                last, at = last + 1, 0
            if at is None:
                continue
            at += 1
        rest = lines[last][at:].strip()
        if rest not in ("", "{"):
            continue
        end = last + 1
        while end < len(raw) and (not raw[end].strip() or len(raw[end]) - len(raw[end].lstrip()) > len(match[1])):
            end += 1
        while end > last + 1 and not raw[end - 1].strip():  # a blank line behind the body
            end -= 1
        found[first] = Arm(first, last, end, match[2] or match[3], match[1], rest == "{")
    for arm in found.values():
        behind = found.get(arm.end)
        if behind and behind.kind.startswith("else") and behind.indent == arm.indent:
            arm.next = behind
    return list(found.values())


def chains(text):
    """Lists of arms: an `if` with all its `else`, or one loop."""
    for arm in arms(text):
        if not arm.kind.startswith("else"):
            chain = [arm]
            while chain[-1].next:
                chain.append(chain[-1].next)
            yield chain


def problems(text):
    """(line number, what is wrong) of each."""
    for number, line in enumerate(without_comments(text).split("\n"), 1):
        for pattern, why in SPELLINGS:
            if pattern.search(line):
                yield number, why
    bare = re.sub(r"/\*.*?\*/", lambda comment: "\n" * comment[0].count("\n"), text, flags=re.DOTALL)
    for torn in TORN_FIELD.finditer(bare):
        yield bare.count("\n", 0, torn.start()) + 1, "a field's type stands in a line of its own: put the comment above the field"
    for chain in chains(text):
        needed = any(arm.lines() > 1 for arm in chain)
        for arm in chain:
            if arm.braced and not needed and arm.lines() > 0:
                yield arm.first + 1, "braces around a single line"
            elif not arm.braced and needed:
                yield arm.first + 1, "no braces around more than one line, or beside an arm that has them"


BODY = "/* a */\nint f(int b)\n{\n%s    return b;\n}\n"
CASES = [
    ("a line without braces", "    if (b)\n        b++;\n", None),
    ("a line with braces", "    if (b) {\n        b++;\n    }\n", "single line"),
    ("lines with braces", "    if (b) {\n        b++;\n        b++;\n    }\n", None),
    ("a blank line behind", "    if (b)\n        b++;\n\n    b++;\n", None),
    ("a loop around an if", "    for (;;)\n        if (b)\n            b++;\n", "no braces"),
    ("a statement of two lines", "    while (b)\n        g(b,\n          b);\n", "no braces"),
    ("a condition of two lines", "    if (b &&\n        b)\n        b++;\n", None),
    ("a comment beside the line", "    if (b)\n        /* why */\n        b++;\n", "no braces"),
    ("arms that differ", "    if (b) {\n        b++;\n        b++;\n    } else\n        b--;\n", "beside an arm"),
    ("arms alike", "    if (b)\n        b++;\n    else\n        b--;\n", None),
    ("both arms short with braces", "    if (b) {\n        b++;\n    } else {\n        b--;\n    }\n", "single line"),
    ("a chain alike", "    if (b) {\n        b++;\n    } else if (!b) {\n        b--;\n    } else {\n        b++;\n        b++;\n    }\n", None),
    ("a loop before an outer else", "    if (b) {\n        b++;\n        for (;;)\n            b++;\n    } else {\n        b++;\n        b++;\n    }\n", None),
    ("do and while", "    do {\n        b--;\n    } while (b);\n", None),
    ("an empty body", "    while (g(b)) {\n    }\n", None),
    ("NULL compared", "    b = p == NULL;\n", "with NULL"),
    ("NULL compared in a condition", "    if (b && p != NULL)\n        b++;\n", "with NULL"),
    ("a bool made of a pointer", "    return p != NULL;\n", None),
    ("NULL in a comment", "    b++; /* p == NULL */\n", None),
    ("NULL in a string", '    g("p == NULL");\n', None),
    ("true compared", "    b = b == true;\n", "a bool"),
    ("while (true)", "    while (true)\n        b++;\n", "endless"),
    ("sizeof (object)", "    b = sizeof(*p);\n", "sizeof"),
    ("sizeof (type)", "    b = sizeof(struct p) + sizeof(uint64_t) + sizeof(char *);\n", None),
    ("sizeof (type that a macro names)", "    b = sizeof(ElfW(Phdr));\n", None),
    ("Criterion's gt", "    cr_assert(gt(int, b, 1));\n", "gt() passes"),
    ("a torn field", "    struct {\n        uint32_t\n            c; /* why */\n    } d;\n", "line of its own"),
    ("a field below its comment", "    struct {\n        /* why */\n        uint32_t c;\n    } d;\n", None),
    ("a typedef", "    typedef struct {\n        int b;\n    } c;\n", "typedef"),
]


def self_test():
    wrong = []
    for name, body, expected in CASES:
        found = [why for _, why in problems(BODY % body)]
        if (expected is None and found) or (expected and not any(expected in why for why in found)):
            wrong.append(f"{name}: expected {expected}, found {found}")
    return wrong, len(CASES)
