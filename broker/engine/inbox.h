/* inbox: what other threads have posted. */
#ifndef SHUNT_ENGINE_INBOX_H
#define SHUNT_ENGINE_INBOX_H

#include "broker/engine/port.h"

struct engine;

/* Items in the order in which they came. */
struct inbox_list {
    struct inbox_item *first, **end; /* where the next one is hung up */
};

static inline void inbox_list_init(struct inbox_list *l)
{
    l->first = NULL;
    l->end = &l->first;
}

static inline void inbox_list_add(struct inbox_list *l, struct inbox_item *item)
{
    item->next = NULL;
    *l->end = item;
    l->end = &item->next;
}

/* The first, which leaves; NULL: there is none. */
static inline struct inbox_item *inbox_list_take(struct inbox_list *l)
{
    struct inbox_item *item = l->first;
    if (item)
        l->first = item->next;
    if (!l->first)
        l->end = &l->first;
    return item;
}

/* Put all of `from` behind what is in `to`. */
static inline void inbox_list_move(struct inbox_list *from, struct inbox_list *to)
{
    if (!from->first)
        return;
    *to->end = from->first;
    to->end = from->end;
    inbox_list_init(from);
}

/* Whether engine_serve() would run a turn, but for there being nothing to do; under `mutex`. */
bool inbox_may_serve(const struct engine *e);
/* Move all that was posted behind the backlog; under `mutex`. */
void inbox_take(struct engine *e);
void inbox_free(struct inbox_item *item); /* and those behind it; takes NULL */

#endif
