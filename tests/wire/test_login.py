"""Logging in, as section 2 of the page says it: by password, by token, by certificate, by the Unix-domain socket; and what is refused."""

import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import unittest

from client import Client, Disconnected, ShuntError
from server import Server
from shunt.protocol import HELLO, PING, USER_SET, WHOAMI

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))  # behind this folder, which has files of the same names
from certificates import Authority  # noqa: E402

BAD_ARGUMENT, UNAUTHENTICATED = 5, 3
PASSWORD = "correct horse"


class Login(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="wire-login-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.data, cls.socket = cls.directory / "data", cls.directory / "socket"
        cls.init("ann", "--password-file", "-", input=PASSWORD)
        cls.token = cls.init("tom").strip()
        cls.authority = Authority(cls.directory / "authority")
        cert, key = cls.authority.issue("server")
        cls.plain = cls.start("plain")
        cls.addClassCleanup(cls.plain.terminate)

    @classmethod
    def init(cls, name, *args, **more):
        return subprocess.run([os.environ["SHUNTD"], "--data", cls.data, "--init-admin", name, *args], check=True, capture_output=True, text=True, **more).stdout

    @classmethod
    def start(cls, name, more=""):
        settings = cls.directory / f"{name}.yaml"
        settings.write_text(f"auth: on\nlisten-unix: {cls.socket}\n{more}", encoding="utf-8")
        return Server(cls.data, ["--config", settings])

    def refused(self, code, port=None, **options):
        with self.assertRaises(ShuntError) as caught:
            Client(port or self.plain.port, **options)
        self.assertEqual(caught.exception.code, code, caught.exception)
        self.assertNotIn(PASSWORD, caught.exception.text)
        return caught.exception

    def by_password(self, password=PASSWORD, user="ann"):
        return {"mechanism": "password", "user": user, "password": password}

    def test_by_password(self):
        with Client(self.plain.port, auth=self.by_password()) as client:
            client.topic_create("by-password")
            client.ping()
            client.topic_delete("by-password")

    def test_by_token(self):
        with Client(self.plain.port, auth={"mechanism": "token", "token": self.token}) as client:
            client.ping()

    def test_by_certificate(self):
        """The user that has one of the names in the certificate, and nobody for another name."""
        cert, key = self.authority.issue("server2")
        data, socket, settings = (self.directory / name for name in ("data2", "socket2", "settings2.yaml"))
        settings.write_text(f"auth: on\nlisten-unix: {socket}\ntls-cert: {cert}\ntls-key: {key}\ntls-client-ca: {self.authority.cert}\ntls-client-auth: request\n", encoding="utf-8")
        server = Server(data, ["--config", settings])
        self.addCleanup(server.terminate)
        with Client(socket) as client:
            client.request(USER_SET, "worker", {"certificates": ["dns:worker.example"], "grants": ["*:all"]})
        with Client(server.port, tls=self.context("worker", "DNS:worker.example")) as client:
            who = client.request(WHOAMI)[0]
            self.assertEqual((who["user"], who["how"]), ("worker", "certificate"))
        for name in ("DNS:worker.example.evil", "DNS:*.example", "URI:worker.example"):
            self.refused(UNAUTHENTICATED, server.port, tls=self.context("other", name))
        self.refused(UNAUTHENTICATED, server.port, tls=self.context(None))

    def context(self, name, names=None):
        context = ssl.create_default_context(cafile=self.authority.cert)
        if name:
            context.load_cert_chain(*self.authority.issue(name, names=names))
        return context

    def test_keys_that_are_not_named_are_passed_over(self):
        with Client(self.plain.port, auth=self.by_password() | {"realm": [1, {"a": None}]}) as client:
            client.ping()

    def test_the_local_administrator_shows_nothing(self):
        with Client(self.socket) as client:
            client.ping()
        self.refused(UNAUTHENTICATED, self.socket, auth={"mechanism": "token", "token": "shunt_x"})

    def test_what_is_wrong_and_what_is_unknown_are_one(self):
        self.assertEqual(self.refused(UNAUTHENTICATED, auth=self.by_password("wrong")).text, self.refused(UNAUTHENTICATED, auth=self.by_password("wrong", "nobody")).text)
        self.refused(UNAUTHENTICATED)
        self.refused(UNAUTHENTICATED, auth={"mechanism": "token", "token": self.token[:-1] + ("A" if self.token[-1] != "A" else "B")})
        self.refused(UNAUTHENTICATED, auth={"mechanism": "token", "token": PASSWORD})

    def test_what_auth_must_be(self):
        for auth in ({}, {"mechanism": "none"}, {"mechanism": "password", "user": "ann"}, {"mechanism": "password", "password": "x"}, {"mechanism": "token"}, {"mechanism": "token", "token": 7},
                     {"mechanism": "password", "user": "ann", "password": b"x"}, self.by_password("x" * 1025)):
            with self.subTest(auth):
                self.refused(BAD_ARGUMENT, auth=auth)

    def test_a_refused_connection_is_closed(self):
        client = Client(self.plain.port, hello=False)
        with client:
            client.send(HELLO, 1, 1, {"auth": self.by_password("wrong")})
            client.send(PING)
            with self.assertRaises(ShuntError):
                client.reply(1)
            with self.assertRaises(Disconnected):
                client.reply(2)

    def test_what_follows_hello_waits_for_it(self):
        client = Client(self.plain.port, hello=False)
        with client:
            client.send(HELLO, 1, 1, {"auth": self.by_password()})
            for _ in range(10):
                client.send(PING)
            for id in range(1, 12):
                client.reply(id)


if __name__ == "__main__":
    unittest.main()
