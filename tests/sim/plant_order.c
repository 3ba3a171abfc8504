/* plant_order: bugs of groups that are ordered by key or whose keys take turns, between the core's files (the linker's --wrap). */
#include "broker/core/fair.h"
#include "broker/core/history.h"
#include "broker/core/order.h"
#include "tests/sim/plant.h"

bool __real_key_table_has(const struct key_table *t, uint64_t key);
bool __wrap_key_table_has(const struct key_table *t, uint64_t key);
int __real_order_join(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row);
int __wrap_order_join(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row);
uint64_t __real_order_left(struct group *g, uint64_t seq, uint64_t key);
uint64_t __wrap_order_left(struct group *g, uint64_t seq, uint64_t key);
int __real_apply_recover(struct ledger *l, const struct recover_command *c);
int __wrap_apply_recover(struct ledger *l, const struct recover_command *c);
int __real_history_add(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                       const struct history_record *h);
int __wrap_history_add(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                       const struct history_record *h);

int __real_order_dead_joins(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row);
int __wrap_order_dead_joins(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row);
int __real_place_out_of_order(struct ledger *l, struct group *g, uint64_t seq,
                              const struct attempt_record *row);
int __wrap_place_out_of_order(struct ledger *l, struct group *g, uint64_t seq,
                              const struct attempt_record *row);

int __real_fair_choose(struct ledger *l, struct group *g, uint64_t *ret_key);
int __wrap_fair_choose(struct ledger *l, struct group *g, uint64_t *ret_key);
int __real_fair_listed(struct ledger *l, struct group *g, uint64_t key);
int __wrap_fair_listed(struct ledger *l, struct group *g, uint64_t key);

int __real_order_recall(struct ledger *l, struct group *g, uint64_t key, uint64_t seq);
int __wrap_order_recall(struct ledger *l, struct group *g, uint64_t key, uint64_t seq);

static bool recovering, restarted;
static uint64_t lost; /* the message whose lease ran out last */

bool __wrap_key_table_has(const struct key_table *t, uint64_t key)
{
    return !plant_is(PLANT_ORDER_TWO) && __real_key_table_has(t, key);
}

int __wrap_order_join(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row)
{
    if ((plant_is(PLANT_ORDER_RESTART) && recovering) || (plant_is(PLANT_ORDER_REDRIVE) && row->generation) ||
        (plant_is(PLANT_ORDER_LEASE) && seq == lost))
        return 0;
    return __real_order_join(l, g, seq, row);
}

uint64_t __wrap_order_left(struct group *g, uint64_t seq, uint64_t key)
{
    key = __real_order_left(g, seq, key);
    return plant_is(PLANT_ORDER_STUCK) ? 0 : key;
}

int __wrap_apply_recover(struct ledger *l, const struct recover_command *c)
{
    recovering = true;
    restarted |= ledger_in_flight(l) > 0;
    int err = __real_apply_recover(l, c);
    recovering = false;
    return err;
}

int __wrap_history_add(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                       const struct history_record *h)
{
    lost = h->outcome == ATTEMPT_LEASE_EXPIRED || h->outcome == ATTEMPT_UNSTARTED ? seq : 0;
    return __real_history_add(l, g, seq, row, h);
}

int __wrap_order_dead_joins(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row)
{
    if (!plant_is(PLANT_DEAD_FORGOTTEN))
        return __real_order_dead_joins(l, g, seq, row);
    int err = row->key ? order_index_delete(l, g, seq, row->key) : 0;
    row->key = 0;
    return err;
}

int __wrap_place_out_of_order(struct ledger *l, struct group *g, uint64_t seq,
                              const struct attempt_record *row)
{
    if (plant_is(PLANT_DEAD_STUCK) && row && row->state == ATTEMPT_DEAD)
        return 0;
    return __real_place_out_of_order(l, g, seq, row);
}

int __wrap_fair_choose(struct ledger *l, struct group *g, uint64_t *ret_key)
{
    if (!plant_is(PLANT_FAIR_STARVE) || !g->r.fair.run)
        return __real_fair_choose(l, g, ret_key);
    *ret_key = g->r.fair.run;
    return 0;
}

/* What is in flight at a restart comes back and waits: that is when a group has something in its lane. */
int __wrap_fair_listed(struct ledger *l, struct group *g, uint64_t key)
{
    uint64_t keys = g->r.fair.keys;
    int err = __real_fair_listed(l, g, key);
    if (plant_is(PLANT_FAIR_FORGET) && restarted)
        g->r.fair.keys = keys;
    return err;
}

int __wrap_order_recall(struct ledger *l, struct group *g, uint64_t key, uint64_t seq)
{
    return plant_is(PLANT_RUN_KEPT) ? 0 : __real_order_recall(l, g, key, seq);
}
