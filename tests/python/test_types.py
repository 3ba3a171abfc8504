"""The package is typed throughout, and a program that misuses it is told by mypy. Skipped, and said so, where mypy is not installed."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import package

RIGHT = """
import shunt

def handle(message: shunt.Delivery) -> None:
    message.reject(shunt.Failure("odd"))

with shunt.connect(timeout=1.0) as broker:
    seq: int = broker.publish("fruit", b"apple", headers={"a": b"b"}, delay=1.5)
    broker.work("fruit", handle)
    try:
        broker.ping()
    except shunt.Timeout as error:
        print(error.may_retry, error.text)
"""
WRONG = {'broker.publish("fruit", 7)': 'has incompatible type "int"', "broker.consume()": 'Missing positional argument "topic"', "shunt.NoSuchError": "has no attribute"}


def mypy(*words):
    with tempfile.TemporaryDirectory(prefix="mypy-") as cache:
        done = subprocess.run(["mypy", "--strict", "--cache-dir", cache, *map(str, words)], env={**os.environ, "MYPYPATH": str(package.PACKAGE.parent)},
                              capture_output=True, text=True, timeout=250, check=False)
    return done.returncode, done.stdout + done.stderr


class Types(unittest.TestCase):
    def check(self, text):
        with tempfile.TemporaryDirectory(prefix="types-") as folder:
            program = pathlib.Path(folder) / "program.py"
            program.write_text(text, encoding="utf-8")
            return mypy(program)

    def test_the_package_is_clean(self):
        status, said = mypy(package.PACKAGE)
        self.assertEqual(status, 0, said)
        self.assertTrue((package.PACKAGE / "py.typed").exists())

    def test_a_program_is_judged_by_its_types(self):
        status, said = self.check(RIGHT)
        self.assertEqual(status, 0, said)
        status, said = self.check(RIGHT + "".join(f"\n{line}" for line in WRONG))
        self.assertEqual(status, 1, said)
        for line, complaint in WRONG.items():
            self.assertIn(complaint, said, line)


if __name__ == "__main__":
    if not shutil.which("mypy"):
        print("skipped: mypy is not installed (Debian's package mypy)")
        sys.exit(77)
    unittest.main()
