/* child_pool: see child_pool.h. One epoll descriptor stands for all children; each has at most one deadline.
 */
#include "base/check.h"
#include "base/clock.h"
#include "client/wire/error.h"
#include "client/worker/child_pool_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

int child_pool_new(const struct child_pool_settings *settings, struct child_pool **ret,
                   struct shunt_error *err)
{
    struct child_pool *p = calloc(1, sizeof *p + settings->children * sizeof *p->children);
    int code = 0;

    if (!p)
        return error_set(err, SHUNT_NO_MEMORY, NULL);
    p->settings = *settings;
    p->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->poll_fd < 0) {
        code = error_set(err, SHUNT_IO, "cannot watch child processes: %s", strerror(errno));
        free(p);
        return code;
    }
    for (uint32_t i = 0; i < settings->children; i++) {
        struct child *c = &p->children[i];

        c->pid_fd = c->socket = c->crash = c->errors = -1;
        c->deadline_ms = -1;
    }
    for (uint32_t i = 0; i < settings->children && code == 0; i++)
        code = pool_spawn(p, &p->children[i]);
    if (code != 0) {
        code = error_set(err, code, "%s", p->failure.text);
        child_pool_free(p);
        return code;
    }
    *ret = p;
    return 0;
}

void child_pool_submit(struct child_pool *p, void *job, void *bytes, size_t size)
{
    struct child *c = p->children;

    check(p->idle > 0 && bytes);
    while (c->state != CHILD_IDLE)
        c++;
    c->job = job;
    c->has_job = true;
    c->head.number++;
    c->head.size = size;
    c->out = bytes;
    c->out_bytes = size;
    c->out_sent = 0;
    c->tail_bytes = 0; /* what it wrote before is not about this job */
    diagnosis_init(&c->said);
    p->jobs++;
    child_set_state(p, c, CHILD_BUSY,
                    p->settings.timeout_ms > 0 ? clock_mono_ms() + p->settings.timeout_ms : -1);
    if (child_send(c) && c->out)
        child_watch(p, c, SOURCE_SOCKET, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

int child_pool_wait_ms(const struct child_pool *p)
{
    int64_t now = clock_mono_ms(), wait_ms = -1;

    for (uint32_t i = 0; i < p->settings.children; i++) {
        const struct child *c = &p->children[i];
        int64_t left = c->deadline_ms < 0 ? -1 : c->deadline_ms > now ? c->deadline_ms - now : 0;

        if (c->state == CHILD_ABSENT && p->closing)
            continue;
        if (c->state != CHILD_ABSENT && c->pid_fd < 0 && (left < 0 || left > REAP_INTERVAL_MS))
            left = REAP_INTERVAL_MS;
        if (left >= 0 && (wait_ms < 0 || left < wait_ms))
            wait_ms = left;
    }
    return (int)(wait_ms > 60000 ? 60000 : wait_ms);
}

int child_pool_fd(const struct child_pool *p)
{
    return p->poll_fd;
}

uint32_t child_pool_idle(const struct child_pool *p)
{
    return p->idle;
}

uint32_t child_pool_busy(const struct child_pool *p)
{
    return p->jobs;
}

/* ---- the end ---- */

void child_pool_kill(struct child_pool *p)
{
    p->closing = true;
    for (uint32_t i = 0; i < p->settings.children; i++) {
        struct child *c = &p->children[i];

        if (c->state == CHILD_BUSY) {
            c->release = true;
            child_doom(p, c);
        } else if (c->has_job) {
            child_doom(p, c); /* it had crashed or was out of time before: that is what its job is told */
        }
    }
}

/* Reap who has ended; returns how many are left. */
static uint32_t pool_reap(struct child_pool *p)
{
    uint32_t left = 0;
    int status;

    for (uint32_t i = 0; i < p->settings.children; i++) {
        struct child *c = &p->children[i];

        if (c->state == CHILD_ABSENT)
            continue;
        (void)child_read_errors(c);
        if (child_reap(c, &status)) {
            (void)child_read_errors(c);
            child_unwatch(p, c);
            child_close(c);
        } else {
            left++;
        }
    }
    return left;
}

void child_pool_free(struct child_pool *p)
{
    struct epoll_event event;
    int64_t deadline_ms;

    if (!p)
        return;
    for (uint32_t i = 0; i < p->settings.children; i++) {
        struct child *c = &p->children[i];

        if (c->state == CHILD_ABSENT)
            continue;
        if (c->state != CHILD_IDLE)
            child_kill(c);
        /* To an idle child the end of this stream is the word to leave. */
        child_watch(p, c, SOURCE_SOCKET, EPOLL_CTL_DEL, 0);
        child_watch(p, c, SOURCE_CRASH, EPOLL_CTL_DEL, 0);
        (void)close(c->socket);
        c->socket = -1;
    }
    deadline_ms = clock_mono_ms() + CHILD_LEAVE_MS;
    while (pool_reap(p) > 0 && clock_mono_ms() < deadline_ms)
        (void)epoll_wait(p->poll_fd, &event, 1, REAP_INTERVAL_MS);
    for (uint32_t i = 0; i < p->settings.children; i++) {
        if (p->children[i].state != CHILD_ABSENT)
            child_kill(&p->children[i]);
    }
    deadline_ms = clock_mono_ms() + CHILD_LEAVE_MS;
    while (pool_reap(p) > 0 && clock_mono_ms() < deadline_ms)
        (void)epoll_wait(p->poll_fd, &event, 1, REAP_INTERVAL_MS);
    for (uint32_t i = 0; i < p->settings.children; i++) {
        child_close(
            &p->children[i]); /* one that even SIGKILL has not ended waits in the kernel: leave it there */
    }
    (void)close(p->poll_fd);
    free(p);
}
