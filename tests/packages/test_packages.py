"""debian/ and Containerfile. What can be seen in the files is always looked at. With SHUNT_PACKAGES=1 the packages are built in a bare Debian 12,
judged by lintian, installed into another one, and tried there by debian/tests under a systemd of its own; and the container's image is built by
buildah, without an engine, and its server is started. That needs root, mmdebstrap and Debian's archive, and takes some minutes.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import hardened

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
STEP_SECONDS_MAX = 1500


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def build_packages():
    """As scripts/packages.bash has them."""
    return re.search(r"^build_packages=\((.*?)^\)", text("scripts/packages.bash"), re.S | re.M)[1].split()


class Files(unittest.TestCase):
    def test_one_version(self):
        version = re.search(r"version: '(.*?)'", text("meson.build"))[1]
        self.assertRegex(text("debian/changelog"), rf"\Ashunt \({re.escape(version)}\)")
        self.assertEqual(re.search(r"^## (\d\S*)", text("CHANGELOG.md"), re.M)[1], version)
        self.assertIn(f'of the library that is loaded, "{version}"', text("client/shunt_error.h"))

    def test_the_packages_that_the_build_needs_are_the_same_everywhere(self):
        control = re.search(r"^Build-Depends:\n((?: .*\n)+)", text("debian/control"), re.M)[1]
        needed = {re.match(r"[\w.+-]+", line.strip())[0] for line in control.splitlines()} - {"debhelper-compat", "dh-sequence-installsysusers", "dh-sequence-python3", "python3"}
        # A compiler and ninja come with debhelper's own needs.
        wanted = {entry.split(":")[-1] for entry in build_packages()} - {"gcc", "libc6-dev", "ninja-build"}
        self.assertEqual(needed, wanted)

    def test_what_the_container_runs_with_is_what_the_build_links(self):
        """One package at run time for each library that the build needs, except those of headers alone."""
        headers = {"libmsgpack-dev", "libc6-dev"}
        built = {entry for entry in build_packages() if entry.startswith("lib") and entry.endswith("-dev")} - headers
        runs = re.search(r"--no-install-recommends \\\n\s+(.*?) \\\n", text("Containerfile"))[1].split()
        stem = lambda name: re.sub(r"[\d.-]*(-dev)?$", "", name)
        self.assertEqual(sorted(map(stem, runs)), sorted(map(stem, built)))


def why_not():
    if not os.environ.get("SHUNT_PACKAGES"):
        return "SHUNT_PACKAGES is not set"
    missing = [tool for tool in ("mmdebstrap", "chroot", "unshare", "nsenter", "git") if not shutil.which(tool)]
    if missing:
        return "not installed: " + ", ".join(missing)
    return None if os.geteuid() == 0 else "only root can make a root"


@unittest.skipIf(why_not(), why_not())
class Roots(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="shunt-packages-", ignore_cleanup_errors=True)
        self.addCleanup(directory.cleanup)
        self.scratch = pathlib.Path(directory.name)

    def do(self, *words, **more):
        print("+", " ".join(map(str, words))[:200], file=sys.stderr, flush=True)
        done = subprocess.run([*map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=STEP_SECONDS_MAX, check=False, **more)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:])
        return done.stdout

    def debian(self, name, packages, *hooks):
        self.do("mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(["ca-certificates", *packages]), *(f"--customize-hook={hook}" for hook in hooks),
                "bookworm", self.scratch / name)
        return self.scratch / name

    def source(self, to):
        """The files of this tree that git knows or would take."""
        to.mkdir(parents=True)
        names = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], stdout=subprocess.PIPE, check=True).stdout
        packed = subprocess.run(["tar", "-C", ROOT, "--null", "-T", "-", "-c"], input=names, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-C", to, "-x", "--no-same-owner"], input=packed, check=True)

    def test_packages_build_install_and_serve(self):
        needed = [entry.split(":")[-1] for entry in build_packages()]
        builder = self.debian("builder", ["build-essential", "debhelper", "dh-python", "fakeroot", "lintian", "python3", *needed])
        self.source(builder / "shunt/source")
        self.do("chroot", builder, "sh", "-c", "cd /shunt/source && dpkg-buildpackage --build=full --no-sign -d")
        print(self.do("chroot", builder, "sh", "-c", "cd /shunt && lintian --allow-root --fail-on error,warning *.changes"), file=sys.stderr)

        packages = self.scratch / "packages"
        packages.mkdir()
        for package in builder.glob("shunt/*.deb"):
            if "-dbgsym_" not in package.name:
                shutil.copy(package, packages)
        self.assertEqual(sorted(package.name.split("_")[0] for package in packages.iterdir()), ["libshunt-dev", "libshunt0", "python3-shunt", "shunt", "shunt-doc", "shuntd"])
        depends = re.search(r"(?s)^Tests: library\nDepends: (.*?)\n", text("debian/tests/control"), re.M)[1].split(", ")
        tools = [name for name in depends if "shunt" not in name]
        installed = self.debian("installed", ["systemd-sysv", "dbus", *tools], f"copy-in {packages} /root", 'chroot "$1" sh -c "apt-get -y install /root/packages/*.deb"')
        for path in ("usr/lib/x86_64-linux-gnu/libshunt.so", "usr/share/doc/shunt/docs/cli.md", "etc/shunt/shuntd.conf"):
            self.assertTrue((installed / path).exists(), path)
        for path in ("usr/bin/shuntd", "usr/bin/shunt", "usr/bin/shunt-bench", "usr/lib/x86_64-linux-gnu/libshunt.so.0"):
            self.assertEqual(hardened.linked_faults(installed / path) + hardened.compiled_faults(installed / path), [], path)
        shutil.copytree(ROOT / "debian/tests", installed / "root/tests")
        with subprocess.Popen([HERE / "boot.sh", installed], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as machine:
            try:
                self.try_in(machine)
            finally:
                machine.kill()
                print("".join(machine.stdout.readlines()[-40:]), file=sys.stderr)

    def try_in(self, machine):
        first = None
        while first is None:  # unshare forks once, and its child becomes systemd
            self.assertIsNone(machine.poll())
            children = pathlib.Path(f"/proc/{machine.pid}/task/{machine.pid}/children").read_text(encoding="ascii").split()
            if children and pathlib.Path(f"/proc/{children[0]}/comm").read_text(encoding="ascii") == "systemd\n":
                first = children[0]
        inside = ["nsenter", "--target", first, "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--root", "--"]
        # systemctl cannot ask before systemd listens.
        self.do(*inside, "bash", "-c", "until [ -S /run/systemd/private ]; do :; done; systemctl is-system-running --wait || { systemctl --failed; journalctl -n 50; exit 1; }")
        for test in ("service", "library", "python"):
            print(self.do(*inside, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"/root/tests/{test}"), file=sys.stderr)
        # Without the package no service runs; the messages stay until somebody removes them.
        self.do(*inside, "apt-get", "-y", "purge", "shuntd")
        self.do(*inside, "sh", "-c", "! systemctl is-active shuntd && test ! -e /etc/shunt/shuntd.conf && test -e /var/lib/shunt/data.mdb")

    def with_devices(self, root, script, *words):
        # Its / is a mount, as buildah wants.
        return self.do("unshare", "--mount", "sh", "-c", """mount --bind "$1" "$1"; mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; mount --rbind /sys "$1/sys"
            cp /etc/resolv.conf "$1/etc/"; root=$1; shift; exec chroot "$root" sh -euc "$@\"""", "sh", root,
                       "export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs\n" + script, "sh", *words)

    def test_the_container_is_built_and_serves(self):
        builder = self.debian("builder", ["buildah", "crun"])
        self.do("mmdebstrap", "--quiet", "--variant=minbase", "bookworm", builder / "base.tar")
        self.source(builder / "shunt")
        self.with_devices(builder, """
            made=$(buildah from scratch)
            buildah add -q "$made" /base.tar /
            buildah commit -q "$made" base
            buildah build --format docker --pull-never --build-arg BASE=localhost/base -t shunt /shunt
            buildah inspect --type image shunt >/inspected""")
        config = json.loads((builder / "inspected").read_text(encoding="utf-8"))["Docker"]["config"]
        self.assertEqual(config["User"], "shunt")
        self.assertEqual(config["Healthcheck"]["Test"][0], "CMD")
        said = self.with_devices(builder, """
            made=$(buildah from --pull-never shunt)
            buildah run "$made" -- sh -euc '
                check=$1; shift
                "$@" &
                until $check; do kill -0 $!; done
                test "$(stat -c %U /proc/$!)" = shunt
                export SHUNT_URL=shunt+unix:///var/lib/shunt/shunt.sock
                shunt topic create fruit --max-attempts 1
                echo poison | shunt publish fruit --lines
                shunt work fruit --drain -- false || true
                shunt dlq list fruit
                kill $!
                wait $!' sh "$@\"""", " ".join(config["Healthcheck"]["Test"][1:]), *config["Entrypoint"])
        print(said, file=sys.stderr)
        self.assertIn("fruit/1", said)
        self.assertIn("event=stopped", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
