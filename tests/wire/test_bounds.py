"""What is stored can be read: the largest message in every frame that carries it, the last page of every listing, and limits
that are lowered while messages wait."""

import re
import unittest

from client import DLQ_REDRIVE, PEEK, REJECT, TOPIC_PURGE
from packing import encode
from server import WireTest

BODY_BYTES_MAX = 16777216
MESSAGE_EXTRA_BYTES_MAX = 65536
ERROR_STACK_BYTES_MAX = 16384
HISTORY_ROWS_MAX = 16
JOBS_RATED_MAX = 1000
LAST = (1 << 64) - 1


def message_of(body_bytes, extra_bytes):
    """A body of that size, all that is known beside it, and a field of a later version that fills it up."""
    headers = {f"{i:0256}": b"v" * 3833 for i in range(8)}
    message = [b"b" * body_bytes, headers, b"k" * 256, 0, 0, 0, b""]
    room = extra_bytes - (len(encode(message)) - body_bytes)
    message[6] = b"l" * (room - 1)  # its own head grows by one byte
    assert len(encode(message)) == body_bytes + extra_bytes
    return message


class Largest(WireTest):
    settings = f"max-body-bytes: {BODY_BYTES_MAX}\n"

    def test_what_a_message_has_beside_its_body_is_held_at_and_above(self):
        client = self.create()
        for body in (0x100, 0x10000, BODY_BYTES_MAX):
            with self.subTest(body=body):
                client.publish(self.topic, message_of(body, MESSAGE_EXTRA_BYTES_MAX))
                error = self.refused("TOO_LARGE", client.publish, self.topic, message_of(body, MESSAGE_EXTRA_BYTES_MAX + 1))
                self.assertIn("beside its body", error.text)
        self.assertEqual(self.counts(client), {"ready": 3})

    def test_the_largest_message_can_be_had_in_every_way(self):
        client = self.create(max_attempts=1000)
        largest = message_of(BODY_BYTES_MAX, MESSAGE_EXTRA_BYTES_MAX)
        # Those before it leave a frame and a page just short of their ends.
        client.publish(self.topic, b"s" * 260000, b"p" * 3900000)
        client.publish(self.topic, largest)
        worker = self.connect(client="c" * 128, host="h" * 128, build="b" * 128)
        subscription = worker.subscribe(self.topic, messages=3, bytes=1 << 26)
        held = subscription.take(3)
        self.assertEqual(held[2].message.body, largest[0])
        after, sizes, more = 0, [], True
        while more:  # page by page
            page, more, after = client.request(PEEK, self.topic, "default", after, 100, True)[:3]
            sizes.append([len(row["message"][0]) for row in page])
        self.assertEqual(sizes, [[260000, 3900000], [BODY_BYTES_MAX]])
        subscription.ack(*held[:2])
        delivery = held[2]
        for _ in range(HISTORY_ROWS_MAX):
            subscription.nack(delivery, 0, "t" * 128, "m" * 1024, "s" * ERROR_STACK_BYTES_MAX)
            delivery = subscription.next()
        subscription.reject(delivery, "t" * 128, "m" * 1024, "s" * ERROR_STACK_BYTES_MAX)
        [dead], _ = client.dlq_list(self.topic)
        shown = client.dlq_show(self.topic, dead["id"])
        self.assertEqual(shown["body"], largest[0])
        self.assertEqual(len(shown["history"]), HISTORY_ROWS_MAX)
        letter = client.subscribe(f"dlq:{self.topic}:default", bytes=1 << 26).next()
        self.assertEqual(letter.message.body, largest[0])
        self.assertEqual(letter.dead["origin"], dead["origin"])


