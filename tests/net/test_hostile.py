"""Hostile clients of every kind cost little memory and nobody else much time.

While each attack goes on (attack.py, a process of its own), a well-behaved client (probe.py, another) does its rounds of publish, deliver
and ack: its p99 stays under five times its value without the attack, measured just before; the least of a few tries counts, because the
machine does other things too. What the server's own memory may be meanwhile is stated for each kind.
"""
import json
import re
import resource
import signal
import subprocess
import sys
import unittest

import rig
from memory import own_bytes
from rig import harness, wire

MIB = 1 << 20
RATIO_MAX, TRIES = 5.0, 5  # a sanitized server is not measured, only attacked
ROUNDS, SECONDS = 20 if rig.SANITIZED else 600, 1.8  # longer than the settings' second
SETTINGS = harness.SMALL_JOURNAL + """hello-timeout: 1s
frame-timeout: 1s
write-timeout: 1s
max-connections: 19000
inbox-bytes: 16MiB
unsent-bytes: 256KiB
unsent-bytes-total: 16MiB
"""
BASE = 24 * MIB  # the server itself
PARTIAL = 16 * MIB  # what `inbox-bytes` lets frames take that have not arrived whole
INBOX = 16 * MIB
WAITING = 16 * MIB + 5 * MIB  # `unsent-bytes-total`, and one page that passes it
# Own memory, by kind: what is bounded as a whole, and what each connection may cost.
CAPS = {
    "slow_hello": BASE + 300 * 16 * 1024,
    "slow_frame": BASE + PARTIAL + 300 * 16 * 1024,
    "fat_frames": BASE + PARTIAL + 20 * MIB + 200 * 16 * 1024,
    "idle": BASE + 10000 * 8 * 1024,
    "flood": BASE + 16 * MIB,
    # On its way to each: `unsent-bytes`, and the batch that passed the mark.
    "lazy_consumers": BASE + INBOX + 50 * MIB,
    # The same, with a page of a listing; and `unsent-bytes` of requests that wait for it.
    "lazy_requesters": BASE + INBOX + 50 * 2 * MIB,
    "crowd_of_consumers": BASE + WAITING + 400 * 16 * 1024,
    "crowd_of_requesters": BASE + INBOX + WAITING + 400 * 16 * 1024,
    "garbage": BASE + INBOX,
    "half_handshakes": BASE + 500 * 64 * 1024,  # `tls-handshakes`
    "whole_handshakes": BASE + 16 * MIB,
}
ENDED_MIN = {"slow_hello": 300, "slow_frame": 0, "fat_frames": 1, "idle": 0, "flood": 300, "lazy_consumers": 0, "lazy_requesters": 50,
             "crowd_of_consumers": 0, "crowd_of_requesters": 1, "garbage": 300, "half_handshakes": 300, "whole_handshakes": 100}


