"""Working on messages over HTTP: lease, ack, nack, reject, release, extend, against a real server."""
import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
import unittest

import harness
import wire
from test_api import Api, Calls

JSON = {"Content-Type": "application/json"}


class Work(Calls):
    POLICY = {"backoff_min_ms": 1, "backoff_max_ms": 1, "max_attempts": 3, "lease_ms": 60000}

    def setUp(self):
        super().setUp()
        self.client = self.enterContext(wire.connect(self.server))
        self.client.topic_create("t", **self.POLICY)

    def post(self, call, api=None, **body):
        return (api or self.api).ask("POST", f"/api/v1/topics/t/groups/default/{call}", body)

    def lease(self, api=None, **body):
        status, answer, _ = self.post("lease", api, **body)
        self.assertEqual(status, 200, answer)
        return answer["messages"]

    def done(self, call, message, **body):
        status, answer, _ = self.post(call, token=message["token"], **body)
        self.assertEqual((status, answer), (200, {}))

    def stale(self, call, token, **body):
        return self.refused(409, "STALE", "POST", f"/api/v1/topics/t/groups/default/{call}", {"token": token, **body})[0]

    def publish(self, *bodies):
        wire.publish_all(self.client, "t", list(bodies))

    def counts(self, **wanted):
        group = self.client.group_show("t")
        return {name: group[name] for name in wanted} == wanted

    def until_counts(self, **wanted):
        wire.until(lambda: self.counts(**wanted), why=lambda: f"{self.client.group_show('t')} has not {wanted}")

    def history(self, topic="t", seq=1):
        return [(row["outcome"], row["charged"]) for row in self.client.why(topic, seq)["groups"][0]["history"]]

    def later(self, **body):
        """A lease call of its own connection that waits: (thread, its result)."""
        result = []

        def run():
            api = Api(self.server)
            result.append(self.lease(api, **body))
            api.close()

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        return thread, result

    def half(self, call="lease", **body):
        """A request whose answer is not read: its socket."""
        data = json.dumps(body).encode()
        connection = self.server.http_socket()
        self.addCleanup(connection.close)
        connection.sendall(f"POST /api/v1/topics/t/groups/default/{call} HTTP/1.1\r\nHost: localhost\r\n{self.server.http_login}Content-Type: application/json\r\n"
                           f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
        return connection


class Lease(Work):
    def test_a_message_has_all_that_a_consumer_needs(self):
        self.client.publish("t", wire.Message("hé".encode(), {"h": b"v", "b": b"\xff"}, b"k", 0, 0), wire.Message(b"\xff", None, None, 0, 0))
        first, second = self.lease(messages=10)
        self.assertEqual({name: first[name] for name in ("id", "attempts", "deliveries", "generation", "key", "headers", "body", "lease_left_ms")},
                         {"id": "t/1", "attempts": 0, "deliveries": 1, "generation": 0, "key": "k", "headers": {"h": "v", "b": {"base64": "/w=="}}, "body": "hé", "lease_left_ms": 60000})
        self.assertGreater(first["published"], 1700000000000)
        self.assertEqual((second["id"], second["body_base64"], second["key"], second["headers"]), ("t/2", "/w==", None, {}))
        self.assertTrue(self.counts(in_flight=2, ready=0))
        self.done("ack", second)
        self.done("ack", first)
        self.assertTrue(self.counts(acked=2, in_flight=0))
        self.assertEqual(self.lease(messages=10), [])

    def test_nothing_there_is_an_empty_list_at_once_and_after_the_wait(self):
        self.assertEqual(self.lease(), [])
        self.assertEqual(self.lease(wait_ms=50, messages=100), [])
        self.until_counts(consumers=0)

    def test_one_who_waits_gets_what_comes(self):
        waiting = [self.later(wait_ms=60000) for _ in range(3)]
        self.until_counts(consumers=3)
        self.publish(b"a", b"b", b"c")
        for thread, _ in waiting:
            thread.join()
        got = [result[0][0] for _, result in waiting]
        self.assertEqual(sorted(message["body"] for message in got), ["a", "b", "c"])
        for message in got:
            self.done("ack", message)
        self.until_counts(acked=3, consumers=0)

    def test_not_more_than_asked_for(self):
        self.publish(*(b"%d" % i for i in range(250)))
        got = self.lease(messages=100)
        self.assertLessEqual(len(got), 100)
        self.assertTrue(self.counts(in_flight=len(got)))
        self.assertEqual(len(self.lease()), 1)

    def test_a_large_message_comes_alone(self):
        self.client.publish("t", *[wire.Message(b"x" * 900000, None, None, 0, 0) for _ in range(4)])
        got = self.lease(messages=4)
        self.assertLessEqual(len(got), 2)
        self.assertEqual(len(got[0]["body"]), 900000)

    def test_one_without_time_dies_of_its_deadline_uncharged(self):
        status, answer, _ = self.api.ask("POST", "/api/v1/topics/t/messages", [{"body": "needed", "deadline": int(time.time() * 1000) + 3600000}, {"body": "patient"}])
        self.assertEqual(status, 201, answer)
        needed, patient = self.lease(messages=2)
        self.assertTrue(0 < needed["remaining_ms"] <= 3600000, needed)
        self.done("late", needed, error_type="slow", error_message="takes two hours")
        self.stale("ack", needed["token"])
        self.assertEqual(self.history(), [("deadline_exceeded", False)])
        self.done("late", patient)
        self.assertEqual(self.history(seq=2), [("nacked", True)], "without a deadline nobody gets out of a charge so")
        self.assertTrue(self.counts(dead=1))
        self.refused(400, "BAD_FIELD", "POST", "/api/v1/topics/t/groups/default/late", {"token": needed["token"], "delay_ms": 1}, detail="delay_ms")

    def test_the_answers(self):
        self.publish(b"m")
        message = self.lease()[0]
        self.done("nack", message, error_type="E", error_message="no", error_stack="at x", delay_ms=0)
        self.stale("ack", message["token"])
        message = self.lease(wait_ms=60000)[0]
        self.assertEqual((message["attempts"], message["deliveries"]), (1, 2))
        self.done("release", message)
        message = self.lease(wait_ms=60000)[0]
        self.assertEqual((message["attempts"], message["deliveries"]), (1, 3), "released, and not charged")
        self.done("extend", message, lease_ms=120000)
        self.done("reject", message, error_type="F", error_message="never", fingerprint="mine")
        self.assertTrue(self.counts(dead=1))
        dead = self.client.dlq_show("t", "t/1")
        self.assertEqual([(row["outcome"], row["error_type"]) for row in dead["history"] if row["charged"]], [("nacked", "E"), ("rejected", "F")])
        self.assertEqual(dead["history"][0]["error_stack"], "at x")
        self.assertTrue(dead["history"][0]["consumer"].startswith("http"))

    def test_a_dead_letter_can_be_worked_on(self):
        self.publish(b"m")
        self.done("reject", self.lease()[0], error_type="E")
        status, answer, _ = self.api.ask("POST", "/api/v1/topics/dlq%3At%3Adefault/groups/default/lease", {})
        self.assertEqual(status, 200)
        self.assertEqual((answer["messages"][0]["id"], answer["messages"][0]["dead"]["origin"]), ("dlq:t:default/1", "t/1"))

    def test_a_token_is_of_its_delivery_and_its_group(self):
        self.publish(b"m")
        token = self.lease()[0]["token"]
        for wrong in ("", "x", token + "0", token[:-1], token.upper() + "X", "0.0.0.0", "ffffffff.1.1.1", "0.ffffffffffffffff.1.1", token + ".1", "1." * 40):
            self.stale("ack", wrong)
        self.client.group_create("t", "other")
        self.refused(409, "STALE", "POST", "/api/v1/topics/t/groups/other/ack", {"token": token})
        self.post("ack", token=token)
        self.assertTrue(self.counts(acked=1))
        for call in ("ack", "nack", "reject", "release"):
            self.stale(call, token)
        self.stale("extend", token, lease_ms=1000)

    def test_input_is_held_against_its_bounds(self):
        path = "/api/v1/topics/t/groups/default/"
        for body, detail in (({"messages": 0}, "`messages` must be a whole number from 1 to 100"), ({"messages": 101}, "from 1 to 100"), ({"messages": "1"}, "`messages`"),
                             ({"wait_ms": 60001}, "`wait_ms` must be a whole number from 0 to 60000"), ({"wait_ms": -1}, "`wait_ms`"), ({"lease_ms": 9}, "from 10 to 43200000"),
                             ({"lease_ms": 43200001}, "`lease_ms`"), ({"count": 1}, "unknown field `count`")):
            self.refused(400, "BAD_FIELD", "POST", path + "lease", body, detail=detail)
        for call in ("ack", "nack", "reject", "release", "extend"):
            self.refused(400, "BAD_FIELD", "POST", path + call, {}, detail="`token` is missing")
            self.refused(400, "BAD_FIELD", "POST", path + call, {"token": 1}, detail="`token` must be a string")
            self.refused(400, "BAD_FIELD", "POST", path + call, {"token": "x", "tokn": 1}, detail="tokn")
        self.refused(400, "BAD_FIELD", "POST", path + "extend", {"token": "x"}, detail="`lease_ms` is missing")
        self.refused(400, "BAD_FIELD", "POST", path + "extend", {"token": "x", "lease_ms": 0}, detail="`lease_ms`")
        self.refused(400, "BAD_FIELD", "POST", path + "nack", {"token": "x", "delay_ms": 315360000001}, detail="`delay_ms`")
        self.refused(400, "BAD_FIELD", "POST", path + "ack", {"token": "x", "error_type": "E"}, detail="error_type")
        for raw in (b"[]", b"{", b"7"):
            self.refused(400, "BAD_JSON", "POST", path + "lease", raw=raw)
        self.refused(400, "BAD_FIELD", "POST", path + "lease?wait_ms=1", {}, detail="no query")
        self.refused(415, "NOT_JSON", "POST", path + "lease", raw=b"{}", headers={"Content-Type": "text/plain"})
        self.refused(403, "CROSS_SITE", "POST", path + "ack", {"token": "x"}, headers={"Origin": "http://evil.example"})
        self.refused(405, "BAD_METHOD", "GET", path + "lease")
        self.refused(404, "UNKNOWN_GROUP", "POST", "/api/v1/topics/t/groups/none/lease", {})
        self.refused(404, "UNKNOWN_TOPIC", "POST", "/api/v1/topics/none/groups/default/lease", {})
        self.assertEqual(self.lease(messages=100, wait_ms=0, lease_ms=43200000), [])


class Ends(Work):
    """What is charged, and what is not."""
    POLICY = {**Work.POLICY, "lease_ms": 500}

    def test_a_lease_that_nobody_answers_runs_out_and_charges_the_first(self):
        self.publish(b"a", b"b", b"c")
        got = self.lease(messages=3)
        self.assertEqual(len(got), 3)
        self.until_counts(ready=3, in_flight=0)
        self.assertEqual([self.history(seq=i)[0] for i in (1, 2, 3)], [("lease_expired", True), ("unstarted", False), ("unstarted", False)])
        for message in got:
            self.stale("ack", message["token"])

    def test_answering_one_starts_the_next(self):
        self.publish(b"a", b"b", b"c")
        got = self.lease(messages=3)
        self.done("ack", got[0])
        self.until_counts(ready=2, in_flight=0)
        self.assertEqual([self.history(seq=i)[0] for i in (2, 3)], [("lease_expired", True), ("unstarted", False)])

    def test_it_dies_after_as_many_attempts_as_any(self):
        self.publish(b"a")
        for attempts in range(3):
            self.assertEqual(self.lease(wait_ms=60000)[0]["attempts"], attempts)
        self.until_counts(dead=1)
        self.assertEqual(self.client.dlq_show("t", "t/1")["reason"], "max_attempts")

    def test_extend_and_a_lease_of_its_own_hold_it(self):
        self.publish(b"a", b"b")
        long = self.lease(lease_ms=600000)[0]
        self.assertEqual(long["lease_left_ms"], 600000)
        extended = self.lease()[0]
        self.done("extend", extended, lease_ms=600000)
        self.publish(b"c")
        short = self.lease(lease_ms=100)[0]
        self.assertEqual(short["lease_left_ms"], 100)
        self.until_counts(ready=1, in_flight=2)
        self.assertEqual(self.history(seq=3), [("lease_expired", True)])
        self.done("ack", long)
        self.done("ack", extended)

    def test_a_client_that_goes_away_while_it_waits_is_charged_nothing(self):
        gone = self.half(wait_ms=60000)
        self.until_counts(consumers=1)
        gone.close()
        self.until_counts(consumers=0)
        self.publish(b"a")
        message = self.lease()[0]
        self.assertEqual((message["attempts"], message["deliveries"]), (0, 1), "nobody had it in between")

    def test_an_answer_that_could_not_be_written_charges_nothing(self):
        """Six bytes in JSON for each of the body: more than sockets hold, so the client goes while it is being written."""
        self.client.publish("t", wire.Message(b"\x01" * 1000000, None, None, 0, 0))
        gone = self.half(wait_ms=60000, lease_ms=600000)
        gone.recv(1)
        gone.close()
        message = self.lease(wait_ms=60000)[0]
        self.assertEqual(message["attempts"], 0)
        self.assertEqual(self.history(), [("released", False)])

    def test_half_closed_is_gone(self):
        gone = self.half(wait_ms=60000)
        self.until_counts(consumers=1)
        gone.shutdown(socket.SHUT_WR)
        self.until_counts(consumers=0)

    def test_a_topic_that_is_deleted_ends_the_wait_and_the_lease(self):
        self.publish(b"a")
        message = self.lease(lease_ms=600000)[0]
        waiting = self.half(wait_ms=60000)
        self.until_counts(consumers=2)
        self.client.topic_delete("t")
        answer = http.client.HTTPResponse(waiting)
        answer.begin()
        self.assertEqual((answer.status, json.loads(answer.read())["code"]), (404, "UNKNOWN_TOPIC"))
        self.stale("ack", message["token"])

    def test_a_restart_charges_nothing_and_makes_tokens_stale(self):
        self.publish(b"a")
        token = self.lease(lease_ms=600000)[0]["token"]
        waiting = self.half(wait_ms=60000)
        self.until_counts(consumers=2)
        self.api.close()
        self.client.close()
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual(waiting.recv(64).split(b" ")[1], b"503")
        self.server.start()
        self.api = Api(self.server)
        self.addCleanup(self.api.close)
        self.client = self.enterContext(wire.connect(self.server))
        self.stale("ack", token)
        self.assertEqual(self.lease(wait_ms=60000)[0]["attempts"], 0)
        self.assertEqual([charged for _, charged in self.history()], [False])


class SetLimits(Work):
    """http-connections and http-leases, at their values and one beyond."""
    SETTINGS = "http-connections: 32\nhttp-leases: 17\n"

    def test_half_of_the_connections_may_wait(self):
        for _ in range(16):
            self.half(wait_ms=60000)
        self.until_counts(consumers=16)
        self.refused(503, "TOO_MANY_LEASES", "POST", "/api/v1/topics/t/groups/default/lease", {}, detail="16 calls wait at once: a half of http-connections")

    def test_so_many_may_hold_messages(self):
        self.publish(*(b"%d" % i for i in range(18)))
        held = [self.lease()[0] for _ in range(17)]
        self.refused(503, "TOO_MANY_LEASES", "POST", "/api/v1/topics/t/groups/default/lease", {}, detail="17 calls have messages that are not answered: http-leases")
        self.done("ack", held[0])
        wire.until(lambda: self.post("lease")[0] == 200, why="a place that was left is not free")

    def test_values_beyond_the_bounds_are_refused(self):
        for name, least, most in (("http-connections", 32, 4096), ("http-leases", 1, 4096)):
            for value, status in ((least, 0), (most, 0), (least - 1, 78), (most + 1, 78)):
                file = self.server.directory / "bounds.yaml"
                file.write_text(f"{name}: {value}\n", encoding="utf-8")
                done = subprocess.run([harness.SHUNTD, "--check-config", file], capture_output=True, text=True, check=False, timeout=60)
                self.assertEqual(done.returncode, status, f"{name}: {value}\n{done.stderr}")


class Limits(Work):
    def test_calls_that_wait_are_bounded_and_others_go_on(self):
        waiting = [self.half(wait_ms=60000) for _ in range(32)]
        self.until_counts(consumers=32)
        answer, headers = self.refused(503, "TOO_MANY_LEASES", "POST", "/api/v1/topics/t/groups/default/lease", {}, detail="32 calls wait")
        self.assertEqual((answer["retry"], headers["Retry-After"]), (True, "1"))
        self.assertEqual(self.api.ask("POST", "/api/v1/topics/t/messages", {"body": "x"})[0], 201)
        waiting[-1].close()
        wire.until(lambda: self.post("lease")[0] == 200, why="a place that was left is not free")

    def test_all_that_wait_are_told_when_the_server_stops(self):
        waiting = [self.half(wait_ms=60000) for _ in range(32)]
        self.until_counts(consumers=32)
        self.api.close()
        self.client.close()
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual([one.recv(64).split(b" ")[1:2] for one in waiting], [[b"503"]] * 32)

    def test_calls_that_hold_messages_are_bounded(self):
        self.publish(*(b"%d" % i for i in range(129)))
        held = [self.lease()[0] for _ in range(128)]
        self.refused(503, "TOO_MANY_LEASES", "POST", "/api/v1/topics/t/groups/default/lease", {}, detail="128 calls have messages")
        self.done("ack", held[77])
        wire.until(lambda: self.post("lease")[0] == 200, why="a place that was left is not free")
        for message in held[:77] + held[78:]:
            self.done("ack", message)
        self.until_counts(acked=128)

    def test_clients_that_do_not_read_keep_nobody_out_for_long(self):
        """Such a byte is six in JSON: more than sockets hold. One that is told to leave gives its message back uncharged."""
        for _ in range(33):
            self.client.publish("t", wire.Message(b"\x01" * 1000000, None, None, 0, 0))
        for _ in range(32):
            self.half(lease_ms=600000).recv(1)
        self.refused(503, "TOO_MANY_LEASES", "POST", "/api/v1/topics/t/groups/default/lease", {}, detail="32 calls wait")
        wire.until(lambda: self.post("lease")[0] == 200, why="nobody was told to leave")
        self.assertEqual(self.client.group_show("t")["dead"], 0)

    def test_many_workers_side_by_side_do_each_message_once(self):
        self.publish(*(b"%d" % i for i in range(500)))
        seen, lock = [], threading.Lock()

        def work():
            api = Api(self.server)
            while True:
                got = self.lease(api, messages=7)
                if not got:
                    break
                for message in got:
                    with lock:
                        seen.append(message["body"])
                    status, answer, _ = self.post("ack", api, token=message["token"])
                    self.assertEqual((status, answer), (200, {}))
            api.close()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(map(int, seen)), list(range(500)))
        self.until_counts(acked=500, consumers=0)


class Programs(Work):
    @unittest.skipUnless(shutil.which("node"), "there is no node")
    def test_fetch(self):
        self.publish(b"a", b"b")
        script = """
            const group = process.argv[1] + '/api/v1/topics/t/groups/default/';
            const post = async (call, body) => {
                const answer = await fetch(group + call, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
                return [answer.status, await answer.json()];
            };
            const [, {messages}] = await post('lease', {messages: 2, wait_ms: 10000});
            const answers = await Promise.all(messages.map(message => post('ack', {token: message.token})));
            const controller = new AbortController();
            const aborted = fetch(group + 'lease', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"wait_ms": 60000}', signal: controller.signal}).catch(error => error.name);
            setTimeout(() => controller.abort(), 10);
            console.log(JSON.stringify([messages.map(message => message.body), answers, await aborted]));
        """
        done = subprocess.run(["node", "--input-type=module", "-e", script, self.server.http], env=self.server.environment(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(json.loads(done.stdout), [["a", "b"], [[200, {}], [200, {}]], "AbortError"])
        self.until_counts(acked=2, consumers=0)


if __name__ == "__main__":
    harness.main()
