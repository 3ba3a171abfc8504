/* work_child, guard, program: the command of `work`, without a broker. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/program.h"
#include "cli/sink.h"
#include "cli/work_child.h"

struct run {
    struct judgement judgement;
    char out[256];
};

static void run_spec(struct run *r, const char *script, struct child_spec spec)
{
    char copy[512];
    int ends[2];
    char *arguments[] = {(char[]){"sh"}, (char[]){"-c"}, copy, NULL};
    cr_assert_lt(strlen(script), sizeof copy);
    strcpy(copy, script);
    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    spec.path = "/bin/sh";
    spec.arguments = arguments;
    spec.environment = environ;
    struct sink sink;
    cr_assert(sink_open(&sink, ends[1]));
    spec.out = &sink;
    struct child c;
    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(child_start(&c, &spec), 0);
    while (!c.ended) {
        struct pollfd rows[CHILD_POLLS];
        child_poll(&c, rows, clock_mono_ms());
        cr_assert_geq(poll(rows, CHILD_POLLS, clock_poll_ms(child_wake_ms(&c, clock_mono_ms()))), 0);
        child_pump(&c, rows, clock_mono_ms());
        child_tick(&c, rows, clock_mono_ms());
    }
    *r = (struct run){0};
    child_judge(&c, &r->judgement);
    (void)!read(ends[0], r->out, sizeof r->out - 1);
    child_done(&c);
    sink_close(&sink);
    close(ends[0]);
    close(ends[1]);
}

/* Run `script` in a shell to its end. */
static void run_shell(struct run *r, const char *script, const void *body, size_t body_bytes,
                      int64_t timeout_ms, int64_t grace_ms)
{
    run_spec(r, script,
             (struct child_spec){
                 .body = body, .body_bytes = body_bytes, .timeout_ms = timeout_ms, .grace_ms = grace_ms});
}

static void run_shell_leaving(struct run *r, const char *script, bool leave)
{
    run_spec(r, script, (struct child_spec){.leave = leave});
}

static void expect_judgement(const char *script, enum verdict verdict, const char *type, const char *message)
{
    struct run r;
    run_shell(&r, script, "", 0, 0, 0);
    cr_expect_eq(r.judgement.verdict, verdict, "%s", script);
    cr_expect_str_eq(r.judgement.type, type, "%s: %s", script, r.judgement.type);
    if (message)
        cr_expect_str_eq(r.judgement.message ? r.judgement.message : "(none)", message, "%s", script);
    else
        cr_expect_null(r.judgement.message, "%s", script);
    judgement_done(&r.judgement);
}

Test(work_child, judges_by_exit_code_and_signal)
{
    expect_judgement("exit 0", VERDICT_ACK, "", NULL);
    expect_judgement("echo bad >&2; exit 65", VERDICT_REJECT, "exit 65", "bad");
    expect_judgement("exit 1", VERDICT_NACK, "exit 1", NULL);
    expect_judgement("exit 255", VERDICT_NACK, "exit 255", NULL);
    expect_judgement("ulimit -c 0; kill -SEGV $$", VERDICT_NACK, "SIGSEGV", NULL);
    expect_judgement("kill -KILL $$", VERDICT_NACK, "SIGKILL", NULL);
    expect_judgement("kill -TERM $$", VERDICT_NACK, "SIGTERM", NULL);
}

Test(work_child, names_the_exception_that_ended_it)
{
    expect_judgement(
        "printf 'Traceback (most recent call last):\\n  File \"x\", line 1\\napp.Bad: why\\n' >&2; exit 1",
        VERDICT_NACK, "app.Bad", "app.Bad: why");
    expect_judgement(
        "printf 'Traceback (most recent call last):\\n  File \"x\", line 1\\napp.Bad: why\\n' >&2; exit 65",
        VERDICT_REJECT, "app.Bad", "app.Bad: why");
    /* What was said before a kill is of something else. */
    expect_judgement("printf 'Traceback (most recent call last):\\n  File \"x\", line 1\\napp.Bad: why\\n' "
                     ">&2; kill -KILL $$",
                     VERDICT_NACK, "SIGKILL", "app.Bad: why");
    expect_judgement(
        "ulimit -c 0; echo \"terminate called after throwing an instance of 'app::Bad'\" >&2; kill -ABRT $$",
        VERDICT_NACK, "app::Bad", "terminate called after throwing an instance of 'app::Bad'");
}

Test(work_child, hears_stdout_only_when_stderr_is_silent)
{
    expect_judgement("echo out; echo err >&2; exit 3", VERDICT_NACK, "exit 3", "err");
    expect_judgement("echo out; echo ' ' >&2; exit 3", VERDICT_NACK, "exit 3", "out");
    expect_judgement("echo first; echo last; exit 3", VERDICT_NACK, "exit 3", "last");
}

