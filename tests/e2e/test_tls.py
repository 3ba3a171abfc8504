#!/usr/bin/env python3
"""TLS: who is let in and who is not, on both sides, with the words that say what to do; and a certificate that is renewed while people are in."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

import harness
from certificates import Authority
from secure import plain_only
from tls_checks import HALF, TlsChecks

sys.path.insert(0, str(harness.SOURCE_ROOT / "python"))

import shunt  # noqa: E402
from shunt.frames import FrameReader, frame  # noqa: E402
from shunt.packing import decode  # noqa: E402
from shunt.protocol import HELLO, PING  # noqa: E402

CONFIG_ERROR, UNREACHABLE = 78, 69


class Talker:
    """One connection by Python's own TLS."""

    def __init__(self, port, context, name="localhost"):
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 20), server_hostname=name)
        self.reader = FrameReader()
        self.next_id = 0
        self.ask(HELLO, 1, 1, {})

    def ask(self, op, *fields):
        self.next_id += 1
        self.socket.sendall(frame(op, self.next_id, *fields))
        while (payload := self.reader.take()) is None:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            self.reader.feed(data)
        return decode(payload)

    def shown(self):
        return self.socket.getpeercert(binary_form=True)


@plain_only("it has certificates, users or servers of its own")
class Tls(TlsChecks, unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="tls-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.authority = Authority(self.directory)
        self.cert, self.key = self.authority.issue("server")
        self.server = None

    def start(self, settings="", cert=None, key=None):
        text = f"tls-cert: {cert or self.cert}\ntls-key: {key or self.key}\n{settings}"
        self.server = harness.Server(settings=text)
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.port = int(self.server.url.rsplit(":", 1)[1])
        return self.server

    def url(self, host="127.0.0.1", **query):
        text = "&".join(f"{key}={value}" for key, value in ({"ca": self.authority.cert} | query).items() if value)
        return f"shunts://{host}:{self.port}" + (f"?{text}" if text else "")

    def shunt(self, *args, url=None, **more):
        return self.server.shunt("--url", url or self.url(), *args, **more)

    def context(self, own=None, most=None):
        context = ssl.create_default_context(cafile=self.authority.cert)
        context.maximum_version = most or ssl.TLSVersion.TLSv1_3
        if own:
            context.load_cert_chain(*own)
        return context

    @contextlib.contextmanager
    def talker(self, **more):
        talker = Talker(self.port, self.context(**more))
        try:
            yield talker
        finally:
            talker.socket.close()

    def refused(self, url, *words):
        """The tool cannot connect, and says why."""
        done = self.shunt("ping", url=url, check=False)
        self.assertEqual(done.returncode, UNREACHABLE, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def logged(self, event, count=1):
        """Read the log until the event is there so often; the last of its lines."""
        while len(found := [line for line in self.server.log if re.search(rf"\bevent={event}\b", line)]) < count:
            self.assertIsNone(self.server.process.poll(), self.server.log_text())
            self.server.process.send_signal(0)
        return found[-1]

    def reload(self, event, count=1):
        self.server.process.send_signal(signal.SIGHUP)
        return self.logged(event, count)

    # ---- the whole way ----

    def test_messages_go_out_and_come_back_unchanged(self):
        self.start()
        lines = "".join(f"{number} {'x' * (number * 37 % 3000)}\n" for number in range(3000))
        self.shunt("topic", "create", "orders")
        self.shunt("publish", "orders", "--lines", url=self.url("localhost"), input=lines)
        got = self.shunt("consume", "orders", "-n", "3000", "-o", "jsonl").stdout
        self.assertEqual(len(got.splitlines()), 3000)
        lines = "".join(lines.splitlines(keepends=True)[:300])  # each is a process
        self.shunt("publish", "orders", "--lines", input=lines)
        worked = self.shunt("work", "orders", "-j", "4", "--drain", "--", "sh", "-c", "cat; echo").stdout
        self.assertEqual(sorted(worked.split("\n")), sorted(lines.split("\n") + [""] * (worked.count("\n") - lines.count("\n"))))

    def test_python_does_the_same(self):
        self.start()
        with shunt.connect(self.url("localhost")) as broker:
            bodies = [os.urandom(number * 997 % 300000) for number in range(60)]
            broker.topic_create("things")
            broker.publish_batch("things", bodies[:20])
            for body in bodies[20:]:
                broker.publish("things", body)
            with broker.consume("things") as consumer:
                for body in bodies:
                    delivery = consumer.next(20)
                    self.assertEqual(delivery.body, body)
                    delivery.ack()
            port = self.port
            self.server.options += ["--listen", f"127.0.0.1:{port}"]
            self.server.kill()
            self.server.start()
            self.assertEqual(broker.publish("things", "after the loss"), 61)
        with self.talker() as talker:
            self.assertEqual(talker.ask(PING)[1], talker.next_id)
        other = Authority(self.directory / "other", "other")
        for url, word in ((self.url(ca=other.cert), "not accepted"), (f"shunt://127.0.0.1:{port}", "connect with shunts://")):
            with self.assertRaisesRegex(shunt.Unreachable, word):
                shunt.connect(url)
        with self.assertRaisesRegex(shunt.BadArgument, "No such file"):
            shunt.Client(self.url(ca="/nowhere"))

    # ---- whom a client refuses ----

    def test_a_certificate_of_an_unknown_authority_is_refused(self):
        self.start()
        other = Authority(self.directory / "other", "other")
        for url in (self.url(ca=other.cert), self.url(ca=None)):
            self.refused(url, "authority is not known", "ca=")
        self.assertIn("does not know the authority", self.logged("tls_failed"))

    def test_a_certificate_that_has_ended_is_refused(self):
        self.start(cert=self.authority.issue("old", ended=True)[0], key=self.directory / "old.key")
        self.logged("certificate_expired")
        self.refused(self.url(), "it has expired")

    def test_a_certificate_for_another_name_is_refused(self):
        cert, key = self.authority.issue("else", names="DNS:broker.example")
        self.start(cert=cert, key=key)
        self.refused(self.url(), "other names than the host")
        self.refused(self.url("localhost"), "other names than the host")

    def test_an_address_is_held_against_the_addresses_of_the_certificate(self):
        cert, key = self.authority.issue("name", names="DNS:localhost")
        self.start(cert=cert, key=key)
        self.shunt("ping", url=self.url("localhost"))
        self.refused(self.url("127.0.0.1"), "other names than the host")

    def test_each_side_says_so_if_the_other_does_not_speak_tls(self):
        self.start()
        self.refused(f"shunt://127.0.0.1:{self.port}", "connect with shunts://")
        self.assertIn("connect with shunts://", self.logged("tls_failed"))
        with harness.Server() as plain:
            done = plain.shunt("--url", plain.url.replace("shunt://", "shunts://"), "ping", check=False)
            self.assertEqual(done.returncode, UNREACHABLE)
            self.assertIn("is reached with shunt://", done.stderr)
            self.assertIn("set tls-cert", plain.log_text())

    def test_files_that_a_url_names_must_be_usable(self):
        self.start()
        for query, word in (({"ca": self.directory / "none"}, "No such file"), ({"ca": self.key}, "no certificates of authorities"),
                            ({"cert": self.cert, "key": self.directory / "authority.key"}, "does not go with")):
            done = self.shunt("ping", url=self.url(**query), check=False)
            self.assertEqual(done.returncode, 64 if done.returncode == 64 else 1, done.stderr)
            self.assertIn(word, done.stderr)

    # ---- whom a server refuses ----

    def test_tls_1_2_is_spoken_by_setting_alone(self):
        old = ssl.TLSVersion.TLSv1_2
        self.start()
        with self.assertRaises(ssl.SSLError), self.talker(most=old):
            pass
        self.assertIn("tls-min-version", self.logged("tls_failed"))
        self.server.stop()
        self.start("tls-min-version: 1.2\n")
        with self.talker(most=old) as talker:
            self.assertEqual(talker.socket.version(), "TLSv1.2")
            self.assertRegex(talker.socket.cipher()[0], "ECDHE-.*(GCM|CHACHA20)")
        with self.talker() as talker:
            self.assertEqual(talker.socket.version(), "TLSv1.3")

    def test_clients_show_certificates_as_the_setting_says(self):
        own = self.authority.issue("client", names="DNS:client")
        stranger = Authority(self.directory / "other", "other").issue("stranger", names="DNS:stranger")
        for auth, nobody, known, unknown in (("off", True, True, True), ("request", True, True, False), ("require", False, True, False)):
            self.start(f"tls-client-auth: {auth}\n" + (f"tls-client-ca: {self.authority.cert}\n" if auth != "off" else ""))
            for who, let_in in ((None, nobody), (own, known), (stranger, unknown)):
                query = {"cert": who[0], "key": who[1]} if who else {}
                with self.subTest(auth=auth, who=who):
                    done = self.shunt("ping", url=self.url(**query), check=False)
                    self.assertEqual(done.returncode, 0 if let_in else UNREACHABLE, done.stderr)
                    with contextlib.nullcontext() if let_in else self.assertRaises(shunt.Unreachable):
                        shunt.connect(self.url(**query)).close()
            if auth == "require":
                self.refused(self.url(), "wants a certificate of the client", "cert= and key=")
            self.server.stop()

    def test_versions_ciphers_tickets_and_second_handshakes_are_those_of_the_protocol(self):
        self.check_protocol()

    def test_handshakes_that_are_wrong_hurt_nobody(self):
        self.start()
        with self.talker() as inside:
            self.check_wrong_handshakes(lambda: self.assertEqual(inside.ask(PING)[1], inside.next_id))

    # ---- files that change ----

    def test_a_renewed_certificate_is_for_those_who_come_and_nobody_is_thrown_out(self):
        self.start()
        with self.talker() as old:
            cert, key = self.authority.issue("next")
            os.replace(cert, self.cert)
            os.replace(key, self.key)
            self.assertIn("CN = next", self.reload("certificate_loaded", 2))
            with self.talker() as new:
                self.assertNotEqual(old.shown(), new.shown())
                self.assertEqual(old.ask(PING)[1], old.next_id)
                self.assertEqual(new.ask(PING)[1], new.next_id)

    def test_a_bad_certificate_leaves_the_old_one_and_every_setting_as_they_were(self):
        self.start()
        with self.talker() as first:
            good = self.key.read_bytes()
            for number, (bad, word) in enumerate(((b"garbage", "no private key in PEM"), (self.authority.key.read_bytes(), "does not go with")), 1):
                self.key.write_bytes(bad)
                line = self.reload("reload_failed", number)
                self.assertIn(word, line)
                self.assertIn(str(self.key), line)
                with self.talker() as later:
                    self.assertEqual(first.shown(), later.shown())
            self.key.write_bytes(good)
            self.reload("certificate_loaded", 2)
            self.logged("reloaded")
            self.assertEqual(first.ask(PING)[1], first.next_id)

    def test_only_a_restart_turns_tls_off(self):
        self.start()
        settings = self.server.directory / "settings.yaml"
        settings.write_text("log-level: debug\n", encoding="utf-8")
        self.assertIn("a restart turns TLS off", self.reload("reload_failed"))
        self.shunt("ping")

    def test_a_server_does_not_start_on_what_it_must_not_use(self):
        self.key.chmod(0o644)
        plain, unlocked = "tls-cert: {0.cert}\n", "tls-cert: {0.cert}\ntls-key: {0.key}\n"
        for text, word in ((unlocked, "can be read or changed by others"), (plain, "tls-cert needs tls-key"),
                           ("tls-key: {0.key}\n", "tls-key needs tls-cert"), ("tls-client-auth: require\n", "tls-client-auth needs tls-cert"),
                           (unlocked + "tls-client-auth: require\n", "tls-client-auth needs tls-client-ca"),
                           (unlocked + "tls-client-ca: {0.cert}\n", "tls-client-ca does nothing"),
                           ("tls-min-version: 1.1\n", "must be 1.2 or 1.3"), ("tls-client-auth: perhaps\n", "must be off, request or require")):
            path = self.directory / "conf"
            path.write_text(text.format(self), encoding="utf-8")
            done = subprocess.run([harness.SHUNTD, "--config", path, "--data", self.directory / "data", "--listen", "127.0.0.1:0", "--http", "off"],
                                  capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(done.returncode, CONFIG_ERROR, done.stderr)
            self.assertIn(word, done.stderr)

    # ---- a crowd ----

    def test_a_crowd_of_half_made_handshakes_is_bounded_and_nobody_else_notices(self):
        self.start("tls-handshakes: 20\nhello-timeout: 10m\n")
        with self.talker() as inside, contextlib.ExitStack() as crowd:
            half = [crowd.enter_context(socket.create_connection(("127.0.0.1", self.port), 20)) for _ in range(60)]
            for connection in half:
                connection.sendall(HALF)
                self.assertEqual(inside.ask(PING)[1], inside.next_id)
            for connection in half[:40]:
                self.assertEqual(connection.recv(1), b"", "more than 20 are still there")
            for connection in half[40:]:
                connection.setblocking(False)
                with self.assertRaises(BlockingIOError):
                    connection.recv(1)
            self.shunt("ping")
            self.assertEqual(inside.ask(PING)[1], inside.next_id)
        self.logged("tls_crowded_out", 40)


if __name__ == "__main__":
    harness.main()
