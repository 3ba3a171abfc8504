/* peers: see peers.h. */
#include "broker/http/peers.h"

#include "base/clock.h"
#include "proto/errors.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define HANDED_MS_MAX 1000 /* libmicrohttpd closes one without a word if it has no memory for it */

static unsigned places(const struct peers *p)
{
    return p->list ? p->most + PEERS_LEAVING_MAX : 0;
}

int peers_init(struct peers *p, unsigned most)
{
    *p = (struct peers){.most = most};
    p->list = calloc(most + PEERS_LEAVING_MAX, sizeof *p->list);
    p->coming = calloc(most + PEERS_LEAVING_MAX, sizeof *p->coming);
    (void)pthread_mutex_init(&p->lock, NULL); /* with default attributes it does not fail on Linux */
    clock_cond_init(&p->answered);
    for (unsigned i = 0; i < places(p); i++)
        p->list[i] = (struct peer){.magic = PEER_MAGIC, .fd = -1};
    return p->list && p->coming ? 0 : SHUNT_NO_MEMORY;
}

void peers_done(struct peers *p)
{
    (void)pthread_cond_destroy(&p->answered); /* nobody waits any more */
    (void)pthread_mutex_destroy(&p->lock);
    for (unsigned i = 0; p->coming && i < places(p); i++)
        free(p->coming[i].names);
    for (unsigned i = 0; i < places(p); i++)
        free(p->list[i].names);
    free(p->coming);
    free(p->list);
    p->coming = NULL;
    p->list = NULL;
}

static void lock(struct peers *p)
{
    (void)pthread_mutex_lock(&p->lock); /* not held by this thread: cannot fail */
}

static void unlock(struct peers *p)
{
    (void)pthread_mutex_unlock(&p->lock); /* held by this thread: cannot fail */
}

/* How much longer than it may it has kept its place; negative: not yet. */
static int64_t overdue_ms(const struct peer *peer, int64_t now_ms)
{
    return now_ms - peer->since_ms - (peer->asking ? ANSWER_MS_MAX : IDLE_MS_MIN);
}

/* The same less what the bytes that came make up for: who has most of it leaves first. */
static int64_t behind_ms(const struct peer *peer, int64_t now_ms)
{
    return overdue_ms(peer, now_ms) - (int64_t)(peer->came_bytes / BODY_BYTES_PER_MS);
}

/* Tell one to leave: libmicrohttpd sees the end of its socket and closes it. `slow`: a body that comes fast may go on. */
static bool make_room(struct peers *p, bool slow, int64_t now_ms)
{
    struct peer *chosen = NULL;
    for (unsigned i = 0; i < places(p); i++) {
        struct peer *peer = &p->list[i];
        if (peer->fd < 0 || peer->leaving || peer->stays || overdue_ms(peer, now_ms) < 0)
            continue;
        if (!chosen || behind_ms(peer, now_ms) > behind_ms(chosen, now_ms))
            chosen = peer;
    }
    if (!chosen || (slow && behind_ms(chosen, now_ms) < 0))
        return false;
    chosen->leaving = true;
    (void)shutdown(chosen->fd, SHUT_RDWR); /* it may have ended by itself */
    return true;
}

bool peers_enter(struct peers *p, int64_t now_ms)
{
    lock(p);
    if (p->handed && now_ms - p->handed_ms > HANDED_MS_MAX)
        p->handed = 0;
    unsigned staying = p->handed, leaving = 0;
    for (unsigned i = 0; i < places(p); i++) {
        if (p->list[i].fd >= 0)
            *(p->list[i].leaving ? &leaving : &staying) += 1;
    }
    bool room = staying < p->most || (leaving < PEERS_LEAVING_MAX && make_room(p, false, now_ms));
    if (room) {
        p->handed++;
        p->handed_ms = now_ms;
    }
    unlock(p);
    return room;
}

void peers_press(struct peers *p, int64_t now_ms)
{
    lock(p);
    (void)make_room(p, true, now_ms); /* or everybody has been here for a short time */
    unlock(p);
}

/* Those that were left for it. */
static char *take_names(struct peers *p, int fd)
{
    for (unsigned i = 0; i < places(p); i++) {
        char *names = p->coming[i].names;
        if (names && p->coming[i].fd == fd) {
            p->coming[i].names = NULL;
            return names;
        }
    }
    return NULL;
}

void peers_named(struct peers *p, int fd, char *names)
{
    lock(p);
    free(take_names(p, fd));
    for (unsigned i = 0; names && i < places(p); i++) {
        if (!p->coming[i].names) {
            p->coming[i] = (struct peer_names){fd, names};
            names = NULL;
        }
    }
    unlock(p);
    free(names);
}

void peers_not_taken(struct peers *p)
{
    lock(p);
    if (p->handed)
        p->handed--;
    unlock(p);
}

struct peer *peers_begin(struct peers *p, int fd, int64_t now_ms)
{
    struct peer *peer = NULL;
    lock(p);
    char *names = take_names(p, fd);
    if (p->handed)
        p->handed--;
    for (unsigned i = 0; !peer && i < places(p); i++) {
        if (p->list[i].fd < 0)
            peer = &p->list[i];
    }
    if (peer)
        *peer = (struct peer){.magic = PEER_MAGIC, .fd = fd, .names = names, .since_ms = now_ms};
    unlock(p);
    if (!peer)
        free(names);
    return peer;
}

void peers_end(struct peers *p, struct peer *peer)
{
    if (!peer)
        return;
    lock(p);
    peer->fd = -1;
    free(peer->names);
    peer->names = NULL;
    (void)pthread_cond_signal(&p->answered);
    unlock(p);
}

void peers_begun(struct peers *p, struct peer *peer, int64_t now_ms)
{
    if (!peer)
        return;
    lock(p);
    peer->since_ms = now_ms;
    peer->came_bytes = 0;
    unlock(p);
}

void peers_came(struct peers *p, struct peer *peer, size_t bytes)
{
    if (!peer)
        return;
    lock(p);
    peer->came_bytes += bytes;
    unlock(p);
}

void peers_asking(struct peers *p, struct peer *peer, bool asking, int64_t now_ms)
{
    if (!peer)
        return;
    lock(p);
    peer->asking = asking;
    peer->stays = false;
    peer->since_ms = now_ms;
    peer->came_bytes = 0;
    if (!asking)
        (void)pthread_cond_signal(&p->answered);
    unlock(p);
}

void peers_wait(struct peers *p, int64_t wait_ms)
{
    struct timespec until = clock_until(wait_ms);
    int late = 0;
    lock(p);
    for (unsigned i = 0; i < places(p) && !late;) {
        if (p->list[i].fd < 0 || !p->list[i].asking) {
            i++;
        } else {
            late = pthread_cond_timedwait(&p->answered, &p->lock, &until);
            i = 0;
        }
    }
    unlock(p);
}

void peers_stay(struct peers *p, struct peer *peer)
{
    if (!peer)
        return;
    lock(p);
    peer->stays = true;
    unlock(p);
}
