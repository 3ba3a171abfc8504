"""How the programs and the library are linked and compiled: what is built here, what `./run`, the container and a release build, and that a program
without any of it is found out. The Debian packages are looked at in test_packages.py."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import hardened

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["BUILD_DIR"])
INSTALLED = ("broker/shuntd", "cli/shunt", "client/libshunt.so.0", "bench/shunt-bench", "bench/shunt-disk-model.so")
FLAGS = ["-fstack-protector-strong", "-fstack-clash-protection", "-D_FORTIFY_SOURCE=3"] + ["-fcf-protection"] * (os.uname().machine == "x86_64")
OPEN = ("-O1", "-no-pie", "-fno-pie", "-fno-stack-protector", "-fcf-protection=none", "-U_FORTIFY_SOURCE", "-Wl,-z,norelro", "-Wl,-z,lazy", "-Wl,-z,execstack")
STEP_SECONDS_MAX = 600


class Hardening(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="shunt-hardening-")
        self.addCleanup(directory.cleanup)
        self.scratch = pathlib.Path(directory.name)

    def do(self, *words, **environment):
        done = subprocess.run([*map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              env={**os.environ, **environment}, timeout=STEP_SECONDS_MAX)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        return done.stdout

    def test_nothing_that_is_installed_can_be_bent_after_its_start(self):
        self.assertEqual({name: hardened.linked_faults(BUILD / name) for name in INSTALLED}, {name: [] for name in INSTALLED})

    def release(self):
        """A build as ./run makes it, of which the library and the tool are made; its calls of the compiler."""
        self.assertRegex((ROOT / "run").read_text(encoding="utf-8"), r"meson setup build -Dtests=disabled 2>&1")
        self.do("meson", "setup", self.scratch / "build", ROOT, "-Dtests=disabled", CFLAGS="", CPPFLAGS="", LDFLAGS="")
        self.do("ninja", "-C", self.scratch / "build", "cli/shunt")
        return json.loads((self.scratch / "build/compile_commands.json").read_text(encoding="utf-8"))

    def test_a_release_is_compiled_with_guards_in_every_file(self):
        calls = self.release()
        self.assertGreater(len(calls), 250)
        for call in calls:
            for flag in FLAGS:
                self.assertIn(flag, call["command"].split(), call["file"])
        for name in ("cli/shunt", "client/libshunt.so.0"):
            program = self.scratch / "build" / name
            self.assertEqual(hardened.linked_faults(program) + hardened.compiled_faults(program), [], name)

    @unittest.skipUnless(shutil.which("dpkg-buildflags"), "not on Debian")
    def test_a_debian_package_is_compiled_with_debians_flags_and_what_they_lack(self):
        chosen = re.search(r"^export (DEB_BUILD_MAINT_OPTIONS) = (.*)$", (ROOT / "debian/rules").read_text(encoding="utf-8"), re.M)
        flags = {name: self.do("dpkg-buildflags", "--get", name, **{chosen[1]: chosen[2]}).strip() for name in ("CFLAGS", "CPPFLAGS", "LDFLAGS")}
        # As debhelper calls it.
        self.do("meson", "setup", self.scratch / "build", ROOT, "--buildtype=plain", "--auto-features=enabled", "-Dtests=disabled", **flags)
        for call in json.loads((self.scratch / "build/compile_commands.json").read_text(encoding="utf-8")):
            words = call["command"].split()
            self.assertEqual([word for word in words if "_FORTIFY_SOURCE" in word], ["-D_FORTIFY_SOURCE=2"], call["file"])
            for flag in FLAGS[:2] + FLAGS[3:]:
                self.assertIn(flag, words, call["file"])
            self.assertTrue({"-fPIE", "-fPIC"} & set(words), call["file"])
        links = re.findall(r"^ LINK_ARGS = (.*)$", (self.scratch / "build/build.ninja").read_text(encoding="utf-8"), re.M)
        self.assertGreater(len([line for line in links if "-Wl,-z,relro" in line and "-Wl,-z,now" in line]), 4)

    def test_a_program_without_any_of_it_is_found_out(self):
        source = self.scratch / "open.c"
        source.write_text('#include <string.h>\nint main(int count, char **words)\n{\n    char copy[64];\n    strcpy(copy, words[count - 1]);\n    return copy[0];\n}\n', encoding="utf-8")
        self.do("gcc", *OPEN, "-o", self.scratch / "open", source)
        faults = hardened.linked_faults(self.scratch / "open") + hardened.compiled_faults(self.scratch / "open")
        wanted = ["position independent", "tables", "looks its functions up", "stack that can be run", "guards its stack", "no copy is checked"]
        wanted += ["any jump"] if re.search("x86_64", os.uname().machine) else []
        self.assertEqual(len(faults), len(wanted), faults)
        for fault, words in zip(faults, wanted):
            self.assertIn(words, fault)


if __name__ == "__main__":
    unittest.main()
