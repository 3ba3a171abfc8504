"""The admin API of a real server: the examples of docs/api.md as they stand there, and what it refuses."""
import base64
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

import harness
import wire
from secure import plain_only

PAGE = harness.SOURCE_ROOT / "docs" / "api.md"
BLOCK = re.compile(r"<!-- tested -->\s*\n```sh\n(.*?)^```$", re.S | re.M)
MARK = "@@@ end of step"
ANY = "…"
JSON = {"Content-Type": "application/json"}


def steps(script):
    """[(commands, the JSON that the last of them prints, or None)]."""
    found, commands = [], []
    for line in script.splitlines():
        if line.startswith("#=> "):
            found.append(("\n".join(commands), json.loads(line[4:])))
            commands = []
        else:
            commands.append(line)
    return found


def differs(wanted, got, where="answer"):
    """Where `got` has not what is wanted; None: it has all of it."""
    if wanted == ANY:
        return None
    if isinstance(wanted, dict):
        if not isinstance(got, dict):
            return f"{where}: {got!r} is no object"
        if not wanted and got:
            return f"{where}: {got!r} is not empty"
        parts = ((name, value, got.get(name, "(missing)")) for name, value in wanted.items())
        return next(filter(None, (differs(value, there, f"{where}.{name}") for name, value, there in parts)), None)
    if isinstance(wanted, list):
        if not isinstance(got, list) or len(got) != len(wanted):
            return f"{where}: {got!r} is no list of {len(wanted)}"
        return next(filter(None, (differs(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(wanted, got)))), None)
    return None if wanted == got and type(wanted) is type(got) else f"{where}: {got!r} is not {wanted!r}"


class Api:
    """One connection to the API of a server."""

    def __init__(self, server):
        self.connection = server.http_client()

    def ask(self, method, path, body=None, headers=None, raw=None):
        """(status, answer, headers); the body is given as an object, or `raw`."""
        changes = method not in ("GET", "HEAD", "OPTIONS")
        headers = {**(JSON if changes else {}), **(headers or {})}
        data = raw if raw is not None else json.dumps(body) if body is not None else None
        self.connection.request(method, path, data, {name: value for name, value in headers.items() if value is not None})
        answer = self.connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if text else None, answer.headers

    def get(self, path):
        status, answer, _ = self.ask("GET", "/api/v1" + path)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {answer}")
        return answer

    def close(self):
        self.connection.close()


class Examples(unittest.TestCase):
    @plain_only("the numbers on the page are those of a store without users")
    def test_the_examples_of_the_page_print_what_it_says(self):
        plan = steps("\n".join(BLOCK.findall(PAGE.read_text(encoding="utf-8"))))
        self.assertGreater(len(plan), 20)
        script = "set -e\n" + "".join(f"{commands}\necho; echo '{MARK}'\n" for commands, _ in plan)
        with harness.Server() as server:
            environment = {**server.environment(), "API": server.http + "/api/v1",
                           "PATH": os.path.dirname(harness.SHUNT) + ":" + os.environ["PATH"]}
            done = subprocess.run(["bash", "-c", script], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=120, check=False, cwd=server.directory)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        printed = done.stdout.split(MARK)
        for (commands, wanted), output in zip(plan, printed):
            last = [line for line in output.splitlines() if line.strip()][-1]
            self.assertIsNone(differs(wanted, json.loads(last)), f"after:\n{commands}\n{last}")

    def test_the_comparison_finds_differences(self):
        wanted = {"a": 1, "b": [{"c": "x"}], "d": ANY}
        self.assertIsNone(differs(wanted, {"a": 1, "b": [{"c": "x", "e": 2}], "d": 7}))
        for got in ({"a": 2, "b": [{"c": "x"}]}, {"a": 1, "b": []}, {"a": 1, "b": [{"c": "y"}]}, {"a": True, "b": [{"c": "x"}]}, []):
            self.assertIsNotNone(differs(wanted, got), got)


class Calls(unittest.TestCase):
    OPTIONS = ()
    SETTINGS = ""

    def setUp(self):
        self.server = self.enterContext(harness.Server(options=self.OPTIONS, settings=self.SETTINGS))
        self.api = Api(self.server)
        self.addCleanup(self.api.close)

    def refused(self, status, code, method, path, body=None, detail=None, **more):
        """Ask, and expect a problem that is whole."""
        got, answer, headers = self.api.ask(method, path, body, **more)
        self.assertEqual((got, answer and answer.get("code")), (status, code), answer)
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        self.assertEqual(answer["status"], status)
        self.assertEqual(answer["type"], "urn:shunt:problem:" + code)
        self.assertTrue(answer["title"] and answer["hint"])
        if detail:
            self.assertIn(detail, answer["detail"])
        return answer, headers


