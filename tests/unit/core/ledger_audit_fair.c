/* ledger_audit_fair: the turns of keys, against the rows and messages that they are of. */
#include "broker/core/due.h"
#include "broker/core/fair.h"
#include "broker/core/order.h"
#include "tests/unit/core/ledger_audit.h"

#include <criterion/criterion.h>

/* Each key in the turn index; how many there are, without the run's. */
static uint64_t listed_keys(struct audit *a, const struct group *g)
{
    uint64_t keys = 0, seq = 0;
    for (int64_t key = 0; !due_first(a->l, g, DUE_FAIR, &key, &seq); seq = UINT64_MAX) {
        if ((uint64_t)key != g->r.fair.run)
            keys++;
        if (group_is_fair(g) && key_table_has(g->keys, (uint64_t)key))
            cr_assert(key_table_is_waiting(g->keys, (uint64_t)key), "its turn never comes");
    }
    return keys;
}

static void audit_run(struct audit *a, const struct group *g)
{
    struct loaded_message m;
    uint64_t seq = g->r.next;
    cr_assert_leq(g->r.fair.upto, g->topic->r.head);
    for (; (seq = bitmap_next_clear(&g->bits, seq)) < g->r.fair.upto; seq++) {
        cr_assert_eq(message_load(a->l, g->topic, seq, true, &m), 0);
        cr_assert(m.corrupt || fair_key(order_key(m.message)) == g->r.fair.run, "another key is in the run");
    }
    if (key_table_has(g->keys, g->r.fair.run))
        cr_assert(key_table_is_waiting(g->keys, g->r.fair.run));
}

void audit_turns(struct audit *a, const struct group *g)
{
    const struct fair_record *f = &g->r.fair;
    cr_assert(!f->listed || g->keys);
    cr_assert(f->keys || !(f->last || f->run || f->listed), "what is not stored");
    cr_assert_eq(f->run != 0, f->upto != 0);
    a->l->txn = a->t;
    if (f->run)
        audit_run(a, g);
    cr_assert_eq(f->keys, listed_keys(a, g) + (f->run != 0));
    a->l->txn = NULL;
    for (uint32_t i = 0; g->keys && i < g->keys->keys_count; i++) {
        const struct key_out *k = &g->keys->keys[i];
        int64_t key = (int64_t)k->key;
        uint64_t seq = 0;
        a->l->txn = a->t;
        bool waits =
            k->key == f->run || (!due_first(a->l, g, DUE_FAIR, &key, &seq) && (uint64_t)key == k->key);
        a->l->txn = NULL;
        cr_assert_eq(k->waits, waits, "the table is wrong about what waits of a key");
    }
}
