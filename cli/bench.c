/* bench: hands over to `shunt-bench`, which is a program of its own: it measures LMDB and the disk too, and
 * this one needs neither. It lies beside this one, or where the build puts it, or in PATH. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/globals.h"
#include "cli/options.h"

#define PROGRAM    "shunt-bench"
#define PATH_BYTES 4096
#define MORE_WORDS 6 /* at most: --url URL, --output FORM, --help, and the NULL */

/* What was said before the command counts for it too. */
static char **words_for(const struct options *before, int argc, char **argv)
{
    static char url[] = "--url", output[] = "--output", help[] = "--help", program[] = PROGRAM;
    char **words = calloc((size_t)argc + MORE_WORDS, sizeof *words);
    size_t count = 0;
    if (!words)
        return NULL;
    words[count++] = program;
    if (options_text(before, "url", NULL)) {
        words[count++] = url;
        words[count++] = strdup(options_text(before, "url", NULL));
    }
    if (options_text(before, "output", NULL)) {
        words[count++] = output;
        words[count++] = strdup(options_text(before, "output", NULL));
    }
    if (globals_ask_help(before, NULL))
        words[count++] = help;
    for (int i = 1; i < argc; i++)
        words[count++] = argv[i];
    return words;
}

static int hand_over(const struct options *before, int argc, char **argv)
{
    static const char *const places[] = {PROGRAM, "../bench/" PROGRAM};
    char path[PATH_BYTES], self[PATH_BYTES / 2];
    char **words = words_for(before, argc, argv);
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    self[size > 0 ? size : 0] = 0;
    char *slash = strrchr(self, '/');
    for (size_t i = 0; words && slash && i < sizeof places / sizeof *places; i++) {
        slash[1] = 0;
        (void)snprintf(path, sizeof path, "%s%s", self, places[i]);
        (void)execv(path, words);
    }
    if (words)
        (void)execvp(PROGRAM, words);
    call_complain("cannot run %s: %s", PROGRAM, words ? strerror(errno) : "out of memory");
    free(words);
    return EXIT_FAILED;
}

static const struct command commands[] = {{
    .noun = "bench",
    .usage = "[OPTION…] [WORKLOAD…]",
    .text = "measure how fast a broker is, and compare that with what the machine allows",
    .about =
        "It starts a broker of its own unless --url names one. The load then goes to that broker, to topics\n"
        "named bench…, which are deleted and created. `shunt bench --help` lists workloads and options.",
    .examples = "  shunt bench\n  shunt bench --size 100 --window 1024 publish e2e\n",
    .words_max = SIZE_MAX,
    .hand_over = hand_over,
}};

const struct command_set bench_set = {"bench", "measure how fast a broker is", commands, 1};
