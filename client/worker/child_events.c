/* child_events: what children do, and what the pool does about it. See the picture in child_pool.h. */
#include "base/check.h"
#include "base/clock.h"
#include "client/wire/error.h"
#include "client/worker/child_pool_private.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>

#define EVENTS_AT_ONCE 64

/* ---- watching ---- */

static int source_fd(const struct child *c, enum child_source source)
{
    const int fds[SOURCES] = {c->pid_fd, c->socket, c->crash, c->errors};

    return fds[source];
}

void child_watch(struct child_pool *p, const struct child *c, enum child_source source, int operation,
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
void child_unwatch(struct child_pool *p, const struct child *c)
{
    for (int source = 0; source < SOURCES; source++)
        child_watch(p, c, (enum child_source)source, EPOLL_CTL_DEL, 0);
}

void child_set_state(struct child_pool *p, struct child *c, enum child_state state, int64_t deadline_ms)
{
    if (c->state == CHILD_IDLE)
        p->idle--;
    c->state = state;
    c->deadline_ms = deadline_ms;
    if (c->state == CHILD_IDLE)
        p->idle++;
}

/* ---- births ---- */

/* One more child could not start: wait longer with each, and give up after too many. */
static int64_t pool_failed(struct child_pool *p)
{
    int64_t wait_ms = p->settings.respawn_ms_min;

    for (uint32_t i = 0; i < p->failures && wait_ms < CHILD_RESPAWN_MS_MAX; i++)
        wait_ms *= 2;
    p->failures++;
    return clock_mono_ms() + (wait_ms > CHILD_RESPAWN_MS_MAX ? CHILD_RESPAWN_MS_MAX : wait_ms);
}

int pool_spawn(struct child_pool *p, struct child *c)
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
    for (int source = 0; source < SOURCES; source++)
        child_watch(p, c, (enum child_source)source, EPOLL_CTL_ADD, EPOLLIN);
    return 0;
}

/* ---- jobs ---- */

static void job_done(struct child_pool *p, struct child *c, enum shunt_outcome outcome)
{
    void *job = c->job;

    check(c->has_job && p->jobs > 0);
    c->job = NULL;
    c->has_job = false;
    p->jobs--;
    p->settings.done(p->settings.context, job, outcome, &p->verdict);
}

