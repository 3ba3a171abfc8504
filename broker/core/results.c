/* results: the list of what a batch came to. */
#include "base/array.h"
#include "broker/core/state.h"

#include <stdlib.h>
#include <string.h>

void results_begin(struct ledger *l)
{
    struct results *r = &l->results;
    r->count = r->kept = r->handed_out = 0;
    r->no_memory = false;
    r->round++;
    if (r->arena.bytes)
        arena_reset(&r->arena);
}

void results_free(struct results *r)
{
    free(r->items);
    arena_done(&r->arena);
    *r = (struct results){0};
}

struct result *result_add(struct ledger *l, enum result_kind kind)
{
    struct results *r = &l->results;
    if (!array_room(&r->items, &r->capacity, r->count + 1)) {
        r->no_memory = true;
        return &r->lost;
    }
    struct result *result = &r->items[r->count++];
    result->kind = kind;
    result->command = (uint32_t)l->command;
    return result;
}

void *result_copy(struct ledger *l, const void *what, size_t size)
{
    void *copy = arena_take(&l->results.arena, size ? size : 1);
    if (copy)
        memcpy(copy, what, size);
    else
        l->results.no_memory = true;
    return copy;
}

/* A write to the table moves rows that were written in the same transaction, so their bytes are copied first.
 * That is rare: what hands out writes to other tables. */
void results_keep(struct ledger *l)
{
    struct results *r = &l->results;
    for (; r->handed_out && r->kept < r->count; r->kept++) {
        struct result *result = &r->items[r->kept];
        struct slice *m = &result->handed_out.message;
        if (result->kind == RESULT_HANDED_OUT)
            *m = (struct slice){result_copy(l, m->data, m->size), m->size};
    }
    r->kept = r->count;
    r->handed_out = 0;
}

const struct result *ledger_results(const struct ledger *l, size_t *ret_count)
{
    *ret_count = l->results.count;
    return l->results.items;
}

/* ---- what is told at more than one place ---- */

/* The dispatcher looks at a group that something became ready in. Once is enough until messages of it are
 * handed out, or the batch ends: a publish to thousands of groups would otherwise leave as many results. */
void ledger_tell_ready(struct ledger *l, struct group *g)
{
    if (g->told_ready == l->results.round)
        return;
    g->told_ready = l->results.round;
    result_add(l, RESULT_READY)->ready = g->r.id;
}

void ledger_tell_done(struct ledger *l, int err, const char *why, uint64_t job, uint64_t count)
{
    result_add(l, RESULT_DONE)->done =
        (struct done_result){.err = err, .why = why, .job = job, .count = count, .rows = l->rows};
}
