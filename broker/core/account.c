/* account: small services for all that applies commands: what has changed, what is to be told, chance. */
#include "base/check.h"
#include "broker/core/group_queue.h"
#include "broker/core/state.h"

#include <string.h>

void ledger_say(char *to, size_t room, const char *text)
{
    if (room) {
        size_t size = strlen(text);
        size = size < room ? size : room - 1;
        memcpy(to, text, size);
        to[size] = 0;
    }
}

/* splitmix64 (Steele, Lea, Flood 2014): small, and its whole state fits the meta record. */
static uint64_t random_next(struct ledger *l)
{
    uint64_t z = l->meta.random += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

__extension__ typedef unsigned __int128 wide;

uint64_t ledger_random(struct ledger *l, uint64_t bound)
{
    check(bound > 0);
    return (uint64_t)((wide)random_next(l) * bound >> 64);
}

/* Exponential with full jitter. (Source of the method: M. Brooker, "Exponential backoff and jitter", 2015.) */
int64_t ledger_back_off_ms(struct ledger *l, int64_t floor_ms, int64_t least_ms, int64_t most_ms,
                           uint32_t tries)
{
    int64_t bound = least_ms;
    for (uint32_t i = 0; i < tries && bound < most_ms; i++)
        bound *= 2;
    bound = bound < most_ms ? bound : most_ms;
    int64_t floor = floor_ms < 1 ? 1 : floor_ms < bound ? floor_ms : bound;
    return floor + (int64_t)ledger_random(l, (uint64_t)(bound - floor + 1));
}

void ledger_charge_topic(struct ledger *l, struct topic *t)
{
    l->changed = true;
    t->charged = l->batch;
    t->charged_seq = UINT64_MAX / 2;
    l->meter.bytes += COST_TOPIC_BYTES;
    if (t->dirty)
        return;
    t->dirty = true;
    t->dirty_next = l->dirty_topics;
    l->dirty_topics = t;
}

void ledger_charge_group(struct ledger *l, struct group *g)
{
    l->changed = true;
    if (!g->stale)
        sums_stale(l, g);
    g->charged = l->batch;
    g->charged_chunk = UINT64_MAX;
    l->meter.bytes += COST_GROUP_BYTES;
    if (g->dirty)
        return;
    g->dirty = true;
    g->dirty_next = l->dirty_groups;
    l->dirty_groups = g;
}

void ledger_due_at(struct ledger *l, struct group *g, int64_t due_ms)
{
    group_queue_at(l, QUEUE_DUE, g, due_ms);
}
