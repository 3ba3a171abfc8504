"""Commands that stand: `work --stream` on a real server, the protocol's page, and the two helpers."""
import base64
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import sys
import textwrap
import unittest

import harness
import wire
from cli_case import FAILED, USAGE, Case, lines_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPLIT_PARTS_MAX = 1024
# A command that speaks the protocol by itself. Its `handle` gets the message's fields, and what it returns is the answer.
BARE = """
import json, os, signal, sys, time
def say(**fields): print(json.dumps(fields), flush=True)
{handle}
for line in sys.stdin:
    fields = json.loads(line)
    with open({started!r}, "a") as file:
        file.write(f"{{os.getpid()}} {{fields['id']}} {{fields['attempt']}} {{fields.get('body')}}\\n")
    answer = handle(fields)
    if answer: say(id=fields["id"], **answer)
"""
ACK = "def handle(fields): return {'outcome': 'ack'}"


class Streaming(Case):
    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "t", "--max-attempts", "2", "--backoff", "1ms..2ms")
        self.started = self.directory / "started"
        self.started.write_text("")

    def command(self, handle, name="worker.py"):
        path = self.directory / name
        path.write_text(BARE.format(handle=textwrap.dedent(handle), started=str(self.started)))
        return [sys.executable, str(path)]

    def stream(self, handle, *args, **more):
        return self.shunt("work", "t", "--stream", "--drain", *args, "--", *self.command(handle), **more)

    def publish(self, *bodies):
        self.shunt("publish", "t", "--lines", input="".join(f"{body}\n" for body in bodies))

    def dead(self):
        return {row["body"]: row for row in lines_of(self.shunt("dlq", "export", "t", "-q").stdout)}

    def seen(self):
        """What the commands were given: (pid, id, attempt, body)."""
        return [line.split(" ", 3) for line in self.started.read_text().splitlines()]

    def all_acked(self, count):
        group = self.group("t")
        self.assertEqual((group["acked"], group["in_flight"], group["dead"], group["ready"]), (count, 0, 0, 0))


