"""A million ready messages cost no memory and no time to start with.

Memory is what shuntd has for itself (anonymous and shared pages): the store's pages are mapped from its file and are not counted. Time runs
from the start of the process to the first delivery, and both bounds are those promised.
"""
import mmap
import os
import subprocess
import sys
import time
import unittest

import harness
import wire
from memory import own_bytes

MESSAGES, BODY_BYTES = 1_000_000, 100
GROWTH_BYTES_MAX = 32 << 20
FIRST_DELIVERY_SECONDS_MAX = 1.0
TRIES = 3  # for other programs on this machine, never for a slower shuntd


def first_delivery(server, topic, timeout=60.0):
    """Start the server, and say how long it took until a message was there; it goes back."""
    begin = time.monotonic()
    server.start()
    with wire.connect(server) as client:
        delivery = client.subscribe(topic, messages=1).next(timeout)
        took = time.monotonic() - begin
        if delivery is None:
            raise AssertionError("no message came")
        client.goodbye()
    return took


@unittest.skipIf(os.environ.get("SANITIZED"), "a sanitizer's memory and time are its own")
class Backlog(unittest.TestCase):
    def test_a_million_messages(self):
        with harness.Server(settings=harness.SMALL_JOURNAL) as server:
            with wire.connect(server) as client:
                client.topic_create("backlog")
            empty = own_bytes(server.process.pid)
            begin = time.monotonic()
            self.fill(server)
            print(f"published in {time.monotonic() - begin:.1f} s; an empty server has {empty >> 10} KiB")
            self.check_memory(server, empty, "after publishing")
            for how in (server.stop, server.kill):
                self.check_restart(server, how)
                self.check_memory(server, empty, f"after {how.__name__} and start")
            self.check_reading(server, empty)

    def fill(self, server):
        program = os.path.join(harness.BUILD_DIR, "tests", "e2e", "backlog")
        done = subprocess.run([program, "backlog", str(MESSAGES), str(BODY_BYTES)], env=server.environment(), capture_output=True, text=True,
                              timeout=240, check=False)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, str(MESSAGES)), done.stderr)
        with wire.connect(server) as client:
            self.assertEqual(wire.states(client, "backlog"), {"ready": MESSAGES})

    def check_memory(self, server, empty, when):
        grown = own_bytes(server.process.pid) - empty
        print(f"{when}: {grown >> 10} KiB more than empty")
        self.assertLessEqual(grown, GROWTH_BYTES_MAX, when)

    def check_restart(self, server, how):
        took = []
        while len(took) < TRIES and not any(seconds <= FIRST_DELIVERY_SECONDS_MAX for seconds in took):
            how()
            took.append(first_delivery(server, "backlog"))
        print(f"first delivery after {how.__name__}: {took} s")
        self.assertLessEqual(min(took), FIRST_DELIVERY_SECONDS_MAX, how.__name__)
        with wire.connect(server) as client:
            self.assertEqual(wire.states(client, "backlog"), {"ready": MESSAGES})

    def check_reading(self, server, empty):
        """A consumer in the middle of the backlog costs its credit, not the backlog."""
        with wire.connect(server) as client:
            subscription = client.subscribe("backlog", messages=1000)
            for _ in range(20):
                subscription.ack(*subscription.take(500))
            self.check_memory(server, empty, "while it is read")
            client.goodbye()


class Meters(unittest.TestCase):
    """The rig's negative controls: its two instruments see what they are for."""

    def test_memory_of_its_own_is_seen_and_a_mapped_file_is_not(self):
        script = ("import mmap, sys, tempfile\n"
                  "kind, size = sys.argv[1], int(sys.argv[2])\n"
                  "held = bytearray(b'x') * size if kind == 'own' else None\n"
                  "if kind == 'file':\n"
                  "    file = tempfile.TemporaryFile(dir='.')\n"
                  "    file.write(b'x' * size)\n"
                  "    file.flush()\n"
                  "    held = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)\n"
                  "    held.find(b'y')\n"
                  "print('ready', flush=True)\n"
                  "sys.stdin.read()\n")
        size = GROWTH_BYTES_MAX + (8 << 20)
        seen = {}
        for kind in ("nothing", "own", "file"):
            with subprocess.Popen([sys.executable, "-c", script, kind, str(size // mmap.PAGESIZE * mmap.PAGESIZE)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, cwd=harness.BUILD_DIR, text=True) as process:
                self.assertEqual(process.stdout.readline(), "ready\n")
                seen[kind] = own_bytes(process.pid)
                process.communicate("")
        self.assertGreater(seen["own"] - seen["nothing"], GROWTH_BYTES_MAX)
        self.assertLess(seen["file"] - seen["nothing"], size)

    def test_a_server_without_messages_has_no_first_delivery(self):
        with harness.Server() as server:
            with wire.connect(server) as client:
                client.topic_create("empty")
            server.stop()
            with self.assertRaises(AssertionError):
                first_delivery(server, "empty", timeout=0.5)


if __name__ == "__main__":
    harness.main()
