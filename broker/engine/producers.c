/* producers: which connection speaks for a producer.
 *
 * A publish that got no answer is sent again on a new connection, and answered there. Its first copy may
 * still be on its way on the connection that was lost; were it stored after the answer to the second, which
 * may have been a refusal, that answer would be untrue. So the connection that was accepted last speaks for
 * the producer, and what any older one brings from then on is not published: neither on one that has said
 * hello before, nor on one whose hello comes late. For the latter a seat is kept for a while after its
 * connection has gone. Connections do not outlive the process, so neither need seats.
 */
#include "broker/engine/engine_private.h"

#include "base/check.h"

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
    struct ring
        empty; /* its link in the engine's ring of empty seats, the one that is so for longest first */
    int64_t empty_mono_ms; /* since when */
};

static struct seat *find(const struct engine *e, const uint8_t *producer)
{
    struct seat *seat;
    HASH_FIND(hh, e->seats, producer, PRODUCER_ID_BYTES, seat);
    return seat;
}

static void seat_free(struct engine *e, struct seat *seat)
{
    check(!seat->session);
    ring_remove(&seat->empty);
    HASH_DELETE(hh, e->seats, seat);
    free(seat);
}

/* Free the seats that have been empty for long, and further empty ones if there are too many. */
static void clear(struct engine *e)
{
    while (!ring_empty(&e->empty_seats)) {
        struct seat *oldest = ring_of(e->empty_seats.next, struct seat, empty);
        if (e->mono_ms - oldest->empty_mono_ms <= EMPTY_SEAT_MS && e->empty_seats_count <= EMPTY_SEATS_MAX)
            return;
        seat_free(e, oldest);
        e->empty_seats_count--;
    }
}

/* A seat that its caller sits on at once; NULL without memory. */
static struct seat *seat_new(struct engine *e, const uint8_t *producer)
{
    struct seat *seat = calloc(1, sizeof *seat);
    if (!seat)
        return NULL;
    memcpy(seat->producer, producer, PRODUCER_ID_BYTES);
    ring_init(&seat->empty);
    HASH_ADD(hh, e->seats, producer, PRODUCER_ID_BYTES, seat);
    if (seat->hh.tbl)
        return seat;
    free(seat);
    return NULL;
}

bool producer_seat(struct session *s)
{
    struct engine *e = s->engine;
    struct seat *seat = find(e, s->producer);
    if (!seat)
        seat = seat_new(e, s->producer);
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
        e->empty_seats_count--;
    }
    seat->session = s;
    seat->link_id = s->link->id;
    return true;
}

void producer_leave(struct session *s)
{
    struct engine *e = s->engine;
    struct seat *seat = s->has_producer ? find(e, s->producer) : NULL;
    if (!seat || seat->session != s)
        return;
    seat->session = NULL;
    seat->empty_mono_ms = e->mono_ms;
    ring_append(&e->empty_seats, &seat->empty);
    e->empty_seats_count++;
    clear(e);
}

void producers_free(struct engine *e)
{
    struct seat *seat, *next;
    HASH_ITER(hh, e->seats, seat, next)
    {
        seat->session = NULL;
        seat_free(e, seat);
    }
}
