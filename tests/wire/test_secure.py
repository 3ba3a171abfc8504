"""That the secure mode is on where it was asked for: without it all the other tests would pass as well, and prove nothing about TLS and logins."""
import http.client
import unittest

from client import OK, PING, WHOAMI, Client, Disconnected, ShuntError, frame
from server import WireTest, secure

UNAUTHENTICATED = 3


@unittest.skipUnless(secure.ON, "only with SHUNT_SECURE=1")
class Secure(WireTest):
    def test_a_plain_connection_is_refused(self):
        with self.assertRaises((Disconnected, ShuntError)):
            Client(self.server.port)
        with self.assertRaises((Disconnected, ShuntError)):
            Client(self.server.port, login={"mechanism": "token", "token": self.server.token})
        plain = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=20)
        self.addCleanup(plain.close)
        plain.request("GET", "/api/v1/topics", headers={"Authorization": f"Bearer {self.server.token}"})
        self.assertEqual(plain.getresponse().status, 400)

    def test_a_connection_without_a_token_is_refused(self):
        for login in (None, {"mechanism": "token", "token": self.server.token[:-1] + ("A" if self.server.token[-1] != "A" else "B")}):
            with self.assertRaises(ShuntError) as caught:
                Client(self.server.port, tls=secure.context(), login=login)
            self.assertEqual(caught.exception.code, UNAUTHENTICATED)
        before = self.server.connect(hello=False)
        self.addCleanup(before.close)
        before.send_bytes(frame(PING, 1))
        self.assertNotEqual(before.read_frame()[:2], [OK, 1], "a request was served before HELLO")
        for path in ("/api/v1/topics", "/metrics"):
            answer, _ = self.server.http("GET", path, headers={"Authorization": "Bearer shunt_x"})
            self.assertEqual(answer.status, 401, path)

    def test_the_rig_is_let_in_by_its_token(self):
        client = self.connect()
        self.assertEqual(client.request(WHOAMI)[0]["how"], "token")
        self.assertEqual(client.socket.tls.version(), "TLSv1.3")
        self.assertEqual(self.server.http("GET", "/api/v1/topics")[0].status, 200)


if __name__ == "__main__":
    unittest.main()
