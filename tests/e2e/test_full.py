"""A server that is really full goes on: whatever fills it further, it neither ends nor refuses to start, and it comes back.

Each test fills a small store to the mark at which publishing stops, goes on to press on it in one way, kills the server in that state, starts
it again, and makes room. The same where the disk is the limit and not the map: a limit on the length of files stands for the full disk. A server
that does not know how full it is (tests/crash/plant.c) must end in each of them that presses hard.
"""
import os
import pathlib
import subprocess
import tempfile
import unittest
import unittest.mock

import harness
import wire

MIB = 1 << 20
IO_FAILED = 74
NO_SPACE = 28  # the code
STACK = "at step()\n" * 819  # 8190 bytes
CREDIT = 65536
PACK_TURNS = 400  # each looks at 32 pages
QUIET_SECONDS = 1.0  # nothing is handed out any more
PLANTED = pathlib.Path(harness.BUILD_DIR) / "tests" / "crash" / "shuntd-planted"


class Store:
    """A server on a store that the map bounds, and what was confirmed by it."""

    LIMIT = "map"
    CONFIG = "map-size: 32MiB\nmap-size-max: 32MiB\n"
    WRAPPER = ()

    def __init__(self, test):
        self.test = test
        self.confirmed = 0
        self.server = harness.Server(wrapper=self.WRAPPER)
        test.addCleanup(self.server.remove)
        config = self.server.directory / "shunt.yaml"
        config.write_text(self.CONFIG, encoding="utf-8")
        self.server.options = ["--config", config]

    def start(self):
        self.server.start()

    def connect(self, **options):
        client = wire.connect(self.server, **options)
        self.test.addCleanup(client.close)
        return client

    def fill(self, client, *message, count=1000):
        """Publish until it is refused, and packing has no more to give; the frame is made once."""
        frame = wire.frame(wire.PUBLISH, 9, "t", 0, 0, [list(message)] * count)
        while True:
            try:
                client.waiting.append(9)
                client.send_bytes(frame)
                self.confirmed += client.reply(9)[0]
            except wire.ShuntError as error:
                self.test.assertEqual((error.name, error.retry), ("NO_SPACE", True), error.text)
                self.test.assertIn("disk" if self.LIMIT == "disk" else "map-size-max", error.text)
                for _ in range(PACK_TURNS):
                    client.ping()
                stats = client.stats()
                if stats["full"]:
                    self.test.assertEqual((stats["store_limit"], stats["store_bytes"]["left"]), (self.LIMIT, 0))
                    return

    def group(self, client):
        return client.group_show("t", "default")

    def crash(self):
        self.server.kill()
        self.start()

    def job_ends(self, client, job):
        wire.until(lambda: not job or client.job_show(job)["state"] == "done", why=lambda: f"{client.job_show(job)}")

    def comes_back(self):
        """After a crash in this state; nothing confirmed is missing, and room lets publishing go on."""
        self.crash()
        client = self.connect()
        wire.until(lambda: not self.group(client)["in_flight"])
        self.accounted(client)
        self.job_ends(client, client.topic_purge("t"))  # first: what has expired becomes a dead letter where there is room
        self.job_ends(client, client.dlq_purge("t", all=True)[0])
        answer = wire.until(lambda: self.try_publish(client), why="publishing did not come back with the room")
        self.test.assertEqual(answer.accepted, 100)
        self.confirmed += 100
        self.accounted(client)
        client.topic_create("made-again")
        client.close()
        self.test.assertEqual(self.server.stop(), 0, self.server.log_text())
        done = subprocess.run([harness.SHUNTD, "--check", self.server.data], capture_output=True, text=True, check=False)
        self.test.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def accounted(self, client):
        wire.states(client, "t")  # they add up
        self.test.assertEqual(self.group(client)["published"], self.confirmed)

    def try_publish(self, client, size=100):
        try:
            return client.publish("t", *[b"x" * size] * 100)
        except wire.ShuntError as error:
            self.test.assertEqual(error.name, "NO_SPACE")
            return None