Test(work_child, reads_what_was_written_just_before_the_end)
{
    for (int i = 0; i < 20; i++) {
        struct run r;
        run_shell(&r, "printf last-words", "", 0, 0, 0);
        cr_expect_str_eq(r.out, "last-words");
        judgement_done(&r.judgement);
    }
}

Test(work_child, leaves_others_their_turn_while_it_reads_what_a_dead_command_left)
{
    size_t bytes = 655360;
    char *arguments[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"head -c 655360 /dev/zero"}, NULL};
    struct child_spec spec = {.path = "/bin/sh", .arguments = arguments, .environment = environ};
    struct pollfd rows[CHILD_POLLS];
    struct child c;
    size_t turns = 0;
    cr_assert_eq(child_start(&c, &spec), 0);
    /* All of it fits into the pipe. */
    cr_assert_geq((size_t)fcntl(c.output_fd, F_GETPIPE_SZ), bytes);
    struct pollfd end = {.fd = c.guard.line, .events = POLLIN};
    cr_assert_eq(poll(&end, 1, -1), 1);
    for (; !c.ended; turns++) {
        child_poll(&c, rows, clock_mono_ms());
        cr_assert_geq(poll(rows, CHILD_POLLS, clock_poll_ms(child_wake_ms(&c, clock_mono_ms()))), 0);
        child_pump(&c, rows, clock_mono_ms());
    }
    cr_expect_geq(turns, bytes / CHILD_READ_BYTES);
    child_done(&c);
}

Test(work_child, feeds_a_body_larger_than_any_pipe)
{
    size_t bytes = 5 * 1024 * 1024;
    char *body = malloc(bytes);
    struct run r;
    cr_assert_not_null(body);
    memset(body, 'x', bytes);
    run_shell(&r, "wc -c", body, bytes, 0, 0);
    cr_expect_eq(r.judgement.verdict, VERDICT_ACK);
    cr_expect_eq(strtol(r.out, NULL, 10), (long)bytes);
    judgement_done(&r.judgement);
    free(body);
}

/* It is told in time, and is gone by its deadline whatever it does with that. */
Test(work_child, a_command_is_ended_for_its_deadline_politely_first)
{
    static const char *const scripts[] = {
        "echo begun; exec sleep 1000",
        "trap 'echo told; exit 0' TERM; echo begun; while :; do sleep 0.01; done",
        "trap 'echo told' TERM; echo begun; while :; do sleep 0.01; done"};
    for (unsigned i = 0; i < 3; i++) {
        struct run r;
        run_spec(&r, scripts[i], (struct child_spec){.left_ms = 400, .grace_ms = 1000000});
        cr_expect_eq(r.judgement.verdict, i == 1 ? VERDICT_ACK : VERDICT_NACK, "%u", i);
        cr_expect_str_eq(r.judgement.type, i == 1 ? "" : "deadline_exceeded", "%u", i);
        cr_expect_str_eq(r.out, i ? "begun\ntold\n" : "begun\n", "%u", i);
        judgement_done(&r.judgement);
    }
    struct run r;
    run_spec(&r, "exit 3", (struct child_spec){.left_ms = 1000000});
    cr_expect_str_eq(r.judgement.type, "exit 3", "it has one, which is far");
    judgement_done(&r.judgement);
}

Test(work_child, a_command_need_not_read_its_input)
{
    size_t bytes = 1024 * 1024;
    char *body = calloc(1, bytes);
    struct run r;
    cr_assert_not_null(body);
    run_shell(&r, "exec <&-; echo done", body, bytes, 0, 0);
    cr_expect_eq(r.judgement.verdict, VERDICT_ACK);
    cr_expect_str_eq(r.out, "done\n");
    judgement_done(&r.judgement);
    free(body);
}

Test(work_child, does_not_wait_for_grandchildren_that_hold_the_pipes)
{
    struct run r;
    run_shell_leaving(&r, "sleep 1000 & echo $!", true);
    cr_expect_eq(r.judgement.verdict, VERDICT_ACK);
    pid_t pid = (pid_t)strtol(r.out, NULL, 10);
    cr_assert_gt(pid, 1);
    cr_expect_eq(kill(pid, SIGKILL), 0, "what may run on was ended");
    judgement_done(&r.judgement);
}

