/* resolve: the end of deliveries, by the truth table. */
#include "base/check.h"
#include "broker/core/breaker.h"
#include "broker/core/history.h"
#include "broker/core/job.h"
#include "broker/core/order.h"

/* What an outcome does; the rows of the truth table. */
struct rule {
    bool charged;
    bool dead; /* to the DLQ at once */
    bool back_off;
    int suspect; /* 1: becomes one, 0: no longer is, -1: as it was */
};

static const struct rule rules[ATTEMPT_OUTCOMES] = {
    [ATTEMPT_NACKED] = {.charged = true, .back_off = true, .suspect = 0},
    [ATTEMPT_REJECTED] = {.charged = true, .dead = true, .suspect = 0},
    [ATTEMPT_RELEASED] = {.suspect = -1},
    [ATTEMPT_LEASE_EXPIRED] = {.charged = true, .back_off = true, .suspect = -1},
    [ATTEMPT_UNSTARTED] = {.suspect = -1},
    /* It alone was running when its consumer died: from now on it runs alone. */
    [ATTEMPT_DISCONNECTED] = {.charged = true, .back_off = true, .suspect = 1},
    [ATTEMPT_SUSPECTED] = {.suspect = 1},
    [ATTEMPT_BROKER_RESTART] = {.suspect = -1},
    [ATTEMPT_TTL_EXPIRED] = {.suspect = -1},
    [ATTEMPT_DEADLINE_EXCEEDED] = {.dead = true, .suspect = 0}, /* unless the group discards it */
    [ATTEMPT_OUTAGE] = {.suspect = -1}, /* what others become while the breaker is open */
    [ATTEMPT_RECALLED] = {.suspect = -1},
};

static int64_t back_off_ms(struct ledger *l, const struct group *g, uint32_t attempts)
{
    return ledger_back_off_ms(l, group_setting(g, POLICY_backoff_floor_ms),
                              group_setting(g, POLICY_backoff_min_ms),
                              group_setting(g, POLICY_backoff_max_ms), attempts ? attempts - 1 : 0);
}

/* When a message is to be tried again; 0 puts it in front of everything. */
static int64_t due_ms(struct ledger *l, const struct group *g, const struct rule *rule,
                      const struct resolution *r, uint32_t attempts)
{
    if (r->outcome == ATTEMPT_RELEASED && r->delay_ms > 0)
        return l->now_ms + r->delay_ms;
    if (!rule->back_off)
        return 0;
    if (r->outcome != ATTEMPT_NACKED || r->delay_ms == DELAY_BACKOFF)
        return l->now_ms + back_off_ms(l, g, attempts);
    return r->delay_ms ? l->now_ms + r->delay_ms : 0;
}

/* Its breaker is told. *ret_spared: so it is not charged. A rejection is the consumer's word on this very message. */
static int tell_breaker(struct ledger *l, struct group *g, const struct resolution *r,
                        const struct attempt_record *row, bool *ret_spared)
{
    const struct rule *rule = &rules[r->outcome];
    *ret_spared = false;
    if (rule->charged && !rule->dead)
        return breaker_failed(l, g, r->seq, row, r->leased_ms, ret_spared);
    if (g->watched)
        breaker_left(l, g, r->seq);
    return 0;
}

/* Uncharged, and no sooner than what is ready now: what failed while the breaker is open must not be the next probe. */
static int spare(struct ledger *l, struct group *g, const struct resolution *r, struct attempt_record *row,
                 struct history_record *h)
{
    static const char *const outcomes[] = ATTEMPT_OUTCOME_NAMES;
    h->outcome = ATTEMPT_OUTAGE;
    h->charged = false;
    if (!h->error_type.size)
        h->error_type = slice_of(outcomes[r->outcome]);
    int err = history_add(l, g, r->seq, row, h);
    if (err)
        return err;
    if (rules[r->outcome].suspect >= 0)
        row->suspect = rules[r->outcome].suspect != 0;
    row->back_job = l->meta.job_next;
    int64_t at_ms = due_ms(l, g, &rules[r->outcome], r, row->attempts);
    return place_wait(l, g, r->seq, row, at_ms > g->r.due_mark_ms ? at_ms : g->r.due_mark_ms);
}

static int fail(struct ledger *l, struct group *g, const struct resolve_command *c,
                const struct resolution *r, struct attempt_record *row)
{
    const struct rule *rule = &rules[r->outcome];
    bool spared;
    struct history_record h = {.outcome = r->outcome,
                               .charged = rule->charged,
                               .generation = row->generation,
                               .ended_ms = l->now_ms,
                               .leased_ms = r->leased_ms,
                               .started_ms = r->started_ms,
                               .client = c->by.client,
                               .host = c->by.host,
                               .build = c->by.build,
                               .error_type = r->error_type,
                               .error_message = r->error_message,
                               .error_stack = r->error_stack,
                               .fingerprint = r->fingerprint};
    int err = tell_breaker(l, g, r, row, &spared);
    if (!err && spared)
        return spare(l, g, r, row, &h);
    if (!err)
        err = history_add(l, g, r->seq, row, &h);
    if (err)
        return err;
    if (rule->charged)
        err = redrive_failed(l, g, r->seq, row, &h);
    if (err)
        return err;
    row->attempts += rule->charged;
    row->attempts_total += rule->charged;
    if (rule->charged) /* uncharged, it has waited on */
        row->since_ms = l->now_ms;
    if (rule->suspect >= 0)
        row->suspect = rule->suspect != 0;
    if (!g->origin) {
        if (rule->dead)
            return dead_divert(l, g, r->seq, row, rule->charged ? DEAD_REJECTED : DEAD_DEADLINE_EXCEEDED, &h);
        if (rule->charged && row->attempts >= (uint64_t)group_setting(g, POLICY_max_attempts))
            return dead_divert(l, g, r->seq, row, DEAD_MAX_ATTEMPTS, &h);
    }
    row->back_job = l->meta.job_next;
    struct rule in_dlq = {.back_off = rule->charged};
    return place_wait(l, g, r->seq, row, due_ms(l, g, g->origin ? &in_dlq : rule, r, row->attempts));
}

