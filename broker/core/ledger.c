/* ledger: loading, applying batches, sealing. */
#include "broker/core/ledger.h"
#include "base/check.h"
#include "broker/core/breaker.h"
#include "broker/core/cause.h"
#include "broker/core/edit.h"
#include "broker/core/identity_keep.h"
#include "broker/core/job.h"
#include "broker/core/order.h"
#include "broker/core/rule.h"

#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static const struct slice meta_key = {META_KEY_LEDGER, sizeof META_KEY_LEDGER - 1};

static int load_meta(struct ledger *l)
{
    struct slice value;
    int err = store_get(l->txn, TABLE_META, meta_key, &value);
    if (!err)
        return meta_decode(meta_key, value, &l->meta);
    /* An empty store. The first batch sets its time and, with LIMITS, its limits. */
    l->meta = (struct meta_record){
        .random = 0x9e3779b97f4a7c15ull, .topic_next = 1, .group_next = 1, .job_next = 1, .audit_next = 1};
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int ledger_new(struct store_txn *txn, struct ledger **ret, char *ret_why, size_t why_bytes)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (why_bytes)
        ret_why[0] = 0;
    if (!l)
        return SHUNT_NO_MEMORY;
    l->txn = txn;
    l->record = malloc(RECORD_BYTES_MAX);
    int err = l->record ? load_meta(l) : SHUNT_NO_MEMORY;
    if (err == SHUNT_CORRUPT)
        ledger_say(ret_why, why_bytes, "the ledger's own record in the meta table cannot be read");
    if (!err)
        err = catalog_load(l, ret_why, why_bytes);
    if (!err)
        err = damage_load(l);
    l->damage.verifying = true;
    if (!err)
        err = orders_load(l, ret_why, why_bytes);
    if (!err)
        err = causes_load(l, ret_why, why_bytes);
    if (!err)
        err = rules_load(l, ret_why, why_bytes);
    if (!err)
        err = breakers_load(l, ret_why, why_bytes);
    if (!err)
        err = dead_count_old(l);
    if (!err)
        err = unattended_count_old(l);
    if (!err)
        err = jobs_load(l, ret_why, why_bytes);
    if (!err)
        err = identities_load(l, ret_why, why_bytes);
    if (!err)
        err = audit_load(l, ret_why, why_bytes);
    if (err) {
        ledger_free(l);
        return err;
    }
    l->now_ms = l->meta.time_ms;
    l->damage.verifying = false;
    l->txn = NULL;
    *ret = l;
    return 0;
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    causes_free(l);
    rules_free(l);
    breakers_free(l);
    catalog_free(l);
    damage_free(l);
    jobs_free(l);
    identities_free(l);
    group_queues_free(l);
    results_free(&l->results);
    free(l->record);
    mpack_buffer_done(&l->scratch);
    free(l);
}

/* ---- applying ---- */

static int apply_limits(struct ledger *l, const struct ledger_limits *limits)
{
    struct meta_record *m = &l->meta;
    if (m->topics_max != limits->topics_max || m->groups_max != limits->groups_max ||
        m->body_bytes_max != limits->body_bytes_max || m->dedup_window_ms != limits->dedup_window_ms ||
        m->audit_keep_ms != limits->audit_keep_ms || m->audit_bytes_max != limits->audit_bytes_max)
        l->changed = true;
    m->topics_max = limits->topics_max;
    m->groups_max = limits->groups_max;
    m->body_bytes_max = limits->body_bytes_max;
    m->dedup_window_ms = limits->dedup_window_ms;
    m->audit_keep_ms = limits->audit_keep_ms;
    m->audit_bytes_max = limits->audit_bytes_max;
    return 0;
}

static int apply_command(struct ledger *l, const struct command *c)
{
    switch (c->kind) {
#define COMMAND(NAME, number, member, apply, least, text)                                                    \
    case COMMAND_##NAME:                                                                                     \
        return apply;
#include "broker/core/command.def"
#include "broker/core/group_queue.h"
    }
    return SHUNT_CORRUPT; /* a batch from a log that this version cannot read */
}

/* Whether there is room for the least of it. */
static bool admits(const struct ledger *l, const struct command *c)
{
    uint64_t bytes = 0;
    switch (c->kind) {
#define COMMAND(NAME, number, member, apply, least, text)                                                    \
    case COMMAND_##NAME:                                                                                     \
        bytes = least;                                                                                       \
        break;
#include "broker/core/command.def"
    }
    return !bytes || ledger_has_room(l, bytes + COST_END_BYTES + (c->by ? COST_AUDIT_BYTES : 0));
}

