/* loop: one turn is: connect, write, wait, read, call back. */
#include "base/clock.h"
#include "client/driving/auth.h"
#include "client/driving/fork_count.h"
#include "client/driving/handle.h"
#include "client/wire/error.h"
#include "client/wire/hello.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PIECES_MAX      256
#define READS_A_TURN    16
#define WAIT_LONGEST_MS 60000

enum { EVENT_SOCKET = 0, EVENT_TIMER = 1 };

static const struct url *current(const struct loop *loop)
{
    return &loop->hosts.hosts[loop->reconnect.host];
}

int64_t loop_deadline_us(int64_t timeout_ms)
{
    if (timeout_ms < 0 || timeout_ms > INT64_MAX / 2000)
        return INT64_MAX;
    return clock_mono_us() + timeout_ms * 1000;
}

int loop_init(struct shunt *s, const struct url_list *hosts, struct shunt_error *err)
{
    struct loop *loop = &s->loop;
    *loop = (struct loop){.hosts = *hosts, .epoll_fd = -1, .timer_fd = -1, .armed_us = INT64_MAX};
    reconnect_init(&loop->reconnect, hosts->count, s->settings.reconnect_min_ms,
                   s->settings.reconnect_max_ms);
    socket_init(&loop->socket, &loop->hosts.tls);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = EVENT_TIMER};
    if (loop->epoll_fd < 0 || loop->timer_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->timer_fd, &event) != 0) {
        int error_no = errno;
        loop_done(s);
        return error_set(err, SHUNT_IO, "cannot make an epoll descriptor and a timer: %s",
                         strerror(error_no));
    }
    return 0;
}

void loop_done(struct shunt *s)
{
    if (!handle_is_copy(s))
        socket_end(&s->loop.socket);
    socket_close(&s->loop.socket);
    if (s->loop.epoll_fd >= 0)
        (void)close(s->loop.epoll_fd); /* holds no data */
    if (s->loop.timer_fd >= 0)
        (void)close(s->loop.timer_fd); /* holds no data */
    s->loop.epoll_fd = s->loop.timer_fd = -1;
}

void client_abandon_after_fork(struct shunt *s)
{
    loop_done(s);
    s->worker.forks = fork_count();
}

/* ---- the connection ---- */

static void watch(struct loop *loop, int operation, bool writable)
{
    struct epoll_event event = {.data.u32 = EVENT_SOCKET};
    event.events = loop->socket.state == SOCKET_CONNECTING            ? EPOLLOUT
                   : writable || socket_wants_to_write(&loop->socket) ? EPOLLIN | EPOLLOUT
                                                                      : EPOLLIN;
    (void)epoll_ctl(loop->epoll_fd, operation, loop->socket.fd,
                    &event); /* fails only without kernel memory: a time-out follows */
}

/* The attempt failed or the connection broke, for the reason in `error`. */
static void broke(struct shunt *s, const struct shunt_error *error, int64_t now_us)
{
    struct loop *loop = &s->loop;
    if (loop->socket.fd >= 0) /* explicitly: a forked child may still hold the descriptor open */
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, loop->socket.fd, NULL);
    socket_close(&loop->socket);
    loop->last = *error;
    loop->failures++;
    loop->blocked = false;
    const struct url *from = current(loop);
    int64_t wait_us =
        reconnect_failed(&loop->reconnect, &s->core.random, s->core.patience.closing_ms, now_us);
    s->core.patience.closing_ms = 0;
    loop->connect_at_us = now_us + wait_us;
    if (s->core.phase == CORE_READY && !s->core.left)
        events_add(&loop->events, SHUNT_LOST, from, error, 0);
    if (s->core.fatal.code == 0 && !s->core.left)
        events_add(&loop->events, SHUNT_RETRYING, from, error, wait_us / 1000);
    if (s->core.fatal.code != 0)
        core_end(&s->core, &s->core.fatal);
    else if (s->core.phase != CORE_OFFLINE)
        core_offline(&s->core);
}

static void opened(struct shunt *s, int64_t now_us)
{
    struct shunt_error error;
    int rc = auth_load(&s->settings.auth, &error);
    if (rc == 0 && core_online(&s->core) != 0)
        rc = error_set(&error, SHUNT_NO_MEMORY, NULL);
    auth_unload(&s->settings.auth);
    if (rc != 0)
        broke(s, &error, now_us);
}

static void begin_attempt(struct shunt *s, int64_t now_us)
{
    struct loop *loop = &s->loop;
    struct shunt_error error;
    loop->give_up_us = now_us + s->settings.connect_timeout_ms * 1000;
    if (socket_connect(&loop->socket, current(loop), &error) != 0) {
        broke(s, &error, now_us);
        return;
    }
    watch(loop, EPOLL_CTL_ADD, false);
    if (loop->socket.state == SOCKET_OPEN)
        opened(s, now_us);
}

