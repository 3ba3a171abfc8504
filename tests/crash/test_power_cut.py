#!/usr/bin/env python3
"""The power is cut, tens of thousands of times: a server's writes and syncs are recorded once, and what each cut may leave is made from
the record, opened and compared (powercut.c says how). Creation, a SIGKILL in between and growth of the map are in the record; in a
second one a journal is made, comes round, becomes longer, is put into the store, and takes a store over.

Some of what is left is also given to a server, which is drained, and the history of all that was told before the cut and seen after it
is judged. Servers with a planted bug (plant.c) are caught by either.

SHUNT_POWER_CUTS is how many (default 15,000, a third of them with a journal), SHUNT_SEED which. A failure names the record's directory if SHUNT_KEEP is set, and
powercut LOG WORK 1 SEED STATE repeats one state.
"""
import collections
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

from rig import SEED, SMALL_JOURNAL, Place, Wrong, harness, live, preload, wire
from trace_history import history_until
from workload import Workload

CUTS = int(os.environ.get("SHUNT_POWER_CUTS", "1000" if os.environ.get("SANITIZED") else "15000"))
CUTS_JOURNAL = CUTS // 3  # of these
CUTS_PLANTED, CUTS_LOST = 20000, 1000
CUTS_SERVED, CUTS_SERVED_PLANTED = 12, 100
ROUNDS, ROUNDS_JOURNAL = 24, 80  # with a journal until it has come round
BULK_FRAMES, BULK_MESSAGES = 12, 5
BULK_LINES, BULK_LINES_MANY = 40, 1600
# Each map grows as soon as its life begins; if `lost`, the life ends when that sync of the journal fails.
Life = collections.namedtuple("Life", "map_bytes_max journal lines lost", defaults=("off", BULK_LINES, 0))
LIVES = Life("80MiB"), Life("96MiB"), Life("160MiB")
# A journal is made and comes round; becomes longer; is put into the store; takes a store over.
LIVES_LOST = Life("80MiB", "on", lost=40), Life("80MiB", "on")
LIVES_JOURNAL = Life("80MiB", "on"), Life("80MiB", "on", BULK_LINES_MANY), Life("96MiB"), Life("96MiB", "on", BULK_LINES_MANY)
POWERCUT = pathlib.Path(harness.BUILD_DIR) / "tests" / "crash" / "powercut"
POWERCUT_PLANTED = POWERCUT.with_name("powercut-planted")
# Too little would prove nothing.
VERSIONS_MIN, FACTS_MIN, CONFIRMED_MIN = 100, 500, 500
JOURNAL_LENGTHS_MIN, JOURNAL_ROUNDS_MIN = 3, 2  # made twice, longer once


# Whether it finds planted bugs is about the rig itself, which needs no sanitizer.
OF_THE_RIG = unittest.skipIf(os.environ.get("SANITIZED"), "it is about the rig")


