"""Somebody is told when nobody has looked at dead letters in time, by a program or a URL, and whatever those do costs the broker nothing."""
import http.server
import json
import pathlib
import re
import shlex
import socketserver
import stat
import subprocess
import tempfile
import threading
import unittest

import harness
import wire

PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what is posted to it, and then does what `answer` says."""
    daemon_threads = True

    def __init__(self, answer):
        self.got, self.over = [], threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                self.got.append((handler.path, handler.headers["Content-Type"], json.loads(body)))
                answer(handler, self.over)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server_port}/hook?to=kim"

    def handle_error(self, *_):
        pass  # the other end went away

    def end(self):
        self.over.set()
        self.shutdown()
        self.thread.join()
        self.server_close()


def status(code):
    def answer(handler, _):
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    return answer


def never(_, over):
    over.wait()


def close(handler, _):
    handler.connection.shutdown(2)


def gigabytes(handler, over):
    handler.send_response(200)
    handler.end_headers()
    while not over.is_set():
        handler.wfile.write(bytes(1 << 16))


def redirect(handler, _):
    handler.send_response(302)
    handler.send_header("Location", "http://127.0.0.1:1/elsewhere")
    handler.end_headers()


class OnBreach(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="breach-")))

    def receiver(self, answer):
        receiver = Receiver(answer)
        self.addCleanup(receiver.end)
        return receiver

    def program(self, text):
        """The command line of a script in a folder with a blank in its name."""
        path = self.directory / "a folder" / "tell"
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return f'"{path}"'

    def server(self, **settings):
        conf = self.directory / "conf"
        conf.write_text("".join("{}: {}\n".format(key.replace("_", "-"), "'" + value.replace("'", "''") + "'") for key, value in settings.items()), encoding="utf-8")
        return self.enterContext(harness.Server(options=["--config", conf]))

    def die(self, server, topic="t", letters=1):
        server.shunt("topic", "create", topic, "--max-attempts", "1", "--dlq-slo", "1ms")
        server.shunt("publish", topic, "--lines", input="x\n" * letters)
        server.shunt("work", topic, "--drain", "--", "false")

    def lines(self, server, event):
        return [{key: value.strip('"') for key, value in PAIR.findall(line)} for line in list(server.log) if f" event={event} " in line]

    def wait_for(self, server, event, **pairs):
        return wire.until(lambda: [line for line in self.lines(server, event) if pairs.items() <= line.items()], why=server.log_text)[0]

    def test_both_are_told_what_happened(self):
        receiver = self.receiver(status(204))
        script = 'printf "%s " "$1" "$SHUNT_TOPIC" "$SHUNT_GROUP" "$SHUNT_COUNT" "$SHUNT_OLDEST" "$SHUNT_OLDEST_DIED" "${NOTIFY_SOCKET-none}" > "$2"; cat >> "$2"\n'
        told = self.directory / "told"
        server = self.server(on_breach_command=self.program(script) + f' "to kim" {shlex.quote(str(told))}', on_breach_url=receiver.url)
        self.die(server, letters=2)
        self.wait_for(server, "breach_told", by="command", topic="t", group="default", tries="1")
        self.wait_for(server, "breach_told", by="url", topic="t", group="default", tries="1")
        words, _, document = told.read_text(encoding="utf-8").partition("{")
        document = json.loads("{" + document)
        self.assertEqual((document["event"], document["topic"], document["group"], document["oldest"]), ("dead_letters_overdue", "t", "default", "t/1"))
        self.assertRegex(document["oldest_died"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIn("shunt dlq causes t -g default", document["text"])
        self.assertEqual(words, f"to kim t default {document['count']} t/1 {document['oldest_died']} none ")
        path, kind, posted = receiver.got[0]
        self.assertEqual((path, kind, posted["topic"], set(posted)), ("/hook?to=kim", "application/json", "t", set(document)))
        # All letters are told of, in one document or in two.
        wire.until(lambda: sum(document["count"] for _, _, document in receiver.got) == 2, why=server.log_text)
        page = subprocess.run(["curl", "-s", server.http + "/metrics"], env=server.environment(), capture_output=True, text=True, check=True).stdout
        self.assertRegex(page, r'shunt_on_breach_total\{by="url",outcome="told"\} [12]\n')

    def test_whatever_the_other_end_does_the_broker_goes_on(self):
        for name, answer, result, why in [("never", never, "breach_not_told", "timed out"), ("500", status(500), "breach_not_told", "500"),
                                          ("close", close, "breach_not_told", "Empty reply"), ("gigabytes", gigabytes, "breach_told", ""),
                                          ("redirect", redirect, "breach_not_told", "the server answered 302")]:
            with self.subTest(name):
                receiver = self.receiver(answer)
                server = self.server(on_breach_url=receiver.url, on_breach_timeout="500ms")
                self.die(server)
                wire.until(lambda: receiver.got)
                server.shunt("publish", "t", "while it waits for an answer")
                line = self.wait_for(server, result, by="url", topic="t")
                self.assertIn(why, line.get("why", ""))
                self.assertEqual(line["tries"], "1")
                self.assertNotIn("kim", line.get("why", ""), "the URL, which may hold a secret, is not in the log")

    def test_nobody_listens_and_then_somebody_does(self):
        with socketserver.TCPServer(("127.0.0.1", 0), None) as free:
            port = free.server_address[1]
        server = self.server(on_breach_url=f"http://127.0.0.1:{port}/")
        self.die(server)
        line = self.wait_for(server, "breach_not_told", tries="1")
        self.assertTrue(1 <= int(line["again_ms"]) <= 1000, line)
        self.wait_for(server, "breach_not_told", tries="2")

    def test_a_command_that_fails_is_run_again_until_it_takes_the_news(self):
        server = self.server(on_breach_command=self.program(f'cd {shlex.quote(str(self.directory))}; echo x >> tries; [ "$(wc -l < tries)" -gt 2 ] || {{ echo "no line" >&2; exit 3; }}\n'))
        self.die(server)
        self.assertEqual(self.wait_for(server, "breach_told", by="command", tries="3")["count"], "1")
        self.assertEqual({line["why"] for line in self.lines(server, "breach_not_told")}, {"exit 3: no line"})

    def test_a_command_that_hangs_is_killed_with_what_it_began(self):
        pids = self.directory / "pids"
        server = self.server(on_breach_command=self.program(f"trap '' TERM; sleep 1000 & echo $! $$ > {shlex.quote(str(pids))}; wait\n"), on_breach_timeout="300ms")
        self.die(server)
        self.assertIn("longer than on-breach-timeout", self.wait_for(server, "breach_not_told", tries="1")["why"])
        for pid in pids.read_text(encoding="utf-8").split():
            wire.until(lambda pid=pid: not pathlib.Path(f"/proc/{pid}").exists() or "\nState:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))

    def test_a_stop_waits_for_no_command(self):
        server = self.server(on_breach_command=self.program("exec sleep 1000\n"), on_breach_timeout="10m")
        self.die(server)
        self.wait_for(server, "dead_letters_overdue")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.lines(server, "breach_not_told")[0]["why"], "the server stops")

    def test_settings_that_cannot_work_are_refused_at_the_start(self):
        for settings, why in [({"on-breach-command": "/nowhere/tell --now"}, "`/nowhere/tell` cannot be found or run"), ({"on-breach-command": '"a'}, "a quotation mark is missing"),
                              ({"on-breach-url": "ftp://x/"}, "must begin with http"), ({"on-breach-url": "http://x/a b"}, "%XX"), ({"on-breach-url": "http:///x"}, "and a host")]:
            with self.subTest(settings):
                conf = self.directory / "wrong"
                conf.write_text("".join(f"{key}: '{value}'\n" for key, value in settings.items()), encoding="utf-8")
                done = subprocess.run([harness.SHUNTD, "--data", self.directory / "data", "--listen", "127.0.0.1:0", "--http", "off", "--config", conf],
                                      capture_output=True, text=True, check=False, timeout=60)
                self.assertEqual(done.returncode, 78, done.stderr)
                self.assertIn(why, done.stderr)


if __name__ == "__main__":
    harness.main()
