#!/usr/bin/env python3
"""The server's habits: starting, refusing to start, reloading, stopping. Each exit status is the one in shuntd(8)."""
import array
import fcntl
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
import urllib.request

import harness
from secure import plain_only

SHUNTD = os.environ.get("SHUNTD", "")
SECONDS_MAX = 60
F_SETPIPE_SZ = 1031  # of fcntl; Python 3.10 has it by name
HELLO = struct.pack(">I", 6) + b"\x95\x01\x01\x01\x01\x80"
PING = struct.pack(">I", 3) + b"\x92\x03\x02"


class Daemon:
    """One shuntd; its log is read until the line that is waited for."""

    def __init__(self, directory, *options, data=None, listen="127.0.0.1:0", http="127.0.0.1:0", prefix=(), **more):
        self.data = data or os.path.join(directory, "data")
        arguments = [*prefix, SHUNTD, "--data", self.data]
        arguments += ["--listen", listen] if listen else []
        arguments += ["--http", http] if http else []
        self.process = subprocess.Popen([*arguments, *options], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                        cwd=directory, text=True, **more)
        self.lines = []
        self.connections = []

    def close(self):
        for connection in self.connections:
            connection.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def wait_for(self, event):
        """The next line of this event, as a dictionary."""
        for line in self.process.stderr:
            self.lines.append(line)
            if f"event={event} " in line.replace("\n", " "):
                pairs = [pair.partition("=") for pair in shlex.split(line)]
                return {key: value for key, _, value in pairs}
        raise AssertionError(f"no event={event}:\n" + "".join(self.lines))

    def ready(self):
        line = self.wait_for("listening")
        self.port = int(line["listen"].rsplit(":", 1)[1])
        self.http_port = int(line["http"].rsplit(":", 1)[1]) if line["http"] != "off" else None
        return line

    def connect(self):
        """A connection that has said hello, and the answer's bytes."""
        connection = socket.create_connection(("127.0.0.1", self.port), SECONDS_MAX)
        self.connections.append(connection)
        connection.sendall(HELLO)
        return connection, read_frame(connection)

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        """The exit status and all that was logged."""
        self.lines += self.process.stderr.readlines()
        return self.process.wait(SECONDS_MAX), "".join(self.lines)


def read_frame(connection):
    length = struct.unpack(">I", read_bytes(connection, 4))[0]
    return read_bytes(connection, length)


def read_bytes(connection, size):
    got = b""
    while len(got) < size:
        part = connection.recv(size - len(got))
        if not part:
            raise EOFError(f"the server closed after {len(got)} of {size} bytes")
        got += part
    return got


