"""shunt bench: every workload runs to its end, fails no message, and says how near it came to its floor. How fast it
was is nobody's business here."""
import json
import os
import subprocess
import unittest

import harness

SHORT = ["--warm", "0", "--seconds", "0.2", "--floor", "0.02", "--size", "100", "--window", "64", "--count", "5000",
         "--topics", "20", "--connections", "20", "--groups", "2", "-o", "json"]
ROWS = {
    "publish": ["publish"],
    "e2e": ["e2e"],
    "drain": ["fill", "drain"],
    "poison": ["no poison", "1 % rejected", "1 % nacked"],
    "topics": ["one topic", "topics"],
    "connections": ["one connection", "connections", "connections × 64", "one × 1", "connections × 1"],
    "groups": ["1 group", "2 groups"],
    "delayed": ["delayed", "due"],
    "restart": ["restart, killed", "restart, clean"],
}


def bench(*args, **more):
    return subprocess.run([harness.SHUNT, "bench", *args], capture_output=True, text=True, check=False, timeout=200,
                          stdin=subprocess.DEVNULL, **more)


class Bench(unittest.TestCase):
    def test_each_workload(self):
        for workload, names in ROWS.items():
            with self.subTest(workload=workload):
                done = bench(*SHORT, workload)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                rows = [row for row in json.loads(done.stdout) if not row["workload"].startswith("floor: ")]
                self.assertEqual([row["workload"] for row in rows], names)
                for row in rows:
                    self.assertEqual(row["failed"], 0)
                    self.assertGreater(row["messages"], 0)
                    if workload != "restart":
                        self.assertGreater(row["rate"], 0)
                        self.assertGreater(row["floor_ratio"], 0)
                        self.assertGreater(row["commit_messages"], 0)

    def test_a_given_rate_is_kept(self):
        done = bench(*SHORT, "--seconds", "1", "--rate", "200", "publish")
        row = json.loads(done.stdout)[-1]
        self.assertEqual(row["rate_wanted"], 200)
        self.assertLessEqual(row["rate"], 250)

    def test_a_server_that_runs_already(self):
        with harness.Server() as server:
            done = bench("--url", server.url, "--pid", str(server.process.pid), *SHORT, "publish", "e2e")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(len(server.shunt("topic", "list", "-o", "jsonl").stdout.splitlines()), 1)

    def test_mistakes(self):
        for args in (["--size", "8"], ["--size", "100,"], ["--window", "0"], ["--seconds", "-1"], ["--count", "many"],
                     ["-o", "xml"], ["--no-such"], ["no-such-workload"], ["--publishers", "0"]):
            done = bench(*args)
            self.assertEqual((done.returncode, done.stdout), (64, ""), args)
            self.assertIn("shunt-bench", done.stderr)

    def test_a_server_that_cannot_start(self):
        done = bench(*SHORT, "publish", env={**os.environ, "SHUNTD": "/bin/false"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("the server did not come up", done.stderr)


if __name__ == "__main__":
    harness.main()
