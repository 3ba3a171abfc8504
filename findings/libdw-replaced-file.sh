#!/bin/bash
# libdw 0.188: a process whose program file was replaced (as each upgrade does) has no names any more.
#
# dwfl_linux_proc_report() lists the modules of a running process, dwfl_linux_proc_find_elf() opens their files. Once
# the file has been replaced or removed, the kernel calls it "PATH (deleted)", and libdw reads the module from the
# process's memory, where there are neither symbols nor lines. One would guess that it opens /proc/PID/exe, which is
# the very file that runs for as long as it runs. A callback of one's own that does so gets all names back.
set -euo pipefail
version=0.188-2.1

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "libdw1=$version" "libdw-dev=$version" "libelf1=$version" "libelf-dev=$version" >/dev/null
for package in ./*.deb; do
    dpkg-deb -x "$package" root
done
lib=$(dirname "$(find root -name 'libdw.so.1' | head -n 1)")

cat >named.c <<'C'
#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *debuginfo_path = (char *)""; /* nothing is looked for elsewhere */

static int find_exe(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base, char **file, Elf **elf)
{
    (void)module, (void)user, (void)name, (void)base, (void)elf;
    *file = strdup("/proc/self/exe"); /* the one module that is asked about */
    return -1;
}

static void must(int good, const char *what)
{
    if (!good) {
        perror(what);
        exit(2);
    }
}

/* Which function is this, and in which file, by libdw's account? */
__attribute__((noinline)) static void who_am_i(const char *when, int own_find_elf)
{
    const Dwfl_Callbacks callbacks = {.find_elf = own_find_elf ? find_exe : dwfl_linux_proc_find_elf,
                                      .find_debuginfo = dwfl_build_id_find_debuginfo,
                                      .debuginfo_path = &debuginfo_path};
    Dwarf_Addr here = (Dwarf_Addr)(size_t)who_am_i + 4;
    Dwfl *dwfl = dwfl_begin(&callbacks);
    must(dwfl != NULL, "dwfl_begin");
    dwfl_report_begin(dwfl);
    must(dwfl_linux_proc_report(dwfl, getpid()) == 0, "dwfl_linux_proc_report");
    must(dwfl_report_end(dwfl, NULL, NULL) == 0, "dwfl_report_end");
    Dwfl_Module *module = dwfl_addrmodule(dwfl, here);
    must(module != NULL, "dwfl_addrmodule");
    const char *name = dwfl_module_addrname(module, here);
    Dwfl_Line *line = dwfl_module_getsrc(module, here);
    const char *file = line == NULL ? NULL : dwfl_lineinfo(line, NULL, NULL, NULL, NULL, NULL);
    const char *slash = file == NULL ? NULL : strrchr(file, '/');
    printf("%s: function %s, source %s\n", when, name == NULL ? "unknown" : name,
           file == NULL ? "unknown" : slash == NULL ? file : slash + 1);
    dwfl_end(dwfl);
}

int main(int argc, char **argv)
{
    (void)argc;
    printf("version %s\n", dwfl_version(NULL));
    who_am_i("as started", 0);
    must(rename(argv[1], argv[0]) == 0, "rename"); /* as dpkg, install and rsync do */
    who_am_i("its file replaced", 0);
    who_am_i("its file replaced, with a find_elf that opens /proc/self/exe", 1);
    return 0;
}
C
cc -g -O1 -o named named.c -Iroot/usr/include "$lib/libdw.so.1"
cp named newer
LD_LIBRARY_PATH=$lib ./named newer | tee seen

expected='version 0.188
as started: function who_am_i, source named.c
its file replaced: function unknown, source unknown
its file replaced, with a find_elf that opens /proc/self/exe: function who_am_i, source named.c'
[[ $(<seen) == "$expected" ]] || {
    echo "libdw-replaced-file: this is no longer what was found" >&2
    exit 1
}
