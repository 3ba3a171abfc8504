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

#include <stdlib.h>
#include <string.h>

#define EMPTY_SEATS_MAX 16384            /* kept at most, or what a flood of ids costs */
#define EMPTY_SEAT_MS   (20 * 60 * 1000) /* longer than hello-timeout may be */

struct seat {
    struct seat *next;
    uint8_t producer[PRODUCER_ID_BYTES];
    uint64_t link_id;        /* of the latest connection that was accepted for it */
    struct session *session; /* NULL: gone */
    int64_t empty_mono_ms;   /* since when */
};

static struct seat **bucket_of(struct engine *e, const uint8_t *producer)
{
    return &e->producers[(producer[0] | producer[1] << 8) % PRODUCER_BUCKETS];
}

static struct seat *find(struct engine *e, const uint8_t *producer)
{
    struct seat *seat = *bucket_of(e, producer);
    while (seat && memcmp(seat->producer, producer, PRODUCER_ID_BYTES) != 0)
        seat = seat->next;
    return seat;
}

/* Seats of the bucket that have been empty for long; any empty ones if there are too many. */
static void clear_bucket(struct engine *e, struct seat **link)
{
    while (*link) {
        struct seat *seat = *link;
        bool old = e->mono_ms - seat->empty_mono_ms > EMPTY_SEAT_MS || e->empty_seats > EMPTY_SEATS_MAX;
        if (seat->session || !old) {
            link = &seat->next;
            continue;
        }
        *link = seat->next;
        e->empty_seats--;
        free(seat);
    }
}

static struct seat *seat_new(struct engine *e, const uint8_t *producer)
{
    struct seat **bucket = bucket_of(e, producer);
    clear_bucket(e, bucket);
    struct seat *seat = calloc(1, sizeof *seat);
    if (!seat)
        return NULL;
    memcpy(seat->producer, producer, PRODUCER_ID_BYTES);
    seat->empty_mono_ms = e->mono_ms;
    seat->next = *bucket;
    *bucket = seat;
    e->empty_seats++;
    return seat;
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
    else
        e->empty_seats--;
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
    e->empty_seats++;
}

void producers_free(struct engine *e)
{
    for (size_t i = 0; i < PRODUCER_BUCKETS; i++) {
        while (e->producers[i]) {
            struct seat *seat = e->producers[i];
            e->producers[i] = seat->next;
            free(seat);
        }
    }
}
