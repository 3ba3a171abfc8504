/* dispatcher: where it begins and ends. */
#include "broker/core/dispatcher.h"

#include "base/check.h"
#include "broker/core/dispatcher_state.h"

#include <stdlib.h>

struct dispatcher *dispatcher_new(dispatcher_ready_fn *ready, void *context)
{
    struct dispatcher *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->ready = ready;
    d->context = context;
    lease_table_init(&d->leases);
    ring_init(&d->holders);
    ring_init(&d->runnable);
    ring_init(&d->silent);
    ring_init(&d->capped);
    ring_init(&d->departed);
    ring_init(&d->to_ask);
    ring_init(&d->asked);
    ring_init(&d->to_end);
    return d;
}

static void forget(void *context, const struct lease_end *end)
{
    (void)context;
    (void)end;
}

void dispatcher_free(struct dispatcher *d)
{
    if (!d)
        return;
    while (!ring_empty(&d->holders))
        dispatcher_disconnect(d, ring_of(d->holders.next, struct holder, link), HOLDER_GOODBYE, forget, NULL);
    while (!ring_empty(&d->departed)) {
        struct member *m = ring_of(d->departed.next, struct member, in_holder);
        ring_remove(&m->in_holder);
        free(m);
    }
    check(d->pool_count == 0);
    lease_table_done(&d->leases);
    free(d->buckets);
    free(d);
}
