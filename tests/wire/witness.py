"""witness: the client of this folder, writing down what it asks, is told and receives, for the judge of histories (docs/reliability.md).

A History holds events in memory; a Scribe makes them from the frames of one connection, in the order in which its client saw them; a Witness
is a Client with a Scribe. Frames that somebody else has recorded can be given to a Scribe too.
"""
import hashlib
import json
import os
import subprocess
import tempfile
import time

import client as wire

OUTCOMES = ("ack", "nack", "reject", "release", "extend", "late")
STALE = 25  # the code of an answer to a delivery that is no longer this client's
COUNTERS = ("published", "ready", "in_flight", "delayed", "dead", "acked", "expired", "discarded", "purged", "redriven")
DRAIN_SECONDS_MAX = 60


def digest(body):
    """None, of what cannot be read, is all zeros."""
    return "0" * 16 if body is None else hashlib.blake2b(bytes(body), digest_size=8).hexdigest()


def now_us():
    return time.monotonic_ns() // 1000


class History:
    """Events in order, and the numbers that are used in them only once."""

    def __init__(self):
        self.events = []
        self.ops = self.clients = 0
        self.frames = {}  # (producer, topic, sequence) -> ops of its messages
        self.answered = set()  # ops of publishes
        self.time = now_us

    def copy(self):
        other = History()
        other.__dict__.update({name: value.copy() if hasattr(value, "copy") else value for name, value in vars(self).items()})
        return other

    def note(self, kind, **fields):
        self.events.append({"t": self.time(), "e": kind, **fields})

    def op(self):
        self.ops += 1
        return self.ops

    def client(self):
        self.clients += 1
        return self.clients

    def write(self, path):
        with open(path, "w", encoding="ascii") as file:
            file.writelines(json.dumps(event) + "\n" for event in self.events)

    def judge(self, *least):
        """Raises AssertionError if it breaks a promise, or saw less than `least` ("confirmed=10")."""
        with tempfile.NamedTemporaryFile(prefix="history-", suffix=".jsonl") as file:
            self.write(file.name)
            return judge([file.name], *least)


def judge(paths, *least):
    """The last line of shunt-history; raises AssertionError if it found anything wrong."""
    program = os.path.join(os.environ["BUILD_DIR"], "tests", "history", "shunt-history")
    done = subprocess.run([program, *(word for want in least for word in ("--least", want)), *paths], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"the history cannot be true (exit {done.returncode}):\n{done.stdout}{done.stderr}")
    return done.stdout.splitlines()[-1]