class Protocol(Streaming):
    def test_one_command_gets_all_messages(self):
        self.publish(*range(50))
        done = self.stream(ACK)
        self.assertIn("50 acked, 0 failed attempts, 0 rejected", done.stderr)
        self.assertEqual(len({pid for pid, *_ in self.seen()}), 1)
        self.assertEqual([row[3] for row in self.seen()], [str(i) for i in range(50)])
        self.all_acked(50)

    def test_slots_have_a_command_each(self):
        self.publish(*range(40))
        gate = self.directory / "gate"
        self.stream(f"""
            def handle(fields):
                # The first ones wait for each other: so as many run at a time.
                open({str(gate)!r} + str(os.getpid()), "w").close()
                import glob
                while len(glob.glob({str(gate)!r} + "*")) < 3: time.sleep(0.01)
                return {{"outcome": "ack"}}""", "-j", "3")
        self.assertEqual(len({pid for pid, *_ in self.seen()}), 3)
        self.all_acked(40)

    def test_the_members_of_a_message(self):
        with wire.connect(self.server) as client:
            client.publish("t", (b"text \xe2\x82\xac\n\xe2\x80\xa8", {"a": b"1", "b": b"\xff"}, b"key"), (b"\x00\x01", {}, b"\xfe"), b"\x1b[31m", b"")
        out = self.directory / "lines"
        self.stream(f"""
            def handle(fields):
                with open({str(out)!r}, "a") as file: print(json.dumps(fields), file=file)
                return {{"outcome": "ack"}}""", "--timeout", "1m")
        rows = lines_of(out.read_text())
        first = rows[0]
        self.assertGreater(first.pop("lease_ms"), 0)
        self.assertRegex(first.pop("published"), r"^\d{4}-\d\d-\d\dT")
        self.assertEqual(first, {"id": "t/1", "topic": "t", "group": "default", "attempt": 1, "deliveries": 1, "generation": 0, "timeout_ms": 60000,
                                 "headers": {"a": "1", "b": {"base64": "/w=="}}, "key": "key", "body": "text €\n\u2028"})
        self.assertEqual([(row.get("body"), row.get("body_base64")) for row in rows[1:]],
                         [(None, base64.b64encode(b"\x00\x01").decode()), (None, base64.b64encode(b"\x1b[31m").decode()), ("", None)])
        self.assertEqual((rows[1]["key_base64"], "key" in rows[2]), ("/g==", False))

    def test_each_outcome(self):
        self.publish("ack", "nack", "reject", "release")
        self.stream("""
            def handle(fields):
                outcome = "ack" if fields["deliveries"] > 2 else fields["body"]
                error = {"error_type": "bad_fruit", "error_message": "it is" + chr(0) + " green", "error_stack": "a\\nb", "fingerprint": "f"}
                return {"outcome": outcome, **(error if outcome in ("nack", "reject") else {}), **({"delay_ms": 1} if outcome in ("nack", "release") else {})}""")
        dead = self.dead()
        self.assertEqual({body: (row["reason"], row["error_type"], row["error_message"], row["error_stack"], row["attempts"]) for body, row in dead.items()},
                         {"nack": ("max_attempts", "bad_fruit", "it is? green", "a\nb", 2), "reject": ("rejected", "bad_fruit", "it is? green", "a\nb", 1)})
        self.assertEqual([row[2] for row in self.seen() if row[3] == "release"], ["1", "1", "1"])

    def test_a_body_larger_than_a_pipe(self):
        body = "x" * 900_000
        self.shunt("publish", "t", "--file", "-", input=body)
        out = self.directory / "size"
        self.stream(f"""
            def handle(fields):
                open({str(out)!r}, "w").write(str(len(fields["body"])))
                return {{"outcome": "ack"}}""")
        self.assertEqual(out.read_text(), "900000")

    def test_the_time_limit_and_signs_of_life(self):
        self.publish("hang", "after")
        self.stream("""
            def handle(fields):
                if fields["body"] == "hang": time.sleep(1000)
                return {"outcome": "ack"}""", "--timeout", "300ms")
        row = self.dead()["hang"]
        self.assertEqual((row["error_type"], row["error_message"], row["attempts"]), ("timeout", "killed after 300ms", 2))
        self.assertGreaterEqual(len({pid for pid, *_ in self.seen()}), 2)
        self.publish("long")
        self.stream("""
            def handle(fields):
                for i in range(12):
                    say(id=fields["id"], outcome="extend")
                    time.sleep(0.1)
                return {"outcome": "ack"}""", "--timeout", "900ms")
        self.assertEqual(len(self.dead()), 1)

    def test_fast_enough(self):
        """In one run on one machine, and with a margin of five below what docs/workers.md tells."""
        def cpu():
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            return used.ru_utime + used.ru_stime

        def cost(count, *command):
            self.publish(*range(count))
            before = cpu()
            self.shunt("work", "t", "--drain", *command)
            return (cpu() - before) / count
        script = self.directory / "quick.py"
        script.write_text(f"import sys; sys.path.insert(0, {str(ROOT / 'python')!r}); import shunt_stream; shunt_stream.run(lambda message: None)\n")
        each = cost(200, "--", "cat")
        standing = cost(4000, "--stream", "--", sys.executable, script)
        self.assertGreater(each / standing, 4)


