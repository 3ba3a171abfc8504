"""holders: consumers on connections of their own, which compete for the messages of one group under short leases.

They answer in time; or keep a message until another has it and answer then, in every way there is; extend; release; are killed, or end
their sending side, with messages in hand; and answer with tokens of a former connection. All of it goes into one history. They run in one
thread, so that what one of them knows of another is in order.
"""
import collections
import functools
import random
import select
import socket
import struct
import time

import wire
import witness
from wire import ACK, EXTEND, NACK, REJECT, RELEASE

TOPIC = "held"
LEASE_MS = 120
MAX_ATTEMPTS = 4
ROOMS = (1, 1, 1, 1, 1, 3)  # messages that each may hold; of those with one the judge knows how long each was theirs
READY_MIN = 25
GIVEN_UP_SECONDS = 3  # a message that goes to nobody else, because it has died, say
LOOK_SECONDS = 0.01
OUTCOMES = (ACK, NACK, REJECT, RELEASE, EXTEND)


class Hand:
    """A message in hand, and when its holder means to answer (None: once somebody else has it)."""

    def __init__(self, delivery, late, due):
        self.delivery, self.late, self.due, self.since, self.extended = delivery, late, due, time.monotonic(), False


class Holder:
    def __init__(self, crowd, name, room):
        self.crowd, self.name, self.room = crowd, name, room
        self.random = crowd.random
        self.client = self.subscription = None
        self.hands, self.former, self.asked = [], [], {}
        self.ending = False

    def connect(self):
        self.client = self.crowd.connect(leases=self.room == 1, client=self.name)
        self.subscription = self.client.subscribe(TOPIC, messages=self.room)
        if self.former:
            self.send([(seq, token, self.random.choice(OUTCOMES)) for seq, token in self.former], "former")
            self.former = []
        self.take_in()

    def drop(self):
        """The connection is gone, and with it what was held on it."""
        self.former = [(hand.delivery.seq, hand.delivery.token) for hand in self.hands][-20:]
        self.hands, self.asked = [], {}
        self.client.close()
        self.client = self.subscription = None
        self.ending = False

    def killed(self):
        self.crowd.seen["killed with messages in hand"] += bool(self.hands)
        if self.random.randrange(3):
            self.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.drop()
        else:  # nothing more is sent, and what comes is read to the end
            self.client.scribe.ended()
            self.client.socket.shutdown(socket.SHUT_WR)
            self.ending = True

    def take_in(self):
        """What was read. With the answer to SUBSCRIBE a delivery may have come, and nothing else comes before that is answered."""
        try:
            while True:
                self.client.step(time.monotonic())
        except TimeoutError:
            pass
        self.take()

    def read(self):
        """What has come."""
        data = self.client.socket.recv(1 << 18)
        if not data:
            raise wire.Disconnected("closed")
        self.client.buffer += data
        self.take_in()
        for id in [id for id in self.asked if id in self.client.replies]:
            self.answered(self.client.replies.pop(id), *self.asked.pop(id))

    def take(self):
        while self.subscription.held:
            delivery = self.subscription.held.popleft()
            self.crowd.came(self, delivery)
            late = self.random.randrange(4) == 0
            self.hands.append(Hand(delivery, late, None if late else time.monotonic()))
            if self.random.randrange(2) and not self.ending:
                self.subscription.started(delivery)

    def keeps(self, seq, token):
        """It has this in hand, said nothing of it, and the judge knows since when."""
        return self.room == 1 and any((hand.delivery.seq, hand.delivery.token, hand.extended) == (seq, token, False) for hand in self.hands)

    def act(self):
        if self.ending:
            return
        now, due, kept = time.monotonic(), [], []
        for hand in self.hands:
            if hand.due is None and (self.crowd.is_elsewhere(self, hand.delivery) or now > hand.since + GIVEN_UP_SECONDS):
                hand.due = now + self.random.uniform(0, 0.03)
            (due if hand.due is not None and hand.due <= now else kept).append(hand)
        self.hands = kept
        for late in (False, True):
            some = [hand for hand in due if hand.late == late]
            if some:
                self.send([self.entry(hand) for hand in some], "late" if late else "")
        if self.random.randrange(400) == 0:
            self.killed()

    def entry(self, hand):
        seq, token = hand.delivery.seq, hand.delivery.token
        outcome = self.random.choice(OUTCOMES) if hand.late else self.random.choices(OUTCOMES, (60, 14, 4, 10, 0 if hand.extended else 12))[0]
        if outcome == EXTEND:
            hand.extended, hand.due = True, time.monotonic() + self.random.uniform(0, 0.1)
            self.hands.append(hand)  # to be answered once more
            return (seq, token, EXTEND, self.random.randrange(50, 300))
        if outcome == NACK:
            return (seq, token, NACK, self.random.randrange(20))
        return (seq, token, outcome)

    def send(self, entries, when):
        entries = [entry if entry[2] != EXTEND or len(entry) > 3 else (*entry, 100) for entry in entries]
        id = self.client.send(wire.RESOLVE, self.subscription.sub, [list(entry) for entry in entries])
        self.asked[id] = (entries, when)

    def answered(self, reply, entries, when):
        if isinstance(reply, Exception):
            raise reply
        refused = dict(zip(reply[0][::2], reply[0][1::2]))
        for index, entry in enumerate(entries):
            if when and refused.get(index) == witness.STALE:
                self.crowd.seen[f"{when} {witness.OUTCOMES[entry[2]]}"] += 1


