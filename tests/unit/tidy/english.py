"""english: turns of phrase that read as riddles, in comments, texts and documents. docs/style.md has the rule.

Only what can be found with next to no false alarm is here; reading finds the rest.
"""
import re

VERB = r"(?:is|are|was|were|has|have|had|would|may|must|can|cannot|could|will|does|do|needs?|comes?|goes|knows?|holds?|takes?)"
PHRASES = [
    (re.compile(r"\b[Ww]hoever\b"), "'whoever': name the program, client or thread"),
    (re.compile(r"(?<![\w*`])Who (?!am\b)\w+ [^?\"]*?(?:[.,:;]|$)|\b(?:past it|and|so|for|by|from) who (?:reads|takes|asks|sends|comes|holds|waits|needs)\b"), "'who' as a noun: name it"),
    (re.compile(rf", for (?:it|they|this|that|these|there|the|its|their|a|an|no|each|nobody|nothing|neither|whoever) (?:[\w-]+ ){{0,3}}?{VERB}\b"), "'for' as a reason: 'because'"),
    (re.compile(r"\bso (?:many|much) (?:a|an|each|per) \w+|\bat most so (?:many|much)\b|\b(?:a|an?|the|wait|waits|measure|run) so long\b|\bso many at a time\b"), "'so many': name the number"),
    (re.compile(r"\b(?:that|which) cannot be(?=[,.;:)]| ?$| \|)"), "'that cannot be': say what is wrong with it"),
    (re.compile(r"\bthe one too many\b"), "'the one too many': say which one"),
    (re.compile(r", but for (?:what|those|the)\b"), "'but for': 'except'"),
    (re.compile(r"\b(?:what|anything else|nothing else) (?:became|becomes|had become|has become) of\b"), "'what becomes of': 'what happens to'"),
    (re.compile(r"\b(?:begins?|began|starts?) anew\b"), "'anew': 'again'"),
]
# Written before the rule; what is here may only shrink.
NOT_YET = ("tests/unit/tidy/english.py",)
C_TEXT = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
PYTHON_TEXT = re.compile(r'""".*?"""|#[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def texts(path, text):
    """(line number, prose) of each comment and string, or each paragraph of a document."""
    if path.endswith((".c", ".h", ".def")):
        for match in C_TEXT.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, re.sub(r"\n *\*? *", " ", match[0])
    elif path.endswith(".py"):
        for match in PYTHON_TEXT.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, re.sub(r"\s+", " ", match[0])
    else:
        number = 1
        for block in re.split(r"(\n(?:\s*\n|(?=[|#*-] ?)))", text):
            yield number + len(block) - len(block.lstrip("\n")), re.sub(r"\s*\n\s*", " ", block)
            number += block.count("\n")


def problems(path, text):
    """(line number, what is wrong) of each."""
    for number, prose in texts(path, text):
        for pattern, why in PHRASES:
            match = pattern.search(prose)
            if match:
                yield number, f"{why} (`{match[0].strip()[:60]}`)"


CASES = [
    ("whoever", "a.c", "/* told to whoever asks */", "whoever"),
    ("who as a noun", "a.md", "The rest waits. Who has had its share is put in a line.", "noun"),
    ("who as a question", "a.md", "Who fills the disk?", None),
    ("who as a relative", "a.md", "It says who paused it.", None),
    ("for as a reason", "a.h", "/* It is not asked, for nobody\n * would answer. */", "because"),
    ("for as a purpose", "a.h", "/* A table, for the metrics and for tests. */", None),
    ("so many a second", "a.c", 'puts("at most so many a second");', "number"),
    ("so many times", "a.md", "There are so many that it is sorted.", None),
    ("cannot be", "a.md", "a value or name that cannot be; it is refused", "wrong with it"),
    ("cannot be read", "a.md", "a file that cannot be read", None),
    ("one too many", "a.md", "the one too many is told so", "which one"),
    ("but for", "a.md", "all of them, but for those that wait", "except"),
    ("but for a time", "a.md", "not at once but for a while", None),
    ("what becomes of", "a.py", '"""What becomes of it, and what becomes of others."""', "happens"),
    ("anew", "a.c", "/* the lease begins anew */", "again"),
    ("code is not prose", "a.c", "int anew = for_it_is(begin anew);", None),
]


def self_test():
    wrong = []
    for name, path, text, expected in CASES:
        found = [why for _, why in problems(path, text)]
        if (expected is None and found) or (expected and not any(expected in why for why in found)):
            wrong.append(f"{name}: expected {expected}, found {found}")
    return wrong, len(CASES)
