"""history: what publishers and consumers saw while their broker was being killed, and whether it can be true.

A History is read from the logs of storm.c (which shunt-history judges too), and find_faults() says what in it breaks a promise. Nothing here knows a server, so that a
history can be falsified and the faults be seen to come out (test_kill_broker.py does).

The order of a message's deliveries is (generation, deliveries): that is what the broker counts, so it needs no clocks.
"""
import collections
import json

Delivery = collections.namedtuple("Delivery", "consumer seq generation deliveries attempts body")
Answer = collections.namedtuple("Answer", "consumer seq generation deliveries outcome answer")
Dead = collections.namedtuple("Dead", "seq generation deliveries attempts reason")

MAX_ATTEMPTS = 3


class History:
    def __init__(self):
        self.published = []  # ((publisher, n), seq), as confirmed
        self.failed = []  # ((publisher, n), code)
        self.deliveries = []  # in each consumer's own order
        self.answers = []
        self.dead = []  # those left at the end
        self.counts = {}  # of the group at the end: published, acked, dead and the other states

    def read(self, path):
        asked, resolves = {}, {}
        with open(path, encoding="ascii") as log:
            for event in map(json.loads, log):
                kind = event["e"]
                if kind == "publish":
                    asked[event["op"]] = body(event)
                elif kind == "published":
                    self.published.append((asked.pop(event["op"]), event["seq"]))
                elif kind == "refused":
                    self.failed.append((asked.pop(event["op"]), event["code"]))
                elif kind == "deliver":
                    self.deliveries.append(Delivery(*place(event), event["attempts"], body(event)))
                elif kind == "resolve":
                    resolves[event["op"]] = Answer(*place(event), OUTCOMES[event["outcome"]], "unknown")
                elif kind == "resolved":
                    resolves[event["op"]] = resolves[event["op"]]._replace(answer=event["result"])
                else:
                    raise AssertionError(f"no event of a storm: {event}")
        self.answers += resolves.values()


OUTCOMES = {"ack": "a", "nack": "n", "reject": "r", "release": "l"}


def place(event):
    """Consumer, seq, generation, deliveries: a storm's token is made of the last two."""
    return event["client"], event["seq"], event["token"] >> 32, event["token"] & 0xFFFFFFFF


def body(event):
    """(publisher, n), or (0, -1) of what nobody published."""
    words = event["body"].split()
    return (int(words[1]), int(words[2])) if len(words) == 3 else (0, -1)


def find_faults(history):
    """One sentence for each promise that is broken, at most a few for each kind."""
    faults = collections.defaultdict(list)
    _check_bodies(history, faults)
    _check_ends(history, faults)
    deliveries = _by_message(history.deliveries)
    answers = _by_message(history.answers)
    for seq, rows in deliveries.items():
        _check_message(rows, answers.get(seq, []), faults)
    for seq in answers.keys() - deliveries.keys():
        faults["answered and never delivered"].append(seq)
    _check_own_order(history.deliveries, faults)
    _check_dead(history, deliveries, answers, faults)
    return [f"{what}: {examples[:5]} ({len(examples)} in all)" for what, examples in faults.items()]


def _by_message(rows):
    found = collections.defaultdict(list)
    for row in rows:
        found[row.seq].append(row)
    return found


def _check_bodies(history, faults):
    """Each confirmed message is at one place, and what is delivered from there is that message."""
    body_at, seqs_of = {}, collections.defaultdict(set)
    for body, seq in history.published:
        if seq in body_at:
            faults["confirmed at a place that was taken"].append((seq, body, body_at[seq]))
        body_at[seq] = body
        seqs_of[body].add(seq)
    for row in history.deliveries:
        seqs_of[row.body].add(row.seq)
        if row.body[1] < 0:
            faults["delivered a body that nobody published"].append(row)
        elif body_at.setdefault(row.seq, row.body) != row.body:
            faults["delivered another body than was published there"].append(row)
    faults_of = [(body, sorted(seqs)) for body, seqs in seqs_of.items() if len(seqs) > 1]
    if faults_of:
        faults["stored twice"] += faults_of


