"""client: a shunt client that sends what it is told and shows what comes, on the frames and the msgpack of the Python package (python/shunt).

A Client is one connection. request() sends and waits; send() and reply() do the halves apart, for pipelining. Deliveries
that come in between are kept on their Subscription. A Producer publishes exactly once in effect, over any number of
connections.
"""

import collections
import os
import socket
import time

from packing import Raw, decode
from tls_socket import TlsSocket

# The package can be found since packing is.
from shunt.frames import FrameReader, frame  # noqa: E402
from shunt.protocol import *  # noqa: E402, F403 (operations and outcomes are used by name)

Message = collections.namedtuple("Message", "body headers key delay ttl", defaults=(None, None, 0, 0))
Delivery = collections.namedtuple(
    "Delivery",
    "seq token attempts deliveries generation published lease_ms message dead",
)
Published = collections.namedtuple("Published", "accepted first_seq code")


class ShuntError(Exception):
    """An ERROR frame: code, name, text for people, whether the same request may succeed later, and how long to wait before (0: not said)."""

    def __init__(self, code, name, text, retry, retry_after_ms=0):
        super().__init__(f"{name} ({code}): {text}")
        self.code, self.name, self.text, self.retry, self.retry_after_ms = code, name, text, retry, retry_after_ms


class Disconnected(Exception):
    """The connection broke: whether unanswered requests took effect is unknown."""


class SubscriptionClosed(Exception):
    """CLOSED: the server ended the subscription, or (sub 0) is about to end the connection."""

    def __init__(self, sub, code, text):
        super().__init__(f"subscription {sub} closed ({code}): {text}")
        self.sub, self.code, self.text = sub, code, text


def as_message(raw):
    """A message as published: fields after the last one known are ignored, those left out have their defaults."""
    return Message(*raw[:5])


