#!/usr/bin/env python3
"""Backups that are made beside a server that serves: what is in them, what is left of one that fails, and that the server goes on."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

import harness
import wire

BLOCK = re.compile(r"<!-- tested -->\s*\n```sh\n(.*?)^```$", re.S | re.M)
DATA, USAGE, NO_STORE, LOCKED, NO_SPACE, STOPPED = 65, 64, 66, 75, 79, 80
BATCH = 50
SLOW = 1 << 16  # bytes a second


class Load:
    """Publishes numbered messages, acks most of them and rejects some, until it is told to end; and says how far it is, before what it sends and after what was
    confirmed."""

    def __init__(self, server):
        self.sent = self.published = 0
        self.answered = self.answers_sent = 0
        self.stopping = threading.Event()
        self.failed = None
        self.client = wire.connect(server)
        self.client.topic_create("t", max_attempts=1)
        self.sub = self.client.subscribe("t", messages=BATCH)
        self.thread = threading.Thread(target=self.run)

    def round(self):
        """One in ten is rejected; half of what was published stays ready."""
        self.sent += BATCH
        answer = self.client.publish("t", *[b"%d" % n for n in range(self.sent - BATCH + 1, self.sent + 1)])
        assert (answer.first_seq, answer.accepted) == (self.sent - BATCH + 1, BATCH)
        self.published = self.sent
        taken = self.sub.take(BATCH // 2)
        self.answers_sent = taken[-1].seq
        refused = self.sub.resolve(*((d.seq, d.token, wire.ACK) if d.seq % 10 else (d.seq, d.token, wire.REJECT, None, "cannot") for d in taken))
        assert not refused, refused
        self.answered = taken[-1].seq

    def run(self):
        try:
            while not self.stopping.is_set():
                self.round()
        except Exception as error:  # told by end()
            self.failed = error

    def end(self):
        self.stopping.set()
        self.thread.join()
        self.client.close()
        if self.failed:
            raise self.failed


class Backup(unittest.TestCase):
    CONFIG = "journal: off\n"

    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="backup-")))
        self.config = self.directory / "shunt.yaml"
        self.config.write_text(self.CONFIG, encoding="utf-8")
        self.server = self.enterContext(harness.Server(options=["--config", self.config]))
        self.to = self.directory / "backup"
        self.partial = self.directory / "backup.partial"

    def command(self, *more, to=None):
        return [harness.SHUNTD, "--config", self.config, "--data", self.server.data, "--backup", to or self.to, *more]

    def backup(self, *more, code=0, to=None, wrapper=()):
        done = subprocess.run([*wrapper, *self.command(*more, to=to)], capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def fill(self, count=2000, size=1000):
        with wire.connect(self.server) as client:
            client.topic_create("t")
            wire.publish_all(client, "t", [b"%0*d" % (size, n) for n in range(count)])

    def check(self, directory):
        done = subprocess.run([harness.SHUNTD, "--check", directory], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def begun(self):
        """A slow backup that has begun to copy; it is ended when the test is."""
        process = subprocess.Popen([str(word) for word in self.command("--backup-rate", str(SLOW))], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(end)
        wire.until((self.partial / "data.mdb").exists)
        self.assertIsNone(process.poll())
        return process

    def nothing_is_left(self):
        self.assertFalse(self.to.exists())
        self.assertFalse(self.partial.exists())

    # ---- when the last one was, as the server shows it

    def shown(self):
        """{outcome: when}, from the metrics; the page is made anew at most once a second."""
        with urllib.request.urlopen(self.server.http + "/metrics", timeout=60) as answer:
            page = answer.read().decode()
        return {outcome: float(at) for outcome, at in re.findall(r"(?m)^shunt_backup_last_(success|failure)_timestamp_seconds (\S+)$", page)}

    def shows(self, *outcomes):
        wire.until(lambda: set(self.shown()) == set(outcomes))
        return self.shown()

    def test_the_server_shows_when_the_last_one_ended_well_and_when_badly(self):
        self.fill(count=1)
        self.shows()
        begin = time.time()
        self.backup()
        at = self.shows("success")["success"]
        self.assertTrue(begin - 0.001 <= at <= time.time(), at)
        self.backup(code=USAGE)  # it is there already
        both = self.shows("success", "failure")
        self.assertEqual(both["success"], at)
        self.assertGreaterEqual(both["failure"], at)
        self.server.stop()
        self.server.start()
        self.assertEqual(self.shows("success", "failure"), both, "over a restart")
        self.assertEqual(sorted(path.name for path in self.to.iterdir()), ["data.mdb"], "the copy does not have the times of its source")

    def test_one_that_is_stopped_has_failed_and_one_that_is_killed_tells_nothing(self):
        self.fill(count=400)
        killed = self.begun()
        killed.kill()
        killed.wait(60)
        shutil.rmtree(self.partial)
        stopped = self.begun()
        self.assertFalse(list(self.server.data.glob("backup-*")))
        stopped.terminate()
        self.assertEqual(stopped.wait(60), STOPPED)
        self.shows("failure")

    def test_what_stands_there_otherwise_is_not_shown(self):
        self.fill(count=1)
        mark = self.server.data / "backup-succeeded"
        for text in ("", "\n", "-5\n", "12", "12x\n", "9" * 16 + "\n", "1\n2\n", "\x00\n"):
            mark.write_text(text, encoding="utf-8")
            self.shows()
        mark.unlink()
        os.mkfifo(mark)
        self.shows()
        mark.unlink()
        mark.mkdir()
        self.shows()
        self.backup()
        self.shows()
        mark.rmdir()
        mark.write_text("1767225600000\n", encoding="utf-8")
        self.assertEqual(self.shows("success"), {"success": 1767225600.0})

    def test_where_the_time_cannot_be_noted_the_backup_is_good_and_it_is_told(self):
        self.fill(count=1)
        (self.server.data / "backup-succeeded").mkdir()
        self.assertIn("will not be in the server's metrics", self.backup())
        self.check(self.to)

    def test_under_load_it_shows_one_commit_with_all_that_was_confirmed_before(self):
        load = Load(self.server)
        load.round()
        load.thread.start()
        wire.until(lambda: load.published > 20 * BATCH or load.failed)
        for n in range(3):
            before = load.published, load.answered
            self.backup(to=self.directory / f"backup{n}")
            after = load.sent, load.answers_sent
            self.compare(self.directory / f"backup{n}", before, after)
        load.end()
        self.assertNotEqual(before, after, "the load stood still during the last backup")

    def compare(self, directory, before, after):
        """Published: numbers 1 to some one, each once. Answered: likewise."""
        self.assertEqual([path.name for path in directory.iterdir()], ["data.mdb"])
        config = self.directory / "restored.yaml"
        config.write_text("resume-wait: 0ms\n", encoding="utf-8")
        with harness.Server(data=directory, options=["--config", config]) as restored, wire.connect(restored) as client:
            group = client.group_show("t")
            published = group["published"]
            self.assertTrue(before[0] <= published <= after[0], (before, published, after))
            dead = wire.dead_letters(client, "t")
            answered = group["acked"] + group["dead"]
            self.assertTrue(before[1] <= answered <= after[1], (before, answered, after))
            self.assertEqual(len(dead), answered // 10)
            sub = client.subscribe("t", messages=65536, bytes=1 << 26)
            left = sub.take(published - answered)
            self.assertEqual(sorted(delivery.seq for delivery in left), list(range(answered + 1, published + 1)))
            for delivery in left:
                self.assertEqual(delivery.message.body, b"%d" % delivery.seq)
        self.check(directory)

    def test_a_stopped_server_is_backed_up_as_well(self):
        self.fill()
        self.assertEqual(self.server.stop(), 0)
        self.assertIn("messages=2000 problems=0", self.backup())
        self.check(self.to)

    def test_killed_in_the_middle_it_leaves_what_the_next_one_removes(self):
        self.fill()
        process = self.begun()
        process.kill()
        process.wait()
        self.assertFalse(self.to.exists())
        with wire.connect(self.server) as client:
            client.publish("t", b"goes on")
        self.assertIn("messages=2001 problems=0", self.backup())
        self.assertFalse(self.partial.exists())
        self.check(self.to)

    def test_stopped_by_a_signal_it_leaves_nothing(self):
        self.fill()
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.begun()
            process.send_signal(number)
            self.assertIn("stopped", process.communicate()[1])
            self.assertEqual(process.returncode, STOPPED)
            self.nothing_is_left()

    def test_two_do_not_write_one_directory(self):
        self.fill()
        self.begun()
        self.assertIn("another backup", self.backup(code=LOCKED))
        self.assertTrue((self.partial / "data.mdb").exists())

    def test_a_name_that_is_taken_is_refused(self):
        self.to.mkdir()
        self.assertIn("is there already", self.backup(code=USAGE))
        self.assertEqual(list(self.to.iterdir()), [])

    def test_a_parent_that_is_not_there_is_named(self):
        self.assertIn(str(self.directory / "no"), self.backup(code=NO_STORE, to=self.directory / "no" / "backup"))

    def test_a_rate_that_is_none_is_refused(self):
        for rate in ("64KiB-", "1", "0", "-1"):
            self.assertIn("--backup-rate", self.backup("--backup-rate", rate, code=USAGE))
        done = subprocess.run([harness.SHUNTD, "--backup-rate", "1MiB"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, USAGE)
        self.nothing_is_left()

    @unittest.skipUnless(os.geteuid() == 0, "needs two users")
    def test_another_user_is_refused_and_told_which_one_is_right(self):
        os.chown(self.server.data / "data.mdb", 65534, -1)
        self.assertIn("user 65534", self.backup(code=73))
        os.chown(self.server.data / "data.mdb", 0, -1)
        self.nothing_is_left()

    def test_a_full_disk_ends_it_and_not_the_server(self):
        self.fill()
        self.assertIn("make room", self.backup(code=NO_SPACE, wrapper=["prlimit", f"--fsize={1 << 20}", "--"]))
        self.nothing_is_left()
        with wire.connect(self.server) as client:
            client.publish("t", b"goes on")

    def test_a_damaged_row_is_not_kept(self):
        self.fill()
        self.assertEqual(self.server.stop(), 0)
        data = self.server.data / "data.mdb"
        subprocess.run([harness.SHUNTD, "--config", self.config, "--check", self.server.data], check=True, stdout=subprocess.DEVNULL)
        bytes_ = bytearray(data.read_bytes())
        at = bytes_.find(b"0" * 990 + b"0777")
        if at < 0:  # it is in the journal alone, whose own checksum finds it
            self.skipTest("the rows are not in data.mdb")
        bytes_[at] ^= 1
        data.write_bytes(bytes_)
        said = self.backup(code=DATA)
        self.assertIn("damaged", said)
        self.assertIn("--check", said)
        self.nothing_is_left()


class WithJournal(Backup):
    CONFIG = "journal: on\njournal-memory: 1MiB\n"


class Small(unittest.TestCase):
    """A store that has little room to grow."""

    def test_it_ends_before_the_store_is_full_because_of_it(self):
        with tempfile.TemporaryDirectory(prefix="backup-") as where, harness.Server() as server:
            config, to = pathlib.Path(where) / "shunt.yaml", pathlib.Path(where) / "backup"
            config.write_text("map-size: 32MiB\nmap-size-max: 32MiB\n", encoding="utf-8")
            server.stop()
            server.options = ["--config", config]
            server.start()
            with wire.connect(server) as client:
                client.topic_create("t")
                for _ in range(4):  # of which a copy takes longer than the store needs to grow
                    client.publish("t", *[b"x" * 1000] * 2000)
                backup = subprocess.Popen([harness.SHUNTD, "--config", config, "--data", server.data, "--backup", to, "--backup-rate", str(SLOW)],
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                self.addCleanup(backup.wait)
                sub = client.subscribe("t", messages=1000)
                refused = 0
                for _ in range(5000):  # what comes and goes needs new pages each time
                    if backup.poll() is not None:
                        break
                    try:
                        client.publish("t", *[b"y" * 1000] * 200)
                    except wire.ShuntError as error:
                        self.assertEqual(error.name, "NO_SPACE")
                        refused += 1
                    for delivery in sub.take(100):
                        sub.ack(delivery)
                said = backup.communicate()[1]
                self.assertEqual(backup.returncode, NO_SPACE, said)
                self.assertIn("grew while it was copied", said)
                self.assertFalse(to.exists())
                wire.until(lambda: self.accepted(client), why="publishing did not come back")

    def accepted(self, client):
        try:
            return client.publish("t", b"z").accepted
        except wire.ShuntError:
            return 0


class Tool(unittest.TestCase):
    """`shunt backup` becomes `shuntd --backup`."""

    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="backup-")))
        self.to = self.directory / "backup"
        self.server = self.enterContext(harness.Server())
        with wire.connect(self.server) as client:
            client.topic_create("t")
            wire.publish_all(client, "t", [b"%01000d" % n for n in range(500)])

    def run_tool(self, *words, code=0):
        """It needs no broker, and takes none that the environment names."""
        done = subprocess.run([harness.SHUNT, "backup", *words], env={**os.environ, "SHUNT_URL": "shunt://127.0.0.1:1"},
                              capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_it_is_a_backup(self):
        self.assertIn("messages=500 problems=0", self.run_tool(self.to, "--data", self.server.data, "--rate", "100MiB"))
        subprocess.run([harness.SHUNTD, "--check", self.to], check=True, stdout=subprocess.DEVNULL)
        self.assertIn("is there already", self.run_tool(self.to, "--data", self.server.data, code=USAGE))

    def test_settings_name_the_store(self):
        config = self.directory / "shunt.yaml"
        config.write_text(f"data: {self.server.data}\n", encoding="utf-8")
        self.assertIn("messages=500 problems=0", self.run_tool(self.to, "--config", config))

    def test_what_is_wrong_is_told_and_leaves_nothing(self):
        data = ("--data", self.server.data)
        self.assertIn("64KiB", self.run_tool(self.to, *data, "--rate", "1", code=USAGE))
        self.assertIn(str(self.directory), self.run_tool(self.to, "--data", self.directory / "no", code=NO_STORE))
        self.assertIn("cannot run shuntd", self.run_tool(self.to, *data, "--shuntd", self.directory / "no", code=1))
        self.assertIn("-o has no meaning", self.run_tool(self.to, *data, "-o", "json", code=USAGE))
        self.run_tool(code=USAGE)
        if not os.access("/etc/shunt/shuntd.conf", os.R_OK):
            self.assertIn("which store? Give the server's own --data DIR", self.run_tool(self.to, code=USAGE))
        self.assertEqual(os.listdir(self.directory), [])

    def test_interrupted_it_leaves_nothing(self):
        process = subprocess.Popen([harness.SHUNT, "backup", self.to, "--data", self.server.data, "--rate", "64KiB"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        wire.until((self.directory / "backup.partial" / "data.mdb").exists)
        process.send_signal(signal.SIGINT)
        self.assertIn("stopped", process.communicate()[1])
        self.assertEqual((process.returncode, os.listdir(self.directory)), (STOPPED, []))


class Page(unittest.TestCase):
    def test_the_commands_of_the_page_go_as_written(self):
        blocks = BLOCK.findall((harness.SOURCE_ROOT / "docs" / "backup.md").read_text(encoding="utf-8"))
        self.assertGreaterEqual(len(blocks), 2)
        with tempfile.TemporaryDirectory(prefix="backup-") as where, harness.Server() as server:
            path = f"{os.path.dirname(harness.SHUNT)}:{os.path.dirname(harness.SHUNTD)}:{os.environ['PATH']}"
            with wire.connect(server) as client:
                client.topic_create("t")
                client.publish("t", b"one")
            environment = {**server.environment(), "PATH": path, "DATA": str(server.data), "BACKUPS": where}
            done = subprocess.run(["bash", "-euc", "\n".join(blocks)], cwd=where, env=environment, capture_output=True, text=True, check=False, timeout=120)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("clean: topics=1 groups=1 messages=1 problems=0", done.stdout)


if __name__ == "__main__":
    harness.main()
