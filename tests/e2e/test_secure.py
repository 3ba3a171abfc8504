"""That the secure mode is on where it was asked for, for each kind of client that the tests have: who comes plainly or without the token is refused, and who is let in is the rig's
administrator. Without it the other tests would pass as well, and prove nothing about TLS and logins."""
import http.client
import json
import os
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

import harness
import secure
import wire

sys.path.insert(0, str(harness.SOURCE_ROOT / "python"))
import shunt  # noqa: E402

DENIED, UNREACHABLE = 77, 69


@unittest.skipUnless(secure.ON, "only with SHUNT_SECURE=1")
class Secure(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server())
        self.plain = f"shunt://{self.server.address}"
        self.nobody = f"shunts://{self.server.address}?ca={self.server.ca}"

    def tool(self, url):
        return subprocess.run([harness.SHUNT, "--url", url, "topic", "list"], env=dict(os.environ), capture_output=True, text=True, check=False, timeout=60).returncode

    def test_the_tool(self):
        self.assertEqual((self.tool(self.plain), self.tool(self.nobody)), (UNREACHABLE, DENIED))
        self.assertEqual(json.loads(self.server.shunt("whoami", "-o", "json").stdout)["how"], "token")

    def test_python(self):
        with self.assertRaises(shunt.Unreachable):
            shunt.connect(self.plain, timeout=5, connect_timeout=5)
        with self.assertRaises(shunt.Unauthenticated):
            shunt.connect(self.nobody, timeout=60)
        with shunt.connect(self.server.url, timeout=60) as broker:
            self.assertEqual(list(broker.topic_list()), [])

    def test_the_wire_client(self):
        host, _, port = self.server.address.partition(":")
        with self.assertRaises((wire.Disconnected, wire.ShuntError)):
            wire.Client(int(port), address=host)
        with self.assertRaises(wire.ShuntError) as caught:
            wire.Client(int(port), address=host, tls=self.server.tls)
        self.assertEqual(caught.exception.name, "UNAUTHENTICATED")
        with wire.connect(self.server) as client:
            self.assertEqual(client.request(wire.WHOAMI)[0]["how"], "token")

    def test_http(self):
        where = self.server.http.removeprefix("https://")
        path = "/api/v1/topics"
        for connection, status in ((http.client.HTTPConnection(where, timeout=60), 400),
                                   (http.client.HTTPSConnection(where, timeout=60, context=self.server.tls), 401),
                                   (self.server.http_client(), 200)):
            connection.request("GET", path)
            self.assertEqual(connection.getresponse().status, status)
            connection.close()
        with urllib.request.urlopen(self.server.http + path, timeout=60) as answer:
            self.assertEqual(answer.status, 200)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(self.server.http + path, headers={"Authorization": "Bearer shunt_x"}), timeout=60)
        with caught.exception as answer:
            self.assertEqual(answer.code, 401)
        for environment, status in ((self.server.environment(), "200"), ({**os.environ, "CURL_CA_BUNDLE": str(self.server.ca)}, "401")):
            done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", self.server.http + path], env=environment, capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(done.stdout, status)


if __name__ == "__main__":
    harness.main()
