/* pump_life: how a connection of the pump goes from state to state, and the bounds of each. */
#include "broker/http/pump_private.h"

#include "base/clock.h"
#include "broker/http/caller.h"
#include "broker/http/refuse.h"
#include "tls/peer_names.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REPORT_BYTES 320

static void report(const struct pump *p, const struct sockaddr_storage *from, enum http_event event,
                   const char *why)
{
    char peer[CALLER_PEER_BYTES], text[REPORT_BYTES];
    caller_address((const struct sockaddr *)from, peer);
    (void)snprintf(text, sizeof text, "HTTPS: %s", why);
    if (p->config.report)
        p->config.report(p->config.report_context, event, peer, text);
}

/* ---- one connection goes from state to state ---- */

/* Out of the ring of its state. */
static void unlink_it(struct pump *p, struct pump_conn *c)
{
    p->arriving_count -= c->state == PUMP_ARRIVING;
    p->leaving_count -= c->state == PUMP_LEAVING;
    ring_remove(&c->link);
}

void pump_life_close(struct pump *p, struct pump_conn *c)
{
    unlink_it(p, c);
    c->state = PUMP_CLOSED;
    ring_append(&p->closed_ones, &c->link);
}

static void leave(struct pump *p, struct pump_conn *c, int64_t now_ms)
{
    unlink_it(p, c);
    pump_conn_leave(c, now_ms);
    ring_append(&p->leaving, &c->link);
    p->leaving_count++;
    if (p->leaving_count > PUMP_LEAVING_MAX)
        pump_life_close(p, ring_of(p->leaving.next, struct pump_conn, link));
}

static void turn_away(struct pump *p, struct pump_conn *c)
{
    char answer[REFUSAL_BYTES];
    size_t size = refusal_full(answer, p->config.served);
    (void)tls_stream_write(&c->tls, answer, size); /* or it is closed without a word */
}

/* True: libmicrohttpd has the second end. False: neither end is anybody's; with the door closed there is nobody any more to say so. */
static bool let_in(struct pump *p, const struct pump_conn *c, const int ends[2], bool *ret_closed)
{
    static const int bytes = PUMP_PAIR_BYTES;
    bool no_memory; /* then it is nobody, and what it asks for says so */
    char *names = tls_peer_names(&c->tls, &no_memory);
    for (int i = 0; i < 2; i++)
        (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes); /* or the kernel's own size */
    (void)pthread_mutex_lock(&p->door); /* not held by this thread: cannot fail */
    *ret_closed = p->closed;
    bool in = !p->closed && p->config.let_in(p->config.let_in_context, ends[1],
                                             (const struct sockaddr *)&c->from, c->from_bytes, names);
    (void)pthread_mutex_unlock(&p->door);
    if (!in) {
        free(names);
        (void)close(ends[0]); /* nothing was written */
        (void)close(ends[1]);
    }
    return in;
}

static void enter(struct pump *p, struct pump_conn *c, int64_t now_ms)
{
    int ends[2];
    bool closed;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        bool descriptors = errno == EMFILE || errno == ENFILE;
        report(p, &c->from, descriptors ? HTTP_NO_DESCRIPTORS : HTTP_NO_MEMORY,
               "no pair of sockets for a client");
        pump_life_close(p, c);
        return;
    }
    if (let_in(p, c, ends, &closed)) {
        unlink_it(p, c);
        pump_conn_open(c, ends[0]);
        ring_append(&p->open, &c->link);
    } else if (closed) {
        pump_life_close(p, c);
    } else {
        turn_away(p, c);
        leave(p, c, now_ms);
    }
}

/* It speaks plain HTTP, as a rule. */
static void answer_plainly(struct pump *p, struct pump_conn *c, int64_t now_ms)
{
    report(p, &c->from, HTTP_TLS_FAILED, "the client came plainly: ask for https:// in the place of http://");
    refuse_plain_http(c->socket.fd);
    leave(p, c, now_ms);
}

static void failed(struct pump *p, struct pump_conn *c, int64_t now_ms)
{
    report(p, &c->from, HTTP_TLS_FAILED, c->tls.why);
    pump_conn_end_pair(c);
    leave(p, c, now_ms);
}