static void continue_attempt(struct shunt *s, int64_t now_us)
{
    struct loop *loop = &s->loop;
    struct shunt_error error;
    int fd = loop->socket.fd;
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd,
                    NULL); /* added anew: the next address has a descriptor of its own */
    if (socket_continue(&loop->socket, current(loop), &error) != 0) {
        broke(s, &error, now_us);
        return;
    }
    watch(loop, EPOLL_CTL_ADD, false);
    if (loop->socket.state == SOCKET_OPEN)
        opened(s, now_us);
}

void loop_advance(struct shunt *s, int64_t now_us)
{
    struct loop *loop = &s->loop;
    struct shunt_error error;
    char where[URL_TEXT_BYTES];
    if (s->core.fatal.code != 0 || s->closing || handle_is_copy(s))
        return;
    core_expire(&s->core, now_us);
    if (s->core.left)
        return;
    if (loop->socket.state == SOCKET_CLOSED) {
        loop->wanted = loop->wanted || core_has_work(&s->core);
        if (loop->wanted && now_us >= loop->connect_at_us)
            begin_attempt(s, now_us);
    } else if (s->core.phase != CORE_READY && now_us >= loop->give_up_us) {
        error_set(&error, SHUNT_UNREACHABLE, "%s did not answer within %lld ms",
                  url_text(where, current(loop)), (long long)s->settings.connect_timeout_ms);
        broke(s, &error, now_us);
    }
}

/* ---- bytes ---- */

/* Write `pieces`, or what was taken before. False: the socket is full, or it broke. */
static bool write_on(struct shunt *s, struct iovec *pieces, int count, int64_t now_us)
{
    struct loop *loop = &s->loop;
    struct shunt_error error;
    size_t taken;
    enum socket_got got = socket_write(&loop->socket, current(loop), pieces, count, &taken, &error);
    if (got == SOCKET_BROKEN)
        broke(s, &error, now_us);
    else if (socket_is_clear(&loop->socket))
        core_sent(&s->core, taken);
    else
        core_taken(&s->core, taken);
    return got == SOCKET_GOT;
}

void loop_send(struct shunt *s, int64_t now_us)
{
    struct loop *loop = &s->loop;
    struct iovec pieces[PIECES_MAX];
    bool blocked = false;
    int count;
    if (!handle_is_copy(s))
        core_try_to_part(&s->core);
    if (loop->socket.state != SOCKET_OPEN || handle_is_copy(s))
        return;
    if (!socket_is_clear(&loop->socket)) /* what was taken before goes first */
        blocked = !write_on(s, NULL, 0, now_us);
    while (!blocked && loop->socket.state == SOCKET_OPEN &&
           (count = core_output(&s->core, now_us, pieces, PIECES_MAX)) > 0)
        blocked = !write_on(s, pieces, count, now_us);
    if (loop->socket.state != SOCKET_OPEN)
        return;
    if (blocked != loop->blocked)
        watch(loop, EPOLL_CTL_MOD, blocked);
    loop->blocked = blocked;
}

static void closed_by_peer(struct shunt *s, int64_t now_us)
{
    struct shunt_error error;
    char where[URL_TEXT_BYTES];
    error_set(&error, SHUNT_UNREACHABLE, "%s closed the connection%s%.200s",
              url_text(where, current(&s->loop)), s->core.said.code != 0 ? ": " : "",
              s->core.said.code != 0 ? s->core.said.text : "");
    broke(s, &error, now_us);
}

static void receive(struct shunt *s, int64_t now_us)
{
    struct loop *loop = &s->loop;
    bool greeted = s->core.phase == CORE_READY;
    for (int i = 0;
         (i < READS_A_TURN || socket_has_input(&loop->socket)) && loop->socket.state == SOCKET_OPEN; i++) {
        struct shunt_error error = {0};
        size_t size = 0, got = 0;
        void *space = core_space(&s->core, &size);
        if (!space)
            return; /* no memory now: the next turn tries again */
        enum socket_got what = socket_read(&loop->socket, current(loop), space, size, &got, &error);
        if (what == SOCKET_NOTHING)
            return;
        if (what == SOCKET_BROKEN) {
            broke(s, &error, now_us);
            return;
        }
        if (what == SOCKET_ENDED) {
            closed_by_peer(s, now_us);
            return;
        }
        if (core_received(&s->core, got, now_us, &error) != 0) {
            broke(s, &error, now_us);
            return;
        }
        if (s->core.phase == CORE_READY && !greeted) {
            greeted = true;
            loop->last.code = 0;
            reconnect_succeeded(&loop->reconnect, now_us);
            events_add(&loop->events, SHUNT_CONNECTED, current(loop), &loop->last, 0);
        }
        if (got < size && !socket_reads_in_parts(&loop->socket))
            return;
    }
}

