/* throttle: the tables, and the waits that follow from them. */
#include "broker/login/throttle.h"

#include <stdlib.h>

#define WAYS 4 /* places where an entry may lie */

struct entry {
    uint64_t hash; /* 0: none */
    uint32_t failures;
    int64_t failed_ms;    /* the last of them */
    int64_t succeeded_ms; /* of a pair; 0: never */
    int64_t next_ms;      /* of an address: its line ends here */
    int64_t used_ms;
};

struct table {
    struct entry entries[THROTTLE_ENTRIES];
};

struct throttle {
    uint64_t random;
    struct table addresses, names, pairs;
};

struct throttle *throttle_new(uint64_t seed)
{
    struct throttle *t = calloc(1, sizeof *t);
    if (t)
        t->random = seed;
    return t;
}

void throttle_free(struct throttle *t)
{
    free(t);
}

/* splitmix64: these times need not be unforeseeable for somebody who knows the seed. */
static uint64_t random_below(struct throttle *t, uint64_t below)
{
    uint64_t z = t->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

/* The entry of `hash`; a new one takes the place of the one that was used least lately. */
static struct entry *find(struct table *table, uint64_t hash, int64_t now_ms)
{
    struct entry *set = &table->entries[hash % (THROTTLE_ENTRIES / WAYS) * WAYS], *oldest = set;
    hash += !hash;
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].hash == hash) {
            oldest = &set[i];
            break;
        }
        if (set[i].hash == 0 || (oldest->hash != 0 && set[i].used_ms < oldest->used_ms))
            oldest = &set[i];
    }
    if (oldest->hash != hash)
        *oldest = (struct entry){.hash = hash};
    if (now_ms - oldest->failed_ms >= THROTTLE_FORGET_MS)
        oldest->failures = 0;
    oldest->used_ms = now_ms;
    return oldest;
}

static struct entry *find_pair(struct throttle *t, const struct throttle_who *who, int64_t now_ms)
{
    return find(&t->pairs, (who->address ^ who->name << 1 ^ who->name >> 63) * 0x9e3779b97f4a7c15u, now_ms);
}

/* `first` after the first failure that counts, then twice as long with each, up to `most`. */
static int64_t grown(uint32_t failures, int64_t first, int64_t most)
{
    if (failures <= THROTTLE_FREE_FAILURES)
        return 0;
    uint32_t doublings = failures - THROTTLE_FREE_FAILURES - 1;
    return doublings >= 30 || first << doublings > most ? most : first << doublings;
}

static bool is_trusted(const struct entry *pair, int64_t now_ms)
{
    return pair->succeeded_ms && now_ms - pair->succeeded_ms < THROTTLE_TRUST_MS;
}

bool throttle_trusts(struct throttle *t, const struct throttle_who *who, int64_t now_ms)
{
    return is_trusted(find_pair(t, who, now_ms), now_ms);
}

int64_t throttle_wait_ms(struct throttle *t, const struct throttle_who *who, int64_t now_ms)
{
    struct entry *address = find(&t->addresses, who->address, now_ms);
    const struct entry *pair = find_pair(t, who, now_ms);
    bool trusted = is_trusted(pair, now_ms);
    const struct entry *judged = trusted ? pair : address;
    int64_t pace_ms = grown(judged->failures, THROTTLE_ADDRESS_MS, THROTTLE_ADDRESS_MS_MAX);
    int64_t wait_ms = 0;
    if (pace_ms) {
        wait_ms = address->next_ms > now_ms ? address->next_ms - now_ms : 0;
        if (wait_ms > THROTTLE_LINE_MS_MAX)
            return -wait_ms;
        address->next_ms = now_ms + wait_ms + pace_ms / 2 + (int64_t)random_below(t, (uint64_t)pace_ms + 1);
    }
    if (trusted)
        return wait_ms;
    int64_t name_ms =
        grown(find(&t->names, who->name, now_ms)->failures, THROTTLE_NAME_MS_MAX / 8, THROTTLE_NAME_MS_MAX);
    return wait_ms + (name_ms ? (int64_t)random_below(t, (uint64_t)name_ms + 1) : 0);
}

static void count_failure(struct entry *e, int64_t now_ms)
{
    e->failures += e->failures < UINT32_MAX;
    e->failed_ms = now_ms;
}

void throttle_failed(struct throttle *t, const struct throttle_who *who, int64_t now_ms)
{
    count_failure(find(&t->addresses, who->address, now_ms), now_ms);
    count_failure(find(&t->names, who->name, now_ms), now_ms);
    count_failure(find_pair(t, who, now_ms), now_ms);
}

void throttle_succeeded(struct throttle *t, const struct throttle_who *who, int64_t now_ms)
{
    struct entry *pair = find_pair(t, who, now_ms);
    pair->failures = 0;
    pair->succeeded_ms = now_ms ? now_ms : 1;
}