class DiskStore(Store):
    """The disk ends before the map does."""

    LIMIT = "disk"
    CONFIG = "map-size: 80MiB\nmap-size-max: 80MiB\njournal: off\n"  # the limit is one of each file
    WRAPPER = ("prlimit", f"--fsize={40 * MIB}", "--")


class SmallDiskStore(Store):
    """The disk ends little behind what a store has that nothing was written to."""

    LIMIT = "disk"
    CONFIG = "journal: off\n"
    WRAPPER = ("prlimit", f"--fsize={10 * MIB}:unlimited", "--")


class PlantedStore(Store):
    """It takes itself for empty."""

    def start(self):
        self.server.program = PLANTED
        with unittest.mock.patch.dict(os.environ, SHUNT_PLANT="no-marks"):
            super().start()

    def fill(self, client, *message, count=1000):
        """As far as a server with marks would be filled."""
        frame = wire.frame(wire.PUBLISH, 9, "t", 0, 0, [list(message)] * count)
        used = lambda: client.stats()["store_bytes"]["used"]
        while used() < 24 * MIB - len(frame):
            client.waiting.append(9)
            client.send_bytes(frame)
            self.confirmed += client.reply(9)[0]


# ---- ways to press on it ----


def drain(subscription):
    """What was handed out and is not answered; empty when nothing more comes."""
    first = subscription.next(QUIET_SECONDS)
    rows = [] if first is None else [first, *subscription.held]
    subscription.held.clear()
    return rows


def nacks(store):
    """Each with a large stack."""
    client = store.connect()
    client.topic_create("t", max_attempts=1000, breaker=0, backoff_min_ms=1, backoff_max_ms=1)
    store.fill(client, b"x" * 100)
    subscription = client.subscribe("t", messages=1000, bytes=1 << 28)
    for _ in range(60):
        rows = drain(subscription)
        if not rows:
            break
        subscription.resolve(*((row.seq, row.token, wire.NACK, None, "Error", "it failed", STACK) for row in rows))


def expiries(store):
    """Leases run out over and over, each with a row of the attempt ledger, and those that had their attempts become dead letters."""
    client = store.connect(client="c" * 100, host="h" * 100, build="b" * 100)
    client.topic_create("t", max_attempts=20, breaker=0, lease_ms=20, backoff_min_ms=1, backoff_max_ms=1)
    store.fill(client, b"x")
    subscription = client.subscribe("t", messages=CREDIT, bytes=1 << 28)
    while store.group(client)["deliveries"] < 200000:
        rows = drain(subscription)
        if not rows:
            break
        subscription.started(*rows)


def times_to_live(store):
    """They pass, and nobody is there."""
    with store.connect() as client:
        client.topic_create("t", ttl_ms=3000)
        store.fill(client, b"x", count=5000)
    client = store.connect()
    last = [-1, 0]

    def at_rest():
        """All that could die has died: all of it, or as much as there was room for."""
        dead = store.group(client)["dead"]
        last[:] = [dead, last[1] + 1 if dead == last[0] and dead else 0]
        return last[1] > 100

    wire.until(at_rest)


def lost_connection(store):
    """It held as many as it was given, and had started them all: they become suspects."""
    client = store.connect()
    client.topic_create("t", lease_ms=3600000)
    for _ in range(6):
        store.confirmed += client.publish("t", *[b"x"] * 10000).accepted
    holder = store.connect(client="c" * 100, host="h" * 100, build="b" * 100)
    subscription = holder.subscribe("t", messages=CREDIT, bytes=1 << 28)
    rows = drain(subscription)
    while rows:
        subscription.started(*rows)
        rows = drain(subscription)
    holder.ping()
    store.fill(client, b"x" * 1000)
    holder.close()
    wire.until(lambda: not store.group(client)["in_flight"])


def restarts(store):
    """Killed again and again while most of it is in flight."""
    client = store.connect()
    client.topic_create("t", lease_ms=3600000)
    store.fill(client, b"x", count=5000)
    for _ in range(4):
        holder = store.connect(client="c" * 100, host="h" * 100, build="b" * 100)
        subscription = holder.subscribe("t", messages=CREDIT, bytes=1 << 28)
        while drain(subscription):
            pass
        store.crash()


