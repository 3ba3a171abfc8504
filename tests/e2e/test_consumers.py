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
        self.server.options = ["--listen", self.server.address]
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

    def work_on(self, name):
        """A worker that can take two messages, and notes each run of its command at its begin and at its end, which comes when `go` is there."""
        script = f'echo "{name} begins $SHUNT_MESSAGE" >> {self.runs}; until [ -e {self.go} ]; do sleep 0.01; done; echo "{name} ends $SHUNT_MESSAGE" >> {self.runs}'
        return self.start("work", "t", "-j", "2", "--", "sh", "-c", script)

    def told(self):
        return self.runs.read_text().splitlines() if self.runs.exists() else []

    def restart_with_two(self, resume_wait):
        """Two workers with a message each; the broker is killed, one is stopped, and only the other comes back at first."""
        self.server.stop()
        settings = self.directory / "settings"
        settings.write_text(f"resume-wait: {resume_wait}\n")
        self.server.options = ["--listen", self.server.address, "--config", settings]
        self.server.start()
        self.runs, self.go = self.directory / "runs", self.directory / "go"
        self.shunt("topic", "create", "t", "--lease", "10m")
        first = self.work_on("first")
        self.shunt("publish", "t", "one")
        self.eventually(lambda: len(self.told()) == 1)
        second = self.work_on("second")
        self.eventually(lambda: self.group("t")["consumers"] == 2)
        return first, second

    def test_after_a_restart_nobody_else_gets_what_a_worker_still_runs(self):
        first, second = self.restart_with_two("10m")
        first.send_signal(signal.SIGSTOP)
        self.server.kill()
        self.server.start()
        self.eventually(lambda: self.group("t")["consumers"] == 1)
        # The second one has room, and takes what comes; what the first one runs waits for that.
        self.shunt("publish", "t", "two")
        self.eventually(lambda: "second begins t/2" in self.told())
        self.assertEqual(self.told(), ["first begins t/1", "second begins t/2"])
        self.assertEqual(self.group("t")["delayed"], 1)
        self.assertIn("event=recovered in_flight=1 resume_wait=10m", self.server.log_text())
        first.send_signal(signal.SIGCONT)
        self.eventually(lambda: self.group("t")["in_flight"] == 2)
        self.go.touch()
        self.eventually(lambda: self.group("t")["acked"] == 2)
        self.assertEqual(sorted(self.told()), ["first begins t/1", "first ends t/1", "second begins t/2", "second ends t/2"])
        for worker in first, second:
            worker.send_signal(signal.SIGTERM)
            out, err = worker.communicate(timeout=WAIT_SECONDS_MAX)
            self.assertIn("1 acked, 0 failed attempts", err)

    def test_what_nobody_comes_back_for_goes_to_others(self):
        first, second = self.restart_with_two("200ms")
        self.server.kill()
        first.kill()
        first.wait()
        self.server.start()
        self.go.touch()
        self.eventually(lambda: self.group("t")["acked"] == 1)
        self.assertEqual(self.told(), ["first begins t/1", "second begins t/1", "second ends t/1"])
        second.send_signal(signal.SIGTERM)
        self.assertEqual(second.wait(WAIT_SECONDS_MAX), OK)

    def test_what_ends_while_the_broker_is_away_counts_when_it_is_back(self):
        worker = self.begin()
        self.server.stop()
        self.go.touch()
        self.eventually(self.over.exists)
        self.come_back()
        self.end(worker)


if __name__ == "__main__":
    harness.main()
