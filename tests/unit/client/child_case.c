/* child_case: see child_case.h. */
#include "child_case.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sys/wait.h>

struct result result;

void result_print(void)
{
    (void)fprintf(stderr, "outcome %d\ntype %s\nmessage %s\nstack\n%s\n", (int)result.outcome,
                  result.verdict.type, result.verdict.message, result.verdict.stack);
}

void on_done(void *context, void *job, enum shunt_outcome outcome, const struct shunt_verdict *v)
{
    (void)context;
    result.count++;
    result.job = job;
    result.outcome = outcome;
    result.verdict = *v;
}

struct child_pool *pool_start(const struct child_pool_settings *settings)
{
    struct child_pool *p = NULL;
    struct shunt_error err;

    expect(child_pool_new(settings, &p, &err) == 0);
    return p;
}

int pool_turn(struct child_pool *p, struct shunt_error *err)
{
    struct pollfd watch = {.fd = child_pool_fd(p), .events = POLLIN};

    (void)poll(&watch, 1, child_pool_wait_ms(p));
    return child_pool_process(p, err);
}

void pool_wait_idle(struct child_pool *p, uint32_t children)
{
    struct shunt_error err;

    while (child_pool_idle(p) < children)
        expect(pool_turn(p, &err) == 0);
}

void pool_submit(struct child_pool *p, const char *what)
{
    pool_wait_idle(p, 1);
    child_pool_submit(p, &result, strdup(what), strlen(what) + 1);
}

void pool_do(struct child_pool *p, const char *what)
{
    unsigned before = result.count;
    struct shunt_error err;

    pool_submit(p, what);
    while (result.count == before)
        expect(pool_turn(p, &err) == 0);
    expect(result.count == before + 1 && result.job == &result);
}

static unsigned fds_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    expect(dir);
    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count;
}

void cases_run(void (*const *cases)(void), size_t count)
{
    unsigned fds = fds_open();

    for (size_t i = 0; i < count; i++) {
        cases[i]();
        (void)printf("ok %zu\n", i + 1);
        (void)fflush(stdout);
        expect(fds_open() == fds);                             /* no descriptor is left */
        expect(waitpid(-1, NULL, 0) == -1 && errno == ECHILD); /* and no process, not even a zombie */
    }
}
