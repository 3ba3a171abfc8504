"""Section 4 of the page, from where a client stands that is late: what it is told of a lease that is over, and what a change of the
group's lease means for what it holds."""

import unittest

from client import DELIVER, OK
from server import WireTest

STALE = 25


class Late(WireTest):
    def hold(self, **policy):
        """Somebody holds the topic's one message, and somebody else waits for it."""
        self.owner = self.create(**policy)
        self.owner.publish(self.topic, b"x")
        late, other = self.connect(), self.connect()
        subscription = late.subscribe(self.topic, messages=1)
        return late, subscription, subscription.next(), other.subscribe(self.topic, messages=1)

    def test_nobody_says_that_a_lease_is_over_but_an_answer_is_stale(self):
        late, subscription, delivery, other = self.hold(lease_ms=50)
        again = other.next()
        self.assertEqual((again.seq, again.deliveries), (delivery.seq, 2))
        subscription.started(delivery)  # what it says is over: no answer, no error
        late.ping()
        self.assertEqual((late.unasked_errors, subscription.closed, len(subscription.held)), ([], None, 0))
        self.assertEqual(subscription.extend(delivery, 30000), {0: STALE})
        self.assertEqual(subscription.ack(delivery), {0: STALE})
        other.started(again)
        self.assertEqual(other.ack(again), {})
        self.assertEqual(self.counts(self.owner), {"acked": 1})

    def test_a_changed_lease_is_that_of_later_deliveries(self):
        """What a delivery was told holds for it, for its mark as well."""
        _, subscription, delivery, other = self.hold(lease_ms=30000)
        self.owner.group_update(self.topic, "default", lease_ms=50)
        subscription.started(delivery)
        self.owner.publish(self.topic, b"y")
        short = other.next()
        self.assertEqual((delivery.lease_ms, short.lease_ms), (30000, 50))
        self.assertEqual(subscription.lease_ms, 30000, "what SUBSCRIBE was told: the lease at that moment")
        other.client.ping()
        again = self.connect().subscribe(self.topic).next()  # long after 50 ms of the first one's mark
        self.assertEqual((again.message.body, again.deliveries, again.lease_ms), (b"y", 2, 50))
        self.assertEqual(subscription.ack(delivery), {})

    def test_a_delivery_may_come_before_the_answer_that_names_its_subscription_but_not_before_it_exists(self):
        client = self.create()
        client.publish(self.topic, b"x")
        client.send(20, self.topic, "default", 1, 1000)
        frames = [client.read_frame(), client.read_frame()]
        self.assertEqual([frame[0] for frame in frames], [OK, DELIVER], "the answer comes first")
        self.assertEqual(frames[0][2], frames[1][2], "and names the subscription")


if __name__ == "__main__":
    unittest.main()
