"""wire: the client of tests/wire for these tests, and waiting for a condition instead of for time to pass."""
import pathlib
import re
import ssl
import sys
import time
import urllib.parse

import harness

sys.path.insert(0, str(harness.SOURCE_ROOT / "tests" / "wire"))
from client import *  # noqa: E402, F401, F403 (its operations and errors are used by name)
from client import Client  # noqa: E402

STATES = ("ready", "in_flight", "delayed", "dead", "acked", "expired", "discarded", "purged")


def connect(server, made_by=Client, **options):
    """A connection to a harness.Server, or to what has a URL like one; `made_by` makes a Client of another kind."""
    host, port, query = re.fullmatch(r"shunts?://([^?]+):(\d+)\??(.*)", server.url).groups()
    said = dict(urllib.parse.parse_qsl(query))
    tls = getattr(server, "tls", None) or (ssl.create_default_context(cafile=said["ca"]) if "ca" in said else None)
    if "token-file" in said:
        options.setdefault("login", {"mechanism": "token", "token": pathlib.Path(said["token-file"]).read_text(encoding="ascii").strip()})
    options.setdefault("timeout", 60.0)
    return made_by(int(port), address=host, tls=tls, **options)


def until(what, seconds=60, why="it did not come true in time"):
    """Ask until the answer is true; returns it. `why` may be a function, called for the message."""
    deadline = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(why() if callable(why) else why)
        time.sleep(0.002)


def states(client, topic, group="default"):
    """The states of a group's messages that are not 0, after checking that they add up."""
    info = client.group_show(topic, group)
    if info["published"] != sum(info[state] for state in STATES):
        raise AssertionError(f"the states do not add up: {info}")
    return {state: info[state] for state in STATES if info[state]}


def dead_letters(client, topic, group="default"):
    """All of them, page by page."""
    found, more = [], True
    while more:
        rows, more = client.dlq_list(topic, group, found[-1]["seq"] if found else 0, 1000)
        found += rows
    return found


def publish_all(client, topic, bodies):
    """Publish in a few large frames; returns {body: seq}."""
    seqs = {}
    for begin in range(0, len(bodies), 5000):
        some = bodies[begin : begin + 5000]
        answer = client.publish(topic, *some)
        if answer.accepted != len(some):
            raise AssertionError(f"{answer.accepted} of {len(some)} accepted")
        seqs.update((body, answer.first_seq + i) for i, body in enumerate(some))
    return seqs
