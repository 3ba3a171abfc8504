"""cli_case: what the tests of the tool share."""
import json
import pathlib
import subprocess
import tempfile
import time
import unittest

import harness

OK, FAILED, PARTLY, NOTHING, USAGE, UNREACHABLE = 0, 1, 2, 3, 64, 69
WAIT_SECONDS_MAX = 60


def alone(*args, **more):
    """Run the tool without a server; returns the completed process with text output."""
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([harness.SHUNT, *args], capture_output=True, text=True, check=False, timeout=60, **more)


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


class Case(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server())
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="cli-")))

    def shunt(self, *args, code=OK, **more):
        done = self.server.shunt(*args, check=False, **more)
        self.assertEqual(done.returncode, code, f"shunt {' '.join(map(str, args))}\n{done.stdout}{done.stderr}")
        return done

    def document(self, *args, **more):
        return json.loads(self.shunt(*args, "-o", "json", **more).stdout)

    def group(self, topic, group="default"):
        return self.document("group", "show", topic, group)

    def start(self, *args, **more):
        """The tool as a process that goes on; it is killed at the end of the test if it still runs."""
        process = subprocess.Popen([harness.SHUNT, *map(str, args)], env=self.server.environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def run_without(self, fd, *args):
        """The tool with descriptor `fd` closed."""
        line = 'exec "$@" %s' % ("<&-" if fd == 0 else ">&-")
        return subprocess.run(["sh", "-c", line, "sh", harness.SHUNT, *map(str, args)], env=self.server.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=60)

    def eventually(self, condition):
        end = time.monotonic() + WAIT_SECONDS_MAX
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not happen")
            time.sleep(0.01)

    def fill_dlq(self, topic, bodies, reject=True):
        """A topic whose dead letters are `bodies`."""
        self.shunt("topic", "create", topic, "--max-attempts", "1", "--breaker", "off")
        self.shunt("publish", topic, "--lines", input="".join(body + "\n" for body in bodies))
        self.shunt("work", topic, "--drain", "--", "sh", "-c", "echo cannot: $(cat) >&2; exit %d" % (65 if reject else 7))
