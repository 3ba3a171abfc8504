"""shunt bench: every workload runs to its end, fails no message, and says how near it came to its floor. How fast it
was is nobody's business here."""
import json
import os
import re
import subprocess
import unittest

import harness

SHORT = ["--warm", "0", "--seconds", "0.2", "--floor", "0.02", "--size", "100", "--window", "64", "--count", "5000",
         "--topics", "20", "--connections", "20", "--groups", "2", "--keys", "500", "-o", "json"]
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
    "store": ["store, one topic", "store, 20 topics"],
    "keys": ["keys, fill", "keys, killed", "out, no order", "out, by key", "keys, alone", "one key, passed", "one key, others"],
}
BARE = ["keys, killed", "out, no order", "out, by key", "one key, passed"]  # rows without a floor


def bench(*args, **more):
    return subprocess.run([harness.SHUNT, "bench", *args], capture_output=True, text=True, check=False, timeout=200,
                          stdin=subprocess.DEVNULL, **more)


class Bench(unittest.TestCase):
    def test_the_manual_has_every_workload_and_option(self):
        manual = (harness.SOURCE_ROOT / "docs/man/shunt-bench.1").read_text(encoding="utf-8").replace("\\-", "-")
        usage = bench("--help").stdout
        names = re.findall(r"(?m)^  ([a-z0-9]+)  ", usage)
        self.assertEqual(sorted(names), sorted(ROWS))
        options = re.findall(r"(?m)^  (--[a-z]+) ", usage)
        self.assertGreater(len(options), 15)
        for word in names + options:
            self.assertRegex(manual, rf"(?m)^\.B.* ?\"?{word}\b")

    def test_each_workload(self):
        for workload, names in ROWS.items():
            with self.subTest(workload=workload):
                done = bench(*SHORT, workload)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                rows = [row for row in json.loads(done.stdout) if not row["workload"].startswith("floor: ")]
                self.assertEqual([row["workload"] for row in rows], names)
                for row in rows:
                    self.assertEqual((row["failed"], row["disk"]), (0, "real"))
                    self.assertGreater(row["messages"], 0)
                    if workload != "restart" and row["workload"] not in BARE:
                        self.assertGreater(row["rate"], 0)
                        self.assertGreater(row["floor_ratio"], 0)
                        self.assertGreater(row["commit_messages"], 0)
                    if workload == "store":
                        self.assertGreater(row["store_bytes"], 100)  # the body, at least
                        self.assertAlmostEqual(row["page_messages"] * row["store_bytes"], os.sysconf("SC_PAGESIZE"), delta=300)

    def test_a_given_rate_is_kept(self):
        done = bench(*SHORT, "--seconds", "1", "--rate", "200", "publish")
        row = json.loads(done.stdout)[-1]
        self.assertEqual(row["rate_wanted"], 200)
        self.assertLessEqual(row["rate"], 250)

    def test_on_a_model_of_the_disk(self):
        """Each confirmation waits for a flush, the floors are on the same model, and every output says that it is one."""
        env = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        model = ["--disk", "model:5ms,1MB/s"]
        done = bench(*SHORT, *model, "--seconds", "0.5", "--window", "1", "publish", env=env)
        if "needs a tmpfs" in done.stderr:
            self.skipTest(done.stderr)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = {row["workload"]: row for row in json.loads(done.stdout)}
        self.assertEqual({row["disk"] for row in rows.values()}, {"model:5000us,1MB/s"})
        for name in ("publish", "floor: fdatasync", "floor: commit"):
            self.assertGreaterEqual(rows[name]["p50_us"] * 65 / 64, 5000, name)  # a histogram's bucket
        self.assertGreater(rows["publish"]["flush_messages"], 0)
        self.assertGreaterEqual(rows["publish"]["disk_bytes"], 100)
        done = bench(*SHORT, *model, "-o", "table", "--floor", "0", "publish", env=env)
        self.assertIn("figures of a model of a disk, not of a disk: a flush takes 5000 µs and its bytes at 1 MB/s", done.stdout)

    def test_a_model_needs_its_own_server_in_memory(self):
        done = bench("--disk", "model", "--data", "/proc", *SHORT, "publish")
        self.assertEqual((done.returncode, done.stdout), (64, ""))
        self.assertIn("needs a tmpfs", done.stderr)
        done = bench("--disk", "model", "--url", "shunt://127.0.0.1:1", *SHORT, "publish")
        self.assertEqual((done.returncode, done.stdout), (64, ""))
        self.assertIn("leave --url out", done.stderr)

    def test_a_server_that_runs_already(self):
        with harness.Server() as server:
            done = bench("--url", server.url, "--pid", str(server.process.pid), *SHORT, "publish", "e2e")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(len(server.shunt("topic", "list", "-o", "jsonl").stdout.splitlines()), 1)

    def test_a_url_is_taken_whole(self):
        done = bench("--url", "shunts://127.0.0.1:1?ca=/" + "d/" * 60 + "authority.pem", *SHORT, "publish")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("d/authority.pem", done.stderr)
        done = bench("--url", "shunts://127.0.0.1:1?ca=/" + "d/" * 10000, *SHORT, "publish")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("the URL has more than 16383 bytes", done.stderr)

    def test_mistakes(self):
        for args in (["--size", "8"], ["--size", "100,"], ["--window", "0"], ["--seconds", "-1"], ["--count", "many"],
                     ["-o", "xml"], ["--no-such"], ["--disk", "ideal"],
                     ["--disk", "modelled"], ["--disk", "model:150"], ["--disk", "model:1us,0MB/s"], ["--disk", "model:1us,"], ["no-such-workload"], ["--publishers", "0"]):
            done = bench(*args)
            self.assertEqual((done.returncode, done.stdout), (64, ""), args)
            self.assertIn("shunt-bench", done.stderr)

    def test_a_server_that_cannot_start(self):
        done = bench(*SHORT, "publish", env={**os.environ, "SHUNTD": "/bin/false"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("the server did not come up", done.stderr)


if __name__ == "__main__":
    harness.main()
