/* The pool of standing children, without a broker: real processes that crash, hang, exit and are killed.
 *
 * A plain program, for the test framework forks and catches signals itself. Each case names what it proves;
 * the first that fails ends the run with status 1.
 */
#include "child_case.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define noinline __attribute__((noinline))

#define BIG_BYTES ((size_t)16 * 1024 * 1024)

/* ---- what runs in the child ---- */

static volatile int sink;

static noinline int crash_by_bad_address(void)
{
    volatile int *volatile nowhere = (volatile int *)(uintptr_t)0x10;

    sink = *nowhere;
    return sink;
}

static noinline int crash_by_bad_call(void)
{
    int (*volatile nowhere)(void) = NULL;

    sink = nowhere();
    return sink;
}

static noinline int crash_by_recursion(int depth)
{
    volatile char room[4096];

    room[depth % 4096] = (char)depth;
    if (sink >= 0) /* always */
        sink = crash_by_recursion(depth + 1) + room[0];
    return sink;
}

static noinline void crash_by_abort(void)
{
    (void)fputs("item 7 is not sorted\n", stderr);
    abort();
}

__attribute__((no_sanitize("undefined"))) /* or it would be an exit */
static noinline int
crash_by_division(int zero)
{
    volatile int by = zero; /* what the compiler knows to be zero becomes a trap */
    sink = 10 / by;
    return sink;
}

static noinline void hang_in_loop(void)
{
    for (;;)
        sink++;
}

static noinline void hang_without_signals(void)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;)
        (void)pause();
}

/* No call is the last thing done, or the compiler would make it a jump and this frame vanish. */
static noinline int handle_crash(const char *what, int zero)
{
    if (strcmp(what, "address") == 0)
        sink = crash_by_bad_address();
    else if (strcmp(what, "call") == 0)
        sink = crash_by_bad_call();
    else if (strcmp(what, "recursion") == 0)
        sink = crash_by_recursion(zero);
    else if (strcmp(what, "division") == 0)
        sink = crash_by_division(zero);
    else
        crash_by_abort();
    return sink;
}

static void write_errors(size_t lines)
{
    for (size_t i = 0; i < lines; i++)
        (void)fprintf(stderr, "line %zu of what the handler says before it ends\n", i);
}

static int handle(void *context, const void *bytes, size_t size, struct shunt_verdict *v)
{
    const char *what = bytes;

    (void)context;
    if (size == BIG_BYTES) {
        unsigned sum = 0;

        for (size_t i = 0; i < size; i++)
            sum += (unsigned char)what[i];
        return sum == (unsigned)(size * 3) ? SHUNT_ACK : SHUNT_REJECT;
    }
    if (strcmp(what, "ack") == 0)
        return SHUNT_ACK;
    if (strcmp(what, "nack") == 0) {
        shunt_verdict_failure(
            v, &(struct shunt_failure){
                   .type = "bad_json", .message = "line 3: \xff", .stack = "s", .fingerprint = "own\xff"});
        shunt_verdict_delay(v, 1234);
        return SHUNT_NACK;
    }
    if (strcmp(what, "reject") == 0) {
        shunt_verdict_failure(v, &(struct shunt_failure){.type = "never"});
        return SHUNT_REJECT;
    }
    if (strcmp(what, "extend") == 0)
        return SHUNT_EXTEND;
    if (strcmp(what, "exit") == 0)
        exit(7);
    if (strcmp(what, "exit-says") == 0) {
        write_errors(1000);
        exit(7);
    }
    if (strcmp(what, "loop") == 0)
        hang_in_loop();
    if (strcmp(what, "deaf") == 0)
        hang_without_signals();
    if (strcmp(what, "wait") == 0) {
        (void)fputs("waiting\n", stderr);
        (void)pause();
    }
    if (strcmp(what, "pid") == 0) {
        char text[32];

        (void)snprintf(text, sizeof text, "%d", (int)getpid());
        shunt_verdict_failure(v, &(struct shunt_failure){.message = text});
        return SHUNT_NACK;
    }
    if (strcmp(what, "damage") == 0) {
        for (int fd = 3; fd < 64; fd++)
            (void)send(fd, "this is no verdict, it is what a broken process might write", 60, MSG_NOSIGNAL);
        (void)pause();
    }
    sink = handle_crash(what, 0);
    return SHUNT_ACK;
}

/* ---- driving it ---- */

static struct child_pool *pool_open(uint32_t children, int64_t timeout_ms, void (*prepare)(void *))
{
    struct child_pool_settings settings = {.children = children,
                                           .timeout_ms = timeout_ms,
                                           .respawn_ms_min = 1,
                                           .prepare = prepare,
                                           .handle = handle,
                                           .done = on_done};

    return pool_start(&settings);
}

/* ---- cases ---- */

