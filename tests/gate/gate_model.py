"""A second opinion on the gate: what users may do, written from the page that explains it, against what the server decides.

usage: gate_model.py GATE_ANSWERS [--triples N] [--seed SEED]

Draws users with roles and grants, and requests, and compares the answers of both, sentence by sentence. Knows nothing of the server's
tables: what a request needs stands here once more. Exits 1 at the first difference.
"""
import argparse
import random
import re
import subprocess
import sys

RIGHTS = ["publish", "consume", "look", "admin", "dlq-look", "dlq-consume", "dlq-redrive", "dlq-purge"]

# Of a request on a topic: what it needs there, and what in their place on a dead-letter queue, which has the rights of its topic.
ADMIN = (["admin"], ["dlq-redrive", "dlq-purge"])
LOOK = (["look"], ["dlq-look"])
ON_TOPIC = {
    "PUBLISH": (["publish"], ["dlq-redrive"]), "SUBSCRIBE": (["consume"], ["dlq-consume"]),
    **dict.fromkeys(["TOPIC_CREATE", "TOPIC_UPDATE", "TOPIC_DELETE", "TOPIC_PURGE", "GROUP_CREATE", "GROUP_UPDATE", "GROUP_DELETE", "GROUP_PAUSE",
                     "GROUP_RESUME", "BREAKER_RESET"], ADMIN),
    **dict.fromkeys(["TOPIC_SHOW", "GROUP_SHOW", "GROUP_LIST", "GROUP_HOLDERS", "KEY_LIST", "PEEK", "WHY"], LOOK),
    **dict.fromkeys(["DLQ_LIST", "DLQ_SHOW", "DLQ_CAUSES", "DLQ_CAUSE", "DLQ_ATTEND", "RULE_LIST", "RULE_TEST"], (["dlq-look"], ["dlq-look"])),
    **dict.fromkeys(["DLQ_REDRIVE", "CAUSE_UPDATE", "DLQ_EDIT", "RULE_SET", "RULE_DELETE"], (["dlq-redrive"], ["dlq-redrive"])),
    "DLQ_PURGE": (["dlq-purge"], ["dlq-purge"]),
}
SOMEWHERE = {"PRODUCER": ["publish"], **dict.fromkeys(["TOPIC_LIST", "OVERVIEW", "JOB_LIST", "STATS", "AUDIT_LIST"], ["look", "dlq-look"])}
EVERYWHERE = {"CLOCK_SET": "admin", "CLIENT_LIST": "admin"}
ANYBODY = ["GOODBYE", "PING", "CREDIT", "UNSUBSCRIBE", "RESOLVE", "STARTED", "WHOAMI"]
JOBS = {"JOB_SHOW": False, "JOB_CANCEL": True, "JOB_PAUSE": True, "JOB_RESUME": True}
USERS = ["USER_LIST", "USER_DELETE", "ROLE_SET", "ROLE_LIST", "ROLE_DELETE"]
OWN = ["USER_SET", "TOKEN_CREATE", "TOKEN_LIST", "TOKEN_REVOKE"]  # about oneself; a user's password is his own, the rest of him is not
REQUESTS = [*ON_TOPIC, *SOMEWHERE, *EVERYWHERE, *ANYBODY, *JOBS, *USERS, *OWN]

TOPICS = ["orders", "orders.eu", "orders.eu.west", "order", "invoices", "invoices.eu", "a", "aa", "aba", "x-y_z"]
NAMES = TOPICS + [f"dlq:{topic}:{group}" for topic in TOPICS for group in ("default", "audit")] + ["dlq:orders", "dlq:", "dlq:orders:", "dlqs", "dlq"]
PATTERNS = ["*", "**", "orders", "orders.*", "orders*", "*.eu", "*eu*", "invoices", "a", "a*", "*a", "a*a", "*b*", "o*s.e*t", "nothing", "dlq*", "-*", "x-y_z"]


def fits(pattern, name):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.S) is not None


class User:
    def __init__(self, name, grants):
        self.name, self.grants = name, grants

    def on(self, name):
        """The rights on a topic, or on a dead-letter queue."""
        of_dlq = name.startswith("dlq:")
        if of_dlq:
            parts = re.fullmatch(r"dlq:([A-Za-z0-9_-][A-Za-z0-9._-]*):([A-Za-z0-9_-][A-Za-z0-9._-]*)", name)
            if not parts:
                return set()
            name = parts[1]
        rights = set().union(*(rights for pattern, rights in self.grants if fits(pattern, name)))
        return {right for right in rights if right.startswith("dlq-")} if of_dlq else rights

    def somewhere(self):
        return set().union(*(rights for _, rights in self.grants))

    def everywhere(self):
        return set().union(*(rights for pattern, rights in self.grants if not pattern.strip("*")))

    def administers(self):
        return set().union(*(rights for pattern, rights in self.grants if pattern == "*")) == set(RIGHTS)


def first_missing(needed, there):
    return next((right for right in RIGHTS if right in needed and right not in there), None)


def refused(user, right, where):
    return f"forbidden user `{user.name}` has no right `{right}` on {where}"