def redrives(store):
    """Of all dead letters of a queue, with their history, and then again."""
    client = store.connect()
    client.topic_create("t")
    store.fill(client, b"x")
    subscription = client.subscribe("t", messages=10000, bytes=1 << 28)
    for _ in range(2):
        for _ in range(8):
            rows = drain(subscription)
            if rows:
                subscription.resolve(*((row.seq, row.token, wire.REJECT, None, "Error", "it failed", "at step()") for row in rows))
        store.fill(client, b"x")
        store.job_ends(client, client.dlq_redrive("t", all=True)[0])
    subscription.unsubscribe()


def purges(store):
    """Of messages with a delay and a time to live of their own each, and of dead letters."""
    client = store.connect()
    client.topic_create("t", groups=["default"] + [f"g{i}" for i in range(3)])
    store.fill(client, b"x", None, None, 3600000, 7200000)
    store.job_ends(client, client.topic_purge("t"))
    store.fill(client, b"x")
    subscription = client.subscribe("t", messages=1000, bytes=1 << 28)
    rows = drain(subscription)
    subscription.resolve(*((row.seq, row.token, wire.REJECT, None, "Error", "it failed", STACK) for row in rows[:500]))
    subscription.unsubscribe()
    store.job_ends(client, client.dlq_purge("t", all=True)[0])


def new_topics_and_groups(store):
    """They are refused as publishes are; deleting them goes on."""
    client = store.connect()
    client.topic_create("t")
    client.publish("t", b"x" * 100)
    store.confirmed += 1
    groups = [f"group-{i:02}-" + "g" * 80 for i in range(64)]
    for topic in range(20):
        client.topic_create(f"topic-{topic}", groups=groups)
    store.fill(client, b"x" * 1000)
    with store.test.assertRaises(wire.ShuntError) as refused:
        client.topic_create("late", groups=groups)
    store.test.assertEqual((refused.exception.name, refused.exception.retry), ("NO_SPACE", True), refused.exception.text)
    with store.test.assertRaises(wire.ShuntError) as refused:
        client.group_create("t", "late")
    store.test.assertEqual(refused.exception.name, "NO_SPACE")
    jobs = [client.topic_delete(f"topic-{topic}") for topic in range(20)]
    for job in jobs:
        store.job_ends(client, job)


class Map(unittest.TestCase):
    STORE = Store

    def press(self, way):
        store = self.STORE(self)
        store.start()
        way(store)
        store.comes_back()

    def test_nacks_with_large_stacks(self):
        self.press(nacks)

    def test_leases_that_run_out(self):
        self.press(expiries)

    def test_times_to_live_that_pass_without_a_client(self):
        self.press(times_to_live)

    def test_a_connection_is_lost_that_held_many(self):
        self.press(lost_connection)

    def test_killed_with_many_in_flight(self):
        self.press(restarts)

    def test_purges(self):
        self.press(purges)

    def test_redrives(self):
        self.press(redrives)

    def test_new_topics_and_groups(self):
        self.press(new_topics_and_groups)


@unittest.skipIf(os.environ.get("SANITIZED"), "the code that is sanitized is the same")
class Disk(Map):
    STORE = DiskStore


@unittest.skipIf(os.environ.get("SANITIZED"), "the code that is sanitized is the same")
class SmallDisk(unittest.TestCase):
    def press(self, way):
        store = SmallDiskStore(self)
        store.start()
        way(store)
        store.comes_back()

    def test_nacks_with_large_stacks(self):
        self.press(nacks)

    def test_a_connection_is_lost_that_held_many(self):
        self.press(lost_connection)

    def test_killed_with_many_in_flight(self):
        self.press(restarts)

    def test_redrives(self):
        self.press(redrives)

    def test_it_goes_on_when_the_disk_has_room_again(self):
        """What a frame needs that is larger than all that was set aside is asked for, and taken as far as the disk has it."""
        store = SmallDiskStore(self)
        store.start()
        client = store.connect()
        client.topic_create("t")
        body = b"x" * MIB
        answer = client.publish("t", *[body] * 16)
        self.assertEqual(answer.code, NO_SPACE)
        self.assertTrue(0 < answer.accepted < 10, answer)
        store.confirmed += answer.accepted
        store.fill(client, b"x" * 1000)
        store.accounted(client)
        subprocess.run(["prlimit", f"--pid={store.server.process.pid}", "--fsize=unlimited"], check=True)
        self.assertEqual(wire.until(lambda: store.try_publish(client, 10000)).accepted, 100)
        answer = client.publish("t", *[body] * 16)
        self.assertEqual((answer.accepted, answer.code), (16, 0))
        store.confirmed += 116
        self.assertFalse(client.stats()["full"])
        store.accounted(client)
        store.WRAPPER = store.server.wrapper = ()
        store.comes_back()