class Client:
    def __init__(self, port, address="127.0.0.1", timeout=10.0, hello=True, tls=None, login=None, **options):
        """Connect and say hello; `options` are those of HELLO (client, host, build, producer, auth, …). `port` may be the path of a Unix-domain socket. `tls`:
        an ssl.SSLContext. `login`: the `auth` of every HELLO with options that have none."""
        self.timeout, self.login = timeout, login
        if isinstance(port, int):
            self.socket = socket.create_connection((address, port), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(os.fspath(port))
        if tls:
            try:
                self.socket = TlsSocket(self.socket, tls, address if isinstance(port, int) else "localhost")
            except ConnectionError as error:
                raise Disconnected(str(error)) from error
        self.reader = FrameReader()
        self.buffer = self.reader.buffer
        self.next_id = 1
        self.waiting = collections.deque()  # ids of requests under way, in order
        self.replies = {}  # id -> fields or ShuntError
        self.unasked_errors = []  # errors to requests with id 0
        self.subscriptions = {}
        self.early = collections.defaultdict(list)  # deliveries read before the reply that names their subscription
        self.closing = None  # CLOSED with sub 0
        self.last_payload = b""
        if hello:
            try:
                self.version, self.info = self.request(HELLO, 1, 1, options)
            except BaseException:
                self.close()
                raise

    # ---- frames ----

    def send_bytes(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionError, BrokenPipeError) as error:
            raise Disconnected(str(error)) from error

    def send(self, op, *fields, id=None):
        """Send a request and return its id, for reply()."""
        if id is None:
            id, self.next_id = self.next_id, self.next_id + 1
        if id and op != STARTED:
            self.waiting.append(id)
        if op == HELLO and self.login and len(fields) > 2 and isinstance(fields[2], dict):
            fields = (*fields[:2], {"auth": self.login, **fields[2]}, *fields[3:])
        self.send_bytes(frame(op, id, *fields))
        return id

    def read_frame(self, deadline=None):
        """The next frame as a list. Raises TimeoutError at the deadline, Disconnected at the end of the stream."""
        deadline = deadline or time.monotonic() + self.timeout
        while True:
            payload = self.reader.take()
            if payload is not None:
                self.last_payload = payload
                return decode(payload)
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("nothing came from the server in time")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 18)
            except socket.timeout as error:
                raise TimeoutError("nothing came from the server in time") from error
            except ConnectionError as error:
                raise Disconnected(str(error)) from error
            finally:
                self.socket.settimeout(self.timeout)
            if not data:
                raise Disconnected("the server closed the connection")
            self.reader.feed(data)

    def step(self, deadline=None):
        """Read one frame and put it where it belongs."""
        op, id, *fields = self.read_frame(deadline)
        if op == DELIVER:
            self._delivered(*fields[:2])
        elif op == CLOSED:
            sub, code, text = fields[:3]
            if sub == 0:
                self.closing = SubscriptionClosed(sub, code, text)
            elif sub in self.subscriptions:
                self.subscriptions[sub].closed = SubscriptionClosed(sub, code, text)
        elif op in (OK, ERROR):
            outcome = ShuntError(*fields[:5]) if op == ERROR else fields
            if id == 0:
                self.unasked_errors.append(outcome)
                return
            if not self.waiting or self.waiting[0] != id:
                raise AssertionError(f"reply {id} is out of order, {list(self.waiting)[:3]} wait")
            self.waiting.popleft()
            self.replies[id] = outcome
        else:
            raise AssertionError(f"operation {op} from a server")

    def reply(self, id):
        deadline = time.monotonic() + self.timeout
        while id not in self.replies:
            self.step(deadline)
        outcome = self.replies.pop(id)
        if isinstance(outcome, ShuntError):
            raise outcome
        return outcome

    def request(self, op, *fields):
        return self.reply(self.send(op, *fields))

    def _delivered(self, sub, deliveries):
        rows = []
        for row in deliveries:
            dead = row[8] if len(row) > 8 else None
            rows.append(Delivery(*row[:7], as_message(row[7]), dead))
        if sub in self.subscriptions:
            self.subscriptions[sub].held.extend(rows)
        else:
            self.early[sub].extend(rows)

    # ---- connection ----

    def ping(self):
        self.request(PING)

    def goodbye(self):
        self.request(GOODBYE)
        self.expect_end()
        self.close()

    def expect_end(self):
        """Read until the server closes; whatever is still under way is read too."""
        deadline = time.monotonic() + self.timeout
        try:
            while True:
                self.step(deadline)
        except Disconnected:
            return

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- publishing and consuming ----

    def publish(self, topic, *messages, sequence=0, forget_below=0):
        """Publish bodies (bytes) or Messages."""
        rows = [list(m) if isinstance(m, tuple) else [m] if isinstance(m, bytes) and not isinstance(m, Raw) else m for m in messages]
        return Published(*self.request(PUBLISH, topic, sequence, forget_below, rows)[:3])

    def subscribe(self, topic, group="default", messages=100, bytes=1 << 20, kept=None):
        """`kept`: pairs of a delivery of an earlier connection and whether a handler runs on it."""
        more = [] if kept is None else [[part for d, started in kept for part in (d.seq, d.token, started)]]
        sub, lease_ms, *tokens = self.request(SUBSCRIBE, topic, group, messages, bytes, *more)
        subscription = Subscription(self, sub, lease_ms)
        subscription.kept = tokens[0] if tokens else None  # their new tokens, 0 for what was not taken up
        self.subscriptions[sub] = subscription
        subscription.held.extend(self.early.pop(sub, []))
        return subscription

    # ---- topics and groups ----

    def topic_create(self, topic, groups=None, **policy):
        fields = [topic, policy] + ([groups] if groups is not None else [])
        self.request(TOPIC_CREATE, *fields)

    def topic_update(self, topic, **policy):
        self.request(TOPIC_UPDATE, topic, policy)

    def topic_show(self, topic):
        return self.request(TOPIC_SHOW, topic)[0]

    def topic_list(self, after=None, limit=100):
        return self.request(TOPIC_LIST, after, limit)[:2]

    def overview(self, after=None, limit=100):
        """Rows, more, next, now."""
        return self.request(OVERVIEW, after, limit)[:4]

    def topic_delete(self, topic):
        return self.request(TOPIC_DELETE, topic)[0]

    def topic_purge(self, topic, group=None):
        return self.request(TOPIC_PURGE, topic, group)[0]

    def group_create(self, topic, group, start=None, **policy):
        self.request(GROUP_CREATE, topic, group, policy, start)

    def group_update(self, topic, group, **policy):
        self.request(GROUP_UPDATE, topic, group, policy)

    def group_show(self, topic, group="default"):
        return self.request(GROUP_SHOW, topic, group)[0]

    def group_list(self, topic):
        return self.request(GROUP_LIST, topic)[0]

    def group_delete(self, topic, group):
        return self.request(GROUP_DELETE, topic, group)[0]

    def group_pause(self, topic, group="default"):
        self.request(GROUP_PAUSE, topic, group)

    def group_resume(self, topic, group="default"):
        self.request(GROUP_RESUME, topic, group)

    def group_holders(self, topic, group="default", after=0, limit=None):
        """Rows, whether there are more, where the next page begins, the server's time."""
        return self.request(GROUP_HOLDERS, topic, group, after, limit)[:4]

    def key_list(self, topic, group=None, by=None, limit=None):
        return self.request(KEY_LIST, topic, group, by, limit)[0]

    # ---- looking, dead letters, jobs ----

    def peek(self, topic, group="default", after=0, limit=100, bodies=False):
        return self.request(PEEK, topic, group, after, limit, bodies)[:2]

    def why(self, topic, seq, group=None):
        return self.request(WHY, topic, seq, group)[0]

    def dlq_list(self, topic, group="default", after=0, limit=100, **filter):
        return self.request(DLQ_LIST, topic, group, after, limit, filter)[:2]

    def dlq_find(self, topic, group="default", **filter):
        """The numbers of all messages whose letters are as the filter says, page by page."""
        found, after, more = [], 0, True
        while more:
            rows, more, after = self.request(DLQ_LIST, topic, group, after, 100, filter)[:3]
            found += [int(row["origin"].split("/")[1]) for row in rows]
        return found

    def dlq_causes(self, topic, group="default"):
        return self.request(DLQ_CAUSES, topic, group)[0]

    def dlq_cause(self, topic, cause, group="default"):
        return self.request(DLQ_CAUSE, topic, group, cause)[0]

    def dlq_attend(self, topic, group="default", cause=None, messages=None):
        return self.request(DLQ_ATTEND, topic, group, cause, messages)[0]

    def cause_update(self, topic, cause, group="default", **change):
        return self.request(CAUSE_UPDATE, topic, group, cause, change)[0]

    def dlq_edit(self, topic, message, body=None, edit=0, group="default"):
        return self.request(DLQ_EDIT, topic, group, message, edit, body)[0]

    def rule_set(self, topic, action=None, rule=0, filter=None, group="default", **options):
        """Its number."""
        if action:
            options["action"] = action
        return self.request(RULE_SET, topic, group, rule, filter, options)[0]

    def rule_list(self, topic, group="default"):
        return self.request(RULE_LIST, topic, group)[0]

    def rule_delete(self, topic, rule, group="default"):
        self.request(RULE_DELETE, topic, group, rule)

    def rule_test(self, topic, rule=0, filter=None, after=0, limit=None, group="default"):
        return self.request(RULE_TEST, topic, group, rule, filter, after, limit)[:3]

    def dlq_show(self, topic, message, group="default"):
        return self.request(DLQ_SHOW, topic, group, message)[0]

    def dlq_redrive(self, topic, group="default", rate=0, options=None, **which):
        return self.request(DLQ_REDRIVE, topic, group, which, rate, options)[:2]

    def dlq_purge(self, topic, group="default", filter=None, **which):
        return self.request(DLQ_PURGE, topic, group, which, filter)[:2]

    def job_show(self, job):
        return self.request(JOB_SHOW, job)[0]

    def clock_set(self):
        """How far it was off, in ms."""
        return self.request(CLOCK_SET)[0]

    def job_cancel(self, job):
        self.request(JOB_CANCEL, job)

    def job_list(self, after=0, limit=0):
        return self.request(JOB_LIST, after, limit)[:2]

    def job_pause(self, job):
        self.request(JOB_PAUSE, job)

    def job_resume(self, job):
        self.request(JOB_RESUME, job)

    def stats(self):
        return self.request(STATS)[0]

    def client_list(self, after=0, limit=None):
        """Rows, whether there are more, where the next page begins, the server's time."""
        return self.request(CLIENT_LIST, after, limit)[:4]