class Input(Calls):
    def test_the_fields_of_a_request_are_held_against_the_table(self):
        rows = [
            ({}, "`topic` is missing"),
            ({"topic": 7}, "`topic` must be a string"),
            ({"topic": None}, "`topic` must be a string"),
            ({"topic": "t", "extra": 1}, "unknown field `extra`"),
            ({"topic": "t", "groups": "g"}, "`groups` must be an array of strings"),
            ({"topic": "t", "groups": ["g", 1]}, "`groups[1]` must be a string"),
            ({"topic": "t", "policy": []}, "`policy` must be an object of settings"),
            ({"topic": "t", "policy": {"lease_ms": 1.5}}, "`policy.lease_ms` must be a whole number"),
            ({"topic": "t", "policy": {"lease_ms": "1s"}}, "`policy.lease_ms` must be a whole number"),
        ]
        for body, detail in rows:
            self.refused(400, "BAD_FIELD", "POST", "/api/v1/topics", body, detail=detail)
        self.refused(400, "BAD_ARGUMENT", "POST", "/api/v1/topics", {"topic": "t", "policy": {"leese_ms": 1}}, detail="unknown setting leese_ms")
        self.assertEqual(self.api.get("/topics")["topics"], [], "a refused request created something")

    def test_what_is_not_one_json_object_is_refused(self):
        for raw in (b"", b"{", b"[]", b"7", b"null", b'{"topic":"t"} x', b'{"topic":"t"}{}', b'{"topic":"a","topic":"b"}', b'{"topic":"\xff"}',
                    b'{"topic":"a\\u0000b"}', b"{'topic':'t'}", b'{"topic":"t",}', b"[" * 10000, b'{"a":' * 10000,
                    b'{"topic": 99999999999999999999}', b'{"topic": NaN}'):
            status, answer, _ = self.api.ask("POST", "/api/v1/topics", raw=raw)
            self.assertEqual((status, answer["code"]), (400, "BAD_JSON" if raw else "BAD_FIELD"), raw[:40])
        self.assertEqual(self.api.get("/topics")["topics"], [])

    def test_a_typing_error_in_a_choice_of_dead_letters_is_no_choice_of_all(self):
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})
        dlq = "/api/v1/topics/t/groups/default/dlq"
        for which in ({"all": "yes"}, {"al": True}, {"ids": [1]}, {"count": -1}, {"count": 1.0}, {"all": True, "couse": "x"}, [], "all"):
            self.refused(400, "BAD_FIELD", "POST", dlq + "/purge", {"which": which}, detail="which")
        for which in ({}, {"all": False}, {"ids": []}, {"all": True, "count": 1}):
            self.refused(400, "BAD_ARGUMENT", "POST", dlq + "/purge", {"which": which})
        for query, detail in (("typ=x", "unknown parameter `typ`"), ("type=a&type=b", "`type` is given twice"), ("limit=1.5", "`limit` in the query"),
                              ("limit=-1", "whole number"), ("since=99999999999999999999", "`since`"), ("header=x", "NAME=VALUE"), ("key_base64=%21", "`filter.key_base64`")):
            self.refused(400, "BAD_FIELD", "GET", dlq + "/letters?" + query, detail=detail)

    def test_a_path_or_query_that_is_not_valid_is_refused(self):
        for path in ("/topics/", "/topics//x", "/topics/%", "/topics/%zz", "/topics/%00", "/topics/%ff", "/topics?limit", "/topics?=1", "/topics?&", "/x" * 17,
                     "/topics?" + "&".join(f"a{i}=1" for i in range(33))):
            self.refused(400, "BAD_TARGET", "GET", "/api/v1" + path)
        for path in ("/api/v2/topics", "/api", "/api/v1/topic", "/api/v1/topics/a/b", "/api/v1/../v1/topics", "/api/v1/Topics", "/api/v1/topics%2Fa%2Fgroups"):
            self.refused(404, "NO_CALL", "GET", path)

    def test_fields_are_given_once_and_in_their_place(self):
        self.refused(400, "BAD_FIELD", "POST", "/api/v1/topics?topic=t", {"topic": "t"}, detail="no query")
        for wrong in ("", "0", "1s", "-1", "1.5", "86400001", "9" * 30):
            self.refused(400, "BAD_FIELD", "GET", "/api/v1/topics", headers={"X-Shunt-Timeout-Ms": wrong}, detail="from 1 to 86400000")
        for right in ("60000", "86400000"):
            self.assertEqual(self.api.ask("GET", "/api/v1/topics", headers={"X-Shunt-Timeout-Ms": right})[0], 200)
        for path in ("/api/v1/topics/t/groups/default/lease", "/api/v1/topics/t/groups/default/ack"):
            self.refused(400, "BAD_FIELD", "POST", path, {}, headers={"X-Shunt-Timeout-Ms": "1000"}, detail="no time-out")
        self.refused(400, "BAD_FIELD", "GET", "/api/v1/events", headers={"X-Shunt-Timeout-Ms": "1000"}, detail="no time-out")
        self.refused(400, "BAD_FIELD", "DELETE", "/api/v1/topics/t", {}, detail="no body")
        self.refused(400, "BAD_FIELD", "PATCH", "/api/v1/topics/t", {"topic": "u"}, detail="given twice")
        self.refused(400, "BAD_FIELD", "GET", "/api/v1/jobs/x", detail="`job` in the path must be a whole number")

    def test_a_body_beyond_the_limit_is_refused_and_one_at_it_is_read(self):
        most = 1024 * 1024
        at = b'{"topic":"big"' + b" " * (most - 15) + b"}"
        self.assertEqual(len(at), most)
        self.assertEqual(self.api.ask("POST", "/api/v1/topics", raw=at)[0], 201)
        self.refused(413, "BODY_TOO_LARGE", "POST", "/api/v1/topics", raw=at + b" ")
        self.refused(413, "BODY_TOO_LARGE", "POST", "/api/v1/topics", raw=iter([at, b" " * 65536]))  # chunked: its size comes too late
        self.refused(413, "BODY_TOO_LARGE", "POST", "/api/v1/topics", headers={"Content-Length": str(10 ** 12)})  # which is not waited for

    def test_methods_that_a_path_has_are_told(self):
        _, headers = self.refused(405, "BAD_METHOD", "PUT", "/api/v1/topics/t", {})
        self.assertEqual(headers["Allow"], "GET, HEAD, PATCH, DELETE, OPTIONS")
        status, answer, headers = self.api.ask("OPTIONS", "/api/v1/topics")
        self.assertEqual((status, answer, headers["Allow"]), (204, None, "GET, HEAD, POST, OPTIONS"))
        self.assertEqual([name for name in headers if name.lower().startswith("access-control")], [])
        status, answer, headers = self.api.ask("HEAD", "/api/v1/stats")
        self.assertEqual((status, answer, headers["Content-Type"]), (200, None, "application/json"))

    def test_errors_of_the_engine_have_their_status_and_its_text(self):
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})
        self.refused(409, "TOPIC_EXISTS", "POST", "/api/v1/topics", {"topic": "t"})
        self.refused(400, "BAD_NAME", "POST", "/api/v1/topics", {"topic": ".t"})
        self.refused(400, "RESERVED", "POST", "/api/v1/topics", {"topic": "dlq:t:default"})
        self.refused(404, "UNKNOWN_GROUP", "GET", "/api/v1/topics/t/groups/none", detail="none")
        self.refused(409, "LAST_GROUP", "DELETE", "/api/v1/topics/t/groups/default")
        self.refused(404, "NOT_FOUND", "GET", "/api/v1/jobs/77")
        self.refused(404, "NOT_FOUND", "GET", "/api/v1/topics/t/groups/default/dlq/letters/t%2F1")


