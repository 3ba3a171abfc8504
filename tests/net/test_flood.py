"""One connection that floods, with any one kind of request, delays a quiet client little, has nobody charged and costs little memory.

For each kind (flood.py, in a process of its own) a well-behaved client (probe.py, another) does its rounds of publish, deliver and ack with
a short lease, without the flood and beside it, with the default settings: its p99 stays under five times. The least of a few tries counts,
because the machine does other things too. That the probe sees a slow server is shown in test_hostile.py.
"""
import json
import subprocess
import sys
import unittest
import urllib.request

import flood
import rig
import wire
from memory import own_bytes
from rig import harness

MIB = 1 << 20
RATIO_MAX, TRIES = 5.0, 6  # a sanitized server is not measured, only flooded
ROUNDS = 10 if rig.SANITIZED else 80
LEASE_MS = 2000
OWN_BYTES_MAX = 40 * MIB  # the server itself, what one connection may have of the inbox, and of what it has not read


class Flood(unittest.TestCase):
    def setUp(self):
        """A new one for each flood: it works off what was sent even if its client has gone."""
        self.server = self.enterContext(harness.Server(settings=harness.SMALL_JOURNAL))
        self.port = str(rig.address(self.server)[1])
        self.client = wire.connect(self.server)
        self.addCleanup(self.client.close)
        self.client.topic_create("probe", lease_ms=LEASE_MS, max_attempts=1)

    def probe(self):
        done = subprocess.run([sys.executable, rig.HERE / "probe.py", self.port, "probe", str(ROUNDS), "0"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=240, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        return json.loads(done.stdout)["p99"]

    def beside(self, kind):
        """The probe beside the flood, and the server's memory at the end of it."""
        attack = subprocess.Popen([sys.executable, rig.HERE / "attack.py", kind, self.port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(attack.stdout.close)
        self.addCleanup(attack.kill)
        self.assertEqual(attack.stdout.readline(), "ready\n")
        p99 = self.probe()
        with urllib.request.urlopen(self.server.http + "/healthz", timeout=60) as page:
            self.assertEqual(page.status, 200)
        memory = own_bytes(self.server.process.pid)
        attack.stdin.close()
        told = attack.stdout.readline()
        self.assertEqual(attack.wait(60), 0)
        return p99, memory, told.strip()

    def nobody_was_charged(self):
        info = self.client.group_show("probe")
        self.assertEqual((info["dead"], info["published"]), (0, info["acked"]), "charged")
        self.assertEqual(info["deliveries"], info["acked"], "handed out again")

    def stand(self, kind):
        seen = []
        while not seen or (seen[-1] >= RATIO_MAX and len(seen) < TRIES):
            if seen:
                self.doCleanups()
                self.setUp()
            quiet = 1.0 if rig.SANITIZED else self.probe()
            p99, memory, told = self.beside(kind)
            self.nobody_was_charged()
            if rig.SANITIZED:
                return
            seen.append(p99 / quiet)
            print(f"{kind}: p99 {quiet:.2f} ms alone, {p99:.2f} ms beside it, {seen[-1]:.2f} times; own memory {memory / MIB:.1f} MiB; {told}")
            self.assertLessEqual(memory, OWN_BYTES_MAX)
        self.assertLess(min(seen), RATIO_MAX, f"p99 grew by {seen}")


def add_test(kind):
    setattr(Flood, f"test_{kind}", lambda self: self.stand(kind))


for function in flood.KINDS:
    add_test(function.__name__)


if __name__ == "__main__":
    harness.main()
