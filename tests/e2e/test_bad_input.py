"""Bad input of every kind gets a clear error and costs nobody else anything.

What single frames and requests can do wrong is tested in tests/wire, and what the tool can be asked in test_cli.py; here are many bad clients
at once, clients that never read, and all that can be wrong with a configuration, a data directory and a disk. A bystander goes on working
through all of it, wherever there is a server to work with.
"""
import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import unittest
import unittest.mock

import harness
import wire
from bystander import Bystander
from memory import own_bytes
from private_mount import PrivateMount
from secure import plain_only

SANITIZED = bool(os.environ.get("SANITIZED"))
USAGE, DATA, ADDRESS_TAKEN, READ_ONLY, LOCKED, VERSION, CONFIG, NO_SPACE = 64, 65, 69, 73, 75, 76, 78, 79
MIB = 1 << 20
PAGE = 4096


def run_shuntd(*args, prefix=()):
    return subprocess.run([*prefix, harness.SHUNTD, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def framed(payload, length=None):
    return struct.pack(">I", len(payload) if length is None else length) + payload


def sockets_of(pid):
    """How many it has open."""
    found = 0
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(entry.path).startswith("socket:")
    return found


class BadClients(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server())
        self.client = wire.connect(self.server)
        self.addCleanup(self.client.close)

    def open(self, hello=True, **more):
        client = wire.connect(self.server, hello=hello, **more)
        self.addCleanup(client.close)
        return client

    def grows_by_at_most(self, limit, what):
        """Memory of the server after `what`, which returns when the server has seen it."""
        before = own_bytes(self.server.process.pid)
        what()
        self.client.ping()
        grown = own_bytes(self.server.process.pid) - before
        if not SANITIZED:
            self.assertLessEqual(grown, limit, f"{grown / MIB:.1f} MiB")

    def test_a_crowd_that_talks_nonsense(self):
        hello = wire.frame(wire.HELLO, 1, 1, 1, {})
        nonsense = (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, framed(b"\xdd\x00\x00\x00\xc8"), hello + framed(b"\x93\x03\x01\xdf\x00\x00\x00\xc8"),
                    hello + framed(b"\x93\x0a\x01\xc6\x00\x00\x00\xc8"), hello + struct.pack(">I", 0xFFFFFFFF), hello + framed(b"\x91" * 100000),
                    wire.frame(wire.PING, 1), hello[:-1], hello + wire.frame(wire.PUBLISH, 1, "t", 0, 0, [[b"x" * 1000]])[:-500], os.urandom(5000))

        def crowd():
            for i in range(40 * len(nonsense)):
                client = self.open(hello=False)
                client.send_bytes(nonsense[i % len(nonsense)])
                client.socket.shutdown(socket.SHUT_WR)
                with self.assertRaises((wire.Disconnected, AssertionError, TimeoutError), msg="the server closes"):
                    while True:
                        self.assertIn(client.read_frame()[0], (wire.OK, wire.ERROR))
                client.close()

        with Bystander(self.server):
            self.grows_by_at_most(16 * MIB, crowd)

    @plain_only("TLS keeps some KiB for each connection")
    def test_silent_connections_cost_a_few_kib_each(self):
        count = 500

        def connect():
            for _ in range(count):
                self.open(hello=False)
            wire.until(lambda: sockets_of(self.server.process.pid) > count, why=lambda: f"{sockets_of(self.server.process.pid)} sockets")

        with Bystander(self.server):
            self.grows_by_at_most(count * 16 << 10, connect)

    def test_announced_frames_cost_what_was_sent_of_them(self):
        size = self.client.info["max_frame_bytes"]

        def announce():
            for _ in range(100):
                self.open().send_bytes(framed(b"x" * 1000, size))

        with Bystander(self.server):
            self.grows_by_at_most(32 * MIB, announce)

    def test_a_body_over_the_limit_stores_nothing_of_its_frame(self):
        self.client.topic_create("t")
        limit = self.client.info["max_body_bytes"]
        with Bystander(self.server):
            with self.assertRaises(wire.ShuntError) as caught:
                self.client.publish("t", b"small", b"x" * (limit + 1), b"small")
            self.assertEqual(caught.exception.name, "TOO_LARGE")
            self.client.publish("t", b"x" * limit)
        self.assertEqual(wire.states(self.client, "t"), {"ready": 1})

    def test_many_stale_tokens_change_nothing(self):
        self.client.topic_create("t")
        self.client.publish("t", *[b"x"] * 100)
        owner = self.client.subscribe("t")
        held = owner.take(100)
        thief = self.open().subscribe("t")
        entries = [(row.seq, row.token, outcome, 1000 if outcome == wire.EXTEND else None) for row in held for outcome in range(5)] * 30
        with Bystander(self.server):
            self.assertEqual(set(thief.resolve(*entries).values()), {25}, "somebody else's tokens are stale")
            thief.started(*held)
            thief.client.ping()
        self.assertEqual(wire.states(self.client, "t"), {"in_flight": 100})
        self.assertEqual(owner.ack(*held), {}, "they were still the owner's")

    def test_clients_that_never_read(self):
        """Twenty, each with all the credit there is, on 100 MB: what they cost is bounded, and nothing that they were sent is charged."""
        self.client.topic_create("large", max_attempts=1)
        for _ in range(100):
            self.client.publish("large", *[b"x" * 100000] * 10)
        lazy = [self.open() for _ in range(20)]

        def subscribe():
            for client in lazy:
                client.send(wire.SUBSCRIBE, "large", "default", 65536, 1 << 28)
            wire.until(lambda: wire.states(self.client, "large").get("in_flight", 0) > 20, why="nothing was handed out")
            previous = None
            while previous != (previous := wire.states(self.client, "large")):
                self.client.ping()

        with Bystander(self.server):
            self.grows_by_at_most(20 * 8 * MIB, subscribe)
            for client in lazy:
                client.close()
            wire.until(lambda: wire.states(self.client, "large") == {"ready": 1000}, why=lambda: f"{wire.states(self.client, 'large')}")
        rows = self.client.subscribe("large", messages=1000, bytes=1 << 28).take(1000)
        self.assertEqual({row.attempts for row in rows}, {0})

    def test_the_bystander_tells_when_it_is_disturbed(self):
        """The rig's negative control: a server that stands still, and one that is gone."""
        for number in (signal.SIGSTOP, signal.SIGKILL):
            with self.subTest(number.name), self.assertRaisesRegex(AssertionError, "disturbed"):
                with Bystander(self.server, timeout=0.5):
                    self.server.process.send_signal(number)
            self.server.process.send_signal(signal.SIGCONT)
        self.server.process.wait()
        self.server.start()

    def test_the_meter_sees_memory_that_grows(self):
        with self.assertRaises(AssertionError), unittest.mock.patch(f"{__name__}.own_bytes", side_effect=[0, 17 * MIB]):
            if SANITIZED:
                raise AssertionError("not measured")
            self.grows_by_at_most(16 * MIB, lambda: None)


class BadConfiguration(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="e2e-config-")))

    def refused(self, text, where, says):
        """By --check-config and by a start, before anything is made."""
        path = self.directory / "shunt.yaml"
        path.write_text(text, encoding="utf-8")
        data = self.directory / "data"
        for args in (["--check-config", path], ["--config", path, "--data", data, "--listen", "127.0.0.1:0", "--http", "off"]):
            done = run_shuntd(*args)
            self.assertEqual((done.returncode, done.stdout), (CONFIG, ""), done.stderr)
            self.assertIn(f"{path}:{where}: ", done.stderr)
            self.assertIn(says, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertFalse(data.exists())

    def test_a_misspelt_key(self):
        self.refused("listen: 127.0.0.1:7480\nmax-bdy-bytes: 1MiB\n", "2:1", "max-bdy-bytes")

    def test_values_that_cannot_be(self):
        self.refused("hello-timeout: -1s\n", "1:16", "hello-timeout")
        self.refused("# sizes\n\nmap-size: 99999999999999999999GiB\n", "3:11", "map-size")
        self.refused("max-body-bytes: 17MiB\n", "1:17", "max-body-bytes")
        self.refused("listen: [1]\n", "1:9", "listen")
        self.refused("listen: nowhere\n", "1:9", "listen")
        self.refused("log-level: loud\nlog-level: info\n", "1:12", "log-level")

    def test_a_good_one_passes(self):
        path = self.directory / "shunt.yaml"
        path.write_text("max-body-bytes: 2MiB\n", encoding="utf-8")
        done = run_shuntd("--check-config", path)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_command_lines_that_cannot_be(self):
        for args, status, says in ((["--dta", "x"], USAGE, "--dta"), (["--data"], USAGE, "--data"), (["extra"], USAGE, "extra"),
                                   (["--listen", "127.0.0.1:65536", "--data", self.directory / "data"], CONFIG, "listen"),
                                   (["--config", self.directory / "missing.yaml"], CONFIG, "missing.yaml")):
            done = run_shuntd(*args)
            self.assertEqual((done.returncode, done.stdout), (status, ""), (args, done.stderr))
            self.assertIn(says, done.stderr)

    def test_a_port_that_is_taken(self):
        with harness.Server() as server, Bystander(server):
            taken = server.address
            done = run_shuntd("--data", self.directory / "other", "--listen", taken, "--http", "off")
            self.assertEqual(done.returncode, ADDRESS_TAKEN, done.stderr)
            self.assertIn(taken, done.stderr)


def digest(directory):
    """Of every file in it; what a refusal must leave as it was. (A lock file is nobody's data.)"""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(pathlib.Path(directory).rglob("*"))
            if path.is_file() and path.name in ("data.mdb",)}


