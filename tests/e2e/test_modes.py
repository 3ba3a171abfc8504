"""What the server and its tools leave on disk can be read by its user alone, whatever the umask is."""
import os
import stat
import subprocess
import unittest

import harness

STEP_SECONDS_MAX = 60


class Modes(unittest.TestCase):
    def setUp(self):
        self.addCleanup(os.umask, os.umask(0))  # a server that leaves it to the umask is found out
        self.server = self.enterContext(harness.Server(settings="journal: on\n"))
        (self.server.directory / "plain").write_text("x", encoding="utf-8")

    def tool(self, *words):
        subprocess.run([harness.SHUNTD, "--config", self.server.directory / "settings.yaml", "--data", self.server.data, *words], check=True,
                       capture_output=True, timeout=STEP_SECONDS_MAX)

    def modes(self, root):
        """{path: its mode}, of the folder itself too."""
        return {path: stat.S_IMODE(path.lstat().st_mode) for path in [root, *root.rglob("*")]}

    def open_to_others(self, root):
        return {str(path): oct(mode) for path, mode in self.modes(root).items() if mode & 0o077}

    def test_what_is_left_on_disk_is_the_servers_users_alone(self):
        self.server.shunt("topic", "create", "orders", "--max-attempts", "1")
        self.server.shunt("publish", "orders", "--lines", input="x\n" * 1000)
        backup, export = self.server.directory / "backup", self.server.directory / "export.jsonl"
        self.tool("--backup", backup)
        self.server.kill()
        self.server.start()  # from what the journal has
        self.assertEqual(self.server.stop(), 0)
        self.tool("--export", export)
        names = {path.name for path in self.modes(self.server.data)}
        self.assertTrue({"data.mdb", "backup-succeeded"} <= names, names)
        self.assertGreater(len([path for path in self.modes(self.server.data) if path.is_file()]), 3, "the journal is there")
        for made in (self.server.data, backup, export):
            self.assertEqual(self.open_to_others(made), {})
        self.assertIn(str(self.server.directory / "plain"), self.open_to_others(self.server.directory), "a file that is open to others is seen")


if __name__ == "__main__":
    harness.main()
