/* What a handler may do behind the back of the pool: fork, close descriptors, leave processes behind, grow.
 */
#include "child_case.h"

#include "client/worker/crash_capture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int *copy_pid; /* shared by all processes: the last copy that a handler made */

/* A child that grows by that is far beyond what else its size may change by. */
#define GROWTH_BYTES ((size_t)128 * 1024 * 1024)

/* ---- what runs in the child ---- */

static unsigned long long resident_bytes(void)
{
    unsigned long long all, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    expect(f && fscanf(f, "%llu %llu", &all, &resident) == 2);
    (void)fclose(f);
    return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static void wait_for(pid_t copy)
{
    while (waitpid(copy, NULL, 0) != copy) {
    }
}

static void close_all(void)
{
    for (int fd = 3; fd < 256; fd++)
        (void)close(fd);
}

static void write_whole_report(void)
{
    struct crash_raw raw;

    memset(&raw, 0, sizeof raw);
    raw.head.magic = CRASH_MAGIC;
    raw.head.signal = SIGSEGV;
    raw.frames[0].address = CRASH_LAST;
    for (int fd = 3; fd < 64; fd++)
        (void)!write(fd, &raw, sizeof raw.head + sizeof raw.frames[0]); /* the report's pipe is one of them */
}

/* The handler goes on in both processes that fork() returns in. */
static int handle_forking(const char *what)
{
    pid_t copy = fork();

    if (copy != 0)
        atomic_store(copy_pid, copy);
    if (strcmp(what, "copy-returns") == 0) {
        if (copy == 0)
            return SHUNT_ACK;
        wait_for(copy);
        return SHUNT_REJECT;
    }
    if (strcmp(what, "copy-crashes") == 0) {
        if (copy == 0)
            abort();
        wait_for(copy);
        return SHUNT_ACK;
    }
    if (copy == 0) { /* it stays, with everything open */
        if (strcmp(what, "copy-in-another-group") == 0)
            (void)setpgid(0, 0);
        for (;;)
            (void)pause();
    }
    if (strcmp(what, "copy-in-another-group") == 0)
        (void)setpgid(copy, copy);
    exit(7);
}

static int handle(void *context, const void *bytes, size_t size, struct shunt_verdict *v)
{
    const char *what = bytes;
    char text[64];

    (void)context;
    (void)size;
    if (strncmp(what, "copy-", 5) == 0)
        return handle_forking(what);
    if (strcmp(what, "close-and-return") == 0) {
        close_all();
    } else if (strcmp(what, "close-and-stay") == 0) {
        close_all();
        (void)pause();
    } else if (strcmp(what, "report-and-stay") == 0) {
        write_whole_report();
        (void)pause();
    } else if (strcmp(what, "bare-nack") == 0 || strcmp(what, "bare-reject") == 0) {
        (void)fputs("reading item 7\nitem 7 has no price\n", stderr);
        return what[5] == 'n' ? SHUNT_NACK : SHUNT_REJECT;
    } else if (strcmp(what, "silent-nack") == 0) {
        return SHUNT_NACK;
    } else if (strcmp(what, "blocked") == 0) {
        sigset_t blocked;

        (void)sigprocmask(SIG_BLOCK, NULL, &blocked);
        return sigismember(&blocked, SIGUSR2) ? SHUNT_REJECT : SHUNT_ACK;
    } else if (strcmp(what, "chatter") == 0) {
        char line[1024];

        memset(line, 'x', sizeof line);
        for (int i = 0; i < 1024; i++)
            (void)!write(STDERR_FILENO, line, sizeof line);
        (void)!write(STDERR_FILENO, "\nlast words\n", 12);
        return SHUNT_NACK;
    } else if (strcmp(what, "joins-another-group") == 0) {
        pid_t copy = fork();

        while (copy == 0)
            (void)pause();
        atomic_store(copy_pid, copy);
        (void)setpgid(0, getpgid(getppid()));
        for (;;)
            (void)pause();
    } else if (strcmp(what, "grow") == 0) {
        size_t bytes_more = 2 * GROWTH_BYTES;
        char *volatile room = malloc(bytes_more);

        memset(room, 1, bytes_more); /* and keeps it: a leak */
    } else if (strcmp(what, "memory") == 0) {
        (void)snprintf(text, sizeof text, "%llu", resident_bytes());
        shunt_verdict_failure(v, &(struct shunt_failure){.message = text});
        return SHUNT_NACK;
    } else if (strcmp(what, "pid") == 0) {
        (void)snprintf(text, sizeof text, "%d", (int)getpid());
        shunt_verdict_failure(v, &(struct shunt_failure){.message = text});
        return SHUNT_NACK;
    }
    return SHUNT_ACK;
}

/* ---- driving it ---- */

static struct child_pool *pool_open(uint64_t jobs_max, uint64_t memory_bytes_max)
{
    struct child_pool_settings settings = {.children = 1,
                                           .jobs_max = jobs_max,
                                           .memory_bytes_max = memory_bytes_max,
                                           .respawn_ms_min = 1,
                                           .handle = handle,
                                           .done = on_done};

    return pool_start(&settings);
}

static pid_t pool_pid(struct child_pool *p)
{
    pool_do(p, "pid");
    return (pid_t)atoi(result.verdict.message);
}

/* How the last copy ended; it has become our child. */
static int copy_status(void)
{
    int status = -1;
    pid_t copy = atomic_load(copy_pid);

    expect(waitpid(copy, &status, 0) == copy);
    return status;
}

/* ---- cases ---- */

static void case_a_copy_that_returns_answers_for_nothing(void)
{
    struct child_pool *p = pool_open(0, 0);

    pool_do(p, "copy-returns");
    expect(result.outcome == SHUNT_REJECT);
    pool_do(p, "silent-nack");
    expect(result.outcome == SHUNT_NACK);
    child_pool_free(p);
}

static void case_a_copy_that_crashes_is_not_the_child(void)
{
    struct child_pool *p = pool_open(0, 0);
    pid_t before = pool_pid(p);

    pool_do(p, "copy-crashes");
    expect(result.outcome == SHUNT_ACK);
    expect(pool_pid(p) == before);
    child_pool_free(p);
}

static void case_a_copy_that_holds_everything_open_delays_nothing(void)
{
    struct child_pool *p = pool_open(0, 0);

    pool_do(p, "copy-in-another-group");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "exit 7") == 0);
    pool_do(p, "ack");
    expect(result.outcome == SHUNT_ACK);
    expect(kill(atomic_load(copy_pid), SIGTERM) == 0); /* it is still there, and takes no notice of a stop */
    expect(kill(atomic_load(copy_pid), SIGKILL) == 0);
    expect(WTERMSIG(copy_status()) == SIGKILL);
    child_pool_free(p);
}