static void case_verdicts_come_back(void)
{
    struct child_pool *p = pool_open(1, 0, NULL);

    pool_do(p, "ack");
    expect(result.outcome == SHUNT_ACK && !result.verdict.has_type && !result.verdict.has_message);
    pool_do(p, "nack");
    expect(result.outcome == SHUNT_NACK && result.verdict.delay_ms == 1234);
    expect(strcmp(result.verdict.type, "bad_json") == 0 && strcmp(result.verdict.message, "line 3: ?") == 0);
    expect(strcmp(result.verdict.stack, "s") == 0);
    expect(result.verdict.has_fingerprint && strcmp(result.verdict.fingerprint, "own?") == 0);
    pool_do(p, "reject");
    expect(result.outcome == SHUNT_REJECT && strcmp(result.verdict.type, "never") == 0);
    expect(!result.verdict.has_message && result.verdict.delay_ms == SHUNT_BACKOFF);
    pool_do(p, "extend");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "bad_outcome") == 0);
    child_pool_free(p);
}

static void case_one_child_handles_many_jobs(void)
{
    struct child_pool *p = pool_open(1, 0, NULL);
    char first[32];

    pool_do(p, "pid");
    (void)snprintf(first, sizeof first, "%.31s", result.verdict.message);
    for (int i = 0; i < 200; i++) {
        pool_do(p, "pid");
        expect(strcmp(result.verdict.message, first) == 0);
    }
    pool_do(p, "exit");
    pool_do(p, "pid");
    expect(strcmp(result.verdict.message, first) != 0);
    child_pool_free(p);
}

static void case_a_crash_tells_address_function_and_line(void)
{
    struct child_pool *p = pool_open(1, 0, NULL);

    pool_do(p, "address");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "SIGSEGV") == 0);
#ifdef HAVE_LIBDW
    expect(strcmp(result.verdict.message, "SIGSEGV at 0x10 (address not mapped) in crash_by_bad_address") ==
           0);
    expect(strncmp(result.verdict.stack, "crash_by_bad_address at ", 24) == 0);
    expect_has(result.verdict.stack, "unit/client/test_child_pool.c:");
    expect_has(result.verdict.stack, "\nhandle_crash at ");
    expect_has(result.verdict.stack, "\nhandle at ");
#else
    expect(strcmp(result.verdict.message, "SIGSEGV at 0x10 (address not mapped)") == 0);
    expect_has(result.verdict.stack, " at program+0x");
#endif
    child_pool_free(p);
}

static void case_other_crashes_are_told_apart(void)
{
    struct child_pool *p = pool_open(1, 0, NULL);

    pool_do(p, "abort");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "SIGABRT") == 0);
    expect_has(result.verdict.message, ": item 7 is not sorted");
    expect_has(result.verdict.stack, "stderr:\nitem 7 is not sorted\n");
    pool_do(p, "division");
    expect(strcmp(result.verdict.type, "SIGFPE") == 0);
    expect_has(result.verdict.message, "(integer division by zero)");
    pool_do(p, "call");
    expect(strcmp(result.verdict.type, "SIGSEGV") == 0);
    expect_has(result.verdict.message, "SIGSEGV at 0x0 (address not mapped)");
#ifdef HAVE_LIBDW
    expect_has(result.verdict.stack, "\ncrash_by_bad_call at ");
#endif
    pool_do(p, "recursion");
    expect(strcmp(result.verdict.type, "SIGSEGV") == 0);
#ifdef HAVE_LIBDW
    expect_has(result.verdict.message, "in crash_by_recursion");
#endif
    child_pool_free(p);
}

static void case_an_exit_tells_its_code_and_the_last_line(void)
{
    struct child_pool *p = pool_open(1, 0, NULL);
    const char *errors;

    pool_do(p, "exit");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "exit 7") == 0);
    expect(strcmp(result.verdict.message, "the handler called exit(7)") == 0 && !result.verdict.has_stack);
    pool_do(p, "exit-says");
    expect(strcmp(result.verdict.type, "exit 7") == 0);
    expect(strcmp(result.verdict.message, "line 999 of what the handler says before it ends") == 0);
    errors = strstr(result.verdict.stack, "stderr:\n");
    expect(errors && strlen(errors) == strlen("stderr:\n") + 4096);
    pool_do(p, "exit");
    expect(!result.verdict.has_stack); /* what another job wrote is not shown again */
    child_pool_free(p);
}

static void case_a_hang_tells_where_it_was(void)
{
    struct child_pool *p = pool_open(1, 50, NULL);

    pool_do(p, "loop");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "timeout") == 0);
    expect(strcmp(result.verdict.message, "no verdict after 50ms") == 0);
#ifdef HAVE_LIBDW
    expect(strncmp(result.verdict.stack, "hang_in_loop at ", 16) == 0);
