/* pump_conn: see pump_conn.h. */
#include "broker/http/pump_conn.h"

#include "base/check.h"
#include "broker/net/tls.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The first byte of TLS: a record of a handshake. */
#define TLS_FIRST_BYTE 0x16

static enum pump_step arrive(struct pump_conn *c, struct pump_tls *tls, struct pump_room *room);
static enum pump_step serve(struct pump_conn *c, struct pump_room *room, bool hung_up);
static enum pump_step leave(struct pump_conn *c, struct pump_room *room, int64_t now_ms);

static bool is_later(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* ---- its life ---- */

struct pump_conn *pump_conn_new(int fd, const struct sockaddr_storage *from, socklen_t from_bytes,
                                int64_t now_ms)
{
    struct pump_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    const struct pump_watch none = {.magic = PUMP_WATCH_MAGIC, .conn = c, .fd = -1, .epoll_fd = -1};
    ring_init(&c->link);
    c->socket = c->pair = none;
    c->socket.fd = fd;
    c->since_ms = now_ms;
    c->from = *from;
    c->from_bytes = from_bytes;
    return c;
}

/* Explicitly no longer watched: where the process is about to run another program the description outlives the descriptor for a moment. */
static void end(struct pump_watch *w)
{
    if (w->epoll_fd >= 0)
        (void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL); /* it was added */
    if (w->fd >= 0)
        (void)close(w->fd); /* what was to be said has left, or cannot */
    w->fd = w->epoll_fd = -1;
}

void pump_conn_free(struct pump_conn *c)
{
    end(&c->socket);
    end(&c->pair);
    tls_stream_done(&c->tls);
    free(c->held);
    c->socket.magic = c->pair.magic = 0;
    free(c);
}

void pump_conn_open(struct pump_conn *c, int pair_fd)
{
    check(c->state == PUMP_ARRIVING);
    c->state = PUMP_OPEN;
    c->pair.fd = pair_fd;
}

static void drop_input(struct pump_conn *c)
{
    free(c->held);
    c->held = NULL;
    c->held_bytes = c->held_at = 0;
    tls_stream_drop(&c->tls);
    c->in_over = true;
}

void pump_conn_leave(struct pump_conn *c, int64_t now_ms)
{
    check(c->state != PUMP_CLOSED);
    drop_input(c);
    c->state = PUMP_LEAVING;
    c->since_ms = now_ms;
}

void pump_conn_end_pair(struct pump_conn *c)
{
    end(&c->pair);
}

enum pump_step pump_conn_step(struct pump_conn *c, struct pump_tls *tls, struct pump_room *room, bool hung_up,
                              int64_t now_ms)
{
    check(c->state != PUMP_CLOSED);
    switch (c->state) {
    case PUMP_ARRIVING:
        return arrive(c, tls, room);
    case PUMP_OPEN:
        return serve(c, room, hung_up);
    case PUMP_LEAVING:
        return leave(c, room, now_ms);
    case PUMP_CLOSED:
        break;
    }
    return PUMP_IS_LOST;
}

/* ---- to the client ---- */

static bool is_sent(const struct pump_conn *c)
{
    return tls_stream_out(&c->tls).size == 0;
}

/* As much as the socket takes. False: it is lost. */
static bool send_out(struct pump_conn *c)
{
    while (!is_sent(c)) {
        struct slice out = tls_stream_out(&c->tls);
        ssize_t size = send(c->socket.fd, out.data, out.size, MSG_NOSIGNAL);
        if (size < 0)
            return is_later();
        (void)tls_stream_sent(&c->tls, (size_t)size);
        c->sent_bytes += (size_t)size;
    }
    return true;
}

static enum pump_step failed(const struct pump_conn *c)
{
    return c->tls.no_memory ? PUMP_NO_MEMORY : PUMP_FAILED;
}

/* Encrypt what libmicrohttpd has written, once all before it was sent. */
static enum pump_step seal(struct pump_conn *c, struct pump_room *room)
{
    if (c->pair.fd < 0 || !is_sent(c) || !tls_stream_may_write(&c->tls))
        return PUMP_GOES_ON;
    ssize_t size = recv(c->pair.fd, room->out, sizeof room->out, 0);
    if (size > 0)
        return tls_stream_write(&c->tls, room->out, (size_t)size) ? PUMP_GOES_ON : failed(c);
    return size < 0 && is_later() ? PUMP_GOES_ON : PUMP_IS_SERVED;
}

/* ---- from the client ---- */

/* What came, at most what there is room for. 0: nothing now, or its end. Negative: the socket is lost. */
static ssize_t receive(struct pump_conn *c, struct pump_room *room)
{
    ssize_t size = c->socket_ended ? 0 : recv(c->socket.fd, room->in, sizeof room->in, 0);
    if (size < 0)
        return is_later() ? 0 : -1;
    c->socket_ended |= size == 0;
    return size;
}

static enum pump_step arrive(struct pump_conn *c, struct pump_tls *tls, struct pump_room *room)
{
    ssize_t size = receive(c, room);
    if (size < 0 || c->socket_ended) /* nobody is there to be told */
        return PUMP_IS_LOST;
    if (size > 0 && c->tls.state == TLS_SILENT) {
        if (room->in[0] != TLS_FIRST_BYTE)
            return PUMP_IS_PLAIN;
        (void)pthread_mutex_lock(&tls->lock); /* not held by this thread: cannot fail */
        SSL *ssl = tls_context_accept(tls->context);
        (void)pthread_mutex_unlock(&tls->lock);
        if (!tls_stream_begin(&c->tls, ssl))
            return PUMP_NO_MEMORY;
    }
    if (size > 0) {
        tls_stream_feed(&c->tls, room->in, (size_t)size);
        (void)tls_stream_read(&c->tls, room->plain, 0); /* the handshake alone */
        if (!tls_stream_keep(&c->tls))
            return PUMP_NO_MEMORY;
    }
    if (c->tls.state == TLS_FAILED)
        return failed(c);
    if (!send_out(c))
        return PUMP_IS_LOST;
    return c->tls.state == TLS_SILENT || c->tls.state == TLS_HANDSHAKE ? PUMP_GOES_ON : PUMP_IS_IN;
}

/* Give libmicrohttpd plain bytes. Returns how many it has no room for. */
static size_t push(struct pump_conn *c, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = send(c->pair.fd, bytes, size, MSG_NOSIGNAL);
        if (done < 0 && is_later())
            return size;
        if (done < 0) { /* it has closed its end, or is about to */
            drop_input(c);
            return 0;
        }
        bytes += done;
        size -= (size_t)done;
    }
    return 0;
}