/* ---- waiting ---- */

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When something is to be done though nothing comes. */
static int64_t due_us(const struct shunt *s)
{
    const struct loop *loop = &s->loop;
    if (s->core.fatal.code != 0 || s->closing || s->core.left)
        return INT64_MAX;
    if (socket_has_input(&loop->socket))
        return 0;
    int64_t next_us = s->core.expires_us;
    if (loop->socket.state != SOCKET_CLOSED)
        return earliest(next_us, s->core.phase != CORE_READY ? loop->give_up_us : core_due_us(&s->core));
    return loop->wanted || core_has_work(&s->core) ? earliest(next_us, loop->connect_at_us) : next_us;
}

static void drain_timer(struct loop *loop)
{
    uint64_t times;
    ssize_t n = read(loop->timer_fd, &times, sizeof times);
    (void)n; /* not due after all is as good */
    loop->armed_us = INT64_MAX;
}

static void fell_silent(struct shunt *s, int64_t now_us)
{
    struct shunt_error error;
    char where[URL_TEXT_BYTES];
    error_set(&error, SHUNT_UNREACHABLE, "%s has not answered a ping for %lld ms",
              url_text(where, current(&s->loop)), (long long)s->settings.ping_interval_ms);
    broke(s, &error, now_us);
}

void loop_wait(struct shunt *s, int64_t until_us)
{
    struct loop *loop = &s->loop;
    struct epoll_event events[2];
    if (handle_is_copy(s))
        return; /* the epoll set is shared with the process that it is a copy of */
    int64_t now_us = clock_mono_us();
    int64_t wake_us = earliest(until_us, due_us(s));
    int64_t wait_ms = wake_us <= now_us ? 0 : (wake_us - now_us + 999) / 1000;
    int count = epoll_wait(loop->epoll_fd, events, 2, (int)earliest(wait_ms, WAIT_LONGEST_MS));
    now_us = clock_mono_us();
    loop->looked_us = now_us;
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == EVENT_TIMER)
            drain_timer(loop);
        else if (loop->socket.state == SOCKET_CONNECTING || loop->socket.state == SOCKET_SECURING)
            continue_attempt(s, now_us);
        else if ((events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
            receive(s, now_us);
    }
    if (socket_has_input(&loop->socket)) /* memory ran out before */
        receive(s, now_us);
    if (core_is_silent(&s->core, now_us)) /* now that all that came has been looked at */
        fell_silent(s, now_us);
}

int loop_timed_out(const struct shunt *s, struct shunt_error *err)
{
    char where[URL_TEXT_BYTES];
    if (s->core.phase == CORE_READY)
        return error_set(err, SHUNT_TIMEOUT, NULL);
    if (s->loop.last.code != 0)
        return error_set(err, SHUNT_UNREACHABLE, "%s", s->loop.last.text);
    return error_set(err, SHUNT_UNREACHABLE, "no connection to %s in time",
                     url_text(where, current(&s->loop)));
}

static int turn_until(struct shunt *s, int64_t deadline_us, bool (*met)(void *arg), void *arg,
                      struct shunt_error *err)
{
    for (bool waited = false;; waited = true) {
        if (handle_is_copy(s))
            return handle_usable(s, err);
        int64_t now_us = clock_mono_us();
        loop_advance(s, now_us);
        loop_send(s, now_us);
        handle_call_back(s);
        if (met(arg))
            return 0;
        if (s->core.fatal.code != 0)
            return error_set(err, s->core.fatal.code, "%s", s->core.fatal.text);
        if (waited && now_us >= deadline_us)
            return loop_timed_out(s, err);
        loop_wait(s, deadline_us);
    }
}

int loop_until(struct shunt *s, int64_t timeout_ms, bool (*met)(void *arg), void *arg,
               struct shunt_error *err)
{
    int rc = turn_until(s, loop_deadline_us(timeout_ms), met, arg, err);
    loop_rest(s);
    return rc;
}

/* ---- for event loops ---- */

static void set_timer(struct loop *loop, int64_t at_us)
{
    if (at_us == loop->armed_us)
        return;
    struct itimerspec when = {0};
    if (at_us != INT64_MAX) {
        when.it_value.tv_sec = (time_t)(at_us / 1000000);
        when.it_value.tv_nsec = (long)(at_us % 1000000) * 1000;
        if (at_us <= 0)
            when.it_value.tv_nsec = 1; /* all zero would disarm it */
    }
    (void)timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL); /* valid by construction */
    loop->armed_us = at_us;
}

void loop_wake(struct shunt *s)
{
    if (s->loop.watched && !s->loop.processing && !handle_is_copy(s))
        set_timer(&s->loop, 0);
}

void loop_rest(struct shunt *s)
{
    if (!s->loop.watched || s->loop.processing || handle_is_copy(s))
        return;
    int64_t at_us = due_us(s);
    if (s->loop.events.count > 0 || core_has_callbacks(&s->core) ||
        (core_has_output(&s->core) && !s->loop.blocked) || at_us <= clock_mono_us())
        at_us = 0;
    set_timer(&s->loop, at_us);
}
