#!/usr/bin/env python3
"""Logging in, the whole way: a server that asks who one is, and the tool, Python and HTTP that say it; when it does not start; and who is made to wait."""
import base64
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import harness
from certificates import Authority
from secure import plain_only

sys.path.insert(0, str(harness.SOURCE_ROOT / "python"))

import shunt  # noqa: E402

USAGE, UNREACHABLE, DENIED, CONFIG_ERROR = 64, 69, 77, 78
PASSWORD = "correct horse battery"


@plain_only("it has certificates, users or servers of its own")
class Case(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="login-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.server = None

    def secret(self, name, text, mode=0o600):
        path = self.directory / name
        path.write_text(text + "\n", encoding="utf-8")
        path.chmod(mode)
        return path

    def init(self, data, name, *args, **more):
        return subprocess.run([harness.SHUNTD, "--data", data, "--init-admin", name, *map(str, args)], capture_output=True, text=True, check=False, **more)

    def prepare(self, settings="auth: on\n", options=()):
        """A server that is not started, with an administrator by password (ann) and one by token (tom)."""
        self.server = harness.Server(settings=settings, options=options)
        self.addCleanup(self.server.remove)
        made = self.init(self.server.data, "ann", "--password-file", "-", input=PASSWORD + "\n")
        self.assertEqual((made.returncode, made.stdout), (0, ""), made.stderr)
        made = self.init(self.server.data, "tom")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.token = made.stdout.strip()
        self.assertRegex(self.token, r"\Ashunt_[A-Za-z0-9_-]{56}\Z")
        self.password_file, self.token_file = self.secret("password", PASSWORD), self.secret("token", self.token)
        return self.server

    def start(self, settings="auth: on\n", options=(), wrapper=()):
        self.prepare(settings, options).wrapper = list(wrapper)
        self.server.start()
        self.addCleanup(self.server.stop)
        return self.server

    def show_certificates(self, wrapper=()):
        """Of a user, of nobody, of two users."""
        authority = Authority(self.directory / "authority")
        cert, key = authority.issue("server")
        own, own_key = authority.issue("worker", names="DNS:worker.example")
        self.start(f"auth: on\ntls-cert: {cert}\ntls-key: {key}\ntls-client-ca: {authority.cert}\ntls-client-auth: require\n", wrapper=wrapper)
        port = int(self.server.url.rsplit(":", 1)[1])
        url = f"shunts://localhost:{port}?ca={authority.cert}&cert={own}&key={own_key}"
        self.refused(self.server.shunt("--url", url, "ping", check=False), "no user has a name that the certificate carries")
        by_token = f"{url}&token-file={self.token_file}"
        self.server.shunt("--url", by_token, "ping")
        self.server.shunt("--url", by_token, "user", "set", "ann", "--certificate", "dns:worker.example")
        who = self.server.shunt("--url", url, "whoami", "-o", "jsonl").stdout
        self.assertIn('"ann"', who)
        self.assertIn('"certificate"', who)
        other, other_key = authority.issue("other", names="DNS:xworker.example,DNS:worker.example.evil")
        self.refused(self.server.shunt("--url", url.replace(str(own), str(other)).replace(str(own_key), str(other_key)), "ping", check=False), "no user has a name")
        with shunt.connect(url, timeout=120, connect_timeout=120) as broker:
            broker.ping()
            self.server.shunt("--url", by_token, "user", "set", "ann", "--no-certificates")
            with self.assertRaises(shunt.Unauthenticated, msg="the connection goes on as hers"):
                broker.ping()
        self.server.shunt("--url", by_token, "user", "set", "ann", "--certificate", "dns:worker.example")
        self.server.shunt("--url", by_token, "user", "set", "tom", "--certificate", "cn:worker")
        self.refused(self.server.shunt("--url", url, "ping", check=False), "names of two users")

    def refused(self, done, *words, code=DENIED):
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertNotIn(PASSWORD, done.stdout + done.stderr)

    def get(self, path, login=None, body=None):
        request = urllib.request.Request(self.server.http + path, data=body, headers={"Authorization": login} if login else {})
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, "" if path.endswith("/events") else answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers

    def with_query(self, query):
        return f"{self.server.url}?{query}"


class Login(Case):
    def test_the_tool_by_password_and_by_token(self):
        server = self.start()
        self.assertIn("auth=on", server.log_text())
        self.refused(server.shunt("ping", check=False), "log in")
        for query in (f"user=ann&password-file={self.password_file}", f"token-file={self.token_file}"):
            server.shunt("--url", self.with_query(query), "ping")
            server.shunt("--url", self.with_query(query), "stats")
        wrong = self.secret("wrong", "wrong")
        self.refused(server.shunt("--url", self.with_query(f"user=ann&password-file={wrong}"), "ping", check=False), "the name or the password is wrong")
        self.refused(server.shunt("--url", self.with_query(f"user=nobody&password-file={wrong}"), "ping", check=False), "the name or the password is wrong")
        self.refused(server.shunt("--url", self.with_query(f"token-file={wrong}"), "ping", check=False), "the token is wrong, revoked or expired")

    def test_the_tool_by_its_environment(self):
        server = self.start()
        for variables in ({"SHUNT_USER": "ann", "SHUNT_PASSWORD_FILE": self.password_file}, {"SHUNT_TOKEN_FILE": self.token_file}):
            environment = server.environment() | {key: str(value) for key, value in variables.items()}
            for command in (["ping"], ["topic", "create", "orders"], ["publish", "orders", "x"], ["work", "orders", "--drain", "--", "cat"], ["check"]):
                done = subprocess.run([harness.SHUNT, *command], env=environment, capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
            server.shunt("--url", self.with_query(f"token-file={self.token_file}"), "topic", "delete", "orders", "--yes")

    def test_python_by_password_and_by_token(self):
        server = self.start()
        with self.assertRaises(shunt.Unauthenticated):
            shunt.connect(server.url)
        for login in ({"user": "ann", "password": PASSWORD}, {"user": "ann", "password_file": self.password_file}, {"token": self.token}, {"token_file": str(self.token_file)}):
            with shunt.connect(server.url, **login) as broker:
                broker.ping()
        with shunt.connect(self.with_query(f"token-file={self.token_file}")) as broker:
            broker.ping()
        with self.assertRaises(shunt.Unauthenticated) as caught:
            shunt.connect(server.url, user="ann", password="wrong")
        self.assertNotIn("wrong horse", str(caught.exception))
        server.kill()
        server.options += ["--listen", re.sub("^shunt://", "", server.url)]
        server.start()
        with shunt.connect(server.url, user="ann", password=PASSWORD) as broker:
            server.kill()
            server.start()
            broker.ping()  # it logs in again by itself

    def test_http_by_password_and_by_token(self):
        server = self.start()
        basic = "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
        for path in ("/api/v1/topics", "/metrics", "/api/v1/events"):
            self.assertEqual(self.get(path)[0], 401, path)
            self.assertEqual(self.get(path, "Basic " + base64.b64encode(b"ann:wrong").decode())[0], 401, path)
            self.assertEqual(self.get(path, "Bearer shunt_x")[0], 401, path)
        for login in (basic, f"Bearer {self.token}"):
            status, text, _ = self.get("/api/v1/topics", login)
            self.assertEqual((status, text), (200, text))
            status, text, _ = self.get("/metrics", login)
            self.assertEqual(status, 200)
            self.assertIn("shunt_logins_total", text)
        status, text, headers = self.get("/api/v1/topics")
        self.assertEqual([value.split()[0] for value in headers.get_all("WWW-Authenticate")], ["Basic", "Bearer"])
        self.assertIn("UNAUTHENTICATED", text)
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.get(path)[0], 200, path)

    def test_a_lease_over_http_is_answered_by_who_has_it(self):
        server = self.start()
        bearer, basic = f"Bearer {self.token}", "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
        url = self.with_query(f"token-file={self.token_file}")
        server.shunt("--url", url, "topic", "create", "orders")
        server.shunt("--url", url, "publish", "orders", "x")
        status, text, _ = self.get("/api/v1/topics/orders/groups/default/lease", bearer, b'{"wait_ms": 5000}')
        self.assertEqual(status, 200, text)
        token = re.search(r'"token":\s*"([^"]+)"', text)[1]
        body = f'{{"token": "{token}"}}'.encode()
        for other, status in ((None, 401), (basic, 409)):
            self.assertEqual(self.get("/api/v1/topics/orders/groups/default/ack", other, body)[0], status)
        self.assertEqual(self.get("/api/v1/topics/orders/groups/default/ack", bearer, body)[0], 200)

    def test_certificates_belong_to_nobody_until_somebody_says_whose_they_are(self):
        self.show_certificates()

    def test_by_https_a_certificate_says_who_one_is_too(self):
        authority = Authority(self.directory / "authority")
        cert, key = authority.issue("server")
        known, stranger = authority.issue("worker", names="DNS:worker.example"), authority.issue("stranger", names="DNS:xworker.example")
        self.start(f"auth: on\nlisten-unix: {self.directory}/socket\ntls-cert: {cert}\ntls-key: {key}\ntls-client-ca: {authority.cert}\ntls-client-auth: request\n")
        local = f"shunt+unix://{self.directory}/socket"
        self.server.shunt("--url", local, "user", "set", "ann", "--certificate", "dns:worker.example")
        self.server.shunt("--url", local, "topic", "create", "orders")

        def ask(path, *headers, own=None, body=None):
            more = [part for header in headers for part in ("-H", header)] + (["--cert", str(own[0]), "--key", str(own[1])] if own else [])
            more += ["-H", "Content-Type: application/json", "-d", json.dumps(body)] if body else []
            done = subprocess.run(["curl", "-sS", "--max-time", "60", "--cacert", authority.cert, "-w", "\n%{http_code}", *more, f"{self.server.http}/api/v1/{path}"],
                                  capture_output=True, text=True, check=False, timeout=100)
            said, _, status = done.stdout.rpartition("\n")
            return int(status), json.loads(said) if said else done.stderr

        status, me = ask("whoami", own=known)
        self.assertEqual((status, me["user"], me["how"]), (200, "ann", "certificate"))
        status, me = ask("whoami", f"Authorization: Bearer {self.token}", own=known)
        self.assertEqual((status, me["user"], me["how"]), (200, "tom", "token"), "what is shown as well counts in its place")
        for headers, own in (((), None), ((), stranger), (("Authorization: Bearer shunt_wrong",), known), (("Authorization: Digest x",), known), (("Authorization: Basic %",), known)):
            self.assertEqual(ask("whoami", *headers, own=own)[0], 401, (headers, own))
        self.assertEqual(ask("topics/orders/messages", own=known, body={"body": "x"})[0], 201)
        status, leased = ask("topics/orders/groups/default/lease", own=known, body={"wait_ms": 30000})
        self.assertEqual(status, 200)
        answer = {"token": leased["messages"][0]["token"]}
        self.assertEqual(ask("topics/orders/groups/default/ack", f"Authorization: Bearer {self.token}", own=known, body=answer)[0], 409, "it is leased to somebody else")
        self.assertEqual(ask("topics/orders/groups/default/ack", own=known, body=answer)[0], 200)
        self.server.shunt("--url", local, "user", "set", "ann", "--no-certificates")
        self.assertEqual(ask("whoami", own=known)[0], 401)

    def test_who_one_is_is_told(self):
        server = self.start()
        for query, words in ((f"user=ann&password-file={self.password_file}", ('"ann"', '"password"')), (f"token-file={self.token_file}", ('"tom"', '"token"'))):
            who = server.shunt("--url", self.with_query(query), "whoami", "-o", "jsonl").stdout
            for word in words:
                self.assertIn(word, who)

    def test_what_one_sets_oneself_is_no_dearer_to_verify_than_what_the_tool_takes(self):
        server = self.start()
        with shunt.connect(server.url, token=self.token) as admin:
            admin.user_set("low", must_be="new")
            server.shunt("--url", self.with_query(f"token-file={self.token_file}"), "user", "passwd", "low", "--password-file", self.password_file)
            kept = "$" + "A" * 22 + "$" + "A" * 43
            with shunt.connect(server.url, user="low", password=PASSWORD) as low:
                for dear in ("m=65537,t=3,p=1", "m=19456,t=11,p=1", "m=262144,t=2,p=4"):
                    with self.assertRaises(shunt.BadArgument):
                        low.user_set("low", verifier=f"$argon2id$v=19${dear}{kept}")
                with self.assertRaisesRegex(shunt.BadArgument, "an administrator may set more"):
                    low.user_set("low", verifier=f"$argon2id$v=19$m=262144,t=10,p=1{kept}")
                for cheap in ("m=65536,t=3,p=1", "m=19456,t=10,p=4"):
                    low.user_set("low", verifier=f"$argon2id$v=19${cheap}{kept}")
            admin.user_set("low", verifier=f"$argon2id$v=19$m=262144,t=10,p=1{kept}")

    def test_a_password_that_was_changed_is_not_remembered(self):
        server = self.start()
        admin, old = self.with_query(f"token-file={self.token_file}"), self.with_query(f"user=ann&password-file={self.password_file}")
        server.shunt("--url", old, "ping")
        fresh = self.secret("fresh", "another one")
        server.shunt("--url", admin, "user", "passwd", "ann", "--password-file", fresh)
        self.refused(server.shunt("--url", old, "ping", check=False), "the name or the password is wrong")
        server.shunt("--url", self.with_query(f"user=ann&password-file={fresh}"), "ping")
        server.shunt("--url", admin, "user", "set", "ann", "--disable")
        self.refused(server.shunt("--url", self.with_query(f"user=ann&password-file={fresh}"), "ping", check=False), "the name or the password is wrong")

    def test_the_local_administrator_needs_nothing(self):
        path = self.directory / "socket"
        server = self.start(f"auth: on\nlisten-unix: {path}\n")
        server.shunt("--url", f"shunt+unix://{path}", "stats")
        self.refused(server.shunt("ping", check=False))

    def test_failures_are_logged_without_what_was_shown(self):
        server = self.start()
        secret = self.secret("wrong", "wrong-and-secret")
        server.shunt("--url", self.with_query(f"user=ann&password-file={secret}"), "ping", check=False)
        server.shunt("--url", self.with_query(f"user=typed-in-the-wrong-place&password-file={secret}"), "ping", check=False)
        server.stop()
        log = server.log_text()
        lines = [line for line in log.splitlines() if "event=login_failed" in line]
        self.assertEqual(len(lines), 2, log)
        self.assertIn("user=ann", lines[0])
        self.assertIn("how=password", lines[0])
        for word in ("wrong-and-secret", "typed-in-the-wrong-place", PASSWORD, self.token):
            self.assertNotIn(word, log)

    def test_an_address_that_fails_again_and_again_is_told_to_wait(self):
        server = self.start()
        errors = set()
        for _ in range(40):
            try:
                shunt.connect(server.url, user="ann", password="wrong").close()
            except (shunt.Unauthenticated, shunt.Unreachable) as error:
                errors.add(type(error))
                if "too many logins" in str(error):
                    break
        else:
            self.fail("it was never told to wait")
        with shunt.connect(server.url, token=self.token) as broker:
            broker.ping()  # nobody guesses a token


@unittest.skipIf(os.environ.get("SANITIZED") or not shutil.which("valgrind"), "valgrind is not installed, or this build has a sanitizer")
class Valgrind(Case):
    VALGRIND = ("valgrind", "--quiet", "--error-exitcode=99", "--track-fds=no")

    def test_every_way_to_log_in_and_to_fail_touches_no_memory_that_it_must_not(self):
        server = self.start(wrapper=self.VALGRIND)
        for login in ({"user": "ann", "password": PASSWORD}, {"user": "ann", "password": PASSWORD}, {"token": self.token}):
            with shunt.connect(server.url, timeout=120, connect_timeout=120, **login) as broker:
                broker.ping()
        for login in ({"user": "ann", "password": "wrong"}, {"user": "nobody", "password": "wrong"}, {"token": "shunt_x"}, {}):
            with self.assertRaises(shunt.Unauthenticated):
                shunt.connect(server.url, timeout=120, connect_timeout=120, **login)
        self.assertEqual(self.get("/metrics", f"Bearer {self.token}")[0], 200)
        self.assertEqual(self.get("/metrics")[0], 401)
        self.assertEqual(server.stop(), 0, server.log_text())

    def test_what_is_reported_is_the_exit_status(self):
        done = subprocess.run([*self.VALGRIND, pathlib.Path(harness.BUILD_DIR) / "tests/unit/login/secret-trace", "plant"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 99, done.stderr)

    def test_certificates_over_tls_do_not_either(self):
        self.show_certificates(self.VALGRIND)
        self.assertEqual(self.server.stop(), 0, self.server.log_text())


class Start(Case):
    def fails(self, server, *words):
        with self.assertRaises(AssertionError):
            server.start()
        self.assertEqual(server.process.wait(harness.STOP_SECONDS_MAX), CONFIG_ERROR, server.log_text())
        for word in words:
            self.assertIn(word, server.log_text())

    def test_beyond_loopback_it_asks_and_does_not_start_if_nobody_could_answer(self):
        for setting in ("--listen", "--http"):
            server = harness.Server(options=(setting, "0.0.0.0:0"))
            self.addCleanup(server.remove)
            self.fails(server, "nobody could log in", setting[2:], "--init-admin", "listen-unix", "--insecure")

    def test_with_an_administrator_it_starts(self):
        server = self.prepare("", ("--listen", "0.0.0.0:0"))
        with server:
            self.assertIn("auth=on", server.log_text())
            url = server.url.replace("0.0.0.0", "127.0.0.1")
            self.refused(server.shunt("--url", url, "ping", check=False))
            server.shunt("--url", f"{url}?token-file={self.token_file}", "ping")

    def test_with_a_unix_socket_it_starts_and_says_what_is_missing(self):
        path = self.directory / "socket"
        with harness.Server(settings=f"listen-unix: {path}\n", options=("--listen", "0.0.0.0:0")) as server:
            self.assertIn("event=no_administrator", server.log_text())
            server.shunt("--url", f"shunt+unix://{path}", "ping")
            self.assertEqual(server.shunt("--url", server.url.replace("0.0.0.0", "127.0.0.1"), "ping", check=False).returncode, DENIED)

    def test_off_beyond_loopback_needs_insecure_which_is_said(self):
        server = harness.Server(settings="auth: off\n", options=("--listen", "0.0.0.0:0"))
        self.addCleanup(server.remove)
        self.fails(server, "auth: off", "--insecure")
        for settings in ("", "auth: off\n"):
            with harness.Server(settings=settings, options=("--listen", "0.0.0.0:0", "--insecure")) as server:
                self.assertIn("event=insecure", server.log_text())
                self.assertIn("auth=off", server.log_text())
                server.shunt("--url", server.url.replace("0.0.0.0", "127.0.0.1"), "ping")

    def test_on_loopback_nobody_is_asked_unless_it_is_on(self):
        with harness.Server() as server:
            self.assertIn("auth=off", server.log_text())
            self.assertNotIn("event=insecure", server.log_text())
            server.shunt("ping")
        server = harness.Server(settings="auth: on\n")
        self.addCleanup(server.remove)
        self.fails(server, "nobody could log in: authentication is on, and there is no administrator")


class InitAdmin(Case):
    def test_what_it_refuses(self):
        data = self.directory / "data"
        self.assertEqual(self.init(data, "ann").returncode, 0)
        again = self.init(data, "ann")
        self.assertNotEqual(again.returncode, 0)
        self.assertEqual(again.stdout, "")
        for name in ("", "a b", "x" * 101):
            self.assertEqual(self.init(data, name).returncode, USAGE, name)
        self.assertEqual(self.init(data, "eve", "--password-file", "-", input="\n").returncode, USAGE)
        self.assertEqual(self.init(data, "eve", "--password-file", "-", input="x" * 1025).returncode, USAGE)
        self.assertEqual(self.init(data, "eve", "--password-file", "-", input="x" * 1024 + "\n").returncode, 0)
        self.assertEqual(self.init(data, "mel", "--password-file", self.directory / "none").returncode, USAGE)
        check = subprocess.run([harness.SHUNTD, "--check", data], capture_output=True, text=True, check=False)
        self.assertEqual(check.returncode, 0, check.stdout)

    def test_the_audit_log_has_what_it_made_and_nothing_of_what_it_refused(self):
        server = self.prepare()
        self.assertNotEqual(self.init(server.data, "tom").returncode, 0)
        server.start()
        self.addCleanup(server.stop)
        acts = json.loads(server.shunt("--url", self.with_query(f"token-file={self.token_file}"), "audit", "-o", "json").stdout)
        self.assertEqual([(act["act"], act["asked"], act["client"]) for act in acts],
                         [("user_set", "user=ann must_be=new password=set roles=administrator", "shuntd --init-admin"),
                          ("user_set", "user=tom must_be=new roles=administrator", "shuntd --init-admin"),
                          ("token_created", "user=tom", "shuntd --init-admin")])
        for act in acts:
            self.assertRegex(act["peer"], rf"^local:uid={os.getuid()},pid=\d+$")
            self.assertLess(abs(datetime.datetime.fromisoformat(act["time"]).timestamp() - time.time()), 3600)

    def test_a_server_that_runs_keeps_its_store(self):
        with harness.Server() as server:
            made = self.init(server.data, "ann")
            self.assertEqual(made.returncode, 75, made.stderr)


class Secrets(Case):
    def test_a_file_that_others_can_read_is_refused(self):
        server = self.start()
        self.token_file.chmod(0o644)
        self.refused(server.shunt("--url", self.with_query(f"token-file={self.token_file}"), "ping", check=False), "chmod 600", code=USAGE)
        with self.assertRaises(shunt.BadArgument):
            shunt.connect(server.url, token_file=self.token_file)

    def test_no_secret_leaves_the_machine_in_the_clear(self):
        self.start()
        for url in (f"shunt://broker.example?token-file={self.token_file}", f"shunt://127.0.0.1,10.0.0.1?user=ann&password-file={self.password_file}"):
            self.refused(self.server.shunt("--url", url, "ping", check=False), "without encryption", code=USAGE)
            with self.assertRaises(shunt.BadArgument):
                shunt.Client(url)
            shunt.Client(url + "&insecure=yes").close()

    def test_nothing_of_it_is_in_the_list_of_processes(self):
        server = self.start()
        with open(f"/proc/{server.process.pid}/cmdline", "rb") as file:
            self.assertNotIn(PASSWORD.encode(), file.read())
        self.assertNotIn(self.token, " ".join(os.environ.values()))


if __name__ == "__main__":
    harness.main()