@plain_only("it has certificates, users or servers of its own")
class ServerTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="shunt-server-")
        self.addCleanup(shutil.rmtree, self.directory, True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def daemon(self, *options, **more):
        daemon = Daemon(self.directory, *options, **more)
        self.addCleanup(daemon.close)
        return daemon

    def expect_refusal(self, status, words, *options, **more):
        """It must not start, with this status and one line that holds these words."""
        code, log = self.daemon(*options, **more).end()
        self.assertEqual(code, status, log)
        lines = [line for line in log.splitlines() if "event=cannot_start" in line]
        self.assertEqual(len(lines), 1, log)
        for word in words:
            self.assertIn(word, lines[0])

    def run_once(self, *options):
        return subprocess.run([SHUNTD, *options], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)


class Starting(ServerTest):
    def test_startup_line_names_the_real_ports_and_both_serve(self):
        daemon = self.daemon()
        line = daemon.ready()
        self.assertRegex(line["listen"], r"^127\.0\.0\.1:[1-9]\d*$")
        self.assertRegex(line["http"], r"^127\.0\.0\.1:[1-9]\d*$")
        self.assertEqual(line["data"], daemon.data)
        self.assertIn(line["version"], self.run_once("--version").stdout)
        self.assertRegex(line["ts"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        _, answer = daemon.connect()
        self.assertEqual(answer[1:3], b"\xcc\x80")  # OK
        with socket.create_connection(("127.0.0.1", daemon.http_port), SECONDS_MAX) as http:
            http.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            self.assertIn(b" 200 ", http.makefile("rb").readline())

    def test_without_options_only_this_machine_can_connect(self):
        out = self.run_once("--help").stdout
        self.assertRegex(out, r"(?m)^  listen +127\.0\.0\.1:7480 ")
        self.assertRegex(out, r"(?m)^  http +127\.0\.0\.1:7481 ")
        daemon = self.daemon()
        daemon.ready()
        self.assertNotIn("event=insecure", "".join(daemon.lines))
        rows = pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        bound = [row.split()[1] for row in rows if row.split()[3] == "0A" and row.split()[1].endswith(f":{daemon.port:04X}")]
        self.assertEqual(bound, [f"0100007F:{daemon.port:04X}"], "listening sockets on that port, by address")

    def test_letting_everybody_in_on_every_interface_is_warned_about(self):
        daemon = self.daemon("--insecure", listen="0.0.0.0:0")
        self.assertRegex(daemon.wait_for("insecure")["listen"], r"^0\.0\.0\.0:[1-9][0-9]*$")
        daemon.ready()

    def test_http_can_be_switched_off(self):
        self.assertEqual(self.daemon(http="off").ready()["http"], "off")

    def test_the_command_line_stands_above_the_file(self):
        config = self.write("a.conf", "listen: 127.0.0.1:1\nhttp: 127.0.0.1:1\ndata: /nonexistent/x\nmax-topics: 3\n")
        self.daemon("--config", config).ready()

    def test_the_service_manager_is_told(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(self.path("notify"))
            manager.settimeout(SECONDS_MAX)
            daemon = self.daemon(env={**os.environ, "NOTIFY_SOCKET": self.path("notify"), "WATCHDOG_USEC": "300000"})
            self.assertEqual(manager.recv(100), b"READY=1")
            daemon.ready()
            for _ in range(3):
                self.assertEqual(manager.recv(100), b"WATCHDOG=1")

            def next_but_watchdog():
                while (state := manager.recv(100)) == b"WATCHDOG=1":
                    pass
                return state
            daemon.signal(signal.SIGHUP)
            self.assertTrue(next_but_watchdog().startswith(b"RELOADING=1\nMONOTONIC_USEC="))
            self.assertEqual(next_but_watchdog(), b"READY=1")
            daemon.signal(signal.SIGTERM)
            self.assertEqual(next_but_watchdog(), b"STOPPING=1")
            self.assertEqual(daemon.end()[0], 0)


class Refusing(ServerTest):
    def test_a_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.expect_refusal(69, [address, "taken", "--listen"], listen=address)
            self.assertFalse(os.path.exists(self.path("data")), "a server that cannot listen leaves no trace")
            self.expect_refusal(69, [address], http=address)

    def test_an_address_of_another_machine(self):
        self.expect_refusal(69, ["192.0.2.1:7480"], listen="192.0.2.1:7480")

    def test_a_data_directory_in_use(self):
        first = self.daemon()
        first.ready()
        self.expect_refusal(75, [first.data, str(first.process.pid)])
        check = self.run_once("--check", first.data)
        self.assertEqual(check.returncode, 75, check.stderr)
        _, answer = first.connect()
        self.assertTrue(answer, "the first goes on")

    def stopped_store(self):
        daemon = self.daemon()
        daemon.ready()
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.end()[0], 0)
        (name,) = [name for name in os.listdir(daemon.data) if name.endswith(".mdb") and name != "lock.mdb"]
        return os.path.join(daemon.data, name)

    def test_a_store_that_is_truncated(self):
        path = self.stopped_store()
        os.truncate(path, 3 * 4096)
        self.expect_refusal(65, [path, "short"])

    def test_a_store_that_is_something_else(self):
        path = self.stopped_store()
        with open(path, "r+b") as file:
            file.write(os.urandom(16384))
        self.expect_refusal(65, [path])

    def test_a_store_from_a_newer_version(self):
        path = self.stopped_store()
        with open(path, "r+b") as file:
            start = file.read(1 << 20)
            changed = re.sub(rb"version(?=\0\0\0)\0\0\0.", b"version\0\0\0\x7f", start, flags=re.DOTALL)
            self.assertNotEqual(start, changed)
            file.seek(0)
            file.write(changed)
        self.expect_refusal(76, ["newer"])

    def in_namespace(self, mount):
        """Start it with a mount of its own; skipped where that is not allowed."""
        if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("no namespaces here")
        os.mkdir(self.path("mount"))
        return ("unshare", "-rm", "sh", "-c", mount.format(self.path("mount")) + ' && exec "$@"', "sh")

    def test_a_data_directory_that_cannot_be_written(self):
        prefix = self.in_namespace("mount -t tmpfs -o ro none {}")
        self.expect_refusal(73, [self.path("mount")], data=self.path("mount"), prefix=prefix)

    def test_a_full_disk(self):
        prefix = self.in_namespace("mount -t tmpfs -o size=16k none {}")
        self.expect_refusal(79, [self.path("mount")], data=self.path("mount"), prefix=prefix)

    def test_a_data_directory_that_is_a_file(self):
        code, log = self.daemon(data=self.write("file", "")).end()
        self.assertIn(code, (73, 74), log)
        self.assertIn("event=cannot_start", log)

    def test_a_wrong_command_line(self):
        for options in (["--lissten", "x"], ["--data"], ["extra"]):
            done = self.run_once(*options)
            self.assertEqual(done.returncode, 64)
            self.assertIn(options[0], done.stderr)

    def test_a_check_of_nothing(self):
        done = self.run_once("--check", self.path("nothing"))
        self.assertEqual(done.returncode, 66, done.stderr)
        self.assertFalse(os.path.exists(self.path("nothing")))

    def test_a_check_of_a_fresh_store(self):
        done = self.run_once("--check", os.path.dirname(self.stopped_store()))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Settings(ServerTest):
    def test_check_config_names_line_and_column(self):
        path = self.write("a.conf", "data: x\nmax-topcs: 3\n")
        done = self.run_once("--check-config", path)
        self.assertEqual(done.returncode, 78)
        self.assertEqual(done.stderr.splitlines()[0], f"shuntd: {path}:2:1: unknown setting `max-topcs`")
        self.assertEqual(self.run_once("--config", path).returncode, 78)

    def test_check_config_is_content_with_the_sample(self):
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        with open(os.path.join(root, "deploy/shuntd.conf"), encoding="utf-8") as file:
            text = file.read()
        for content in (text, re.sub(r"(?m)^#([a-z-]+: )", r"\1", text)):
            done = self.run_once("--check-config", self.write("sample.conf", content))
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_sighup_takes_over_what_it_may_and_says_what_needs_a_restart(self):
        path = self.write("a.conf", "max-connections: 5\nmax-body-bytes: 10\n")
        daemon = self.daemon("--config", path)
        daemon.ready()
        held = [daemon.connect()[0]]
        self.write("a.conf", "max-connections: 1\nmetrics-topics: 7\nmax-body-bytes: 10\n")
        daemon.signal(signal.SIGHUP)
        self.assertEqual(daemon.wait_for("setting_changed")["setting"], "max-connections")
        self.assertEqual(daemon.wait_for("setting_needs_restart")["setting"], "metrics-topics")
        daemon.wait_for("reloaded")
        refused, answer = daemon.connect()
        self.assertIn(b"TOO_MANY", answer)
        refused.close()
        held[0].sendall(PING)
        self.assertEqual(read_frame(held[0])[:4], b"\x92\xcc\x80\x02")

    def test_a_reload_that_fails_changes_nothing(self):
        path = self.write("a.conf", "max-connections: 5\n")
        daemon = self.daemon("--config", path)
        daemon.ready()
        self.write("a.conf", "max-connections: 1\nbogus: 1\n")
        daemon.signal(signal.SIGHUP)
        self.assertIn("2:1", daemon.wait_for("reload_failed")["why"])
        for _ in range(3):
            self.assertNotIn(b"TOO_MANY", daemon.connect()[1])


class Stopping(ServerTest):
    def test_sigterm_answers_tells_every_client_and_ends_with_0(self):
        daemon = self.daemon()
        daemon.ready()
        clients = [daemon.connect()[0] for _ in range(20)]
        silent = socket.create_connection(("127.0.0.1", daemon.port), SECONDS_MAX)
        for client in clients:
            client.sendall(PING)
        for client in clients:
            self.assertEqual(read_frame(client)[:4], b"\x92\xcc\x80\x02")
        daemon.signal(signal.SIGTERM)
        for client in clients:
            self.assertEqual(read_frame(client)[1:6], b"\xcc\x83\x00\x00\x2a")  # CLOSED, sub 0, SHUTTING_DOWN
            self.assertEqual(client.recv(1), b"")
            client.close()
        self.assertEqual(silent.recv(1), b"")
        silent.close()
        code, log = daemon.end()
        self.assertEqual(code, 0, log)
        self.assertIn("event=stopped", log)
        again = self.daemon()
        again.ready()

    def test_sigint_stops_too(self):
        daemon = self.daemon()
        daemon.ready()
        daemon.signal(signal.SIGINT)
        self.assertEqual(daemon.end()[0], 0)

    def test_a_client_that_never_closes_does_not_hold_up_the_stop(self):
        daemon = self.daemon("--config", self.write("a.conf", "stop-timeout: 500ms\n"))
        daemon.ready()
        client = daemon.connect()[0]
        begun = time.monotonic()
        daemon.signal(signal.SIGTERM)
        code, log = daemon.end()
        self.assertEqual(code, 0, log)
        self.assertLess(time.monotonic() - begun, 20, "the bound is 0.5 s; this leaves room for a slow machine")
        client.close()

    def test_a_second_signal_ends_it_at_once(self):
        daemon = self.daemon("--config", self.write("a.conf", "stop-timeout: 10m\nwrite-timeout: 1h\nunsent-bytes: 64KiB\n"))
        daemon.ready()
        client = daemon.connect()[0]
        client.settimeout(1)
        with self.assertRaises(TimeoutError):
            while True:  # never reading the answers, until the server does not read either
                client.sendall(PING * 1000)
        daemon.signal(signal.SIGTERM)
        daemon.wait_for("stopping")
        daemon.signal(signal.SIGTERM)
        code, log = daemon.end()
        self.assertEqual(code, 80, log)
        self.assertIn("a second signal", log)

    def test_a_closed_stderr_and_a_lost_client_do_not_kill_it(self):
        daemon = self.daemon()
        daemon.ready()
        client = daemon.connect()[0]
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(PING * 1000)
        client.close()  # a reset, with answers under way
        daemon.process.stderr.close()
        daemon.signal(signal.SIGHUP)  # makes it log to nobody
        self.assertTrue(daemon.connect()[1])
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.process.wait(SECONDS_MAX), 0)

    def test_whoever_reads_the_log_may_hang(self):
        daemon = self.daemon("--config", self.write("debug.conf", "log-level: debug\n"))
        pipe = daemon.process.stderr.fileno()
        fcntl.fcntl(pipe, F_SETPIPE_SZ, 4096)
        daemon.ready()
        unread, end = array.array("i", [0]), time.monotonic() + SECONDS_MAX
        while unread[0] <= 4096 - 1024:  # until the pipe is full: two lines each, and nobody reads them
            self.assertLess(time.monotonic(), end, "the pipe is not full")
            socket.create_connection(("127.0.0.1", daemon.port), SECONDS_MAX).close()
            fcntl.ioctl(pipe, termios.FIONREAD, unread)
        for _ in range(200):  # and more for which there is no room
            socket.create_connection(("127.0.0.1", daemon.port), SECONDS_MAX).close()
        client = daemon.connect()[0]
        client.settimeout(SECONDS_MAX)
        client.sendall(PING)
        self.assertTrue(read_frame(client))
        with urllib.request.urlopen(f"http://127.0.0.1:{daemon.http_port}/healthz", timeout=SECONDS_MAX) as answer:
            self.assertEqual(answer.status, 200)
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.process.wait(SECONDS_MAX), 0)
        self.assertNotIn("event=stopping", daemon.process.stderr.read(), "the lines that would have come late")

    def test_few_descriptors_are_warned_about(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        daemon = self.daemon(preexec_fn=limit)
        self.assertEqual(daemon.wait_for("few_descriptors")["limit"], "256")
        daemon.ready()


if __name__ == "__main__":
    if not SHUNTD:
        sys.exit("SHUNTD must name the server's program")
    harness.main()
