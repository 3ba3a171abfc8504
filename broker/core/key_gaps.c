/* key_gaps: see key_gaps.h. */
#include "broker/core/key_gaps.h"

bool key_gaps_has(const struct key_gaps *g, uint64_t key)
{
    for (unsigned i = 0; i < g->count; i++) {
        if (key >= g->items[i].from && key <= g->items[i].last)
            return true;
    }
    return false;
}

static void drop(struct key_gaps *g, unsigned at)
{
    g->items[at] = g->items[--g->count];
}

/* With one number between them they are not one: that number may have a row. */
static bool touch(const struct key_gap *a, const struct key_gap *b)
{
    return (a->last == UINT64_MAX || b->from <= a->last + 1) &&
           (b->last == UINT64_MAX || a->from <= b->last + 1);
}

void key_gaps_learn(struct key_gaps *g, uint64_t from, uint64_t last)
{
    struct key_gap more = {from, last};
    for (unsigned i = 0; i < g->count;) {
        const struct key_gap *have = &g->items[i];
        if (!touch(have, &more)) {
            i++;
            continue;
        }
        more.from = have->from < more.from ? have->from : more.from;
        more.last = have->last > more.last ? have->last : more.last;
        drop(g, i);
    }
    if (g->count < KEY_GAPS_MAX) {
        g->items[g->count++] = more;
        return;
    }
    g->items[g->next] = more;
    g->next = (g->next + 1) % KEY_GAPS_MAX;
}

void key_gaps_forget(struct key_gaps *g, uint64_t key)
{
    for (unsigned i = 0; i < g->count; i++) {
        struct key_gap *have = &g->items[i];
        if (key < have->from || key > have->last)
            continue;
        uint64_t below = key - have->from, above = have->last - key;
        if (!below && !above)
            drop(g, i);
        else if (below > above) /* the larger part stays */
            have->last = key - 1;
        else
            have->from = key + 1;
        return;
    }
}
