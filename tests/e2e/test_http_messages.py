"""Messages over HTTP: publishing with curl, with Node's fetch and by hand, against a real server."""
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import threading
import unittest

import harness
import wire
from test_api import Calls

LINES = {"Content-Type": "application/x-ndjson"}
RAW = {"Content-Type": "application/octet-stream"}
MIB = 1024 * 1024


class Messages(Calls):
    def setUp(self):
        super().setUp()
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})

    def publish(self, body=None, topic="t", **more):
        status, answer, _ = self.api.ask("POST", f"/api/v1/topics/{topic}/messages", body, **more)
        self.assertEqual(status, 201, answer)
        return answer

    def stored(self, topic="t"):
        """The messages as they are stored: (body, headers, key)."""
        rows = []
        with wire.connect(self.server) as client:
            more = True
            while more:
                page, more = client.peek(topic, after=rows[-1]["seq"] if rows else 0, limit=1000, bodies=True)
                rows += page
        whole = [row["message"] + [None] * (3 - len(row["message"])) for row in rows]
        return [(message[0], message[1] or {}, message[2]) for message in whole]


class Publish(Messages):
    def test_one_message_with_all_that_it_can_have(self):
        self.assertEqual(self.publish({"body": "hé", "headers": {"a": "b", "bin": {"base64": "/w=="}}, "key": "k", "delay_ms": 0, "ttl_ms": 3600000}), {"accepted": 1, "first_seq": 1})
        self.assertEqual(self.publish({"body_base64": "AP8=", "key_base64": "/g==", "headers": None}), {"accepted": 1, "first_seq": 2})
        self.assertEqual(self.publish({"body": "\0", "key": None, "delay_ms": None}), {"accepted": 1, "first_seq": 3})
        stored = self.stored()
        self.assertEqual(stored[0][0], "hé".encode())
        self.assertEqual({name: value if isinstance(value, bytes) else value.encode() for name, value in stored[0][1].items()}, {"a": b"b", "bin": b"\xff"})
        self.assertEqual(stored[0][2], b"k")
        self.assertEqual(stored[1:], [(b"\0\xff", {}, b"\xfe"), (b"\0", {}, None)])
        self.publish({"body": "later", "delay_ms": 3600000})
        self.assertEqual(self.api.get("/topics/t/groups/default")["delayed"], 1)

    def test_an_array_and_lines_are_one_batch(self):
        self.assertEqual(self.publish([{"body": str(i)} for i in range(1000)]), {"accepted": 1000, "first_seq": 1})
        lines = b"\r\n".join(b'{"body": "%d"}' % i for i in range(1000, 1500)) + b"\n\n"
        self.assertEqual(self.publish(raw=lines, headers=LINES), {"accepted": 500, "first_seq": 1001})
        self.assertEqual([body for body, _, _ in self.stored()], [b"%d" % i for i in range(1500)])

    def test_bytes_are_the_body_and_headers_the_rest(self):
        self.publish(raw=bytes(range(256)) * 10, headers={**RAW, "X-Shunt-Key": "k", "X-Shunt-Header": "a=b=c", "x-shunt-delay-ms": "0", "X-Shunt-Ttl-Ms": "1000000"})
        self.publish(raw=b"", headers=RAW)
        stored = self.stored()
        self.assertEqual(stored[0][0::2], (bytes(range(256)) * 10, b"k"))
        self.assertEqual(dict(stored[0][1])["a"], b"b=c")
        self.assertEqual(stored[1][0], b"")

    def test_what_the_tool_prints_can_be_posted(self):
        self.server.shunt("topic", "create", "from", "--max-attempts", "1")
        for body in ("one", "two"):
            self.server.shunt("publish", "from", body, "-H", "h=v", "--key", "k" + body)
        peeked = self.server.shunt("consume", "from", "--peek", "-o", "jsonl").stdout
        self.server.shunt("work", "from", "--drain", "--", "false", check=False)
        exported = os.path.join(self.server.directory, "dead.jsonl")
        self.server.shunt("dlq", "export", "from", "--to", exported)
        dead = pathlib.Path(exported).read_bytes()
        self.assertEqual(dead.count(b"\n"), 2)
        self.assertEqual(self.publish(raw=peeked.encode(), headers=LINES)["accepted"], 2)
        self.assertEqual(self.publish(raw=dead, headers=LINES)["accepted"], 2)
        self.assertEqual(self.publish(raw=dead.split(b"\n", 1)[0])["accepted"], 1, "a line alone, as JSON")
        consumed = self.server.shunt("consume", "t", "-n", "5", "-o", "jsonl").stdout
        self.assertEqual(self.publish(raw=consumed.encode(), headers=LINES), {"accepted": 5, "first_seq": 6})
        got = [(m["body"], m["headers"], m["key"]) for m in map(json.loads, consumed.splitlines())]
        self.assertEqual(got, [(body, {"h": "v"}, "k" + body) for body in ("one", "two", "one", "two", "one")])

    def test_a_batch_with_one_that_is_wrong_stores_nothing(self):
        path = "/api/v1/topics/t/messages"
        good = {"body": "x"}
        rows = [
            ({}, "`body` is missing"), ({"body": 1}, "`body` must be"), ({"body": None}, "`body`"), ({"body": "x", "boddy": "x"}, "`boddy` is no field"),
            ({"body": "x", "body_base64": "eA=="}, "given twice"), ({"body_base64": "!"}, "base64"), ({"body": "x", "headers": []}, "`headers` must be an object"),
            ({"body": "x", "headers": {"a": 1}}, "`headers.a` must be a string"), ({"body": "x", "headers": {"a": {"base64": 1}}}, "`headers.a`"),
            ({"body": "x", "delay_ms": "1s"}, "`delay_ms` must be a whole number"), ({"body": "x", "ttl_ms": -1}, "`ttl_ms`"), ({"body": "x", "delay_ms": 1.5}, "`delay_ms`"),
        ]
        for wrong, detail in rows:
            self.refused(400, "BAD_FIELD", "POST", path, wrong, detail=detail)
            answer, _ = self.refused(400, "BAD_FIELD", "POST", path, [good, wrong])
            self.assertIn("`[1].", answer["detail"])
        for wrong, status, code in (({"body": "x", "key": "k" * 257}, 413, "TOO_LARGE"), ({"body": "x" * (MIB + 1)}, 413, "TOO_LARGE"), ({"body": "x", "headers": {"": "v"}}, 400, "BAD_ARGUMENT"),
                                    ({"body": "x", "delay_ms": 315360000001}, 400, "BAD_ARGUMENT"), ({"body": "x", "headers": {str(i): "" for i in range(65)}}, 413, "TOO_LARGE")):
            answer, _ = self.refused(status, code, "POST", path, [good, good, wrong])
            self.assertIn("message 2", answer["detail"])
        for raw in (b"", b"7", b'"x"', b"{", b'[{"body":"x"}', b'{"body":"a","body":"b"}', b'{"body":"\xff"}', b"[" * 100000):
            self.refused(400, "BAD_JSON", "POST", path, raw=raw)
        for raw in (b"[]", b"[[]]", b"[7]"):
            self.assertEqual(self.api.ask("POST", path, raw=raw)[0], 400, raw)
        self.refused(400, "BAD_JSON", "POST", path, raw=b'{"body":"x"}\n\n{"body"', headers=LINES, detail="line 3")
        self.refused(400, "BAD_FIELD", "POST", path, raw=b'{"body":"x"}\n[]', headers=LINES, detail="`[1]` must be an object")
        self.refused(400, "BAD_ARGUMENT", "POST", path, raw=b"\n \n", headers=LINES, detail="no message")
        self.refused(400, "BAD_FIELD", "POST", path + "?key=k", good, detail="no query")
        self.refused(404, "UNKNOWN_TOPIC", "POST", "/api/v1/topics/none/messages", good)
        self.refused(400, "RESERVED", "POST", "/api/v1/topics/dlq%3At%3Adefault/messages", good)
        self.assertEqual(self.stored(), [])

    def test_headers_that_are_wrong_are_refused(self):
        for name, value in (("X-Shunt-Delay-Ms", "1s"), ("X-Shunt-Delay-Ms", ""), ("X-Shunt-Delay-Ms", "-1"), ("X-Shunt-Ttl-Ms", "9" * 30), ("X-Shunt-Header", "x"), ("X-Shunt-Kye", "k")):
            self.refused(400, "BAD_FIELD", "POST", "/api/v1/topics/t/messages", raw=b"x", headers={**RAW, name: value}, detail=name)
        self.refused(400, "BAD_FIELD", "POST", "/api/v1/topics/t/messages", {"body": "x"}, headers={"X-Shunt-Key": "k"}, detail="octet-stream")
        for kind in (None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/octet-streams"):
            self.refused(415, "NOT_A_MESSAGE", "POST", "/api/v1/topics/t/messages", raw=b"{}", headers={"Content-Type": kind})
        self.refused(415, "NOT_A_MESSAGE", "POST", "/api/v1/topics/t/messages", raw=b"x", headers={**RAW, "Content-Encoding": "gzip"})
        self.refused(403, "CROSS_SITE", "POST", "/api/v1/topics/t/messages", raw=b"x", headers={**RAW, "Origin": "http://evil.example"})
        self.refused(415, "NOT_JSON", "POST", "/api/v1/topics", raw=b"{}", headers=RAW)
        self.assertEqual(self.stored(), [])

    def test_at_the_limits_all_is_stored_and_beyond_them_nothing(self):
        path = "/api/v1/topics/t/messages"
        most = [{"body": ""}] * 16384
        self.assertEqual(self.publish(most)["accepted"], 16384)
        self.refused(400, "BAD_ARGUMENT", "POST", path, most + [{"body": ""}], detail="16384")
        self.refused(400, "BAD_ARGUMENT", "POST", path, raw=b'{"body":""}\n' * 16385, headers=LINES, detail="16384")
        whole = json.dumps([{"body": "x" * (MIB - 100)}] * 3 + [{"body": "y"}]).encode()
        whole += b" " * (4 * MIB - len(whole))
        self.assertEqual(self.publish(raw=whole)["accepted"], 4)
        self.refused(413, "BODY_TOO_LARGE", "POST", path, raw=whole + b" ", detail="4194304")
        self.refused(413, "BODY_TOO_LARGE", "POST", path, raw=b'{"body":"x","history":[' + b"0," * 400000 + b"0]}", detail="400000 values")
        self.assertEqual(self.publish(raw=b'{"body":"x","history":[' + b"0," * 399997 + b"0]}")["accepted"], 1)
        self.publish({"body": "x"}, headers={"Idempotency-Key": "k" * 255})
        for key in ("k" * 256, ""):
            self.refused(400, "BAD_FIELD", "POST", path, {"body": "x"}, headers={"Idempotency-Key": key}, detail="1 to 255 bytes")
        self.publish(raw=b"x" * MIB, headers=RAW)
        self.refused(413, "TOO_LARGE", "POST", path, raw=b"x" * (MIB + 1), headers=RAW)

    def test_a_topic_that_is_full_takes_the_first_and_says_so(self):
        self.api.ask("PATCH", "/api/v1/topics/t", {"policy": {"max_messages": 3}})
        answer, _ = self.refused(507, "TOPIC_FULL", "POST", "/api/v1/topics/t/messages", [{"body": str(i)} for i in range(5)], headers={"Idempotency-Key": "k"}, detail="the first 3")
        self.assertEqual((answer["accepted"], answer["first_seq"]), (3, 1))
        again, _ = self.refused(507, "TOPIC_FULL", "POST", "/api/v1/topics/t/messages", [{"body": str(i)} for i in range(5)], headers={"Idempotency-Key": "k"})
        self.assertEqual(again, answer)
        none, _ = self.refused(507, "TOPIC_FULL", "POST", "/api/v1/topics/t/messages", {"body": "x"})
        self.assertNotIn("accepted", none)
        self.assertEqual([body for body, _, _ in self.stored()], [b"0", b"1", b"2"])


class Idempotency(Messages):
    def test_the_same_key_stores_once_and_gets_the_same_answer(self):
        key = {"Idempotency-Key": "order-4711"}
        first = self.publish([{"body": "a"}, {"body": "b"}], headers=key)
        self.publish({"body": "between"})
        self.assertEqual(self.publish([{"body": "a"}, {"body": "b"}], headers=key), first)
        self.assertEqual(self.publish({"body": "other"}, headers=key), first, "what is sent again is not looked at")
        self.assertEqual(self.publish(raw=b"raw", headers={**RAW, **key}), first)
        self.publish({"body": "c"}, headers={"Idempotency-Key": "order-4712"})
        self.api.ask("POST", "/api/v1/topics", {"topic": "u"})
        self.assertEqual(self.publish({"body": "a"}, topic="u", headers=key), {"accepted": 1, "first_seq": 1}, "a key belongs to its topic")
        self.assertEqual([body for body, _, _ in self.stored()], [b"a", b"b", b"between", b"c"])

    def test_it_holds_over_a_crash(self):
        key = {"Idempotency-Key": "k"}
        first = self.publish({"body": "a"}, headers=key)
        self.api.close()
        self.server.kill()
        self.server.start()
        self.api = type(self.api)(self.server)
        self.assertEqual(self.publish({"body": "a"}, headers=key), first)
        self.assertEqual(len(self.stored()), 1)

    def test_a_refused_publish_is_not_remembered(self):
        key = {"Idempotency-Key": "k"}
        self.refused(413, "TOO_LARGE", "POST", "/api/v1/topics/t/messages", {"body": "x", "key": "k" * 257}, headers=key)
        self.refused(404, "UNKNOWN_TOPIC", "POST", "/api/v1/topics/none/messages", {"body": "x"}, headers=key)
        self.assertEqual(self.publish({"body": "x"}, headers=key), {"accepted": 1, "first_seq": 1})

    def test_many_at_once_with_one_key_store_once(self):
        answers = []

        def publish():
            api = type(self.api)(self.server)
            answers.append(api.ask("POST", "/api/v1/topics/t/messages", {"body": "x"}, headers={"Idempotency-Key": "k"}))
            api.close()

        threads = [threading.Thread(target=publish) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for status, answer, _ in answers:
            if status == 201:
                self.assertEqual(answer, {"accepted": 1, "first_seq": 1})
            else:
                self.assertEqual((status, answer["code"], answer["retry"]), (409, "KEY_IN_USE", True), answer)
        self.assertTrue(any(status == 201 for status, _, _ in answers))
        self.assertEqual(len(self.stored()), 1)


class Slow(Messages):
    def head(self, length):
        return (f"POST /api/v1/topics/t/messages HTTP/1.1\r\nHost: localhost\r\n{self.server.http_login}Content-Type: application/json\r\n"
                f"Content-Length: {length}\r\n\r\n").encode()

    def test_requests_that_are_sent_by_half_hurt_nobody(self):
        for _ in range(63):
            half = self.server.http_socket()
            self.addCleanup(half.close)
            half.sendall(self.head(4000000) + b"[" + b" " * 100000)
        self.assertEqual(self.publish({"body": "x"})["first_seq"], 1)
        self.assertEqual(len(self.stored()), 1)

    def test_bodies_of_all_together_are_bounded(self):
        halves = []
        for _ in range(14):
            half = self.server.http_socket()
            self.addCleanup(half.close)
            half.sendall(self.head(4194304))
            half.sendall(b" " * (4 * MIB - 1))
            halves.append(half)
        for half in halves:
            half.sendall(b"7")  # no message
        codes = []
        for half in halves:
            answer = http.client.HTTPResponse(half)
            answer.begin()
            codes.append(json.loads(answer.read())["code"])
        self.assertIn("TOO_MANY_CALLS", codes)
        self.assertIn("BAD_JSON", codes)
        self.api.close()  # it was idle, so it may have had to make room
        self.assertEqual(self.publish(raw=b'{"body":"x"}' + b" " * (4 * MIB - 12))["accepted"], 1, "what was held was not given back")


class Programs(Messages):
    def test_curl(self):
        url = self.server.http + "/api/v1/topics/t/messages"
        for args in (["-H", "Content-Type: application/json", "-d", '{"body": "a"}'], ["-H", "Content-Type: application/octet-stream", "--data-binary", "a"]):
            done = subprocess.run(["curl", "-sS", "--fail-with-body", "-H", "Expect: 100-continue", url, *args], env=self.server.environment(), capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(json.loads(done.stdout)["accepted"], 1)
        self.assertEqual([body for body, _, _ in self.stored()], [b"a", b"a"])

    @unittest.skipUnless(shutil.which("node"), "there is no node")
    def test_fetch(self):
        script = """
            const url = process.argv[1] + '/api/v1/topics/t/messages';
            const send = (body, type, more) => fetch(url, {method: 'POST', body, headers: {'Content-Type': type, ...more}});
            const answers = [];
            for (let i = 0; i < 2; i++)
                answers.push(await send(JSON.stringify([{body: 'a', key: 'k'}, {body_base64: '/w=='}]), 'application/json', {'Idempotency-Key': 'k'}));
            answers.push(await send(new Uint8Array([1, 2, 255]), 'application/octet-stream', {'X-Shunt-Header': 'a=b'}));
            console.log(JSON.stringify(await Promise.all(answers.map(async a => [a.status, await a.json()]))));
        """
        done = subprocess.run(["node", "--input-type=module", "-e", script, self.server.http], env=self.server.environment(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(json.loads(done.stdout), [[201, {"accepted": 2, "first_seq": 1}]] * 2 + [[201, {"accepted": 1, "first_seq": 3}]])
        self.assertEqual([body for body, _, _ in self.stored()], [b"a", b"\xff", b"\x01\x02\xff"])


if __name__ == "__main__":
    harness.main()