class Subscription:
    """What one subscription has been handed, and the answers to it."""

    def __init__(self, client, sub, lease_ms):
        self.client, self.sub, self.lease_ms = client, sub, lease_ms
        self.held = collections.deque()  # delivered and not yet taken with next()
        self.closed = None

    def next(self, timeout=None):
        """The next delivery; None if there is none in time."""
        deadline = time.monotonic() + (self.client.timeout if timeout is None else timeout)
        while not self.held:
            if self.closed:
                raise self.closed
            try:
                self.client.step(deadline)
            except TimeoutError:
                return None
        return self.held.popleft()

    def take(self, count):
        """Exactly so many deliveries, or an error."""
        taken = []
        while len(taken) < count:
            delivery = self.next()
            if delivery is None:
                raise TimeoutError(f"{len(taken)} of {count} deliveries came")
            taken.append(delivery)
        return taken

    def started(self, *deliveries):
        marks = [part for d in deliveries for part in (d.seq, d.token)]
        self.client.send(STARTED, self.sub, marks, id=0)

    def resolve(self, *entries):
        """Entries as the page has them. Returns {index: code} of those that had no effect."""
        flat = self.client.request(RESOLVE, self.sub, [list(entry) for entry in entries])[0]
        return dict(zip(flat[::2], flat[1::2]))

    def ack(self, *deliveries):
        return self.resolve(*((d.seq, d.token, ACK) for d in deliveries))

    def nack(self, delivery, delay=None, *error):
        return self.resolve((delivery.seq, delivery.token, NACK, delay, *error))

    def reject(self, delivery, *error):
        return self.resolve((delivery.seq, delivery.token, REJECT, None, *error))

    def release(self, *deliveries):
        return self.resolve(*((d.seq, d.token, RELEASE) for d in deliveries))

    def extend(self, delivery, ms):
        return self.resolve((delivery.seq, delivery.token, EXTEND, ms))

    def credit(self, messages, bytes=1 << 20):
        self.client.request(CREDIT, self.sub, messages, bytes)

    def unsubscribe(self):
        self.client.request(UNSUBSCRIBE, self.sub)


