#!/usr/bin/env python3
"""The power is cut, tens of thousands of times: a server's writes and syncs are recorded once, and what each cut may leave is made from
the record, opened and compared (powercut.c says how). Creation, a SIGKILL in between and growth of the map are in the record.

SHUNT_POWER_CUTS is how many (default 40,000), SHUNT_SEED which. A failure names the record's directory if SHUNT_KEEP is set, and
powercut LOG WORK 1 SEED STATE repeats one state.
"""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

from rig import SEED, Place, harness, live, preload, wire
from workload import Workload

CUTS = int(os.environ.get("SHUNT_POWER_CUTS", "6000" if os.environ.get("SANITIZED") else "40000"))
CUTS_PLANTED = 20000
ROUNDS = 24
BULK_FRAMES, BULK_MESSAGES = 12, 5
MAP_BYTES_MAX = ("80MiB", "96MiB", "160MiB")  # of one life after another; each grows as soon as it begins
POWERCUT = pathlib.Path(harness.BUILD_DIR) / "tests" / "crash" / "powercut"
# Too little would prove nothing.
VERSIONS_MIN, FACTS_MIN = 100, 500


class Bulk(threading.Thread):
    """A publisher that does not wait, so that one commit has many frames in it."""

    def __init__(self, port, name):
        super().__init__()
        self.port, self.name, self.error = port, name, None

    def run(self):
        try:
            with wire.Client(self.port, timeout=20.0) as client:
                client.topic_create(self.name)
                for burst in range(4):
                    bodies = [[f"{self.name} {burst} {i}".encode() * 40] for i in range(BULK_MESSAGES)]
                    ids = [client.send(wire.PUBLISH, self.name, 0, 0, bodies) for _ in range(BULK_FRAMES)]
                    for id in ids:
                        client.reply(id)
                client.goodbye()
        except Exception as error:  # told by the thread that joins
            self.error = error


class PowerCut(unittest.TestCase):
    def setUp(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="powercut-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        if os.environ.get("SHUNT_KEEP"):
            print("kept:", self.work)
        else:
            self.addCleanup(shutil.rmtree, self.work, True)

    def record(self, plant="", lives=MAP_BYTES_MAX):
        """Returns the log of some lives of a server; the first ends with SIGKILL, the others are stopped."""
        log = self.work / f"log-{plant}"
        with Place() as place:
            for number, most in enumerate(lives):
                place.settings.write_text(f"map-size: 16MiB\nmap-size-max: {most}\n")
                server = place.server(environment={**preload("record.so"), "RECORD_LOG": log, "RECORD_ROOT": place.directory,
                                                   "RECORD_PLANT": plant})
                try:
                    server.start()
                    self.assertTrue(server.started, server.log_text())
                    bulk = Bulk(server.port, f"bulk-{number}")
                    bulk.start()
                    if number == 0:
                        workload = Workload()
                        self.assertIsNone(live(server, workload, ROUNDS), server.log_text())
                    else:
                        workload.verify(server.port)
                    bulk.join()
                    self.assertIsNone(bulk.error)
                    self.assertEqual(server.kill() if number == 0 else server.stop(), None if number == 0 else 0, server.log_text())
                finally:
                    server.remove()
        return log

    def cut(self, log, states, environment=None):
        """Returns the exit status, the output, and the figures of its last line."""
        done = subprocess.run([POWERCUT, log, self.work, str(states), str(SEED)], capture_output=True, text=True, timeout=900, check=False,
                              env={**os.environ, **(environment or {})})
        figures = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout.splitlines()[-1] if done.stdout else "")}
        return done.returncode, done.stdout + done.stderr, figures

    def test_whatever_a_power_cut_leaves_what_was_confirmed_is_there(self):
        status, output, figures = self.cut(self.record(), CUTS)
        print(output.splitlines()[-1] if output else "")
        self.assertEqual(status, 0, output)
        self.assertEqual(figures["states"], CUTS)
        self.assertGreaterEqual(figures["versions"], VERSIONS_MIN)
        self.assertGreaterEqual(figures["facts"], FACTS_MIN)
        for name in ("older", "without_store", "recovered"):
            self.assertGreater(figures[name], 0, "no cut did this")

    def planted(self, wanted, plant="", environment=None):
        status, output, _ = self.cut(self.record(plant, MAP_BYTES_MAX[:1]), CUTS_PLANTED, environment)
        self.assertEqual(status, 1, output)
        self.assertRegex(output, wanted)

    def test_without_fdatasync_it_is_caught(self):
        self.planted(r"failure: seed \d+, state \d+", "nosync")

    def test_a_meta_page_that_is_not_synced_is_caught(self):
        self.planted("confirmed work is lost", "nometasync")

    def test_directories_that_are_not_synced_are_caught(self):
        self.planted("confirmed work is lost", "nodirsync")

    def test_a_confirmation_that_comes_too_early_is_caught(self):
        self.planted("confirmed work is lost|like no version", environment={"SHUNT_PLANT_EARLY": "1"})


if __name__ == "__main__":
    harness.main()
