/* delivery: see delivery.h. */
#include "client/wire/delivery.h"

#include "base/check.h"
#include "base/list.h"
#include "client/wire/core.h"

static struct delivery_list *list_of(const struct shunt_delivery *d)
{
    struct shunt_consumer *c = d->consumer;
    return d->place == DELIVERY_HELD ? &c->held : d->place == DELIVERY_QUEUED ? &c->queued : &c->ending;
}

void delivery_put(struct shunt_delivery *d)
{
    struct delivery_list *list = list_of(d);
    list_append(list, d);
}

void delivery_move(struct shunt_delivery *d, enum delivery_place to)
{
    check(d->magic == DELIVERY_MAGIC);
    struct delivery_list *list = list_of(d);
    list_remove(list, d);
    d->place = to;
    delivery_put(d);
}

void delivery_free(struct shunt_delivery *d)
{
    struct shunt_consumer *c = d->consumer;
    check(d->magic == DELIVERY_MAGIC);
    d->magic = 0;
    struct delivery_list *list = list_of(d);
    list_remove(list, d);
    shunt_value_free(d->dead_value);
    d->dead_value = NULL;
    block_drop(d->block);
    d->next = c->spare;
    c->spare = d;
}

bool delivery_stale(const struct shunt_delivery *d)
{
    return d->stale || d->consumer->state == CONSUMER_ENDED;
}

bool delivery_away(const struct shunt_delivery *d)
{
    return !delivery_stale(d) && (d->epoch != d->consumer->epoch || d->consumer->state != CONSUMER_ACTIVE);
}

bool delivery_may_last(const struct shunt_delivery *d)
{
    return d->marked_at != 0 || !d->consumer->core->settings->marks;
}

void consumer_arrived(struct shunt_consumer *c)
{
    c->arrived = true;
    c->core->arrivals = true;
}