class Bulk(threading.Thread):
    """A publisher that does not wait, so that one commit has many frames in it."""

    def __init__(self, port, name, lines):
        super().__init__()
        self.port, self.name, self.lines, self.error = port, name, lines, None

    def run(self):
        try:
            with wire.Client(self.port, timeout=20.0) as client:
                client.topic_create(self.name)
                for burst in range(4):
                    frames = [[[f"{self.name} {burst} {n} {i}".encode() * self.lines] for i in range(BULK_MESSAGES)] for n in range(BULK_FRAMES)]
                    ids = [client.send(wire.PUBLISH, self.name, 0, 0, bodies) for bodies in frames]
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

    def record(self, plant="", lives=LIVES, bug=None, rounds=ROUNDS):
        """Returns the log of some lives of a server; the first ends with SIGKILL, the others are stopped. `plant` is one of record.c's,
        `bug` one of plant.c's. A journal is a small one."""
        log = self.work / f"log-{plant}{bug or ''}{rounds}"
        with Place() as place:
            for number, life in enumerate(lives):
                place.settings.write_text(f"resume-wait: 1ms\nmap-size: 16MiB\nmap-size-max: {life.map_bytes_max}\njournal: {life.journal}\n")
                server = place.server(environment={**preload("record.so"), "RECORD_LOG": log, "RECORD_ROOT": place.directory,
                                                   "RECORD_PLANT": plant, **SMALL_JOURNAL, "RECORD_LOSE": str(life.lost)}, plant=bug or "")
                try:
                    server.start()
                    self.assertTrue(server.started, server.log_text())
                    if life.lost:
                        workload = Workload()
                        self.assertEqual(live(server, workload, rounds), 74, server.log_text())
                        continue
                    bulk = Bulk(server.port, f"bulk-{number}", life.lines)
                    bulk.start()
                    if number == 0:
                        workload = Workload()
                        self.assertIsNone(live(server, workload, rounds), server.log_text())
                    else:
                        workload.verify(server.port)
                    bulk.join()
                    self.assertIsNone(bulk.error)
                    self.assertEqual(server.kill() if number == 0 else server.stop(), None if number == 0 else 0, server.log_text())
                finally:
                    server.remove()
        return log

    def cut(self, log, states, environment=None, first=0, program=POWERCUT):
        """Returns the exit status, the output, and the figures of its last line."""
        done = subprocess.run([program, log, self.work, str(states), str(SEED), str(first)], capture_output=True, text=True, timeout=900, check=False,
                              env={**os.environ, **(environment or {})})
        figures = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout.splitlines()[-1] if done.stdout else "")}
        return done.returncode, done.stdout + done.stderr, figures

    def test_whatever_a_power_cut_leaves_what_was_confirmed_is_there(self):
        self.survives(self.record(), CUTS - CUTS_JOURNAL)

    def test_with_a_journal_too(self):
        figures = self.survives(self.record(lives=LIVES_JOURNAL, rounds=ROUNDS_JOURNAL), CUTS_JOURNAL)
        self.check_the_journal_did_enough(figures)

    def check_the_journal_did_enough(self, figures):
        self.assertGreaterEqual(figures["journal_lengths"], JOURNAL_LENGTHS_MIN, "too few lengths")
        self.assertGreaterEqual(figures["journal_rounds"], JOURNAL_ROUNDS_MIN, "too few rounds")

    def survives(self, log, cuts):
        status, output, figures = self.cut(log, cuts)
        print(output.splitlines()[-1] if output else "")
        self.assertEqual(status, 0, output)
        self.check_it_was_enough(figures, cuts)
        confirmed = [self.serve(log, state) for state in range(CUTS_SERVED)]
        print(f"{CUTS_SERVED} cuts served and judged, {sum(confirmed)} messages confirmed before them")
        self.assertGreater(sum(confirmed), CONFIRMED_MIN)
        return figures

    def check_it_was_enough(self, figures, wanted):
        self.assertEqual(figures["states"], wanted)
        self.assertGreaterEqual(figures["versions"], VERSIONS_MIN, "too few versions")
        self.assertGreaterEqual(figures["facts"], FACTS_MIN, "too few facts")
        for name in ("older", "without_store", "recovered"):
            self.assertGreater(figures[name], 0, f"no cut: {name}")

    def test_a_run_that_saw_too_little_fails(self):
        _, _, figures = self.cut(self.record(lives=LIVES[:1], rounds=1), 500)
        with self.assertRaisesRegex(AssertionError, "too few lengths"):
            self.check_the_journal_did_enough(figures)
        with self.assertRaisesRegex(AssertionError, "too few rounds"):
            self.check_the_journal_did_enough({**figures, "journal_lengths": JOURNAL_LENGTHS_MIN})
        with self.assertRaisesRegex(AssertionError, "too few versions"):
            self.check_it_was_enough(figures, 500)
        with self.assertRaisesRegex(AssertionError, "too few facts"):
            self.check_it_was_enough({**figures, "versions": VERSIONS_MIN}, 500)
        with self.assertRaisesRegex(AssertionError, "no cut: older"):
            self.check_it_was_enough({**figures, "versions": VERSIONS_MIN, "facts": FACTS_MIN, "older": 0}, 500)

    def serve(self, log, state):
        """A server on what one cut left; returns how many messages had been confirmed before it."""
        with Place() as place:
            kept = self.work / "kept"
            place.data = kept / "data"
            workload = Workload()
            workload.history = history_until(log, self.cut_one(log, state, kept))
            confirmed = sum(event["e"] == "published" for event in workload.history.events)
            try:
                with place.late_server() as server:
                    if not server.started:
                        raise Wrong("the next server does not start:\n" + server.log_text())
                    workload.drain(server.port)
            except (wire.ShuntError, wire.Disconnected) as error:  # what it needs for an answer is damaged or gone; it may have ended of that
                raise AssertionError(f"state {state}: the server answers with an error, which cannot be true of what was confirmed: {error}") from error
            except AssertionError as error:
                raise AssertionError(f"state {state}: {error}") from error
            finally:
                shutil.rmtree(kept)
            return confirmed

    def cut_one(self, log, state, kept):
        """Keep what it leaves; returns the number of the record before which it was."""
        _, output, _ = self.cut(log, 1, {"SHUNT_CUT_KEEP": kept}, state)
        return int(re.search(r"kept what is left by a cut before record (\d+)", output)[1])

    def planted(self, wanted, plant="", environment=None, bug=None, lives=LIVES[:1], rounds=ROUNDS, program=POWERCUT):
        log = self.record(plant, lives, bug, rounds)
        status, output, _ = self.cut(log, CUTS_PLANTED, environment, program=program)
        self.assertEqual(status, 1, output)
        self.assertRegex(output, wanted)
        return log

    def planted_in_history(self, log, wanted):
        with self.assertRaisesRegex(AssertionError, f"(?s){wanted}"):
            for state in range(CUTS_SERVED_PLANTED):
                self.serve(log, state)

    def planted_journal(self, wanted, plant="", bug=None):
        return self.planted(wanted, plant, bug=bug, lives=LIVES_JOURNAL[:1], rounds=ROUNDS_JOURNAL)

    @OF_THE_RIG
    def test_a_reply_before_the_flush_of_its_record_is_caught(self):
        log = self.planted("never there|confirmed work is lost", bug="confirm-early", lives=LIVES_JOURNAL[:1])
        self.planted_in_history(log, "cannot be true")

    @OF_THE_RIG
    def test_a_journal_that_is_not_flushed_is_caught(self):
        self.planted(r"failure: seed \d+, state \d+", "nosync", lives=LIVES_JOURNAL[:1])

    @OF_THE_RIG
    def test_a_ring_that_comes_round_before_lmdb_has_synced_is_caught(self):
        self.planted_journal(r"failure: seed \d+, state \d+", bug="nosync")

    @OF_THE_RIG
    def test_a_ring_that_comes_round_before_lmdb_has_committed_is_caught(self):
        self.planted_journal("even without a power cut.*the journal is damaged", bug="early-release")

    @OF_THE_RIG
    def test_a_place_that_moves_on_before_the_rows_is_caught(self):
        self.planted_journal("even without a power cut|confirmed work is lost", bug="early-place")

    @OF_THE_RIG
    def test_a_generation_dropped_before_its_commit_is_caught(self):
        """By the workload alone: what is gone is gone while the server runs."""
        with self.assertRaisesRegex(AssertionError, "dead letters to work on|answers refused|neither answers nor ends|(65|74) is not None"):
            self.record(lives=LIVES_JOURNAL[:1], bug="early-drop", rounds=ROUNDS_JOURNAL)

    @OF_THE_RIG
    def test_a_replay_without_the_last_record_is_caught(self):
        self.planted("never there|confirmed work is lost", environment={"SHUNT_PLANT": "short-replay"}, lives=LIVES_JOURNAL[:1], program=POWERCUT_PLANTED)

    def test_what_is_built_on_a_record_whose_flush_failed_is_there(self):
        status, output, _ = self.cut(self.record(lives=LIVES_LOST), CUTS_LOST)
        self.assertEqual(status, 0, output)

    @OF_THE_RIG
    def test_a_start_that_trusts_what_it_reads_is_caught(self):
        self.planted(r"failure: seed \d+, state \d+, .*the journal is damaged", bug="trusting-start", lives=LIVES_LOST)

    @OF_THE_RIG
    def test_without_syncing_it_is_caught(self):
        self.planted_in_history(self.planted(r"failure: seed \d+, state \d+", bug="nosync"), "does not start|cannot be true")

    @OF_THE_RIG
    def test_a_meta_page_without_its_own_sync_is_caught(self):
        self.planted_in_history(self.planted("confirmed work is lost", bug="nometasync"), "does not start|cannot be true")

    @OF_THE_RIG
    def test_an_answer_before_its_commit_is_caught(self):
        self.planted_in_history(self.planted("never there|confirmed work is lost", bug="confirm-early"), "cannot be true")

    @OF_THE_RIG
    def test_a_dead_letter_in_two_transactions_is_caught(self):
        self.planted_in_history(self.planted("even without a power cut", bug="split-divert"), "the count of dead letters is not")

    @OF_THE_RIG
    def test_counts_in_memory_are_caught(self):
        self.planted_in_history(self.planted("never there", bug="volatile-count"), "a confirmed nack was not counted|attempts went down")

    @OF_THE_RIG
    def test_an_ack_that_is_not_persisted_is_caught(self):
        self.planted("even without a power cut|never there", bug="lost-ack")

    @OF_THE_RIG
    def test_without_fdatasync_it_is_caught(self):
        self.planted(r"failure: seed \d+, state \d+", "nosync")

    @OF_THE_RIG
    def test_a_meta_page_that_is_not_synced_is_caught(self):
        self.planted("confirmed work is lost", "nometasync")

    @OF_THE_RIG
    def test_directories_that_are_not_synced_are_caught(self):
        self.planted("confirmed work is lost", "nodirsync")

    @OF_THE_RIG
    def test_a_confirmation_that_comes_too_early_is_caught(self):
        self.planted("confirmed work is lost|like no version", environment={"SHUNT_PLANT_EARLY": "1"})


if __name__ == "__main__":
    harness.main()
