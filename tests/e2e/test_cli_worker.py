"""The worker among its surroundings: a broker that comes late, a manager that stops it, a group that is paused."""
import ctypes
import fcntl
import os
import pathlib
import re
import selectors
import signal
import socket
import subprocess
import threading

import harness
from cli_case import OK, PARTLY, UNREACHABLE, WAIT_SECONDS_MAX, Case
from secure import plain_only
from wire import GROUP_SHOW, WITHIN
from packing import decode

NOT_NOW = 75


def runs(pid):
    try:
        return " Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def become_subreaper():
    PR_SET_CHILD_SUBREAPER = 36
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1) != 0:
        raise OSError("prctl")


class Proxy:
    """Passes bytes on to the server and counts the requests of each kind that go there."""

    def __init__(self, url):
        host, port = re.fullmatch(r"shunt://(.+):(\d+)", url).groups()
        self.server = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "shunt://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.requests = {}
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join(WAIT_SECONDS_MAX)
        self.listener.close()

    def run(self):
        """One connection, until either side ends it."""
        client, _ = self.listener.accept()
        server = socket.create_connection(self.server)
        selector = selectors.DefaultSelector()
        selector.register(client, selectors.EVENT_READ, server)
        selector.register(server, selectors.EVENT_READ, client)
        unread = b""
        with client, server:
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(1 << 16)
                    if not data:
                        return
                    key.data.sendall(data)
                    if key.fileobj is client:
                        unread = self.count(unread + data)

    def count(self, data):
        while len(data) >= 4 and len(data) >= 4 + int.from_bytes(data[:4], "big"):
            operation, *fields = decode(data[4:4 + int.from_bytes(data[:4], "big")])
            if operation == WITHIN:
                operation = fields[2]
            self.requests[operation] = self.requests.get(operation, 0) + 1
            data = data[4 + int.from_bytes(data[:4], "big"):]
        return data


