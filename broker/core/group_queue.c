/* group_queue: which groups have something to do, and when: delays that end, retentions that run out. A tick
 * costs by those, however many groups there are.
 *
 * A time in a queue may be too early, never too late: after a restart it is `at once` where it is not known.
 * A group that is taken too early has nothing to do and changes nothing, and those taken come in order of
 * their ids; so two ledgers that apply the same batches do the same, wherever one of them was loaded anew.
 */
#include "broker/core/group_queue.h"
#include "base/array.h"
#include "base/check.h"

#include <stdlib.h>

int group_queue_join(struct ledger *l, struct group *g)
{
    size_t count = l->slots_count + 1;
    if (!array_room(&l->slots, &l->slots_capacity, count) ||
        !array_room(&l->taken, &l->taken_capacity, count))
        return SHUNT_NO_MEMORY;
    for (enum group_queue q = 0; q < GROUP_QUEUES; q++) {
        int err = deadline_heap_reserve(&l->queues[q], (uint32_t)count);
        if (err)
            return err;
    }
    g->slot = (uint32_t)l->slots_count;
    g->queued = true;
    l->slots[l->slots_count++] = g;
    return 0;
}

const char *catalog_full(const struct ledger *l, uint64_t more)
{
    if (l->groups_count + more <= 2 * (GROUPS_EACH * l->meta.topics_max + l->meta.groups_max))
        return NULL;
    return "as many groups as all topics may have together are there (2 times max-topics, and max-groups); "
           "delete "
           "some, or raise max-topics";
}

static void move(struct deadline_heap *when, uint32_t from, uint32_t to)
{
    if (deadline_heap_has(when, to))
        deadline_heap_remove(when, to);
    if (from == to || !deadline_heap_has(when, from))
        return;
    int64_t at_ms = deadline_heap_of(when, from);
    deadline_heap_remove(when, from);
    deadline_heap_set(when, to, at_ms);
}

/* The last one takes its slot. */
void group_queue_leave(struct ledger *l, struct group *g)
{
    if (!g->queued)
        return;
    struct group *last = l->slots[--l->slots_count];
    for (enum group_queue q = 0; q < GROUP_QUEUES; q++)
        move(&l->queues[q], last->slot, g->slot);
    last->slot = g->slot;
    l->slots[last->slot] = last;
    g->queued = false;
}

void group_queues_free(struct ledger *l)
{
    free(l->slots);
    free(l->taken);
    for (enum group_queue q = 0; q < GROUP_QUEUES; q++)
        deadline_heap_done(&l->queues[q]);
}

void group_queue_at(struct ledger *l, enum group_queue queue, const struct group *g, int64_t at_ms)
{
    struct deadline_heap *when = &l->queues[queue];
    if (at_ms != NEVER && (!deadline_heap_has(when, g->slot) || at_ms < deadline_heap_of(when, g->slot)))
        deadline_heap_set(when, g->slot, at_ms);
}

void group_settings_changed(struct ledger *l, const struct group *g)
{
    group_queue_at(l, QUEUE_RETENTION, g, l->now_ms);
    group_queue_at(l, QUEUE_TRIAGE, g, l->now_ms);
    group_queue_at(l, QUEUE_PAST, g, g->r.past ? l->now_ms : NEVER);
}

static int by_id(const void *a, const void *b)
{
    const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
    return (x->r.id > y->r.id) - (x->r.id < y->r.id);
}

size_t group_queue_take(struct ledger *l, enum group_queue queue, int64_t upto_ms)
{
    struct deadline_heap *when = &l->queues[queue];
    size_t count = 0;
    uint32_t slot;
    int64_t at_ms;
    while (deadline_heap_first(when, &slot, &at_ms) && at_ms <= upto_ms) {
        deadline_heap_remove(when, slot);
        if (!l->slots[slot]->r.dropped)
            l->taken[count++] = l->slots[slot];
    }
    if (count)
        qsort(l->taken, count, sizeof(struct group *), by_id);
    return count;
}
