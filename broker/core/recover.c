/* recover: after a restart nobody holds anything, but who held it may run on and come back. So what was in
 * flight waits a little, uncharged; until then only its holder gets it, by the token of its delivery
 * (TAKE_UP), then anybody does. Without such a wait it is ready at once. The attempt ledger says
 * `broker_restart`. Costs by what was in flight, whatever the backlog; as much as the batch has room for, and
 * the next step goes on where this one ended. */
#include "broker/core/breaker.h"
#include "broker/core/due.h"
#include "broker/core/history.h"
#include "broker/core/order.h"
#include "broker/core/state.h"

/* What it is to end: no time to live passes in a handler's hands, nor while the handler may come back. */
static int outlive(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                   int64_t until_ms)
{
    if (!row->expires_ms || row->expires_ms >= until_ms)
        return 0;
    int err = row->has_expiry ? expiry_delete(l, g, seq, row->expires_ms) : 0;
    row->has_expiry = false;
    row->expires_ms = until_ms;
    return err;
}

/* `until_ms` 0: it waits for nobody. *ret_keyless: it has no key, or one that cannot be read any more. */
static int give_back(struct ledger *l, struct group *g, uint64_t seq, int64_t until_ms, bool *ret_keyless)
{
    struct history_record h = {.outcome = ATTEMPT_BROKER_RESTART};
    enum where where;
    struct attempt_record row;
    int err = place_find(l, g, seq, &where, &row);
    if (!err && where != WHERE_FLIGHT && (where != WHERE_TRACKED || row.state != ATTEMPT_HELD))
        err = SHUNT_CORRUPT;
    if (!err && g->watched)
        breaker_left(l, g, seq);
    if (!err)
        err = place_leave(l, g, seq, where, &row);
    if (!err && where == WHERE_FLIGHT)
        err = place_track(l, g, seq, where, &row);
    if (!err)
        err = history_add(l, g, seq, &row, &h);
    if (!err)
        err = outlive(l, g, seq, &row, until_ms);
    row.back_job = l->meta.job_next;
    err = err ? err : place_wait(l, g, seq, &row, until_ms);
    *ret_keyless |= !row.key;
    return err;
}

/* What was damaged while it was out let nobody go: its key was known to memory alone. So each key is looked at. */
static int let_go_of_all(struct ledger *l, struct group *g)
{
    uint64_t key = 0, seq;
    int err;
    do {
        err = order_index_first(l, g, true, &key, &seq);
        if (!err && seq)
            err = place_let_go(l, g, key);
    } while (!err && seq && ++key);
    return err;
}

static int64_t waits_until(const struct ledger *l, const struct group *g, const struct recover_command *c)
{
    int64_t lease_ms = group_setting(g, POLICY_lease_ms);
    return c->wait_ms ? l->now_ms + (c->wait_ms < lease_ms ? c->wait_ms : lease_ms) : 0;
}

static int recover_first_flights(struct ledger *l, struct group *g, int64_t until_ms)
{
    bool keyless = false;
    uint64_t seq = g->r.floor;
    while ((seq = bitmap_next_clear(&g->bits, seq)) < g->r.next && ledger_has_room(l, COST_MOVE_BYTES)) {
        int err = give_back(l, g, seq, until_ms, &keyless);
        if (err)
            return err;
        seq++;
    }
    return keyless && g->keys && g->r.parked ? let_go_of_all(l, g) : 0;
}

static int recover_held(struct ledger *l, struct group *g, int64_t until_ms)
{
    bool keyless = false; /* of no interest: their keys are in their rows */
    while (ledger_has_room(l, COST_MOVE_BYTES)) {
        int64_t due_ms = 0;
        uint64_t seq = 0;
        int err = due_first(l, g, DUE_HELD, &due_ms, &seq);
        if (err)
            return err == SHUNT_NOT_FOUND ? 0 : err;
        err = give_back(l, g, seq, until_ms, &keyless);
        if (err)
            return err;
    }
    return 0;
}

int apply_recover(struct ledger *l, const struct recover_command *c)
{
    int err = 0;
    if (!c->again) {
        dedup_came_back(l);
        err = l->damage.any ? orders_anew(l) : 0;
    }
    if (err)
        return err;
    for (size_t i = 0; i < l->groups_count; i++) {
        struct group *g = l->groups[i];
        if (g->r.dropped || !g->r.counts.in_flight)
            continue;
        int64_t until_ms = waits_until(l, g, c);
        err = recover_first_flights(l, g, until_ms);
        if (!err)
            err = recover_held(l, g, until_ms);
        if (err)
            return err;
    }
    return 0;
}

uint64_t ledger_in_flight(const struct ledger *l)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < l->groups_count; i++)
        sum += l->groups[i]->r.dropped ? 0 : l->groups[i]->r.counts.in_flight;
    return sum;
}