#endif
    pool_do(p, "ack");
    expect(result.outcome == SHUNT_ACK);
    child_pool_free(p);
}

static void case_a_hang_that_blocks_all_signals_ends_too(void)
{
    struct child_pool *p = pool_open(1, 50, NULL);

    pool_do(p, "deaf");
    expect(strcmp(result.verdict.type, "timeout") == 0);
    expect_has(result.verdict.stack, "no stack could be had");
    child_pool_free(p);
}

static void case_the_largest_message_arrives(void)
{
    struct child_pool *p = pool_open(2, 0, NULL);
    struct shunt_error err;
    unsigned before = result.count;

    for (int i = 0; i < 3; i++) {
        char *bytes = malloc(BIG_BYTES);

        expect(bytes != NULL);
        memset(bytes, 3, BIG_BYTES);
        pool_wait_idle(p, 1);
        child_pool_submit(p, NULL, bytes, BIG_BYTES);
    }
    while (child_pool_busy(p) > 0) {
        expect(pool_turn(p, &err) == 0);
        expect(result.count == before || result.outcome == SHUNT_ACK);
    }
    expect(result.count == before + 3);
    child_pool_free(p);
}

static void case_a_child_killed_from_outside_is_replaced(void)
{
    struct child_pool *p = pool_open(1, 0, NULL);
    struct shunt_error err;
    unsigned before;
    pid_t child;

    pool_do(p, "pid");
    child = (pid_t)atoi(result.verdict.message);
    before = result.count;
    pool_submit(p, "wait");
    expect(kill(child, SIGKILL) == 0);
    while (result.count == before)
        expect(pool_turn(p, &err) == 0);
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "SIGKILL") == 0);
    expect_has(result.verdict.message, "from outside");
    pool_do(p, "ack");
    expect(result.outcome == SHUNT_ACK);
    child_pool_free(p);
}

static void case_a_stop_signal_to_a_child_does_nothing(void)
{
    struct child_pool *p = pool_open(1, 0, NULL);
    char first[32];

    pool_do(p, "pid");
    (void)snprintf(first, sizeof first, "%.31s", result.verdict.message);
    expect(kill((pid_t)atoi(first), SIGTERM) == 0 && kill((pid_t)atoi(first), SIGINT) == 0);
    pool_do(p, "pid");
    expect(strcmp(result.verdict.message, first) == 0);
    child_pool_free(p);
}

static void case_a_damaged_verdict_is_a_failure(void)
{
    struct child_pool *p = pool_open(1, 0, NULL);

    pool_do(p, "damage");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "bad_verdict") == 0);
    pool_do(p, "ack");
    expect(result.outcome == SHUNT_ACK);
    child_pool_free(p);
}

static void prepare_abort(void *context)
{
    (void)context;
    abort();
}

static void case_children_that_cannot_start_end_the_pool(void)
{
    struct child_pool *p = pool_open(2, 0, prepare_abort);
    struct shunt_error err = {0};
    unsigned before = result.count, turns = 0;

    while (pool_turn(p, &err) == 0)
        expect(++turns < 10000);
    expect(err.code == SHUNT_IO && result.count == before);
    expect_has(err.text, "SIGABRT");
    child_pool_free(p);
}

static void case_kill_gives_jobs_back_uncharged(void)
{
    struct child_pool *p = pool_open(3, 0, NULL);
    struct shunt_error err;
    unsigned before = result.count;

    pool_submit(p, "wait");
    pool_submit(p, "loop");
    child_pool_kill(p);
    while (child_pool_busy(p) > 0) {
        expect(pool_turn(p, &err) == 0);
        expect(result.count == before || result.outcome == SHUNT_RELEASE);
    }
    expect(result.count == before + 2);
    child_pool_free(p);
}

static void case_busy_children_end_with_the_pool(void)
{
    struct child_pool *p = pool_open(2, 0, NULL);
    unsigned before = result.count;

    pool_submit(p, "wait");
    pool_submit(p, "deaf");
    child_pool_free(p);
    expect(result.count == before);
}

int main(void)
{
    static void (*const cases[])(void) = {
        case_verdicts_come_back,
        case_one_child_handles_many_jobs,
        case_a_crash_tells_address_function_and_line,
        case_other_crashes_are_told_apart,
        case_an_exit_tells_its_code_and_the_last_line,
        case_a_hang_tells_where_it_was,
        case_a_hang_that_blocks_all_signals_ends_too,
        case_the_largest_message_arrives,
        case_a_child_killed_from_outside_is_replaced,
        case_a_stop_signal_to_a_child_does_nothing,
        case_a_damaged_verdict_is_a_failure,
        case_children_that_cannot_start_end_the_pool,
        case_kill_gives_jobs_back_uncharged,
        case_busy_children_end_with_the_pool,
    };

    cases_run(cases, sizeof cases / sizeof *cases);
    return 0;
}