/* What follows from a step. True: more may. */
static bool act(struct pump *p, struct pump_conn *c, enum pump_step step, int64_t now_ms)
{
    switch (step) {
    case PUMP_GOES_ON:
        return false;
    case PUMP_IS_IN:
        enter(p, c, now_ms);
        break;
    case PUMP_IS_PLAIN:
        answer_plainly(p, c, now_ms);
        break;
    case PUMP_FAILED:
        failed(p, c, now_ms);
        break;
    case PUMP_IS_SERVED:
        leave(p, c, now_ms);
        break;
    case PUMP_NO_MEMORY:
        report(p, &c->from, HTTP_NO_MEMORY, "no memory for a client");
        pump_life_close(p, c);
        break;
    case PUMP_IS_DONE:
    case PUMP_IS_LOST:
        pump_life_close(p, c);
        break;
    }
    return c->state != PUMP_CLOSED;
}

void pump_life_go_on(struct pump *p, struct pump_conn *c, bool hung_up, int64_t now_ms)
{
    while (act(p, c, pump_conn_step(c, &p->tls, &p->room, hung_up, now_ms), now_ms))
        continue;
    if (c->state == PUMP_CLOSED || pump_conn_watch(c, p->epoll_fd, p->arriving_fd))
        return;
    report(p, &c->from, HTTP_NO_MEMORY, "the kernel cannot watch a client");
    pump_life_close(p, c);
}

/* ---- those that come ---- */

/* Its packets leave at once, a machine that has gone is noticed, and what waits in the kernel stays within what has been asked for:
 * without these HTTPS is slower, or waits longer for somebody who has gone. */
static void tune(int fd)
{
    static const int yes = 1, gone_ms = PUMP_GONE_MS, unsent = PUMP_PAIR_BYTES;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &gone_ms, sizeof gone_ms);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

/* The one that has come first gives its place to those that come now: a client in earnest is done long before that. Silent ones are
 * not worth a line. */
static void crowd_out(struct pump *p)
{
    struct pump_conn *c = ring_of(p->arriving.next, struct pump_conn, link);
    if (c->tls.state != TLS_SILENT) {
        report(p, &c->from, HTTP_CROWDED_OUT,
               "more handshakes are under way than tls-handshakes, and this one is the oldest");
    }
    pump_life_close(p, c);
}

void pump_life_begin(struct pump *p, const struct pump_waiting *w, unsigned handshakes_max, int64_t now_ms)
{
    struct pump_conn *c = pump_conn_new(w->fd, &w->from, w->from_bytes, now_ms);
    if (!c) {
        report(p, &w->from, HTTP_NO_MEMORY, "no memory for a client");
        (void)close(w->fd); /* nothing was said */
        return;
    }
    tune(w->fd);
    ring_append(&p->arriving, &c->link);
    p->arriving_count++;
    while (p->arriving_count > handshakes_max)
        crowd_out(p);
    if (c->state != PUMP_CLOSED)
        pump_life_go_on(p, c, false, now_ms);
}

/* ---- time ---- */

static void end_arriving(struct pump *p, struct pump_conn *c)
{
    if (c->tls.state != TLS_SILENT)
        report(p, &c->from, HTTP_TIMED_OUT, "the handshake was not done within hello-timeout");
    pump_life_close(p, c);
}

static int64_t leave_until_ms(const struct pump_conn *c)
{
    return c->since_ms + (c->out_over ? PUMP_LINGER_MS : PUMP_LEAVE_MS);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t pump_life_times(struct pump *p, int64_t handshake_ms, bool closed, int64_t now_ms)
{
    int64_t next_ms = CLOCK_NEVER;
    while (!ring_empty(&p->arriving)) {
        struct pump_conn *c = ring_of(p->arriving.next, struct pump_conn, link);
        next_ms = c->since_ms + handshake_ms;
        if (closed)
            pump_life_close(p, c);
        else if (next_ms <= now_ms)
            end_arriving(p, c);
        else
            break;
        next_ms = CLOCK_NEVER;
    }
    for (struct ring *at = p->leaving.next, *next; at != &p->leaving; at = next) {
        struct pump_conn *c = ring_of(at, struct pump_conn, link);
        next = at->next;
        if (leave_until_ms(c) <= now_ms)
            pump_life_close(p, c);
        else
            next_ms = sooner(next_ms, leave_until_ms(c));
    }
    return next_ms;
}
