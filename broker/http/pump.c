/* pump: see pump.h. */
#include "broker/http/pump_private.h"

#include "base/clock.h"
#include "base/magic.h"
#include "proto/errors.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 64
/* Steps of handshakes in one round of the loop, each of which is much work: those who are in have their turns between them. */
#define SHAKES_A_ROUND 8

static void lock(struct pump *p)
{
    (void)pthread_mutex_lock(&p->lock); /* not held by this thread: cannot fail */
}

static void unlock(struct pump *p)
{
    (void)pthread_mutex_unlock(&p->lock); /* held by this thread: cannot fail */
}

static void wake(struct pump *p)
{
    (void)eventfd_write(p->wake_fd, 1); /* it cannot be full */
}

static void take_waiting(struct pump *p, int64_t now_ms)
{
    struct pump_waiting taken[PUMP_WAITING_MAX];
    lock(p);
    unsigned count = p->waiting_count, handshakes_max = p->handshakes.most;
    for (unsigned i = 0; i < count; i++)
        taken[i] = p->waiting[i];
    p->waiting_count = 0;
    (void)pthread_cond_broadcast(&p->taken);
    unlock(p);
    for (unsigned i = 0; i < count; i++)
        pump_life_begin(p, &taken[i], handshakes_max, now_ms);
}

/* ---- time ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t look_at_times(struct pump *p, int64_t now_ms)
{
    lock(p);
    int64_t handshake_ms = p->handshakes.ms;
    bool closed = p->closed;
    unlock(p);
    return pump_life_times(p, handshake_ms, closed, now_ms);
}

/* It is to end. What was said to a client must have left; its own end is not waited for. */
static bool is_over(struct pump *p, int64_t now_ms, int64_t *next_ms)
{
    lock(p);
    int64_t until_ms = p->until_ms;
    unlock(p);
    if (until_ms == CLOCK_NEVER)
        return false;
    *next_ms = sooner(*next_ms, until_ms);
    bool owes = !ring_empty(&p->open);
    for (struct ring *at = p->leaving.next; at != &p->leaving; at = at->next)
        owes |= !ring_of(at, struct pump_conn, link)->out_over;
    return !owes || now_ms >= until_ms;
}

/* ---- its thread ---- */

static void free_all(struct ring *list)
{
    while (!ring_empty(list)) {
        struct pump_conn *c = ring_of(list->next, struct pump_conn, link);
        ring_remove(&c->link);
        pump_conn_free(c);
    }
}

/* What epoll tells of one of our own. */
static void look(struct pump *p, struct pump_watch *w, int64_t now_ms)
{
    eventfd_t ignored;
    if (w != &p->wake)
        return;
    (void)eventfd_read(p->wake_fd, &ignored); /* what it is about is looked at */
    take_waiting(p, now_ms);
}

static void handle(struct pump *p, const struct epoll_event *events, int count, int64_t now_ms)
{
    for (int i = 0; i < count; i++) {
        struct pump_watch *w = magic_of(events[i].data.ptr, pump_watch, PUMP_WATCH_MAGIC);
        struct pump_conn *c = w->conn;
        bool over = events[i].events & (EPOLLHUP | EPOLLERR);
        bool unread = events[i].events & EPOLLIN; /* what it said before it went is heard */
        if (!c)
            look(p, w, now_ms);
        else if (c->state == PUMP_CLOSED)
            continue;
        else if (w == &c->socket && over && !unread && c->state != PUMP_LEAVING)
            pump_life_close(p, c);
        else
            pump_life_go_on(p, c, w == &c->pair && (over || events[i].events & EPOLLRDHUP), now_ms);
    }
}

/* What happened until `until_ms` at the latest. */
static void turn(struct pump *p, int64_t until_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count =
        epoll_wait(p->epoll_fd, events, EVENTS_MAX, clock_poll_ms(until_ms)); /* EINTR is like a time-out */
    handle(p, events, count, clock_mono_ms());
    count = epoll_wait(p->arriving_fd, events, SHAKES_A_ROUND, 0);
    handle(p, events, count, clock_mono_ms());
}

