"""A shuntd built with ThreadSanitizer, under all the wire tests, and with everything at once: publishers, consumers, scrapes of
metrics and health, workers over HTTP, connections that break, reloads, a stop in the middle. Not one race may be reported."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import harness  # noqa: E402
import wire  # noqa: E402
from certificates import Authority  # noqa: E402

ROUNDS = 60


class Sanitized(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="tsan-")))
        before = os.environ["TSAN_OPTIONS"]
        os.environ["TSAN_OPTIONS"] = f"{before}:log_path={self.folder}/report"
        self.addCleanup(os.environ.__setitem__, "TSAN_OPTIONS", before)

    def no_race(self):
        reports = sorted(self.folder.glob("report*"))
        self.assertFalse(reports, "".join(path.read_text(errors="replace")[:6000] for path in reports[:2]))

    def test_the_wire_tests(self):
        tests = HERE.parent / "wire"
        done = subprocess.run([sys.executable, tests / "test_wire.py"], cwd=tests, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=500, check=False)
        self.no_race()
        self.assertEqual(done.returncode, 0, done.stderr[-4000:])

    def test_everything_at_once(self):
        self.everything_at_once("")

    def test_everything_at_once_with_a_journal(self):
        """With it, turns run on the net thread as well (engine_serve)."""
        self.everything_at_once("journal: on\n")

    def test_everything_at_once_with_tls(self):
        """Each reload reads the certificate again, for clients of the protocol and of HTTP."""
        authority = Authority(self.folder)
        cert, key = authority.issue("server")
        self.everything_at_once(f"tls-cert: {cert}\ntls-key: {key}\n", authority.cert)

    def everything_at_once(self, settings, ca=None):
        config = self.folder / "shunt.yaml"
        config.write_text(f"max-body-bytes: 1MiB\n{settings}")
        failures, done, lock = [], {"published": 0, "acked": 0, "scrapes": 0, "worked": 0}, threading.Lock()
        server = harness.Server(options=["--config", config])
        if ca:
            server.trust(ca)
        with server:
            with wire.connect(server) as client:
                client.topic_create("t", lease_ms=1000)

            def count(what, more):
                with lock:
                    done[what] += more

            def guarded(what):
                def run():
                    try:
                        what()
                    except Exception as error:  # whatever it is: it is told in the test's thread
                        failures.append(repr(error))
                return run

            def publish():
                for _ in range(ROUNDS):
                    with wire.connect(server) as client:
                        for _ in range(5):
                            count("published", client.publish("t", *[b"x" * 500] * 10).accepted)

            def consume():
                for _ in range(ROUNDS // 4):
                    client = wire.connect(server)
                    subscription = client.subscribe("t")
                    for _ in range(10):
                        row = subscription.next(1)
                        if row and not subscription.ack(row):
                            count("acked", 1)
                    client.close()  # with what it still holds

            def scrape():
                for _ in range(ROUNDS):
                    for page in ("/metrics", "/healthz", "/readyz"):
                        with urllib.request.urlopen(server.http + page, timeout=30, context=server.tls) as answer:
                            count("scrapes", answer.status == 200)

            def post(call, body):
                request = urllib.request.Request(f"{server.http}/api/v1/topics/t/{call}", json.dumps(body).encode(), {"Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=30, context=server.tls) as answer:
                    return json.loads(answer.read())

            def work():
                for _ in range(ROUNDS):
                    post("messages", [{"body": "x"}] * 3)
                    for message in post("groups/default/lease", {"messages": 3, "wait_ms": 100})["messages"]:
                        try:
                            post("groups/default/ack", {"token": message["token"]})
                            count("worked", 1)
                        except urllib.error.HTTPError as error:  # its lease was over: it is slow here
                            error.close()
                            if error.code != 409:
                                raise

            def reload():
                for i in range(ROUNDS):
                    config.write_text(f"max-body-bytes: {1 + i % 4}MiB\n{settings}")
                    server.process.send_signal(signal.SIGHUP)
                    with wire.connect(server) as client:
                        client.stats()

            threads = [threading.Thread(target=guarded(what)) for what in (publish, publish, consume, consume, consume, scrape, scrape, work, work, reload)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertFalse(failures, server.log_text()[-3000:])
            busy = wire.connect(server)
            busy.topic_create("u")
            for _ in range(200):
                busy.send(wire.PUBLISH, "u", 0, 0, [[b"x" * 1000]])
            self.assertEqual(server.stop(), 0, server.log_text()[-3000:])
            busy.close()
        self.no_race()
        self.assertEqual(done["published"], 2 * ROUNDS * 50)
        self.assertGreater(done["acked"], 50)
        self.assertEqual(done["scrapes"], 2 * 3 * ROUNDS)
        self.assertGreater(done["worked"], 20)


if __name__ == "__main__":
    harness.main()
