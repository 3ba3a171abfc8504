"""Section 2 of the page: WITHIN, a request whose caller does not wait for ever. That what piled up is not carried out is shown by e2e-within."""

import unittest

from client import DLQ_LIST, GROUP_SHOW, HELLO, PING, PUBLISH, STARTED, STATS, SUBSCRIBE, WITHIN, Disconnected, ShuntError
from server import WireTest

LONG_MS = 600000


class Within(WireTest):
    def test_it_is_granted_to_those_who_ask(self):
        self.assertEqual(self.connect(features=["within"]).info["features"], ["within"])
        self.assertEqual(self.connect(features=["within", "dead_history"]).info["features"], ["dead_history", "within"])
        self.assertEqual(self.connect().info["features"], [])

    def test_it_is_answered_as_what_it_carries(self):
        client = self.create()
        self.assertEqual(client.request(WITHIN, LONG_MS, PING), [])
        self.assertEqual(client.request(WITHIN, LONG_MS, PUBLISH, self.topic, 0, 0, [[b"x"]])[:3], [1, 1, 0])
        self.assertEqual(client.request(WITHIN, 2**64 - 1, GROUP_SHOW, self.topic, "default")[0]["ready"], 1)
        sub, lease_ms = client.request(WITHIN, LONG_MS, SUBSCRIBE, self.topic, "default", 1, 1000)[:2]
        self.assertGreater(lease_ms, 0)
        self.refused("UNKNOWN_TOPIC", client.request, WITHIN, LONG_MS, DLQ_LIST, "none", "default")

    def test_a_time_of_0_is_over_and_nothing_is_done(self):
        client = self.create()
        expired = client.stats()["requests_expired"]
        error = self.refused("DEADLINE_EXCEEDED", client.request, WITHIN, 0, PUBLISH, self.topic, 0, 0, [[b"x"]])
        self.assertTrue(error.retry)
        self.assertEqual(self.counts(client), {})
        self.assertEqual(client.publish(self.topic, b"x").first_seq, 1)
        self.assertEqual(client.stats()["requests_expired"], expired + 1)

    def test_a_numbered_frame_that_was_not_stored_can_be_sent_again(self):
        client = self.connect(producer=b"within----------")
        client.topic_create(self.topic)
        self.refused("DEADLINE_EXCEEDED", client.request, WITHIN, 0, PUBLISH, self.topic, 1, 1, [[b"x"]])
        self.assertEqual(client.publish(self.topic, b"x", sequence=1, forget_below=1).first_seq, 1)
        self.assertEqual(client.request(WITHIN, LONG_MS, PUBLISH, self.topic, 1, 1, [[b"x"]])[:2], [1, 1], "it is the same frame")
        self.assertEqual(self.counts(client), {"ready": 1})

    def test_replies_come_in_the_order_of_the_requests(self):
        client = self.create()
        late, soon = client.send(WITHIN, 0, STATS), client.send(WITHIN, LONG_MS, PING)
        self.assertEqual(client.reply(soon), [])
        self.assertIsInstance(client.replies[late], ShuntError)

    def test_what_it_cannot_carry_is_unsupported(self):
        client = self.connect()
        for op in (WITHIN, HELLO, STARTED, 5, 2**32):
            with self.subTest(op=op):
                self.refused("UNSUPPORTED", client.request, WITHIN, LONG_MS, op)
        client.ping()

    def test_a_field_that_is_missing_or_of_another_type_ends_the_connection(self):
        for fields in ([], [LONG_MS], ["1s", PING], [-1, PING], [LONG_MS, "ping"], [None, PING], [LONG_MS, GROUP_SHOW, "t"], [LONG_MS, GROUP_SHOW, "t", 7]):
            with self.subTest(fields=fields):
                client = self.connect()
                self.refused("PROTOCOL", client.request, WITHIN, *fields)
                with self.assertRaises(Disconnected):
                    client.ping()


if __name__ == "__main__":
    unittest.main()