/* The job of a child that is gone. */
static void job_lost(struct child_pool *p, struct child *c, int status)
{
    struct crash_evidence evidence = {.raw = &c->raw,
                                      .raw_bytes = c->raw_bytes,
                                      .errors = c->tail,
                                      .errors_bytes = c->tail_bytes,
                                      .said = &c->said};
    enum shunt_outcome outcome = SHUNT_NACK;

    verdict_clear(&p->verdict);
    if (c->release || c->out) {
        p->verdict.delay_ms = 0;
        outcome = SHUNT_RELEASE; /* we killed it, or it died before it had the whole job: nothing was wrong
                                    with that */
    } else if (c->became) {
        crash_report_exec(&p->verdict, c->program, &evidence);
    } else if (c->unheard || atomic_load(&c->page->unheard)) {
        crash_report_unheard(&p->verdict, &evidence);
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

void child_doom(struct child_pool *p, struct child *c)
{
    child_kill(c);
    c->killed = true;
    child_set_state(p, c, CHILD_DOOMED, clock_mono_ms() + CHILD_LEAVE_MS);
}

/* Killed, and still not gone: the kernel holds it, for example in a read from a disk that does not answer. No
 * code of the handler's runs any more, so its job may go on elsewhere. The place stays taken until the
 * process is gone. */
static void child_give_up(struct child_pool *p, struct child *c)
{
    struct crash_head head = {.signal = SIGKILL};

    if (c->raw_bytes >= sizeof head)
        memcpy(&head, &c->raw, sizeof head);
    child_set_state(p, c, CHILD_DOOMED, -1);
    if (c->has_job)
        job_lost(p, c, head.signal); /* as a wait status: killed by that signal */
}

static void on_verdict(struct child_pool *p, struct child *c, int outcome, bool leaving)
{
    struct crash_evidence evidence = {.errors = c->tail, .errors_bytes = c->tail_bytes, .said = &c->said};

    if (c->state == CHILD_STARTING) {
        c->ready = true;
        p->failures = 0;
        child_set_state(p, c, CHILD_IDLE, -1);
    } else if (c->state == CHILD_BUSY) {
        (void)child_read_errors(c); /* what it said comes out before its verdict does */
        evidence.errors_bytes = c->tail_bytes;
        crash_report_returned(&p->verdict, outcome, &evidence);
        if (leaving)
            child_set_state(p, c, CHILD_DOOMED, clock_mono_ms() + CHILD_LEAVE_MS);
        else
            child_set_state(p, c, CHILD_IDLE, -1);
        job_done(p, c, (enum shunt_outcome)outcome);
    }
}

static void on_socket(struct child_pool *p, struct child *c)
{
    bool open = child_send(c) && child_read_verdict(c), leaving;
    int outcome, taken;

    if (!c->out && c->state == CHILD_BUSY)
        child_watch(p, c, SOURCE_SOCKET, EPOLL_CTL_MOD, EPOLLIN);
    taken = child_take_verdict(c, &outcome, &leaving, &p->verdict);
    if (taken < 0 || (taken > 0 && (outcome == CHILD_READY) != (c->state == CHILD_STARTING) &&
                      (c->state == CHILD_STARTING || c->state == CHILD_IDLE || c->state == CHILD_BUSY))) {
        c->babbled = true;
        c->in_bytes = 0;
        child_doom(p, c);
    } else if (taken > 0) {
        on_verdict(p, c, outcome, leaving);
    }
    if (!open) {
        child_watch(p, c, SOURCE_SOCKET, EPOLL_CTL_DEL, 0);
        if (c->state == CHILD_BUSY)
            (void)child_look_at_exec(c);
        if (c->state != CHILD_ASKED && c->state != CHILD_DOOMED)
            child_set_state(p, c, CHILD_DOOMED, clock_mono_ms() + CHILD_ANSWER_MS); /* it should be ending */
    }
}

static void on_crash_report(struct child_pool *p, struct child *c)
{
    bool whole, open = child_read_crash(c, &whole);

    if (!open || whole)
        child_watch(p, c, SOURCE_CRASH, EPOLL_CTL_DEL, 0);
    if (c->raw_bytes == 0 || c->killed)
        return;
    if (c->state == CHILD_ASKED && whole) {
        child_doom(p, c);
    } else if (c->state != CHILD_ASKED) {
        /* It dies by itself once it has reported. */
        child_set_state(p, c, CHILD_DOOMED, clock_mono_ms() + (whole ? CHILD_DUMP_MS : CHILD_ANSWER_MS));
    }
}

static void on_ended(struct child_pool *p, struct child *c)
{
    bool whole, starting;
    int status;

    /* Of one that ended so soon that it was not seen before. */
    if (c->state == CHILD_BUSY && c->pid_fd >= 0 && c->raw_bytes == 0 && !atomic_load(&c->page->unheard))
        (void)child_look_at_exec(c);
    if (!child_reap(c, &status))
        return;
    (void)child_read_errors(c);
    (void)child_read_crash(c, &whole);
    if (c->state == CHILD_BUSY || c->state == CHILD_STARTING)
        on_socket(p, c); /* it may have given its verdict and then died */
    starting = !c->ready;
    if (c->has_job)
        job_lost(p, c, status);
    if (starting) {
        struct crash_evidence evidence = {.raw = &c->raw,
                                          .raw_bytes = c->raw_bytes,
                                          .errors = c->tail,
                                          .errors_bytes = c->tail_bytes,
                                          .said = &c->said};

        crash_report_ended(&p->verdict, status, &evidence);
        (void)error_set(&p->failure, SHUNT_IO, "child processes end before they are ready: %s: %s",
                        p->verdict.type, p->verdict.message);
    }
    child_unwatch(p, c);
    child_set_state(p, c, CHILD_ABSENT, -1);
    child_close(c);
    c->deadline_ms = starting ? pool_failed(p) : clock_mono_ms();
}

static void on_event(struct child_pool *p, struct child *c, enum child_source source)
{
    if (c->state == CHILD_ABSENT)
        return; /* an earlier event of this round ended it */
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
        if (!child_read_errors(c))
            child_watch(p, c, SOURCE_ERRORS, EPOLL_CTL_DEL, 0);
        break;
    case SOURCES:
    default:
        break;
    }
}

static void on_deadline(struct child_pool *p, struct child *c)
{
    /* We may be late: the verdict may be there, or the end. */
    if (c->state == CHILD_BUSY)
        on_socket(p, c);
    else if (c->state == CHILD_DOOMED)
        on_ended(p, c);
    switch (c->state) {
    case CHILD_ABSENT:
        if (!p->closing)
            (void)pool_spawn(p, c); /* a failure is remembered, and has its own deadline */
        break;
    case CHILD_BUSY:
        c->timed_out = true;
        child_ask(c);
        child_set_state(p, c, CHILD_ASKED, clock_mono_ms() + CHILD_ANSWER_MS);
        break;
    case CHILD_ASKED:
        child_doom(p, c);
        break;
    case CHILD_DOOMED:
        if (c->killed) {
            child_give_up(p, c);
        } else {
            /* It neither ends nor crashed: it has closed its socket, and goes on. */
            c->unheard = c->has_job && c->raw_bytes == 0;
            child_doom(p, c);
        }
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

        if (c->pid_fd < 0 && c->state != CHILD_ABSENT)
            on_ended(p, c);
        if (c->deadline_ms >= 0 && c->deadline_ms <= clock_mono_ms())
            on_deadline(p, c);
    }
    if (p->failures >= CHILD_FAILURES_MAX)
        return error_set(err, p->failure.code, "%s", p->failure.text);
    return 0;
}