Test(work_child, ends_with_all_that_it_started)
{
    static const char *const scripts[] = {
        "sleep 1000 & echo $!",
        "setsid sleep 1000 & echo $!",
        /* Orphans, one in a session of its own, and one that will not listen. */
        "(setsid sh -c 'echo $$; exec sleep 1000' &) | head -n 1",
        "sh -c \"trap '' TERM; echo \\$\\$; while :; do sleep 1000; done\" & sleep 0.2",
        "sh -c 'sh -c \"setsid sleep 1000 & echo \\$!\"'; exit 0",
    };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct run r;
        run_shell(&r, scripts[i], "", 0, 0, 0);
        pid_t pid = (pid_t)strtol(r.out, NULL, 10);
        cr_assert_gt(pid, 1, "%s: %s", scripts[i], r.out);
        cr_expect_eq(kill(pid, 0), -1, "%s", scripts[i]);
        judgement_done(&r.judgement);
    }
}

/* A session of its own, so that no signal to a group reaches it. */
Test(work_child, a_time_limit_ends_all_that_it_started)
{
    struct run r;
    run_shell(&r, "setsid sleep 1000 & echo $!; wait", "", 0, 200, 60000);
    cr_expect_str_eq(r.judgement.type, "timeout");
    cr_expect_eq(kill((pid_t)strtol(r.out, NULL, 10), 0), -1);
    judgement_done(&r.judgement);
}

Test(work_child, is_stopped_at_its_time_limit)
{
    struct run r;
    run_shell(&r, "echo begun >&2; sleep 1000", "", 0, 200, 60000);
    cr_expect_eq(r.judgement.verdict, VERDICT_NACK);
    cr_expect_str_eq(r.judgement.type, "timeout");
    judgement_done(&r.judgement);
}

Test(work_child, is_killed_when_it_ignores_the_first_signal)
{
    struct run r;
    run_shell(&r, "trap '' TERM; echo stubborn; while :; do sleep 1000; done", "", 0, 200, 50);
    cr_expect_str_eq(r.judgement.type, "timeout");
    judgement_done(&r.judgement);
}

/* Signals 32 and 33 are the C library's own: it leaves them ignored in whatever it spawns. */
Test(work_child, begins_with_no_signal_blocked_and_pipe_not_ignored)
{
    struct run r;
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    run_shell(&r, "grep -E '^SigBlk' /proc/self/status | tr -d '\\n\\t '", "", 0, 0, 0);
    cr_expect_str_eq(r.out, "SigBlk:0000000000000000");
    judgement_done(&r.judgement);
    run_shell(&r, "kill -PIPE $$", "", 0, 0, 0);
    cr_expect_str_eq(r.judgement.type, "SIGPIPE");
    judgement_done(&r.judgement);
}

Test(work_child, a_guard_that_is_killed_takes_the_command_along)
{
    char *arguments[] = {(char[]){"sleep"}, (char[]){"1000"}, NULL};
    struct child_spec spec = {.path = "/bin/sleep", .arguments = arguments, .environment = environ};
    struct pollfd rows[CHILD_POLLS];
    struct judgement judgement;
    struct child c;
    cr_assert_eq(child_start(&c, &spec), 0);
    pid_t command = c.guard.command;
    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* so that the orphan's end is told to us */
    cr_assert_eq(kill(c.guard.pid, SIGKILL), 0);
    while (!c.ended) {
        child_poll(&c, rows, clock_mono_ms());
        cr_assert_geq(poll(rows, CHILD_POLLS, -1), 0);
        child_pump(&c, rows, clock_mono_ms());
    }
    int status = 0;
    cr_expect_eq(waitpid(command, &status, 0), command);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    child_judge(&c, &judgement);
    cr_expect_str_eq(judgement.type, "SIGKILL");
    judgement_done(&judgement);
    child_done(&c);
}

Test(work_child, a_program_that_cannot_be_run_is_an_error_not_an_exit)
{
    char *arguments[] = {(char[]){"x"}, NULL};
    struct child_spec spec = {.path = "/nonexistent/x", .arguments = arguments, .environment = environ};
    struct child c;
    cr_expect_eq(child_start(&c, &spec), ENOENT);
}

Test(work_child, finds_programs_as_a_shell_does)
{
    char *path = NULL;
    char plain[] = "/tmp/shunt-plain-XXXXXX";
    close(mkstemp(plain));
    setenv("PATH", "/nonexistent:/tmp:/bin", 1);
    cr_expect_eq(program_find("sh", &path), 0);
    cr_expect_str_eq(path, "/bin/sh");
    free(path);
    cr_expect_eq(program_find(plain + strlen("/tmp/"), &path), EACCES);
    unlink(plain);
    cr_expect_eq(program_find("no-such-program", &path), ENOENT);
    cr_expect_eq(program_find("", &path), ENOENT);
    cr_expect_eq(program_find("/bin", &path), EACCES);
    cr_expect_eq(program_find("/bin/sh", &path), 0);
    free(path);
}
