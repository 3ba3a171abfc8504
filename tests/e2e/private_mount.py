"""private_mount: a file system of our own, small or read-only, that nobody else sees and that is gone with the test."""
import pathlib
import subprocess


class PrivateMount:
    """`mount` is a shell command that mounts something on $1. `prefix` are the words that run a program where it can be seen, and `root` and
    `inside` are / and that place as seen from here. `unavailable` says why there is none."""

    def __init__(self, where, mount):
        self.process = subprocess.Popen(["unshare", "--mount", "sh", "-c", f"{mount} && echo ready && exec cat", "sh", where],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.unavailable = None
        if self.process.stdout.readline() != "ready\n":
            self.unavailable = "no private mounts here: " + self.process.communicate()[1].strip()
        self.prefix = ["nsenter", "--target", str(self.process.pid), "--mount", "--root", "--wdns=/", "--"]  # its root: we may be in a chroot ourselves
        self.root = pathlib.Path(f"/proc/{self.process.pid}/root")
        self.inside = self.root / pathlib.Path(where).relative_to("/")

    def close(self):
        """The mount goes with the last process that sees it."""
        if self.process.returncode is None:
            self.process.communicate("")