class Empty(unittest.TestCase):
    def size(self, server):
        return sum(path.stat().st_blocks * 512 for path in server.data.iterdir())

    def start(self, settings):
        server = harness.Server()
        self.addCleanup(server.remove)
        server.options = ["--config", server.directory / "shunt.yaml"]
        server.options[1].write_text(settings, encoding="utf-8")
        server.start()
        return server

    def test_an_empty_store_is_small_and_takes_what_comes(self):
        server = self.start("journal: off\n")
        self.assertLess(self.size(server), 8.5 * MIB)
        self.assertEqual(server.stop(), 0)
        server.start()
        self.assertLess(self.size(server), 8.5 * MIB)
        with wire.connect(server) as client:
            client.topic_create("t")
            for _ in range(100):
                client.publish("t", b"x" * 100)
            self.assertLess(self.size(server), 8.5 * MIB)
            answer = client.publish("t", *[b"x" * MIB] * 18)
            self.assertEqual((answer.accepted, answer.code), (18, 0))
        self.assertEqual(server.stop(), 0, server.log_text())

    def test_with_a_journal(self):
        server = self.start("journal: on\n")
        self.assertLess(self.size(server), (8.5 + 4) * MIB)
        self.assertEqual(server.stop(), 0, server.log_text())


class Thin(unittest.TestCase):
    def test_room_between_what_stays_comes_back(self):
        """Two of three messages are acked, and each third waits: hardly a page of the store is free of rows, and yet there is room."""
        store = Store(self)
        store.start()
        client = store.connect()
        client.topic_create("t")
        store.fill(client, b"x" * 300)
        first = store.confirmed
        kept = set()
        subscription = client.subscribe("t", messages=3000, bytes=1 << 28)
        while len(kept) < first // 3:
            rows = drain(subscription)
            self.assertTrue(rows, f"hand-outs stopped: {store.group(client)}, {client.stats()['store_bytes']}")
            stay = [row for row in rows if row.seq % 3 == 0]
            kept.update(row.seq for row in stay)
            subscription.resolve(*((row.seq, row.token, wire.RELEASE, 3600000) if row.seq % 3 == 0 else (row.seq, row.token, wire.ACK) for row in rows))
        wire.until(lambda: not client.stats()["full"], why=lambda: f"still full: {client.stats()['store_bytes']}")
        while store.confirmed - first < first // 4:
            answer = wire.until(lambda: store.try_publish(client, 300), why=lambda: f"{store.confirmed - first} more: {client.stats()['store_bytes']}")
            store.confirmed += answer.accepted
        self.assertEqual(store.group(client)["delayed"], len(kept))
        store.accounted(client)
        store.crash()
        store.accounted(store.connect())
        self.assertEqual(store.server.stop(), 0, store.server.log_text())


@unittest.skipIf(os.environ.get("SANITIZED"), "it is about the test")
class Planted(unittest.TestCase):
    def ends(self, way):
        store = PlantedStore(self)
        store.start()
        with self.assertRaises((wire.Disconnected, AssertionError, OSError)):
            way(store)
            store.comes_back()
        wire.until(lambda: store.server.process.poll() is not None, why="it goes on")
        self.assertEqual(store.server.stop(), IO_FAILED, store.server.log_text())  # and its log is read to the end
        self.assertIn("NO_SPACE", store.server.log_text())

    def test_nacks(self):
        self.ends(nacks)

    def test_times_to_live(self):
        self.ends(times_to_live)

    def test_a_lost_connection(self):
        self.ends(lost_connection)

    def test_restarts(self):
        self.ends(restarts)


if __name__ == "__main__":
    harness.main()
