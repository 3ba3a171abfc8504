"""openmetrics: reads a page of OpenMetrics 1.0 strictly. What the specification forbids raises Wrong, and so does what it
allows but shunt never writes: exemplars, time stamps, empty lines.

    parse(text) -> {family: Family}
"""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
ABOUT = re.compile(rf"# (HELP|TYPE|UNIT) ({NAME}) (.*)")
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[+-]Inf|NaN")
HELP = re.compile(r'(?:[^"\\\n]|\\["\\n])*')
# What a sample's name adds to its family's.
SUFFIXES = {"gauge": {""}, "unknown": {""}, "counter": {"_total", "_created"}, "info": {"_info"},
            "histogram": {"_bucket", "_sum", "_count", "_created"}}


class Wrong(Exception):
    """The page is not valid; the text says where and why."""


class Family:
    def __init__(self, name):
        self.name, self.type, self.unit, self.help = name, None, None, None
        self.samples = {}  # (suffix, frozenset of labels) -> value

    def names(self):
        """All names that this family may give its samples, and its own."""
        return {self.name} | {self.name + suffix for suffix in SUFFIXES[self.type]}


def parse_labels(text):
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at)
        if not found or (found.group(3) == "," and found.end() == len(text)):
            raise Wrong(f"labels: {text}")
        if found.group(1) in labels:
            raise Wrong(f"a label twice: {text}")
        if found.group(1).startswith("__"):
            raise Wrong(f"a reserved label: {text}")
        labels[found.group(1)] = found.group(2)
        at = found.end()
    return labels


def about(families, line):
    found = ABOUT.fullmatch(line)
    if not found:
        raise Wrong(f"neither metadata nor the end: {line}")
    what, name, value = found.groups()
    last = next(reversed(families.values()), None)
    if last is None or last.name != name:
        if name in families:
            raise Wrong(f"a family in two places: {line}")
        last = families[name] = Family(name)
    if last.samples:
        raise Wrong(f"metadata behind samples: {line}")
    if getattr(last, what.lower()) is not None:
        raise Wrong(f"said twice: {line}")
    if what == "TYPE" and value not in SUFFIXES:
        raise Wrong(f"no type: {line}")
    if what == "UNIT" and not name.endswith("_" + value):
        raise Wrong(f"a unit that the name does not end in: {line}")
    if what == "HELP" and not HELP.fullmatch(value):
        raise Wrong(f"not escaped: {line}")
    setattr(last, what.lower(), value)


def sample(families, line):
    found = SAMPLE.fullmatch(line)
    if not found or not NUMBER.fullmatch(found.group(3)):
        raise Wrong(f"no sample: {line}")
    family = next(reversed(families.values()), None)
    if family is None or family.type is None:
        raise Wrong(f"a sample without a type before it: {line}")
    name, value = found.group(1), float(found.group(3))
    suffix = name[len(family.name):]
    if not name.startswith(family.name) or suffix not in SUFFIXES[family.type]:
        raise Wrong(f"no sample of {family.type} {family.name}: {line}")
    labels = parse_labels(found.group(2) or "")
    key = suffix, frozenset(labels.items())
    if key in family.samples:
        raise Wrong(f"twice: {line}")
    if family.type in ("counter", "histogram") and not value >= 0:
        raise Wrong(f"a count below 0: {line}")
    if family.type == "info" and value != 1:
        raise Wrong(f"an info that is not 1: {line}")
    if (suffix == "_bucket") != ("le" in labels):
        raise Wrong(f"le is for buckets: {line}")
    family.samples[key] = value


def check_histogram(family):
    """Its buckets rise in their bounds, which are floats, and in what they hold; the last is +Inf and is the count."""
    groups = {}
    for (suffix, labels), value in family.samples.items():
        of = frozenset(label for label in labels if label[0] != "le")
        group = groups.setdefault(of, {"buckets": []})
        if suffix == "_bucket":
            group["buckets"].append((dict(labels)["le"], value))
        else:
            group[suffix] = value
    for group in groups.values():
        bounds = [bound for bound, _ in group["buckets"]]
        counts = [count for _, count in group["buckets"]]
        if any("." not in bound and "e" not in bound for bound in bounds[:-1]) or bounds[-1:] != ["+Inf"]:
            raise Wrong(f"bounds of {family.name}: {bounds}")
        numbers = [float(bound) for bound in bounds]
        if numbers != sorted(set(numbers)) or counts != sorted(counts):
            raise Wrong(f"buckets of {family.name}: {group['buckets']}")
        if group.get("_count") != counts[-1] or "_sum" not in group:
            raise Wrong(f"count and sum of {family.name}: {group}")


def parse(text):
    """{name of a family: Family}. raises Wrong."""
    if not text.endswith("# EOF\n"):
        raise Wrong("the end is missing")
    families = {}
    for line in text[:-len("# EOF\n")].split("\n")[:-1]:
        if line.startswith("#"):
            about(families, line)
        else:
            sample(families, line)
    seen = {}
    for family in families.values():
        if family.type is None:
            raise Wrong(f"{family.name} has no type")
        if family.type == "histogram":
            check_histogram(family)
        for name in family.names():
            if name in seen:
                raise Wrong(f"{family.name} and {seen[name]} may both have samples called {name}")
            seen[name] = family.name
    return families