static void case_what_a_child_leaves_in_its_group_ends_with_it(void)
{
    struct child_pool *p = pool_open(0, 0);

    pool_do(p, "copy-stays");
    expect(strcmp(result.verdict.type, "exit 7") == 0);
    expect(WTERMSIG(copy_status()) == SIGKILL);
    child_pool_free(p);
}

static void case_closed_descriptors_are_told_from_an_exit(void)
{
    struct child_pool *p = pool_open(0, 0);

    pool_do(p, "close-and-return");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "channel_closed") == 0);
    pool_do(p, "close-and-stay");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "channel_closed") == 0);
    pool_do(p, "ack");
    expect(result.outcome == SHUNT_ACK);
    child_pool_free(p);
}

static void case_a_child_that_reported_a_crash_must_die_in_time(void)
{
    struct child_pool *p = pool_open(0, 0);
    struct shunt_error err;
    unsigned before = result.count;

    pool_submit(p, "report-and-stay");
    while (child_pool_wait_ms(p) < 0) /* until the report is there */
        expect(pool_turn(p, &err) == 0);
    expect(child_pool_wait_ms(p) <= CHILD_DUMP_MS);
    child_pool_kill(p);
    while (result.count == before)
        expect(pool_turn(p, &err) == 0);
    expect(result.outcome == SHUNT_NACK); /* it crashed, as far as it said: the stop came after */
    child_pool_free(p);
}

static void case_a_failure_without_words_has_those_of_stderr(void)
{
    struct child_pool *p = pool_open(0, 0);

    pool_do(p, "bare-nack");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "nacked") == 0);
    expect(strcmp(result.verdict.message, "item 7 has no price") == 0);
    expect(strcmp(result.verdict.stack, "stderr:\nreading item 7\nitem 7 has no price\n") == 0);
    pool_do(p, "bare-reject");
    expect(result.outcome == SHUNT_REJECT && strcmp(result.verdict.type, "rejected") == 0);
    expect(strcmp(result.verdict.message, "item 7 has no price") == 0);
    pool_do(p, "silent-nack");
    expect(strcmp(result.verdict.type, "nacked") == 0 && !result.verdict.has_message &&
           !result.verdict.has_stack);
    child_pool_free(p);
}

