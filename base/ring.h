/* ring: a circular list whose links lie inside its elements, so that joining and leaving cost nothing and
 * never fail. The order is the order of joining; nothing is ordered by address.
 */
#ifndef SHUNT_BASE_RING_H
#define SHUNT_BASE_RING_H

#include "base/container.h"

#include <stdbool.h>

/* A list's head, or an element's link. An element that is in no list points at itself. */
struct ring {
    struct ring *next, *prev;
};

/* The element that `link` lies in. */
#define ring_of(link, type, field) container_of(link, type, field)

static inline void ring_init(struct ring *r)
{
    r->next = r->prev = r;
}

static inline bool ring_empty(const struct ring *r)
{
    return r->next == r;
}

/* True while the element is in a list. */
static inline bool ring_linked(const struct ring *link)
{
    return link->next != link;
}

static inline void ring_append(struct ring *head, struct ring *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/* Harmless if it is in no list. */
static inline void ring_remove(struct ring *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    ring_init(link);
}

#endif
