"""What messages, subscriptions and connections cost the server in memory of its own.

Ready messages cost nothing: test_backlog.py. Each bound here is that of docs/configuration.md, with room for what the allocator keeps.
"""
import os
import resource
import threading
import unittest
import urllib.request

import harness
import wire
from memory import own_bytes
from secure import plain_only

MIB = 1 << 20
KEPT_BYTES = 6 * MIB  # buffers that grew with the first requests and stay, whatever the count
IN_FLIGHT, IN_FLIGHT_BYTES_MAX, CONSUMERS = 200_000, 144, 4
DELAYED, DELAYED_BYTES_MAX = 500_000, 16
SILENT, SILENT_BYTES_MAX = 5000, 4096
SUBSCRIPTIONS, SUBSCRIPTION_BYTES_MAX = 20_000, 400
TOPICS, TOPIC_BYTES_MAX = 6400, 3584
GROUPS, GROUPS_OF_A_TOPIC, GROUP_BYTES_MAX = 6300, 63, 2304
FRAME_MESSAGES, CREDIT_MESSAGES = 5000, 65536
HOUR_MS = 3600 * 1000
# The largest frames there may be, of the messages that write most for their size; the whole store's transaction is bounded.
FLOOD_FRAMES, FLOOD_FRAME_MESSAGES, FLOOD_GROUPS, TRANSACTION_BYTES_MAX = 24, 16384, 16, 64 * MIB
LARGE_BYTES, LOOK_SECONDS = 16384, 0.002


