"""The first five minutes of README.md, run as they stand there.

Blocks below the line `<!-- tested -->` are run in order by one bash, against a fresh server, in a directory that has `build/cli`
as the checkout does. A line `#=> text` says that the command above it prints text, on stdout or stderr.
"""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import harness

BLOCK = re.compile(r"<!-- tested -->\s*\n```sh\n(.*?)^```$", re.S | re.M)
MARK = "@@@ end of step"


def steps(script):
    """[(commands, [what they print])]."""
    found, commands, prints = [], [], []
    for line in script.splitlines():
        if line.startswith("#=> "):
            prints.append(line[4:].strip())
            continue
        if prints:
            found.append(("\n".join(commands), prints))
            commands, prints = [], []
        commands.append(line)
    found.append(("\n".join(commands), prints))
    return found


def squeeze(text):
    """Columns may be as wide as they like."""
    return " ".join(text.split())


class Readme(unittest.TestCase):
    def test_the_first_five_minutes_go_as_written(self):
        blocks = BLOCK.findall((harness.SOURCE_ROOT / "README.md").read_text(encoding="utf-8"))
        self.assertTrue(blocks, "README.md has no block marked <!-- tested -->")
        plan = steps("\n".join(blocks))
        self.assertTrue(any(prints for _, prints in plan), "no block says what a command prints")
        script = "set -e\nexec 2>&1\n" + "".join(f"{commands}\necho '{MARK}'\n" for commands, _ in plan)
        with tempfile.TemporaryDirectory(prefix="e2e-readme-") as where, harness.Server() as server:
            (pathlib.Path(where) / "build").mkdir()
            os.symlink(os.path.dirname(harness.SHUNT), pathlib.Path(where) / "build" / "cli")
            done = subprocess.run(["bash", "-c", script], cwd=where, env=server.environment(), stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=120, check=False)
        printed = done.stdout.split(MARK)
        self.assertEqual(done.returncode, 0, f"after {len(printed) - 1} steps:\n{done.stdout}{done.stderr}")
        for (commands, wanted), output in zip(plan, printed):
            for text in wanted:
                self.assertIn(squeeze(text), squeeze(output), f"not printed by:\n{commands}")


if __name__ == "__main__":
    harness.main()
