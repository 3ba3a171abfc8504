"""Deadlines from the publisher to the handler and beyond: what is handed out, what is left, what is inherited, what dies of it, and what an operator does with that."""
import datetime
import json
import subprocess
import sys
import time
import unittest

import harness
import wire
from cli_case import FAILED, NOTHING, USAGE, Case, lines_of
from secure import FIRST_JOB
from test_api import Calls

sys.path.insert(0, str(harness.SOURCE_ROOT / "python"))
import shunt  # noqa: E402

FAR = "1h"
FAR_MS = 3600000


def ms_of(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


class Deadlines(Case):
    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "t", "--max-attempts", "3", "--backoff", "1ms..2ms")

    def dead(self, count):
        self.eventually(lambda: self.group("t")["dead"] == count)
        return self.document("dlq", "list", "t")

    def consumed(self, *args):
        return lines_of(self.shunt("consume", "t", "-o", "jsonl", "--wait", "0", *args).stdout)

    def expired(self, *args):
        """A letter that died of its deadline."""
        self.shunt("publish", "t", "x", "--deadline", "1ms", *args)
        return self.dead(1)[0]

    # ---- publishing

    def test_it_reaches_the_consumer_as_it_was_given(self):
        before = time.time() * 1000
        self.shunt("publish", "t", "a", "--deadline", FAR)
        self.shunt("publish", "t", "b", "--deadline", "2999-12-31T12:00:00.25+01:00")
        self.shunt("publish", "t", "c", "--deadline", "none")
        self.shunt("publish", "t", "d")
        peeked = lines_of(self.shunt("consume", "t", "--peek", "-o", "jsonl").stdout)
        rows = self.consumed("-n", "4")
        self.assertEqual([row["deadline"] for row in peeked], [row["deadline"] for row in rows])
        self.assertTrue(before + FAR_MS <= ms_of(rows[0]["deadline"]) + 1 <= time.time() * 1000 + FAR_MS + 1, rows[0])
        self.assertEqual([row["deadline"] for row in rows[1:]], ["2999-12-31T11:00:00.250Z", None, None])

    def test_what_is_no_deadline_is_refused_and_one_that_has_passed_is_not_published(self):
        for text in ("soon", "", "0", "-5s", "2026-11-29", "99999999999999999999d"):
            self.assertIn("--deadline", self.shunt("publish", "t", "x", "--deadline", text, code=USAGE).stderr)
        self.assertIn("passed", self.shunt("publish", "t", "x", "--deadline", "2001-01-01T00:00:00Z", code=FAILED).stderr)
        self.assertEqual(self.group("t")["published"], 0)

    def test_what_passes_dies_of_it_uncharged_and_says_so(self):
        letter = self.expired()
        said = "its deadline passed while the message waited for a consumer"
        self.assertEqual((letter["reason"], letter["attempts"], letter["error_type"], letter["error_message"]), ("deadline_exceeded", 0, "deadline_exceeded", said))
        shown = self.document("dlq", "show", "t", "1")
        self.assertEqual([(row["outcome"], row["charged"]) for row in shown["history"]], [("deadline_exceeded", False)])
        self.assertEqual(shown["deadline"], letter["deadline"])
        self.assertRegex(self.shunt("dlq", "show", "t", "1").stdout, rf"(?m)^deadline +{letter['deadline']} \(")
        why = self.shunt("why", "t/1").stdout
        self.assertIn("died, because its deadline passed before it was done", why)
        [group] = self.document("why", "t/1")["groups"]
        self.assertEqual((group["death"]["reason"], group["deadline"]), ("deadline_exceeded", None))
        self.assertEqual(len(self.document("dlq", "list", "t", "--reason", "deadline_exceeded")), 1)
        self.shunt("consume", "t", "--wait", "0", code=NOTHING)

    def test_it_is_discarded_where_the_group_says_so(self):
        self.shunt("topic", "update", "t", "--expired", "discard")
        self.shunt("publish", "t", "x", "--deadline", "1ms")
        self.eventually(lambda: self.group("t")["discarded"] == 1)

    def test_a_message_that_waits_tells_why_until_when(self):
        self.shunt("publish", "t", "a", "--deadline", "2999-12-31T11:00:00Z", "--ttl", "1h")
        why = self.document("why", "t/1")
        self.assertEqual((why["deadline"], why["groups"][0]["deadline"]), ("2999-12-31T11:00:00.000Z",) * 2)
        self.assertLess(ms_of(why["groups"][0]["expires"]), ms_of(why["deadline"]))

    # ---- the way back

    def test_a_redrive_drops_it_unless_it_is_told_to_keep_it(self):
        self.expired()
        self.shunt("dlq", "redrive", "t/1", "--keep-deadline")
        [again] = self.dead(1)
        self.assertEqual((again["generation"], again["reason"]), (1, "deadline_exceeded"))
        self.assertTrue(self.document("redrive", "show", FIRST_JOB)["keep_deadline"])
        self.shunt("dlq", "redrive", "t/1")
        [row] = self.consumed("-n", "1")
        self.assertEqual((row["generation"], row["deadline"]), (2, None))

    def test_a_move_to_another_topic_drops_it_too(self):
        self.shunt("topic", "create", "u")
        self.expired()
        self.shunt("dlq", "redrive", "t", "1", "--to", "u")
        [row] = lines_of(self.shunt("consume", "u", "-o", "jsonl", "-n", "1").stdout)
        self.assertEqual((row["body"], row["deadline"]), ("x", None))

    def test_an_export_with_a_deadline_that_has_passed_is_not_published_to_die(self):
        self.expired()
        exported = self.shunt("dlq", "export", "t", "-q").stdout
        done = self.shunt("publish", "t", "--jsonl", input=exported, code=FAILED)
        self.assertRegex(done.stderr, r"line 1: the deadline \S+ passed \S+ ago, .*leave deadline out")
        row = json.loads(exported)
        del row["deadline"]
        self.shunt("publish", "t", "--jsonl", input=json.dumps(row) + "\n" + json.dumps({"body": "y", "deadline": "2999-01-01T00:00:00Z"}) + "\n"
                   + json.dumps({"body": "z", "deadline": 32472144000000}))
        self.assertEqual([row["deadline"] for row in self.consumed("-n", "3")], [None, "2999-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"])

    # ---- handlers

    def work(self, *args, **more):
        return self.shunt("work", "t", "--drain", *args, **more)

    def test_a_command_is_told_until_when_and_what_it_publishes_inherits_that(self):
        self.shunt("topic", "create", "u")
        self.shunt("publish", "t", "a", "--deadline", FAR)
        script = f'echo "$SHUNT_DEADLINE"; {harness.SHUNT} publish u inherited -q; {harness.SHUNT} publish u own --deadline none -q'
        told = int(self.work("--", "sh", "-c", script).stdout.split()[0])
        self.assertTrue(time.time() * 1000 < told <= time.time() * 1000 + FAR_MS)
        rows = lines_of(self.shunt("consume", "u", "-o", "jsonl", "-n", "2").stdout)
        self.assertEqual([row["body"] for row in rows], ["inherited", "own"])
        self.assertEqual(([ms_of(row["deadline"]) for row in rows[:1]], rows[1]["deadline"]), ([told], None))
        self.shunt("publish", "t", "b")
        self.assertEqual(self.work("--", "sh", "-c", 'echo "${SHUNT_DEADLINE-none}"').stdout, "none\n")

    def publish_under(self, deadline):
        return subprocess.run([harness.SHUNT, "publish", "t", "x"], env={**self.server.environment(), "SHUNT_DEADLINE": deadline},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)

    def test_what_is_inherited_and_has_passed_is_not_published(self):
        done = self.publish_under("1000000000000")
        self.assertEqual(done.returncode, FAILED, done.stderr)
        self.assertIn("SHUNT_DEADLINE: the deadline 2001-09-09T01:46:40.000Z passed", done.stderr)
        self.assertEqual(self.publish_under("tomorrow").returncode, USAGE)
        self.assertEqual(self.group("t")["published"], 0)

    def test_a_command_that_is_not_done_in_time_is_ended_and_nobody_is_charged(self):
        self.shunt("publish", "t", "x", "--deadline", "2s")
        done = self.work("--", "sh", "-c", "echo begun >&2; exec sleep 1000")
        self.assertIn("1 past their deadline", done.stderr)
        [letter] = self.dead(1)
        self.assertEqual((letter["reason"], letter["attempts"], letter["error_type"]), ("deadline_exceeded", 0, "deadline_exceeded"))
        [row] = self.document("dlq", "show", "t", "1")["history"]
        self.assertEqual((row["outcome"], row["charged"]), ("deadline_exceeded", False))
        self.assertIsNotNone(row["started"])
        self.assertLessEqual(ms_of(row["ended"]), ms_of(letter["deadline"]) + 60000)

    def test_a_standing_command_is_told_what_is_left_and_may_give_up(self):
        self.shunt("publish", "t", "x", "--deadline", FAR)
        self.shunt("publish", "t", "y")
        handler = self.directory / "handler.py"
        handler.write_text("import json, sys\nfor line in sys.stdin:\n m = json.loads(line)\n print(m['body'], m.get('remaining_ms'), file=sys.stderr, flush=True)\n"
                           " print(json.dumps({'id': m['id'], 'outcome': 'late', 'error_type': 'slow'} if 'remaining_ms' in m else {'id': m['id'], 'outcome': 'ack'}), flush=True)\n")
        done = self.work("--stream", "--", "python3", str(handler))
        words = dict(line.split(" ", 1) for line in done.stderr.splitlines() if line[:2] in ("x ", "y "))
        self.assertTrue(0 < int(words["x"]) <= FAR_MS, done.stderr)
        self.assertEqual(words["y"], "None")
        [letter] = self.dead(1)
        self.assertEqual((letter["reason"], letter["attempts"], letter["error_type"]), ("deadline_exceeded", 0, "slow"))

    def test_a_standing_command_that_is_not_done_in_time_is_ended(self):
        self.shunt("publish", "t", "x", "--deadline", "2s")
        done = self.work("--stream", "--", "sh", "-c", "while read -r line; do sleep 1000; done")
        self.assertIn("1 past their deadline", done.stderr)
        self.assertEqual(self.dead(1)[0]["reason"], "deadline_exceeded")

    def test_the_python_client_knows_what_is_left(self):
        with shunt.connect(self.server.url) as client:
            client.publish("t", b"x", deadline=time.time() + 3600)
            client.publish("t", b"y")
            with client.consume("t") as consumer:
                first, second = consumer.next(10), consumer.next(10)
                self.assertTrue(0 < first.remaining <= 3600)
                self.assertEqual((second.remaining, second.deadline), (None, None))
                client.publish("t", b"z", deadline=first.deadline)
                third = consumer.next(10)
                self.assertEqual(third.deadline, first.deadline)
                first.late(wait=True)
                second.ack(wait=True)
                third.ack(wait=True)
        self.assertEqual(self.dead(1)[0]["reason"], "deadline_exceeded")


class Http(Calls):
    def test_it_goes_through_http(self):
        client = self.enterContext(wire.connect(self.server))
        client.topic_create("t")
        json_type = {"Content-Type": "application/json"}
        message = {"body": "x", "deadline": "2999-01-01T00:00:00Z"}
        self.assertEqual(self.api.ask("POST", "/api/v1/topics/t/messages", message, json_type)[0], 201)
        status, answer, _ = self.api.ask("POST", "/api/v1/topics/t/groups/default/lease", {"messages": 1, "wait_ms": 10000})
        [leased] = answer["messages"]
        self.assertEqual((status, leased["deadline"] in (32472144000000, "2999-01-01T00:00:00.000Z")), (200, True), leased)
        self.assertGreater(leased["remaining_ms"], 0)
        for wrong in ("soon", -5, True, {}):
            self.assertEqual(self.api.ask("POST", "/api/v1/topics/t/messages", {"body": "x", "deadline": wrong}, json_type)[0], 400, wrong)


if __name__ == "__main__":
    unittest.main()