int ledger_apply(struct ledger *l, struct store_txn *txn, const struct batch *batch)
{
    int err = 0;
    check(batch->index == l->meta.index + 1);
    check(batch->time_ms >= l->meta.time_ms);
    l->txn = txn;
    results_begin(l);
    damage_begin(&l->damage);
    l->now_ms = batch->time_ms;
    l->batch = batch->index;
    cost_begin(&l->meter, batch->index);
    l->room = batch->room;
    l->meter_max = batch->room.bytes ? batch->room.bytes : UINT64_MAX / 2;
    l->publish_max = batch->room.bytes ? batch->room.publish_bytes : UINT64_MAX / 2;
    l->applied = l->entries = 0;
    l->out_of_room = false;
    for (size_t i = 0; !err && i < batch->count; i++) {
        l->command = i;
        if (!admits(l, &batch->commands[i]))
            break;
        err = apply_command(l, &batch->commands[i]);
        if (!err && batch->commands[i].by)
            err = audit_note(l, &batch->commands[i]);
        if (l->out_of_room)
            break;
        l->applied++;
    }
    if (l->applied || l->entries || !batch->count) {
        l->meta.index = batch->index;
        l->meta.time_ms = batch->time_ms;
    }
    damage_end(&l->damage, l->applied || l->entries);
    l->txn = NULL;
    return err || !l->results.no_memory ? err : SHUNT_NO_MEMORY;
}

int ledger_seal(struct ledger *l, struct store_txn *txn)
{
    l->txn = txn;
    int err = catalog_flush(l);
    if (!err)
        err = causes_flush(l);
    if (!err)
        err = rules_flush(l);
    if (!err && l->dirty_breakers)
        err = breakers_flush(l);
    if (!err)
        err = jobs_flush(l);
    if (!err) {
        size_t size = meta_encode(l->record, meta_key, &l->meta);
        err = store_put(txn, TABLE_META, meta_key, (struct slice){l->record, size});
    }
    l->txn = NULL;
    l->changed = false;
    return err;
}

bool ledger_changed(const struct ledger *l)
{
    return l->changed;
}

uint64_t ledger_rows(const struct ledger *l)
{
    return l->rows;
}

size_t ledger_applied(const struct ledger *l, uint32_t *ret_entries)
{
    *ret_entries = (uint32_t)l->entries;
    return l->applied;
}

uint64_t ledger_spent(const struct ledger *l)
{
    return l->meter.bytes;
}

uint64_t ledger_index(const struct ledger *l)
{
    return l->meta.index;
}

int64_t ledger_time(const struct ledger *l)
{
    return l->meta.time_ms;
}

/* As many more as may be handed out in runs. */
static void add_runs(const struct group *g, uint64_t parked, struct group_ready *ret)
{
    uint64_t *ready = &ret->lane[LANE_NORMAL];
    uint64_t more = *ready * (order_run_max(g) - 1);
    *ready += more < parked ? more : parked;
    ret->run = order_run_max(g);
}

static void limit(struct group_ready *ready, uint32_t most)
{
    for (enum lane lane = 0; most != BREAKER_NO_LIMIT && lane < LANES; lane++)
        ready->lane[lane] = ready->lane[lane] < most ? ready->lane[lane] : most;
}

void ledger_group_ready(const struct ledger *l, uint32_t group, struct group_ready *ret)
{
    const struct group *g = catalog_live_group(l, group);
    *ret = (struct group_ready){0};
    if (g) {
        /* In a group whose settings let them go, hand-outs do that. */
        bool stay = group_is_ordered(g) && order_dead_undone(g) && !g->r.followed;
        uint64_t parked = stay ? g->r.parked : 0;
        ret->lane[LANE_NORMAL] = g->r.counts.ready - g->r.counts.suspects - parked;
        if (g->keys && ret->lane[LANE_NORMAL]) /* with each of them may go what waits behind it */
            add_runs(g, parked, ret);
        ret->lane[LANE_SUSPECT] = g->r.counts.suspects;
        ret->paused = g->r.paused;
        if (g->watched)
            limit(ret, breaker_may(g));
    }
}
