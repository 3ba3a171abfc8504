"""The machine's clock jumps, by a second to ten years, forward and back: leases, back-off, delays and times to live keep to the time
that passes, and no time that is shown goes back.

The server's wall clock follows the machine's by at most 1/64 of the time that passes, so a jump moves what is waiting by at most that
much (`broker/engine/wall_clock.h`). After a restart it begins at the machine's time, or behind its own last one if that is later.

The machine sleeps: what waits for a time has waited meanwhile, and leases have not run.
"""
import datetime
import json
import mmap
import os
import re
import shutil
import struct
import time
import unittest
import urllib.request

import rig
from rig import harness, wire

YEAR = 365 * 24 * 3600
JUMPS = (1, -1, 60, -60, 86400, -86400, YEAR, -YEAR, 10 * YEAR, -10 * YEAR)  # seconds, each from the true time
WAIT_MS = 700
EARLY = 1 / 32  # of the wait: the clock may run so much fast, and a sixty-fourth for the rounding of it
LATE_SECONDS = 10.0 if rig.SANITIZED else 3.0  # a machine that does other things too


class Clock:
    """What WALL_CLOCK_FILE says."""

    def __init__(self, path):
        path.write_bytes(bytes(mmap.PAGESIZE))
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)
        self.path = path

    def jump(self, seconds):
        struct.pack_into("=q", self.map, 0, seconds)

    def sleep(self, seconds):
        """So much in all."""
        struct.pack_into("=q", self.map, 8, seconds)

    def close(self):
        self.map.close()
        self.file.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.server = harness.Server(wrapper=["env", f"LD_PRELOAD={os.environ['WALL_CLOCK']}"])
        self.clock = Clock(self.server.directory / "clock")
        self.addCleanup(self.clock.close)
        self.server.wrapper.append(f"WALL_CLOCK_FILE={self.clock.path}")
        if rig.SANITIZED:
            self.server.wrapper.append("ASAN_OPTIONS=" + os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
        self.enterContext(self.server)
        self.client = wire.connect(self.server)
        self.addCleanup(lambda: self.client.close())

    def machine_ms(self):
        return time.time() * 1000

    def published_ms(self):
        """What the server's clock says: the time it gives to a message."""
        self.client.publish("now", b"x")
        row = self.now.next()
        self.now.ack(row)
        return row.published

    def elapsed(self, begin, wait_ms, what):
        """It came `begin` to now after it was asked for: not before its time, and not much after."""
        seconds = time.monotonic() - begin
        self.assertGreater(seconds, wait_ms / 1000 * (1 - EARLY) - 0.005, f"{what} came early")
        self.assertLess(seconds, wait_ms / 1000 + LATE_SECONDS, f"{what} came late")

    def take(self, subscription, seconds):
        """The next delivery; meanwhile the client is heard from, for one that lets a lease run out gets nothing before."""
        end = time.monotonic() + seconds
        delivery = None
        while delivery is None and time.monotonic() < end:
            self.client.ping()
            delivery = subscription.next(0.05)
        return delivery

class Jumps(Case):
    def once(self, jump, name):
        """A held lease, a nack, a delayed message and one with a time to live, with a jump in the middle."""
        client = self.client
        for kind in ("lease", "backoff", "delay", "ttl"):
            client.topic_create(f"{kind}-{name}", lease_ms=WAIT_MS, backoff_min_ms=1, backoff_max_ms=1)
        client.publish(f"lease-{name}", b"x")
        client.publish(f"backoff-{name}", b"x")
        held = client.subscribe(f"lease-{name}")
        failed = client.subscribe(f"backoff-{name}")
        delayed = client.subscribe(f"delay-{name}")
        first, second = held.next(), failed.next()
        before_ms = self.published_ms()
        begin = time.monotonic()
        held.started(first)
        failed.nack(second, WAIT_MS)
        client.publish(f"delay-{name}", wire.Message(b"x", delay=WAIT_MS))
        client.publish(f"ttl-{name}", wire.Message(b"x", ttl=WAIT_MS))
        self.clock.jump(jump)
        client.ping()
        after_ms = self.published_ms()
        self.assertGreaterEqual(after_ms, before_ms, "time went back")
        self.assertLess(after_ms - before_ms, 2000 + 1000 * LATE_SECONDS, "time jumped")
        self.assertEqual(wire.states(client, f"ttl-{name}"), {"ready": 1}, "expired by a jump")
        for subscription, what in ((failed, "the nacked message"), (delayed, "the delayed message")):
            self.assertIsNotNone(self.take(subscription, WAIT_MS / 1000 + LATE_SECONDS), f"{what} did not come")
            self.elapsed(begin, WAIT_MS, what)
        again = self.take(held, WAIT_MS / 1000 + LATE_SECONDS)
        self.assertIsNotNone(again, "the lease did not end")
        self.elapsed(begin, WAIT_MS, "the end of the lease")
        self.assertEqual(again.attempts, 1)
        wire.until(lambda: wire.states(client, f"ttl-{name}") == {"dead": 1}, LATE_SECONDS, "the time to live did not end")
        self.elapsed(begin, WAIT_MS, "the end of the time to live")

    def test_a_jump_while_things_wait(self):
        self.client.topic_create("now")
        self.now = self.client.subscribe("now")
        for number, jump in enumerate(JUMPS):
            with self.subTest(seconds=jump):
                self.clock.jump(0)
                self.once(jump, number)

    def restart(self):
        self.client.close()
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.client = wire.connect(self.server)
        self.now = self.client.subscribe("now")

    def test_the_clock_is_back_by_ten_years_at_a_restart(self):
        self.client.topic_create("now")
        self.client.topic_create("delayed")
        self.client.topic_create("mortal")
        self.now = self.client.subscribe("now")
        before_ms = self.published_ms()
        self.client.publish("delayed", wire.Message(b"x", delay=3000))
        self.client.publish("mortal", wire.Message(b"x", ttl=3000))
        self.clock.jump(-10 * YEAR)
        self.restart()
        after_ms = self.published_ms()
        self.assertGreater(after_ms, before_ms, "time went back")
        self.assertIsNotNone(self.client.subscribe("delayed").next(3 + LATE_SECONDS), "a delay of seconds became one of years")
        wire.until(lambda: wire.states(self.client, "mortal") == {"dead": 1}, 3 + LATE_SECONDS, "a time to live of seconds became one of years")

    def test_the_clock_is_ahead_by_ten_years_at_a_restart(self):
        """Nobody can know that it is not true: what was to last shorter is over. Put right, it never goes back."""
        self.client.topic_create("now")
        self.client.topic_create("mortal")
        self.now = self.client.subscribe("now")
        self.client.publish("mortal", wire.Message(b"x", ttl=3600000))
        self.clock.jump(10 * YEAR)
        self.restart()
        ahead_ms = self.published_ms()
        self.assertGreater(ahead_ms, self.machine_ms() + 9 * YEAR * 1000)
        wire.until(lambda: wire.states(self.client, "mortal") == {"dead": 1}, 60)
        self.clock.jump(0)
        self.restart()
        self.assertGreater(self.published_ms(), ahead_ms, "time went back")
        self.client.topic_create("later")
        self.client.publish("later", wire.Message(b"x", delay=WAIT_MS))
        begin = time.monotonic()
        self.assertIsNotNone(self.client.subscribe("later").next(WAIT_MS / 1000 + LATE_SECONDS))
        self.elapsed(begin, WAIT_MS * 0.9, "what was published after it")

    def test_the_clock_does_jump(self):
        """The negative control: the preloaded clock is the one the server reads."""
        self.client.topic_create("now")
        self.now = self.client.subscribe("now")
        self.assertLess(abs(self.published_ms() - self.machine_ms()), 60000)
        self.clock.jump(3600)
        self.restart()
        self.assertGreater(self.published_ms(), self.machine_ms() + 3000 * 1000)


class PutRight(Case):
    DAY = 86400

    def restart(self):
        self.client.close()
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.client = wire.connect(self.server)
        self.now = self.client.subscribe("now")

    def metric_ms(self):
        with urllib.request.urlopen(self.server.http + "/metrics", timeout=30) as answer:
            said = re.search(r"^shunt_clock_error_seconds (\S+)$", answer.read().decode(), re.M)
        return float(said.group(1)) * 1000

    def error_ms(self):
        """As STATS, the metrics and `shunt stats` say it."""
        error_ms = json.loads(self.server.shunt("stats", "-o", "json").stdout)["clock_error_ms"]
        wire.until(lambda: abs(self.metric_ms() - error_ms) < 1000 * LATE_SECONDS, 10, "the metric says something else")
        self.assertEqual("puts it right" in self.server.shunt("stats").stdout, abs(error_ms) >= 1000)
        return error_ms

    def wrong(self, seconds):
        """The server is started with that clock; then the machine's is right again, while things wait and are held."""
        self.clock.jump(seconds)
        self.client.topic_create("now")
        for topic in ("delay", "ttl", "lease"):
            self.client.topic_create(topic, lease_ms=60000)
        self.restart()
        self.clock.jump(0)
        self.client.publish("lease", b"x")
        self.client.publish("delay", wire.Message(b"x", delay=2000))
        self.client.publish("ttl", wire.Message(b"x", ttl=2000))
        self.begin = time.monotonic()
        self.assertLess(abs(self.error_ms() - seconds * 1000), 10000)

    def put_right(self, seconds):
        held = self.client.subscribe("lease")
        delivery = held.next()
        held.started(delivery)
        delayed = self.client.subscribe("delay")
        was_off_ms = json.loads(self.server.shunt("clock", "set", "-o", "json").stdout)["was_off_ms"]
        self.assertLess(abs(was_off_ms - seconds * 1000), 10000)
        self.assertLess(abs(self.published_ms() - self.machine_ms()), 5000)
        self.assertLess(abs(self.error_ms()), 1000)
        self.assertEqual(wire.states(self.client, "ttl"), {"ready": 1}, "a time to live ended early")
        self.assertIsNotNone(delayed.next(2 + LATE_SECONDS), "a delay does not end")
        self.elapsed(self.begin, 2000, "the delayed message")
        wire.until(lambda: wire.states(self.client, "ttl") == {"dead": 1}, LATE_SECONDS, "a time to live does not end")
        held.ack(delivery)
        self.client.ping()
        self.assertEqual(wire.states(self.client, "lease"), {"acked": 1}, "a lease ended early")
        letter = json.loads(self.server.shunt("dlq", "list", "ttl", "-o", "jsonl").stdout)
        died = datetime.datetime.fromisoformat(letter["died"].replace("Z", "+00:00")).timestamp()
        self.assertLess(abs(died * 1000 - self.machine_ms()), 10000)

    def still_right(self):
        self.restart()
        self.assertLess(abs(self.published_ms() - self.machine_ms()), 5000)
        self.assertLess(abs(self.error_ms()), 1000)

    def test_a_clock_that_was_ahead_is_put_right(self):
        self.wrong(self.DAY)
        self.assertGreater(self.published_ms(), self.machine_ms() + self.DAY * 1000 - 10000)
        self.put_right(self.DAY)
        self.still_right()
        self.assertIn("event=clock_set", self.server.log_text())

    def test_a_clock_that_was_behind_is_put_right(self):
        self.client.close()
        self.assertEqual(self.server.stop(), 0)
        shutil.rmtree(self.server.data)
        self.clock.jump(-self.DAY)
        self.server.start()
        self.client = wire.connect(self.server)
        self.wrong(-self.DAY)
        self.put_right(-self.DAY)
        self.still_right()

    def test_a_start_says_how_far_the_clock_is_off(self):
        self.wrong(self.DAY)
        self.restart()
        self.assertRegex(self.server.log_text(), r"level=warning event=clock_off ahead_ms=86\d{6} ")


class Sleeps(Case):
    HOUR = 3600

    def test_what_waits_is_over_at_once_when_the_machine_wakes(self):
        client = self.client
        for kind in ("delay", "ttl", "backoff"):
            client.topic_create(kind, lease_ms=10 * 60 * 1000)
        client.publish("delay", wire.Message(b"x", delay=self.HOUR * 1000))
        client.publish("ttl", wire.Message(b"x", ttl=self.HOUR * 1000))
        client.publish("backoff", b"x")
        failed = client.subscribe("backoff")
        failed.nack(failed.next(), self.HOUR * 1000)
        delayed = client.subscribe("delay")
        client.ping()
        self.assertEqual(wire.states(client, "ttl"), {"ready": 1})
        self.clock.sleep(self.HOUR)
        # Nothing is sent that would wake the engine: it notices by itself.
        self.assertIsNotNone(delayed.next(1 + LATE_SECONDS), "the delayed message did not come")
        self.assertIsNotNone(failed.next(LATE_SECONDS), "the nacked message did not come")
        wire.until(lambda: wire.states(client, "ttl") == {"dead": 1}, LATE_SECONDS, "the time to live did not end")

    def test_leases_stand_still_meanwhile(self):
        """Their consumers may be asleep too, or have kept their answers for when the server is back: none is charged."""
        client = self.client
        client.topic_create("lease", lease_ms=60 * 1000)
        client.topic_create("now")
        self.now = client.subscribe("now")
        client.publish("lease", b"x")
        held = client.subscribe("lease")
        delivery = held.next()
        held.started(delivery)
        before_ms = self.published_ms()
        self.clock.sleep(self.HOUR)
        self.assertGreaterEqual(self.published_ms(), before_ms + self.HOUR * 1000, "the time of the sleep has not passed")
        self.assertEqual(wire.states(client, "lease"), {"in_flight": 1})
        held.ack(delivery)
        client.ping()
        self.assertEqual(wire.states(client, "lease"), {"acked": 1})


if __name__ == "__main__":
    harness.main()
