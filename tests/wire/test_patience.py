"""How long the server asks to be left alone, in errors that say that it has no place, and when it stops; over HTTP, too."""

import json
import signal

from client import TOPIC_CREATE, TOPIC_SHOW
from server import WireTest

TOO_MANY, UNKNOWN_TOPIC, SHUTTING_DOWN = 29, 20, 42


class Patience(WireTest):
    own_server = True
    settings = "retry-after: 1500ms\nmax-topics: 1\nmax-connections: 2\n"
    asked = [1500]

    def error(self, client, *request):
        client.send(*request)
        op, _, code, name, text, *rest = client.read_frame()
        self.assertEqual(op, 129, (name, text))
        return code, rest

    def test_too_many_says_how_long_and_other_errors_do_not(self):
        client = self.create()
        self.assertEqual(self.error(client, TOPIC_CREATE, "another"), (TOO_MANY, [True, *self.asked]))
        self.assertEqual(self.error(client, TOPIC_SHOW, "nowhere"), (UNKNOWN_TOPIC, [False]))

    def test_a_connection_that_is_refused_is_told(self):
        self.connect(), self.connect()
        client = self.connect(hello=False)
        _, id, code, _, _, *rest = client.read_frame()
        self.assertEqual((id, code, rest), (0, TOO_MANY, [True, *self.asked]))

    def test_a_server_that_stops_says_how_long(self):
        client = self.create()
        self.server.process.send_signal(signal.SIGTERM)
        op, _, sub, code, _, *rest = client.read_frame()
        self.assertEqual((op, sub, code, rest), (131, 0, SHUTTING_DOWN, self.asked))

    def test_over_http_it_is_the_header_in_seconds(self):
        self.create()
        answer, body = self.server.http("POST", "/api/v1/topics", b'{"topic": "another"}', {"Content-Type": "application/json"})
        problem = json.loads(body)
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (429, "2" if self.asked else None))
        self.assertEqual((problem["code"], problem.get("retry_after_ms")), ("TOO_MANY", self.asked[0] if self.asked else None))


class PatienceOff(Patience):
    settings = Patience.settings.replace("1500ms", "0ms")
    asked = []
