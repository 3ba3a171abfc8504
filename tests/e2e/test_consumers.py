"""Consumers that stop without a word, and consumers whose broker is restarted under them."""
import signal

from cli_case import OK, WAIT_SECONDS_MAX, Case
import harness


class Consumers(Case):
    def test_a_stopped_consumer_is_handed_nothing_more_beside_one_that_works(self):
        self.shunt("topic", "create", "t", "--lease", "200ms")
        frozen = self.start("consume", "t")
        self.eventually(lambda: self.group("t")["consumers"] == 1)
        frozen.send_signal(signal.SIGSTOP)
        self.shunt("publish", "t", "first")
        self.eventually(lambda: self.document("stats")["silent_consumers"] == 1)
        worker = self.start("work", "t", "-j", "8", "--", "cat")
        for n in range(30):
            self.shunt("publish", "t", str(n))
        self.eventually(lambda: self.group("t")["acked"] == 31)
        # One went to the stopped one and came back when its lease had ended; every other was handed out once.
        self.assertEqual(self.group("t")["deliveries"], 32)
        frozen.send_signal(signal.SIGCONT)
        self.eventually(lambda: self.document("stats")["silent_consumers"] == 0)
        worker.send_signal(signal.SIGTERM)
        self.assertEqual(worker.wait(WAIT_SECONDS_MAX), OK)

    def begin(self):
        """A worker whose command has begun and goes on until `go` is there."""
        self.shunt("topic", "create", "t", "--lease", "10m")
        self.shunt("publish", "t", "job")
        self.runs, self.go, self.over = (self.directory / name for name in ("runs", "go", "over"))
        script = f"echo run >> {self.runs}; until [ -e {self.go} ]; do sleep 0.01; done; touch {self.over}"
        worker = self.start("work", "t", "-j", "2", "--", "sh", "-c", script)
        self.eventually(self.runs.exists)
        return worker

    def come_back(self):
        self.server.options = ["--listen", self.server.url.removeprefix("shunt://")]
        self.server.start()

    def end(self, worker):
        """It ran once, and its ack counted."""
        self.eventually(lambda: self.group("t")["acked"] == 1)
        self.assertEqual(self.runs.read_text(), "run\n")
        self.assertEqual(self.group("t")["deliveries"], 2, "it was taken up again, and that is counted")
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=WAIT_SECONDS_MAX)
        self.assertEqual((worker.returncode, out), (OK, ""), err)
        self.assertIn("1 acked, 0 failed attempts", err)

    def is_run_once(self, end):
        worker = self.begin()
        end()
        self.come_back()
        self.eventually(lambda: self.group("t")["in_flight"] == 1)
        self.go.touch()
        self.end(worker)

    def test_a_command_runs_once_though_the_broker_is_restarted_under_it(self):
        self.is_run_once(self.server.stop)

    def test_a_command_runs_once_though_the_broker_is_killed_under_it(self):
        self.is_run_once(self.server.kill)

    def test_what_ends_while_the_broker_is_away_counts_when_it_is_back(self):
        worker = self.begin()
        self.server.stop()
        self.go.touch()
        self.eventually(self.over.exists)
        self.come_back()
        self.end(worker)


if __name__ == "__main__":
    harness.main()