class OtherSites(Calls):
    OPTIONS = ("--config", "CONFIG")

    def setUp(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="e2e-api-"))
        config = os.path.join(directory, "shuntd.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write("http-host: queues.example, 10.1.2.3\n")
        self.OPTIONS = ("--config", config)
        super().setUp()
        self.port = self.server.http.rpartition(":")[2]

    def test_a_host_that_is_not_ours_is_refused(self):
        """DNS rebinding: the page's name leads here, and stands in Host."""
        for host in ("evil.example", f"evil.example:{self.port}", "127.0.0.1.evil.example", "localhost.evil.example", "128.0.0.1", "10.1.2.4", "[::2]", "[::1",
                     "::1", "127.0.0.1:80:80", "localhost:x", "queues.example.evil.example", "xqueues.example", "queues.exampl", "", "127.1", "0"):
            for method, path in (("GET", "/api/v1/stats"), ("POST", "/api/v1/topics"), ("GET", "/api/v1"), ("OPTIONS", "/api/v1/topics")):
                status, answer, _ = self.api.ask(method, path, headers={"Host": host})
                self.assertEqual((status, answer and answer["code"]), (421, "WRONG_HOST"), (host, method))
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "127.255.0.9:7481", "[::1]", "[::1]:7481", "queues.example", "Queues.Example:443", "10.1.2.3"):
            self.assertEqual(self.api.ask("GET", "/api/v1/stats", headers={"Host": host})[0], 200, host)

    def test_the_browsers_word_for_another_site_is_believed(self):
        own = self.server.http
        for origin in ("http://evil.example", "null", "", f"http://127.0.0.1:{int(self.port) ^ 1}", own.replace("127.0.0.1", "localhost"), own + ".evil.example", "file://", own.partition("://")[2]):
            for method, path in (("GET", "/api/v1/topics"), ("POST", "/api/v1/topics")):
                self.refused(403, "CROSS_SITE", method, path, {"topic": "t"} if method == "POST" else None, headers={"Origin": origin})
        for site in ("cross-site", "same-site", "x"):
            self.refused(403, "CROSS_SITE", "GET", "/api/v1/topics", headers={"Sec-Fetch-Site": site})
        self.assertEqual(self.api.get("/topics")["topics"], [], "a cross-site request created a topic")
        self.assertEqual(self.api.ask("POST", "/api/v1/topics", {"topic": "t"}, headers={"Origin": own, "Sec-Fetch-Site": "same-origin"})[0], 201)
        self.assertEqual(self.api.ask("GET", "/api/v1/topics/t", headers={"Host": "queues.example", "Origin": "https://queues.example"})[0], 200)

    def test_what_a_form_can_send_changes_nothing(self):
        for kind in (None, "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "text/plain; application/json", "application/jsonp", "text/json"):
            self.refused(415, "NOT_JSON", "POST", "/api/v1/topics", {"topic": "t"}, headers={"Content-Type": kind})
        self.refused(415, "NOT_JSON", "POST", "/api/v1/topics", {"topic": "t"}, headers={"Content-Encoding": "gzip"})
        self.assertEqual(self.api.get("/topics")["topics"], [])
        self.assertEqual(self.api.ask("POST", "/api/v1/topics", {"topic": "t"}, headers={"Content-Type": "Application/JSON; charset=utf-8"})[0], 201)

    def test_two_hosts_are_none(self):
        self.api.connection.putrequest("GET", "/api/v1/stats", skip_host=True)
        for host in ("localhost", "evil.example"):
            self.api.connection.putheader("Host", host)
        self.api.connection.endheaders()
        self.assertIn(self.api.connection.getresponse().status, (400, 421))


class Looking(Calls):
    def test_pages_hold_every_topic_once_however_many_come_and_go(self):
        names = sorted(f"t{i}" for i in range(25))
        for name in names:
            self.api.ask("POST", "/api/v1/topics", {"topic": name})
        seen, after, more = [], None, True
        while more:
            page = self.api.get("/topics?limit=4" + (f"&after={after}" if after else ""))
            seen += [topic["topic"] for topic in page["topics"]]
            more, after = page["more"], page["next"]
            self.api.ask("DELETE", f"/api/v1/topics/{seen[0]}")  # what was shown goes: an offset would skip others
        self.assertEqual(seen, names)

    def test_dead_letters_come_page_by_page_and_bytes_as_base64(self):
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})
        client = self.enterContext(wire.connect(self.server))
        client.publish("t", *[wire.Message(body=b"%d" % i) for i in range(10)], wire.Message(b"\xff\x00", {"plain": "x", "odd": b"\xfe"}, b"\xfd"))
        sub = client.subscribe("t")
        for delivery in sub.take(11):
            sub.reject(delivery, "Broken", "it \u201ebroke\u201c \x1b[0m", "at a\nat b")
        dlq = "/topics/t/groups/default/dlq/letters"
        seen, after, more = [], 0, True
        while more:
            page = self.api.get(f"{dlq}?limit=3&after={after}")
            seen += [letter["origin"] for letter in page["letters"]]
            more, after = page["more"], page["next"]
        self.assertEqual(seen, [f"t/{i}" for i in range(1, 12)])
        letter = self.api.get(dlq + "/t%2F11")
        self.assertEqual((letter["body_base64"], letter["key_base64"], letter["headers"]), ("/wA=", "/Q==", {"plain": "x", "odd": {"base64": "/g=="}}))
        self.assertNotIn("body", letter)
        self.assertEqual(letter["error_message"], "it \u201ebroke\u201c ?[0m")
        found = self.api.get(f"{dlq}?{urllib.parse.urlencode({'key_base64': '/Q==', 'header': 'plain=x', 'type': 'Broken'})}")["letters"]
        self.assertEqual([one["seq"] for one in found], [11])
        self.assertEqual(self.api.get(dlq + "?key=none")["letters"], [])

    def test_connections_and_holders_come_page_by_page_and_their_names_escaped(self):
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})
        hostile = "\x1b]0;owned\x07\r\n\u202e\"\\"
        clients = [self.enterContext(wire.connect(self.server, client=f"{hostile}{n}", host=hostile)) for n in range(5)]
        clients[0].publish("t", b"0", b"1", b"2", b"3", b"4")
        for client in clients:
            client.subscribe("t", messages=1).take(1)
        seen, after, more = [], 0, True
        while more:
            page = self.api.get(f"/clients?limit=2&after={after}")
            seen += page["clients"]
            more, after = page["more"], page["next"]
        own = [row for row in seen if row["client"] in [f"{hostile}{n}" for n in range(5)]]
        self.assertEqual([row["client"] for row in own], [f"{hostile}{n}" for n in range(5)])
        self.assertTrue(all(row["host"] == hostile and row["in_flight"] == 1 and row["oldest"] <= page["now"] for row in own), own)
        self.assertEqual(own[0]["subscriptions"][0]["topic"], "t")
        held, after, more = [], 0, True
        while more:
            page = self.api.get(f"/topics/t/groups/default/holders?limit=2&after={after}")
            held += page["holders"]
            more, after = page["more"], page["next"]
        self.assertEqual([(row["seq"], row["connection"]) for row in held], [(n + 1, row["connection"]) for n, row in enumerate(own)])
        self.assertTrue(all(row["until"] > page["now"] for row in held), held)
        self.refused(404, "UNKNOWN_GROUP", "GET", "/api/v1/topics/t/groups/none/holders", detail="none")
        self.refused(405, "BAD_METHOD", "DELETE", "/api/v1/clients")

    def test_keys_that_weigh_most_come_first_and_are_escaped(self):
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})
        client = self.enterContext(wire.connect(self.server))
        hostile = "\x1b]0;owned\x07\r\n\u202e\"\\"
        client.publish("t", *[wire.Message(b"x", key=key) for key in (b"once", hostile.encode(), hostile.encode(), b"\xff\x00", hostile.encode(), b"\xff\x00")])
        found = self.api.get("/topics/t/keys")
        self.assertEqual([row.get("key") for row in found["keys"]][::2], [hostile, "once"])
        self.assertEqual(found["keys"][1]["key_base64"], "/wA=")
        self.assertEqual(len(self.api.get("/topics/t/keys?by=rate&limit=1")["keys"]), 1)
        self.assertEqual(self.api.get("/topics/t/keys?by=blocked&group=default"), {"by": "blocked", "more": False, "keys": []})
        self.refused(400, "BAD_ARGUMENT", "GET", "/api/v1/topics/t/keys?by=colour", detail="rate, waiting")
        self.refused(404, "UNKNOWN_GROUP", "GET", "/api/v1/topics/t/keys?by=waiting&group=none", detail="none")

    def test_a_large_body_comes_whole(self):
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})
        client = self.enterContext(wire.connect(self.server))
        text, binary = ("\u00e4\"\\\n" * 150000).encode(), bytes(range(256)) * 3000
        client.publish("t", wire.Message(text), wire.Message(binary))
        page = self.api.get("/topics/t/groups/default/messages?bodies=true")["messages"]
        self.assertEqual(page[0]["message"]["body"].encode(), text)
        self.assertEqual(base64.b64decode(page[1]["message"]["body_base64"]), binary)

    def test_the_list_of_calls_is_the_page_of_documentation(self):
        calls = [f"{call['method']} {call['path']}" for call in self.api.ask("GET", "/api/v1")[1]["calls"]]
        self.assertEqual(len(calls), len(set(calls)))
        self.assertEqual(sorted(calls), sorted(re.findall(r"^### ((?:GET|POST|PATCH|PUT|DELETE) /\S+)$", PAGE.read_text(encoding="utf-8"), re.M)))


