/* in_flight: how many messages may be in flight in all, and who of those that hold many gets more.
 *
 * Half of all is kept for the connections in equal parts: each may have that whatever the others do. Of the
 * other half one may have as much beyond its part as is still free: one that hoards gets half of it, two get
 * a third each, and so on (the dynamic thresholds of switches with shared buffers, as in flow/account.h).
 * One that has reached that is capped: nothing more is assigned to it until messages have come back, and then not
 * before it can have a batch of them.
 */
#include "base/check.h"
#include "broker/core/dispatcher_state.h"

#define CAPPED_BATCH 64 /* one part in so many of what it holds is the least that ends being capped */

static uint64_t beyond(const struct dispatcher *d, uint64_t own)
{
    return own > d->in_flight_part ? own - d->in_flight_part : 0;
}

void dispatcher_limit(struct dispatcher *d, uint64_t messages, uint64_t connections)
{
    d->in_flight_max = messages;
    d->in_flight_part = connections ? messages / 2 / connections : 0;
    d->in_flight_shared = messages - d->in_flight_part * connections;
    d->in_flight_beyond = 0;
    for (struct ring *r = d->holders.next; r != &d->holders; r = r->next)
        d->in_flight_beyond += beyond(d, ring_of(r, struct holder, link)->in_flight);
    d->room_came = true;
}

bool in_flight_is_full(const struct dispatcher *d)
{
    return d->in_flight_max && d->in_flight >= d->in_flight_max;
}

uint64_t in_flight_room(const struct dispatcher *d, const struct holder *h)
{
    if (!d->in_flight_max)
        return UINT64_MAX;
    if (in_flight_is_full(d))
        return 0;
    uint64_t left = d->in_flight_max - d->in_flight;
    uint64_t of_part = d->in_flight_part - (h->in_flight - beyond(d, h->in_flight));
    uint64_t more = beyond(d, h->in_flight), shared = d->in_flight_shared;
    uint64_t free = shared > d->in_flight_beyond ? shared - d->in_flight_beyond : 0;
    uint64_t room = of_part + (free > more ? (free - more) / 2 : 0);
    room = room || h->in_flight ? room : 1; /* the last one that is free, where there are no parts */
    return room < left ? room : left;
}

void in_flight_add(struct dispatcher *d, struct holder *h, uint32_t messages)
{
    d->in_flight_beyond -= beyond(d, h->in_flight);
    d->in_flight += messages;
    h->in_flight += messages;
    d->in_flight_beyond += beyond(d, h->in_flight);
}

void in_flight_take(struct dispatcher *d, struct holder *h, uint32_t messages)
{
    check(h->in_flight >= messages);
    d->in_flight_beyond -= beyond(d, h->in_flight);
    d->in_flight -= messages;
    h->in_flight -= messages;
    d->in_flight_beyond += beyond(d, h->in_flight);
    d->room_came = true;
}

void in_flight_cap(struct dispatcher *d, struct holder *h)
{
    ring_append(&d->capped, &h->capped);
    holder_refresh(d, h);
}

void in_flight_look(struct dispatcher *d)
{
    if (!d->room_came)
        return;
    d->room_came = false;
    for (struct ring *r = d->capped.next, *next; r != &d->capped; r = next) {
        struct holder *h = ring_of(r, struct holder, capped);
        next = r->next;
        if (in_flight_room(d, h) > h->in_flight / CAPPED_BATCH) {
            ring_remove(&h->capped);
            holder_refresh(d, h);
        }
    }
}
