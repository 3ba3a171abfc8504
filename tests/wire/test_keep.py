"""Section 4 of the page: deliveries of an earlier connection that are taken up again."""

from client import SUBSCRIBE, Disconnected
from server import WireTest

STALE = 25
KEPT_MAX = 1024


class Case(WireTest):
    own_server = True

    def hold(self, count, **policy):
        admin = self.create(**policy)
        admin.publish(self.topic, *[b"%d" % n for n in range(count)])
        client = self.connect()
        subscription = client.subscribe(self.topic, messages=count)
        return client, subscription, subscription.take(count)


class Keep(Case):
    settings = "resume-wait: 0ms\n"

    def test_after_a_restart_a_consumer_goes_on_with_what_it_holds(self):
        _, _, held = self.hold(3)
        self.server.restart()
        client = self.connect()
        subscription = client.subscribe(self.topic, messages=10, kept=[(held[0], True), (held[2], False)])
        self.assertEqual(subscription.kept, [2, 2])
        other = subscription.next()
        self.assertEqual((other.message.body, other.deliveries), (b"1", 2))
        client.ping()
        self.assertEqual(len(subscription.held), 0, "what was taken up is not sent")
        self.assertEqual(subscription.ack(held[0]), {0: STALE}, "the old token is no good")
        self.assertEqual(subscription.ack(held[0]._replace(token=2), held[2]._replace(token=2), other), {})
        self.assertEqual(self.counts(client), {"acked": 3})
        self.assertEqual(client.group_show(self.topic)["deliveries"], 6)

    def test_nothing_is_taken_up_of_what_another_has_got(self):
        _, _, held = self.hold(2)
        self.server.restart()
        other = self.connect().subscribe(self.topic, messages=1)
        theirs = other.next()
        client = self.connect()
        subscription = client.subscribe(self.topic, messages=0, kept=[(d, True) for d in held])
        self.assertEqual(subscription.kept, [0 if d.seq == theirs.seq else 2 for d in held])
        self.assertEqual(other.ack(theirs), {})

    def test_what_is_taken_up_counts_against_the_window(self):
        _, _, held = self.hold(2)
        self.server.restart()
        client = self.connect()
        subscription = client.subscribe(self.topic, messages=1, kept=[(held[0], True)])
        client.ping()
        self.assertEqual(len(subscription.held), 0)
        subscription.ack(held[0]._replace(token=2))
        self.assertEqual(subscription.next().seq, held[1].seq)

    def test_what_is_taken_up_as_started_is_charged_like_the_rest(self):
        _, _, held = self.hold(2)
        self.server.restart()
        client = self.connect()
        client.subscribe(self.topic, messages=0, kept=[(held[0], True), (held[1], False)])
        client.ping()
        client.close()
        subscription = self.connect().subscribe(self.topic, messages=1)
        attempts = {}
        for _ in held:
            delivery = subscription.next()
            attempts[delivery.seq] = delivery.attempts
            subscription.ack(delivery)
        self.assertEqual(attempts, {held[0].seq: 1, held[1].seq: 0})

    def test_what_a_lost_connection_charged_is_not_taken_up(self):
        client, subscription, held = self.hold(2, backoff_min_ms=60000, backoff_max_ms=60000)
        subscription.started(held[0])
        client.ping()
        client.close()
        again = self.connect()
        self.until(lambda: self.counts(again) == {"ready": 1, "delayed": 1})
        self.assertEqual(again.subscribe(self.topic, messages=0, kept=[(d, True) for d in held]).kept, [0, 2])

    def test_names_of_no_delivery_are_not_taken_up(self):
        client = self.create()
        client.publish(self.topic, b"x")
        for seq, token in ((1, 1), (1, 0), (1, 2**64 - 1), (2**64 - 1, 1), (0, 0)):
            self.assertEqual(client.request(SUBSCRIBE, self.topic, "default", 0, 1000, [seq, token, True])[2], [0])
        self.assertEqual(client.request(SUBSCRIBE, self.topic, "default", 0, 1000, [])[2], [])
        self.assertEqual(len(client.request(SUBSCRIBE, self.topic, "default", 0, 1000, None)), 2)
        self.assertEqual(self.counts(client), {"ready": 1})

    def test_a_request_names_so_many_and_no_more(self):
        client = self.create()
        most = [part for n in range(KEPT_MAX) for part in (n, 1, False)]
        self.assertEqual(client.request(SUBSCRIBE, self.topic, "default", 0, 1000, most)[2], [0] * KEPT_MAX)
        self.refused("BAD_ARGUMENT", client.request, SUBSCRIBE, self.topic, "default", 0, 1000, [*most, 1, 1, False])
        client.ping()

    def test_a_list_of_the_wrong_shape_breaks_the_protocol(self):
        self.create()
        for kept in ([1], [1, 1], [1, 1, 1], ["a", 1, True], {"a": 1}, 7):
            with self.subTest(kept):
                client = self.connect()
                self.refused("PROTOCOL", client.request, SUBSCRIBE, self.topic, "default", 0, 1000, kept)
                with self.assertRaises(Disconnected):
                    client.ping()


class Wait(Case):
    settings = "resume-wait: 10m\n"

    def test_what_is_held_waits_for_its_consumer_whoever_comes_first(self):
        client, _, held = self.hold(2, lease_ms=600000)
        client.publish(self.topic, b"later")
        self.server.restart()
        first = self.connect()
        subscription = first.subscribe(self.topic, messages=10)
        self.assertEqual(subscription.next().message.body, b"later")
        first.ping()
        self.assertEqual(len(subscription.held), 0, "nothing that another may still hold")
        self.assertEqual(self.counts(first), {"delayed": 2, "in_flight": 1})
        again = self.connect().subscribe(self.topic, messages=10, kept=[(d, True) for d in held])
        self.assertEqual(again.kept, [2, 2])
        self.assertEqual(again.ack(*(d._replace(token=2) for d in held)), {})

    def test_it_waits_no_longer_than_a_lease(self):
        self.hold(1, lease_ms=100)
        self.server.restart()
        self.assertEqual(self.connect().subscribe(self.topic).next().deliveries, 2)

    def test_a_group_that_is_deleted_meanwhile_takes_it_along(self):
        self.hold(1, lease_ms=600000)
        self.server.restart()
        client = self.connect()
        client.topic_delete(self.topic)
        client.topic_create(self.topic)
        self.assertEqual(self.counts(client), {})


class WaitLittle(Case):
    settings = "resume-wait: 100ms\n"

    def test_then_it_is_anybodys(self):
        _, _, held = self.hold(1, lease_ms=600000)
        self.server.restart()
        other = self.connect().subscribe(self.topic)
        theirs = other.next()
        self.assertEqual((theirs.seq, theirs.attempts, theirs.deliveries), (held[0].seq, 0, 2))
        self.assertEqual(self.connect().subscribe(self.topic, messages=0, kept=[(held[0], True)]).kept, [0])