class Blame(Streaming):
    CRASH = """
        def handle(fields):
            body = fields["body"]
            print("about", body, file=sys.stderr, flush=True)
            if body == "segv":
                import resource
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                os.kill(os.getpid(), signal.SIGSEGV)
            if body == "raise": raise ValueError("no fruit")
            if body.startswith("exit"): os._exit(int(body[4:]))
            return {"outcome": "ack"}"""

    def test_a_crash_is_blamed_on_the_message_that_was_held(self):
        bodies = ["a", "segv", "b", "raise", "c", "exit7", "d", "exit0", "e", "exit65", "f"]
        self.publish(*bodies)
        self.stream(self.CRASH)
        dead = self.dead()
        self.assertEqual({body: (row["reason"], row["error_type"], row["attempts"]) for body, row in dead.items()},
                         {"segv": ("max_attempts", "SIGSEGV", 2), "raise": ("max_attempts", "ValueError", 2), "exit7": ("max_attempts", "exit 7", 2),
                          "exit0": ("max_attempts", "exit 0", 2), "exit65": ("max_attempts", "exit 65", 2)})
        self.assertEqual(dead["segv"]["error_message"], "about segv")
        self.assertEqual(dead["raise"]["error_message"], "ValueError: no fruit")
        self.assertIn("ended without an answer", dead["exit0"]["error_message"])
        # What an earlier message said is not in the post-mortem of a later one.
        self.assertNotIn("about a", dead["segv"]["error_stack"])
        self.assertEqual(self.group("t")["acked"], 6)

    def test_the_cause_is_that_of_a_process_a_message(self):
        script = self.directory / "one.py"
        script.write_text("import json, sys\nif sys.argv[1:]: body = json.loads(sys.stdin.readline())['body']\nelse: body = sys.stdin.read()\nraise ValueError('no ' + body)\n")
        self.publish("x")
        self.shunt("work", "t", "--drain", "--", sys.executable, script)
        self.publish("x")
        self.shunt("work", "t", "--drain", "--stream", "--", sys.executable, script, "stream")
        self.assertEqual(len(lines_of(self.shunt("dlq", "causes", "t", "-o", "jsonl").stdout)), 1)

    def test_a_command_may_leave_between_messages(self):
        self.publish(*range(10))
        self.stream("""
            def handle(fields):
                say(id=fields["id"], outcome="ack")
                os._exit(3)""")
        self.all_acked(10)
        self.assertEqual(len({pid for pid, *_ in self.seen()}), 10)

    def breach(self, line, expected):
        """A command that breaks the protocol on the message `bad`, after others and before others."""
        self.publish("a", "bad", "b")
        self.stream(f"""
            def handle(fields):
                if fields["body"] == "bad":
                    {line}
                    time.sleep(1000)
                return {{"outcome": "ack"}}""")
        dead = self.dead()
        self.assertEqual(list(dead), ["bad"])
        self.assertEqual((dead["bad"]["error_type"], dead["bad"]["attempts"]), ("bad_answer", 2))
        self.assertRegex(dead["bad"]["error_message"], expected)
        self.assertEqual(self.group("t")["acked"], 2)
        # After "a" it is not certain whose fault it was: that time is not charged.
        self.assertEqual([row[2] for row in self.seen() if row[3] == "bad"][:3], ["1", "1", "2"])

    def test_rubbish(self):
        self.breach('print("hello", chr(27), flush=True)', r"this line is no answer \(one JSON object\): hello \S")

    def test_json_that_is_no_object(self):
        self.breach('print("[1]", flush=True)', r"no answer .*: \[1\]")

    def test_bytes_that_are_no_text(self):
        self.breach('os.write(1, b"\\xff\\x00\\n")', "this line is no answer")

    def test_an_answer_for_another_message(self):
        self.breach('say(id="t/1", outcome="ack")', "an answer for t/1, while the message is t/2")

    def test_an_answer_without_id(self):
        self.breach('say(outcome="ack")', "the answer has no id")

    def test_an_outcome_that_there_is_not(self):
        self.breach('say(id=fields["id"], outcome="done")', "outcome is ack, nack, reject, release, extend or late, not done")

    def test_a_member_that_there_is_not(self):
        self.breach('say(id=fields["id"], outcome="nack", delay=5)', "an answer has no member delay")

    def test_a_delay_beyond_the_limit(self):
        self.breach('say(id=fields["id"], outcome="nack", delay_ms=315360000001)', "delay_ms is a whole number from 0 to 315360000000")

    def test_an_error_with_an_ack(self):
        self.breach('say(id=fields["id"], outcome="ack", error_type="x")', "an error goes with nack, reject and late, not with ack")

    def test_a_line_without_end(self):
        self.breach('os.write(1, b"x" * (256 * 1024 + 1))', "a line of more than 256 KiB")

    def test_the_longest_line(self):
        self.publish("a")
        self.stream("""
            def handle(fields):
                line = json.dumps({"id": fields["id"], "outcome": "ack"})
                print(line + " " * (256 * 1024 - len(line)), flush=True)""")
        self.all_acked(1)

    def test_standard_output_is_closed(self):
        self.breach("os.close(1)", "closed its standard output and went on")

    def test_a_second_answer(self):
        """The next message is not blamed for it."""
        self.publish("a", "b", "c")
        done = self.stream("""
            def handle(fields):
                if fields["body"] == "a":
                    line = json.dumps({"id": fields["id"], "outcome": "ack"}) + "\\n"
                    os.write(1, 2 * line.encode())
                    return None
                return {"outcome": "ack"}""")
        self.all_acked(3)
        self.assertIn("an answer for t/1", done.stderr)

    def test_an_answer_before_the_line_was_read(self):
        self.shunt("publish", "t", "--file", "-", input="x" * 500_000)
        command = ["sh", "-c", "head -c 100 >/dev/null; echo '{\"id\":\"t/1\",\"outcome\":\"ack\"}'; sleep 1000"]
        self.shunt("work", "t", "--stream", "--drain", "--", *command)
        self.assertIn("before it had read its line", lines_of(self.shunt("dlq", "export", "t", "-q").stdout)[0]["error_message"])

    def test_a_command_that_cannot_begin(self):
        """It blames no message, and `work` ends."""
        self.publish("a")
        done = self.shunt("work", "t", "--stream", "--", sys.executable, "-c", "import not_there", code=FAILED)
        self.assertRegex(done.stderr, "ended 10 times in a row before it read a message: ModuleNotFoundError: ModuleNotFoundError: No module")
        self.shunt("work", "t", "--stream", "--", "true", code=FAILED)
        group = self.group("t")
        self.assertEqual((group["ready"], group["dead"], group["in_flight"]), (1, 0, 0))
        self.stream("def handle(fields): return {'outcome': 'ack' if fields['attempt'] == 1 else 'nack'}")
        self.all_acked(1)

    def test_a_command_that_never_reads(self):
        self.publish("a")
        done = self.shunt("work", "t", "--stream", "--start-timeout", "50ms", "--timeout", "20ms", "--", "sleep", "1000", code=FAILED)
        self.assertIn("did not begin to read a message in time", done.stderr)
        self.assertEqual(self.group("t")["ready"], 1)

    def test_a_command_that_starts_slowly_is_not_out_of_time(self):
        self.publish("a")
        script = self.directory / "slow.sh"
        script.write_text('sleep 1; exec "$@"\n')
        self.shunt("work", "t", "--stream", "--drain", "--timeout", "400ms", "--", "sh", script, *self.command("def handle(fields): return {'outcome': 'ack'}"))
        self.all_acked(1)

    def test_a_program_that_is_not_there(self):
        self.shunt("work", "t", "--stream", "--", "not-there", code=USAGE)
        self.shunt("work", "t", "--start-timeout", "1s", "--", "cat", code=USAGE)


