/* walk: see walk.h. */
#include "broker/engine/walk.h"
#include "base/array.h"
#include "broker/engine/state.h"
#include "broker/engine/transaction.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t older(int64_t a, int64_t b)
{
    return !a || (b && b < a) ? b : a;
}

static void add_counts(struct snapshot_group *to, const struct group_numbers *f, uint64_t consumers)
{
    const struct group_counts *n = f->counts;
    to->published += n->published;
    to->ready += n->ready;
    to->in_flight += n->in_flight;
    to->delayed += n->delayed;
    to->dead += n->dead;
    to->acked += n->acked;
    to->expired += n->expired;
    to->discarded += n->discarded;
    to->purged += n->purged;
    to->moved += n->moved_away;
    to->deliveries += n->deliveries;
    to->redriven += n->redriven;
    to->unattended += n->unattended;
    to->expired_unattended += n->expired_unattended;
    to->slo_breaches += n->slo_breaches;
    to->blocked_keys += f->blocked_keys;
    to->consumers += consumers;
    to->paused += f->paused;
    to->breaker_trips += f->breaker_trips;
    for (size_t i = 0; i < ATTEMPT_OUTCOMES; i++)
        to->attempts[i] += n->attempts[i];
    for (size_t i = 0; i < DEAD_REASONS; i++)
        to->dead_lettered[i] += n->dead_lettered[i];
    for (size_t i = 0; i < REDRIVE_OUTCOMES; i++)
        to->outcomes[i] += n->outcomes[i];
    for (size_t i = 0; i < RULE_ACTIONS; i++)
        to->rule_actions[i] += n->ruled[i];
    for (size_t i = 0; i < CAUSE_STATES; i++)
        to->causes[i] += f->causes[i];
    to->oldest_ready_ms = older(to->oldest_ready_ms, f->oldest_ready_ms);
    to->oldest_dead_ms = older(to->oldest_dead_ms, f->oldest_dead_ms);
    to->oldest_unattended_ms = older(to->oldest_unattended_ms, f->oldest_unattended_ms);
    to->oldest_blocked_ms = older(to->oldest_blocked_ms, f->oldest_blocked_ms);
    to->next_expiry_ms = older(to->next_expiry_ms, f->next_expiry_ms);
    to->conservation_error += group_conservation_error(n);
}

/* Of several groups, the most. */
static void add_hot_keys(const struct engine *e, struct snapshot_group *to, const struct group_numbers *f)
{
    for (unsigned i = 0; i < KEY_MEASURES; i++) {
        int64_t milli = keys_share(&e->keys, (enum key_measure)i, slice_of(f->topic), f->id, e->mono_ms);
        to->hot_key_milli[i] = milli > to->hot_key_milli[i] ? milli : to->hot_key_milli[i];
    }
}

/* NULL without memory. */
static struct snapshot_group *add_row(struct group_walk *k, const struct group_numbers *f)
{
    struct snapshot *s = k->snapshot;
    if (!array_room(&s->rows, &k->capacity, s->rows_count + 1))
        return NULL;
    struct snapshot_group *row = &s->rows[s->rows_count++];
    *row = (struct snapshot_group){.dlq_retention_ms = f->dlq_retention_ms, .dlq_slo_ms = f->dlq_slo_ms};
    (void)snprintf(row->topic, sizeof row->topic, "%s", f->topic); /* they fit: they were checked */
    (void)snprintf(row->group, sizeof row->group, "%s", f->group); /* as above */
    return row;
}

/* False without memory. */
static bool add_group(const struct engine *e, struct group_walk *k, const struct group_numbers *f)
{
    struct snapshot *s = k->snapshot;
    if (k->topics_max == SNAPSHOT_UNATTENDED && !f->counts->unattended)
        return true;
    k->topics += f->topic_id != k->last_topic;
    k->last_topic = f->topic_id;
    s->groups++;
    struct snapshot_group *row = &s->rest;
    if (k->topics <= k->topics_max)
        row = add_row(k, f);
    else
        s->has_rest = true;
    if (!row)
        return false;
    row->breaker += row == &s->rest ? f->breaker != BREAKER_CLOSED : f->breaker;
    add_counts(row, f, dispatcher_members(e->dispatcher, f->id));
    if (e->keys.watches)
        add_hot_keys(e, row, f);
    int64_t lease_ms = ledger_shown_ms(e->ledger, dispatcher_oldest_lease(e->dispatcher, f->id));
    row->oldest_in_flight_ms = older(row->oldest_in_flight_ms, lease_ms);
    return true;
}

bool walk_begin(struct group_walk *k, struct snapshot_wait *wait, uint32_t topics_max)
{
    struct snapshot *s = calloc(1, sizeof *s);
    if (!s)
        return false;
    *k = (struct group_walk){.wait = wait, .snapshot = s, .topics_max = topics_max};
    return true;
}

bool walk_step(struct engine *e, struct group_walk *k, uint64_t rows)
{
    struct view v = transaction_view(e);
    struct group_numbers f;
    uint64_t most = ledger_rows(e->ledger) + rows;
    while (ledger_rows(e->ledger) < most) {
        if (!view_next_group(&v, &k->cursor, &f)) {
            if (k->topics_max != SNAPSHOT_UNATTENDED)
                rest_tell(&e->snapshots.rest, &k->snapshot->rest, &k->snapshot->has_rest);
            return true;
        }
        if (!add_group(e, k, &f)) {
            snapshot_free(k->snapshot);
            k->snapshot = NULL;
            return true;
        }
    }
    return false;
}

void walk_drop(struct group_walk *k)
{
    snapshot_free(k->snapshot);
    *k = (struct group_walk){0};
}