class Worker(Case):
    def work(self, *args, **more):
        return self.shunt("work", "t", "--drain", *args, **more)

    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "t", "--max-attempts", "1", "--backoff", "1ms..2ms")

    def uncharged(self):
        """Nothing is dead, and no attempt was counted."""
        group = self.group("t")
        message = self.document("consume", "t", "-n", "1")[0]
        self.assertEqual((group["dead"], message["attempts"]), (0, 0))

    # ---- being stopped

    def stopped_together(self, script, *signals, first=None):
        """Start a worker on `script`, which prints its pid when it is ready, and send the signals to worker and command as a service manager does."""
        self.shunt("publish", "t", "1")
        process = self.start("work", "t", "--", "sh", "-c", script)
        child = int(process.stdout.readline())
        for number in signals:
            for pid in (child, process.pid) if first == "command" else (process.pid, child):
                os.kill(pid, number)
        out, err = process.communicate(timeout=WAIT_SECONDS_MAX)
        return process.returncode, out, err

    def test_a_command_that_dies_of_the_stop_has_not_failed(self):
        for first in ("command", "worker"):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                with self.subTest(signal=number, first=first):
                    if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                        continue
                    code, _, err = self.stopped_together("echo $$; exec sleep 1000", number, first=first)
                    self.assertEqual(code, OK, err)
                    self.uncharged()

    def test_nor_one_that_ends_as_a_shell_does_that_was_interrupted(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                code, _, err = self.stopped_together(
                    f"trap 'kill $!; exit {128 + number}' {int(number)}; echo $$; sleep 1000 & wait", number, first="command")
                self.assertEqual(code, OK, err)
                self.uncharged()

    def test_one_that_fails_meanwhile_has_failed(self):
        self.stopped_together("trap 'kill $!; exit 7' TERM; echo $$; sleep 1000 & wait", signal.SIGTERM)
        self.assertEqual(self.document("dlq", "list", "t")[0]["error_type"], "exit 7")

    def test_a_signal_to_the_command_alone_is_its_failure(self):
        self.shunt("publish", "t", "1")
        self.work("--", "sh", "-c", "kill -TERM $$")
        self.assertEqual(self.document("dlq", "list", "t")[0]["error_type"], "SIGTERM")

    def test_what_outlasts_the_stop_timeout_is_ended_uncharged(self):
        self.shunt("publish", "t", "--lines", input="1\n2\n")
        process = self.start("work", "t", "-j", "2", "--stop-timeout", "200ms", "--", "sh", "-c",
                             'if [ "$(cat)" = 1 ]; then trap "kill $!; echo done; exit 0" TERM; fi; sleep 1000 & echo begun; wait')
        self.assertEqual([process.stdout.readline(), process.stdout.readline()], ["begun\n"] * 2)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=WAIT_SECONDS_MAX)
        self.assertEqual(process.returncode, OK, err)
        group = self.group("t")
        # The one that made an end of its work within its grace is done.
        self.assertEqual((group["acked"], group["ready"], group["dead"]), (1, 1, 0), err)
        self.uncharged()

    # ---- being killed

    def test_a_killed_worker_takes_its_commands_along(self):
        self.shunt("publish", "t", "--lines", input="1\n2\n3\n")
        # One as it comes, one that left a process in a session of its own, one that hears nothing.
        script = 'case $(cat) in 1) echo $$; exec sleep 1000;; 2) setsid sleep 1000 & echo $!; wait;; 3) trap "" TERM INT HUP; echo $$; while :; do sleep 1; done;; esac'
        process = self.start("work", "t", "-j", "3", "--", "sh", "-c", script)
        pids = [int(process.stdout.readline()) for _ in range(3)]
        process.kill()
        process.wait()
        self.eventually(lambda: not any(runs(pid) for pid in pids))
        # Nobody holds the worker's output any more: its reader sees its end.
        self.assertEqual(process.stdout.read(), "")

    def test_nothing_of_an_attempt_outlives_it(self):
        self.shunt("publish", "t", "1")
        out = self.work("--", "sh", "-c", "sleep 1000 & echo $!; setsid sleep 1000 & echo $!").stdout
        self.assertEqual([runs(int(pid)) for pid in out.split()], [False, False])

    def test_what_was_left_in_the_background_may_run_on(self):
        self.shunt("publish", "t", "1")
        pid = int(self.work("--keep-background", "--", "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!").stdout)
        self.assertTrue(runs(pid))
        os.kill(pid, signal.SIGKILL)

    def test_orphans_that_are_given_to_the_worker_are_reaped(self):
        # As for process 1 of a container.
        self.shunt("publish", "t", "1")
        process = self.start("work", "t", "--keep-background", "--", "sh", "-c", "sleep 1000 & echo $!", preexec_fn=become_subreaper)
        pid = int(process.stdout.readline())
        self.eventually(lambda: self.group("t")["acked"] == 1)
        self.eventually(lambda: f"PPid:\t{process.pid}\n" in pathlib.Path(f"/proc/{pid}/status").read_text())
        os.kill(pid, signal.SIGKILL)
        self.eventually(lambda: not os.path.exists(f"/proc/{pid}"))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(WAIT_SECONDS_MAX), OK)

    def test_a_worker_that_was_made_to_ignore_ends_of_children_learns_of_them(self):
        self.shunt("publish", "t", "1")
        self.work("--", "sh", "-c", "exit 7", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual(self.document("dlq", "list", "t")[0]["error_type"], "exit 7")

    # ---- output that nobody reads

    def unread(self, where, stdout, stderr):
        """A worker whose commands say much more than anybody keeps, under short leases; nobody reads. All is done, each once."""
        self.shunt("topic", "update", "t", "--lease", "4s")
        self.shunt("publish", "t", "--lines", input="x\n" * 12)
        process = subprocess.Popen([harness.SHUNT, "work", "t", "-j", "3", "--", "sh", "-c", f"seq 60000 {where}"], env=self.server.environment(),
                                   stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        self.addCleanup(process.kill)
        self.eventually(lambda: self.group("t")["acked"] == 12)
        self.assertEqual(self.group("t")["deliveries"], 12)
        process.send_signal(signal.SIGTERM)
        return process

    def test_output_that_nobody_reads_stops_nobody(self):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        process = self.unread("", write, subprocess.PIPE)
        os.close(write)
        _, err = process.communicate(timeout=WAIT_SECONDS_MAX)
        self.assertEqual(process.returncode, PARTLY)
        self.assertRegex(err.decode(), r"\d+ lines were dropped because nothing read standard output")

    def test_nor_do_errors_that_nobody_reads(self):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        process = self.unread(">&2", subprocess.DEVNULL, write)
        os.close(write)
        self.assertEqual(process.wait(WAIT_SECONDS_MAX), OK)

    def test_nor_does_a_terminal_that_stands_still(self):
        ours, terminal = os.openpty()
        self.addCleanup(os.close, ours)
        process = self.unread("; seq 60000 >&2", terminal, terminal)
        os.close(terminal)
        self.assertEqual(process.wait(WAIT_SECONDS_MAX), PARTLY)

    def test_who_reads_slowly_loses_nothing(self):
        self.shunt("publish", "t", "--lines", input="x\n" * 4)
        read, write = os.pipe()
        fcntl.fcntl(read, fcntl.F_SETPIPE_SZ, 4096)
        process = subprocess.Popen([harness.SHUNT, "work", "t", "--drain", "-q", "--", "seq", "200000"], env=self.server.environment(),
                                   stdin=subprocess.DEVNULL, stdout=write)
        os.close(write)
        with open(read, "rb", buffering=0) as stream:
            got = b"".join(iter(lambda: stream.read(512), b""))
        self.assertEqual(process.wait(WAIT_SECONDS_MAX), OK)
        self.assertEqual(got, b"".join(b"%d\n" % i for i in range(1, 200001)) * 4)

    def test_lines_of_commands_side_by_side_stay_whole(self):
        self.shunt("publish", "t", "--lines", input="a\nb\nc\nd\n")
        program = "import sys\nme = sys.stdin.read(1)\nfor i in range(40): print(me * 60000, flush=True)"
        out = self.work("-j", "4", "--", "python3", "-c", program).stdout
        self.assertEqual(sorted(out.splitlines()), sorted(me * 60000 for me in "abcd" * 40))

    # ---- a broker that is not there

    def test_it_waits_for_a_broker_that_comes_later(self):
        self.shunt("publish", "t", "x")
        self.server.stop()
        self.server.options = ["--listen", self.server.address]
        process = self.start("work", "t", "--", "cat")
        said = process.stderr.readline()
        self.assertRegex(said, r"UNREACHABLE\); trying to connect to shunts?://\S+ until it answers")
        self.server.start()
        self.assertEqual(process.stdout.read(1), "x")
        self.assertEqual(process.stderr.readline(), "shunt: connected\n")  # and nothing between the two
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(WAIT_SECONDS_MAX), OK)

    def test_a_signal_ends_the_waiting(self):
        self.server.stop()
        process = self.start("work", "t", "--", "cat")
        self.assertIn("until it answers", process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(WAIT_SECONDS_MAX), OK)
        self.server.start()

    def test_to_drain_it_waits_as_long_as_for_an_answer(self):
        self.server.stop()
        done = subprocess.run([harness.SHUNT, "--timeout", "300ms", "work", "t", "--drain", "--", "cat"], env=self.server.environment(),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS_MAX)
        self.assertEqual(done.returncode, UNREACHABLE, done.stderr)
        self.server.start()

    # ---- a group that gives nothing

    def test_a_paused_group_is_told_and_not_waited_for(self):
        self.shunt("publish", "t", "--lines", input="1\n2\n")
        self.shunt("group", "pause", "t", "default")
        done = self.work("--", "cat", code=NOT_NOW)
        self.assertIn("group default of topic t is paused, 2 messages wait: `shunt group resume t default` lets it go on", done.stderr)
        self.assertEqual(done.stdout, "")
        self.shunt("group", "resume", "t", "default")
        self.assertEqual(self.work("--", "cat").stdout, "12")

    def test_what_is_blocked_by_a_dead_letter_is_told_and_not_waited_for(self):
        self.shunt("topic", "update", "t", "--order", "key", "--on-dead", "block", "--max-attempts", "1")
        for body in "1", "2", "3":
            self.shunt("publish", "t", "--key", "k", body)
        self.shunt("publish", "t", "--key", "other", "4")
        done = self.work("--", "sh", "-c", 'read -r n; [ "$n" != 1 ] && echo "$n"', code=NOT_NOW)
        self.assertIn("group default of topic t: 2 messages wait behind dead letters of 1 key: `shunt dlq list t -g default` shows them", done.stderr)
        self.assertEqual(done.stdout, "4\n")
        self.shunt("dlq", "redrive", "t", "--key", "k")
        self.assertEqual(self.work("--", "cat").stdout, "123")

    def test_a_paused_group_without_messages_is_drained(self):
        self.shunt("group", "pause", "t", "default")
        self.work("--", "cat", code=OK)

    def test_without_drain_a_pause_is_told(self):
        self.shunt("group", "pause", "t", "default")
        self.shunt("publish", "t", "x")
        process = self.start("work", "t", "--", "cat")
        self.assertIn("is paused, 1 message waits", process.stderr.readline())
        self.shunt("group", "resume", "t", "default")
        self.assertEqual(process.stdout.read(1), "x")

    # ---- draining

    @plain_only("it counts requests in what goes over the wire")
    def test_to_drain_costs_no_question_per_message(self):
        count = 200
        self.shunt("publish", "t", "--lines", input="".join(f"{i}\n" for i in range(count)))
        with Proxy(self.server.url) as proxy:
            self.work("--url", proxy.url, "--", "true")
        self.assertEqual(self.group("t")["acked"], count)
        # One at the end, and some where the machine let us wait for a message.
        self.assertLess(proxy.requests[GROUP_SHOW], count / 4, proxy.requests)


if __name__ == "__main__":
    harness.main()
