/* fair: see fair.h. */
#include "broker/core/fair.h"

#include "broker/core/due.h"

/* The groups of a dead-letter queue are not: its letters are references, in the order of their deaths. */
bool group_is_fair(const struct group *g)
{
    return !g->origin && group_setting(g, POLICY_fair) == FAIR_KEY;
}

int fair_first(struct ledger *l, const struct group *g, uint64_t key, uint64_t *ret_seq)
{
    int64_t found = (int64_t)key;
    *ret_seq = 0;
    int err = due_first(l, g, DUE_FAIR, &found, ret_seq);
    if (err || (uint64_t)found != key)
        *ret_seq = 0;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static int is_listed(struct ledger *l, const struct group *g, uint64_t key, bool *ret)
{
    uint64_t seq = 0;
    int err = g->r.fair.listed ? fair_first(l, g, key, &seq) : 0;
    *ret = seq != 0;
    return err;
}

static int stops_waiting(struct group *g, uint64_t key)
{
    g->r.fair.keys--;
    if (!g->r.fair.keys)
        g->r.fair.last = 0; /* is stored as long as something waits */
    return key_table_waits(g->keys, key, false);
}

int fair_listed(struct ledger *l, struct group *g, uint64_t key)
{
    bool known = key == g->r.fair.run || key_table_is_waiting(g->keys, key);
    int err = known ? 0 : is_listed(l, g, key, &known);
    if (err)
        return err;
    ledger_dirty_group(l, g);
    g->r.fair.listed++;
    g->r.fair.keys += !known;
    return known ? 0 : key_table_waits(g->keys, key, true);
}

int fair_unlisted(struct ledger *l, struct group *g, uint64_t key)
{
    bool known = key == g->r.fair.run;
    ledger_dirty_group(l, g);
    g->r.fair.listed--;
    int err = known ? 0 : is_listed(l, g, key, &known);
    if (err || known)
        return err;
    return stops_waiting(g, key);
}

int fair_out(struct ledger *l, struct group *g, uint64_t key)
{
    bool waits = key == g->r.fair.run;
    if (!g->r.fair.keys || key_table_out(g->keys, key) > 1) /* none does, or it was said */
        return 0;
    int err = waits ? 0 : is_listed(l, g, key, &waits);
    return err ? err : key_table_waits(g->keys, key, waits);
}

int fair_run(struct ledger *l, struct group *g, uint64_t key)
{
    uint64_t before = g->r.fair.run;
    bool listed = false;
    int err = 0;
    if (before == key)
        return 0;
    ledger_dirty_group(l, g);
    g->r.fair.run = key;
    g->r.fair.upto = key ? g->r.fair.upto : 0;
    if (before)
        err = is_listed(l, g, before, &listed);
    if (!err && before && !listed)
        err = stops_waiting(g, before);
    if (err || !key)
        return err;
    err = is_listed(l, g, key, &listed);
    if (!err && !listed) {
        g->r.fair.keys++;
        err = key_table_waits(g->keys, key, true);
    }
    return err;
}

/* The first key that waits from `from` on, by hash; 0: there is none. */
static int next_waiting(struct ledger *l, const struct group *g, uint64_t from, uint64_t *ret_key)
{
    int64_t found = (int64_t)from;
    uint64_t seq = 0, run = g->r.fair.run;
    int err = g->r.fair.listed ? due_first(l, g, DUE_FAIR, &found, &seq) : SHUNT_NOT_FOUND;
    *ret_key = err ? 0 : (uint64_t)found;
    if (run >= from && run && (!*ret_key || run < *ret_key))
        *ret_key = run;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* The next one after the last that has nothing out. *ret_key 0: none was found soon enough. */
static int choose_idle(struct ledger *l, struct group *g, uint64_t *ret_key)
{
    uint64_t last = g->r.fair.last, run = g->r.fair.run, key = 0;
    if (!last && run) /* a round begins with what lies in front */
        last = run - 1;
    for (unsigned seeks = 0; seeks < FAIR_SEEK_MAX; seeks++) {
        int err = last < UINT64_MAX ? next_waiting(l, g, last + 1, &key) : 0;
        if (!err && !key) /* round the end */
            err = next_waiting(l, g, 0, &key);
        if (err)
            return err;
        if (!key) /* a run of which nothing is left */
            break;
        if (!key_table_has(g->keys, key)) {
            *ret_key = key;
            return 0;
        }
        last = key;
        key = 0;
    }
    g->r.fair.last = last; /* the next search goes on from there */
    *ret_key = 0;
    return 0;
}

int fair_choose(struct ledger *l, struct group *g, uint64_t *ret_key)
{
    int err = 0;
    *ret_key = 0;
    if (g->r.fair.keys > g->keys->turns.count)
        err = choose_idle(l, g, ret_key);
    if (!err && !*ret_key)
        (void)key_turns_next(&g->keys->turns, g->r.fair.last, ret_key);
    return err;
}
