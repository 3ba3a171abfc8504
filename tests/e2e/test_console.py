#!/usr/bin/env python3
"""The console as a server serves it: its files, in which forms and with which headers, where it is on, and that a page can ask for a login of its own."""
import gzip
import hashlib
import json
import re
import subprocess
import unittest

import harness
import wire
from secure import plain_only

DIST = harness.SOURCE_ROOT / "console" / "dist"
TYPES = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
CONFIG_ERROR = 78


class Case(unittest.TestCase):
    def start(self, settings="log-level: info\n", **more):
        self.server = harness.Server(settings=settings, **more)
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)

    def ask(self, path, method="GET", body=None, **headers):
        """Status, headers and body, as they came."""
        connection = self.server.http_client()
        try:
            connection.request(method, path, body, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


class Files(Case):
    def setUp(self):
        self.start()

    def test_every_file_of_dist_is_served_as_it_lies_there(self):
        names = sorted(path.name for path in DIST.iterdir())
        self.assertIn("index.html", names)
        for name in names:
            with self.subTest(name):
                status, headers, body = self.ask("/console/" + name)
                self.assertEqual(status, 200)
                self.assertEqual(body, (DIST / name).read_bytes())
                self.assertEqual(headers["Content-Type"], TYPES[name.rpartition(".")[2]])
                self.assertIsNone(headers["Content-Encoding"])

    def test_who_takes_gzip_gets_the_same_bytes_compressed(self):
        for path in DIST.iterdir():
            with self.subTest(path.name):
                status, headers, body = self.ask("/console/" + path.name, Accept_Encoding="gzip, br")
                self.assertEqual((status, headers["Content-Encoding"], headers["Vary"]), (200, "gzip", "Accept-Encoding"))
                self.assertEqual(gzip.decompress(body), path.read_bytes())
                self.assertEqual(body[4:8], bytes(4), "it holds a time, so two builds would differ")
                refused = self.ask("/console/" + path.name, Accept_Encoding="gzip;q=0")
                self.assertEqual((refused[1]["Content-Encoding"], refused[2]), (None, path.read_bytes()))

    def test_what_a_browser_has_already_is_not_sent_again(self):
        for encoding in ("identity", "gzip"):
            status, headers, body = self.ask("/console/", Accept_Encoding=encoding)
            tag = headers["ETag"]
            self.assertIn(hashlib.sha256((DIST / "index.html").read_bytes()).hexdigest()[:32], tag)
            self.assertEqual(headers["Cache-Control"], "no-cache")
            for known in (tag, f'"other", W/{tag}', "*"):
                status, headers, body = self.ask("/console/", Accept_Encoding=encoding, If_None_Match=known)
                self.assertEqual((status, headers["ETag"], body), (304, tag, b""), known)
            for other in ('"other"', tag.strip('"'), tag[:-2] + '"'):
                self.assertEqual(self.ask("/console/", Accept_Encoding=encoding, If_None_Match=other)[0], 200, other)
        plain, packed = (self.ask("/console/", Accept_Encoding=encoding)[1]["ETag"] for encoding in ("identity", "gzip"))
        self.assertNotEqual(plain, packed, "one tag for two sequences of bytes")

    def test_head_is_like_get_without_the_body(self):
        for encoding in ("identity", "gzip"):
            got, head = (self.ask("/console/console.js", method, Accept_Encoding=encoding) for method in ("GET", "HEAD"))
            self.assertEqual((head[0], head[2]), (200, b""))
            self.assertEqual([pair for pair in head[1].items() if pair[0] != "Date"], [pair for pair in got[1].items() if pair[0] != "Date"])

    def test_a_page_may_load_from_here_alone_and_run_nothing_that_stands_in_it(self):
        for name in ("", "console.js", "icon.svg"):
            headers = self.ask("/console/" + name)[1]
            policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
            self.assertEqual(policy["default-src"], "'none'")
            self.assertEqual({policy[of] for of in ("script-src", "style-src", "img-src", "connect-src")}, {"'self'"})
            self.assertEqual({policy[of] for of in ("base-uri", "form-action", "frame-ancestors")}, {"'none'"})
            self.assertEqual(policy["require-trusted-types-for"], "'script'")
            self.assertNotIn("unsafe", headers["Content-Security-Policy"])
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
            self.assertEqual(headers["Cross-Origin-Opener-Policy"], "same-origin")
            self.assertEqual(headers["Cross-Origin-Resource-Policy"], "same-origin")
            self.assertIsNone(headers["Set-Cookie"])

    def test_the_root_leads_to_it(self):
        for path in ("/", "/console", "/?from=a-link"):
            status, headers, body = self.ask(path)
            self.assertEqual((status, headers["Location"], body), (302, "console/", b""), path)

    def test_a_link_of_another_site_opens_it(self):
        self.assertEqual(self.ask("/console/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0], 200)

    def test_other_paths_and_methods_are_refused(self):
        for path in ("/console/other.js", "/console/index.html/", "/console//index.html", "/console/../dist/index.html", "/console/%2e%2e/index.html", "/console/INDEX.HTML", "/consoles/"):
            self.assertIn(self.ask(path)[0], (400, 404), path)
        for method in ("POST", "PUT", "DELETE"):
            status, headers, _ = self.ask("/console/", method)
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))


@plain_only("it has certificates, users or servers of its own")
class Login(Case):
    def setUp(self):
        server = harness.Server(settings="auth: on\n")
        self.addCleanup(server.remove)
        made = subprocess.run([harness.SHUNTD, "--data", server.data, "--init-admin", "ann"], capture_output=True, text=True, check=True)
        self.token = made.stdout.strip()
        self.server = server
        server.start()
        self.addCleanup(server.stop)

    def test_the_files_are_for_everybody_and_the_data_is_not(self):
        self.assertEqual(self.ask("/console/")[0], 200)
        self.assertEqual(self.ask("/api/v1/whoami")[0], 401)
        self.assertEqual(self.ask("/api/v1/whoami", Authorization="Bearer " + self.token)[0], 200)

    def call(self, method, path, token, **body):
        status, _, text = self.ask("/api/v1" + path, method, json.dumps(body) if body else None, Authorization="Bearer " + token, Content_Type="application/json")
        self.assertIn(status, (200, 201), text)
        return json.loads(text)

    def test_a_user_is_told_by_which_grants_it_may_what(self):
        self.call("POST", "/roles", self.token, role="triage", settings={"grants": ["orders.*:look,dlq-look", "mails:dlq-redrive"]})
        self.call("POST", "/users", self.token, user="kim", settings={"roles": ["triage"], "grants": ["*:publish"]})
        token = self.call("POST", "/tokens", self.token, user="kim")["text"]
        who = self.call("GET", "/whoami", token)
        self.assertEqual((who["grants"], who["effective"]), (["*:publish"], ["*:publish", "orders.*:look,dlq-look", "mails:dlq-redrive"]))
        self.assertEqual(self.call("GET", "/whoami", self.token)["effective"], ["*:all"])
        self.call("POST", "/users", self.token, user="kim", settings={"roles": ["administrator"], "grants": []})
        self.assertEqual(self.call("GET", "/whoami", token)["effective"], ["*:all"])

    def test_what_shows_all_topics_is_for_those_who_may_see_all(self):
        self.call("POST", "/users", self.token, user="kim", settings={"grants": ["*:look", "orders:dlq-look"]})
        token = self.call("POST", "/tokens", self.token, user="kim")["text"]
        self.assertEqual(self.ask("/api/v1/unattended")[0], 401)
        self.assertEqual(self.ask("/api/v1/unattended", Authorization="Bearer " + token)[0], 403)
        self.assertEqual(self.ask("/api/v1/overview", Authorization="Bearer " + token)[0], 200)
        self.call("POST", "/users", self.token, user="kim", settings={"grants": ["*:look,dlq-look"]})
        self.assertEqual(self.call("GET", "/unattended", token)["groups"], [])

    def test_a_page_with_a_login_of_its_own_is_not_asked_for_another(self):
        """A browser shows a dialog for a challenge that it knows, which is Basic."""
        challenges = self.ask("/api/v1/whoami")[1].get_all("WWW-Authenticate")
        self.assertEqual([challenge.split()[0] for challenge in challenges], ["Basic", "Bearer"])
        for path in ("/api/v1/whoami", "/api/v1/events", "/metrics"):
            for more in ({}, {"Authorization": "Bearer wrong"}):
                status, headers, _ = self.ask(path, X_Requested_With="shunt-console", **more)
                challenges = headers.get_all("WWW-Authenticate")
                self.assertEqual((status, [challenge.split()[0] for challenge in challenges]), (401, ["Bearer"]), path)


class Data(Case):
    """What the page shows at first."""

    def get(self, path):
        status, _, body = self.ask("/api/v1" + path)
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def test_the_hour_begins_with_the_letters_that_lie_there_when_the_server_starts(self):
        self.start()
        self.server.shunt("topic", "create", "mails", "--max-attempts", "1")
        self.server.shunt("publish", "mails", "a letter")
        self.server.shunt("work", "mails", "--drain", "--", "false")
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        hour = wire.until(lambda: (hour := self.get("/unattended"))["points"] and hour)
        [group] = hour["groups"]
        self.assertEqual((group["topic"], group["group"], len(group["age_ms"]), hour["every_ms"]), ("mails", "default", 1, 60000))
        [row] = self.get("/overview")["groups"]
        self.assertLessEqual(abs(group["age_ms"][0] - (hour["until"] - row["oldest_unattended"])), 1000)

    def test_each_setting_of_a_policy_is_explained(self):
        self.start()
        self.server.shunt("topic", "create", "t")
        explained = {row["setting"]: row for row in self.get("/settings")["settings"]}
        policy = self.get("/topics/t")["policy"]
        self.assertEqual(set(explained), set(policy))
        for name, row in explained.items():
            self.assertEqual(policy[name], row["default"], name)
            self.assertTrue(row["min"] <= row["default"] <= row["max"] and row["text"], name)
            self.assertEqual("choices" in row, row["unit"] == "choice", name)
        self.assertEqual(explained["on_dead"]["choices"], ["continue", "block", "follow"])
        self.assertEqual([explained[name]["scope"] for name in ("ttl_ms", "lease_ms")], ["topic", "group"])

    def test_a_thousand_topics_are_one_answer_of_less_than_200_kb(self):
        self.start()
        topics = 1000
        connection = self.server.http_client()
        for i in range(topics):
            connection.request("POST", "/api/v1/topics", json.dumps({"topic": f"service-{i:04}.events"}), {"Content-Type": "application/json"})
            self.assertEqual(connection.getresponse().read(), b"{}\n")
        connection.close()
        for i in range(0, topics, 10):
            self.server.shunt("publish", f"service-{i:04}.events", "x")
        status, _, body = self.ask("/api/v1/overview?limit=1000")
        answer = json.loads(body)
        self.assertEqual((status, len(answer["groups"]), answer["more"]), (200, topics, False))
        self.assertLess(len(body), 200_000 - sum(path.stat().st_size for path in DIST.iterdir() if path.suffix == ".html"))


class Where(Case):
    def test_where_the_api_is_not_served_there_is_none(self):
        self.start("api: off\n")
        status, _, body = self.ask("/console/")
        self.assertEqual(status, 404)
        self.assertNotIn(b"console", body)
        self.assertEqual(self.ask("/")[0], 404)

    def test_it_can_be_turned_off_by_itself(self):
        self.start("console: off\n")
        self.assertEqual(self.ask("/console/")[0], 404)
        self.assertEqual(self.ask("/api/v1/whoami")[0], 200)

    def test_on_does_not_start_without_the_api(self):
        for settings, words in (("api: off\n", "api: off does not"), ("http: 0.0.0.0:0\nauth: on\n", "api: auto does not"), ("http: off\n", "http is off")):
            with self.subTest(settings):
                server = harness.Server(settings=settings + "console: on\n")
                self.addCleanup(server.remove)
                listen = [] if "http:" in settings else ["--http", "127.0.0.1:0"]
                done = subprocess.run([harness.SHUNTD, "--data", server.data, "--listen", "127.0.0.1:0", *listen, *server.options], capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, CONFIG_ERROR, done.stderr)
                self.assertRegex(done.stderr, r"console: on needs .*" + re.escape(words))


if __name__ == "__main__":
    harness.main()