static void push_held(struct pump_conn *c)
{
    if (!c->held)
        return;
    size_t left = push(c, c->held + c->held_at, c->held_bytes - c->held_at);
    if (!c->held)
        return;
    c->held_at = c->held_bytes - left;
    if (left == 0) {
        free(c->held);
        c->held = NULL;
    }
}

/* Keep the end of what was read, which libmicrohttpd has no room for. */
static bool hold(struct pump_conn *c, const uint8_t *bytes, size_t size)
{
    c->held = malloc(size);
    if (!c->held)
        return false;
    memcpy(c->held, bytes, size);
    c->held_at = 0;
    c->held_bytes = size;
    return true;
}

/* What came goes on as plain bytes, as far as libmicrohttpd has room. */
static enum pump_step open_up(struct pump_conn *c, struct pump_room *room)
{
    size_t size;
    do {
        size = tls_stream_read(&c->tls, room->plain, sizeof room->plain);
        size_t left = push(c, room->plain, size);
        if (left > 0 && !hold(c, room->plain + size - left, left))
            return PUMP_NO_MEMORY;
    } while (size == sizeof room->plain && !c->held && !c->in_over);
    if (!tls_stream_keep(&c->tls))
        return PUMP_NO_MEMORY;
    return c->tls.state == TLS_FAILED ? failed(c) : PUMP_GOES_ON;
}

static bool is_read(const struct pump_conn *c)
{
    if (c->state != PUMP_OPEN)
        return !c->socket_ended;
    return !c->held && !c->in_over && !c->socket_ended && tls_stream_left(&c->tls) == 0 &&
           tls_stream_out(&c->tls).size <= PUMP_UNSENT_BYTES_MAX;
}