class Stopping(Streaming):
    SLOW = """
        def handle(fields):
            while not os.path.exists({gate!r}): time.sleep(0.01)
            return {{"outcome": "ack"}}"""

    def begin(self, *args):
        gate = self.directory / "gate"
        process = self.start("work", "t", "--stream", *args, "--", *self.command(self.SLOW.format(gate=str(gate))))
        self.eventually(self.seen)
        return process, gate

    def test_a_stop_waits_for_the_answer(self):
        self.publish("a", "b", "c")
        process, gate = self.begin()
        process.send_signal(signal.SIGTERM)
        self.assertIn("stopping: waiting for 1 running command", process.stderr.readline())
        gate.write_text("")
        self.assertEqual(process.wait(60), 0)
        group = self.group("t")
        self.assertEqual((group["acked"], group["ready"], group["in_flight"]), (1, 2, 0))
        pid = int(self.seen()[0][0])
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_the_commands_input_ends_and_it_may_tidy_up(self):
        self.publish("a")
        left = self.directory / "left"
        path = self.directory / "tidy.py"
        path.write_text(BARE.format(handle=ACK, started=str(self.started)) + f"open({str(left)!r}, 'w').close()\n")
        self.shunt("work", "t", "--stream", "--drain", "--", sys.executable, path)
        self.assertTrue(left.exists())

    def test_a_stop_timeout_releases(self):
        self.publish("a")
        process, _ = self.begin("--stop-timeout", "100ms")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 0)
        self.assertEqual((self.group("t")["ready"], self.group("t")["dead"]), (1, 0))

    def test_a_second_signal_kills(self):
        self.publish("a")
        process, _ = self.begin()
        process.send_signal(signal.SIGTERM)
        process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), FAILED)
        self.stream("def handle(fields): return {'outcome': 'ack' if fields['attempt'] == 1 else 'nack'}")
        self.all_acked(1)

    def test_a_command_that_dies_of_the_stop_is_not_charged(self):
        self.publish("a")
        process, _ = self.begin()
        os.kill(int(self.seen()[0][0]), signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 0)
        self.assertEqual((self.group("t")["ready"], self.group("t")["dead"]), (1, 0))

    def test_nothing_outlives_a_killed_worker(self):
        self.publish("a")
        process, _ = self.begin()
        process.kill()
        process.wait()
        pid = int(self.seen()[0][0])
        self.eventually(lambda: not os.path.exists(f"/proc/{pid}") or " Z " in pathlib.Path(f"/proc/{pid}/stat").read_text())