class Pages(WireTest):
    def test_after_the_last_number_there_is_nothing(self):
        client = self.create()
        client.publish(self.topic, b"1", b"2")
        subscription = client.subscribe(self.topic, messages=1)
        subscription.reject(subscription.next())
        for after in (2, 3, LAST - 1, LAST):
            with self.subTest(after=after):
                page, more, following = client.request(PEEK, self.topic, "default", after, 100, False)[:3]
                self.assertEqual((page, more), ([], False))
                self.assertGreaterEqual(following, after)
                self.assertEqual(client.dlq_list(self.topic, after=after), [[], False])
        for after in (b"\xff" * 100, b"zzzz" * 20, b"dlq:", "dlq:~"):
            with self.subTest(after=after):
                name = after.decode("latin-1") if isinstance(after, bytes) else after
                page, _ = client.topic_list(name)
                self.assertFalse([row for row in page if row["topic"].encode() <= name.encode()])
        self.refused("NOT_FOUND", client.job_show, LAST)
        self.refused("NOT_FOUND", client.dlq_show, self.topic, str(LAST))
        self.refused("NOT_FOUND", client.dlq_show, self.topic, f"{self.topic}/{LAST}")


class Lowered(WireTest):
    def worn(self, **policy):
        """A group whose only message has failed three times and is ready."""
        client = self.create(max_attempts=10, **policy)
        client.publish(self.topic, b"x")
        subscription = client.subscribe(self.topic)
        for _ in range(3):
            subscription.nack(subscription.next(), 0)
        subscription.release(subscription.next())
        subscription.unsubscribe()
        return client

    def expect_dead(self, client):
        subscription = client.subscribe(self.topic)
        client.publish(self.topic, b"behind it")
        self.assertEqual(subscription.next().message.body, b"behind it", "the other one is not handed out")
        self.assertEqual(self.counts(client), {"in_flight": 1, "dead": 1})
        [dead], _ = client.dlq_list(self.topic)
        self.assertEqual((dead["reason"], dead["attempts"]), ("max_attempts", 3))

    def test_a_topic_s_limit_works_at_once(self):
        client = self.worn()
        client.topic_update(self.topic, max_attempts=3)
        self.expect_dead(client)

    def test_a_group_s_limit_works_at_once(self):
        client = self.worn()
        client.group_update(self.topic, "default", max_attempts=1)
        self.expect_dead(client)

    def test_a_limit_that_is_inherited_again_works_at_once(self):
        client = self.worn()
        client.group_update(self.topic, "default", max_attempts=20)
        client.topic_update(self.topic, max_attempts=2)
        client.subscribe(self.topic).next()  # the group's own still stands
        client.goodbye()
        client = self.connect()
        client.group_update(self.topic, "default", max_attempts=None)
        self.expect_dead(client)

    def test_a_limit_above_what_failed_changes_nothing(self):
        client = self.worn()
        client.topic_update(self.topic, max_attempts=4)
        self.assertEqual(client.subscribe(self.topic).next().attempts, 3)


class Jobs(WireTest):
    def test_redrives_with_a_rate_leave_room_for_other_jobs(self):
        client = self.create()
        count = JOBS_RATED_MAX * 3 + 6
        client.publish(self.topic, *[b"x"] * count)
        subscription = client.subscribe(self.topic, messages=count)
        subscription.resolve(*((d.seq, d.token, REJECT) for d in subscription.take(count)))
        subscription.credit(0)
        threes = [{"ids": [str(3 * n + 1), str(3 * n + 2), str(3 * n + 3)]} for n in range(JOBS_RATED_MAX + 1)]
        waits = {"canary": 1}  # nobody takes the canary, so none of these ends
        asked = [client.send(DLQ_REDRIVE, self.topic, "default", three, 1, waits) for three in threes]
        jobs = [client.reply(id)[0] for id in asked[:-1]]
        error = self.refused("TOO_MANY", client.reply, asked[-1])
        self.assertTrue(error.retry)
        self.assertIn("rate", error.text)
        self.server.restart()
        client = self.connect()
        self.refused("TOO_MANY", client.dlq_redrive, self.topic, rate=1, **threes[-1])
        job, _ = client.dlq_redrive(self.topic, **threes[-1])
        self.until(lambda: client.job_show(job)["state"] == "done")
        client.job_cancel(jobs[-1])  # which makes room for another one
        self.until(lambda: client.job_show(jobs[-1])["state"] == "done")
        client.dlq_redrive(self.topic, rate=1, options=waits, **threes[-2])
        client.topic_delete(self.topic)


