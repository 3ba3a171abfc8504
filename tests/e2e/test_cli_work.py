"""The tool working and looking after the dead letters on a real server."""
import base64
import json
import os
import pathlib
import re
import signal
import subprocess

import harness
import wire
from cli_case import FAILED, NOTHING, OK, PARTLY, USAGE, WAIT_SECONDS_MAX, Case, lines_of


def blocked(pid):
    """The signals that a process does not act on at once."""
    mask = int(re.search(r"SigBlk:\s*(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1], 16)
    return {number for number in range(1, 64) if mask >> (number - 1) & 1}


class Working(Case):
    def work(self, *args, **more):
        return self.shunt("work", "t", "--drain", *args, **more)

    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "t", "--max-attempts", "2", "--backoff", "1ms..2ms")

    def dead(self):
        return [json.loads(line) for line in self.shunt("dlq", "export", "t", "-q").stdout.splitlines()]

    def test_body_environment_and_output(self):
        self.shunt("publish", "t", "the body", "-H", "content-type=text/plain")
        done = self.work("--", "sh", "-c", 'cat; echo "|$SHUNT_TOPIC|$SHUNT_GROUP|$SHUNT_MESSAGE|$SHUNT_ATTEMPT|$SHUNT_HEADER_CONTENT_TYPE"; echo log >&2')
        self.assertEqual(done.stdout, "the body|t|default|t/1|1|text/plain\n")
        self.assertIn("log\n", done.stderr)
        self.assertIn("1 acked, 0 failed attempts, 0 rejected", done.stderr)
        group = self.group("t")
        self.assertEqual((group["acked"], group["in_flight"], group["dead"]), (1, 0, 0))

    def test_the_key_and_all_headers_reach_the_command(self):
        headers = {"trace-id": "first", "trace_id": "second", "größe": "a\nb \"c\"", "grö_e": "", "tab": "a\tb"}
        self.shunt("publish", "t", "b", "--key", "key 7", *[word for key, value in headers.items() for word in ("-H", f"{key}={value}")])
        variables = dict(entry.split("=", 1) for entry in self.work("--", "env", "-0").stdout.split("\0") if entry)
        self.assertEqual(json.loads(variables["SHUNT_HEADERS"]), headers)
        self.assertEqual((variables["SHUNT_KEY"], variables["SHUNT_HEADER_TRACE_ID"]), ("key 7", "first"))
        self.assertEqual(variables["SHUNT_BASE_KEY"], "key 7")
        self.assertNotIn("SHUNT_KEY_BASE64", variables)

    def test_headers_and_keys_that_are_no_text(self):
        with wire.connect(self.server) as client:
            client.publish("t", (b"1", {"a": b"\x00\xff", "b": "\x01" * 4096, "c": b"\xc3"}, b"\x00\x07"), b"2")
        # The variables with the bytes themselves cannot be printed as text.
        script = 'printenv SHUNT_HEADERS; echo "${SHUNT_KEY_BASE64-none}"; printf %s "${SHUNT_KEY-none}" | od -An -c; cat >/dev/null'
        rows = self.work("--", "sh", "-c", script).stdout.splitlines()
        sent = {key: base64.b64decode(value["base64"]) for key, value in json.loads(rows[0]).items()}
        self.assertEqual(sent, {"a": b"\x00\xff", "b": b"\x01" * 4096, "c": b"\xc3"})
        self.assertEqual((base64.b64decode(rows[1]), rows[2].split()), (b"\x00\x07", ["?", "\\a"]))
        self.assertEqual((rows[3], rows[4], rows[5].split()), ("{}", "none", list("none")))

    def test_the_largest_headers_reach_the_command(self):
        headers = {f"k{i}": '"' * 4000 for i in range(8)}
        with wire.connect(self.server) as client:
            client.publish("t", (b"1", headers))
        out = self.work("--", "sh", "-c", 'printf %s "$SHUNT_HEADERS"').stdout
        self.assertEqual(json.loads(out), headers)

    def test_the_history_names_the_command(self):
        script = self.directory / "resize.sh"
        script.write_text("exit 1\n")
        self.shunt("publish", "t", "--lines", input="1\n2\n3\n")
        self.work("--client", "resizer", "--build", "v1.2", "--", "sh", script)
        self.shunt("publish", "t", "b")
        self.work("--", "sh", script)
        script.write_text("exit 2\n")
        self.shunt("publish", "t", "b")
        self.work("--", "sh", script)
        told = {row["origin"]: {(step["consumer"], step["build"]) for step in row["history"]} for row in self.dead()}
        self.assertEqual(told["t/1"], {("resizer", "v1.2")})
        self.assertRegex(str(told["t/4"]), r"^\{\('resize\.sh-\d+', '[0-9a-f]{16}'\)\}$")
        self.assertNotEqual({build for _, build in told["t/4"]}, {build for _, build in told["t/5"]})
        self.assertRegex(self.shunt("dlq", "show", "t", "t/1").stdout, r"CONSUMER +HOST +BUILD +ERROR\n(?s:.*) resizer .* v1\.2 +exit 1")
        done = self.work("--client", "x" * 129, "--", "true", code=USAGE)
        self.assertIn("client", done.stderr)

    def test_exit_codes_and_signals(self):
        self.shunt("publish", "t", "--lines", input="exit 0\nexit 65\nexit 7\nkill -SEGV $$\nkill -KILL $$\n")
        done = self.work("-j", "3", "--", "sh", "-c", 'ulimit -c 0; script=$(cat); echo "about: $script" >&2; eval "$script"')
        self.assertIn("1 acked, 6 failed attempts, 1 rejected", done.stderr)
        self.assertIn("4 dead letters lie in dlq:t:default, 4 of them unattended", done.stderr)
        for attempt in (1, 2):
            self.assertIn(f"t/4: failed attempt {attempt}: SIGSEGV: about: kill -SEGV $$", done.stderr)
            self.assertIn(f"t/5: failed attempt {attempt}: SIGKILL", done.stderr)
        self.assertNotIn("t/3: failed", done.stderr, "its own output tells that")
        dead = {row["body"]: row for row in self.dead()}
        self.assertEqual({body: (row["reason"], row["error_type"], row["attempts"]) for body, row in dead.items()},
                         {"exit 65": ("rejected", "exit 65", 1), "exit 7": ("max_attempts", "exit 7", 2),
                          "kill -SEGV $$": ("max_attempts", "SIGSEGV", 2), "kill -KILL $$": ("max_attempts", "SIGKILL", 2)})
        for body, row in dead.items():
            self.assertEqual((row["error_message"], row["error_stack"]), (f"about: {body}", f"about: {body}\n"))
            self.assertEqual([step["number"] for step in row["history"]], list(range(1, row["attempts"] + 1)))
            self.assertTrue(all(step["charged"] and step["error_message"] == f"about: {body}" for step in row["history"]))

    def test_attempts_are_numbered(self):
        self.shunt("publish", "t", "b")
        self.assertEqual(self.work("--", "sh", "-c", "echo $SHUNT_ATTEMPT; exit 1").stdout, "1\n2\n")

    def test_the_last_line_and_the_last_16_kib(self):
        self.shunt("publish", "t", "b")
        self.work("--", "python3", "-c", "import sys\nfor i in range(5000): print('line', i, file=sys.stderr)\nprint(' \\n', file=sys.stderr)\nsys.exit(3)")
        row = self.dead()[0]
        self.assertEqual(row["error_message"], "line 4999")
        self.assertLessEqual(len(row["error_stack"]), 16384)
        self.assertGreater(len(row["error_stack"]), 16000)
        self.assertTrue(row["error_stack"].rstrip().endswith("line 4999"))

    def test_the_error_is_that_of_the_exception(self):
        self.shunt("publish", "t", "b")
        self.work("--", "python3", "-c", "import json; json.loads('{order 17}')")
        row = self.dead()[0]
        self.assertEqual(row["error_type"], "json.decoder.JSONDecodeError")
        self.assertRegex(row["error_message"], r"^json\.decoder\.JSONDecodeError: Expecting")
        self.assertTrue(row["error_stack"].startswith("Traceback"))
        # The line names the class itself: once is enough.
        self.assertIn(" json.decoder.JSONDecodeError: Expecting", self.shunt("dlq", "list", "t").stdout)
        self.assertNotIn("JSONDecodeError: json.", self.shunt("dlq", "show", "t", "t/1").stdout)

    def test_errors_are_cut_between_characters(self):
        self.shunt("publish", "t", "b")
        self.work("--", "python3", "-c", "import sys; sys.stderr.buffer.write(b'\\xe2\\x82\\xac' * 1000000); sys.exit(1)")
        row = self.dead()[0]
        self.assertEqual((set(row["error_message"]), set(row["error_stack"])), ({"€"}, {"€"}))
        self.assertIn(f" exit 1: {row['error_message']}\n", self.shunt("dlq", "list", "t").stdout, "what is piped is whole")

    def test_stdout_speaks_when_stderr_is_silent(self):
        self.shunt("publish", "t", "b")
        self.work("--", "sh", "-c", "echo on stdout; exit 3")
        self.assertEqual(self.dead()[0]["error_message"], "on stdout")

    def test_bytes_that_are_no_text_in_an_error(self):
        self.shunt("publish", "t", "b")
        self.work("--", "sh", "-c", r"printf 'bad \377 \0 byte\n' >&2; exit 3")
        self.assertEqual(self.dead()[0]["error_message"], "bad ? ? byte")

    def test_timeout_kills_the_whole_group(self):
        self.shunt("publish", "t", "b")
        self.work("--timeout", "200ms", "--", "sh", "-c", "sleep 1000 & echo $! >> %s; wait" % (self.directory / "pids"))
        row = self.dead()[0]
        self.assertEqual((row["error_type"], row["error_message"], row["attempts"]), ("timeout", "killed after 200ms", 2))
        pids = (self.directory / "pids").read_text().split()
        self.assertEqual(len(pids), 2)

        def gone():
            return all(not os.path.exists(f"/proc/{pid}") or " Z " in pathlib.Path(f"/proc/{pid}/stat").read_text() for pid in pids)
        self.eventually(gone)

    def test_large_bodies_read_or_not(self):
        body = "x" * (1024 * 1024)
        self.shunt("publish", "t", input=body)
        self.shunt("publish", "t", input=body)
        self.assertEqual(self.work("--", "sh", "-c", "wc -c").stdout.split(), [str(len(body))] * 2)
        self.shunt("publish", "t", input=body)
        self.assertIn("1 acked", self.work("--", "true").stderr)

    def test_commands_run_side_by_side(self):
        self.shunt("publish", "t", "--lines", input="a\nb\n")
        # Each waits for the other's mark: it ends only if both run at once.
        script = 'me=$(cat); touch "$0/$me"; until [ -e "$0/a" ] && [ -e "$0/b" ]; do sleep 0.01; done; echo $me'
        done = self.work("-j", "2", "--timeout", "60s", "--", "sh", "-c", script, str(self.directory))
        self.assertEqual(sorted(done.stdout.split()), ["a", "b"])
        self.assertIn("2 acked, 0 failed", done.stderr)

    def test_a_lease_is_extended_for_as_long_as_it_takes(self):
        self.shunt("topic", "update", "t", "--lease", "300ms")
        self.shunt("publish", "t", "b")
        done = self.work("--", "sleep", "1.5")
        self.assertIn("1 acked, 0 failed attempts, 0 rejected", done.stderr)
        group = self.group("t")
        self.assertEqual((group["acked"], group["deliveries"]), (1, 1))

    def test_a_first_signal_waits_for_what_runs(self):
        self.shunt("publish", "t", "--lines", input="1\n2\n3\n")
        go = self.directory / "go"
        process = self.start("work", "t", "--", "sh", "-c", f"echo begun; until [ -e {go} ]; do sleep 0.01; done; echo ended")
        self.assertEqual(process.stdout.readline(), "begun\n")
        process.send_signal(signal.SIGTERM)
        self.assertIn("stopping: waiting for 1 running command", process.stderr.readline())
        go.touch()
        out, _ = process.communicate(timeout=WAIT_SECONDS_MAX)
        self.assertEqual((out, process.returncode), ("ended\n", OK))
        group = self.group("t")
        self.assertEqual((group["acked"], group["ready"], group["in_flight"]), (1, 2, 0))

    def test_a_terminal_that_goes_away_waits_for_what_runs(self):
        self.shunt("publish", "t", "one")
        os.mkfifo(self.directory / "go")
        # The process that runs the tests may ignore SIGHUP, as under nohup; then so would the worker.
        worker = self.start("work", "t", "--", "sh", "-c", "echo begun; read line < go; echo done", cwd=self.directory,
                            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
        self.assertEqual(worker.stdout.readline(), "begun\n")
        worker.send_signal(signal.SIGHUP)
        worker.send_signal(signal.SIGHUP)  # kernel and shell both tell
        self.assertIn("stopping", worker.stderr.readline())
        (self.directory / "go").write_text("\n")
        self.assertEqual(worker.wait(WAIT_SECONDS_MAX), OK)
        self.assertEqual(self.group("t")["acked"], 1)

    def test_a_second_signal_kills_and_charges_nothing(self):
        self.shunt("publish", "t", "1")
        process = self.start("work", "t", "--", "sh", "-c", "echo begun; sleep 1000")
        self.assertEqual(process.stdout.readline(), "begun\n")
        process.send_signal(signal.SIGINT)
        self.assertIn("stopping", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(WAIT_SECONDS_MAX), FAILED)
        message = lines_of(self.shunt("consume", "t", "-n", "1", "-o", "jsonl").stdout)[0]
        self.assertEqual(message["attempts"], 0)

    def test_work_goes_on_when_the_server_comes_back(self):
        self.shunt("topic", "create", "long", "--lease", "10m")
        self.shunt("publish", "long", "--lines", input="".join(f"{i}\n" for i in range(20)))
        go = self.directory / "go"
        script = f"cat; echo; until [ -e {go} ]; do sleep 0.01; done"
        process = self.start("work", "long", "-j", "2", "--drain", "--", "sh", "-c", script)
        first = [process.stdout.readline() for _ in range(2)]
        self.server.kill()
        self.server.options = ["--listen", self.server.address]
        self.server.start()
        go.touch()
        out, err = process.communicate(timeout=WAIT_SECONDS_MAX)
        self.assertEqual(process.returncode, OK, err)
        self.assertEqual(sorted({int(line) for line in first + out.splitlines()}), list(range(20)))
        self.assertIn("20 acked, 0 failed attempts, 0 rejected", err)
        group = self.group("long")
        self.assertEqual((group["acked"], group["dead"]), (20, 0))

    def test_drain_waits_for_what_is_delayed(self):
        self.shunt("publish", "t", "b", "--delay", "300ms")
        self.assertEqual(self.work("--", "cat").stdout, "b")
        self.assertIn("0 acked", self.work("--", "cat").stderr)

    def test_a_program_without_a_format_charges_nothing(self):
        program = self.directory / "no-program"
        program.write_bytes(b"\x7fnonsense")
        program.chmod(0o755)
        self.shunt("publish", "t", "b")
        done = self.work("--", program, code=FAILED)
        self.assertIn("cannot be run", done.stderr)
        message = lines_of(self.shunt("consume", "t", "-n", "1", "-o", "jsonl").stdout)[0]
        self.assertEqual(message["attempts"], 0)


class DeadLetters(Case):
    def test_list_and_show(self):
        self.fill_dlq("d", ["a", "b", "c"], reject=False)
        rows = self.document("dlq", "list", "d")
        self.assertEqual(list(rows[0]), "id origin topic group reason cause attended attempts deliveries generation published died error_type error_message "
                                        "headers key size ttl_ms deadline rule rule_action rule_at edit".split())
        self.assertEqual([row["origin"] for row in rows], ["d/1", "d/2", "d/3"])
        first = rows[0]
        self.assertRegex(first["id"], r"^dlq:d:default/\d+$")
        self.assertRegex(first["died"], r"^20\d\d-.*Z$")
        self.assertEqual((first["topic"], first["group"], first["reason"], first["attempts"], first["error_type"], first["error_message"], first["size"]),
                         ("d", "default", "max_attempts", 1, "exit 7", "cannot: a", 1))
        table = self.shunt("dlq", "list", "d").stdout.splitlines()
        self.assertEqual(table[0].split(), "ID ORIGIN REASON ATTEMPTS DIED AGE CAUSE RULE ERROR".split())
        self.assertEqual(len(table), 4)
        self.assertTrue(table[1].endswith("exit 7: cannot: a"))

        page = self.shunt("dlq", "list", "d", "--limit", "2", "-o", "jsonl")
        self.assertEqual([row["origin"] for row in lines_of(page.stdout)], ["d/1", "d/2"])
        self.assertIn("there are more", page.stderr)
        last = lines_of(page.stdout)[-1]["id"]
        self.assertEqual([row["origin"] for row in self.document("dlq", "list", "d", "--after", last)], ["d/3"])
        self.shunt("dlq", "list", "d", "--after", "x", code=USAGE)

        for name in (first["id"], "d/1", first["id"].split("/")[1]):
            shown = self.document("dlq", "show", "d", name)
            self.assertEqual((shown["origin"], shown["body"], shown["error_stack"]), ("d/1", "a", "cannot: a\n"))
            self.assertEqual(len(shown["history"]), 1)
            self.assertEqual((shown["history"][0]["outcome"], shown["history"][0]["charged"]), ("nacked", True))
        text = self.shunt("dlq", "show", "d", "d/1").stdout
        for part in ("history:", "error stack of attempt 1:\n  cannot: a", "body (1 bytes):\n  a"):
            self.assertIn(part, text)
        self.shunt("dlq", "show", "d", "d/99", code=NOTHING)

    def test_an_empty_queue(self):
        self.shunt("topic", "create", "t")
        self.assertEqual(self.document("dlq", "list", "t"), [])
        self.assertEqual(len(self.shunt("dlq", "list", "t").stdout.splitlines()), 1)
        self.assertEqual(self.shunt("dlq", "export", "t").stdout, "")
        self.shunt("dlq", "redrive", "t", "--all", code=NOTHING)
        self.shunt("dlq", "redrive", "t", "t/1", code=NOTHING)
        self.shunt("dlq", "purge", "t", "--all", code=NOTHING)

    def test_a_body_that_is_no_text_is_dumped(self):
        self.shunt("topic", "create", "d", "--max-attempts", "1")
        subprocess.run([harness.SHUNT, "publish", "d"], env=self.server.environment(), input=b"\x00\xff\x1b[31m", check=True,
                       stdout=subprocess.DEVNULL, timeout=60)
        self.shunt("work", "d", "--drain", "--", "false")
        self.assertIn("00 ff 1b 5b 33 31 6d", self.shunt("dlq", "show", "d", "d/1").stdout)
        self.assertEqual(base64.b64decode(self.document("dlq", "show", "d", "d/1")["body_base64"]), b"\x00\xff\x1b[31m")

    def test_redrive_of_some_of_a_count_and_of_all(self):
        self.fill_dlq("d", list("abcdef"))
        done = self.shunt("dlq", "redrive", "d", "d/2", "d/4")
        self.assertIn("redriven 2 dead letters", done.stderr)
        messages = lines_of(self.shunt("consume", "d", "-n", "2", "-o", "jsonl").stdout)
        self.assertEqual([(m["id"], m["body"], m["attempts"], m["generation"]) for m in messages], [("d/2", "b", 0, 1), ("d/4", "d", 0, 1)])
        self.shunt("dlq", "redrive", "d", "d/1", "d/99", code=PARTLY)
        self.assertEqual(self.document("dlq", "redrive", "d", "--count", "1")["redriven"], 1)
        self.assertEqual([row["origin"] for row in self.document("dlq", "list", "d")], ["d/5", "d/6"])
        self.shunt("dlq", "redrive", "d", "--all", "--rate", "1000/s")
        self.assertEqual(self.document("dlq", "list", "d"), [])
        self.assertEqual(self.shunt("consume", "d", "-n", "4").stdout.split(), ["a", "c", "e", "f"])

    def test_an_interrupted_redrive_tells_how_it_is_stopped(self):
        self.fill_dlq("d", list("abcdef"))
        process = self.start("dlq", "redrive", "d", "--all", "--rate", "1/s", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.eventually(lambda: self.group("d")["redriven"] >= 1)
        # Only when it waits: before that, a signal ends it as any other.
        self.eventually(lambda: signal.SIGINT in blocked(process.pid))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WAIT_SECONDS_MAX)
        self.assertEqual(process.returncode, PARTLY)
        job = re.search(r"job (\d+) goes on, \d+ redriven so far: `shunt job cancel \1` stops it", err)[1]
        shown = self.document("job", "show", job)
        self.assertEqual((shown["kind"], shown["state"], shown["total"]), ("redrive", "running", 6))
        done = self.document("job", "cancel", job)
        self.assertEqual((done["state"], done["done"] < 6), ("done", True))
        self.assertEqual(self.group("d")["dead"], 6 - done["done"])
        self.shunt("job", "cancel", job)  # it is done: that is what was wanted
        self.shunt("job", "cancel", "4711", code=NOTHING)
        self.shunt("job", "show", "x", code=USAGE)
        self.assertIn("state", self.shunt("job", "show", job).stdout)

    def test_redrive_without_waiting(self):
        self.fill_dlq("d", list("abc"))
        answer = self.document("dlq", "redrive", "d", "--all", "--no-wait")
        self.assertEqual(answer["redriven"], 3)
        self.assertGreater(answer["job"], 0)
        self.eventually(lambda: self.group("d")["ready"] == 3)

    def test_purge_asks_and_exports_come_first(self):
        self.fill_dlq("d", list("abc"))
        target = self.directory / "dead.jsonl"
        self.assertIn("exported 3 dead letters", self.shunt("dlq", "export", "d", "--to", target).stderr)
        exported = lines_of(target.read_text())
        self.assertEqual([(row["origin"], row["body"], len(row["history"])) for row in exported], [("d/1", "a", 1), ("d/2", "b", 1), ("d/3", "c", 1)])
        self.assertEqual(os.listdir(self.directory), ["dead.jsonl"])
        self.shunt("dlq", "export", "d", "--to", self.directory / "missing" / "x", code=FAILED)
        done = self.shunt("dlq", "purge", "d", "--all", code=USAGE)
        self.assertIn("purging 3 dead letters of group default of topic d for good", done.stderr)
        self.assertEqual(len(self.document("dlq", "list", "d")), 3)
        self.assertEqual(self.document("dlq", "purge", "d", "d/2", "-y")["purged"], 1)
        self.assertEqual(self.document("dlq", "purge", "d", "--count", "1", "-y")["purged"], 1)
        self.assertEqual([row["origin"] for row in self.document("dlq", "list", "d")], ["d/3"])
        self.shunt("dlq", "purge", "d", "--all", "-y")
        self.assertEqual(self.document("dlq", "list", "d"), [])

    def test_after_takes_no_name_of_an_origin(self):
        self.fill_dlq("d", ["a", "b", "c"])
        self.assertEqual([row["id"] for row in self.document("dlq", "list", "d", "--after", "dlq:d:default/2")], ["dlq:d:default/3"])
        for origin in ("d/2", "dlq:other:default/2", "99999999999999999999999"):
            self.shunt("dlq", "list", "d", "--after", origin, code=USAGE)

    def test_an_export_writes_to_what_is_no_file_as_it_is(self):
        self.fill_dlq("d", ["a"])
        path = self.directory / "pipe"
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            self.shunt("dlq", "export", "d", "--to", path)
            self.assertEqual(json.loads(os.read(reader, 65536))["origin"], "d/1")
        finally:
            os.close(reader)
        self.assertTrue(path.is_fifo())
        self.assertEqual(json.loads(self.shunt("dlq", "export", "d", "--to", "-").stdout)["origin"], "d/1")

    def test_a_retention_that_takes_dead_letters_asks(self):
        self.fill_dlq("d", list("abc"))
        self.shunt("group", "create", "d", "own", "--dlq-retention", "1h")
        self.shunt("topic", "update", "d", "--dlq-retention", "1h")  # takes nothing
        done = self.shunt("topic", "update", "d", "--dlq-retention", "1ms", code=USAGE)
        self.assertIn("with a retention of 1ms, 3 dead letters of topic d will be dropped at once, for good", done.stderr)
        done = self.shunt("group", "update", "d", "default", "--dlq-retention", "1ms", code=USAGE)
        self.assertIn("3 dead letters of group default of topic d will be dropped", done.stderr)
        self.shunt("topic", "update", "d", "--dlq-retention", "0")
        self.assertEqual(len(self.document("dlq", "list", "d")), 3)
        # A group with a retention of its own loses nothing by the topic's, but by going back to that.
        self.shunt("group", "update", "d", "default", "--dlq-retention", "1h")
        self.shunt("topic", "update", "d", "--dlq-retention", "1ms")
        self.shunt("group", "update", "d", "default", "--dlq-retention", "inherit", code=USAGE)
        self.assertEqual(self.document("topic", "show", "d")["groups"][0]["policy"]["dlq_retention_ms"], 3600000)
        self.shunt("group", "update", "d", "default", "--dlq-retention", "inherit", "-y")
        self.eventually(lambda: self.document("dlq", "list", "d") == [])

    def test_a_retention_counts_up_to_a_bound(self):
        self.shunt("topic", "create", "d", "--ttl", "1ms")
        self.shunt("publish", "d", "--lines", input="x\n" * 11000)
        self.eventually(lambda: self.group("d")["dead"] == 11000)
        done = self.shunt("topic", "update", "d", "--dlq-retention", "1ms", code=USAGE)
        self.assertIn("10000 or more dead letters of topic d will be dropped", done.stderr)

    def test_of_a_group(self):
        self.shunt("topic", "create", "t", "--max-attempts", "1")
        self.shunt("group", "create", "t", "g")
        self.shunt("publish", "t", "b")
        self.shunt("work", "t", "-g", "g", "--drain", "--", "false")
        self.assertEqual(self.document("dlq", "list", "t"), [])
        self.assertEqual(self.document("dlq", "list", "t", "-g", "g")[0]["id"].split("/")[0], "dlq:t:g")


if __name__ == "__main__":
    harness.main()