PYTHON = f"""
import sys; sys.path.insert(0, {str(ROOT / 'python')!r})
import os, time, shunt_stream
class Green(Exception): pass
def handle(message):
    body = message.body.decode("utf-8", "replace")
    print("printed", body)
    if body == "reject": raise shunt_stream.Reject("never")
    if body == "retry": raise shunt_stream.Retry("later", delay=0.001)
    if body == "release" and message.deliveries == 1: raise shunt_stream.Release(delay=0)
    if body == "green": raise Green("not\\ud800 ripe")
    if body == "json": message.json()
    if body == "exit": sys.exit(9)
    if body == "long":
        for i in range(6): message.heartbeat(); time.sleep(0.1)
    assert message.headers == ({{"a": "1", "b": b"\\xff"}} if body == "headers" else {{}}), message.headers
    assert message.key == (b"\\xfe" if body == "headers" else None)
shunt_stream.run(handle)
"""
NODE = f"""
import {{ run, Reject, Retry, Release }} from '{ROOT}/node/shunt_stream.mjs'
class Green extends Error {{}}
run(async (message) => {{
  const body = message.body.toString()
  console.log('printed', body)
  if (body === 'reject') throw new Reject('never')
  if (body === 'retry') throw new Retry('later', 0.001)
  if (body === 'release' && message.deliveries === 1) throw new Release('', 0)
  if (body === 'green') throw new Green('not ripe')
  if (body === 'json') message.json()
  if (body === 'exit') process.exit(9)
  if (body === 'long') for (let i = 0; i < 6; i++) {{ message.heartbeat(); await new Promise(resolve => setTimeout(resolve, 100)) }}
  const right = body === 'headers' ? message.headers.a === '1' && message.headers.b[0] === 255 && message.key[0] === 254 : message.key === null
  if (!right) throw new Error('headers or key')
}})
"""


