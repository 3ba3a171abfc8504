#!/usr/bin/env python3
"""Rights, the whole way: users of a server that asks who one is, what the tool, Python and HTTP say of what they may not do, and that a change is heeded at once."""
import json
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

import harness
from secure import plain_only

DENIED = 77


@plain_only("it has certificates, users or servers of its own")
class Rights(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rights-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.server = harness.Server(settings="auth: on\n")
        self.addCleanup(self.server.remove)
        made = subprocess.run([harness.SHUNTD, "--data", self.server.data, "--init-admin", "root"], capture_output=True, text=True, check=True)
        self.tokens = {"root": self.secret("root", made.stdout.strip())}
        self.server.start()
        self.addCleanup(self.server.stop)
        self.admin("topic", "create", "orders")
        self.admin("topic", "create", "invoices")

    def secret(self, name, text):
        path = self.directory / name
        path.write_text(text + "\n", encoding="utf-8")
        path.chmod(0o600)
        return path

    def environment(self, user):
        return self.server.environment() | {"SHUNT_TOKEN_FILE": str(self.tokens[user])}

    def run_as(self, user, *args, **more):
        return subprocess.run([harness.SHUNT, *args], env=self.environment(user), capture_output=True, text=True, check=False, timeout=60, **more)

    def admin(self, *args):
        done = self.run_as("root", *args)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stdout}{done.stderr}")
        return done.stdout

    def user(self, name, *grants):
        self.admin("user", "add", name, *(word for grant in grants for word in ("--grant", grant)))
        self.tokens[name] = self.secret(name, self.admin("token", "create", name).strip().splitlines()[-1])

    def test_dead_letters_go_by_the_right_to_that_alone(self):
        """Neither to purge nor to redrive needs the right to look; how the job goes on does not show without it."""
        self.user("purger", "orders:dlq-purge")
        self.user("mover", "orders:dlq-redrive")
        self.admin("topic", "update", "orders", "--max-attempts", "1", "--breaker", "off")
        for verb, user, word in (("redrive", "mover", "redriven"), ("purge", "purger", "purged")):
            self.admin("publish", "orders", "a body")
            self.admin("work", "orders", "--drain", "--", "false")
            done = self.run_as(user, "dlq", verb, "orders", "--all", *["-y"][verb == "redrive":])
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stderr, rf"(?s)shows only with the right to look.*{word} [12] dead letter")
            if verb == "redrive":
                self.admin("topic", "purge", "orders", "-y")
        self.admin("publish", "orders", "a body")
        self.admin("work", "orders", "--drain", "--", "false")
        self.user("other", "orders:look")
        self.refused(self.run_as("other", "dlq", "purge", "orders", "--all", "-y"), "dlq-purge", "orders")

    def refused(self, done, right, topic):
        self.assertEqual(done.returncode, DENIED, done.stdout + done.stderr)
        self.assertIn(f"has no right `{right}` on topic `{topic}`", done.stderr)

    def http(self, user, path, body=None, method=None, headers=None):
        token = self.tokens[user].read_text(encoding="utf-8").strip()
        request = urllib.request.Request(self.server.http + path, data=body, method=method, headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def test_the_tool_ends_with_77_and_names_the_right(self):
        self.user("anna", "orders:publish")
        self.assertEqual(self.run_as("anna", "publish", "orders", "x").returncode, 0)
        self.refused(self.run_as("anna", "publish", "invoices", "x"), "publish", "invoices")
        self.refused(self.run_as("anna", "publish", "not.there", "x"), "publish", "not.there")
        self.refused(self.run_as("anna", "consume", "orders"), "consume", "orders")
        self.refused(self.run_as("anna", "topic", "delete", "orders", "--yes"), "look", "orders")
        self.refused(self.run_as("anna", "dlq", "list", "orders"), "dlq-look", "orders")
        self.refused(self.run_as("anna", "dlq", "purge", "orders", "--all", "--yes"), "dlq-purge", "orders")
        self.assertEqual(self.run_as("anna", "user", "list").returncode, DENIED)

    def test_http_answers_403(self):
        self.user("anna", "orders:look")
        self.assertEqual(self.http("anna", "/api/v1/topics/orders")[0], 200)
        for topic in ("invoices", "not.there"):
            status, problem = self.http("anna", f"/api/v1/topics/{topic}")
            self.assertEqual((status, problem["code"]), (403, "FORBIDDEN"), problem)
            self.assertIn(f"user `anna` has no right `look` on topic `{topic}`", problem["detail"])
        status, problem = self.http("anna", "/api/v1/topics/orders", method="DELETE")
        self.assertEqual((status, problem["code"]), (403, "FORBIDDEN"), problem)
        status, listed = self.http("anna", "/api/v1/topics")
        self.assertEqual([row["topic"] for row in listed["topics"]], ["orders"])

    def test_what_is_refused_counts_as_a_request(self):
        """Good or not, and allowed or not: it was looked at."""
        self.user("low", "orders:publish")
        text = (self.server.directory / "settings.yaml").read_text(encoding="utf-8")
        (self.server.directory / "settings.yaml").write_text(text + "user-request-rate: 1\n", encoding="utf-8")
        self.server.process.send_signal(signal.SIGHUP)
        while not any("event=reloaded" in line for line in self.server.log):
            self.server.process.send_signal(0)
        for path, status in (("/api/v1/topics/invoices", 403), ("/api/v1/topics/a%20b", 400)):
            seen = [self.http("low", path)[0] for _ in range(100)]
            self.assertLessEqual(set(seen), {status, 429}, path)
            self.assertIn(429, seen, path)
        self.assertIn(429, [self.http("root", "/api/v1/whoami")[0] for _ in range(100)])
        login = {"Authorization": f"Bearer {self.tokens['root'].read_text(encoding='utf-8').strip()}"}
        with urllib.request.urlopen(urllib.request.Request(self.server.http + "/metrics", headers=login), timeout=20) as page:
            self.assertIn(b"shunt_up 1", page.read(), "a page of metrics is not refused by a rate")

    def test_producers_of_two_users_are_two_though_they_are_called_the_same(self):
        self.user("anna", "orders:publish")
        self.user("kim", "orders:publish")
        for user in ("anna", "kim", "anna", "kim"):
            status, said = self.http(user, "/api/v1/topics/orders/messages", json.dumps({"body": user}).encode(), headers={"Idempotency-Key": "17"})
            self.assertEqual((status, said["accepted"]), (201, 1), said)
            done = self.run_as(user, "publish", "orders", "--lines", "-", "--producer", "import", input=f"{user} 1\n{user} 2\n")
            self.assertEqual(done.returncode, 0, done.stderr)
        listed = self.http("root", "/api/v1/topics/orders/groups/default/messages?bodies=true")[1]["messages"]
        self.assertEqual(sorted(row["message"]["body"] for row in listed), ["anna", "anna 1", "anna 2", "kim", "kim 1", "kim 2"])

    def test_a_consumer_ends_with_77_when_its_right_is_taken_away(self):
        self.user("kim", "orders:consume")
        consumer = subprocess.Popen([harness.SHUNT, "consume", "orders", "-n", "2", "--wait", "10m"], env=self.environment("kim"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(consumer.kill)
        self.admin("publish", "orders", "first")
        self.assertEqual(consumer.stdout.readline(), "first\n")  # it has a subscription
        self.admin("user", "set", "kim", "--grant", "orders:publish")
        rest, said = consumer.communicate(timeout=60)
        self.assertEqual((consumer.returncode, rest), (DENIED, ""), said)
        self.assertIn("has no right `consume` on topic `orders`", said)

    def test_what_was_refused_is_in_the_audit_log_the_log_and_the_metrics(self):
        self.user("anna", "orders:look")
        for _ in range(3):
            self.refused(self.run_as("anna", "group", "pause", "orders", "default"), "admin", "orders")
        rows = [json.loads(line) for line in self.admin("-o", "jsonl", "audit", "--act", "request_refused").splitlines()]
        self.assertTrue(rows)
        self.assertEqual({(row["user"], row["topic"], row["asked"].split(":")[0]) for row in rows}, {("anna", "orders", "GROUP_PAUSE needs admin")})
        self.assertIn('event=request_refused user=anna asked="GROUP_PAUSE needs admin" topic=orders', self.server.log_text())
        made = [json.loads(line) for line in self.admin("-o", "jsonl", "audit", "--act", "topic_created").splitlines()]
        self.assertEqual({row["user"] for row in made}, {"root"})


if __name__ == "__main__":
    harness.main()
