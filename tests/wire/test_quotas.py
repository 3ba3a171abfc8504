"""Limits on what one address, and one user, may do: what is refused, with which time, over the protocol and over HTTP. The rates are so slow, and the
frames so large for them, that the time which a test takes changes nothing."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from client import Client, Disconnected, ShuntError
from server import Server, WireTest
from shunt.protocol import GROUP_LIST, PING, TOPIC_SHOW, USER_SET

BYTES = 4000  # at a byte a second, with a burst of a minute


class Quotas(WireTest):
    own_server = True
    settings = "address-publish-bytes: 1\naddress-request-rate: 1\nrate-burst: 1m\n"

    def refused_for(self, setting, call, *arguments):
        error = self.refused("TOO_MANY", call, *arguments)
        self.assertIn(setting, error.text)
        self.assertTrue(error.retry)
        return error.retry_after_ms

    def metric(self, limit):
        return int(next(line.rpartition(" ")[2] for line in self.server.metrics().splitlines() if line.startswith(f'shunt_limited_total{{limit="{limit}"}}')))

    def test_publishing_beyond_the_rate(self):
        client = self.create()
        client.publish(self.topic, [b"x" * BYTES])  # more than a burst: it goes when nothing has been used
        wait_ms = self.refused_for("address-publish-bytes", client.publish, self.topic, [b"y"])
        self.assertGreater(wait_ms, (BYTES - 60) * 1000 // 2, "the time until it is paid for, and not the setting retry-after")
        self.assertLessEqual(wait_ms, (BYTES + 100) * 1000)
        self.refused_for("address-publish-bytes", self.connect().publish, self.topic, [b"another connection of the address"])
        self.assertEqual(self.counts(client), {"ready": 1}, "nothing of what was refused is there")
        self.assertEqual(self.metric("address_publish_bytes"), 2)

    def test_requests_beyond_the_rate(self):
        client = self.create()
        refused = 0
        for _ in range(200):  # it takes less than the two minutes that would bring so many
            try:
                client.request(TOPIC_SHOW, self.topic)
            except ShuntError as error:
                self.assertEqual(error.name, "TOO_MANY")
                self.assertTrue(0 < error.retry_after_ms <= 1000, error.retry_after_ms)
                refused += 1
        self.assertGreater(refused, 0)
        self.assertEqual(self.metric("address_request_rate"), refused)
        client.request(PING)
        self.assertIn("event=rate_limited setting=address-request-rate", self.server.log_text())

    def test_over_http(self):
        self.create()
        for times in range(2):
            answer, body = self.server.http("POST", f"/api/v1/topics/{self.topic}/messages", "x" * BYTES, {"Content-Type": "application/octet-stream"})
            self.assertEqual(answer.status, 429 if times else 201, body)
        problem = json.loads(body)
        self.assertEqual(problem["code"], "TOO_MANY")
        self.assertGreater(problem["retry_after_ms"], (BYTES - 60) * 1000 // 2)
        self.assertEqual(int(answer.headers["Retry-After"]), -(-problem["retry_after_ms"] // 1000))


class Connections(WireTest):
    own_server = True
    settings = "address-connections: 3\nretry-after: 750ms\n"

    def test_as_many_as_may_and_one_more(self):
        clients = [self.connect() for _ in range(3)]
        _, id, _, name, text, *rest = self.connect(hello=False).read_frame()
        self.assertEqual((id, name, rest), (0, "TOO_MANY", [True, 750]))
        self.assertIn("address-connections", text)
        answer, body = self.server.http("GET", "/api/v1/topics")
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (429, "1"), body)
        clients[0].close()
        self.until(self.may_connect)

    def may_connect(self):
        try:
            self.connect()
            return True
        except (ShuntError, Disconnected):
            return False


class Users(unittest.TestCase):
    """Users have theirs wherever they come from, and the local administrator none."""

    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="wire-quotas-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.tokens = {}
        for name in ("ann", "bob", "cid"):
            made = subprocess.run([os.environ["SHUNTD"], "--data", cls.directory / "data", "--init-admin", name], check=True, capture_output=True, text=True)
            cls.tokens[name] = made.stdout.strip()
        cls.socket = cls.directory / "socket"
        (cls.directory / "conf").write_text(f"auth: on\nlisten-unix: {cls.socket}\nuser-publish-bytes: 1\nuser-connections: 2\nrate-burst: 1m\n"
                                            "address-publish-bytes: 100000000\n", encoding="utf-8")
        cls.server = Server(cls.directory / "data", ["--config", cls.directory / "conf"])
        cls.addClassCleanup(cls.server.terminate)

    def connect(self, name):
        client = Client(self.server.port, auth={"mechanism": "token", "token": self.tokens[name]})
        self.addCleanup(client.close)
        return client

    def test_rates(self):
        ann, bob = self.connect("ann"), self.connect("bob")
        ann.topic_create("rates")
        ann.publish("rates", [b"x" * BYTES])
        with self.assertRaises(ShuntError) as caught:
            ann.publish("rates", [b"y"])
        self.assertIn("user `ann` may have 1 bytes a second (user-publish-bytes)", caught.exception.text)
        bob.publish("rates", [b"x" * BYTES])
        with Client(self.socket) as local:
            for _ in range(3):
                local.publish("rates", [b"x" * BYTES])
                local.request(GROUP_LIST, "rates")
            local.request(USER_SET, "dot", {"grants": ["*:look"]})

    def test_connections(self):
        two = [self.connect("cid") for _ in range(2)]
        with self.assertRaises(ShuntError) as caught:
            self.connect("cid")
        self.assertEqual(caught.exception.name, "TOO_MANY")
        self.assertIn("user-connections", caught.exception.text)
        self.connect("bob").request(PING)
        two[0].request(PING)
