/* What a child leaves of itself when it gives no verdict of its own: its words, its program, its descriptors.
 * And who hears a signal to stop. */
#include "child_case.h"

#include "client/worker/stop_signals.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what runs in the child ---- */

/* A file of the handler's own in place of each descriptor that it had no right to close. */
static char own_file[] = "/tmp/shunt-test-XXXXXX";

static void replace_all(void)
{
    for (int fd = 3; fd < 64; fd++)
        (void)close(fd);
    for (int fd = 3; fd < 64; fd++)
        (void)open(own_file, O_RDWR | O_APPEND | O_CLOEXEC);
}

static void write_traceback(void)
{
    (void)fputs("Traceback (most recent call last):\n  File \"job.py\", line 1\napp.Broken: no such part\n",
                stderr);
}

/* More than is kept of it, in characters of three bytes. */
static void write_long_words(void)
{
    for (int i = 0; i < 2000; i++)
        (void)fputs("\u20ac", stderr);
    (void)fputs(".\n", stderr);
}

static int handle(void *context, const void *bytes, size_t size, struct shunt_verdict *v)
{
    const char *what = bytes;

    (void)context;
    (void)size;
    (void)v;
    if (strcmp(what, "replace-and-return") == 0) {
        replace_all();
    } else if (strcmp(what, "replace-and-crash") == 0) {
        replace_all();
        (void)raise(SIGSEGV);
    } else if (strcmp(what, "traceback-exit") == 0) {
        write_traceback();
        exit(1);
    } else if (strcmp(what, "traceback-nack") == 0) {
        write_traceback();
        return SHUNT_NACK;
    } else if (strcmp(what, "long-words") == 0) {
        write_long_words();
        return SHUNT_NACK;
    } else if (strcmp(what, "exec-and-stay") == 0) {
        (void)execlp("sleep", "sleep", "1000", (char *)NULL);
    } else if (strcmp(what, "exec-and-end") == 0) {
        (void)execlp("sh", "sh", "-c", "echo not mine >&2; exit 3", (char *)NULL);
    } else if (strcmp(what, "silent-nack") == 0) {
        return SHUNT_NACK;
    } else if (strcmp(what, "exit") == 0) {
        _exit(3);
    }
    return SHUNT_ACK;
}

/* ---- cases ---- */

static struct child_pool *pool_open(void)
{
    return pool_start(
        &(struct child_pool_settings){.children = 1, .respawn_ms_min = 1, .handle = handle, .done = on_done});
}

/* Neither its verdict nor the report of its crash goes into what the handler has opened. */
static void case_nothing_is_written_where_a_handler_put_something_else(void)
{
    int file = mkstemp(own_file); /* before the child is forked, which must know its name */
    struct child_pool *p = pool_open();
    struct stat info;

    expect(file >= 0);
    pool_do(p, "replace-and-return");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "channel_closed") == 0);
    pool_do(p, "replace-and-crash");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "SIGSEGV") == 0);
    expect(fstat(file, &info) == 0 && info.st_size == 0);
    child_pool_free(p);
    (void)close(file);
    (void)unlink(own_file);
}

static void case_what_a_child_said_is_looked_through_for_what_failed(void)
{
    struct child_pool *p = pool_open();

    pool_do(p, "traceback-exit");
    expect(strcmp(result.verdict.type, "app.Broken") == 0);
    expect(strcmp(result.verdict.message, "app.Broken: no such part") == 0);
    pool_do(p, "traceback-nack");
    expect(strcmp(result.verdict.message, "app.Broken: no such part") == 0);
    pool_do(p, "silent-nack"); /* what was said of another job is not about this one */
    expect(!result.verdict.has_message);
    pool_do(p, "long-words");
    expect(strncmp(result.verdict.stack, "stderr:\n\u20ac", strlen("stderr:\n\u20ac")) == 0);
    expect(!strchr(result.verdict.stack, '?')); /* cut between characters */
    child_pool_free(p);
}

/* Waits for the end of a process that was forked here; it must have ended like that. */
static void expect_end(pid_t pid, int wanted)
{
    int status = 0;

    expect(waitpid(pid, &status, 0) == pid && status == wanted);
}

static void case_a_forked_process_with_workers_of_its_own_is_told_to_stop(void)
{
    struct shunt_error err;
    uint64_t told;
    int ours = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pid_t copy;

    expect(stop_signals_begin(ours, false, &err) == 0);
    copy = fork();
    if (copy == 0) {
        int own = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

        stop_signals_end(ours, false); /* its parent's: nothing of that is here */
        expect(stop_signals_begin(own, false, &err) == 0);
        expect(raise(SIGTERM) == 0 && stop_signals_seen() == 1);
        expect(read(own, &told, sizeof told) == sizeof told);
        stop_signals_end(own, false);
        (void)raise(SIGTERM); /* and now it does what it did before there was any worker */
        _exit(0);
    }
    expect_end(copy, SIGTERM);
    expect(read(ours, &told, sizeof told) < 0 && stop_signals_seen() == 0);
    expect(raise(SIGTERM) == 0 && stop_signals_seen() == 1);
    stop_signals_end(ours, false);
    (void)close(ours);
}

static void case_a_child_that_becomes_another_program_is_told_by_its_name(void)
{
    struct child_pool *p = pool_open();

    pool_do(p, "exec-and-stay");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "exec") == 0);
    expect_has(result.verdict.message, "its process became `sleep`");
    pool_do(p, "exec-and-end");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "exec") == 0);
    expect_has(result.verdict.message, "its process became `sh`");
    expect(strcmp(result.verdict.stack, "stderr:\nnot mine\n") == 0);
    pool_do(p, "exit");
    expect(strcmp(result.verdict.type, "exit 3") == 0);
    pool_do(p, "ack");
    expect(result.outcome == SHUNT_ACK);
    child_pool_free(p);
}

int main(void)
{
    void (*const cases[])(void) = {
        case_nothing_is_written_where_a_handler_put_something_else,
        case_what_a_child_said_is_looked_through_for_what_failed,
        case_a_forked_process_with_workers_of_its_own_is_told_to_stop,
        case_a_child_that_becomes_another_program_is_told_by_its_name,
    };

    cases_run(cases, sizeof cases / sizeof *cases);
    return 0;
}
