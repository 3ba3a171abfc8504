"""Section 4 of the page: who lets a lease run out and says nothing, clients without marks, and connections that the server closes."""

from client import PEEK, Message, frame
from server import WireTest

STALE = 25


class Silence(WireTest):
    def setUp(self):
        super().setUp()
        self.admin = self.create(lease_ms=60)

    def silent(self):
        return [row["client"] for row in self.admin.stats()["silent"]]

    def hold(self, count, **options):
        client = self.connect(**options)
        self.admin.publish(self.topic, *[b"%d" % n for n in range(count)])
        subscription = client.subscribe(self.topic, messages=count)
        return client, subscription, subscription.take(count)

    def test_who_lets_a_lease_run_out_is_handed_nothing_until_it_is_heard(self):
        frozen, its, _ = self.hold(1, client="ice", host="pole")
        self.until(lambda: self.silent() == ["ice"])
        other = self.connect().subscribe(self.topic, messages=1)
        for n in range(20):
            delivery = other.next()
            self.assertIsNotNone(delivery)
            self.assertEqual(other.ack(delivery), {})
            self.admin.publish(self.topic, b"more")
        other.unsubscribe()
        self.assertEqual(self.counts(self.admin), {"ready": 1, "acked": 20}, "there is nobody else, and it waits")
        frozen.ping()
        self.assertEqual(its.next().message.body, b"more")
        self.assertEqual(len(its.held), 0, "and got nothing meanwhile")

    def test_a_consumer_that_is_silent_is_named(self):
        client, _, _ = self.hold(1, client="ice", host="pole")
        port = client.socket.getsockname()[1]
        self.until(lambda: self.silent() == ["ice"])
        [row] = self.admin.stats()["silent"]
        self.assertEqual((row["host"], row["peer"]), ("pole", f"127.0.0.1:{port}"))
        self.assertGreaterEqual(row["silent_ms"], 60)
        self.assertEqual(self.admin.stats()["silent_consumers"], 1)
        said = f"event=consumer_silent client=ice host=pole peer=127.0.0.1:{port} "
        self.until(lambda: said in self.server.log_text())
        text = self.server.metrics()
        self.assertIn("shunt_silent_consumers 1\n", text)
        self.assertIn(f'shunt_silent_consumer_seconds{{client="ice",host="pole",peer="127.0.0.1:{port}"}} ', text)
        client.ping()
        self.assertEqual(self.admin.stats()["silent"], [])
        self.until(lambda: f"event=consumer_heard client=ice host=pole peer=127.0.0.1:{port} " in self.server.log_text())

    def attempts(self, count):
        """Of the messages that come to somebody else, by body."""
        subscription = self.connect().subscribe(self.topic, messages=count)
        return {d.message.body: d.attempts for d in subscription.take(count)}

    def test_without_marks_a_frozen_client_charges_the_oldest_alone(self):
        self.hold(20, marks=False)
        self.until(lambda: self.admin.stats()["silent_consumers"] == 1)
        self.assertEqual(self.attempts(20), {b"%d" % n: int(n == 0) for n in range(20)})

    def test_without_marks_who_is_slow_has_a_lease_from_each_answer_on(self):
        self.admin.topic_update(self.topic, lease_ms=2000, max_attempts=1)
        _, its, held = self.hold(3, marks=False)
        its.credit(0)
        for delivery in held[:2]:
            self.assertIsNone(its.next(timeout=1.2))  # it is at work; the leases that began with the delivery end meanwhile
            self.assertEqual(its.ack(delivery), {})
        self.assertEqual(self.counts(self.admin), {"ready": 1, "acked": 2}, "nobody died of one charged attempt")
        self.assertEqual(its.ack(held[2]), {0: STALE})


class Closed(WireTest):
    """A client that reads nothing is closed by the server, and not by itself."""

    settings = "write-timeout: 300ms\nunsent-bytes: 64KiB\n"

    def outcomes(self):
        lines = self.server.metrics().splitlines()
        names = {name: f'shunt_attempts_total{{topic="{self.topic}",group="default",outcome="{name}"}} ' for name in ("suspected", "disconnected")}
        return {name: sum(int(line.split()[-1]) for line in lines if line.startswith(begin)) for name, begin in names.items()}

    def is_closed_while_at_work(self, topic, admin):
        """It begins its first message, asks for more than it reads, and is closed."""
        before = admin.stats()["connections"]
        client = self.connect()
        subscription = client.subscribe(topic, messages=1)
        delivery = subscription.next()
        subscription.started(delivery)
        client.ping()
        client.send_bytes(b"".join(frame(PEEK, 1000 + n, self.topic + "-large", "default", 0, 100, True) for n in range(40)))
        self.until(lambda: admin.stats()["connections"] == before)
        client.close()
        return delivery

    def test_what_a_closed_client_was_at_work_on_is_charged_the_second_time(self):
        admin = self.create()
        admin.topic_create(self.topic + "-large")
        admin.publish(self.topic + "-large", *[b"x" * 500_000] * 8)
        admin.publish(self.topic, Message(b"job"))
        first = self.is_closed_while_at_work(self.topic, admin)
        self.assertEqual((first.attempts, first.deliveries), (0, 1))
        second = self.is_closed_while_at_work(self.topic, admin)
        self.assertEqual((second.attempts, second.deliveries), (0, 2), "it was the server that closed")
        subscription = self.connect().subscribe(self.topic)
        third = subscription.next()
        self.assertEqual((third.attempts, third.deliveries), (1, 3), "nobody escapes the count for ever")
        self.until(lambda: self.outcomes() == {"suspected": 1, "disconnected": 1})