class Crowd:
    """All holders, somebody who publishes, and what they saw."""

    def __init__(self, server, seed):
        self.server, self.random = server, random.Random(seed)
        self.history = witness.History()
        self.seen = collections.Counter()
        self.latest = {}  # seq -> (token, holder)
        self.bodies = 0
        self.looked = 0.0
        self.publisher = None
        self.holders = [Holder(self, f"holder-{i}", room) for i, room in enumerate(ROOMS)]
        self.witness().topic_create(TOPIC, max_attempts=MAX_ATTEMPTS, breaker=0, lease_ms=LEASE_MS, backoff_min_ms=1, backoff_max_ms=20)

    def connect(self, **options):
        return wire.connect(self.server, functools.partial(witness.Witness, self.history), **options)

    def witness(self):
        """The publisher's connection."""
        if self.publisher is None:
            self.publisher = self.connect()
        return self.publisher

    def came(self, holder, delivery):
        self.seen["deliveries"] += 1
        before = self.latest.get(delivery.seq, (0, None))
        if delivery.token > before[0]:
            self.latest[delivery.seq] = (delivery.token, holder)
            if before[1] not in (None, holder):
                self.seen["came to another"] += 1
                self.seen["kept until it did"] += before[1].keeps(delivery.seq, before[0])

    def is_elsewhere(self, holder, delivery):
        token, latest = self.latest[delivery.seq]
        return token > delivery.token and latest is not holder

    def publish(self):
        if time.monotonic() < self.looked + LOOK_SECONDS:
            return
        self.looked = time.monotonic()
        if self.witness().group_show(TOPIC)["ready"] < READY_MIN:
            self.publisher.publish(TOPIC, *[b"%d" % (self.bodies + i) for i in range(READY_MIN)])
            self.bodies += READY_MIN

    def step(self):
        self.publish()
        for holder in self.holders:
            if holder.client is None:
                holder.connect()
            self.guarded(holder, holder.take)  # what came with the answer to SUBSCRIBE
        by_socket = {holder.client.socket: holder for holder in self.holders if holder.client}
        for ready in select.select(list(by_socket), [], [], 0.002)[0]:
            self.guarded(by_socket[ready], by_socket[ready].read)
        self.act()

    def act(self):
        for holder in self.holders:
            self.guarded(holder, holder.act)
        self.seen["holders at once"] = max(self.seen["holders at once"], sum(bool(holder.hands) for holder in self.holders))

    def guarded(self, holder, call):
        if holder.client is None:
            return
        try:
            call()
        except (wire.Disconnected, ConnectionError):
            if not holder.ending and self.server.process.poll() is None:
                raise
            holder.drop()

    def is_busy(self):
        """There are messages in hand, and answers on their way that nobody has read a reply to."""
        self.act()
        return any(holder.hands for holder in self.holders) and any(holder.asked for holder in self.holders)

    def kill_server(self):
        self.server.kill()
        self.history.note("restart")
        for holder in self.holders:
            if holder.client:
                holder.drop()
        self.publisher.close()
        self.publisher = None

    def finish(self):
        """Everything comes to its end."""
        for holder in self.holders:
            if holder.client:
                holder.drop()
        witness.finish(self.history, self.witness(), [TOPIC])
        self.close()

    def close(self):
        for client in [self.publisher, *(holder.client for holder in self.holders)]:
            if client:
                client.close()
