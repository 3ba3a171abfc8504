"""shuntd is killed three hundred times (SHUNT_KILLS changes that) under publish, consume and divert traffic, and nothing confirmed is lost,
whether commits go into a journal or not, or that changes.

Every kill waits until the storm has moved since the last one and has requests under way, so none hits an idle server. After each,
`shuntd --check` goes over what is on disk. At the end, history.py and shunt-history judge all that publishers and consumers saw; that the
former can say no is tested as well, on a small history and on the real one, both falsified. Servers with a planted bug (tests/crash/plant.c)
must be caught, by the check, or by shunt-history alone.
"""
import copy
import json
import mmap
import os
import pathlib
import random
import signal
import struct
import subprocess
import tempfile
import time
import unittest

import harness
import history
import wire
import witness
from history import Answer, Dead, Delivery, History, find_faults
from secure import plain_only

KILLS = int(os.environ.get("SHUNT_KILLS", "30" if os.environ.get("SANITIZED") else "300"))
KILLS_OF_ONE = 10  # then the next with a journal, or without one again
KILLS_PLANTED = 100  # or fewer: the first that shows the bug ends it
# What is said of a bug of plant.c by the check and by the history.
PLANTS = {"confirm-early": "cannot be true", "split-divert": "shuntd --check: exit 1", "volatile-count": "shuntd --check: exit 1|cannot be true",
          "lost-ack": "shuntd --check: exit 1"}
PLANTS_IN_HISTORY = {"confirm-early": "lost: |after a confirmed|has no later token|one count for two|two messages confirmed at one place",
                     "volatile-count": "attempts went down|a confirmed nack was not counted"}
SEED = int(os.environ.get("SHUNT_SEED", "1"))
TOPIC = "storm"
PUBLISHERS, CONSUMERS = (1, 2), (11, 12)
RATE = 1500  # messages a second and publisher
MOVES_SECONDS_MAX = 60
END_SECONDS_MAX = 120
COUNTERS = ("published", "acked", "diverted", "delivered", "publishes_open", "answers_open")

# Too little would prove nothing.
PUBLISHED_MIN, ACKED_MIN, DIVERTED_MIN, UNKNOWN_MIN = 50 * KILLS, 30 * KILLS, 4 * KILLS, KILLS // 4


class Storm:
    """Publishers and consumers, their logs and their counters."""

    def __init__(self, server):
        self.server = server
        counters = server.directory / "counters"
        counters.write_bytes(bytes(mmap.PAGESIZE))
        self.file = open(counters, "r+b")
        self.counters = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)
        self.logs, self.publishers, self.consumers = [], [], []
        for name in PUBLISHERS:
            self.publishers.append(self._spawn("publish", name, counters, str(RATE)))
        for name in CONSUMERS:
            self.consumers.append(self._spawn("consume", name, counters))

    def _spawn(self, role, name, counters, *more):
        log = self.server.directory / f"{role}-{name}.log"
        self.logs.append(log)
        program = os.path.join(harness.BUILD_DIR, "tests", "e2e", "storm")
        return subprocess.Popen([program, role, TOPIC, str(name), log, counters, *more], env=self.server.environment(), stdin=subprocess.DEVNULL)

    def now(self):
        return dict(zip(COUNTERS, struct.unpack_from(f"={len(COUNTERS)}Q", self.counters)))

    def check_alive(self):
        for process in self.publishers + self.consumers:
            if process.poll() is not None:
                raise AssertionError(f"{process.args[1:4]} ended with {process.returncode}")

    def end(self, processes):
        """SIGTERM: they finish what they have under way."""
        for process in processes:
            process.send_signal(signal.SIGTERM)
        statuses = [process.wait(END_SECONDS_MAX) for process in processes]
        if any(statuses):
            raise AssertionError(f"storms ended with {statuses}")

    def calm(self):
        """From now on everything is acked."""
        for process in self.consumers:
            process.send_signal(signal.SIGUSR1)

    def close(self):
        for process in self.publishers + self.consumers:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.counters.close()
        self.file.close()