class Measured(unittest.TestCase):
    """A server, an attack on it, and a probe beside that."""
    settings = SETTINGS

    def setUp(self):
        self.server = harness.Server(settings=self.settings)
        self.prepare()
        self.enterContext(self.server)
        self.client = wire.connect(self.server)
        self.addCleanup(self.client.close)
        self.port = str(rig.address(self.server)[1])

    def prepare(self):
        """Before the server starts."""

    def probe(self):
        ca = [str(self.server.ca)] if self.server.ca else []
        done = subprocess.run([sys.executable, rig.HERE / "probe.py", self.port, "probe", str(ROUNDS), str(SECONDS), *ca], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=240, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        return json.loads(done.stdout)

    def attack(self, kind):
        process = subprocess.Popen([sys.executable, rig.HERE / "attack.py", kind, self.port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n", kind)
        return process

    def end(self, process):
        """Stop it and return how many connections it made, and how many of them the server ended."""
        process.stdin.close()
        made, ended = map(int, re.match(r"made (\d+) ended (\d+)", process.stdout.readline()).groups())
        self.assertEqual(process.wait(60), 0)
        return made, ended

    def compare(self, kind):
        """One try: the probe without and with the attack, and the server's memory at the end of it."""
        quiet = None if rig.SANITIZED else self.probe()
        process = self.attack(kind)
        attacked = self.probe()
        wire.until(lambda: process.poll() is None, 1)
        memory = own_bytes(self.server.process.pid)
        connections = self.client.stats()["connections"]
        made, ended = self.end(process)
        wire.until(lambda: self.client.stats()["connections"] <= 1, 60, "connections stay behind")
        return quiet, attacked, memory, made, ended, connections

    def stand(self, kind):
        seen = []
        total_ended = 0
        for _ in range(TRIES):
            quiet, attacked, memory, made, ended, connections = self.compare(kind)
            if rig.SANITIZED:
                return connections
            total_ended += ended
            seen.append(attacked["p99"] / quiet["p99"])
            print(f"{kind}: p99 {quiet['p99']:.2f} ms alone, {attacked['p99']:.2f} ms under attack, {seen[-1]:.2f} times; own memory "
                  f"{memory / MIB:.1f} MiB of {CAPS[kind] / MIB:.0f}; {made} connections made, {ended} ended by the server, {connections} open")
            self.assertLessEqual(memory, CAPS[kind])
            if seen[-1] < RATIO_MAX and total_ended >= ENDED_MIN[kind]:
                break
        self.assertLess(min(seen), RATIO_MAX, f"p99 grew by {seen}")
        self.assertGreaterEqual(total_ended, ENDED_MIN[kind], "the attack did nothing")
        return connections


class Hostile(Measured):
    def fill(self):
        self.client.topic_create("large", max_attempts=1)
        for _ in range(50):
            self.client.publish("large", *[b"x" * 100000] * 10)
        for number in range(20 if rig.SANITIZED else 1000):
            self.client.send(wire.TOPIC_CREATE, f"t{number}")
        self.client.ping()

    def test_hello_that_never_ends(self):
        self.stand("slow_hello")

    def test_frames_that_never_end(self):
        self.stand("slow_frame")

    def test_large_frames_that_never_end(self):
        self.stand("fat_frames")

    def test_ten_thousand_idle_connections(self):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if limit < 12000:
            self.skipTest(f"only {limit} open files are permitted here")
        # Those that never say hello are ended after a second, so that five thousand stay.
        self.assertGreaterEqual(self.stand("idle"), 5000)

    def test_a_flood_of_connections(self):
        self.stand("flood")

    def test_consumers_that_never_read(self):
        self.fill()
        self.stand("lazy_consumers")
        wire.until(lambda: wire.states(self.client, "large") == {"ready": 500}, 60, lambda: f"{wire.states(self.client, 'large')}")
        rows = self.client.subscribe("large", messages=1000, bytes=1 << 28).take(500)
        self.assertEqual({row.attempts for row in rows}, {0}, "charged for what was never read")
        # What the kernel takes for a client is not unsent, so few are ended; that they were given something shows here.
        self.assertGreater(self.client.group_show("large", "default")["deliveries"] - len(rows), 100, "the attack did nothing")

    def test_requesters_that_never_read(self):
        self.fill()
        self.stand("lazy_requesters")

    def test_so_many_consumers_that_what_each_may_have_is_too_much_in_sum(self):
        self.fill()
        self.stand("crowd_of_consumers")

    def test_so_many_requesters_that_what_each_may_have_is_too_much_in_sum(self):
        self.fill()
        self.stand("crowd_of_requesters")

    def test_garbage_behind_good_frames(self):
        self.stand("garbage")

    @unittest.skipIf(rig.SANITIZED, "a sanitized server is not measured")
    def test_the_probe_sees_a_server_that_is_slow(self):
        """The negative control: a server that stands still for a while now and then, for longer than a busy machine makes anybody wait."""
        seen = []
        for _ in range(TRIES):
            quiet = self.probe()
            still = max(0.3, 2 * RATIO_MAX * quiet["p99"] / 1000)
            stop = subprocess.Popen(["sh", "-c", f"while sleep {still / 8}; do kill -STOP {self.server.process.pid}; sleep {still}; kill -CONT {self.server.process.pid}; done"])
            attacked = self.probe()
            stop.terminate()
            stop.wait()
            self.server.process.send_signal(signal.SIGCONT)
            seen.append(attacked["p99"] / quiet["p99"])
            if seen[-1] > RATIO_MAX:
                break
        self.assertGreater(max(seen), RATIO_MAX, f"p99 grew by {seen}")


if __name__ == "__main__":
    harness.main()