static void *run(void *argument)
{
    struct pump *p = magic_of(argument, pump, PUMP_MAGIC);
    for (;;) {
        int64_t now_ms = clock_mono_ms(), next_ms = look_at_times(p, now_ms);
        free_all(&p->closed_ones); /* no event names them any more */
        if (is_over(p, now_ms, &next_ms))
            break;
        turn(p, next_ms);
    }
    free_all(&p->arriving);
    free_all(&p->open);
    free_all(&p->leaving);
    free_all(&p->closed_ones);
    return NULL;
}

/* ---- public ---- */

/* What it has but its thread. */
static void pump_free(struct pump *p)
{
    for (unsigned i = 0; i < p->waiting_count; i++)
        (void)close(p->waiting[i].fd); /* nobody looked at it */
    for (int i = 0; i < 3; i++) {
        int fd = (const int[]){p->wake_fd, p->epoll_fd, p->arriving_fd}[i];
        if (fd >= 0)
            (void)close(fd); /* nothing is lost */
    }
    (void)pthread_cond_destroy(&p->taken); /* nobody waits */
    (void)pthread_mutex_destroy(&p->door);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_mutex_destroy(&p->tls.lock);
    p->magic = 0;
    free(p);
}

static bool watch_own(struct pump *p, struct pump_watch *w, int fd)
{
    *w = (struct pump_watch){.magic = PUMP_WATCH_MAGIC, .fd = fd, .epoll_fd = p->epoll_fd, .events = EPOLLIN};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};
    return fd >= 0 && epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

int pump_start(const struct pump_config *config, struct pump **ret)
{
    struct pump *p = calloc(1, sizeof *p);
    if (!p)
        return SHUNT_NO_MEMORY;
    p->magic = PUMP_MAGIC;
    p->config = *config;
    p->handshakes = config->handshakes;
    p->tls.context = config->tls;
    p->until_ms = CLOCK_NEVER;
    ring_init(&p->arriving);
    ring_init(&p->open);
    ring_init(&p->leaving);
    ring_init(&p->closed_ones);
    (void)pthread_mutex_init(&p->door, NULL); /* with default attributes these four do not fail on Linux */
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_mutex_init(&p->tls.lock, NULL);
    (void)pthread_cond_init(&p->taken, NULL);
    p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    p->arriving_fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll_fd >= 0 && watch_own(p, &p->wake, p->wake_fd) &&
        watch_own(p, &p->arrivals, p->arriving_fd) && pthread_create(&p->thread, NULL, run, p) == 0) {
        *ret = p;
        return 0;
    }
    pump_free(p);
    return SHUNT_IO;
}

void pump_take(struct pump *p, int fd, const struct sockaddr_storage *from, socklen_t from_bytes)
{
    lock(p);
    while (p->waiting_count == PUMP_WAITING_MAX && !p->closed)
        (void)pthread_cond_wait(&p->taken, &p->lock);
    bool closed = p->closed;
    if (!closed)
        p->waiting[p->waiting_count++] = (struct pump_waiting){fd, *from, from_bytes};
    unlock(p);
    if (closed)
        (void)close(fd); /* it has come too late */
    else
        wake(p);
}

void pump_tls_set(struct pump *p, struct tls_context *tls)
{
    (void)pthread_mutex_lock(&p->tls.lock); /* not held by this thread: cannot fail */
    p->tls.context = tls;
    (void)pthread_mutex_unlock(&p->tls.lock);
}

void pump_handshakes_set(struct pump *p, const struct http_handshakes *handshakes)
{
    lock(p);
    p->handshakes = *handshakes;
    unlock(p);
    wake(p);
}

void pump_close_door(struct pump *p)
{
    (void)pthread_mutex_lock(&p->door); /* not held by this thread: cannot fail */
    lock(p);
    p->closed = true;
    (void)pthread_cond_broadcast(&p->taken);
    unlock(p);
    (void)pthread_mutex_unlock(&p->door);
    wake(p);
}

void pump_stop(struct pump *p, int64_t wait_ms)
{
    if (!p)
        return;
    lock(p);
    p->until_ms = clock_deadline(wait_ms);
    unlock(p);
    wake(p);
    (void)pthread_join(p->thread, NULL);
    pump_free(p);
}
