"""What ./run says and does, with meson, ninja, apt-get and sudo replaced by programs that only note how they are called. The server is the
real one."""
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import unittest

import harness
from certificates import Authority

STOP_SECONDS_MAX = 60
NOTE = 'echo "$(basename "$0") $*" >>"$CALLS"\n'
STUBS = {
    "dpkg-query": '[ -n "$BARE" ] && exit\n. "$TREE/scripts/packages.bash"; printf "installed %s\\n" "${build_packages[@]#*:}"\n',
    "meson": NOTE + "mkdir -p build; touch build/build.ninja\n",
    "ninja": NOTE + 'mkdir -p build/broker build/cli; ln -sf "$SHUNTD" build/broker/shuntd; ln -sf "$SHUNT" build/cli/shunt\n',
    "apt-get": NOTE + 'case "$*" in *update*) exit "${UPDATE:-0}" ;; *) exit 100 ;; esac\n',
    "id": 'echo "${ID:-0}"\n',
    "sudo": NOTE + 'echo "sudo: a password is required" >&2; exit 1\n',
}


class Run(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="e2e-run-")
        self.addCleanup(directory.cleanup)
        self.tree = pathlib.Path(directory.name)
        shutil.copy(harness.SOURCE_ROOT / "run", self.tree)
        shutil.copytree(harness.SOURCE_ROOT / "scripts", self.tree / "scripts")
        (self.tree / "stubs").mkdir()
        for name, text in STUBS.items():
            stub = self.tree / "stubs" / name
            stub.write_text("#!/bin/bash\n" + text, encoding="utf-8")
            stub.chmod(0o755)
        self.calls = self.tree / "calls"
        self.calls.touch()
        self.environment = dict(os.environ, TREE=str(self.tree), CALLS=str(self.calls), BARE="", PATH=f"{self.tree}/stubs:{os.environ['PATH']}")

    def command(self, *options):
        return [self.tree / "run", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *options]

    def run_to_end(self, *options, **environment):
        return subprocess.run(self.command(*options), env=dict(self.environment, **environment), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=STOP_SECONDS_MAX, check=False)

    def server(self):
        """A descriptor of the one shuntd that this tree runs; it can be read when that has ended."""
        found = [int(proc.name) for proc in pathlib.Path("/proc").glob("[0-9]*") if str(self.tree / "data").encode() in self.words(proc)]
        self.assertEqual(len(found), 1)
        watch = os.pidfd_open(found[0])
        self.addCleanup(os.close, watch)
        return watch

    def words(self, proc):
        try:
            words = (proc / "cmdline").read_bytes().split(b"\0")
            return words if words[0].endswith(b"shuntd") else []
        except OSError:
            return []

    def ends(self, watch):
        self.assertTrue(select.select([watch], [], [], STOP_SECONDS_MAX)[0], "shuntd goes on")

    def test_each_step_is_said_before_it_is_done_and_what_to_try_when_it_listens(self):
        run = subprocess.Popen(self.command(), env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, start_new_session=True)
        said = []
        while not said or not said[-1].strip().endswith("shunt dlq list hello") and "dlq list" not in said[-1]:
            line = run.stdout.readline()
            self.assertTrue(line, "".join(said))
            said.append(line)
        os.killpg(run.pid, signal.SIGINT)  # as Ctrl-C does
        rest = run.communicate(timeout=STOP_SECONDS_MAX)[0]
        text = "".join(said) + rest
        self.assertEqual(run.returncode, 0, text)
        places = [text.index(part) for part in ("== configuring ./build", "== building ./build", "== starting shuntd", "event=listening", "topic create hello")]
        self.assertEqual(places, sorted(places), text)
        port = re.search(r"listen=127\.0\.0\.1:(\d+)", text)[1]
        self.assertIn(f"build/cli/shunt --url shunt://127.0.0.1:{port} topic create hello", text)
        self.assertIn("event=stopped", rest)
        self.assertNotIn("event=quit", rest)  # one signal came to it, not two
        self.assertIn("meson setup build -Dtests=disabled", self.calls.read_text(encoding="utf-8"))
        self.assertNotIn("apt-get", self.calls.read_text(encoding="utf-8"))

    def test_what_to_try_names_tls_where_it_is_spoken(self):
        cert, key = Authority(self.tree / "certificates").issue("server")
        (self.tree / "tls.yaml").write_text(f"tls-cert: {cert}\ntls-key: {key}\n", encoding="utf-8")
        run = subprocess.Popen(self.command("--config", self.tree / "tls.yaml"), env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True)
        said = iter(run.stdout.readline, "")
        line = next(line for line in said if "topic create hello" in line)
        os.killpg(run.pid, signal.SIGINT)
        text = line + run.communicate(timeout=STOP_SECONDS_MAX)[0]
        self.assertRegex(text, r"build/cli/shunt --url 'shunts://localhost:\d+\?ca=FILE' topic create hello")
        self.assertEqual(run.returncode, 0, text)

    def test_the_server_ends_when_the_terminal_closes(self):
        pid, terminal = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it may be ignored where the tests run
            os.execve(self.tree / "run", self.command(), self.environment)
        text = b""
        while b"dlq list" not in text:
            text += os.read(terminal, 4096)
        watch = self.server()
        os.close(terminal)
        self.ends(watch)
        os.waitpid(pid, 0)

    def test_the_server_ends_when_the_script_is_killed(self):
        run = subprocess.Popen(self.command(), env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        while "dlq list" not in run.stdout.readline():
            self.assertIsNone(run.poll())
        watch = self.server()
        run.kill()
        self.ends(watch)
        run.communicate()

    def test_the_exit_status_is_that_of_the_server(self):
        with harness.Server() as other:
            done = self.run_to_end("--http", other.http.partition("://")[2])
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("taken by another process", done.stderr)
        self.assertIn("--http", done.stderr)
        self.assertNotIn("dlq list", done.stdout)

    def test_a_sudo_that_refuses_is_not_taken_for_a_missing_network(self):
        done = self.run_to_end(BARE="1", ID="1000")
        self.assertEqual(done.returncode, 1)
        self.assertIn("sudo does not let you", done.stderr)
        self.assertIn("apt-get install --no-install-recommends", done.stderr)
        self.assertNotIn("network", done.stderr)
        self.assertEqual(self.calls.read_text(encoding="utf-8"), "sudo -v\n")

    def test_a_missing_network_is_told_from_packages_that_are_not_there(self):
        done = self.run_to_end(BARE="1", UPDATE="100")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Is there a network?", done.stderr)
        done = self.run_to_end(BARE="1", UPDATE="0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("could not install: ", done.stderr)
        self.assertNotIn("network", done.stderr)
        self.assertTrue(done.stderr.startswith("== installing from Debian: "), done.stderr)


if __name__ == "__main__":
    harness.main()
