/* ledger_audit_order: the index by key and the table of what is out, against the rows. */
#include "broker/core/due.h"
#include "broker/core/fair.h"
#include "broker/core/order.h"
#include "tests/unit/core/ledger_audit.h"

#include <criterion/criterion.h>
#include <string.h>

uint64_t audit_key(struct audit *a, const struct group *g, uint64_t seq, const struct attempt_record *row)
{
    struct store_cursor *c;
    struct slice key, value;
    struct key own = key_due(g->r.id, DUE_KEYED, (int64_t)row->key, seq),
               first = key_due(g->r.id, DUE_KEYED, (int64_t)row->key, 0);
    if (!row->key)
        return 0;
    cr_assert(audit_there(a, TABLE_DUE, own), "not in the index by key");
    if (!row->parked)
        return 1;
    if (attempt_is_ahead(row)) {
        cr_assert_geq(seq, g->r.next, "the cursor has passed it");
        return 1;
    }
    cr_assert(g->keys);
    cr_assert_eq(store_cursor_open(a->t, TABLE_DUE, &c), 0);
    cr_assert_eq(store_cursor_seek(c, key_slice(&first), &key, &value), 0);
    a->l->txn = a->t;
    enum order_turn turn;
    cr_assert_eq(order_behind_dead(a->l, g, row->key, seq, &turn), 0);
    a->l->txn = NULL;
    bool waits = turn == TURN_WAITS || g->r.followed || !order_dead_undone(g);
    cr_assert(memcmp(key.data, own.bytes, own.size) != 0 || key_table_has(g->keys, row->key) || waits,
              "nothing lets go of %llu", (unsigned long long)seq);
    store_cursor_close(c);
    return 0;
}

uint64_t audit_blocking(struct audit *a, const struct group *g, uint64_t seq,
                        const struct attempt_record *row)
{
    if (!row->key)
        return 0;
    cr_assert(audit_there(a, TABLE_DUE, key_due(g->r.id, DUE_BLOCKED, (int64_t)row->key, seq)));
    cr_assert(audit_there(a, TABLE_DUE, key_due(g->r.id, DUE_BLOCKED_SINCE, row->due_ms, seq)));
    return 2;
}

void audit_blocked(struct audit *a, const struct group *g)
{
    uint64_t keys = 0, letters = 0, count = 0;
    a->l->txn = a->t;
    for (int64_t key = 0; !due_first(a->l, g, DUE_BLOCKED_KEYS, &key, &count); count++) {
        keys++;
        letters += count;
    }
    a->l->txn = NULL;
    cr_assert(keys == g->r.blocked && letters == g->r.blocking, "%llu keys are held, by %llu letters",
              (unsigned long long)keys, (unsigned long long)letters);
}

uint64_t audit_out(struct audit *a, const struct group *g, uint64_t seq)
{
    struct loaded_message m;
    uint64_t key = 0, known = 0;
    if (!g->keys)
        return 0;
    a->l->txn = a->t;
    cr_assert_eq(message_load(a->l, g->topic, seq, true, &m), 0);
    key = order_key(m.message);
    a->l->txn = NULL;
    if (g->keys->no_key)
        key = fair_key(key);
    cr_assert_eq(key_table_find(g->keys, seq, &known), key != 0 || (m.corrupt && known));
    cr_assert(m.corrupt || known == key);
    return known != 0;
}
