/* producers: which connection speaks for a producer.
 *
 * A publish that got no answer is sent again on a new connection, and answered there. Its first copy may
 * still be on its way on the connection that was lost; were it stored after the answer to the second, which
 * may have been a refusal, that answer would be untrue. So the connection that was accepted last speaks for
 * the producer, and what any older one brings from then on is not published: neither on one that has said
 * hello before, nor on one whose hello comes late. For the latter a seat is kept for a while after its
 * connection has gone. Connections do not outlive the process, so neither need seats.
 */
#include "broker/engine/producers.h"
#include "base/check.h"
#include "broker/engine/state.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* or it would exit() */
#include <uthash.h>

#ifdef __clang__ /* GCC takes the comments in uthash's hash for the annotation, clang does not */
#pragma clang diagnostic ignored "-Wimplicit-fallthrough"
#endif

struct seat {
    UT_hash_handle hh;
    uint8_t producer[PRODUCER_ID_BYTES];
    uint64_t link_id;        /* of the latest connection that was accepted for it */
    struct session *session; /* NULL: gone */
    struct ring empty;       /* its link in the ring of empty seats */
    int64_t empty_mono_ms;   /* since when */
};

void producers_init(struct producers *p)
{
    *p = (struct producers){0};
    ring_init(&p->empty);
}

static struct seat *find(const struct producers *p, const uint8_t *producer)
{
    struct seat *seat;
    HASH_FIND(hh, p->seats, producer, PRODUCER_ID_BYTES, seat);
    return seat;
}

static void seat_free(struct producers *p, struct seat *seat)
{
    check(!seat->session);
    ring_remove(&seat->empty);
    HASH_DELETE(hh, p->seats, seat);
    free(seat);
}

/* Free the seats that have been empty for long, and further empty ones if there are too many. */
static void clear(struct producers *p, int64_t mono_ms)
{
    while (!ring_empty(&p->empty)) {
        struct seat *oldest = ring_of(p->empty.next, struct seat, empty);
        if (mono_ms - oldest->empty_mono_ms <= EMPTY_SEAT_MS && p->empty_count <= EMPTY_SEATS_MAX)
            return;
        seat_free(p, oldest);
        p->empty_count--;
    }
}

/* A seat that its caller sits on at once; NULL without memory. */
static struct seat *seat_new(struct producers *p, const uint8_t *producer)
{
    struct seat *seat = calloc(1, sizeof *seat);
    if (!seat)
        return NULL;
    memcpy(seat->producer, producer, PRODUCER_ID_BYTES);
    ring_init(&seat->empty);
    HASH_ADD(hh, p->seats, producer, PRODUCER_ID_BYTES, seat);
    if (seat->hh.tbl)
        return seat;
    free(seat);
    return NULL;
}

bool producer_seat(struct session *s)
{
    struct producers *p = &s->engine->producers;
    struct seat *seat = find(p, s->producer);
    if (!seat)
        seat = seat_new(p, s->producer);
    if (!seat)
        return false;
    if (seat->link_id > s->link->id) {
        s->superseded = true;
        return true;
    }
    if (seat->session)
        seat->session->superseded = true;
    if (ring_linked(&seat->empty)) {
        ring_remove(&seat->empty);
        p->empty_count--;
    }
    seat->session = s;
    seat->link_id = s->link->id;
    return true;
}

void producer_leave(struct session *s)
{
    struct producers *p = &s->engine->producers;
    struct seat *seat = s->has_producer ? find(p, s->producer) : NULL;
    if (!seat || seat->session != s)
        return;
    seat->session = NULL;
    seat->empty_mono_ms = s->engine->mono_ms;
    ring_append(&p->empty, &seat->empty);
    p->empty_count++;
    clear(p, s->engine->mono_ms);
}

void producers_free(struct producers *p)
{
    struct seat *seat, *next;
    HASH_ITER(hh, p->seats, seat, next)
    {
        seat->session = NULL;
        seat_free(p, seat);
    }
}
