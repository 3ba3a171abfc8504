"""Commands of `shunt work --confine`: no network, files that can only be read except in one directory, a bound of memory; and where the kernel does not
have that, they do not run at all."""
import json
import os
import shutil
import socket
import subprocess
import unittest

import harness
from cli_case import FAILED, USAGE, Case

# Prints what of all this it could do, as JSON.
TRIES = r"""
import json, os, socket, subprocess, sys, tempfile
outside, inside, port = sys.argv[1:4]
def can(what, *args, **more):
    try:
        what(*args, **more)
        return True
    except OSError:
        return False
def write(path, mode="w"):
    with open(path, mode) as file:
        file.write("written")
def emptied(path):
    os.close(os.open(path, os.O_RDONLY | os.O_TRUNC))
print(json.dumps({
    "network": can(socket.create_connection, ("127.0.0.1", int(port))),
    "unix": can(socket.socket, socket.AF_UNIX),
    "write": can(write, outside + "/kept"),
    "append": can(write, outside + "/kept", "a"),
    "truncate": can(os.truncate, outside + "/kept", 0),
    "empty": can(emptied, outside + "/kept"),
    "make": can(write, outside + "/new"),
    "mkdir": can(os.mkdir, outside + "/folder"),
    "rename": can(os.rename, outside + "/moved", outside + "/elsewhere"),
    "unlink": can(os.unlink, outside + "/removed"),
    "child": subprocess.run(["sh", "-c", "echo x >" + outside + "/child"], stderr=subprocess.DEVNULL).returncode == 0,
    "descriptor": len(os.listdir("/proc/self/fd")) > 4,
    "memory": can(write, f"/proc/{os.getppid()}/mem", "r+"),
    "read": can(open, outside + "/kept"),
    "null": can(write, "/dev/null"),
    "inside": can(write, inside + "/made"),
    "temporary": can(tempfile.NamedTemporaryFile),
}))
"""
# The sanitizer that looks for leaks does not go with a tracer.
NO_STRACE = "SANITIZED" in os.environ and "sanitized" or not shutil.which("strace") and "strace is not installed"
ALWAYS = {"read", "null"}
IN_DIR = {"inside", "temporary"}


class Confined(Case):
    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "t", "--max-attempts", "1")
        self.outside, self.inside = self.directory / "outside", self.directory / "inside"

    def fill(self):
        for path in (self.outside, self.inside):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
        for name in ("kept", "moved", "removed"):
            (self.outside / name).write_text("as it was", encoding="utf-8")

    def could(self, *options, wrapper=()):
        """What a command could do."""
        self.fill()
        self.shunt("publish", "t", "x")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            held = os.dup(listener.fileno())
            self.addCleanup(os.close, held)
            done = subprocess.run([*wrapper, harness.SHUNT, "work", "t", "--drain", *options, "--", "python3", "-c", TRIES, self.outside, self.inside, str(port)],
                                  env={**self.server.environment(), "TMPDIR": str(self.outside)}, capture_output=True, text=True, check=False, timeout=60, pass_fds=[held])
        self.assertEqual(done.returncode, 0, done.stderr)
        return {name for name, could in json.loads(done.stdout).items() if could}

    def is_as_it_was(self):
        self.assertEqual(sorted(path.name for path in self.outside.iterdir()), ["kept", "moved", "removed"])
        self.assertEqual((self.outside / "kept").read_text(encoding="utf-8"), "as it was")

    def test_without_it_a_command_can_do_all_of_it(self):
        could = self.could()
        self.assertTrue({"network", "unix", "write", "append", "truncate", "empty", "make", "mkdir", "rename", "unlink", "child", "descriptor"} | ALWAYS | IN_DIR <= could, could)

    def test_it_can_read_and_nothing_else(self):
        self.assertEqual(self.could("--confine"), ALWAYS)
        self.is_as_it_was()

    def test_in_one_directory_it_can_write(self):
        self.assertEqual(self.could("--confine", "--writable", self.inside), ALWAYS | IN_DIR)
        self.is_as_it_was()

    @unittest.skipIf(NO_STRACE, NO_STRACE)
    def test_with_the_landlock_of_debian_12_no_file_can_be_emptied_either(self):
        old = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=landlock_create_ruleset", "-e", "inject=landlock_create_ruleset:retval=2:when=1"]
        self.assertEqual(self.could("--confine", wrapper=old), ALWAYS)
        self.is_as_it_was()

    @unittest.skipIf(NO_STRACE, NO_STRACE)
    def test_where_the_kernel_has_no_such_rules_nothing_runs(self):
        for call, name in (("landlock_create_ruleset", "Landlock"), ("seccomp", "seccomp")):
            self.fill()
            self.shunt("publish", "t", "x")
            done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error=EOPNOTSUPP:when=1", harness.SHUNT, "work", "t", "--drain",
                                   "--confine", "--", "touch", self.inside / "ran"], env=self.server.environment(), capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(done.returncode, FAILED, done.stderr)
            self.assertIn(f"cannot be confined: this kernel has no {name}", done.stderr)
            self.assertFalse((self.inside / "ran").exists())
        self.assertEqual((self.group("t")["ready"], self.group("t")["dead"]), (2, 0))

    def test_memory_is_bounded(self):
        hungry = ["--", "python3", "-c", "len(bytearray(300 << 20))"]
        self.shunt("publish", "t", "x")
        self.assertIn("1 acked", self.shunt("work", "t", "--drain", "--confine", *hungry).stderr)
        self.shunt("publish", "t", "x")
        self.assertIn("1 acked", self.shunt("work", "t", "--drain", "--confine", "--memory", "1GiB", *hungry).stderr)
        self.shunt("publish", "t", "x")
        self.shunt("work", "t", "--drain", "--confine", "--memory", "200MiB", *hungry)
        self.assertEqual([row["error_type"] for row in self.document("dlq", "list", "t")], ["MemoryError"])

    def test_commands_that_stand_are_confined_too(self):
        self.fill()
        helper = harness.SOURCE_ROOT / "python"
        script = self.directory / "stand.py"
        script.write_text(f"""import sys
sys.path.insert(0, {str(helper)!r})
import shunt_stream
def handle(message):
    open({str(self.outside / "new")!r}, "w")
shunt_stream.run(handle)
""", encoding="utf-8")
        self.shunt("publish", "t", "x")
        self.shunt("work", "t", "--drain", "--stream", "--confine", "--", "python3", script)
        self.assertEqual([row["error_type"] for row in self.document("dlq", "list", "t")], ["PermissionError"])
        self.is_as_it_was()

    def test_what_does_not_fit_is_said(self):
        for words in (["--writable", "/tmp"], ["--memory", "1GiB"], ["--confine", "--memory", "1048575"], ["--confine", "--memory", "much"]):
            self.assertIn(words[-2], self.shunt("work", "t", *words, "--", "true", code=USAGE).stderr)
        self.assertIn("0 acked", self.shunt("work", "t", "--drain", "--confine", "--memory", "1MiB", "--", "true").stderr)
        self.assertIn("No such file", self.shunt("work", "t", "--confine", "--writable", self.directory / "none", "--", "true", code=FAILED).stderr)
        self.fill()
        self.assertIn("Not a directory", self.shunt("work", "t", "--confine", "--writable", self.outside / "kept", "--", "true", code=FAILED).stderr)


if __name__ == "__main__":
    harness.main()
