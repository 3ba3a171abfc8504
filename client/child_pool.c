/* child_pool: see child_pool.h. One epoll descriptor stands for all children; each state has at most one
 * deadline. */
#include "client/child_pool.h"

#include "client/child.h"
#include "client/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_AT_ONCE   64
#define REAP_INTERVAL_MS 20 /* where the kernel does not tell of a child's end */

enum child_source { SOURCE_PROCESS, SOURCE_SOCKET, SOURCE_CRASH, SOURCE_ERRORS, SOURCES };

struct child_pool {
    struct child_pool_settings settings;
    int poll_fd;
    bool closing; /* nobody is to be spawned any more */
    uint32_t idle;
    uint32_t jobs;
    uint32_t failures; /* children in a row that died before they were ready */
    struct shunt_error failure;
    struct shunt_verdict verdict; /* room for the one being told */
    struct child children[];
};

static int64_t now_ms(void)
{
    return client_mono_us() / 1000;
}

/* ---- watching ---- */

static int source_fd(const struct child *c, enum child_source source)
{
    const int fds[SOURCES] = {c->pid_fd, c->socket, c->crash, c->errors};

    return fds[source];
}

static void child_watch(struct child_pool *p, const struct child *c, enum child_source source, int operation,
                        uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)(c - p->children) * SOURCES + source};
    int fd = source_fd(c, source);

    if (fd >= 0) {
        /* Without memory for it, what is missed is noticed at the next deadline or at the child's end. */
        (void)epoll_ctl(p->poll_fd, operation, fd, &event);
    }
}

/* Before its descriptors are closed: a child forked meanwhile may still hold copies, and these would go on
 * reporting. */
static void child_unwatch(struct child_pool *p, const struct child *c)
{
    for (int source = 0; source < SOURCES; source++) {
        child_watch(p, c, (enum child_source)source, EPOLL_CTL_DEL, 0);
    }
}

static void child_set_state(struct child_pool *p, struct child *c, enum child_state state,
                            int64_t deadline_ms)
{
    if (c->state == CHILD_IDLE) {
        p->idle--;
    }
    c->state = state;
    c->deadline_ms = deadline_ms;
    if (c->state == CHILD_IDLE) {
        p->idle++;
    }
}

/* ---- births ---- */

/* One more child could not start: wait longer with each, and give up after too many. */
static int64_t pool_failed(struct child_pool *p)
{
    int64_t wait_ms = p->settings.respawn_ms_min;

    for (uint32_t i = 0; i < p->failures && wait_ms < CHILD_RESPAWN_MS_MAX; i++) {
        wait_ms *= 2;
    }
    p->failures++;
    return now_ms() + (wait_ms > CHILD_RESPAWN_MS_MAX ? CHILD_RESPAWN_MS_MAX : wait_ms);
}

static int pool_spawn(struct child_pool *p, struct child *c)
{
    struct child_spawn spawn = {.settings = &p->settings,
                                .all = p->children,
                                .all_count = p->settings.children,
                                .poll_fd = p->poll_fd};
    int code = child_spawn(c, &spawn, &p->failure);

    if (code != 0) {
        c->deadline_ms = pool_failed(p);
        return code;
    }
    c->deadline_ms = -1;
    for (int source = 0; source < SOURCES; source++) {
        child_watch(p, c, (enum child_source)source, EPOLL_CTL_ADD, EPOLLIN);
    }
    return 0;
}

int child_pool_new(const struct child_pool_settings *settings, struct child_pool **ret,
                   struct shunt_error *err)
{
    struct child_pool *p = calloc(1, sizeof *p + settings->children * sizeof *p->children);
    int code = 0;

    if (p == NULL) {
        return error_set(err, SHUNT_NO_MEMORY, NULL);
    }
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
    for (uint32_t i = 0; i < settings->children && code == 0; i++) {
        code = pool_spawn(p, &p->children[i]);
    }
    if (code != 0) {
        code = error_set(err, code, "%s", p->failure.text);
        child_pool_free(p);
        return code;
    }
    *ret = p;
    return 0;
}

/* ---- jobs ---- */