@unittest.skipIf(os.environ.get("SANITIZED"), "a sanitizer's memory is its own")
@plain_only("it weighs what connections and messages take")
class Costs(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server(settings=harness.SMALL_JOURNAL))
        self.client = self.connect()

    def connect(self, **options):
        client = wire.connect(self.server, **options)
        self.addCleanup(client.close)
        return client

    def own_bytes(self):
        return own_bytes(self.server.process.pid)

    def metric(self, name):
        with urllib.request.urlopen(self.server.http + "/metrics", timeout=60) as page:
            return float(next(line.split()[1] for line in page.read().decode().splitlines() if line.startswith(name + " ")))

    def publish(self, count, *options):
        for _ in range(count // FRAME_MESSAGES):
            self.client.publish("t", *[(b"0123456789", *options)] * FRAME_MESSAGES)

    def expect(self, what, count, before, each_max):
        grown = self.own_bytes() - before
        print(f"{what}: {grown >> 10} KiB for {count}, {max(grown, 0) / count:.1f} bytes each")
        self.assertLessEqual(grown, count * each_max + KEPT_BYTES)

    def test_messages_in_flight(self):
        self.client.topic_create("t", lease_ms=HOUR_MS)
        self.publish(IN_FLIGHT)
        before = self.own_bytes()
        consumers = [self.connect() for _ in range(CONSUMERS)]
        for consumer in consumers:
            consumer.send(wire.SUBSCRIBE, "t", "default", CREDIT_MESSAGES, 1 << 28)
            consumer.socket.settimeout(0.05)

        def all_are_in_flight():
            for consumer in consumers:
                try:
                    while consumer.socket.recv(1 << 20):
                        pass
                except TimeoutError:
                    pass
            return wire.states(self.client, "t") == {"in_flight": IN_FLIGHT} and self.metric("shunt_waiting_bytes") < MIB

        wire.until(all_are_in_flight, 120, lambda: f"{wire.states(self.client, 't')}")
        self.expect("in flight", IN_FLIGHT, before, IN_FLIGHT_BYTES_MAX)

    def test_delayed_messages(self):
        self.client.topic_create("t")
        self.publish(FRAME_MESSAGES, None, None, HOUR_MS)
        before = self.own_bytes()
        self.publish(DELAYED, None, None, HOUR_MS)
        self.assertEqual(wire.states(self.client, "t"), {"delayed": DELAYED + FRAME_MESSAGES})
        self.expect("delayed", DELAYED, before, DELAYED_BYTES_MAX)

    def flood(self, topic, groups, frames, message, count):
        """Frames of `count` of the message. Returns the most that the server took meanwhile, and what it keeps, beyond what it had."""
        self.client.topic_create(topic, [f"g{n}" for n in range(groups)])
        self.client.publish(topic, tuple(message))
        before = self.own_bytes()
        over, seen = threading.Event(), [before]

        def look():
            while not over.wait(LOOK_SECONDS):
                seen.append(self.own_bytes())

        looking = threading.Thread(target=look)
        looking.start()
        ids = [self.client.send(wire.PUBLISH, topic, 0, 0, [message] * count) for _ in range(frames)]
        for id in ids:
            self.client.reply(id)
        over.set()
        looking.join()
        return max(seen) - before, self.own_bytes() - before

    def test_a_flood_takes_no_more_than_one_transaction_and_gives_it_back(self):
        timed, large = [b"x", None, None, HOUR_MS, HOUR_MS], [bytes(LARGE_BYTES)]
        for groups, message, frames, count in ((1, timed, FLOOD_FRAMES, FLOOD_FRAME_MESSAGES), (FLOOD_GROUPS, timed, 3, FLOOD_FRAME_MESSAGES),
                                               (1, large, FLOOD_FRAMES, 1000)):
            most, kept = self.flood(f"flood{groups}-{count}", groups, frames, message, count)
            # The net thread keeps room for a frame as long as the last one.
            stays = count * LARGE_BYTES * 5 // 4 if message is large else frames * count * groups * DELAYED_BYTES_MAX
            print(f"{frames} frames of {count} messages to {groups} groups: at most {most >> 10} KiB, {kept >> 10} KiB afterwards")
            self.assertLessEqual(most, TRANSACTION_BYTES_MAX + stays + KEPT_BYTES)
            self.assertLessEqual(kept, stays + KEPT_BYTES)

    def test_connections_that_say_nothing(self):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit[1] < SILENT + 200:
            self.skipTest(f"only {limit[1]} open files are permitted here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limit)
        self.connect(hello=False)
        before = self.own_bytes()
        opened = self.metric("shunt_sockets")
        for _ in range(SILENT):
            self.connect(hello=False)
        wire.until(lambda: self.metric("shunt_sockets") == opened + SILENT)
        self.assertEqual(self.metric("shunt_connections"), 1, "only one has said hello")
        grown = self.own_bytes() - before
        print(f"silent connections: {grown >> 10} KiB for {SILENT}, {grown / SILENT:.0f} bytes each")
        self.assertLessEqual(grown, SILENT * SILENT_BYTES_MAX)

    def create(self, count, groups):
        ids = [self.client.send(wire.TOPIC_CREATE, f"t{groups}-{n}", {}, [f"g{k}" for k in range(groups)]) for n in range(count)]
        for id in ids:
            self.client.reply(id)

    def test_groups(self):
        self.create(1, 2)
        before = self.own_bytes()
        self.create(TOPICS, 1)
        self.expect("topics with a group", TOPICS, before, TOPIC_BYTES_MAX)
        before = self.own_bytes()
        self.create(GROUPS // GROUPS_OF_A_TOPIC, 1 + GROUPS_OF_A_TOPIC)
        self.expect("further groups", GROUPS, before, GROUP_BYTES_MAX)

    def test_subscriptions(self):
        self.client.topic_create("t")
        before = self.own_bytes()
        for _ in range(SUBSCRIPTIONS // 1000):
            client = self.connect()
            for _ in range(1000):
                client.send(wire.SUBSCRIBE, "t", "default", 1, 1000)
            client.ping()
        self.expect("subscriptions", SUBSCRIPTIONS, before, SUBSCRIPTION_BYTES_MAX)


if __name__ == "__main__":
    harness.main()