def _check_ends(history, faults):
    """All that was confirmed is acked or dead at the end, not both, and the group's counts say so."""
    confirmed = {seq for _, seq in history.published}
    dead = [row.seq for row in history.dead]
    acked = {row.seq for row in history.answers if (row.outcome, row.answer) == ("a", "ok")}
    maybe_acked = {row.seq for row in history.answers if (row.outcome, row.answer) == ("a", "unknown")}
    lost = confirmed - set(dead) - acked - maybe_acked
    if lost:
        faults["a confirmed publish is lost"] += sorted(lost)
    if len(dead) != len(set(dead)):
        faults["dead twice"] += sorted(seq for seq, count in collections.Counter(dead).items() if count > 1)
    if acked & set(dead):
        faults["acked and dead"] += sorted(acked & set(dead))
    counts = history.counts
    if history.failed:
        faults["a publish failed"] += history.failed
    elif counts["published"] != len(confirmed):
        faults["published is not what was confirmed"].append((counts["published"], len(confirmed)))
    if counts["dead"] != len(dead) or counts["acked"] + counts["dead"] != counts["published"]:
        faults["the group's counts do not add up"].append(counts)
    if not len(acked) <= counts["acked"] <= len(acked | maybe_acked):
        faults["the group counts other acks than were given"].append((counts["acked"], len(acked), len(acked | maybe_acked)))


def _check_message(rows, answers, faults):
    """The deliveries of one message, in the broker's order, against the answers they were given."""
    rows = sorted(rows, key=lambda row: row[2:4])
    answer_to = {row[2:4]: row for row in answers}
    ended, nacks_least, nacks_most, before = None, 0, 0, None
    for row in rows:
        if before and row[2:4] == before[2:4]:
            faults["one delivery was counted for two"].append((before, row))
        if before and row.generation != before.generation:
            nacks_least = nacks_most = 0
            if ended == before.generation:
                ended = None  # a redrive brings back what was rejected
        elif before and row.attempts < before.attempts:
            faults["attempts went down"].append((before, row))
        if ended is not None:
            faults["delivered after it had ended"].append(row)
        if row.attempts < nacks_least:
            faults["a confirmed nack is forgotten"].append(row)
        if row.attempts > nacks_most:
            faults["charged for what was no failure"].append(row)
        answer = answer_to.get(row[2:4])
        if answer:
            nacks_least += (answer.outcome, answer.answer) == ("n", "ok")
            nacks_most += answer.outcome == "n" and answer.answer != "stale"
            if answer.answer == "ok" and answer.outcome == "a":
                ended = "for ever"
            elif answer.answer == "ok" and answer.outcome == "r" or nacks_least >= MAX_ATTEMPTS:
                ended = row.generation
        before = row


def _check_own_order(deliveries, faults):
    """To one consumer, who takes one after the other, counts of a message come in order."""
    last = {}
    for row in deliveries:
        before = last.get(row[:2])
        if before and row[2:4] < before[2:4]:
            faults["counts went down"].append((before, row))
        last[row[:2]] = row


def _check_dead(history, deliveries, answers, faults):
    """Each dead message died for a reason that its answers give; each rejected one is dead, or was redriven."""
    dead = {row.seq: row for row in history.dead}
    for row in history.dead:
        rows = [each for each in deliveries.get(row.seq, []) if each.generation == row.generation]
        given = [each for each in answers.get(row.seq, []) if each.generation == row.generation and each.answer != "stale"]
        if any(each.generation > row.generation for each in deliveries.get(row.seq, [])):
            faults["delivered after it had died"].append(row)
        if any(each.deliveries > row.deliveries or each.attempts > row.attempts for each in rows):
            faults["a dead letter's counts are lower than before"].append(row)
        outcomes = [each.outcome for each in given]
        if row.reason == "rejected" and "r" not in outcomes:
            faults["rejected by nobody"].append(row)
        elif row.reason == "max_attempts" and (outcomes.count("n") < MAX_ATTEMPTS or row.attempts != MAX_ATTEMPTS):
            faults["dead before its time"].append(row)
        elif row.reason not in ("rejected", "max_attempts"):
            faults["dead for no reason"].append(row)
    for seq, rows in answers.items():
        rejected = [row.generation for row in rows if (row.outcome, row.answer) == ("r", "ok")]
        if rejected and not (seq in dead and dead[seq].generation >= max(rejected)) and not any(
                row.generation > max(rejected) for row in deliveries.get(seq, [])):
            faults["a confirmed reject is lost"].append(seq)