class Acts(Calls):
    def test_an_act_is_logged_with_the_address_and_name_of_the_http_client(self):
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"}, headers={"User-Agent": "te\u00e9st/1"})
        port = self.api.connection.sock.getsockname()[1]
        wire.until(lambda: "event=topic_created" in self.server.log_text())
        line = next(line for line in self.server.log if "event=topic_created" in line)
        self.assertIn(f"peer=127.0.0.1:{port}", line)
        self.assertIn('client="http te?st/1"', line)

    def test_redriving_gives_letters_back_and_shows_the_job(self):
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})
        client = self.enterContext(wire.connect(self.server))
        client.publish("t", *[wire.Message(body=b"%d" % i) for i in range(5)])
        sub = client.subscribe("t")
        for delivery in sub.take(5):
            sub.reject(delivery)
        sub.unsubscribe()
        dlq = "/api/v1/topics/t/groups/default/dlq"
        status, answer, _ = self.api.ask("POST", dlq + "/redrive", {"which": {"ids": ["t/2", "t/9", "4"]}})
        self.assertEqual((status, answer["count"]), (202, 2))
        wire.until(lambda: self.api.get(f"/jobs/{answer['job']}")["state"] == "done")
        self.assertEqual(wire.states(client, "t"), {"ready": 2, "dead": 3})
        status, answer, _ = self.api.ask("POST", dlq + "/purge", {"which": {"count": 2}})
        self.assertEqual((status, answer["count"]), (202, 2))
        wire.until(lambda: wire.states(client, "t").get("purged") == 2)
        self.assertEqual([letter["origin"] for letter in self.api.get("/topics/t/groups/default/dlq/letters")["letters"]], ["t/5"])


