"""terminal: a program on a pseudo terminal of a given width, and what it has written there as a terminal would show it."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata

SECONDS_MAX = 60


def width(text):
    """Columns that a line takes, by Unicode's own tables."""
    columns = 0
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
            continue
        columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return columns


class Terminal:
    """A process whose standard input, output and error are a terminal of `columns`. As a context: it is over at the end."""

    def __init__(self, command, columns, environment=None, stderr=None):
        self.ours, theirs = pty.openpty()
        self.resize(columns, theirs)
        self.seen = b""

        def own_terminal():
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen([str(word) for word in command], env=environment, stdin=theirs, stdout=theirs,
                                        stderr=theirs if stderr is None else stderr, preexec_fn=own_terminal)
        os.close(theirs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)

    def resize(self, columns, fd=None):
        fcntl.ioctl(self.ours if fd is None else fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def press(self, keys):
        os.write(self.ours, keys)

    def read_until(self, pattern):
        """Read until the text has it, or to the end if it is None; returns what was read since the beginning."""
        end = time.monotonic() + SECONDS_MAX
        while pattern is None or not re.search(pattern, self.text()):
            if not select.select([self.ours], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"{pattern!r} did not come:\n{self.text()}")
            try:
                more = os.read(self.ours, 65536)
            except OSError:  # the other side is closed
                more = b""
            if not more:
                if pattern is None:
                    break
                raise AssertionError(f"it ended before {pattern!r}:\n{self.text()}")
            self.seen += more
        return self.text()

    def text(self):
        return self.seen.decode("utf-8", "replace").replace("\r\n", "\n")

    def end(self):
        """Read to its end; returns the exit status and the text."""
        text = self.read_until(None)
        return self.process.wait(SECONDS_MAX), text
