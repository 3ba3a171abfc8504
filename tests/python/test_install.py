"""`pip install ./python` works without a network, installs the whole package, and its version is shunt's. Skipped, and said so, where what pip needs
is not installed."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import package

PROGRAM = "import shunt, pathlib; print(shunt.__version__, pathlib.Path(shunt.__file__).parent, shunt.Client.__module__)"
NEEDED = "import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, ('pip', 'setuptools', 'wheel'))))"
INTERPRETERS = (sys.executable, "/usr/bin/python3")  # Debian's has Debian's packages


def interpreter():
    """The first that has all of them; None if none does."""
    for name in INTERPRETERS:
        if shutil.which(name) and subprocess.run([name, "-c", NEEDED], capture_output=True, check=False).returncode == 0:
            return name
    return None


class Install(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="python-install-")))

    def python(self, *words, **more):
        # Not what this test's own environment says: only what was installed.
        return subprocess.run([interpreter(), *map(str, words)], cwd=self.folder, capture_output=True, text=True, timeout=250, check=False,
                              env={**os.environ, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONPATH": more.get("path", "")})

    def test_pip_installs_it(self):
        shutil.copytree(package.PACKAGE.parent, self.folder / "python", ignore=shutil.ignore_patterns("__pycache__"))
        before = self.python("-c", PROGRAM)
        self.assertEqual((before.returncode, "No module named 'shunt'" in before.stderr), (1, True), before.stderr)
        target = self.folder / "target"
        done = self.python("-m", "pip", "install", "--no-index", "--no-build-isolation", "--no-deps", "--target", target, "./python")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        shown = self.python("-c", PROGRAM, path=str(target))
        version = re.search(r"version: '(.*?)'", (package.ROOT / "meson.build").read_text(encoding="utf-8"))[1]
        self.assertEqual(shown.stdout.split(), [version, str(target / "shunt"), "shunt.client"], shown.stderr)
        self.assertEqual({path.name for path in (target / "shunt").iterdir() if path.name != "__pycache__"}, {path.name for path in package.PACKAGE.iterdir() if path.name != "__pycache__"})
        self.assertTrue((target / f"shunt-{version}.dist-info").is_dir())


if __name__ == "__main__":
    if not interpreter():
        print("skipped: not all are installed of Debian's packages python3-pip, python3-setuptools and python3-wheel")
        sys.exit(77)
    unittest.main()