class BadDirectory(unittest.TestCase):
    """A data directory on which no server may run."""

    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="e2e-data-")))
        self.data = self.directory / "data"

    def fill(self):
        """A store with some messages in it, all in its main file, of a server that was stopped."""
        with harness.Server(data=self.data, settings="journal: off\n") as server, wire.connect(server) as client:
            client.topic_create("t")
            wire.publish_all(client, "t", [b"%d" % n + b"x" * 500 for n in range(5000)])

    def refused(self, status, *says, prefix=(), check=True):
        """By a start and by --check, in one line, with nothing changed."""
        before = digest(self.data)
        runs = [("--data", self.data, "--listen", "127.0.0.1:0", "--http", "off")] + ([("--check", self.data)] if check else [])
        for args in runs:
            done = run_shuntd(*args, prefix=prefix)
            self.assertEqual(done.returncode, status, (args, done.stdout + done.stderr))
            for text in says:
                self.assertIn(text, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual(digest(self.data), before)

    def test_a_good_one_is_not_refused(self):
        """The negative control of refused()."""
        self.fill()
        self.assertEqual(run_shuntd("--check", self.data).returncode, 0)

    def test_locked(self):
        with harness.Server(data=self.data) as server, Bystander(server):
            done = run_shuntd("--data", self.data, "--listen", "127.0.0.1:0", "--http", "off")
            self.assertEqual(done.returncode, LOCKED, done.stderr)
            self.assertIn(str(self.data), done.stderr)
            self.assertIn(str(server.process.pid), done.stderr, "it says who holds it")
            self.assertEqual(run_shuntd("--check", self.data).returncode, LOCKED)

    def test_truncated(self):
        self.fill()
        whole = (self.data / "data.mdb").read_bytes()
        for size in (0, 1, PAGE, 2 * PAGE - 1, 2 * PAGE, 3 * PAGE, 100 * PAGE, 1 * MIB):
            with self.subTest(size=size):
                (self.data / "data.mdb").write_bytes(whole[:size])
                self.refused(DATA, str(self.data))

    def test_not_a_store(self):
        self.data.mkdir()
        for content in (b"hello\n", b"\0" * MIB, os.urandom(MIB)):
            (self.data / "data.mdb").write_bytes(content)
            self.refused(DATA, str(self.data))

    def test_from_a_newer_version(self):
        """The version record is the four bytes after its key; pages carry no checksum, so it can be changed in place."""
        self.fill()
        path = self.data / "data.mdb"
        whole = path.read_bytes()
        places = [match.start() for match in re.finditer(b"version\0\0\0", whole)]
        self.assertTrue(places)
        with open(path, "r+b") as file:
            for at in places:
                file.seek(at + len(b"version"))
                file.write(struct.pack(">I", 99))
        self.refused(VERSION, str(self.data), "99")

    def test_a_file_or_nothing_where_the_directory_should_be(self):
        self.data.write_text("not a directory")
        done = run_shuntd("--data", self.data, "--listen", "127.0.0.1:0", "--http", "off")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(self.data), done.stderr)
        self.assertEqual(self.data.read_text(), "not a directory")
        done = run_shuntd("--data", self.directory / "no" / "such" / "parent", "--listen", "127.0.0.1:0", "--http", "off")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("parent", done.stderr)

    def test_read_only(self):
        self.fill()
        mount = self.mounted('mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"')
        self.refused(READ_ONLY, str(self.data), prefix=mount.prefix, check=False)
        self.assertEqual(run_shuntd("--check", self.data, prefix=mount.prefix).returncode, 0, "looking needs no writing")

    def test_read_only_and_empty(self):
        self.data.mkdir()
        mount = self.mounted('mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"')
        self.refused(READ_ONLY, str(self.data), prefix=mount.prefix, check=False)

    def mounted(self, command):
        if not (shutil.which("unshare") and shutil.which("nsenter")):
            self.skipTest("unshare and nsenter are not installed (Debian package util-linux)")
        mount = PrivateMount(self.data, command)
        self.addCleanup(mount.close)
        if mount.unavailable:
            self.skipTest(mount.unavailable)
        return mount


