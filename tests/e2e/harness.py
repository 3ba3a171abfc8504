"""harness: a fresh shuntd for one test, and the tool to talk to it; other programs that say where they listen.

Programs come from the environment, as meson sets it: SHUNTD, SHUNT, BUILD_DIR. Ports are chosen by the kernel and read from
the server's log; everything lives in a directory of its own that is removed, and stopping asserts that the server ends well.
"""
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

SHUNTD = os.environ.get("SHUNTD", "")
SHUNT = os.environ.get("SHUNT", "")
BUILD_DIR = os.environ.get("BUILD_DIR", "")
SOURCE_ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
SKIPPED = 77


class Program:
    """A program that goes on, and says on stderr where it listens. Every line of that is kept in `log`, over all its starts."""

    def __init__(self):
        self.process = None
        self.log = []

    def launch(self, command, listens, **more):
        """Start it; returns the match of the first line that `listens` is found in."""
        lines = queue.Queue()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", **more)
        self.reader = threading.Thread(target=self._read, args=(self.process.stderr, lines))
        self.reader.start()
        while True:
            line = lines.get(timeout=START_SECONDS_MAX)
            if line is None:
                raise AssertionError(f"{os.path.basename(command[0])} did not start:\n" + self.log_text())
            found = re.search(listens, line)
            if found:
                return found

    def _read(self, stream, lines):
        with stream:
            for line in stream:
                self.log.append(line)
                lines.put(line)
        lines.put(None)

    def log_text(self):
        return "".join(self.log)

    def kill(self):
        """SIGKILL, as a crash."""
        self.process.kill()
        self._wait()

    def stop(self):
        """SIGTERM; returns the exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def _wait(self):
        try:
            status = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
            self.log.append(f"(killed: it had not stopped after {STOP_SECONDS_MAX} s)\n")
        self.reader.join()
        return status


# What the journal may keep in memory would hide what a test measures.
SMALL_JOURNAL = "journal-memory: 1MiB\n"


class Server(Program):
    """One shuntd. As a context: started, and stopped at the end."""

    def __init__(self, data=None, options=(), wrapper=(), settings=""):
        """`wrapper`: words put before the server's command line; they must end up as the server itself (exec). `settings`: the text of a
        configuration file."""
        super().__init__()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
        self.data = pathlib.Path(data) if data else self.directory / "data"
        self.options = list(options)
        if settings:
            (self.directory / "settings.yaml").write_text(settings, encoding="utf-8")
            self.options += ["--config", self.directory / "settings.yaml"]
        self.wrapper = list(wrapper)
        self.program = SHUNTD
        self.url = self.http = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            status = self.stop()
            if kind is None and status != 0:
                raise AssertionError(f"shuntd ended with {status}:\n" + self.log_text())
        finally:
            self.remove()

    def start(self):
        """Start it, and return when it listens."""
        command = [*self.wrapper, self.program, "--data", self.data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *self.options]
        line = self.launch(command, "event=listening").string
        self.url = f"shunt{'s' * (' tls=on' in line)}://" + re.search(r"\blisten=(\S+)", line)[1]
        http = re.search(r"\bhttp=(\S+)", line)
        self.http = http and "http://" + http[1]

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self._wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def environment(self):
        """For programs that are to talk to this server."""
        return {**os.environ, "SHUNT_URL": self.url}

    def shunt(self, *args, check=True, **more):
        """Run the tool; returns the completed process with text output."""
        more.setdefault("timeout", 120)
        if "input" not in more:
            more.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run([SHUNT, *map(str, args)], env=self.environment(), capture_output=True, text=True,
                              errors="replace", check=False, **more)
        if check and done.returncode != 0:
            raise AssertionError(f"shunt {' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done


def main():
    """unittest.main() for meson: 77, which is `skipped`, if every test was skipped."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    if not result.wasSuccessful() or result.testsRun == 0:
        sys.exit(1)
    sys.exit(SKIPPED if len(result.skipped) == result.testsRun else 0)