/* Its consumer says that its deadline leaves no time for it: as if nobody had taken it before that. Without a deadline nobody can say so, and it
 * has failed as any. */
static int give_up(struct ledger *l, struct group *g, const struct resolve_command *c,
                   const struct resolution *r, struct attempt_record *row)
{
    struct resolution failed = *r;
    if (!row->deadline_ms) {
        failed.outcome = ATTEMPT_NACKED;
        failed.delay_ms = DELAY_BACKOFF;
    } else if (group_setting(g, POLICY_expired) == 1) {
        if (g->watched)
            breaker_left(l, g, r->seq);
        return place_done(l, g, r->seq, row->on_file ? row : NULL, DONE_DISCARDED, NULL);
    }
    return fail(l, g, c, &failed, row);
}

static int ack_tracked(struct ledger *l, struct group *g, const struct resolve_command *c, uint64_t seq,
                       const struct attempt_record *row)
{
    const struct ended_record by = {.client = c->by.client, .host = c->by.host, .build = c->by.build};
    return place_done(l, g, seq, row, DONE_ACKED, &by);
}

static int resolve_one(struct ledger *l, struct group *g, const struct resolve_command *c,
                       const struct resolution *r, bool *ret_stale)
{
    enum where where;
    struct attempt_record row;
    int err = place_find(l, g, r->seq, &where, &row);
    if (err)
        return err;
    bool tracked = where == WHERE_TRACKED;
    *ret_stale = tracked ? row.state != ATTEMPT_HELD || row.deliveries_total != r->token
                         : where != WHERE_FLIGHT || r->token != 1;
    if (*ret_stale)
        return 0;
    uint64_t key = 0;
    if (g->keys && !r->acked)
        (void)key_table_find(g->keys, r->seq, &key);
    err = place_leave(l, g, r->seq, where, &row);
    if (err)
        return err;
    if (r->acked && g->watched)
        breaker_acked(l, g, r->seq);
    if (r->acked && tracked)
        return ack_tracked(l, g, c, r->seq, &row);
    if (r->acked)
        return place_done(l, g, r->seq, NULL, DONE_ACKED, NULL);
    if (!tracked)
        err = place_track(l, g, r->seq, where, &row);
    if (!err && r->outcome == ATTEMPT_DEADLINE_EXCEEDED)
        err = give_up(l, g, c, r, &row);
    else if (!err)
        err = fail(l, g, c, r, &row);
    return err || !key ? err : order_recall(l, g, key, r->seq);
}

/* No less than any of them: while there is so much, none is looked at. */
#define COST_ENTRY_MOST (COST_END_BYTES + 128u * 1024)
_Static_assert(ERROR_STACK_BYTES_MAX + ERROR_MESSAGE_BYTES_MAX < 32 * 1024, "the largest row is within that");

/* At most: the example of a new cause is as long as its history. (A longer stack than is kept counts as one that
 * is.) */
static uint64_t entry_cost(const struct resolution *r)
{
    if (r->acked && r->token == 1)
        return COST_MOVE_BYTES;
    return COST_END_BYTES +
           (r->acked ? 0
                     : 2 * cost_row((r->error_stack.size < ERROR_STACK_BYTES_MAX ? r->error_stack.size
                                                                                 : ERROR_STACK_BYTES_MAX) +
                                    ERROR_MESSAGE_BYTES_MAX));
}

static void tell_refused(struct ledger *l, uint32_t entry, int err)
{
    struct result *result = result_add(l, RESULT_REFUSED);
    result->refused.entry = entry;
    result->refused.err = err;
}

int apply_resolve(struct ledger *l, const struct resolve_command *c)
{
    struct group *g = catalog_live_group(l, c->group);
    for (uint32_t i = 0; i < c->count; i++) {
        bool stale = true;
        uint64_t recalled =
            g && g->keys && !c->entries[i].acked ? order_recall_cost(g, c->entries[i].seq) : 0;
        if (!ledger_has_room(l, COST_ENTRY_MOST + recalled) &&
            !ledger_has_room(l, entry_cost(&c->entries[i]) + recalled)) {
            l->out_of_room = true;
            l->entries = i;
            return 0;
        }
        int err = g ? resolve_one(l, g, c, &c->entries[i], &stale) : 0;
        if (err)
            return err;
        if (stale)
            tell_refused(l, i, SHUNT_STALE);
    }
    return 0;
}