class Scribe:
    """What passes over one connection, as events.

    `leases`: the connection has one subscription, with room for one message, so that a message was handed out after what made room for
    it: an answer that had effect, or the end of the lease before (nothing is purged or deleted). That is the earliest, and with it the judge knows how long the message was
    this client's at least. The latest is when it came."""

    def __init__(self, history, leases=False):
        self.history, self.leases = history, leases
        self.client = history.client()
        self.producer = None
        self.requests = {}  # id -> (op, fields, ops)
        self.subscriptions = {}  # sub -> (topic, group)
        self.early = {}  # sub -> rows that came before the answer which names it
        self.standing = False
        self.room_us = 0  # when room was made at the earliest
        self.asked_us = {}  # id -> when it was sent
        self.hand = None  # (seq, token, sent at the earliest, lease in us) of what is held, or was until its lease ran out

    # ---- requests ----

    def asked(self, op, id, fields):
        """Before it is sent."""
        noted = []
        if op == wire.HELLO:
            options = fields[2] if len(fields) > 2 else {}
            self.producer = options.get("producer")
            self.standing = True
            self.history.note("client", client=self.client, marks=options.get("marks", True))
        elif op == wire.PUBLISH:
            noted = self._publish(*fields[:2], fields[3])
        elif op == wire.RESOLVE:
            noted = self._resolve(*fields[:2])
        elif op == wire.STARTED:
            self._started(*fields[:2])
        elif op in (wire.GOODBYE, wire.UNSUBSCRIBE):
            self.history.note("lost", client=self.client)
        elif op == wire.DLQ_REDRIVE:
            self.history.note("redrive", topic=fields[0], group=fields[1])
        elif op in (wire.DLQ_PURGE, wire.TOPIC_PURGE, wire.TOPIC_DELETE, wire.GROUP_DELETE):
            self._remove(op, *fields)
        if op == wire.SUBSCRIBE:
            self.room_us = self.history.time()
        if id:
            self.requests[id] = (op, fields, noted)
            self.asked_us[id] = self.history.time()

    def _publish(self, topic, sequence, messages):
        key = (bytes(self.producer or b""), topic, sequence)
        if sequence and key in self.history.frames:
            return self.history.frames[key]  # the same messages once more
        ops = []
        for message in messages:
            ops.append(self.history.op())
            more = {"ttl": True} if len(message) > 4 and message[4] else {}
            self.history.note("publish", op=ops[-1], topic=topic, body=digest(message[0]), **more)
        if sequence:
            self.history.frames[key] = ops
        return ops

    def _resolve(self, sub, entries):
        topic, group = self.subscriptions.get(sub, ("", ""))
        ops = []
        for seq, token, outcome, *_ in entries:
            ops.append(self.history.op())
            self.history.note("resolve", op=ops[-1], client=self.client, topic=topic, group=group, seq=seq, token=token, outcome=OUTCOMES[outcome])
        return ops

    def _started(self, sub, marks):
        topic, group = self.subscriptions.get(sub, ("", ""))
        for seq, token in zip(marks[::2], marks[1::2]):
            self.history.note("started", client=self.client, topic=topic, group=group, seq=seq, token=token)

    def _remove(self, op, topic, group=None, which=None, *_):
        ids = (which or {}).get("ids") if op == wire.DLQ_PURGE else None
        for id in ids or []:
            self.history.note("settle", topic=topic, group=group, seq=int(id.rpartition("/")[2]))
        if not ids:
            self.history.note("remove", topic=topic, group=group or "default")

    # ---- what came ----

    def came(self, op, id, fields):
        """After it was read."""
        if op == wire.DELIVER:
            self._delivered(*fields[:2])
        elif op in (wire.OK, wire.ERROR) and id in self.requests:
            asked, request, noted = self.requests.pop(id)
            asked_us = self.asked_us.pop(id)
            name = fields[1] if op == wire.ERROR else None
            if asked == wire.PUBLISH and not (name and request[1]):  # a numbered frame that was refused may be sent again
                self._published(noted, fields, name)
            elif asked == wire.RESOLVE:
                self._resolved(noted, fields, name)
                self._made_room(asked_us, request[1], () if name else fields[0][::2], name)
            elif asked == wire.SUBSCRIBE and not name:
                self.subscriptions[fields[0]] = (request[0], request[1])
                self._delivered(fields[0], self.early.pop(fields[0], []))
            elif asked == wire.TOPIC_CREATE and not name:
                self.history.note("group", topic=request[0], group="default", max_attempts=request[1].get("max_attempts", 1))
            elif asked == wire.GROUP_CREATE and not name:
                self.history.note("group", topic=request[0], group=request[1], max_attempts=request[2].get("max_attempts", 1))

    def _published(self, ops, fields, error):
        accepted, first = (0, 0) if error else fields[:2]
        for i, op in enumerate(ops):
            if op in self.history.answered:
                continue  # of the first copy
            self.history.answered.add(op)
            if i < accepted:
                self.history.note("published", op=op, seq=first + i)
            else:
                self.history.note("refused", op=op)

    def _resolved(self, ops, fields, error):
        refused = {} if error else dict(zip(fields[0][::2], fields[0][1::2]))
        for i, op in enumerate(ops):
            result = "error" if error else "ok" if i not in refused else "stale" if refused[i] == STALE else "error"
            self.history.note("resolved", op=op, result=result)

    def _delivered(self, sub, rows):
        if sub not in self.subscriptions:
            if rows:
                self.early.setdefault(sub, []).extend(rows)
            return
        topic, group = self.subscriptions[sub]
        for row in rows:
            seq, token, attempts, deliveries, generation, _, lease_ms, message = row[:8]
            more = {"sent_by_us": self.history.time()}
            if self.leases:
                more.update(sent_us=self._handed_out(seq, token, lease_ms), lease_ms=lease_ms)
            self.history.note("deliver", client=self.client, topic=topic, group=group, seq=seq, token=token, attempts=attempts,
                              deliveries=deliveries, generation=generation, body=digest(message[0]), **more)

    def _made_room(self, asked_us, entries, refused, error):
        for i, (seq, token, outcome, *_) in enumerate(entries):
            if error or i in refused or not self.hand or self.hand[:2] != (seq, token):
                continue
            if outcome == wire.EXTEND:
                self.hand = (seq, token, self.hand[2], 0)  # it may even be shorter
            else:
                self.room_us, self.hand = asked_us, None

    def _handed_out(self, seq, token, lease_ms):
        """When at the earliest. The broker's leases end in whole ms."""
        if self.hand:
            self.room_us = self.hand[2] + self.hand[3]
        self.hand = (seq, token, self.room_us, lease_ms * 1000)
        return self.room_us - 1000

    def ended(self):
        if self.standing:
            self.history.note("lost", client=self.client)
        self.standing = False


class Witness(wire.Client):
    """A client that keeps a history."""

    def __init__(self, history, *args, leases=False, **options):
        self.scribe = Scribe(history, leases)
        super().__init__(*args, **options)

    def send(self, op, *fields, id=None):
        if id is None:
            id, self.next_id = self.next_id, self.next_id + 1
        self.scribe.asked(op, id, fields)
        return super().send(op, *fields, id=id)

    def read_frame(self, deadline=None):
        op, id, *fields = super().read_frame(deadline)
        self.scribe.came(op, id, fields)
        return [op, id, *fields]

    def close(self):
        self.scribe.ended()
        super().close()


def finish(history, client, topics, group="default"):
    """Take all that is left of these topics, and note what is dead and what the broker has counted."""
    for topic in topics:
        drain(client, topic, group)
    for topic in topics:
        for row in all_dead(client, topic, group):
            shown = client.dlq_show(topic, row["id"], group)
            history.note("dead", topic=topic, group=group, seq=int(row["origin"].rpartition("/")[2]), attempts=row["attempts"],
                         deliveries=row["deliveries"], generation=row["generation"], reason=row["reason"], body=digest(shown["body"]))
        info = client.group_show(topic, group)
        history.note("counts", topic=topic, group=group, **{name: info[name] for name in COUNTERS})
    history.note("end", result="ok")


def drain(client, topic, group):
    subscription = client.subscribe(topic, group)
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    while True:
        rows = []
        while (delivery := subscription.next(0.0 if rows else 0.02)) is not None:
            rows.append(delivery)
        if rows:
            subscription.ack(*rows)
            continue
        info = client.group_show(topic, group)
        if not subscription.held and not info["ready"] + info["in_flight"] + info["delayed"]:
            break
        if time.monotonic() > deadline:
            raise AssertionError(f"not drained: {info}")
    subscription.unsubscribe()


def all_dead(client, topic, group):
    found, more = [], True
    while more:
        rows, more = client.dlq_list(topic, group, found[-1]["seq"] if found else 0, 1000)
        found += rows
    return found
