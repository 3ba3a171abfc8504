"""The tool's redrives that cannot make things worse: filters, a dry run, a canary, a bound on failures; and `shunt redrive`."""
import harness
import wire
from cli_case import NOTHING, PARTLY, USAGE, Case
from secure import FIRST_JOB


class Redrive(Case):
    def die(self, *types):
        """A topic `t` with a dead letter for each type, in order; its consumer takes nothing more until it is asked to."""
        client = wire.connect(self.server)
        self.addCleanup(client.close)
        client.topic_create("t", max_attempts=3, backoff_min_ms=1, backoff_max_ms=2)
        client.publish("t", *[b"%d" % n for n in range(len(types))])
        self.subscription = client.subscribe("t", messages=len(types))
        held = self.subscription.take(len(types))
        self.subscription.resolve(*((d.seq, d.token, wire.REJECT, None, types[n], "as planted") for n, d in enumerate(held)))
        self.subscription.credit(0)
        return client

    def job(self, number):
        return self.document("redrive", "show", number)

    def in_phase(self, number, phase):
        self.eventually(lambda: self.job(number)["phase"] == phase)

    def test_a_dry_run_counts_by_cause_and_moves_nothing(self):
        self.die("A", "B", "A")
        cause = {row["title"].split(":")[0]: row["cause"] for row in self.document("dlq", "causes", "t")}
        self.assertEqual(self.document("dlq", "redrive", "t", "--all", "--dry-run"),
                         [{"cause": cause["A"], "title": "A: as planted", "dead": 2}, {"cause": cause["B"], "title": "B: as planted", "dead": 1}])
        self.assertEqual([row["dead"] for row in self.document("dlq", "redrive", "t", "--cause", cause["A"][:6], "--dry-run")], [2])
        self.assertEqual([row["dead"] for row in self.document("dlq", "redrive", "t", "--count", "1", "--dry-run")], [1])
        self.shunt("dlq", "redrive", "t", "--type", "C", "--dry-run", code=NOTHING)
        self.assertEqual(self.group("t")["dead"], 3)
        self.assertEqual(self.document("redrive", "list"), [])

    def test_a_canary_that_fails_stops_it_and_with_the_worker_mended_it_goes_through(self):
        self.die("A", "B", "A", "A")
        process = self.start("dlq", "redrive", "t", "--type", "A")
        self.eventually(lambda: self.document("redrive", "list") != [])
        self.in_phase(FIRST_JOB, "canary")
        self.subscription.credit(4)
        self.subscription.reject(self.subscription.next(), "A", "as planted")
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, PARTLY, err)
        self.assertIn("waits for the outcome of the canary", err)
        self.assertIn(f"job {FIRST_JOB} stopped by itself: the canary t/1 failed of the same cause", err)
        self.assertEqual(self.group("t")["dead"], 4)
        process = self.start("dlq", "redrive", "t", "--type", "A", "--watch")
        for _ in range(3):
            self.subscription.ack(self.subscription.next())
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(self.job(FIRST_JOB + 1)["outcomes"], {"pending": 0, "acked": 3, "failed_same": 0, "failed_other": 0, "gone": 0, "moved": 0})
        self.assertEqual([row["error_type"] for row in self.document("dlq", "list", "t")], ["B"])
        first, second = self.document("redrive", "list")
        self.assertEqual((first["phase"], second["phase"], second["total"]), ("stopped", "done", 3))
        table = self.shunt("redrive", "list").stdout
        self.assertIn("nothing else was moved", table)

    def test_too_many_failures_stop_it(self):
        self.die(*"AAAAA")
        self.shunt("dlq", "redrive", "t", "--all", "--canary", "0", "--max-fail", "12.5%", "--rate", "1/s", "--no-wait")
        self.assertEqual(self.job(FIRST_JOB)["max_fail"], 125)
        self.subscription.credit(1)
        self.subscription.reject(self.subscription.next(), "B", "another")
        self.in_phase(FIRST_JOB, "stopped")
        self.assertIn("more than 12.5%", self.job(FIRST_JOB)["why"])
        done = self.shunt("redrive", "watch", FIRST_JOB, code=PARTLY)
        self.assertIn("stopped by itself", done.stderr)

    def test_paused_resumed_and_cancelled(self):
        self.die(*"AAA")
        self.shunt("dlq", "redrive", "t", "--all", "--rate", "1/s", "--no-wait")
        self.assertEqual(self.document("redrive", "pause", FIRST_JOB)["phase"], "paused")
        refused = self.shunt("dlq", "redrive", "t", "--count", "1", code=1)
        self.assertIn(f"job {FIRST_JOB} is at work on the same dead letters", refused.stderr)
        self.assertEqual(self.document("redrive", "resume", FIRST_JOB)["phase"], "running")
        self.assertEqual(self.document("redrive", "cancel", FIRST_JOB)["phase"], "cancelled")
        self.shunt("redrive", "pause", 4711, code=NOTHING)

    def test_to_another_topic_they_leave_and_it_is_told_where_they_went(self):
        self.die("A", "B", "A")
        self.shunt("topic", "create", "parked", "--max-messages", "1")
        done = self.start("dlq", "redrive", "t", "--type", "A", "--to", "parked")
        self.eventually(lambda: self.document("redrive", "list") != [])
        self.in_phase(FIRST_JOB, "paused")
        self.assertIn("has as much as it may", self.job(FIRST_JOB)["why"])
        self.shunt("topic", "update", "parked", "--max-messages", "2")
        self.shunt("redrive", "resume", FIRST_JOB)
        _, err = done.communicate(timeout=60)
        self.assertEqual(done.returncode, 0, err)
        self.assertIn("moved 2 dead letters", err)
        self.assertEqual((self.job(FIRST_JOB)["to"], self.job(FIRST_JOB)["outcomes"]["moved"]), ("parked", 2))
        self.assertEqual((self.group("t")["dead"], self.group("t")["moved"], self.group("parked")["ready"]), (1, 2, 2))
        self.assertIn("sent to another topic", self.shunt("why", "t/1").stdout)
        self.assertIn("parked/1", self.shunt("why", "t/1").stdout)
        self.assertEqual(self.document("why", "t/3")["groups"][0]["end"]["moved_to"], "parked/2")
        self.assertIn("to=parked", self.document("audit", "--act", "dlq_redriven")[0]["asked"])
        self.assertIn("is not there", self.shunt("dlq", "redrive", "t", "--all", "--to", "nowhere", code=1).stderr)

    def test_held_for_another_build_it_begins_when_the_mended_worker_comes(self):
        client = wire.connect(self.server, build="v1")
        self.addCleanup(client.close)
        client.topic_create("t", max_attempts=1)
        client.publish("t", b"0", b"1")
        old = client.subscribe("t", messages=2)
        for delivery in old.take(2):
            old.reject(delivery, "A", "as planted")
        told = self.shunt("dlq", "redrive", "t", "--all", "--hold-for-build", "", "--no-wait")
        self.assertIn(f"job {FIRST_JOB}", told.stderr)
        self.assertEqual((self.job(FIRST_JOB)["phase"], self.job(FIRST_JOB)["canary"], self.job(FIRST_JOB)["hold_for_build"]), ("held", 1, ""))
        self.assertIn("another build than those that failed", self.shunt("redrive", "list").stdout)
        self.server.stop()
        self.server.start()
        again = wire.connect(self.server, build="v1")
        self.addCleanup(again.close)
        again.subscribe("t", messages=2)
        self.assertEqual((self.job(FIRST_JOB)["phase"], self.group("t")["dead"]), ("held", 2))
        again.close()
        mended = wire.connect(self.server, build="v2")
        self.addCleanup(mended.close)
        new = mended.subscribe("t", messages=2)
        new.ack(new.next())
        new.ack(new.next())
        self.in_phase(FIRST_JOB, "done")
        self.assertEqual(self.job(FIRST_JOB)["outcomes"]["acked"], 2)

    def test_purge_takes_a_filter_too(self):
        self.die("A", "B")
        self.shunt("dlq", "purge", "t", "--type", "B", "-y")
        self.assertEqual([row["error_type"] for row in self.document("dlq", "list", "t")], ["A"])

    def test_jobs_of_all_kinds_are_listed_and_a_redrive_is_one(self):
        self.die(*"ABA")
        self.shunt("dlq", "purge", "t", "--type", "B", "-y")
        self.shunt("dlq", "redrive", "t", "--type", "A", "--canary", "0", "--spread", "1h")
        self.assertEqual([(job["job"], job["kind"]) for job in self.document("job", "list")], [(FIRST_JOB, "purge_dlq"), (FIRST_JOB + 1, "redrive")])
        self.assertEqual(self.document("redrive", "list"), self.document("job", "list")[1:])
        self.assertEqual(self.document("job", "show", FIRST_JOB + 1), self.document("redrive", "show", FIRST_JOB + 1))
        purge, redrive = self.shunt("job", "list").stdout.splitlines()[1:]
        self.assertRegex(purge, rf"^ +{FIRST_JOB} +purge_dlq +done +t:default +1 +1 +- +- +- +- +- ")
        self.assertRegex(redrive, rf"^ +{FIRST_JOB + 1} +redrive +draining +t:default +2 +2 +0 +0 +0 +0 +2 ")
        self.shunt("job", "watch", FIRST_JOB)
        self.assertRegex(self.shunt("job", "show", FIRST_JOB + 1).stdout, r"(?m)^max fail \(thousandths\) +-$")

    def test_what_makes_no_sense_is_refused(self):
        for arguments, says in ((("t/1", "--type", "A"), "not filtered"), (("t/1", "--dry-run"), "--dry-run"), (("--all", "--max-fail", "101%"), "--max-fail"),
                                (("--all", "--max-fail", "x"), "--max-fail"), (("--canary", "1"), "name the dead letters")):
            with self.subTest(arguments):
                self.assertIn(says, self.shunt("dlq", "redrive", "t", *arguments, code=USAGE).stderr)


if __name__ == "__main__":
    harness.main()
