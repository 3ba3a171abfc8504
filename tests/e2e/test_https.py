#!/usr/bin/env python3
"""HTTPS: that HTTP speaks it where there is a certificate, who is let in, what TLS it is, and that nobody is dropped by a reload or kept out by a crowd.
The suites api, http_leases and http_messages run by HTTPS, too; so here is what is of HTTPS alone."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import unittest
import urllib.request

import harness
import monitoring
import wire
from certificates import Authority
from secure import plain_only
from tls_checks import HALF, TlsChecks

CONFIG_ERROR = 78
SAMPLE = harness.SOURCE_ROOT / "deploy" / "prometheus" / "prometheus.yml"


@plain_only("it has certificates, users or servers of its own")
class Https(TlsChecks, unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="https-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.authority = Authority(self.directory)
        self.cert, self.key = self.authority.issue("server")
        self.server = None

    def start(self, settings="", own=None, **more):
        self.server = harness.Server(settings=f"tls-cert: {self.cert}\ntls-key: {self.key}\n{settings}", **more)
        self.server.trust(self.authority.cert, own)
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.port = int(self.server.http.rpartition(":")[2])
        return self.server

    def settings(self, text):
        (self.server.directory / "settings.yaml").write_text(f"tls-cert: {self.cert}\ntls-key: {self.key}\n{text}", encoding="utf-8")

    def logged(self, event, count=1, has=""):
        """Read the log until the event is there so often; the last of its lines."""
        while len(found := [line for line in self.server.log if re.search(rf"\bevent={event}\b.*{has}", line)]) < count:
            self.assertIsNone(self.server.process.poll(), self.server.log_text())
            self.server.process.send_signal(0)
        return found[-1]

    def reload(self, event="reloaded", count=1):
        self.server.process.send_signal(signal.SIGHUP)
        return self.logged(event, count)

    def curl(self, *args, url=None):
        done = subprocess.run(["curl", "-sS", "--max-time", "60", *map(str, args), url or self.server.http + "/readyz"], env=self.server.environment(), capture_output=True, text=True,
                              timeout=100, check=False)
        return done.returncode, done.stdout, done.stderr

    def client(self, own=None):
        """A connection that stays; it has been answered once."""
        context = ssl.create_default_context(cafile=self.authority.cert)
        if own:
            context.load_cert_chain(*own)
        client = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        self.addCleanup(client.close)
        self.ready(client)
        return client

    def ready(self, client):
        client.request("GET", "/readyz")
        with client.getresponse() as answer:
            self.assertEqual((answer.status, answer.read()), (200, b"ok\n"))

    # ---- which it speaks ----

    def test_where_there_is_a_certificate_http_is_https(self):
        self.start()
        self.assertIn("http_tls=on", self.logged("listening"))
        self.assertEqual(self.curl(), (0, "ok\n", ""))
        with urllib.request.urlopen(self.server.http + "/metrics", timeout=60, context=self.server.tls) as answer:
            page = answer.read().decode()
        self.assertIn("\nshunt_up 1\n", page)
        self.assertRegex(page, r"\nshunt_tls_certificate_expiry_timestamp_seconds [0-9]")
        self.assertEqual(json.loads(self.curl(url=self.server.http + "/api/v1/topics")[1])["topics"], [])
        self.assertEqual(self.curl("--cacert", Authority(self.directory / "other", "other").cert)[0], 60, "curl took a certificate of an authority that it was not given")
        self.assertIn("does not know the authority", self.logged("tls_failed"))

    def test_who_speaks_plainly_is_told_what_to_do(self):
        self.start()
        status, said, _ = self.curl("-i", url=self.server.http.replace("https", "http"))
        self.assertEqual(status, 0)
        self.assertRegex(said, r"^HTTP/1.1 400 ")
        self.assertIn("ask for https:// in the place of http://", said)
        self.assertRegex(self.logged("tls_failed"), r'peer=127\.0\.0\.1:\d+ why="HTTPS: .*https://')
        for parts in ((b"\0" * 5000,), (b"\x15\x03\x03\x00\x02\x01\x00",), (b"G",)):
            self.assertIn(b" 400 Bad Request\r\n", self.plain(*parts).recv(4096))
        done = self.server.shunt("--url", f"shunt://127.0.0.1:{self.port}", "ping", check=False)  # the wrong port, and the wrong way to speak
        self.assertEqual(done.returncode, 69, done.stderr)

    def test_http_tls_decides(self):
        self.start("http-tls: off\n")
        self.assertIn("http_tls=off", self.logged("listening"))
        self.assertTrue(self.server.http.startswith("http://"))
        self.assertEqual(self.curl()[:2], (0, "ok\n"))
        self.server.shunt("ping")  # the protocol goes on with TLS
        self.assertEqual(self.curl("-k", url=self.server.http.replace("http", "https"))[0], 35)
        self.server.stop()
        self.start("http-tls: on\n")
        self.assertEqual(self.curl()[:2], (0, "ok\n"))
        path = self.directory / "conf"
        for text, status, word in (("http-tls: on\n", CONFIG_ERROR, "http-tls: on needs tls-cert"), ("http-tls: on\nhttp: off\n", 0, ""), ("http-tls: off\n", 0, ""),
                                   ("http-tls: perhaps\n", CONFIG_ERROR, "must be auto, on or off")):
            path.write_text(text, encoding="utf-8")
            done = subprocess.run([harness.SHUNTD, "--check-config", path], capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(word, done.stderr)

    def test_a_plain_port_is_no_way_around_certificates_that_are_required(self):
        require = f"tls-client-auth: require\ntls-client-ca: {self.authority.cert}\nhttp-tls: off\n"
        for text, wanted in ((require, "404"), (require + "api: on\n", "200"), (require.replace("require", "request"), "200")):
            self.start(text)
            self.assertEqual(self.curl("-o", os.devnull, "-w", "%{http_code}", url=self.server.http + "/api/v1/topics")[1], wanted, text)
            self.assertEqual(self.curl()[1], "ok\n")
            self.server.stop()

    def test_addresses_that_others_can_reach_are_warned_about_if_nobody_has_to_log_in(self):
        require = f"tls-client-auth: require\ntls-client-ca: {self.authority.cert}\n"
        for text in ("", require, require + "http-tls: off\n"):
            self.start(text, options=["--http", "0.0.0.0:0", "--insecure"])
            self.logged("listening")
            self.assertIn("event=insecure http=", self.server.log_text(), text)
            self.server.stop()

    # ---- who is let in ----

    def test_clients_show_certificates_as_the_setting_says(self):
        own = self.authority.issue("client", names="DNS:client")
        stranger = Authority(self.directory / "other", "other").issue("stranger", names="DNS:stranger")
        for auth, nobody, known, unknown in (("off", True, True, True), ("request", True, True, False), ("require", False, True, False)):
            self.start(f"tls-client-auth: {auth}\n" + (f"tls-client-ca: {self.authority.cert}\n" if auth != "off" else ""))
            for who, let_in in ((None, nobody), (own, known), (stranger, unknown)):
                with self.subTest(auth=auth, who=who):
                    status, said, why = self.curl(*(("--cert", who[0], "--key", who[1]) if who else ()))
                    self.assertEqual((status == 0, said), (let_in, "ok\n" if let_in else ""), why)
            self.server.stop()

    def test_a_reload_asks_those_who_come_and_leaves_those_who_are_in(self):
        self.start()
        inside = self.client()
        self.settings(f"tls-client-auth: require\ntls-client-ca: {self.authority.cert}\n")
        self.reload()
        self.assertNotEqual(self.curl()[0], 0)
        self.ready(inside)
        self.ready(self.client(self.authority.issue("client", names="DNS:client")))

    def test_an_act_is_logged_with_the_address_of_its_client(self):
        self.start()
        client = self.client()
        client.request("POST", "/api/v1/topics", '{"topic": "t"}', {"Content-Type": "application/json"})
        self.assertEqual(client.getresponse().status, 201)
        self.assertIn("peer=127.0.0.1:%d\n" % client.sock.getsockname()[1], self.logged("topic_created"))

    # ---- what TLS it is ----

    def test_versions_ciphers_tickets_and_second_handshakes_are_those_of_the_protocol(self):
        self.check_protocol()
        self.assertEqual(self.curl("--http2", "-o", os.devnull, "-w", "%{http_version}")[1], "1.1", "who offers more gets what is spoken")

    def test_handshakes_that_are_wrong_hurt_nobody(self):
        self.start()
        inside = self.client()
        self.check_wrong_handshakes(lambda: self.ready(inside))
        raw = self.server.http_socket()
        descriptor = raw.fileno()
        os.write(descriptor, b"\x17\x03\x03\xff\xff" + bytes(100))  # past Python's TLS, into the connection
        with self.assertRaises(ssl.SSLError):
            raw.recv(1)
        raw.close()
        self.ready(inside)

    # ---- files that change ----

    def test_a_renewed_certificate_is_for_those_who_come_and_a_stream_goes_on(self):
        self.start()
        stream = self.server.http_socket()
        self.addCleanup(stream.close)
        stream.sendall(b"GET /api/v1/events HTTP/1.0\r\nHost: localhost\r\n\r\n")
        lines = self.enterContext(stream.makefile("rb"))
        while lines.readline() != b"event: begin\n":
            pass
        inside = self.client()
        cert, key = self.authority.issue("next")
        os.replace(cert, self.cert)
        os.replace(key, self.key)
        self.assertIn("CN = next", self.reload("certificate_loaded", 2))
        later = self.client()
        self.assertNotEqual(inside.sock.getpeercert(True), later.sock.getpeercert(True))
        self.ready(inside)
        later.request("POST", "/api/v1/topics", '{"topic": "t"}', {"Content-Type": "application/json"})
        self.assertEqual(later.getresponse().status, 201)
        while b"topic_created" not in lines.readline():
            pass
        self.key.write_bytes(b"garbage")
        self.reload("reload_failed")
        self.ready(self.client())
        self.ready(inside)

    # ---- crowds, and the end ----

    def test_a_crowd_of_half_made_handshakes_is_bounded_and_nobody_else_notices(self):
        self.start("tls-handshakes: 20\nhello-timeout: 10m\n")
        inside = self.client()
        half = []
        for i in range(60):
            half.append(self.plain(HALF))
            self.ready(inside if i % 2 else self.client())
        gone = [plain for plain in half[:40] if plain.recv(1) == b""]
        self.assertEqual(len(gone), 40, "more than 20 are still there")
        self.logged("tls_crowded_out", 40, "HTTPS: ")
        with wire.connect(self.server) as client:  # at `listen` there are none
            client.stats()

    def test_a_handshake_has_its_time_and_those_who_are_in_have_theirs(self):
        self.start("hello-timeout: 300ms\n")
        with wire.connect(self.server) as client:
            client.topic_create("t")
        stream = self.server.http_socket()
        self.addCleanup(stream.close)
        body = b'{"wait_ms": 60000}'
        stream.sendall(b"POST /api/v1/topics/t/groups/default/lease HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        half, silent = self.plain(HALF), self.plain()
        self.assertEqual((half.recv(1), silent.recv(1)), (b"", b""))
        self.assertIn("hello-timeout", self.logged("connection_timed_out"))
        with wire.connect(self.server) as client:
            client.publish("t", b"m")
        self.assertIn(b" 200 OK", stream.recv(4096))

    def test_who_keeps_a_place_and_asks_nothing_gives_it_to_those_who_ask(self):
        self.start("http-connections: 32\n")
        idle = [self.client() for _ in range(32)]
        wire.until(lambda: self.curl()[1] == "ok\n", why="32 who ask nothing keep others out")
        self.assertEqual(len(idle), 32)

    def test_what_was_asked_is_answered_when_the_server_stops(self):
        """Each answer is several records of TLS, and nobody has begun to read it."""
        self.start()
        with wire.connect(self.server) as client:
            client.topic_create("t")
            client.publish("t", wire.Message(b"x" * 60000))
        asked = []
        for _ in range(10):
            one = self.server.http_socket()
            self.addCleanup(one.close)
            one.sendall(b"GET /api/v1/topics/t/groups/default/messages?bodies=true HTTP/1.1\r\nHost: localhost\r\n\r\n")
            asked.append(one)
            self.assertEqual(one.recv(1), b"H")  # it is on its way
        self.assertEqual(self.server.stop(), 0)
        for one in asked:
            answer = b"H" + b"".join(iter(lambda: one.recv(65536), b""))
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n0\r\n\r\n"), (answer[:400], answer[-100:]))
            self.assertGreater(len(answer), 60000)

    def test_the_descriptors_that_it_needs_more_are_asked_for(self):
        wanted = []
        for text in ("http-tls: off\n", "", "http-connections: 100\ntls-handshakes: 1000\n"):
            self.start(text, wrapper=["prlimit", "--nofile=256:256"])
            wanted.append(int(re.search(r"\bwanted=(\d+)", self.logged("few_descriptors"))[1]))
            self.server.stop()
        self.assertEqual(wanted[1] - wanted[0], 2 * 64 + 500 + 64)
        self.assertEqual(wanted[2] - wanted[1], 3 * (100 - 64) + 500)

    # ---- those who watch it ----

    @unittest.skipIf(monitoring.unavailable(), monitoring.unavailable())
    def test_prometheus_scrapes_it_as_the_sample_says(self):
        own = self.authority.issue("prometheus", names="DNS:prometheus")
        socket, token = self.directory / "socket", self.directory / "token"
        self.start(f"tls-client-auth: require\ntls-client-ca: {self.authority.cert}\nauth: on\nlisten-unix: {socket}\n", own)
        local = ("--url", f"shunt+unix://{socket}")
        self.server.shunt(*local, "user", "add", "prometheus", "--grant", "*:look,dlq-look")
        token.write_text(self.server.shunt(*local, "token", "create", "prometheus").stdout, encoding="ascii")
        text = SAMPLE.read_text(encoding="utf-8")
        text, lines = re.subn(r"(?m)^(    )# (?=scheme:|tls_config:|authorization:|  \w+:)", r"\1", text)
        self.assertEqual(lines, 8, "this is no longer what the sample looks like")
        for name, path in (("ca_file", self.authority.cert), ("cert_file", own[0]), ("key_file", own[1]), ("server_name", "localhost"), ("credentials_file", token)):
            text, count = re.subn(rf"(?m)^(      {name}:) \S+.*$", rf"\1 {path}", text)
            self.assertEqual(count, 1, name)
        (self.directory / "sample.yml").write_text(text.replace("shunt.rules.yml", str(SAMPLE.with_name("shunt.rules.yml"))), encoding="utf-8")
        done = subprocess.run(["promtool", "check", "config", self.directory / "sample.yml"], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        scrape = {"scheme": "https", "tls_config": {"ca_file": str(self.authority.cert), "cert_file": str(own[0]), "key_file": str(own[1]), "server_name": "localhost"}, "authorization": {"credentials_file": str(token)}}
        with monitoring.Prometheus(self.directory, {"broker": f"127.0.0.1:{self.port}"}, scrape=scrape) as prometheus:
            monitoring.wait_until(lambda: prometheus.query("shunt_up == 1"), "the server is scraped")


if __name__ == "__main__":
    harness.main()