class Helpers(Streaming):
    BODIES = ["fine", "line\u2028separator", "reject", "retry", "release", "green", "json", "exit", "long"]

    def run_helper(self, command, json_error, green):
        with wire.connect(self.server) as client:
            client.publish("t", *[body.encode() for body in self.BODIES], (b"headers", {"a": b"1", "b": b"\xff"}, b"\xfe"), b"\x00" * 200_000)
        done = self.shunt("work", "t", "--stream", "--drain", "--timeout", "500ms", "--", *command)
        dead = self.dead()
        self.assertEqual({body: (row["reason"], row["error_type"], row["attempts"]) for body, row in dead.items()},
                         {"reject": ("rejected", "Reject", 1), "retry": ("max_attempts", "Retry", 2), "green": ("max_attempts", "Green", 2),
                          "json": ("max_attempts", json_error, 2), "exit": ("max_attempts", "exit 9", 2)})
        self.assertEqual(dead["green"]["error_message"], green)
        self.assertIn("Green", dead["green"]["error_stack"])
        self.assertIn("printed fine\n", done.stderr)
        self.assertEqual((done.stdout, self.group("t")["acked"]), ("", 6))
        self.assertEqual(sum("line" in row for row in done.stderr.splitlines() if row.startswith("printed")), 1)
        return dead

    def test_python(self):
        path = self.directory / "helper.py"
        path.write_text(PYTHON)
        dead = self.run_helper([sys.executable, str(path)], "json.decoder.JSONDecodeError", "Green: not? ripe")
        self.assertNotIn("shunt_stream.py", dead["green"]["error_stack"])

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_node(self):
        path = self.directory / "helper.mjs"
        path.write_text(NODE)
        self.run_helper(["node", str(path)], "SyntaxError", "Green: not ripe")

    def check_dead(self, command):
        """A worker that prints what it is told of a time to live and of a death."""
        self.publish("first")
        self.shunt("publish", "t", "second", "--ttl", "1h")
        self.shunt("work", "t", "--drain", "--", "sh", "-c", "echo cannot >&2; exit 65")
        self.shunt("publish", "t", "third")
        self.shunt("work", "t", "--stream", "--drain", "--", *command)
        done = self.shunt("work", "dlq:t:default", "--stream", "--drain", "--", *command)
        self.assertEqual([json.loads(line) for line in done.stderr.splitlines() if line.startswith("[")],
                         [["first", None, "rejected", "cannot", 1], ["second", 3600000, "rejected", "cannot", 1]])
        self.assertEqual(self.group("t")["dead"], 0)

    def check_keys(self, command):
        """A worker that prints the key of each message, and what it was before it was split."""
        self.shunt("publish", "t", "part", "--key", "hot", "--split", str(SPLIT_PARTS_MAX))
        self.shunt("publish", "t", "whole", "--key", "cold#1")
        self.shunt("publish", "t", "without")
        done = self.shunt("work", "t", "--stream", "--drain", "--", *command)
        part, *others = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("[")]
        self.assertRegex(part[0], "^hot#[0-9]+$")
        self.assertEqual(part[1], "hot")
        self.assertEqual(others, [["cold#1", "cold#1"], [None, None]])

    def test_python_knows_the_whole_key(self):
        path = self.directory / "helper.py"
        path.write_text(f"""
import sys; sys.path.insert(0, {str(ROOT / 'python')!r})
import json, shunt_stream
shunt_stream.run(lambda m: print(json.dumps([k and k.decode() for k in (m.key, m.base_key)])))
""")
        self.check_keys([sys.executable, str(path)])

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_node_knows_the_whole_key(self):
        path = self.directory / "helper.mjs"
        path.write_text(f"""
import {{ run }} from {json.dumps(str(ROOT / 'node/shunt_stream.mjs'))}
run(m => console.log(JSON.stringify([m.key, m.baseKey].map(k => k && k.toString()))))
""")
        self.check_keys(["node", str(path)])

    def test_python_is_told_of_deaths(self):
        path = self.directory / "helper.py"
        path.write_text(f"""
import sys; sys.path.insert(0, {str(ROOT / 'python')!r})
import json, shunt_stream
def handle(message):
    dead = message.dead
    if message.body == b"third" and dead is None and message.ttl_ms is None: return
    print(json.dumps([message.body.decode(), message.ttl_ms, dead["reason"], dead["error_message"], len(dead["history"])]))
shunt_stream.run(handle)
""")
        self.check_dead([sys.executable, str(path)])

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_node_is_told_of_deaths(self):
        path = self.directory / "helper.mjs"
        path.write_text(f"""
import {{ run }} from '{ROOT}/node/shunt_stream.mjs'
run(({{ body, ttl_ms, dead }}) => {{
  if (body.toString() === 'third' && dead === null && ttl_ms === null) return
  console.log(JSON.stringify([body.toString(), ttl_ms, dead.reason, dead.error_message, dead.history.length]))
}})
""")
        self.check_dead(["node", str(path)])

    def check_deadlines(self, command):
        """A worker that prints what it is told of a deadline, and gives up what has one."""
        self.shunt("publish", "t", "needed", "--deadline", "1h")
        self.shunt("publish", "t", "patient")
        done = self.shunt("work", "t", "--stream", "--drain", "--", *command)
        needed, patient = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("[")]
        self.assertRegex(needed[0], r"^\d{4}-\d\d-\d\dT.*Z$")
        self.assertTrue(0 < needed[1] <= 3600000, needed)
        self.assertEqual(patient, [None, None])
        self.assertEqual({body: (row["reason"], row["attempts"]) for body, row in self.dead().items()}, {"needed": ("deadline_exceeded", 0)})

    def test_python_is_told_of_deadlines(self):
        path = self.directory / "deadlines.py"
        path.write_text(f"""
import sys; sys.path.insert(0, {str(ROOT / 'python')!r})
import json, shunt_stream
def handle(message):
    print(json.dumps([message.deadline, message.remaining_ms]))
    if message.deadline: raise shunt_stream.Late("no time")
shunt_stream.run(handle)
""")
        self.check_deadlines([sys.executable, str(path)])

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_node_is_told_of_deadlines(self):
        path = self.directory / "deadlines.mjs"
        path.write_text(f"""
import {{ run, Late }} from {json.dumps(str(ROOT / 'node/shunt_stream.mjs'))}
run(({{ deadline, remaining_ms }}) => {{
  console.log(JSON.stringify([deadline, remaining_ms]))
  if (deadline) throw new Late('no time')
}})
""")
        self.check_deadlines(["node", str(path)])

    def test_short(self):
        for path in (ROOT / "python/shunt_stream.py", ROOT / "node/shunt_stream.mjs"):
            self.assertLess(len(path.read_text().splitlines()), 100, path.name)


