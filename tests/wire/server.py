"""server: a shuntd of our own for a test, found through the environment variable SHUNTD. With SHUNT_SECURE=1 those of WireTest speak TLS and
ask for logins, and connect() and http() do what that takes (tests/e2e/secure.py)."""

import collections
import http.client
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from client import Client, ShuntError

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))  # behind this folder, which has files of the same names
import secure  # noqa: E402
from secure import plain_only  # noqa: E402, F401 (for the tests)


class Server:
    """One shuntd on a data directory. Ports are the system's choice and are read from its log."""

    def __init__(self, data, options=(), token=None):
        """`token`: of a server in the secure mode, whose settings have been made for it."""
        self.data = data
        self.options = options
        self.token = token
        self.log = collections.deque(maxlen=400)
        self.listening = threading.Event()
        self.process = None
        self.start()

    def start(self):
        self.listening.clear()
        self.port = self.http_port = None
        self.process = subprocess.Popen(
            [os.environ["SHUNTD"], "--data", self.data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.reader = threading.Thread(target=self._read_log, args=(self.process.stderr,), daemon=True)
        self.reader.start()
        if not self.listening.wait(20) or self.port is None:
            self.kill()
            raise RuntimeError("shuntd did not say event=listening:\n" + self.log_text())

    def _read_log(self, stream):
        with stream:
            for line in stream:
                self.log.append(line)
                if re.search(r"\bevent=listening\b", line):
                    listen = re.search(r"\blisten=127\.0\.0\.1:(\d+)", line)
                    http = re.search(r"\bhttp=127\.0\.0\.1:(\d+)", line)
                    self.port = int(listen.group(1)) if listen else None
                    self.http_port = int(http.group(1)) if http else None
                    self.listening.set()
        self.listening.set()  # ended without a word: start() need not wait

    def log_text(self):
        return "".join(self.log)

    def connect(self, **options):
        if self.token:
            options = {"tls": secure.context(), "login": {"mechanism": "token", "token": self.token}, **options}
        return Client(self.port, **options)

    def http(self, method, path, body=None, headers=None, timeout=20):
        """Ask over HTTP: the answer, read to its end, and its body."""
        headers = dict(headers or {})
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
            connection = http.client.HTTPSConnection("127.0.0.1", self.http_port, timeout=timeout, context=secure.context())
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer, answer.read().decode()
        finally:
            connection.close()

    def metrics(self):
        answer, text = self.http("GET", "/metrics")
        if answer.status != 200:
            raise AssertionError(f"/metrics: {answer.status}\n{text}")
        return text

    def kill(self):
        """SIGKILL, as a crash."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.reader.join()

    def terminate(self):
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.reader.join()
        return code

    def restart(self):
        self.kill()
        self.start()


class WireTest(unittest.TestCase):
    """Tests against one server for the class; `own_server` gives each test its own. `settings` is the server's configuration file."""

    own_server = False
    settings = ""

    @classmethod
    def setUpClass(cls):
        if not cls.own_server:
            cls.server, cls.folder = start_server(cls.settings)

    @classmethod
    def tearDownClass(cls):
        if not cls.own_server:
            stop_server(cls.server, cls.folder)

    def setUp(self):
        if self.own_server:
            self.server, folder = start_server(self.settings)
            self.addCleanup(stop_server, self.server, folder)
        # A test's name as its topic keeps tests on one server apart.
        self.topic = self.id().rsplit(".", 1)[1][-90:]
        self.assertIsNone(self.server.process.poll(), "the server has ended:\n" + self.server.log_text())

    def connect(self, **options):
        client = self.server.connect(**options)
        self.addCleanup(client.close)
        return client

    def create(self, groups=None, **policy):
        """A client, and a topic named after the test. Back-off is as short as can be unless the test says more."""
        client = self.connect()
        client.topic_create(self.topic, groups, **{"backoff_min_ms": 1, "backoff_max_ms": 1, **policy})
        return client

    def refused(self, name, call, *arguments, **named):
        """The call is refused with the error of that name; returns it."""
        with self.assertRaises(ShuntError) as caught:
            call(*arguments, **named)
        self.assertEqual(caught.exception.name, name, caught.exception.text)
        return caught.exception

    def until(self, what, seconds=20):
        """Ask until the answer is true; returns it."""
        deadline = time.monotonic() + seconds
        while True:
            answer = what()
            if answer:
                return answer
            self.assertLess(time.monotonic(), deadline, "it did not come true in time")
            time.sleep(0.005)

    def counts(self, client, group="default", topic=None):
        """The states of a group's messages that are not 0, after checking that they add up."""
        info = client.group_show(topic or self.topic, group)
        states = ["ready", "in_flight", "delayed", "dead", "acked", "expired", "discarded", "purged"]
        self.assertEqual(info["published"], sum(info[state] for state in states), info)
        return {state: info[state] for state in states if info[state]}


def start_server(settings=""):
    folder = tempfile.mkdtemp(prefix="shunt-wire-")
    path = os.path.join(folder, "conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write((secure.settings() if secure.ON else "") + settings)
    data, options = os.path.join(folder, "data"), ["--config", path]
    token = secure.make_administrator([os.environ["SHUNTD"], "--data", data, *options]) if secure.ON else None
    return Server(data, options, token), folder


def stop_server(server, folder):
    server.kill()
    shutil.rmtree(folder, ignore_errors=True)