void child_pool_submit(struct child_pool *p, void *job, void *bytes, size_t size)
{
    struct child *c = p->children;

    while (c->state != CHILD_IDLE) {
        c++; /* there is one */
    }
    c->job = job;
    c->has_job = true;
    c->out = bytes;
    c->out_size = size;
    c->out_bytes = size;
    c->out_sent = 0;
    c->tail_bytes = 0; /* what it wrote before is not about this job */
    p->jobs++;
    child_set_state(p, c, CHILD_BUSY, p->settings.timeout_ms > 0 ? now_ms() + p->settings.timeout_ms : -1);
    if (child_send(c) && c->out != NULL) {
        child_watch(p, c, SOURCE_SOCKET, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
}

static void job_done(struct child_pool *p, struct child *c, enum shunt_outcome outcome)
{
    void *job = c->job;

    c->job = NULL;
    c->has_job = false;
    p->jobs--;
    p->settings.done(p->settings.context, job, outcome, &p->verdict);
}

/* The job of a child that is gone. */
static void job_lost(struct child_pool *p, struct child *c, int status)
{
    struct crash_evidence evidence = {
        .raw = &c->raw, .raw_bytes = c->raw_bytes, .errors = c->tail, .errors_bytes = c->tail_bytes};
    enum shunt_outcome outcome = SHUNT_NACK;

    verdict_clear(&p->verdict);
    if (c->release || c->out != NULL) {
        outcome = SHUNT_RELEASE; /* we killed it, or it died before it had the whole job: nothing was wrong
                                    with that */
    } else if (c->timed_out) {
        crash_report_timeout(&p->verdict, p->settings.timeout_ms, &evidence);
    } else if (c->babbled) {
        shunt_verdict_failure(
            &p->verdict,
            &(struct shunt_failure){.type = "bad_verdict",
                                    .message = "what the handler's process sent is not a verdict"});
    } else {
        crash_report_ended(&p->verdict, status, &evidence);
    }
    job_done(p, c, outcome);
}

/* ---- what children do ---- */

static void child_doom(struct child_pool *p, struct child *c)
{
    child_kill(c);
    child_set_state(p, c, CHILD_DOOMED, -1);
}

static void on_socket(struct child_pool *p, struct child *c)
{
    bool open = child_send(c) && child_read_verdict(c);
    int outcome, taken;

    if (c->out == NULL && c->state == CHILD_BUSY) {
        child_watch(p, c, SOURCE_SOCKET, EPOLL_CTL_MOD, EPOLLIN);
    }
    taken = child_take_verdict(c, &outcome, &p->verdict);
    if (taken < 0 || (taken > 0 && (outcome == CHILD_READY) != (c->state == CHILD_STARTING) &&
                      (c->state == CHILD_STARTING || c->state == CHILD_IDLE || c->state == CHILD_BUSY))) {
        c->babbled = true;
        c->in_bytes = 0;
        child_doom(p, c);
    } else if (taken > 0 && c->state == CHILD_STARTING) {
        c->ready = true;
        p->failures = 0;
        child_set_state(p, c, CHILD_IDLE, -1);
    } else if (taken > 0 && c->state == CHILD_BUSY) {
        (void)child_read_errors(c); /* what it said comes out before its verdict does */
        child_set_state(p, c, CHILD_IDLE, -1);
        job_done(p, c, (enum shunt_outcome)outcome);
    }
    if (!open) {
        child_watch(p, c, SOURCE_SOCKET, EPOLL_CTL_DEL, 0);
        if (c->state != CHILD_ASKED && c->state != CHILD_DOOMED) {
            child_set_state(p, c, CHILD_DOOMED, now_ms() + CHILD_ANSWER_MS); /* it should be ending */
        }
    }
}

static void on_crash_report(struct child_pool *p, struct child *c)
{
    bool whole, open = child_read_crash(c, &whole);

    if (!open || whole) {
        child_watch(p, c, SOURCE_CRASH, EPOLL_CTL_DEL, 0);
    }
    if (c->raw_bytes == 0) {
        return;
    }
    if (c->state == CHILD_ASKED && whole) {
        child_doom(p, c);
    } else if (c->state != CHILD_ASKED) {
        /* It dies by itself once it has reported, however long its core dump takes. */
        child_set_state(p, c, CHILD_DOOMED, whole ? -1 : now_ms() + CHILD_ANSWER_MS);
    }
}

static void on_ended(struct child_pool *p, struct child *c)
{
    bool whole, starting;
    int status;
    char name[32];

    if (!child_reap(c, &status)) {
        return;
    }
    (void)child_read_errors(c);
    (void)child_read_crash(c, &whole);
    if (c->state == CHILD_BUSY || c->state == CHILD_STARTING) {
        on_socket(p, c); /* it may have given its verdict and then died */
    }
    starting = !c->ready;
    if (c->has_job) {
        job_lost(p, c, status);
    }
    if (starting) {
        struct crash_evidence evidence = {
            .raw = &c->raw, .raw_bytes = c->raw_bytes, .errors = c->tail, .errors_bytes = c->tail_bytes};

        crash_report_ended(&p->verdict, status, &evidence);
        (void)snprintf(name, sizeof name, "%.30s", p->verdict.type);
        (void)error_set(&p->failure, SHUNT_IO, "child processes end before they are ready: %s: %s", name,
                        p->verdict.message);
    }
    child_unwatch(p, c);
    child_set_state(p, c, CHILD_ABSENT, -1);
    child_close(c);
    c->deadline_ms = starting ? pool_failed(p) : now_ms();
}

static void on_event(struct child_pool *p, struct child *c, enum child_source source)
{
    if (c->state == CHILD_ABSENT) {
        return; /* an earlier event of this round ended it */
    }
    switch (source) {
    case SOURCE_PROCESS:
        on_ended(p, c);
        break;
    case SOURCE_SOCKET:
        on_socket(p, c);
        break;
    case SOURCE_CRASH:
        on_crash_report(p, c);
        break;
    case SOURCE_ERRORS:
        if (!child_read_errors(c)) {
            child_watch(p, c, SOURCE_ERRORS, EPOLL_CTL_DEL, 0);
        }
        break;
    case SOURCES:
    default:
        break;
    }
}

static void on_deadline(struct child_pool *p, struct child *c)
{
    if (c->state == CHILD_BUSY) {
        on_socket(p, c); /* the verdict may be there, and we be late */
    }
    switch (c->state) {
    case CHILD_ABSENT:
        if (!p->closing) {
            (void)pool_spawn(p, c); /* a failure is remembered, and has its own deadline */
        }
        break;
    case CHILD_BUSY:
        c->timed_out = true;
        child_ask(c);
        child_set_state(p, c, CHILD_ASKED, now_ms() + CHILD_ANSWER_MS);
        break;
    case CHILD_ASKED:
    case CHILD_DOOMED:
        child_doom(p, c);
        break;
    case CHILD_STARTING:
    case CHILD_IDLE:
    default:
        break;
    }
}

int child_pool_process(struct child_pool *p, struct shunt_error *err)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(p->poll_fd, events, EVENTS_AT_ONCE, 0);

    for (int i = 0; i < count; i++) {
        on_event(p, &p->children[events[i].data.u64 / SOURCES],
                 (enum child_source)(events[i].data.u64 % SOURCES));
    }
    for (uint32_t i = 0; i < p->settings.children; i++) {
        struct child *c = &p->children[i];

        if (c->pid_fd < 0 && c->state != CHILD_ABSENT) {
            on_ended(p, c);
        }
        if (c->deadline_ms >= 0 && c->deadline_ms <= now_ms()) {
            on_deadline(p, c);
        }
    }
    if (p->failures >= CHILD_FAILURES_MAX) {
        return error_set(err, p->failure.code, "%s", p->failure.text);
    }
    return 0;
}

int child_pool_wait_ms(const struct child_pool *p)
{
    int64_t now = now_ms(), wait_ms = -1;

    for (uint32_t i = 0; i < p->settings.children; i++) {
        const struct child *c = &p->children[i];
        int64_t left = c->deadline_ms < 0 ? -1 : c->deadline_ms > now ? c->deadline_ms - now : 0;

        if (c->state == CHILD_ABSENT && p->closing) {
            continue;
        }
        if (c->state != CHILD_ABSENT && c->pid_fd < 0 && (left < 0 || left > REAP_INTERVAL_MS)) {
            left = REAP_INTERVAL_MS;
        }
        if (left >= 0 && (wait_ms < 0 || left < wait_ms)) {
            wait_ms = left;
        }
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

        if (c->state == CHILD_ABSENT) {
            continue;
        }
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

    if (p == NULL) {
        return;
    }
    for (uint32_t i = 0; i < p->settings.children; i++) {
        struct child *c = &p->children[i];

        if (c->state == CHILD_ABSENT) {
            continue;
        }
        if (c->state != CHILD_IDLE) {
            child_kill(c);
        }
        /* To an idle child the end of this stream is the word to leave. */
        child_watch(p, c, SOURCE_SOCKET, EPOLL_CTL_DEL, 0);
        child_watch(p, c, SOURCE_CRASH, EPOLL_CTL_DEL, 0);
        (void)close(c->socket);
        c->socket = -1;
    }
    deadline_ms = now_ms() + CHILD_LEAVE_MS;
    while (pool_reap(p) > 0 && now_ms() < deadline_ms) {
        (void)epoll_wait(p->poll_fd, &event, 1, REAP_INTERVAL_MS);
    }
    for (uint32_t i = 0; i < p->settings.children; i++) {
        if (p->children[i].state != CHILD_ABSENT) {
            child_kill(&p->children[i]);
        }
    }
    deadline_ms = now_ms() + CHILD_LEAVE_MS;
    while (pool_reap(p) > 0 && now_ms() < deadline_ms) {
        (void)epoll_wait(p->poll_fd, &event, 1, REAP_INTERVAL_MS);
    }
    for (uint32_t i = 0; i < p->settings.children; i++) {
        child_close(
            &p->children[i]); /* one that even SIGKILL has not ended waits in the kernel: leave it there */
    }
    (void)close(p->poll_fd);
    free(p);
}
