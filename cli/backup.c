/* backup: hands over to `shuntd --backup` on the server's own machine, with the settings that the server has. No broker is asked: which
 * directory is read and which written is the right of the user who runs it, and not of every client. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/options.h"

#define PROGRAM "shuntd"
/* Of the service in deploy/systemd, as packages install it. */
#define SERVICE_CONFIG "/etc/shunt/shuntd.conf"
#define SERVICE_DATA   "/var/lib/shunt"
#define PATH_BYTES     4096
#define ARGUMENTS_MAX  16
#define CANNOT_RUN_TEXT                                                                                      \
    "cannot run " PROGRAM ": %s: install the server on this machine, or name it with --shuntd"

/* A command line under way. Words are lent by who adds them; exec does not write to them. */
struct words {
    char *all[ARGUMENTS_MAX];
    size_t count;
};

static void add(struct words *w, const char *option, const char *value)
{
    if (!value)
        return;
    w->all[w->count++] = (char *)(uintptr_t)option;
    w->all[w->count++] = (char *)(uintptr_t)value;
}

/* It lies beside this program, where the build puts it, or in PATH. Returns if it cannot be run, with errno. */
static void hand_over(const char *named, char *const words[])
{
    static const char *const places[] = {PROGRAM, "../sbin/" PROGRAM, "../broker/" PROGRAM};
    char path[PATH_BYTES], self[PATH_BYTES / 2];
    if (named) {
        (void)execvp(named, words);
        return;
    }
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    self[size > 0 ? size : 0] = 0;
    char *slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        slash[1] = 0;
        (void)snprintf(path, sizeof path, "%s%s", self, places[i]);
        (void)execv(path, words);
    }
    (void)execvp(PROGRAM, words);
}

/* Whether the command line, or the service on this machine, says which store it is. */
static int choose_store(const struct call *call, struct words *w)
{
    const char *config = options_text(&call->options, "config", NULL);
    const char *data = options_text(&call->options, "data", NULL);
    if (!config && !data) {
        if (access(SERVICE_CONFIG, R_OK) != 0) {
            return call_misused(call,
                                "which store? Give the server's own --data DIR, or the --config FILE that "
                                "names it. Without them it is the service's, whose " SERVICE_CONFIG
                                " cannot be read: %s",
                                strerror(errno));
        }
        config = SERVICE_CONFIG;
        data = SERVICE_DATA;
        call_note(call, "the service's store, " SERVICE_DATA ", with " SERVICE_CONFIG);
    }
    add(w, "--config", config);
    add(w, "--data", data);
    return EXIT_OK;
}

static int run_backup(struct call *call)
{
    struct words w = {.all = {(char *)(uintptr_t)PROGRAM}, .count = 1};
    if (call->form != FORM_TABLE)
        return call_misused(call, "what it prints is for people: -o has no meaning here");
    int code = choose_store(call, &w);
    if (code != EXIT_OK)
        return code;
    add(&w, "--backup", call_word(call, 0));
    add(&w, "--backup-rate", options_text(&call->options, "rate", NULL));
    hand_over(options_text(&call->options, "shuntd", NULL), w.all);
    call_complain(CANNOT_RUN_TEXT, strerror(errno));
    return EXIT_FAILED;
}

static const struct option_row rows[] = {
    {"config", 0, "FILE", OPTION_TEXT, WORDS_NONE, 0, 0,
     "the server's settings (default: the service's, " SERVICE_CONFIG ", with its data, " SERVICE_DATA ")"},
    {"data", 0, "DIR", OPTION_TEXT, WORDS_NONE, 0, 0,
     "the server's data directory, if its settings do not say"},
    {"rate", 0, "SIZE", OPTION_TEXT, WORDS_NONE, 0, 0,
     "copy at most SIZE bytes a second, as 20MiB (default: no limit)"},
    {"shuntd", 0, "FILE", OPTION_TEXT, WORDS_NONE, 0, 0,
     "the server's program, if it is not found by itself"},
};

static const struct command commands[] = {{
    .noun = "backup",
    .usage = "DIR [OPTIONS]",
    .text = "copy the store of the server on this machine into a new directory, and verify the copy",
    .about =
        "Runs `shuntd --backup DIR` with the server's settings, beside a server that serves or of a stopped "
        "one. Run it\n"
        "on the server's machine as the server's user; no broker is asked. DIR is there whole, or not at "
        "all: ^C leaves\n"
        "nothing. The exit code is shuntd's: 0 whole, verified and durable; 64 DIR is there already, 65 the "
        "store is\n"
        "damaged, 66 there is no store, 73 another user's, 75 another backup writes DIR, 79 no room, 80 "
        "stopped.\n",
    .examples = "  sudo -u shunt shunt backup /var/backups/shunt/monday\n"
                "  shunt backup /tmp/copy --data shunt-data --rate 20MiB\n",
    .options = rows,
    .options_count = sizeof rows / sizeof *rows,
    .words_min = 1,
    .words_max = 1,
    .run = run_backup,
}};

const struct command_set backup_set = {"backup", "copy the store of the server on this machine", commands, 1};