class Off(unittest.TestCase):
    def config(self, text):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="e2e-api-"))
        path = os.path.join(directory, "shuntd.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return ("--config", path)

    def test_switched_off_there_are_metrics_alone(self):
        with harness.Server(options=self.config("api: off\n")) as server:
            api = Api(server)
            status, answer, _ = api.ask("GET", "/api/v1/stats")
            self.assertEqual((status, answer["code"]), (404, "API_OFF"))
            api.close()

    def test_an_address_that_others_can_reach_has_no_api_unless_it_is_switched_on(self):
        for text, wanted in (("", 404), ("api: on\n", 200)):
            with harness.Server(options=(*self.config(text), "--http", "0.0.0.0:0", "--insecure")) as server:
                api = Api(server)
                api.connection.host = "127.0.0.1"
                self.assertEqual(api.ask("GET", "/api/v1/stats", headers={"Host": "127.0.0.1"})[0], wanted)
                api.close()


class Stream:
    """A client that follows the changes."""

    def __init__(self, server, last=None, after=None, read=True):
        self.socket = server.http_socket(receive_bytes=65536 if read else 4096)
        head = f"Last-Event-ID: {last}\r\n" if last else ""
        self.socket.sendall(f"GET /api/v1/events{'?after=' + after if after else ''} HTTP/1.0\r\nHost: localhost\r\n{server.http_login}{head}\r\n".encode())
        self.file = self.socket.makefile("rb")
        if read:
            self.status = int(self.file.readline().split()[1])
            self.headers = b"".join(iter(self.file.readline, b"\r\n")).decode()

    def event(self):
        """(id, name, data) of the next event; None: the stream has ended."""
        fields = {}
        for line in iter(self.file.readline, b""):
            name, colon, value = line.decode().rstrip("\n").partition(":")
            if colon and name:
                fields[name] = value.removeprefix(" ")
            elif fields:
                return fields["id"], fields["event"], json.loads(fields["data"])
        return None

    def comment(self):
        return self.file.readline() == b":\n"

    def events(self, count):
        return [self.event() for _ in range(count)]

    def close(self):
        self.file.close()
        self.socket.close()


class Events(Calls):
    def follow(self, *args, **more):
        stream = Stream(self.server, *args, **more)
        self.addCleanup(stream.close)
        return stream

    def test_what_changes_is_told_with_who_did_it(self):
        stream = self.follow()
        self.assertEqual(stream.status, 200)
        self.assertIn("Content-Type: text/event-stream", stream.headers)
        self.assertEqual(stream.event()[1:], ("begin", {}))
        self.api.ask("POST", "/api/v1/topics", {"topic": "t", "policy": {"max_attempts": 2}}, headers={"User-Agent": "me"})
        id_, name, data = stream.event()
        self.assertEqual((id_.partition("-")[2], name), ("1", "topic_created"))
        self.assertEqual((data["topic"], data["asked"], data["client"]), ("t", "max_attempts=2", "http me"))
        self.assertGreater(data["time"], 1.6e12)
        client = self.enterContext(wire.connect(self.server))
        client.publish("t", *[wire.Message(b"%d" % i) for i in range(5)])
        sub = client.subscribe("t")
        sub.resolve(*[(delivery.seq, delivery.token, wire.REJECT) for delivery in sub.take(5)])
        told = {name: data for _, name, data in stream.events(2)}
        data = told["dead_letters"]
        self.assertEqual((data["topic"], data["group"], data["count"], data["newest"], data["reason"]), ("t", "default", 5, "t/5", "rejected"))
        cause = self.api.get("/topics/t/groups/default/dlq/causes")["causes"][0]
        self.assertEqual((told["cause_new"]["cause"], told["cause_new"]["title"], told["cause_new"]["message"]), (cause["cause"], cause["title"], "t/1"))
        job = self.api.ask("POST", "/api/v1/topics/t/groups/default/dlq/purge", {"which": {"all": True}})[1]["job"]
        told = {name: data for _, name, data in stream.events(2)}
        self.assertEqual((told["dlq_purged"]["job"], told["dlq_purged"]["count"]), (job, 5))
        self.assertEqual((told["job_done"]["job"], told["job_done"]["kind"]), (job, "purge_dlq"))

    def test_a_flood_of_deaths_is_gathered_and_none_is_left_out(self):
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})
        stream = self.follow()
        stream.event()
        client = self.enterContext(wire.connect(self.server))
        client.publish("t", *[wire.Message(b"x")] * 200)
        sub = client.subscribe("t", messages=1)
        for _ in range(200):  # a turn of the engine for each
            sub.reject(*sub.take(1))
        count = told = 0
        while count < 200:
            _, name, data = stream.event()
            if name == "dead_letters":
                count += data["count"]
                told += 1
        self.assertEqual(count, 200)
        self.assertLess(told, 50)

    def test_a_client_that_comes_again_gets_what_it_missed_once(self):
        stream = self.follow()
        last = stream.event()[0]
        for i in range(3):
            self.api.ask("POST", "/api/v1/topics", {"topic": f"t{i}"})
        got = stream.events(2)
        self.assertEqual([data["topic"] for _, _, data in got], ["t0", "t1"])
        stream.close()
        for i in range(3, 6):
            self.api.ask("POST", "/api/v1/topics", {"topic": f"t{i}"})
        for again in (self.follow(last=got[-1][0]), self.follow(after=got[-1][0])):
            self.assertEqual([(name, data.get("topic")) for _, name, data in again.events(5)],
                             [("begin", None)] + [("topic_created", f"t{i}") for i in range(2, 6)])
        again = self.follow(last=last)
        self.assertEqual(again.events(7)[1:3], got)

    def test_what_is_no_longer_there_is_told_as_lost(self):
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})
        stream = self.follow()
        last = stream.event()[0]
        stream.close()
        client = self.enterContext(wire.connect(self.server))
        ids = [client.send(wire.GROUP_PAUSE if i % 2 else wire.GROUP_RESUME, "t", "default") for i in range(1500)]
        for id_ in ids:
            client.reply(id_)
        stream = self.follow(last=last)
        begin, lost, first = stream.events(3)
        self.assertEqual((begin[1], lost[1]), ("begin", "lost"))
        self.assertGreaterEqual(lost[2]["count"], 1500 - 1024)
        self.assertEqual(int(first[0].partition("-")[2]), int(last.partition("-")[2]) + lost[2]["count"] + 1)
        rest = stream.events(1500 - lost[2]["count"] - 1)
        self.assertEqual([int(id_.partition("-")[2]) for id_, _, _ in rest], list(range(int(first[0].partition("-")[2]) + 1, int(last.partition("-")[2]) + 1501)))

    def test_after_a_restart_an_old_id_is_no_new_one(self):
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})
        stream = self.follow()
        last = stream.event()[0]
        self.assertTrue(last.endswith("-1"))
        self.server.stop()
        self.assertIsNone(stream.event())  # it ends with the server
        self.server.start()
        self.api.close()
        self.api = Api(self.server)
        stream = self.follow(last=last)
        begin, lost = stream.events(2)
        self.assertNotEqual(begin[0].partition("-")[0], last.partition("-")[0])
        self.assertEqual((begin[0].partition("-")[2], lost[1], lost[2]), ("0", "lost", {"why": "the server was started anew", "count": None}))
        self.api.ask("POST", "/api/v1/topics", {"topic": "u"})
        self.assertEqual(stream.event()[2]["topic"], "u")

    def test_an_id_that_was_never_given_is_refused(self):
        epoch = self.follow().event()[0].partition("-")[0]
        for id_ in ("x", "1", epoch, epoch + "-", epoch + "-x", epoch + "-1", epoch + "-" + "9" * 30, epoch[1:] + "-0"):
            self.refused(400, "BAD_FIELD", "GET", "/api/v1/events", headers={"Last-Event-ID": id_})
        self.refused(400, "BAD_FIELD", "GET", "/api/v1/events?x=1")
        self.refused(405, "BAD_METHOD", "POST", "/api/v1/events")
        self.refused(421, "WRONG_HOST", "GET", "/api/v1/events", headers={"Host": "evil.example"})

    def test_streams_are_few_and_a_place_is_free_when_its_client_has_gone(self):
        streams = [self.follow() for _ in range(8)]
        self.assertEqual([stream.status for stream in streams], [200] * 8)
        self.refused(503, "TOO_MANY_STREAMS", "GET", "/api/v1/events")
        streams[3].close()

        def again():
            stream = self.follow()
            return stream.status == 200

        wire.until(again, seconds=8, why="the place of a client that has gone was not free before the next comment")
        # Others are served all the same, however many want the rest of the places.
        for _ in range(40):
            self.assertEqual(Api(self.server).ask("GET", "/api/v1/stats")[0], 200)
        self.assertIsNotNone(streams[0].event())