static enum pump_step take_in(struct pump_conn *c, struct pump_room *room)
{
    push_held(c);
    if (!c->held && !c->in_over && !tls_stream_has_more(&c->tls) && is_read(c)) {
        ssize_t size = receive(c, room);
        if (size < 0)
            return PUMP_IS_LOST;
        if (size > 0)
            tls_stream_feed(&c->tls, room->in, (size_t)size);
    }
    enum pump_step step = PUMP_GOES_ON;
    if (!c->held && !c->in_over && tls_stream_has_more(&c->tls))
        step = open_up(c, room);
    if (step == PUMP_GOES_ON && !c->held && !c->in_over &&
        (c->tls.state == TLS_ENDED || (c->socket_ended && !tls_stream_has_more(&c->tls)))) {
        (void)shutdown(c->pair.fd, SHUT_WR); /* fails if the other end is closed */
        drop_input(c);
    }
    return step;
}

static enum pump_step serve(struct pump_conn *c, struct pump_room *room, bool hung_up)
{
    enum pump_step step = take_in(c, room);
    if (step == PUMP_GOES_ON && !send_out(c))
        step = PUMP_IS_LOST;
    if (step == PUMP_GOES_ON)
        step = seal(c, room);
    if (step == PUMP_GOES_ON && !send_out(c))
        step = PUMP_IS_LOST;
    return step == PUMP_GOES_ON && hung_up ? PUMP_IS_SERVED : step;
}

/* ---- at the end ---- */

/* The rest of what was said, close_notify, FIN. What comes meanwhile is read and thrown away, because a socket that is closed while
 * something lies unread sends a reset, which may take the answer away again. */
static enum pump_step leave(struct pump_conn *c, struct pump_room *room, int64_t now_ms)
{
    uint64_t sent_before = c->sent_bytes;
    if (receive(c, room) < 0 || !send_out(c))
        return PUMP_IS_LOST;
    enum pump_step step = seal(c, room);
    if (step == PUMP_IS_SERVED)
        end(&c->pair);
    else if (step != PUMP_GOES_ON)
        return step;
    if (c->pair.fd < 0 && !c->goodbye) {
        c->goodbye = true;
        tls_stream_end(&c->tls);
    }
    if (!send_out(c))
        return PUMP_IS_LOST;
    if (c->sent_bytes != sent_before)
        c->since_ms = now_ms;
    if (is_sent(c) && c->goodbye && !c->out_over) {
        (void)shutdown(c->socket.fd, SHUT_WR); /* it may have ended by itself */
        c->out_over = true;
        c->since_ms = now_ms;
    }
    return c->out_over && c->socket_ended ? PUMP_IS_DONE : PUMP_GOES_ON;
}

/* ---- what it waits for ---- */

/* One that waits for nothing is not watched at all: of a pair whose other end is closed epoll would tell without end. */
static bool watch(struct pump_watch *w, int epoll_fd, uint32_t events)
{
    if (w->epoll_fd >= 0 && w->epoll_fd != epoll_fd) {
        (void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL); /* it was added */
        w->epoll_fd = -1;
    }
    if (epoll_fd < 0 || (w->epoll_fd == epoll_fd && w->events == events))
        return true;
    struct epoll_event event = {.events = events, .data.ptr = w};
    if (epoll_ctl(epoll_fd, w->epoll_fd < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, w->fd, &event) != 0)
        return false;
    w->epoll_fd = epoll_fd;
    w->events = events;
    return true;
}

bool pump_conn_watch(struct pump_conn *c, int epoll_fd, int arriving_fd)
{
    uint32_t socket = (is_read(c) ? EPOLLIN : 0) | (is_sent(c) ? 0 : EPOLLOUT), pair = 0;
    if (c->state == PUMP_OPEN)
        pair = EPOLLRDHUP | (is_sent(c) ? EPOLLIN : 0) | (c->held ? EPOLLOUT : 0);
    else if (is_sent(c))
        pair = EPOLLIN;
    bool waits = c->state == PUMP_ARRIVING || watch(&c->pair, c->pair.fd >= 0 && pair ? epoll_fd : -1, pair);
    return waits && watch(&c->socket, c->state == PUMP_ARRIVING ? arriving_fd : epoll_fd, socket);
}
