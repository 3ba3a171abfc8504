#!/usr/bin/env python3
"""Jobs of the broker as somebody at a terminal meets them: watched, left with ^C, refused beside each other, and at their rate after a downtime."""
import time

import cli_case
import harness
import terminal
from cli_case import FAILED, NOTHING, PARTLY

SLOW = "1/s"  # what is redriven so is under way for as long as a test needs
RATE = 200
DOWN_SECONDS = 4


class Jobs(cli_case.Case):
    def fill(self, count):
        self.fill_dlq("t", [str(n) for n in range(count)])

    def terminal(self, *args, columns=120):
        return self.enterContext(terminal.Terminal([harness.SHUNT, *args], columns, self.server.environment()))

    def job(self, number):
        return self.document("job", "show", number)

    def leave(self, shown, verb):
        """^C; returns the number of the job."""
        text = shown.read_until(rf"{verb} \[[# ]+\] [1-9]\d* of \d+")
        shown.press(b"\x03")
        status, text = shown.end()
        self.assertEqual(status, PARTLY, text)
        self.assertRegex(text, rf"(?m)^shunt: job \d+ goes on, \d+ {verb} so far: `shunt job cancel (\d+)` stops it, `shunt job show \1` shows its progress$")
        return self.document("job", "list")[-1]["job"]

    def test_interrupted_it_says_that_the_job_goes_on_and_what_stops_it(self):
        self.fill(30)
        number = self.leave(self.terminal("dlq", "redrive", "t", "--all", "--rate", SLOW), "redriven")
        self.assertEqual(self.job(number)["state"], "running")
        done = self.job(number)["done"]
        self.eventually(lambda: self.job(number)["done"] > done)
        again = self.terminal("job", "watch", str(number))
        self.assertEqual(self.leave(again, "done"), number)
        self.assertEqual(self.document("job", "cancel", number)["phase"], "cancelled")
        stopped = self.job(number)["done"]
        self.assertEqual((self.group("t")["redriven"], self.group("t")["dead"]), (stopped, 30 - stopped))

    def test_a_watched_job_shows_its_bar_to_its_end(self):
        self.fill(3)
        number = self.document("dlq", "redrive", "t", "--all", "--rate", SLOW, "--no-wait")["job"]
        work = self.start("work", "t", "--", "true")
        status, text = self.terminal("redrive", "watch", str(number)).end()
        work.terminate()
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"redriven \[#{20}\] 3 of 3, 3 acked, 0 failed, 0 pending \(done\)")
        self.assertRegex(text, r"(?m)^phase +done$")

    def test_jobs_of_the_same_letters_are_refused_and_the_one_that_runs_is_named(self):
        self.fill(30)
        number = self.document("dlq", "redrive", "t", "--all", "--rate", SLOW, "--no-wait")["job"]
        for other in (("redrive", "t", "--all"), ("redrive", "t", "--count", "1"), ("purge", "t", "--all", "-y"), ("purge", "t", "--type", "exit 65", "-y")):
            with self.subTest(other):
                self.assertIn(f"job {number} is at work on the same dead letters", self.shunt("dlq", *other, code=FAILED).stderr)
        self.shunt("job", "cancel", number)
        left = self.group("t")["dead"]
        self.assertEqual(self.document("dlq", "purge", "t", "--all", "-y")["purged"], left)

    def test_what_is_no_job_is_told(self):
        for verb in ("show", "watch", "pause", "resume", "cancel"):
            self.shunt("job", verb, "4711", code=NOTHING)


class Rate(cli_case.Case):
    def test_after_a_downtime_it_makes_up_for_nothing(self):
        """Started and stopped by the clock: what was done is at most what the rate allows for the time that the server was up, and a second's worth for each start."""
        self.shunt("topic", "create", "many", "--max-attempts", "1")
        self.shunt("publish", "many", "--lines", input="".join(f"{n}\n" for n in range(4000)))
        self.shunt("work", "many", "--stream", "--drain", "--", "python3", "-c", REJECTS)
        begin = time.monotonic()
        number = self.document("dlq", "redrive", "many", "--all", "--rate", f"{RATE}/s", "--no-wait")["job"]
        self.eventually(lambda: self.document("job", "show", number)["done"] > 0)
        self.server.kill()
        up = time.monotonic() - begin
        time.sleep(DOWN_SECONDS)  # what is tested
        begin = time.monotonic()
        self.server.start()
        self.eventually(lambda: self.document("job", "show", number)["done"] > 0)
        for _ in range(5):
            done = self.document("job", "show", number)["done"]
            most = RATE * (up + time.monotonic() - begin + 2)
            self.assertLessEqual(done, most, "the downtime was made up for")
        self.assertEqual(self.document("job", "show", number)["state"], "running", "there is more to do than one could see")
        self.shunt("job", "cancel", number)


REJECTS = """
import json, sys
for line in sys.stdin:
    print(json.dumps({"id": json.loads(line)["id"], "outcome": "reject"}), flush=True)
"""

if __name__ == "__main__":
    harness.main()
