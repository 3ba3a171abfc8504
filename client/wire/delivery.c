/* delivery: see delivery.h. */
#include "client/wire/delivery.h"

#include "base/check.h"
#include "client/wire/core.h"

static void list_put(struct delivery_list *list, struct shunt_delivery *d)
{
    d->next = NULL;
    d->prev = list->tail;
    if (list->tail != NULL)
        list->tail->next = d;
    else
        list->head = d;
    list->tail = d;
    list->count++;
}

static void list_take(struct delivery_list *list, struct shunt_delivery *d)
{
    if (d->prev != NULL)
        d->prev->next = d->next;
    else
        list->head = d->next;
    if (d->next != NULL)
        d->next->prev = d->prev;
    else
        list->tail = d->prev;
    list->count--;
}

static struct delivery_list *list_of(const struct shunt_delivery *d)
{
    struct shunt_consumer *c = d->consumer;
    return d->place == DELIVERY_HELD ? &c->held : d->place == DELIVERY_QUEUED ? &c->queued : &c->ending;
}

void delivery_put(struct shunt_delivery *d)
{
    list_put(list_of(d), d);
}

void delivery_move(struct shunt_delivery *d, enum delivery_place to)
{
    check(d->magic == DELIVERY_MAGIC);
    list_take(list_of(d), d);
    d->place = to;
    delivery_put(d);
}

void delivery_free(struct shunt_delivery *d)
{
    struct shunt_consumer *c = d->consumer;
    check(d->magic == DELIVERY_MAGIC);
    d->magic = 0;
    list_take(list_of(d), d);
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

void consumer_arrived(struct shunt_consumer *c)
{
    c->arrived = true;
    c->core->arrivals = true;
}
