"""shapes: the fields of every request, as the page has them, and values that are right and wrong for each.

A field is (kind, optional). `kind` is str, uint, bool, bin or map, or for an array a list with the kind of what is in it. A union
is a tuple of kinds. An optional field may be left out at the end, or be nil.
"""

import client as wire

KINDS = ("str", "uint", "bool", "bin", "map", "array", "nil")


def must(kind):
    return kind, False


def may(kind):
    return kind, True


TOPIC, GROUP, SUB, REASON = must("str"), must("str"), must("uint"), may("str")
MESSAGE, ENTRY = "message", "entry"

REQUESTS = {
    "GOODBYE": [],
    "PING": [],
    "PUBLISH": [TOPIC, must("uint"), must("uint"), must([MESSAGE])],
    "PRODUCER": [],
    "SUBSCRIBE": [TOPIC, GROUP, must("uint"), must("uint"), may("array")],
    "CREDIT": [SUB, must("uint"), must("uint")],
    "UNSUBSCRIBE": [SUB],
    "RESOLVE": [SUB, must([ENTRY])],
    "STARTED": [SUB, must(["uint"])],
    "TOPIC_CREATE": [TOPIC, may("map"), may(["str"]), REASON],
    "TOPIC_UPDATE": [TOPIC, may("map"), REASON],
    "TOPIC_SHOW": [TOPIC],
    "TOPIC_LIST": [may("str"), may("uint")],
    "OVERVIEW": [may("str"), may("uint")],
    "TOPIC_DELETE": [TOPIC, REASON],
    "TOPIC_PURGE": [TOPIC, may("str"), REASON],
    "GROUP_CREATE": [TOPIC, GROUP, may("map"), may("str"), REASON],
    "GROUP_UPDATE": [TOPIC, GROUP, may("map"), REASON],
    "GROUP_SHOW": [TOPIC, GROUP],
    "GROUP_LIST": [TOPIC],
    "GROUP_DELETE": [TOPIC, GROUP, REASON],
    "GROUP_PAUSE": [TOPIC, GROUP, REASON],
    "GROUP_RESUME": [TOPIC, GROUP, REASON],
    "BREAKER_RESET": [TOPIC, GROUP, REASON],
    "GROUP_HOLDERS": [TOPIC, GROUP, may("uint"), may("uint")],
    "KEY_LIST": [TOPIC, may("str"), may("str"), may("uint")],
    "PEEK": [TOPIC, GROUP, may("uint"), may("uint"), may("bool")],
    "WHY": [TOPIC, must("uint"), may("str")],
    "DLQ_LIST": [TOPIC, GROUP, may("uint"), may("uint"), may("map")],
    "DLQ_SHOW": [TOPIC, GROUP, must("str"), may("bool")],
    "DLQ_REDRIVE": [TOPIC, GROUP, must("map"), may("uint"), may("map"), REASON],
    "DLQ_PURGE": [TOPIC, GROUP, must("map"), may("map"), REASON],
    "DLQ_CAUSES": [TOPIC, GROUP],
    "DLQ_CAUSE": [TOPIC, GROUP, must("str")],
    "DLQ_ATTEND": [TOPIC, GROUP, may("str"), may(["str"])],
    "CAUSE_UPDATE": [TOPIC, GROUP, must("str"), must("map"), REASON],
    "DLQ_EDIT": [TOPIC, GROUP, must("str"), may("uint"), may("bin"), REASON],
    "JOB_SHOW": [must("uint")],
    "JOB_CANCEL": [must("uint"), REASON],
    "CLOCK_SET": [REASON],
    "JOB_LIST": [may("uint"), may("uint")],
    "JOB_PAUSE": [must("uint"), REASON],
    "JOB_RESUME": [must("uint"), REASON],
    "STATS": [],
    "RULE_SET": [TOPIC, GROUP, must("uint"), may("map"), may("map"), REASON],
    "RULE_LIST": [TOPIC, GROUP],
    "RULE_DELETE": [TOPIC, GROUP, must("uint"), REASON],
    "RULE_TEST": [TOPIC, GROUP, may("uint"), may("map"), may("uint"), may("uint")],
    "USER_SET": [must("str"), may("map"), REASON],
    "USER_LIST": [may("str"), may("uint"), may("str")],
    "USER_DELETE": [must("str"), REASON],
    "ROLE_SET": [must("str"), may("map"), REASON],
    "ROLE_LIST": [may("str"), may("uint")],
    "ROLE_DELETE": [must("str"), REASON],
    "TOKEN_CREATE": [may("str"), may("uint"), may("str"), REASON],
    "TOKEN_LIST": [may("uint"), may("uint"), may("str")],
    "TOKEN_REVOKE": [must("uint"), may("str"), REASON],
    "WHOAMI": [],
    "AUDIT_LIST": [may("uint"), may("uint"), may("map")],
    "CLIENT_LIST": [may("uint"), may("uint")],
}

