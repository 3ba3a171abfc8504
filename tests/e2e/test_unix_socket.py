#!/usr/bin/env python3
"""The Unix-domain socket: the whole way through it by the tool and from Python, beside a port of TLS; and what the server does about what lies at its path."""
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

import harness
from certificates import Authority
from secure import plain_only

sys.path.insert(0, str(harness.SOURCE_ROOT / "python"))

import shunt  # noqa: E402

ADDRESS_TAKEN, UNREACHABLE, NOT_PERMITTED, CONFIG_ERROR = 69, 69, 77, 78


class UnixSocket(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="unix-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "shunt.sock"
        self.url = f"shunt+unix://{self.path}"

    def start(self, settings=""):
        server = harness.Server(settings=f"listen-unix: {self.path}\n{settings}")
        server.__enter__()
        self.addCleanup(server.__exit__, None, None, None)
        return server

    def refused(self, status, *words, path=None):
        """A server does not start, and says why."""
        server = harness.Server(settings=f"listen-unix: {path or self.path}\n")
        with self.assertRaises(AssertionError) as caught:
            server.start()
        self.addCleanup(server.remove)
        self.assertEqual(server.process.wait(harness.STOP_SECONDS_MAX), status, caught.exception)
        for word in words:
            self.assertIn(word, server.log_text())

    def test_messages_go_out_and_come_back(self):
        server = self.start()
        self.assertIn(f"unix={self.path}", server.log_text())
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        lines = "".join(f"{number} {'x' * (number * 37 % 3000)}\n" for number in range(1000))
        server.shunt("--url", self.url, "topic", "create", "orders")
        server.shunt("--url", self.url, "publish", "orders", "--lines", input=lines)
        with shunt.connect(self.url) as broker:
            with broker.consume("orders") as consumer:
                for line in lines.splitlines():
                    delivery = consumer.next(20)
                    self.assertEqual(delivery.body.decode(), line)
                    delivery.ack()
            clients = server.shunt("clients", "-o", "jsonl").stdout
        self.assertIn(f"unix:uid={os.geteuid()},pid={os.getpid()}", clients)
        worked = server.shunt("--url", self.url, "publish", "orders", "a last one")
        self.assertEqual(worked.returncode, 0)
        self.assertEqual(server.shunt("--url", self.url, "work", "orders", "--drain", "--", "cat").stdout, "a last one")

    @plain_only("it has certificates, users or servers of its own")
    def test_it_is_plain_beside_a_port_of_tls(self):
        authority = Authority(self.directory / "authority")
        cert, key = authority.issue("server")
        server = self.start(f"tls-cert: {cert}\ntls-key: {key}\ntls-client-ca: {authority.cert}\ntls-client-auth: require\n")
        server.shunt("--url", self.url, "ping")
        self.assertEqual(server.shunt("ping", check=False).returncode, UNREACHABLE)

    def test_a_client_goes_on_after_the_server_was_killed(self):
        server = self.start()
        with shunt.connect(self.url) as broker:
            broker.topic_create("things")
            self.assertEqual(broker.publish("things", "one"), 1)
            server.kill()
            self.assertTrue(self.path.exists(), "it was killed, so it left its socket behind")
            gone = server.shunt("--url", self.url, "ping", check=False)
            self.assertEqual(gone.returncode, UNREACHABLE)
            self.assertIn(f"cannot connect to {self.path}", gone.stderr)
            server.start()
            self.assertEqual(broker.publish("things", "two"), 2)
        self.assertEqual(server.stop(), 0)
        self.assertFalse(self.path.exists(), "a stop removes it")

    def test_what_lies_there_already_is_not_touched(self):
        self.start().shunt("--url", self.url, "ping")
        self.refused(ADDRESS_TAKEN, "another process listens there")
        other = self.directory / "a file"
        other.write_text("precious", encoding="utf-8")
        self.refused(ADDRESS_TAKEN, "no socket", path=other)
        self.assertEqual(other.read_text(encoding="utf-8"), "precious")

    def test_a_place_that_others_can_write_to_is_refused(self):
        self.directory.chmod(0o1777)
        self.refused(NOT_PERMITTED, "only the server's user can write to")
        self.assertFalse(self.path.exists())

    def test_a_path_that_cannot_be_one_is_a_mistake_in_the_settings(self):
        for path in ("run/shunt.sock", "/" + "x" * 107):
            file = self.directory / "settings.yaml"
            file.write_text(f"listen-unix: {path}\n", encoding="utf-8")
            done = subprocess.run([harness.SHUNTD, "--check-config", file], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, CONFIG_ERROR)
            self.assertIn("listen-unix: must begin with / and have at most 107 bytes", done.stderr)


if __name__ == "__main__":
    harness.main()
