"""The program of docs/python.md, run as it stands there. A line `#=> text` says that its block prints text."""
import contextlib
import io
import linecache
import re
import sys
import unittest

import harness
from secure import plain_only

sys.path.insert(0, str(harness.SOURCE_ROOT / "python"))
PAGE = (harness.SOURCE_ROOT / "docs" / "python.md").read_text(encoding="utf-8")
DEFAULT_URL = '"shunt://127.0.0.1"'


def run(page, url):
    """Each block in turn; returns how many texts were found, or raises AssertionError."""
    world, found = {"__name__": "__main__"}, 0
    try:
        for number, block in enumerate(re.findall(r"^```python\n(.*?)^```$", page, re.S | re.M), 1):
            printed, name = io.StringIO(), f"<block {number}>"
            linecache.cache[name] = (len(block), None, block.splitlines(keepends=True), name)  # so that tracebacks show its lines
            with contextlib.redirect_stdout(printed):
                exec(compile(block.replace(DEFAULT_URL, repr(url)), name, "exec"), world)
            for text in re.findall(r"^#=> (.*)$", block, re.M):
                if text not in printed.getvalue():
                    raise AssertionError(f"block {number} does not print {text!r}, but:\n{printed.getvalue()}")
                found += 1
    finally:
        if "broker" in world:
            world["broker"].close()
    return found


class Page(unittest.TestCase):
    @plain_only("the page speaks to a server that lets everybody in")
    def test_it_goes_as_written(self):
        with harness.Server() as server:
            self.assertGreater(run(PAGE, server.url), 15)

    def test_a_page_that_is_wrong_is_found(self):
        with harness.Server() as server, self.assertRaisesRegex(AssertionError, "block 1 does not print '2'"):
            run(PAGE.replace("#=> 1\n", "#=> 2\n", 1), server.url)


if __name__ == "__main__":
    unittest.main()
