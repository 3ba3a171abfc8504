"""Every program of client/examples/ against a real server, with the outcome its opening comment promises."""
import json
import pathlib
import signal
import subprocess
import time
import unittest

import harness

EXAMPLES = pathlib.Path(harness.BUILD_DIR) / "client" / "examples"
RUN_SECONDS_MAX = 120


class Examples(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server())

    def topic(self, name, *settings):
        self.server.shunt("topic", "create", name, *settings)

    def run_example(self, name, *args, status=0):
        """Run it to its end; returns the process with text output."""
        done = subprocess.run([EXAMPLES / name, *map(str, args)], env=self.server.environment(), text=True, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=RUN_SECONDS_MAX)
        self.assertEqual(done.returncode, status, f"{name}: {done.stdout}{done.stderr}")
        return done

    def start_example(self, name, *args):
        process = subprocess.Popen([EXAMPLES / name, *args], env=self.server.environment(), text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def group(self, topic):
        shown = json.loads(self.server.shunt("-o", "json", "group", "show", topic, "default").stdout)
        return shown[0] if isinstance(shown, list) else shown

    def wait_for(self, what, truth):
        end = time.monotonic() + RUN_SECONDS_MAX
        while not truth():
            self.assertLess(time.monotonic(), end, f"never came: {what}")
            time.sleep(0.02)

    def dead(self, topic, origin):
        """What dlq.c shows of one dead letter."""
        return self.run_example("dlq", "show", topic, origin).stdout

    def test_publish_prints_the_name_of_a_durable_message(self):
        self.topic("orders")
        self.assertEqual(self.run_example("publish", "orders", "one").stdout, "orders/1\n")
        self.assertEqual(self.run_example("publish", "orders", "two").stdout, "orders/2\n")
        self.assertEqual(self.group("orders")["ready"], 2)

    def test_publish_says_why_it_failed(self):
        failed = self.run_example("publish", "nowhere", "one", status=1)
        self.assertIn("UNKNOWN_TOPIC", failed.stderr)

    def test_programs_called_wrongly_explain_themselves(self):
        for name in ["publish", "publish_pipelined", "consume", "worker", "worker_fork", "dlq", "split_count", "uv_consumer"]:
            with self.subTest(name):
                self.assertIn("usage: ", self.run_example(name, status=64).stderr)

    def test_publish_pipelined_hears_of_each(self):
        self.topic("orders")
        done = self.run_example("publish_pipelined", "orders", 20000)
        self.assertEqual(done.stdout, "20000 durable, 0 failed\n")
        self.assertEqual(self.group("orders")["ready"], 20000)

    def test_split_count_adds_up_what_it_counted_in_parts(self):
        self.topic("counts", "--order", "key")
        self.run_example("split_count", "publish", "counts", "hot", 8, 100)
        self.run_example("split_count", "publish", "counts", "cold#1", 1, 3)
        done = self.run_example("split_count", "count", "counts")
        self.assertEqual(sorted(done.stdout.splitlines()), ["cold#1: 3 in 1 part", "hot: 100 in 8 parts"])
        self.assertEqual(self.group("counts")["acked"], 103)
        self.run_example("split_count", "publish", "counts", "hot", 0, 1, status=1)

    def test_consume_answers_each_message_by_its_body(self):
        self.topic("orders", "--backoff", "1ms..2ms")
        for body in ["good", "bad apple", "later"]:
            self.run_example("publish", "orders", body)
        done = self.run_example("consume", "orders", 4)
        self.assertIn("orders/1 attempt 1: good\n", done.stdout)
        self.assertIn("orders/3 attempt 2: later\n", done.stdout)
        group = self.group("orders")
        self.assertEqual((group["acked"], group["dead"], group["ready"]), (2, 1, 0))
        self.assertIn("bad_word: it begins with bad", self.run_example("dlq", "list", "orders").stdout)

    def test_consume_ends_when_nothing_comes(self):
        self.topic("orders")
        self.run_example("consume", "orders", 1, status=3)

    def test_uv_consumer_handles_what_was_asked_for(self):
        self.topic("orders")
        self.run_example("publish_pipelined", "orders", 500)
        done = self.run_example("uv_consumer", "orders", 500)
        self.assertIn("orders/500: message 500 of 500\n", done.stdout)
        self.assertTrue(done.stdout.endswith("500 of 500\n"))
        self.assertEqual(self.group("orders")["acked"], 500)

    def test_worker_drains_and_dead_letters_what_fails(self):
        self.topic("orders", "--max-attempts", "2", "--backoff", "1ms..2ms")
        for body in ["1", "2", "39", "x"]:
            self.run_example("publish", "orders", body)
        self.assertEqual(self.run_example("worker", "orders", "drain").stdout, "3 orders, sum 42\n")
        self.assertIn("bad_number: x", self.run_example("dlq", "list", "orders").stdout)
        group = self.group("orders")
        self.assertEqual((group["acked"], group["dead"], group["ready"], group["delayed"]), (3, 1, 0, 0))

    def test_worker_stops_clean_on_sigterm(self):
        self.topic("orders")
        worker = self.start_example("worker", "orders")
        self.run_example("publish", "orders", "5")
        self.wait_for("the ack", lambda: self.group("orders")["acked"] == 1)
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=RUN_SECONDS_MAX)
        self.assertEqual((worker.returncode, out), (0, "1 orders, sum 5\n"), err)

    def test_worker_fork_says_how_each_handler_ended(self):
        self.topic("items", "--max-attempts", "1")
        for body in ["fine", "crash", "hang", "exit", "fine"]:
            self.run_example("publish", "items", body)
        done = self.run_example("worker_fork", "items", "drain")
        self.assertIn("handling items/1\n", done.stderr)
        group = self.group("items")
        self.assertEqual((group["acked"], group["dead"]), (2, 3))

        crash = self.dead("items", "items/2")
        self.assertIn("SIGSEGV: SIGSEGV at 0x10 (address not mapped)", crash)
        self.assertIn("stderr:\nhandling items/2\n", crash)
        hang = self.dead("items", "items/3")
        self.assertIn("timeout: no verdict after 500ms", hang)
        self.assertIn("exit 7: handling items/4", self.dead("items", "items/4"))
        if "parse_item at " in crash:  # built with libdw, and not stripped
            self.assertRegex(crash, r"in parse_item\n")
            self.assertRegex(crash, r"parse_item at \S*worker_fork\.c:\d+\n")
            self.assertRegex(hang, r"on_item at \S*worker_fork\.c:\d+\n")

    def test_worker_fork_gives_back_what_was_not_started_at_sigterm(self):
        self.topic("items", "--max-attempts", "1")
        for body in ["hang", "hang", "fine", "fine", "fine"]:
            self.run_example("publish", "items", body)
        worker = self.start_example("worker_fork", "items")
        for _ in range(2):  # both children have begun
            self.assertIn("handling items/", worker.stderr.readline())
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=RUN_SECONDS_MAX)
        self.assertEqual(worker.returncode, 0, out + err)
        group = self.group("items")
        self.assertEqual((group["ready"], group["in_flight"], group["dead"], group["acked"]), (3, 0, 2, 0))

    def test_dlq_lists_shows_and_redrives(self):
        self.topic("orders")
        self.run_example("dlq", "list", "orders", status=3)
        for body in ["bad one", "bad two", "bad three"]:
            self.run_example("publish", "orders", body)
        self.run_example("consume", "orders", 3)
        self.assertEqual(len(self.run_example("dlq", "list", "orders").stdout.splitlines()), 3)
        shown = self.dead("orders", "orders/2")
        self.assertIn("body: bad two\n", shown)
        self.assertIn("attempt 1: rejected by ", shown)
        self.run_example("dlq", "show", "orders", "orders/9", status=3)
        self.assertEqual(self.run_example("dlq", "redrive", "orders", "orders/2").stdout, "1 redriven\n")
        self.assertEqual(self.run_example("dlq", "redrive", "orders").stdout, "2 redriven\n")
        self.run_example("dlq", "redrive", "orders", status=3)
        group = self.group("orders")
        self.assertEqual((group["ready"], group["dead"]), (3, 0))


if __name__ == "__main__":
    harness.main()