class InFlight(WireTest):
    own_server = True
    settings = "max-in-flight: 1000\nmax-connections: 50\n"  # a part of 10 for each

    def metric(self, name):
        [value] = re.findall(rf"^{name} (\d+)$", self.server.metrics(), re.MULTILINE)
        return int(value)

    def hoard(self):
        """A connection that asks for all there is, and holds what it got."""
        client = self.connect()
        subscriptions = [client.subscribe(self.topic, messages=65536, bytes=1 << 28) for _ in range(3)]
        client.ping()  # what was ready has been handed out in the turns of its subscriptions
        return client, subscriptions

    def in_flight(self):
        return self.counts(self.admin).get("in_flight", 0)

    def test_a_limit_on_all_and_a_share_for_each(self):
        self.admin = self.create(lease_ms=3600000)
        for _ in range(3):
            self.admin.publish(self.topic, *[b"x"] * 1000)
        client, subscriptions = self.hoard()
        self.assertEqual(self.in_flight(), 10 + 250, "its part, and half of what is shared")
        others = [self.hoard() for _ in range(20)]
        self.assertLess(self.in_flight(), 1000)
        late = self.connect()
        self.assertEqual(len(late.subscribe(self.topic, messages=10).take(10)), 10, "its part, whatever the others hold")
        self.assertLessEqual(self.in_flight(), 1000)
        self.assertEqual(self.metric("shunt_in_flight_max"), 1000)
        self.assertEqual(self.metric("shunt_in_flight"), self.in_flight())
        # What comes back is handed out again, and nothing is left behind.
        subscriptions = subscriptions + [s for _, more in others for s in more]
        self.drain(subscriptions, 3000 - 10)
        late.close()

    def drain(self, subscriptions, count):
        done = 0
        while done < count:
            before = done
            for subscription in subscriptions:
                subscription.client.ping()
                held = list(subscription.held)
                subscription.held.clear()
                subscription.ack(*held)
                done += len(held)
            self.assertTrue(done > before or self.in_flight() > 10 or done == count, f"{done} of {count} came")
        self.assertEqual(done, count)

    def test_a_restart_keeps_it(self):
        self.admin = self.create(lease_ms=3600000)
        self.admin.publish(self.topic, *[b"x"] * 2000)
        self.hoard()
        self.assertEqual(self.in_flight(), 260)
        self.server.restart()
        self.admin = self.connect()
        self.assertEqual(self.in_flight(), 0)
        self.hoard()
        self.assertEqual(self.in_flight(), 260)


class Purge(WireTest):
    def test_what_was_in_flight_or_dead_when_it_was_asked_for_stays(self):
        count = 16000  # of which a purge takes some at a time
        client = self.create()
        client.publish(self.topic, *[b"x"] * count, b"dead", b"released", b"nacked")
        worker = self.connect()
        subscription = worker.subscribe(self.topic, messages=count + 3)
        held = subscription.take(count + 3)
        subscription.credit(0)
        subscription.release(*held[:count])  # ready, and before the others
        subscription.reject(held[count])
        # In one go, so that all of it is asked for before the purge comes that far.
        ids = [client.send(TOPIC_PURGE, self.topic, None), client.send(DLQ_REDRIVE, self.topic, "default", {"all": True}, 0)]
        job = client.reply(ids[0])[0]
        subscription.release(held[count + 1])
        subscription.nack(held[count + 2], 3600000)
        self.until(lambda: client.job_show(job)["state"] == "done")
        client.reply(ids[1])
        self.until(lambda: not self.counts(client).get("dead"))
        self.assertEqual(self.counts(client), {"ready": 2, "delayed": 1, "purged": count})


if __name__ == "__main__":
    unittest.main()
