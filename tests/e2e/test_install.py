"""What `meson install` puts in place works from there: programs, library, headers, pkg-config file, manual pages."""
import os
import pathlib
import subprocess
import tempfile
import unittest

from harness import BUILD_DIR, Server

PROGRAM = r"""
#include <shunt.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    struct shunt_error err;
    struct shunt *s;
    if (argc != 2 || shunt_open(argv[1], NULL, &s, &err))
        return 2;
    int failed = shunt_topic_create(s, "installed", NULL, 5000, &err);
    printf("%s %d\n", shunt_version(), failed);
    shunt_close(s, 5000);
    return failed;
}
"""


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="install-")
        cls.destination = pathlib.Path(cls.directory.name) / "root"
        cls.addClassCleanup(cls.directory.cleanup)
        done = subprocess.run(["meson", "install", "-C", BUILD_DIR, "--no-rebuild", "--destdir", cls.destination],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    def one(self, name):
        """The one installed file or link of that name."""
        found = [path for path in self.destination.rglob(name)]
        self.assertEqual(len(found), 1, f"{name}: {found}")
        return found[0]

    def test_everything_is_there(self):
        for name in ("shuntd", "shunt", "libshunt.so", "libshunt.so.0", "shunt.h", "shunt_uv.h", "shunt.pc"):
            self.one(name)
        self.assertEqual(len(list(self.destination.rglob("shunt*.[18]*"))), 2)

    def test_the_library_has_its_soname_and_exports_only_its_prefix(self):
        library = self.one("libshunt.so.0").resolve()
        dynamic = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
        self.assertIn("[libshunt.so.0]", dynamic)
        names = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
        exported = [line.split()[-1].split("@")[0] for line in names.splitlines()]
        self.assertIn("shunt_open", exported)
        self.assertEqual([name for name in exported if not name.startswith("shunt_") and name != "SHUNT_0"], [])

    def test_a_program_builds_with_pkg_config_and_runs(self):
        prefix = self.one("shunt.pc")
        environment = dict(os.environ, PKG_CONFIG_LIBDIR=str(prefix.parent), PKG_CONFIG_SYSROOT_DIR=str(self.destination))
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "shunt"], env=environment, capture_output=True, text=True,
                               check=True).stdout.split()
        source = pathlib.Path(self.directory.name) / "program.c"
        program = source.with_suffix("")
        source.write_text(PROGRAM, encoding="utf-8")
        sanitizers = ["-fsanitize=address,undefined"] if os.environ.get("SANITIZED") else []
        for compiler, standard in (("cc", "-std=c11"), ("c++", "-std=c++17")):
            language = ["-x", "c++"] if compiler == "c++" else []
            subprocess.run([compiler, standard, *sanitizers, *language, source, "-x", "none", "-o", program, *flags], check=True)
            with Server() as server:
                environment = dict(os.environ, LD_LIBRARY_PATH=str(self.one("libshunt.so.0").parent))
                done = subprocess.run([program, server.url], env=environment, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout.split()[-1]), (0, "0"), done.stderr)

    def test_the_installed_tool_finds_its_library(self):
        where = subprocess.run(["readelf", "-d", self.one("shunt")], capture_output=True, text=True, check=True).stdout
        library = "/" + str(self.one("libshunt.so.0").parent.relative_to(self.destination))
        self.assertIn(f"[{library}]", where)


if __name__ == "__main__":
    unittest.main(verbosity=2)