def check_store(directory):
    done = subprocess.run([harness.SHUNTD, "--check", directory], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise AssertionError(f"shuntd --check: exit {done.returncode}\n{done.stdout}{done.stderr}")


class KillBroker(unittest.TestCase):
    def setUp(self):
        self.notes = []
        self.begin()

    def begin(self, plant=None):
        settings = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="kill-"))) / "settings"
        self.settings = settings
        self.set_journal("off")
        # Clients connect from 127.0.0.1, so none can take the port while the server is away, nor connect to itself.
        server = harness.Server(options=["--listen", "127.0.0.2:0", "--config", settings], wrapper=["env", f"SHUNT_PLANT={plant}"] if plant else [])
        if plant:
            server.program = os.path.join(harness.BUILD_DIR, "tests", "crash", "shuntd-planted")
        self.addCleanup(server.remove)
        server.start()
        self.server = server
        self.notes = []
        self.server.options = ["--listen", self.server.address, "--config", settings]
        with wire.connect(self.server) as client:
            client.topic_create(TOPIC, max_attempts=history.MAX_ATTEMPTS, breaker=0, lease_ms=600000, backoff_min_ms=1, backoff_max_ms=20)
        self.note("group", topic=TOPIC, group="default", max_attempts=history.MAX_ATTEMPTS)
        self.storm = Storm(self.server)
        self.addCleanup(self.storm.close)
        self.random = random.Random(SEED)

    def set_journal(self, setting):
        """For the next start."""
        self.settings.write_text(f"resume-wait: 500ms\njournal: {setting}\njournal-memory: 1MiB\n")  # what a storm answered in vain comes back soon

    def note(self, kind, **fields):
        """What the storms do not see."""
        self.notes.append({"t": witness.now_us(), "e": kind, **fields})

    def storm_moves(self):
        """Wait until enough was confirmed since the last kill, and something is under way."""
        begin, wanted = self.storm.now(), {"published": self.random.randrange(20, 250), "acked": self.random.randrange(10, 150),
                                           "diverted": self.random.randrange(1, 20)}

        def moved():
            now = self.storm.now()
            return all(now[name] - begin[name] >= count for name, count in wanted.items()) and now["publishes_open"] and now["answers_open"]

        def why():
            self.storm.check_alive()
            return f"the storm stands still: {begin} became {self.storm.now()}, wanted {wanted} more\n" + self.server.log_text()[-2000:]

        wire.until(moved, MOVES_SECONDS_MAX, why)
        self.assertIsNone(self.server.process.poll(), self.server.log_text())

    def redrive(self):
        """Bring dead letters back into the storm, as a job that may be killed too."""
        with wire.connect(self.server) as client:
            self.note("redrive", topic=TOPIC, group="default")
            client.dlq_redrive(TOPIC, count=self.random.randrange(1, 200))

    def kills(self, count, check=True):
        for kill in range(count):
            if kill % 10 == 5:
                self.redrive()
            self.storm_moves()
            self.server.kill()
            self.note("restart")
            if check:
                check_store(self.server.data)
            if kill % KILLS_OF_ONE == KILLS_OF_ONE - 1:
                self.set_journal("on" if kill // KILLS_OF_ONE % 2 == 0 else "off")
            self.server.start()

    def test_nothing_confirmed_is_lost(self):
        begin = time.monotonic()
        self.kills(KILLS)
        killed_after = time.monotonic() - begin
        found = self.finish()
        total = {"kills": KILLS, "seconds": round(killed_after), **self.storm.now(), "dead": len(found.dead)}
        print(total)
        self.assertEqual(find_faults(found), [], total)
        print(self.judge(f"restarts={KILLS}", f"confirmed={PUBLISHED_MIN}", f"unknown={UNKNOWN_MIN}"))
        self.check_it_was_enough(found)
        self.check_falsified(found)
        with self.assertRaisesRegex(AssertionError, "saw too little"):
            self.judge(f"restarts={KILLS + 1}")
        with self.assertRaises(AssertionError):
            self.check_it_was_enough(History())

    def judge(self, *least):
        """By shunt-history."""
        path = self.server.directory / "notes.log"
        path.write_text("".join(json.dumps(note) + "\n" for note in self.notes), encoding="ascii")
        return witness.judge([path, *self.storm.logs], *least)

    def again(self, plant):
        """With another server, and storms of its own."""
        self.storm.close()
        self.server.remove()
        self.begin(plant)

    @unittest.skipIf(os.environ.get("SANITIZED"), "it is about the test")
    @plain_only("it is about the judge of what came, which knows nothing of connections")
    def test_planted_bugs_are_caught(self):
        for plant, said in PLANTS.items():
            with self.subTest(plant):
                self.again(plant)
                with self.assertRaisesRegex(AssertionError, said):
                    self.kills(KILLS_PLANTED)
                    self.finish()
                    self.judge()

    @unittest.skipIf(os.environ.get("SANITIZED"), "it is about the test")
    @plain_only("it is about the judge of what came, which knows nothing of connections")
    def test_planted_bugs_are_caught_by_the_history_alone(self):
        for plant, said in PLANTS_IN_HISTORY.items():
            with self.subTest(plant):
                with self.assertRaisesRegex(AssertionError, f"(?s)cannot be true.*({said})"):
                    for _ in range(KILLS_PLANTED // 5):  # nearly always the first shows it
                        self.again(plant)
                        self.kills(5, check=False)
                        self.finish()
                        self.judge()

    def finish(self):
        """Let all of it come to its end; returns the whole history."""
        self.storm.check_alive()
        self.storm.end(self.storm.publishers)
        self.storm.calm()
        found = History()
        with wire.connect(self.server) as client:
            wire.until(lambda: not wire.states(client, TOPIC).keys() & {"ready", "in_flight", "delayed"}, END_SECONDS_MAX,
                       lambda: f"not drained: {wire.states(client, TOPIC)}")
            self.storm.end(self.storm.consumers)
            found.counts = {"acked": 0, "dead": 0, **wire.states(client, TOPIC), "published": client.group_show(TOPIC)["published"]}
            dead = wire.dead_letters(client, TOPIC)
            self.note_end(client, dead)
            for row in dead:
                found.dead.append(Dead(int(row["origin"].rsplit("/", 1)[1]), row["generation"], row["deliveries"], row["attempts"], row["reason"]))
            self.assertEqual(client.stats()["conservation_error"], 0)
        self.assertEqual(self.server.stop(), 0, self.server.log_text()[-2000:])
        check_store(self.server.data)
        for log in self.storm.logs:
            found.read(log)
        return found

    def note_end(self, client, dead):
        for row in dead:
            body = bytes(client.dlq_show(TOPIC, row["id"])["body"]).decode()
            self.note("dead", topic=TOPIC, group="default", seq=int(row["origin"].rsplit("/", 1)[1]), body=" ".join(body.split()[:3]),
                      **{name: row[name] for name in ("attempts", "deliveries", "generation", "reason")})
        info = client.group_show(TOPIC)
        self.note("counts", topic=TOPIC, group="default", **{name: info[name] for name in witness.COUNTERS})
        self.note("end", result="ok")

    def check_it_was_enough(self, found):
        answers = [(row.outcome, row.answer) for row in found.answers]
        self.assertGreaterEqual(len(found.published), PUBLISHED_MIN)
        self.assertGreaterEqual(answers.count(("a", "ok")), ACKED_MIN)
        self.assertGreaterEqual(answers.count(("n", "ok")) + answers.count(("r", "ok")), DIVERTED_MIN)
        self.assertGreaterEqual(sum(answer == "unknown" for _, answer in answers), UNKNOWN_MIN, "kills hit no answers under way")
        self.assertGreater(len(found.dead), 0)
        if KILLS >= 10:
            self.assertGreater(max(row.generation for row in found.deliveries), 0, "nothing was redriven")

    def check_falsified(self, found):
        """The real history with one lie in it."""
        acked = {row.seq for row in found.answers if (row.outcome, row.answer) == ("a", "ok")}
        victim = next(row for row in found.deliveries if row.seq in acked)
        lost = copy.copy(found)
        lost.answers = [row for row in found.answers if row.seq != victim.seq]
        self.assertTrue(any("a confirmed publish is lost" in fault for fault in find_faults(lost)))
        again = copy.copy(found)
        again.deliveries = found.deliveries + [victim._replace(deliveries=victim.deliveries + 100)]
        self.assertTrue(any("delivered after it had ended" in fault for fault in find_faults(again)))


class Judge(unittest.TestCase):
    """A small history that is true, and the same with each kind of lie in it."""

    def setUp(self):
        self.history = h = History()
        h.published = [((1, 1), 1), ((1, 2), 2), ((2, 1), 3), ((2, 2), 4)]
        h.deliveries = [
            Delivery(11, 1, 0, 1, 0, (1, 1)),  # nacked, then acked
            Delivery(11, 1, 0, 2, 1, (1, 1)),
            Delivery(11, 2, 0, 1, 0, (1, 2)),  # rejected, redriven, acked
            Delivery(12, 2, 1, 1, 0, (1, 2)),
            Delivery(12, 3, 0, 1, 0, (2, 1)),  # rejected
            Delivery(12, 4, 0, 1, 0, (2, 2)),  # interrupted by a kill, then acked, unknown whether with effect
            Delivery(12, 4, 0, 2, 0, (2, 2)),
        ]
        h.answers = [Answer(11, 1, 0, 1, "n", "ok"), Answer(11, 1, 0, 2, "a", "ok"), Answer(11, 2, 0, 1, "r", "ok"),
                     Answer(12, 2, 1, 1, "a", "ok"), Answer(12, 3, 0, 1, "r", "ok"), Answer(12, 4, 0, 1, "a", "stale"),
                     Answer(12, 4, 0, 2, "a", "unknown")]
        h.dead = [Dead(3, 0, 1, 1, "rejected")]
        h.counts = {"published": 4, "acked": 3, "dead": 1}

    def test_a_true_history_passes(self):
        self.assertEqual(find_faults(self.history), [])

    def told(self, what):
        faults = find_faults(self.history)
        self.assertTrue(any(fault.startswith(what + ":") for fault in faults), f"wanted `{what}`, found {faults}")

    def test_a_lost_publish(self):
        self.history.published.append(((1, 3), 5))
        self.told("a confirmed publish is lost")
        self.told("published is not what was confirmed")

    def test_a_lost_dead_letter(self):
        del self.history.dead[0]
        self.told("a confirmed publish is lost")
        self.told("a confirmed reject is lost")

    def test_a_lost_redrive(self):
        self.history.deliveries = [row for row in self.history.deliveries if row.generation == 0]
        self.history.answers = [row for row in self.history.answers if row.generation == 0]
        self.told("a confirmed reject is lost")

    def test_an_acked_message_that_comes_again(self):
        self.history.deliveries.append(Delivery(12, 1, 0, 3, 1, (1, 1)))
        self.told("delivered after it had ended")

    def test_an_acked_message_that_comes_again_in_a_new_generation(self):
        self.history.deliveries.append(Delivery(12, 1, 1, 1, 0, (1, 1)))
        self.told("delivered after it had ended")

    def test_a_rejected_message_that_comes_again(self):
        self.history.deliveries.append(Delivery(12, 3, 0, 2, 0, (2, 1)))
        self.told("delivered after it had ended")

    def test_a_message_that_failed_too_often_and_comes_again(self):
        for deliveries in (1, 2, 3, 4):
            self.history.deliveries.append(Delivery(11, 5, 0, deliveries, deliveries - 1, (1, 3)))
            self.history.answers.append(Answer(11, 5, 0, deliveries, "n", "ok"))
        self.told("delivered after it had ended")

    def test_a_dead_message_that_is_delivered(self):
        self.history.deliveries.append(Delivery(12, 3, 1, 1, 0, (2, 1)))
        self.told("delivered after it had died")

    def test_attempts_that_go_down(self):
        self.history.deliveries += [Delivery(11, 4, 0, 3, 1, (2, 2)), Delivery(11, 4, 0, 4, 0, (2, 2))]
        self.told("attempts went down")

    def test_deliveries_that_go_down(self):
        self.history.deliveries.insert(0, Delivery(12, 4, 0, 9, 0, (2, 2)))
        self.told("counts went down")

    def test_one_number_for_two_deliveries(self):
        self.history.deliveries.append(Delivery(11, 4, 0, 2, 0, (2, 2)))
        self.told("one delivery was counted for two")

    def test_a_forgotten_nack(self):
        self.history.deliveries[1] = Delivery(11, 1, 0, 2, 0, (1, 1))
        self.told("a confirmed nack is forgotten")

    def test_an_attempt_that_nobody_failed(self):
        self.history.deliveries[-1] = Delivery(12, 4, 0, 2, 1, (2, 2))
        self.told("charged for what was no failure")

    def test_a_message_stored_twice(self):
        self.history.deliveries.append(Delivery(11, 5, 0, 1, 0, (1, 1)))
        self.told("stored twice")

    def test_a_body_at_the_wrong_place(self):
        self.history.deliveries[0] = Delivery(11, 1, 0, 1, 0, (1, 2))
        self.told("delivered another body than was published there")

    def test_a_body_that_nobody_published(self):
        self.history.deliveries[0] = Delivery(11, 1, 0, 1, 0, (0, -1))
        self.told("delivered a body that nobody published")

    def test_a_place_given_twice(self):
        self.history.published.append(((9, 9), 4))
        self.told("confirmed at a place that was taken")

    def test_dead_letters_that_cannot_be(self):
        for row, what in ((Dead(3, 0, 0, 1, "rejected"), "a dead letter's counts are lower than before"),
                          (Dead(3, 0, 1, 3, "max_attempts"), "dead before its time"), (Dead(3, 0, 1, 1, "corrupt"), "dead for no reason"),
                          (Dead(4, 0, 2, 0, "rejected"), "rejected by nobody"), (Dead(1, 0, 2, 2, "rejected"), "acked and dead")):
            with self.subTest(what):
                self.history.dead = [row]
                self.told(what)
        self.history.dead = [Dead(3, 0, 1, 1, "rejected")] * 2
        self.told("dead twice")

    def test_counts_that_do_not_add_up(self):
        self.history.counts["acked"] = 2
        self.told("the group's counts do not add up")

    def test_acks_that_are_not_counted(self):
        self.history.counts = {"published": 4, "acked": 1, "dead": 3}
        self.told("the group counts other acks than were given")

    def test_a_failed_publish(self):
        self.history.failed.append(((1, 9), "DISCONNECTED"))
        self.told("a publish failed")


if __name__ == "__main__":
    harness.main()