# Inside a message and an entry: (kinds that are accepted, whether it may be left out at the end).
INSIDE = {
    MESSAGE: [(("bin",), False), (("map", "nil"), True), (("bin", "str", "nil"), True), (("uint",), True), (("uint",), True)],
    ENTRY: [(("uint",), False), (("uint",), False), (("uint",), False), (("uint", "nil"), True), (("str", "nil"), True),
            (("str", "nil"), True), (("str", "nil"), True)],
}

RIGHT = {"str": "nobody-has-this", "uint": 1, "bool": True, "bin": b"x", "map": {}, "array": [], "nil": None,
         MESSAGE: [b"x"], ENTRY: [1, 1, 0]}


def operation(name):
    return getattr(wire, name)


def right_value(kind):
    """A value of that kind that names nothing that is there."""
    return [RIGHT[kind[0]]] if isinstance(kind, list) else RIGHT[kind]


def right_fields(name):
    fields = [right_value(kind) for kind, _ in REQUESTS[name]]
    if name in ("DLQ_REDRIVE", "DLQ_PURGE"):
        fields[2] = {"count": 1}
    if name == "STARTED":
        fields[1] = [1, 1]
    return fields


def of_other_kinds(kinds):
    """(name, value) of every kind of value that is none of these. A message's duration may be any integer: out of range is not out
    of shape; so negative numbers are not among them."""
    found = [(kind, RIGHT[kind]) for kind in KINDS if kind not in kinds]
    return found + [("float", 1.5)]


def wrong_requests():
    """(what is wrong, name, fields) for each way in which one field is of a kind that the page does not allow."""
    for name, spec in REQUESTS.items():
        for at, (kind, optional) in enumerate(spec):
            kinds = ("array",) if isinstance(kind, list) else (kind,)
            wrong = of_other_kinds(kinds + (("nil",) if optional else ()))
            for other, value in wrong + ([("negative", -1)] if kind == "uint" else []):
                fields = right_fields(name)
                fields[at] = value
                yield f"{name}: field {at} is {other}", name, fields
            if not optional:
                yield f"{name}: field {at} is missing", name, right_fields(name)[:at]
            if isinstance(kind, list):
                yield from wrong_elements(name, at, kind[0])


def wrong_elements(name, at, kind):
    def request(element):
        fields = right_fields(name)
        fields[at] = [right_value(kind)] * (2 if name == "STARTED" else 1) + [element] + ([1] if name == "STARTED" else [])
        return name, fields

    if kind not in INSIDE:
        for other, value in of_other_kinds((kind,)):
            yield f"{name}: in field {at} there is {other}", *request(value)
        return
    for other, value in of_other_kinds(("array",)):
        yield f"{name}: in field {at} there is {other}", *request(value)
    whole = list(RIGHT[kind]) + [None, None, 0, 0][len(RIGHT[kind]) - 1:] if kind == MESSAGE else [1, 1, 0, None, None, None, None]
    for inner, (kinds, optional) in enumerate(INSIDE[kind]):
        for other, value in of_other_kinds(kinds):
            yield f"{name}: {kind}'s field {inner} is {other}", *request(whole[:inner] + [value] + whole[inner + 1:])
        if not optional:
            yield f"{name}: {kind}'s field {inner} is missing", *request(whole[:inner])


def short_requests():
    """(what, name, fields): optional fields left out from the end, and nil in their place."""
    for name, spec in REQUESTS.items():
        for at, (_, optional) in enumerate(spec):
            if optional:
                fields = right_fields(name)
                yield f"{name}: nothing from field {at} on", name, fields[:at]
                yield f"{name}: field {at} is nil", name, fields[:at] + [None] + fields[at + 1:]