class Page(Streaming):
    """docs/workers.md: its workers are run as printed, and its lines are what is said."""

    def test_examples(self):
        page = (ROOT / "docs/workers.md").read_text()
        programs = {match[1]: match[2] for match in re.finditer(r"^`(\S+)`:\n```\w*\n(.*?)^```", page, re.S | re.M)}
        triage = programs.pop("triage.py")
        self.assertEqual(set(programs), {"plain.py", "mails.py", "mails.mjs", "mails.sh"})
        shutil.copy(ROOT / "python/shunt_stream.py", self.directory)
        shutil.copy(ROOT / "node/shunt_stream.mjs", self.directory)
        runners = {".py": [sys.executable], ".mjs": ["node"], ".sh": ["sh"]}
        for number, (name, text) in enumerate(sorted(programs.items())):
            path = self.directory / name
            path.write_text(text)
            if path.suffix == ".mjs" and not shutil.which("node"):
                continue
            with self.subTest(name):
                topic = f"mails{number}"
                self.shunt("topic", "create", topic, "--max-attempts", "1")
                self.shunt("publish", topic, "--lines", input='{"to": "ann@example.org"}\n{"to": "nobody"}\n')
                self.shunt("work", topic, "--stream", "--drain", "--", *runners[path.suffix], path)
                dead = lines_of(self.shunt("dlq", "export", topic, "-q").stdout)
                self.assertEqual(([row["body"] for row in dead], self.group(topic)["acked"]), (['{"to": "nobody"}'], 1))
        path = self.directory / "triage.py"
        path.write_text(triage)
        done = self.shunt("work", "dlq:mails0:default", "--stream", "--drain", "--", sys.executable, path)
        self.assertRegex(done.stderr, r"(?m)^mails0/2 died of .* after 1 attempts$")
        self.assertEqual(self.group("mails0")["dead"], 0)

    def test_lines(self):
        page = (ROOT / "docs/workers.md").read_text()
        message = json.loads(re.search(r'^(\{"id":"mails/1".*)$', page, re.M)[1])
        self.shunt("topic", "create", "mails")
        self.shunt("publish", "mails", message["body"], "--key", message["key"], "-H", "trace=a1")
        out = self.directory / "line"
        self.shunt("work", "mails", "--stream", "--drain", "--timeout", "1m", "--", "sh", "-c", f"read -r line; printf '%s\n' \"$line\" > {out}; echo '{{\"id\":\"mails/1\",\"outcome\":\"ack\"}}'")
        said = json.loads(out.read_text())
        for changing in ("published", "lease_ms"):
            message.pop(changing), said.pop(changing)
        self.assertEqual(said, message)
        answers = re.findall(r'^(\{"id":"mails/1","outcome".*)$', page, re.M)
        self.assertEqual({json.loads(answer)["outcome"] for answer in answers}, {"ack", "nack", "reject", "release", "extend"})
        for answer in map(json.loads, answers):
            self.shunt("topic", "delete", "mails", "-y")
            self.shunt("topic", "create", "mails", "--max-attempts", "1")
            self.shunt("publish", "mails", "x")
            ack = json.dumps({"id": "mails/1", "outcome": "ack"})
            more = ack if answer["outcome"] == "extend" else ""
            script = 'read -r line; printf "%s\\n" "$0" $1; read -r line && printf "%s\\n" "$2"'
            with self.subTest(answer["outcome"]):
                self.shunt("work", "mails", "--stream", "--drain", "--", "sh", "-c", script, json.dumps(answer), more.replace(" ", ""), ack)
                dead = lines_of(self.shunt("dlq", "export", "mails", "-q").stdout)
                expected = [answer["error_type"]] if answer["outcome"] in ("nack", "reject") else []
                self.assertEqual(([row["error_type"] for row in dead], self.group("mails")["acked"]), (expected, 1 - len(expected)))


if __name__ == "__main__":
    harness.main()
