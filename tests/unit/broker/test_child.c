/* A program is run with bounds, and nothing of it is left. */
#include "broker/child.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct child_result result;
static int stop_fd = -1;

static void run(const char *script, const char *input, int64_t timeout_ms)
{
    char copy[4096], sh[] = "sh", c[] = "-c";
    (void)snprintf(copy, sizeof copy, "%s", script);
    struct child_command command = {.words = (char *[]){sh, c, copy, NULL},
                                    .environment =
                                        (char *[]){(char[]){"PATH=/usr/bin:/bin"}, (char[]){"A=b"}, NULL},
                                    .input = slice_of(input),
                                    .timeout_ms = timeout_ms,
                                    .stop_fd = stop_fd};
    child_run(&command, &result);
}

#define LONG_MS 60000

Test(child, it_reads_writes_and_ends)
{
    run("read x; echo \"got $x and $A\"; echo cannot >&2; echo more >&2; exit 7", "word\n", LONG_MS);
    cr_assert(result.end == CHILD_EXITED && result.status == 7);
    cr_assert_str_eq(result.out, "got word and b");
    cr_assert_str_eq(result.err, "cannot", "the first line");
    run("kill -9 $$", "", LONG_MS);
    cr_assert(result.end == CHILD_SIGNALLED && result.status == SIGKILL);
}

Test(child, what_it_does_not_read_or_writes_too_much_of_hurts_nobody)
{
    static char much[1 << 20];
    memset(much, 'x', sizeof much - 1);
    (void)signal(SIGPIPE, SIG_IGN);
    run("exec 0<&-; sleep 0.05; exit 0", much, LONG_MS);
    cr_assert(result.end == CHILD_EXITED && result.status == 0);
    run("cat", much, LONG_MS);
    cr_assert(result.end == CHILD_EXITED && result.status == 0);
    cr_assert_eq(strlen(result.out), CHILD_TEXT_BYTES - 1);
    run("head -c 20000000 /dev/zero >&2; printf 'a\\033[1m\\n'", "", LONG_MS);
    cr_assert(result.end == CHILD_EXITED && result.status == 0);
    cr_assert_str_eq(result.out, "a?[1m", "no text commands a terminal");
    run("kill -PIPE $$; exit 3", "", LONG_MS);
    cr_assert(result.end == CHILD_SIGNALLED && result.status == SIGPIPE, "what we ignore it does not");
}

/* The process is not there, or only waits to be reaped. */
static bool is_gone(pid_t pid)
{
    char path[64], line[256] = "", *state;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return true;
    (void)fgets(line, sizeof line, f);
    (void)fclose(f);
    state = strrchr(line, ')');
    return !state || state[2] == 'Z' || state[2] == 'X';
}

static void expect_gone(void)
{
    pid_t pid = atoi(result.out);
    cr_assert_gt(pid, 1, "%s", result.out);
    for (int i = 0; i < 10000 && !is_gone(pid); i++)
        (void)usleep(1000);
    cr_assert(is_gone(pid));
}

Test(child, nothing_of_its_group_outlives_it)
{
    run("sleep 1000 & echo $!; wait", "", 300);
    cr_assert_eq(result.end, CHILD_TIMED_OUT);
    expect_gone();
    run("sleep 1000 & echo $!; exit 0", "", LONG_MS);
    cr_assert(result.end == CHILD_EXITED && result.status == 0, "its end is not that of its children");
    expect_gone();
    run("trap '' TERM INT HUP; echo $$; while :; do sleep 1000; done", "", 300);
    cr_assert_eq(result.end, CHILD_TIMED_OUT);
    expect_gone();
}

Test(child, it_is_ended_when_that_is_wanted_and_what_cannot_be_run_is_said)
{
    stop_fd = eventfd(1, EFD_CLOEXEC);
    run("sleep 1000", "", LONG_MS);
    cr_assert_eq(result.end, CHILD_STOPPED);
    char nothing[] = "/nowhere/page";
    struct child_command command = {.words = (char *[]){nothing, NULL},
                                    .environment = (char *[]){NULL},
                                    .timeout_ms = LONG_MS,
                                    .stop_fd = -1};
    child_run(&command, &result);
    cr_assert(result.end == CHILD_NOT_STARTED && result.status == ENOENT);
    cr_assert(child_can_run("sh") && child_can_run("/bin/sh"));
    cr_assert(!child_can_run("/etc/passwd") && !child_can_run("no-such-program") &&
              !child_can_run("/nowhere/page"));
}

Test(child, it_inherits_no_descriptors)
{
    int open_fd = dup(2); /* without FD_CLOEXEC */
    cr_assert_geq(open_fd, 3);
    run("ls /proc/self/fd | tr '\\n' ' '", "", LONG_MS);
    cr_assert_str_eq(result.out, "0 1 2 3 ", "3 is ls reading the folder: %s", result.out);
    (void)close(open_fd);
}
