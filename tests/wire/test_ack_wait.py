"""Section 4 of the page: acks that may be kept back until there is something else to commit."""

import unittest

from client import ACK, RESOLVE
from server import WireTest

ROUNDS = 20


class Patient(WireTest):
    """The longest `ack-wait` there is, so that a slow machine does not end a wait."""

    own_server = True
    settings = "ack-wait: 1s\n"

    def commits_of(self, client, patience):
        """Commits while so many messages are acked and as many published, each ack before the publish that follows it."""
        subscription = client.subscribe(self.topic)
        producer = self.connect()
        producer.publish(self.topic, b"x")
        before = producer.stats()["commits"]
        for _ in range(ROUNDS):
            delivery = subscription.next()
            answer = client.send(RESOLVE, subscription.sub, [[delivery.seq, delivery.token, ACK, *patience]])
            if not patience:
                client.reply(answer)
            producer.publish(self.topic, b"x")
            if patience:
                client.reply(answer)
        return producer.stats()["commits"] - before

    def test_an_ack_that_may_wait_is_committed_with_what_comes_next(self):
        self.assertLessEqual(self.commits_of(self.create(), [1000]), ROUNDS + 2)

    def test_an_ack_that_may_not_wait_is_committed_at_once(self):
        self.assertGreaterEqual(self.commits_of(self.create(), []), 2 * ROUNDS)

    def test_an_ack_that_waits_in_vain_is_committed_and_answered(self):
        client = self.create()
        client.publish(self.topic, b"x")
        subscription = client.subscribe(self.topic)
        delivery = subscription.next()
        self.assertEqual(subscription.resolve((delivery.seq, delivery.token, ACK, 5)), {})
        self.server.restart()
        self.assertEqual(self.counts(self.connect()), {"acked": 1})

    def test_an_ack_that_makes_room_does_not_wait(self):
        """The message that it makes room for is handed out, and told in the same commit."""
        client = self.create()
        client.publish(self.topic, b"1", b"2")
        subscription = client.subscribe(self.topic, messages=1)
        delivery = subscription.next()
        before = client.stats()["commits"]
        answer = client.send(RESOLVE, subscription.sub, [[delivery.seq, delivery.token, ACK, 1000]])
        self.assertEqual(subscription.next().message.body, b"2")
        client.reply(answer)
        self.assertEqual(client.stats()["commits"] - before, 1)

    def test_a_stop_commits_what_waits(self):
        client = self.create()
        client.publish(self.topic, b"x")
        subscription = client.subscribe(self.topic)
        delivery = subscription.next()
        client.send(RESOLVE, subscription.sub, [[delivery.seq, delivery.token, ACK, 1000]])
        self.assertEqual(self.server.terminate(), 0)
        self.server.start()
        self.assertEqual(self.counts(self.connect()), {"acked": 1})


class AtOnce(WireTest):
    own_server = True
    settings = "ack-wait: 0ms\n"

    def test_a_server_that_keeps_no_ack_back(self):
        client = self.create()
        client.publish(self.topic, b"x", b"y")
        subscription = client.subscribe(self.topic)
        before = client.stats()["commits"]
        for delivery in subscription.take(2):
            self.assertEqual(subscription.resolve((delivery.seq, delivery.token, ACK, 1000)), {})
        self.assertEqual(client.stats()["commits"] - before, 2)


if __name__ == "__main__":
    unittest.main()
