"""rig: one store, and servers on it that strace kills or lies to at a chosen system call.

A life is: start the server (perhaps with an injection), run the workload against it until one of the two ends, look at the store with
`shuntd --check`, start a sound server on it, compare everything with the account.
"""
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e")]
import harness  # noqa: E402
import wire  # noqa: E402
from workload import Workload, Wrong  # noqa: E402

SEED = int(os.environ.get("SHUNT_SEED", "1"))
# For each sweep; 0: every point there is.
SECONDS = float(os.environ.get("SHUNT_CRASH_SECONDS", "10" if os.environ.get("SANITIZED") else "20"))
CHECK_SECONDS_MAX = 60
PLANTED = os.path.join(harness.BUILD_DIR, "tests", "crash", "shuntd-planted")
# A journal of PLANTED that puts a generation away after a few dozen commits; one that does not within a test.
SMALL_JOURNAL, LAZY_JOURNAL = {"SHUNT_SMALL_JOURNAL": "49152"}, {"SHUNT_SMALL_JOURNAL": "16777216"}
CLOCK_AHEAD_SECONDS = 7200  # past all delays of the workload
# The bugs of plant.c that a death of the process brings to light, and what is then said of them.
PLANTS = {
    "confirm-early": "must be one of|no store after|is gone|is unknown|DEDUP|NOT_FOUND",
    "split-divert": "shuntd --check: exit 1",
    "volatile-count": "must be one of|shuntd --check: exit 1",
    "lost-ack": "shuntd --check: exit 1",
}
# What the history alone says of them; with the last the next server ends before there is one.
PLANTS_IN_HISTORY = {"confirm-early": "after a confirmed|not what was confirmed|lost: ", "split-divert": "the count of dead letters is not",
                     "volatile-count": "a confirmed nack was not counted|attempts went down"}
# The smallest map in which publishing is not refused from the beginning; it grows from the first to the second at once.
SETTINGS = "resume-wait: 1ms\nmap-size: 16MiB\nmap-size-max: 96MiB\n"  # nobody comes back for what a dead server had in flight