static void case_nothing_is_blocked_in_a_child(void)
{
    struct child_pool *p;
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR2);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    p = pool_open(0, 0);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    pool_do(p, "blocked");
    expect(result.outcome == SHUNT_ACK);
    child_pool_free(p);
}

static void case_a_child_is_replaced_after_its_jobs(void)
{
    struct child_pool *p = pool_open(3, 0);
    pid_t pids[7];

    for (size_t i = 0; i < 7; i++)
        pids[i] = pool_pid(p);
    expect(pids[0] == pids[1] && pids[1] == pids[2] && pids[2] != pids[3]);
    expect(pids[3] == pids[4] && pids[4] == pids[5] && pids[5] != pids[6]);
    child_pool_free(p);
}

static void case_a_child_is_replaced_once_it_has_grown(void)
{
    struct child_pool *p = pool_open(0, 0);
    uint64_t memory;
    pid_t before;

    /* What a child takes from the start depends on how it was compiled, and on what ran before. */
    pool_do(p, "memory");
    memory = strtoull(result.verdict.message, NULL, 10);
    expect(memory > 0);
    child_pool_free(p);
    p = pool_open(0, memory + GROWTH_BYTES);
    before = pool_pid(p);
    expect(pool_pid(p) == before);
    pool_do(p, "grow");
    expect(result.outcome == SHUNT_ACK);
    expect(pool_pid(p) != before);
    child_pool_free(p);
}

static void case_a_child_that_joined_another_group_is_killed_all_the_same(void)
{
    struct child_pool *p = pool_start(
        &(struct child_pool_settings){.children = 1, .timeout_ms = 50, .handle = handle, .done = on_done});

    pool_do(p, "joins-another-group");
    expect(strcmp(result.verdict.type, "timeout") == 0);
    expect(WTERMSIG(copy_status()) == SIGKILL);
    expect(pool_pid(p) > 0); /* there is another child */
    child_pool_free(p);
}

static void case_a_stderr_that_nobody_reads_holds_nothing_up(void)
{
    struct child_pool *p = pool_open(0, 0);
    int ends[2], kept = dup(STDERR_FILENO);
    char bytes[65536] = "";
    size_t seen = 0;

    expect(kept >= 0 && pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    pool_do(p, "chatter");
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.message, "last words") == 0);
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while (read(ends[0], bytes, sizeof bytes) > 0) {
    }
    pool_do(p, "bare-nack");
    for (ssize_t n;
         seen < sizeof bytes - 1 && (n = read(ends[0], bytes + seen, sizeof bytes - 1 - seen)) > 0;)
        seen += (size_t)n;
    (void)dup2(kept, STDERR_FILENO);
    bytes[seen] = '\0';
    expect_has(bytes, "bytes of what handlers wrote to stderr are lost: nobody read it]\nreading item 7\n");
    (void)close(kept);
    (void)close(ends[0]);
    (void)close(ends[1]);
    child_pool_free(p);
}

int main(void)
{
    static void (*const cases[])(void) = {
        case_a_copy_that_returns_answers_for_nothing,
        case_a_copy_that_crashes_is_not_the_child,
        case_a_copy_that_holds_everything_open_delays_nothing,
        case_what_a_child_leaves_in_its_group_ends_with_it,
        case_closed_descriptors_are_told_from_an_exit,
        case_a_child_that_reported_a_crash_must_die_in_time,
        case_a_failure_without_words_has_those_of_stderr,
        case_nothing_is_blocked_in_a_child,
        case_a_child_is_replaced_after_its_jobs,
        case_a_child_is_replaced_once_it_has_grown,
        case_a_child_that_joined_another_group_is_killed_all_the_same,
        case_a_stderr_that_nobody_reads_holds_nothing_up,
    };

    copy_pid = mmap(NULL, sizeof *copy_pid, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(copy_pid != MAP_FAILED);
    expect(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0); /* copies whose maker is gone come to us */
    cases_run(cases, sizeof cases / sizeof *cases);
    return 0;
}
