/* snapshots: what the engine says of itself to those who wait for it. */
#include "broker/engine/snapshots.h"
#include "base/check.h"
#include "broker/engine/outbox.h"
#include "broker/engine/silence.h"
#include "broker/engine/snapshot_wait.h"
#include "broker/engine/state.h"
#include "broker/login/login.h"
#include "proto/errors.h"

#include <stdlib.h>

#define SNAPSHOT_SHARES 4 /* of a turn: a walk has so large a part */

/* All but the groups' part. */
static void fill(struct engine *e, struct snapshot *s)
{
    struct store_usage usage;
    store_usage(e->store, &usage);
    s->wall_ms = ledger_shown_ms(e->ledger, e->wall_ms);
    s->clock_error_ms = wall_clock_error_ms(&e->clock);
    s->applied_index = ledger_index(e->ledger);
    s->connections = e->sessions.count;
    s->sockets = atomic_load(&e->config.totals->sockets);
    s->in_flight = dispatcher_leases(e->dispatcher);
    s->in_flight_max = e->config.limits.in_flight_max;
    s->waiting_bytes = engine_waiting(e);
    s->subscriptions = e->subscriptions;
    s->silent = dispatcher_silent_count(e->dispatcher);
    s->silents_count = silence_list(e, s->silents, SNAPSHOT_SILENT_MAX);
    s->topics = view_topics_count(e->ledger);
    s->jobs = view_jobs_count(e->ledger);
    struct room_left left = room_left(&e->room, &usage, store_disk_free(e->store));
    s->store_map_left_bytes = left.map_bytes;
    s->store_disk_left_bytes = left.disk_bytes;
    s->full = e->room.fullness >= STORE_FULL;
    s->store_used_bytes = usage.used_bytes;
    s->store_free_bytes = usage.free_bytes;
    s->store_map_bytes = usage.map_bytes;
    s->store_map_bytes_max = usage.map_bytes_max;
    s->store_allocated_bytes = usage.allocated_bytes;
    s->commit_seconds = e->commit_seconds;
    s->commit_messages = e->commit_messages;
    s->attend_seconds = e->attend_seconds;
    s->commits = e->commits;
    s->logins = e->logins;
    s->logins_failed = e->logins_failed;
    s->logins_waiting = e->config.login ? login_waiting(e->config.login) : 0;
    s->requests_expired = e->requests_expired;
    memcpy(s->limited, e->quotas.refused, sizeof s->limited);
    s->limited[QUOTA_ADDRESS][QUOTA_CONNECTIONS] = atomic_load(&e->config.totals->crowded);
    for (size_t i = 0; i < REFUSED_KINDS; i++)
        s->refused[i] = e->refusals.count[i];
}

void snapshots_want(struct engine *e, struct snapshot_wait *w)
{
    struct snapshot_wait **at = &e->snapshots.waits;
    while (*at) /* the http thread has one question at a time, the watchdog another */
        at = &(*at)->next;
    w->next = NULL;
    *at = w;
    e->force_commit |= w->commit;
}

static void answer_walk(struct engine *e)
{
    struct snapshot_wait *w = e->snapshots.walk.wait;
    struct snapshot *s = e->snapshots.walk.snapshot;
    e->snapshots.walk = (struct group_walk){0};
    if (s)
        fill(e, s);
    snapshot_wait_answer(w, s, s ? 0 : SHUNT_NO_MEMORY);
}

/* Groups as many as a connection's share of a turn, and more where the turn has been long anyway: a row takes
 * less than a microsecond. */
static void walk_on(struct engine *e)
{
    if (e->snapshots.walk.wait && snapshot_wait_given_up(e->snapshots.walk.wait)) {
        snapshot_wait_answer(e->snapshots.walk.wait, NULL, SHUNT_TIMEOUT);
        walk_drop(&e->snapshots.walk);
    }
    if (e->snapshots.walk.wait &&
        walk_step(e, &e->snapshots.walk, e->config.turn_rows_max / SNAPSHOT_SHARES + 1 + e->commit_us))
        answer_walk(e);
}

static bool begin_walk(struct engine *e, struct snapshot_wait *w)
{
    if (e->snapshots.walk.wait)
        return false; /* one after the other */
    if (!walk_begin(&e->snapshots.walk, w, w->topics_max))
        snapshot_wait_answer(w, NULL, SHUNT_NO_MEMORY);
    return true;
}

/* After the commit, so that an answer that asked for one proves it. */
void snapshots_answer(struct engine *e)
{
    struct snapshot_wait **at = &e->snapshots.waits, *next;
    for (struct snapshot_wait *w = e->snapshots.waits; w; w = next) {
        next = w->next;
        if (w->topics_max == SNAPSHOT_NO_GROUPS) {
            struct snapshot *s = calloc(1, sizeof *s);
            if (s)
                fill(e, s);
            snapshot_wait_answer(w, s, s ? 0 : SHUNT_NO_MEMORY);
        } else if (!begin_walk(e, w)) {
            *at = w;
            at = &w->next;
        }
    }
    *at = NULL;
    walk_on(e);
}

bool snapshots_wanted(const struct engine *e)
{
    return e->snapshots.walk.wait || e->snapshots.waits;
}

void snapshots_refuse(struct engine *e)
{
    if (e->snapshots.walk.wait)
        snapshot_wait_answer(e->snapshots.walk.wait, NULL, SHUNT_SHUTTING_DOWN);
    walk_drop(&e->snapshots.walk);
    while (e->snapshots.waits) {
        struct snapshot_wait *w = e->snapshots.waits;
        e->snapshots.waits = w->next;
        snapshot_wait_answer(w, NULL, SHUNT_SHUTTING_DOWN);
    }
}

int engine_snapshot(struct engine *e, uint32_t topics_max, bool commit, int64_t timeout_ms,
                    struct snapshot **ret)
{
    check(e->magic == ENGINE_MAGIC);
    check(timeout_ms >= 0);
    struct snapshot_wait *w = snapshot_wait_new(topics_max, commit);
    struct inbox_item *item = calloc(1, sizeof *item);
    if (!w || !item) {
        free(item);
        free(w);
        return SHUNT_NO_MEMORY;
    }
    item->kind = PORT_SNAPSHOT;
    item->wait = w;
    engine_post(e, item);
    return snapshot_wait_for(w, timeout_ms, ret);
}