def strace_unavailable():
    """Why system calls cannot be traced here; None if they can."""
    try:
        done = subprocess.run(["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "inject=getppid:error=EPERM", "true"],
                              capture_output=True, text=True, timeout=30, check=False)
    except OSError as error:
        return f"no strace: {error}"
    return None if done.returncode == 0 else f"strace does not work here: {done.stderr.strip()}"


def injection(call, what, when, paths=(), trace="/dev/null"):
    """The words before a command that make its `when`-th `call` (of each thread; on one of `paths`, if there are any) go wrong."""
    words = ["strace", "-D", "-f", "-qq", "-o", str(trace), "-e", "signal=none", "-e", f"trace={call}", "-e", f"inject={call}:{what}:when={when}"]
    return words + [word for path in paths for word in ("-P", str(path))]


def preload(library, folder="crash"):
    """The environment in which a server is loaded with one of the tests' libraries."""
    libraries = [os.path.join(harness.BUILD_DIR, "tests", folder, library)]
    if os.environ.get("SANITIZED"):  # its runtime must come first
        found = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
        libraries.insert(0, found.stdout.strip())
    return {"LD_PRELOAD": ":".join(libraries)}


class Place:
    """A directory with a store in it, gone at the end; with a journal, it is a small one (plant_journal.c)."""

    def __init__(self, journal=False):
        self.journal = journal
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="crash-"))
        self.data = self.directory / "data"
        self.settings = self.directory / "conf"
        self.settings.write_text(f"{SETTINGS}journal: {'on' if journal else 'off'}\n")
        self.clock = self.directory / "clock"
        self.clock.write_bytes(struct.pack("=q", CLOCK_AHEAD_SECONDS))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    def server(self, wrapper=(), environment=None, plant=None):
        """With a `plant`, it has that bug; with an empty one it is the program that could have one."""
        if self.journal:
            environment, plant = {**SMALL_JOURNAL, **(environment or {})}, plant or ""
        return Server(self, wrapper, {**(environment or {}), **({"SHUNT_PLANT": plant} if plant else {})}, harness.SHUNTD if plant is None else PLANTED)

    def late_server(self):
        """One whose clock is ahead."""
        return self.server(environment={**preload("wall_clock.so", "net"), "WALL_CLOCK_FILE": self.clock})

    def copy_from(self, other):
        """Begin with the store of another place."""
        # Most of the file is set aside and empty.
        subprocess.run(["cp", "-r", "--sparse=always", other.data, self.data], check=True)

    def paths(self):
        """The store's files and their directories, during creation and after."""
        creating = self.data / "creating"
        return [self.data / "data.mdb", self.data / "journal", creating / "data.mdb", self.data, creating, self.directory]

    def check(self):
        """--check finds nothing wrong, or there is no store at all. Returns whether there is one."""
        done = subprocess.run([harness.SHUNTD, "--check", self.data], capture_output=True, text=True, timeout=CHECK_SECONDS_MAX, check=False)
        if done.returncode == 66:
            return False
        if done.returncode != 0:
            raise Wrong(f"shuntd --check: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return True


class Server(harness.Server):
    """A server that may end at any time."""

    def __init__(self, place, wrapper, environment, program):
        super().__init__(data=place.data, options=["--config", place.settings, "--http", "off"],
                         wrapper=["env", *(f"{key}={value}" for key, value in environment.items()), *wrapper])
        self.program = program
        self.started = False

    def start(self):
        """Like harness.Server's, but a server that ends instead of listening is an outcome."""
        try:
            super().start()
            self.started = True
        except AssertionError:
            self._wait()

    @property
    def port(self):
        return int(self.url.rsplit(":", 1)[1])

    def lines(self, event):
        return [line for line in self.log if f"event={event}" in line]


def live(server, workload, rounds, outlives_connection=0, run=None):
    """Run the workload, or `run`, a method of it, until it is through or the server is gone. Returns the server's exit status, None if it still runs. A lost connection
    is the end of the server, unless that still runs after so many seconds."""
    if server.started:
        try:
            (run or workload.run)(server.port, rounds)
        except wire.Disconnected:
            if outlives_connection:
                try:
                    server.process.wait(outlives_connection)
                except subprocess.TimeoutExpired:
                    return None
            return server._wait()
        except wire.ShuntError as error:
            raise Wrong(f"a request was refused: {error}") from error
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise Wrong("the server neither answers nor ends\n" + server.log_text()) from error
            return server._wait()
        return None
    return server.process.returncode


def aftermath(place, workload, history_only=False):
    """The store is in order and holds what was confirmed; a sound server takes it up, drains it and stops well; and all that clients saw,
    from the beginning to that end, can be true. `history_only`: nothing but the last is looked at."""
    workload.history.note("restart")
    if not history_only and not place.check() and workload.confirmed:
        raise Wrong(f"there is no store after {workload.confirmed} confirmed requests")
    with place.late_server() as server:
        if not server.started:
            raise Wrong("the next server does not start:\n" + server.log_text())
        if not history_only:
            workload.verify(server.port)
        workload.drain(server.port)
    if not history_only:
        place.check()


def count_calls(place, calls, rounds, workload, paths=()):
    """How often each call is made in a whole run, by the thread that makes it most."""
    trace = place.directory / "trace"
    only = [word for path in paths for word in ("-P", path)]
    with place.server(["strace", "-D", "-f", "-o", trace, "-e", "signal=none", "-e", "trace=" + ",".join(calls), *only]) as server:
        status = live(server, workload, rounds)
        if status is not None:
            raise Wrong(f"the server ended with {status} without a fault\n" + server.log_text())
        pid = server.process.pid
    wire.until(lambda: re.search(rf"^{pid} .*\+\+\+ exited", trace.read_text(), re.MULTILINE), why="strace has not ended")
    counts = {}
    for line in trace.read_text().splitlines():
        if match := re.match(r"(\d+) +(\w+)\(", line):
            counts[match[1], match[2]] = counts.get((match[1], match[2]), 0) + 1
    return {call: max((count for (_, name), count in counts.items() if name == call), default=0) for call in calls}


def sweep(points, visit, seconds=SECONDS):
    """Visit points in an order that the seed shuffles, until all are done or the time is over. Returns how many were."""
    points = list(points)
    random.Random(SEED).shuffle(points)
    end = time.monotonic() + seconds if seconds else float("inf")
    for number, point in enumerate(points):
        if time.monotonic() > end:
            return number
        try:
            visit(point)
        except Exception as error:
            raise AssertionError(f"at {point}: {error}") from error
    return len(points)