class FullDisk(unittest.TestCase):
    BODY = b"x" * 50000

    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="e2e-full-")))

    def disk(self, mebibytes):
        if not (shutil.which("unshare") and shutil.which("nsenter")):
            self.skipTest("unshare and nsenter are not installed (Debian package util-linux)")
        where = self.directory / "disk"
        where.mkdir()
        mount = PrivateMount(where, f'mount -t tmpfs -o size={mebibytes}m none "$1"')
        self.addCleanup(mount.close)
        if mount.unavailable:
            self.skipTest(mount.unavailable)
        return where, mount

    def fill_disk(self, inside):
        with open(inside / "filler", "ab", buffering=0) as filler:
            block = bytes(64 << 10)
            try:
                while block:
                    if filler.write(block) < len(block):
                        block = block[: len(block) // 2]
            except OSError:
                return

    def publish_until_refused(self, client, messages_max=20000):
        """How many were confirmed before NO_SPACE."""
        for done in range(0, messages_max, 10):
            try:
                client.publish("t", *[self.BODY] * 10)
            except wire.ShuntError as error:
                self.assertEqual((error.name, error.retry), ("NO_SPACE", True), error.text)
                return done
        raise AssertionError(f"{messages_max} messages of {len(self.BODY)} bytes were taken")

    def check_only_publishing_is_refused(self, client):
        """While it is full: hand out, ack, nack, reject, release, redrive and purge."""
        before = client.group_show("t", "default")
        subscription = client.subscribe("t", messages=40, bytes=1 << 28)
        rows = subscription.take(40)
        outcomes = [wire.ACK] * 10 + [wire.REJECT] * 20 + [wire.NACK] * 5 + [wire.RELEASE] * 5
        subscription.credit(0)
        self.assertEqual(subscription.resolve(*((row.seq, row.token, outcome) for row, outcome in zip(rows, outcomes))), {})
        subscription.unsubscribe()
        for change, count in ((client.dlq_redrive, 5), (client.dlq_purge, 5)):
            job, _ = change("t", count=count)
            wire.until(lambda: client.job_show(job)["state"] == "done", why=lambda: f"{client.job_show(job)}")
        after = client.group_show("t", "default")
        self.assertEqual({key: after[key] - before[key] for key in ("acked", "purged", "dead")}, {"acked": 10, "purged": 5, "dead": 10})
        self.assertEqual(after["published"], before["published"])

    def make_room(self, client):
        job = client.topic_purge("t")
        wire.until(lambda: client.job_show(job)["state"] == "done", why=lambda: f"{client.job_show(job)}")

    def can_publish(self, client):
        try:
            return client.publish("t", self.BODY).accepted == 1
        except wire.ShuntError as error:
            self.assertEqual(error.name, "NO_SPACE")
            return False

    def test_a_full_disk_under_a_running_server(self):
        where, mount = self.disk(400)
        with harness.Server(data=where / "data", wrapper=mount.prefix) as server:
            with wire.connect(server) as client:
                client.topic_create("t", max_attempts=2, backoff_min_ms=1, backoff_max_ms=5)
                self.assertEqual(client.publish("t", *[self.BODY] * 100).accepted, 100)
                self.fill_disk(mount.inside)
                confirmed = 100 + self.publish_until_refused(client)
                self.assertEqual(client.group_show("t")["published"], confirmed)
                self.check_only_publishing_is_refused(client)
            server.kill()
            server.start()  # on a disk that is still full
            with wire.connect(server) as client:
                self.assertEqual(client.group_show("t")["published"], confirmed)
                self.check_only_publishing_is_refused(client)
                self.publish_until_refused(client)  # what was acked may have made room for a few
                (mount.inside / "filler").unlink()
                self.make_room(client)
                wire.until(lambda: self.can_publish(client), why="publishing did not come back with the room")
        done = run_shuntd("--check", where / "data", prefix=mount.prefix)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_full_disk_at_the_first_start(self):
        where, mount = self.disk(1)
        self.fill_disk(mount.inside)
        done = run_shuntd("--data", where / "data", "--listen", "127.0.0.1:0", "--http", "off", prefix=mount.prefix)
        self.assertEqual(done.returncode, NO_SPACE, done.stderr)
        self.assertIn(str(where / "data"), done.stderr)
        (mount.inside / "filler").unlink()
        done = run_shuntd("--data", where / "data", "--check", where / "data", prefix=mount.prefix)
        self.assertNotEqual(done.returncode, 0, "nothing half-made is taken for a store")

    def test_a_store_at_its_configured_limit(self):
        """The same without a disk of our own."""
        config = self.directory / "shunt.yaml"
        config.write_text("map-size: 160MiB\nmap-size-max: 160MiB\njournal: off\n", encoding="utf-8")
        with harness.Server(data=self.directory / "data", options=["--config", config]) as server, wire.connect(server) as client:
            client.topic_create("t", max_attempts=2, backoff_min_ms=1, backoff_max_ms=5)
            confirmed = self.publish_until_refused(client)
            self.assertGreater(confirmed * len(self.BODY), 20 * MIB)
            self.assertTrue(client.stats()["full"])
            self.check_only_publishing_is_refused(client)
            self.make_room(client)
            wire.until(lambda: self.can_publish(client), why="publishing did not come back with the room")
        self.assertEqual(run_shuntd("--check", self.directory / "data").returncode, 0)


if __name__ == "__main__":
    harness.main()