def on_topic(user, needed, name):
    right = first_missing(needed, user.on(name))
    parts = re.fullmatch(r"dlq:([^:.][^:]*):([^:.][^:]*)", name)
    return right and refused(user, right, f"topic `{parts[1] if parts else name}`")


def needed_on(name, both):
    return both[1] if name.startswith("dlq:") else both[0]


def expected(user, request, topic, job, action, target, jobs):
    """The line that the server should answer."""
    asks = []
    if request in ON_TOPIC:
        asks.append((needed_on(topic, ON_TOPIC[request]), topic))
        if request == "RULE_SET" and action == "discard":
            asks.append((["dlq-purge"], topic))
        if request in ("RULE_SET", "DLQ_REDRIVE") and target != "-":
            asks.append((["dlq-look"], topic))
            asks.append((needed_on(target, ON_TOPIC["PUBLISH"]), target))
    elif request in SOMEWHERE:
        if not user.somewhere() & set(SOMEWHERE[request]):
            return refused(user, first_missing(SOMEWHERE[request], ()), "any topic")
    elif request in EVERYWHERE:
        if EVERYWHERE[request] not in user.everywhere():
            return refused(user, EVERYWHERE[request], "every topic, by a grant of `*`")
    elif request in JOBS:
        if not 1 <= job <= len(jobs) or on_topic(user, needed_on(jobs[job - 1], LOOK), jobs[job - 1]):
            return "not_found"
        if JOBS[request]:
            asks.append((needed_on(jobs[job - 1], ADMIN), jobs[job - 1]))
    elif request in USERS + OWN:
        own = request in OWN and (target == user.name or (target == "-" and request != "USER_SET")) and not (request == "USER_SET" and action == "discard")
        return "ok" if own or user.administers() else f"forbidden user `{user.name}` is no administrator"
    return next(filter(None, (on_topic(user, needed, name) for needed, name in asks)), "ok")


def bits(rights):
    return sum(1 << RIGHTS.index(right) for right in rights)


def some_rights(rng):
    return set(RIGHTS) if rng.random() < 0.15 else set(rng.sample(RIGHTS, rng.randint(1, 6)))


def some_grants(rng, most):
    return [(rng.choice(PATTERNS), some_rights(rng)) for _ in range(rng.randint(0, most))]


def words_of(grants):
    return "".join(f" {pattern} {bits(rights)}" for pattern, rights in grants)


def script(rng, triples):
    """Lines for the program, and of each that is answered the line that is expected."""
    lines, answers, jobs = [], [], []
    for topic in ("orders", "invoices.eu", "aba", "order"):
        lines.append(f"job {topic}")
        jobs.append(topic)
    roles = {}
    while len(answers) < triples:
        if not roles or rng.random() < 0.3:
            name = f"role{rng.randint(0, 7)}"
            roles[name] = some_grants(rng, 4)
            lines.append(f"role {name}{words_of(roles[name])}")
            users = {}  # those that have it have other rights now: they are set anew
        for _ in range(rng.randint(1, 3)):
            mine = rng.sample(sorted(roles), rng.randint(0, min(3, len(roles))))
            own = some_grants(rng, 5)
            user = User(f"user{rng.randint(0, 20)}", own + [grant for role in mine for grant in roles[role]])
            if rng.random() < 0.03:
                mine, user.grants = mine + ["administrator"], user.grants + [("*", set(RIGHTS))]
            lines.append(f"user {user.name} {','.join(mine) or '-'}{words_of(own)}")
            users[user.name] = user
            for _ in range(rng.randint(5, 60)):
                asker = rng.choice(list(users.values()))
                request, topic = rng.choice(REQUESTS), rng.choice(NAMES)
                job, action = rng.randint(0, len(jobs) + 1), rng.choice(["mute", "discard", "redrive", "move"])
                target = rng.choice(NAMES) if rng.random() < 0.5 else "-"
                if request in OWN:
                    target = rng.choice([asker.name, "-", f"user{rng.randint(0, 20)}"])
                lines.append(f"ask {asker.name} {request} {topic} default {job} {action} {target}")
                answers.append(expected(asker, request, topic, job, action, target, jobs))
    return lines, answers


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--triples", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--must-differ", action="store_true", help="the program has a planted bug: succeed if it is found")
    options = parser.parse_args()
    lines, answers = script(random.Random(options.seed), options.triples)
    run = subprocess.run([options.program], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=280)
    got = run.stdout.splitlines()
    if run.returncode or len(got) != len(answers):
        sys.exit(f"{options.program} ended with {run.returncode} after {len(got)} answers of {len(answers)}: {run.stderr}")
    asked = [line for line in lines if line.startswith("ask ")]
    different = [(line, answer, expected_) for line, answer, expected_ in zip(asked, got, answers) if answer != expected_]
    ok, hidden = answers.count("ok"), answers.count("not_found")
    print(f"seed {options.seed}: {len(answers)} triples, {ok} allowed, {hidden} not found, {len(answers) - ok - hidden} forbidden; {len(different)} differ")
    for line, answer, expected_ in different[:10]:
        print(f"{line}\n  the server: {answer}\n  the model:  {expected_}")
    return 0 if bool(different) == options.must_differ else 1


if __name__ == "__main__":
    sys.exit(main())