class Producer:
    """Publishing exactly once in effect: frames keep their numbers, and after a lost connection all that are unanswered are
    sent again, unchanged and in order, before any new one."""

    def __init__(self, connect, id=None):
        self.id = id or os.urandom(16)
        self.connect = connect  # connect(producer=...) returns a Client
        self.client = None
        self.sequence = 0
        self.unanswered = collections.OrderedDict()  # sequence -> fields as first sent
        self.requests = {}  # sequence -> request id on this connection
        self.answers = {}

    def send(self, topic, *bodies):
        """Send a frame without waiting; returns its sequence."""
        self.sequence += 1
        forget_below = next(iter(self.unanswered), self.sequence)
        self.unanswered[self.sequence] = (topic, self.sequence, forget_below, [[body] for body in bodies])
        try:
            if self.client is None:
                self._reconnect()
            else:
                self._send(self.sequence)
        except Disconnected:
            self.client = None
        return self.sequence

    def flush(self):
        """Wait for all answers, connecting again as often as it takes. Returns {sequence: Published} of all frames."""
        while self.unanswered:
            try:
                if self.client is None:
                    self._reconnect()
                sequence = next(iter(self.unanswered))
                answer = self.client.reply(self.requests[sequence])
                self.answers[sequence] = Published(*answer[:3])
                del self.unanswered[sequence]
            except Disconnected:
                self.client = None
        return self.answers

    def drop_connection(self):
        """As if the network had failed."""
        if self.client:
            self.client.close()
        self.client = None

    def _reconnect(self):
        self.client = self.connect(producer=self.id)
        self.requests = {}
        for sequence in self.unanswered:
            self._send(sequence)

    def _send(self, sequence):
        self.requests[sequence] = self.client.send(PUBLISH, *self.unanswered[sequence])
