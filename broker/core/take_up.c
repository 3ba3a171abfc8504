/* take_up: what ends a delivery beside its answer: the consumer that had it goes on with it after a lost
 * connection, or nobody was sent it, because it is damaged. */
#include "broker/core/breaker.h"
#include "broker/core/edit.h"
#include "broker/core/handout.h"
#include "broker/core/order.h"

/* ---- what a consumer goes on with ---- */

/* Whether it waits, and was handed out to nobody since; and not, if it may have killed a consumer: such a one
 * goes alone. */
static bool may_be_taken_up(const struct ledger *l, const struct group *g, enum where where,
                            const struct attempt_record *row, uint64_t token)
{
    return where == WHERE_TRACKED && row->state == ATTEMPT_WAITING && row->deliveries_total == token &&
           row->deliveries && /* else it died and was redriven since */
           !row->suspect && !(row->expires_ms && row->expires_ms <= l->now_ms) &&
           (g->origin || row->attempts < (uint64_t)group_setting(g, POLICY_max_attempts));
}

static void tell_taken_up(struct ledger *l, const struct group *g, uint32_t entry, uint64_t seq,
                          const struct attempt_record *row, const struct loaded_message *m)
{
    struct result *result = result_add(l, RESULT_TAKEN_UP);
    result->taken_up.entry = entry;
    result->taken_up.handout = (struct handout){.seq = seq,
                                                .token = row->deliveries_total,
                                                .attempts = row->attempts,
                                                .deliveries = row->deliveries,
                                                .generation = row->generation,
                                                .published_ms = m->head.published_ms,
                                                .lease_ms = group_setting(g, POLICY_lease_ms),
                                                .message = {NULL, m->message.size}};
}

/* As hand_waiting(), out of turn and without sending anything: the consumer has the message. */
static int take_up(struct ledger *l, struct group *g, uint32_t mark, uint32_t entry,
                   const struct delivery_name *name)
{
    enum where where;
    struct attempt_record row;
    struct loaded_message m;
    enum order_turn turn = TURN_NOW;
    int err = place_find(l, g, name->seq, &where, &row);
    if (err || !may_be_taken_up(l, g, where, &row, name->token))
        return err;
    if (g->keys)
        err = order_turn_of(l, g, mark, row.key, name->seq, &turn);
    if (err || turn)
        return err;
    err = message_load_for(l, g, name->seq, &row, true, &m);
    if (err)
        return err;
    struct attempt_record before = row;
    row.deliveries++;
    row.deliveries_total++;
    g->r.counts.deliveries++;
    if (m.corrupt)
        err = handout_damaged(l, g, name->seq, row.deliveries_total);
    else
        tell_taken_up(l, g, entry, name->seq, &row, &m);
    if (!err)
        err = place_leave(l, g, name->seq, where, &before);
    return err ? err : place_hold(l, g, name->seq, &row);
}

int apply_take_up(struct ledger *l, const struct take_up_command *c)
{
    struct group *g = catalog_live_group(l, c->group);
    uint32_t mark = g && g->keys ? g->keys->count : 0; /* a run is taken up as one, too */
    int err = 0;
    /* Without room the rest is not taken up: it waits, as for anybody. */
    for (uint32_t i = 0; !err && g && i < c->count && ledger_has_room(l, COST_END_BYTES); i++)
        err = take_up(l, g, mark, i, &c->entries[i]);
    return err;
}

/* ---- what nobody was sent ---- */

int apply_corrupt(struct ledger *l, const struct corrupt_command *c)
{
    struct group *g = catalog_live_group(l, c->group);
    enum where where = WHERE_GONE;
    struct attempt_record row;
    int err = g ? place_find(l, g, c->seq, &where, &row) : 0;
    bool tracked = where == WHERE_TRACKED;
    uint64_t key = 0;
    if (g && g->keys)
        (void)key_table_find(g->keys, c->seq, &key);
    if (where == WHERE_FLIGHT) {
        row = (struct attempt_record){.deliveries = 1,
                                      .deliveries_total = 1,
                                      .row_next = 1,
                                      .expires_ms = c->expires_ms,
                                      .has_expiry = c->has_expiry};
    }
    if (err || (where != WHERE_FLIGHT && !(tracked && row.state == ATTEMPT_HELD)) ||
        row.deliveries_total != c->token)
        return err; /* something else became of it */
    if (g->watched)
        breaker_left(l, g, c->seq);
    err = place_leave(l, g, c->seq, where, &row);
    row.deliveries--; /* it was not sent */
    row.deliveries_total--;
    g->r.counts.deliveries--;
    if (!err)
        err = handout_set_aside(l, g, c->seq, &row, DEAD_CORRUPT);
    return err || !key ? err : order_recall(l, g, key, c->seq);
}