class Stress(Calls):
    def test_a_follower_that_reads_nothing_is_closed_and_one_that_hears_nothing_gets_comments(self):
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})
        quiet, deaf = Stream(self.server), Stream(self.server, read=False)
        for stream in (quiet, deaf):
            self.addCleanup(stream.close)
        client = self.enterContext(wire.connect(self.server))
        for _ in range(4):
            ids = [client.send(wire.GROUP_PAUSE, "t", "default") for _ in range(1000)]
            for id_ in ids:
                client.reply(id_)
        while not quiet.event()[0].endswith("-4001"):
            pass
        others = [Stream(self.server) for _ in range(6)]
        self.assertEqual([stream.status for stream in others], [200] * 6)

        def let_in():
            stream = Stream(self.server)
            others.append(stream)
            return stream.status == 200

        wire.until(let_in, seconds=40, why="the follower that reads nothing kept its place")
        wire.until(lambda: quiet.comment(), why="no comment came")
        for stream in others:
            stream.close()

    def test_clients_that_read_nothing_keep_nobody_out_for_long(self):
        """Each keeps a place among the calls until it is told to leave. Such a byte is six in JSON: more than sockets hold."""
        self.api.ask("POST", "/api/v1/topics", {"topic": "t"})
        client = self.enterContext(wire.connect(self.server))
        client.publish("t", *[wire.Message(b"\x01" * 900000) for _ in range(4)])
        def come():
            connection = self.server.http_socket()
            self.addCleanup(connection.close)
            connection.sendall(f"GET /api/v1/topics/t/groups/default/messages?bodies=true HTTP/1.1\r\nHost: localhost\r\n{self.server.http_login}\r\n".encode())

        def refused():
            status, answer, _ = self.api.ask("GET", "/api/v1/stats")
            if status == 503:
                self.assertEqual((answer["code"], answer["retry"]), ("TOO_MANY_CALLS", True))
            return status == 503

        for _ in range(15):
            come()
        wire.until(lambda: refused() or come(), why="answers that are not read left room for more")
        # All is with HTTP by now: what a client does not read keeps no connection of the engine, and no stop waiting.
        wire.until(lambda: client.stats()["connections"] == 1, seconds=5, why="a call that is answered has a connection still")
        wire.until(lambda: not refused(), why="nobody was told to leave")

    def test_calls_side_by_side_are_answered_each_with_its_own(self):
        for i in range(8):
            self.api.ask("POST", "/api/v1/topics", {"topic": f"t{i}"})
        wrong = []

        def ask_often(i):
            api = Api(self.server)
            for _ in range(40):
                if api.get(f"/topics/t{i}")["topic"] != f"t{i}":
                    wrong.append(i)
            api.close()

        threads = [threading.Thread(target=ask_often, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    harness.main()
