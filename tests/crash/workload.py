"""workload: the same requests every time, and an account of what the server must know after it died at any moment of them.

Every request says first what it will change. From then on the old and the new state are both possible; once it is confirmed, the
new one alone. What is done with a message follows from its numbers, so nothing depends on the order of deliveries.
"""
import collections
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "wire"), str(HERE.parent / "e2e")]
import client as wire  # noqa: E402
from witness import History, Witness, finish  # noqa: E402

TOPIC, SIDE = "jobs", "side"
PRODUCER = b"the-crash-tester"
POLICY = {"max_attempts": 2, "breaker": 0, "lease_ms": 3600000, "backoff_min_ms": 1, "backoff_max_ms": 1}
HOUR_MS = 3600000
FRAME_MESSAGES = 6
LARGE_BODY_BYTES = 20000  # several pages of its own

# kind: live (ready, in flight or delayed), dead, done, or none (never published)
State = collections.namedtuple("State", "kind generation attempts deliveries")
NONE, NEW, DONE = State("none", 0, 0, 0), State("live", 0, 0, 0), State("done", 0, 0, 0)


def body_of(topic, seq):
    """What is in the message of this number: no two are alike, so that one in the place of another is noticed."""
    text = f"{topic} {seq} ".encode()
    return text * (LARGE_BODY_BYTES // len(text)) if seq % 17 == 0 else text * 3


class Wrong(AssertionError):
    """The server broke a promise."""


class Workload:
    def __init__(self):
        self.possible = collections.defaultdict(lambda: [NONE])  # (topic, seq) -> states
        self.topics = {}  # name -> True: confirmed, False: asked for
        self.jobs = []  # confirmed
        self.frames = {}  # sequence of a publish -> (topic, first seq, how many, answered)
        self.confirmed = 0  # requests
        self.held = {}
        self.history = History()
        self.client = self.subscription = None

    # ---- doing ----

    def run(self, port, rounds, address="127.0.0.1"):
        """Raises client.Disconnected when the server goes away; that it does is the point."""
        with Witness(self.history, port, address=address, timeout=20.0, hello=False) as self.client:
            self.client.request(wire.HELLO, 1, 1, {"producer": PRODUCER, "client": "crash"})
            self.create(TOPIC)
            self.create(SIDE)
            for number in range(rounds):
                self.publish(TOPIC)
                self.consume()
                self.publish(SIDE)
                if number % 4 == 2:
                    self.dead_letters()
                if number % 6 == 5:
                    self.purge_side()
            self.client.goodbye()

    def more(self, port, frames):
        """After run(): publish so many frames more."""
        with Witness(self.history, port, timeout=20.0, hello=False) as self.client:
            self.client.request(wire.HELLO, 1, 1, {"producer": PRODUCER, "client": "crash"})
            for _ in range(frames):
                self.publish(SIDE)
            self.client.goodbye()

    def step(self, changes, call):
        """Make a request that takes each message of `changes` to a new state."""
        for key, state in changes.items():
            self.possible[key] = [self.possible[key][0], state]
        answer = call()
        for key, state in changes.items():
            self.possible[key] = [state]
        self.confirmed += 1
        return answer

    def create(self, topic):
        self.topics[topic] = False
        self.client.topic_create(topic, **POLICY)
        self.topics[topic] = True
        self.confirmed += 1

    def publish(self, topic):
        first = 1 + sum(count for name, _, count, _ in self.frames.values() if name == topic)
        number = len(self.frames) + 1
        self.frames[number] = (topic, first, FRAME_MESSAGES, False)
        self.step({(topic, first + i): NEW for i in range(FRAME_MESSAGES)}, lambda: self.send_frame(self.client, number))
        self.frames[number] = (topic, first, FRAME_MESSAGES, True)

    def send_frame(self, client, number):
        topic, first, count, _ = self.frames[number]
        answer = client.publish(topic, *(body_of(topic, first + i) for i in range(count)), sequence=number, forget_below=max(1, number - 3))
        if answer != (count, first, 0):
            raise Wrong(f"frame {number}: answered {answer}, not {(count, first, 0)}")

    def state(self, topic, seq):
        return self.possible[topic, seq][0]

    def consume(self):
        if self.subscription is None:
            self.subscription = self.client.subscribe(TOPIC, messages=FRAME_MESSAGES)
        for delivery in self.subscription.take(FRAME_MESSAGES):
            self.deliver(delivery)
        entries, changes = [], {}
        for seq in list(self.held):
            entry, state = self.decide(self.held.pop(seq))
            entries.append(entry)
            changes[TOPIC, seq] = state
        refused = self.step(changes, lambda: self.subscription.resolve(*entries))
        if refused:
            raise Wrong(f"answers refused: {refused} of {entries}")

    def deliver(self, delivery):
        before = self.state(TOPIC, delivery.seq)
        found = State("live", delivery.generation, delivery.attempts, delivery.deliveries)
        if bytes(delivery.message.body) != body_of(TOPIC, delivery.seq):
            raise Wrong(f"{delivery.seq} was delivered with another body")
        if found != before._replace(deliveries=before.deliveries + 1):
            raise Wrong(f"{delivery.seq}: was {before}, delivered as {found}")
        self.possible[TOPIC, delivery.seq] = [found]
        self.held[delivery.seq] = delivery

    def decide(self, delivery):
        """The answer to a delivery, and the state that it brings about."""
        seq, token = delivery.seq, delivery.token
        now = self.state(TOPIC, seq)
        choice = (seq * 5 + delivery.generation * 3 + delivery.deliveries) % 7
        if choice == 0 and delivery.deliveries < 3:
            return (seq, token, wire.RELEASE), now
        if choice == 1:
            return (seq, token, wire.REJECT, None, "BadInput", f"message {seq} is wrong", "at f\nat g"), now._replace(kind="dead", attempts=now.attempts + 1)
        if choice in (2, 3):
            kind = "dead" if now.attempts + 1 >= POLICY["max_attempts"] else "live"
            delay = HOUR_MS if choice == 2 else None
            return (seq, token, wire.NACK, delay, "Busy", "try later", None), now._replace(kind=kind, attempts=now.attempts + 1)
        return (seq, token, wire.ACK), DONE

    def dead_letters(self):
        """Bring the oldest back and drop the next."""
        dead = sorted(seq for (topic, seq), states in self.possible.items() if topic == TOPIC and states[0].kind == "dead")
        for seq in dead[:2]:
            now = self.state(TOPIC, seq)
            job, count = self.step({(TOPIC, seq): State("live", now.generation + 1, 0, 0)}, lambda: self.client.dlq_redrive(TOPIC, ids=[f"{TOPIC}/{seq}"]))
            self.keep_job(job, count)
        for seq in dead[2:3]:
            job, count = self.step({(TOPIC, seq): DONE}, lambda: self.client.dlq_purge(TOPIC, ids=[f"{TOPIC}/{seq}"]))
            self.keep_job(job, count)

    def keep_job(self, job, count):
        if count != 1:
            raise Wrong(f"job {job} has {count} dead letters to work on, not 1")
        self.jobs.append(job)

    def purge_side(self):
        live = {key: DONE for key, states in self.possible.items() if key[0] == SIDE and states[0].kind == "live"}
        self.jobs.append(self.step(live, lambda: self.client.topic_purge(SIDE)))

    # ---- checking ----

    def verify(self, port, address="127.0.0.1"):
        """Compare the account with a server that was started again."""
        with Witness(self.history, port, address=address, producer=PRODUCER, client="verify", timeout=20.0) as client:
            try:
                self.verify_with(client)
            except wire.ShuntError as error:  # what was confirmed is not there
                raise Wrong(str(error)) from error

    def verify_with(self, client):
        self.verify_topics(client)
        for job in self.jobs:
            while client.job_show(job)["state"] != "done":
                client.ping()
        for topic in self.topics:
            self.verify_messages(client, topic)
        self.send_again(client)
        if client.stats()["conservation_error"]:
            raise Wrong("the states do not add up")

    def drain(self, port, address="127.0.0.1"):
        """Bring the history to its end, on a server whose clock is past all delays, and have it judged."""
        with Witness(self.history, port, address=address, client="drain", timeout=20.0) as client:
            finish(self.history, client, sorted(info["topic"] for info in client.topic_list()[0] if not info["topic"].startswith("dlq:")))
        self.history.judge()

    def take_over(self, port, address="127.0.0.1"):
        """Before another run: hand-outs that were given back unseen at the end of this one count too."""
        self.verify(port, address)
        with wire.Client(port, address=address, client="verify", timeout=20.0) as client:
            for seq, state in self.read_states(client, TOPIC).items():
                self.possible[TOPIC, seq] = [state]
        self.subscription = None

    def verify_topics(self, client):
        found = {info["topic"] for info in client.topic_list()[0]}
        for topic in [name for name, confirmed in self.topics.items() if name not in found]:
            if self.topics.pop(topic):
                raise Wrong(f"topic {topic} was confirmed and is gone")

    def verify_messages(self, client, topic):
        found = self.read_states(client, topic)
        published = client.topic_show(topic)["published"]
        for key in [key for key in self.possible if key[0] == topic]:
            seq = key[1]
            state = found.pop(seq, DONE if seq <= published else NONE)
            if not any(matches(state, maybe) for maybe in self.possible[key]):
                raise Wrong(f"{topic}/{seq} is {state}, and must be one of {self.possible[key]}")
        if found:
            raise Wrong(f"{topic}: never published: {sorted(found)}")

    def read_states(self, client, topic):
        found, after, more = {}, 0, True
        while more:
            rows, more = client.peek(topic, after=after, limit=200, bodies=True)
            for row in rows:
                after = row["seq"]
                if bytes(row["message"][0]) != body_of(topic, after):
                    raise Wrong(f"{topic}/{after} has another body")
                found[after] = State("live", row["generation"], row["attempts"], row["deliveries"])
        after, more = 0, True
        while more:
            rows, more = client.dlq_list(topic, after=after, limit=200)
            for row in rows:
                after = row["seq"]
                seq = int(row["origin"].rpartition("/")[2])
                if seq in found:
                    raise Wrong(f"{topic}/{seq} is both dead and alive")
                if bytes(client.dlq_show(topic, row["id"])["body"]) != body_of(topic, seq):
                    raise Wrong(f"dead letter {topic}/{seq} has another body")
                found[seq] = State("dead", row["generation"], row["attempts"], row["deliveries"])
        return found

    def send_again(self, client):
        """Frames that were not answered, and the last that was: each message is there once."""
        for number in list(self.frames)[-2:]:
            if self.frames[number][0] in self.topics:
                self.send_frame(client, number)
        for topic in self.topics:
            wanted = sum(count for name, _, count, _ in self.frames.values() if name == topic)
            if (published := client.topic_show(topic)["published"]) != wanted:
                raise Wrong(f"{topic}: {published} published in {wanted} sent once each")


def matches(found, possible):
    """A hand-out that the client did not live to see is counted all the same, and at most once."""
    if found.kind == "done" or possible.kind in ("done", "none"):
        return found.kind == possible.kind
    return found[:3] == possible[:3] and found.deliveries - possible.deliveries in ((0, 1) if found.kind == "live" else (0,))
