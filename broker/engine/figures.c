/* figures: what the engine says of itself: snapshots for metrics and health, and STATS. */
#include "broker/engine/figures.h"
#include "base/clock.h"
#include "broker/engine/engine_private.h"
#include "proto/errors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SNAPSHOT_SHARES 4 /* of a turn: a walk has so large a part */

void histogram_add(struct histogram *h, const double *bounds, size_t bounds_count, double value)
{
    size_t i = 0;
    while (i < bounds_count && value > bounds[i])
        i++;
    h->bucket[i]++;
    h->count++;
    h->sum += value;
}

static uint64_t members(void *context, uint32_t group)
{
    const struct engine *e = context;
    return dispatcher_members(e->dispatcher, group);
}

struct view engine_view(struct engine *e)
{
    return (struct view){.ledger = e->ledger, .txn = turn_txn(e), .members = members, .members_context = e};
}

uint64_t figures_memory_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    (void)fclose(f); /* read only */
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- snapshots ---- */

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    free(s->rows);
    free(s);
}

/* All but the groups' part. */
static void fill(struct engine *e, struct snapshot *s)
{
    struct store_usage usage;
    store_usage(e->store, &usage);
    s->wall_ms = ledger_shown_ms(e->ledger, e->wall_ms);
    s->clock_error_ms = wall_clock_error_ms(&e->clock);
    s->applied_index = ledger_index(e->ledger);
    s->connections = e->connections;
    s->sockets = atomic_load(&e->config.totals->sockets);
    s->in_flight = dispatcher_leases(e->dispatcher);
    s->in_flight_max = e->config.in_flight_max;
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
    s->commits = e->commits;
}

/* One who waits. Both sides hold it until both are through: the waiter may give up first. */
struct snapshot_wait {
    struct snapshot_wait *next;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    unsigned refs;
    bool done;
    int err;
    uint32_t topics_max;
    bool commit;
    struct snapshot *snapshot;
};

static void wait_unref(struct snapshot_wait *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    bool last = --w->refs == 0;
    (void)pthread_mutex_unlock(&w->mutex);
    if (!last)
        return;
    snapshot_free(w->snapshot);
    (void)pthread_cond_destroy(&w->answered);
    (void)pthread_mutex_destroy(&w->mutex);
    free(w);
}

static struct snapshot_wait *wait_new(uint32_t topics_max, bool commit)
{
    pthread_condattr_t clock;
    struct snapshot_wait *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->refs = 2;
    w->topics_max = topics_max;
    w->commit = commit;
    (void)pthread_mutex_init(&w->mutex, NULL);
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->answered, &clock);
    (void)pthread_condattr_destroy(&clock);
    return w;
}

static void answer_wait(struct snapshot_wait *w, struct snapshot *s, int err)
{
    (void)pthread_mutex_lock(&w->mutex);
    w->snapshot = s;
    w->err = err;
    w->done = true;
    (void)pthread_cond_signal(&w->answered);
    (void)pthread_mutex_unlock(&w->mutex);
    wait_unref(w);
}

void figures_want(struct engine *e, struct snapshot_wait *w)
{
    struct snapshot_wait **at = &e->waits;
    while (*at) /* the http thread has one question at a time, the watchdog another */
        at = &(*at)->next;
    w->next = NULL;
    *at = w;
    e->force_commit |= w->commit;
}

void figures_drop(struct snapshot_wait *w)
{
    answer_wait(w, NULL, SHUNT_SHUTTING_DOWN);
}

static bool has_given_up(struct snapshot_wait *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    bool alone = w->refs == 1;
    (void)pthread_mutex_unlock(&w->mutex);
    return alone;
}

static void answer_walk(struct engine *e)
{
    struct snapshot_wait *w = e->walk.wait;
    struct snapshot *s = e->walk.snapshot;
    e->walk = (struct group_walk){0};
    if (s)
        fill(e, s);
    answer_wait(w, s, s ? 0 : SHUNT_NO_MEMORY);
}

/* Groups as many as a connection's share of a turn, and more where the turn has been long anyway: a row takes
 * less than a microsecond. */
static void walk_on(struct engine *e)
{
    if (e->walk.wait && has_given_up(e->walk.wait)) {
        answer_wait(e->walk.wait, NULL, SHUNT_TIMEOUT);
        walk_drop(&e->walk);
    }
    if (e->walk.wait && walk_step(e, &e->walk, e->config.turn_rows_max / SNAPSHOT_SHARES + 1 + e->commit_us))
        answer_walk(e);
}

static bool begin_walk(struct engine *e, struct snapshot_wait *w)
{
    if (e->walk.wait)
        return false; /* one after the other */
    if (!walk_begin(&e->walk, w, w->topics_max))
        answer_wait(w, NULL, SHUNT_NO_MEMORY);
    return true;
}

/* After the commit, so that an answer that asked for one proves it. */
void figures_answer(struct engine *e)
{
    struct snapshot_wait **at = &e->waits, *next;
    for (struct snapshot_wait *w = e->waits; w; w = next) {
        next = w->next;
        if (w->topics_max == SNAPSHOT_NO_GROUPS) {
            struct snapshot *s = calloc(1, sizeof *s);
            if (s)
                fill(e, s);
            answer_wait(w, s, s ? 0 : SHUNT_NO_MEMORY);
        } else if (!begin_walk(e, w)) {
            *at = w;
            at = &w->next;
        }
    }
    *at = NULL;
    walk_on(e);
}

bool figures_wanted(const struct engine *e)
{
    return e->walk.wait || e->waits;
}

void figures_refuse(struct engine *e)
{
    if (e->walk.wait)
        figures_drop(e->walk.wait);
    walk_drop(&e->walk);
    while (e->waits) {
        struct snapshot_wait *w = e->waits;
        e->waits = w->next;
        figures_drop(w);
    }
}

int engine_snapshot(struct engine *e, uint32_t topics_max, bool commit, int64_t timeout_ms,
                    struct snapshot **ret)
{
    struct timespec deadline = clock_until(timeout_ms);
    struct snapshot_wait *w = wait_new(topics_max, commit);
    struct inbox_item *item = calloc(1, sizeof *item);
    if (!w || !item) {
        free(item);
        free(w);
        return SHUNT_NO_MEMORY;
    }
    item->kind = PORT_STATS;
    item->wait = w;
    engine_post(e, item);
    (void)pthread_mutex_lock(&w->mutex);
    int late = 0;
    while (!w->done && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&w->answered, &w->mutex, &deadline);
    int err = w->done ? w->err : SHUNT_TIMEOUT;
    if (!err) {
        *ret = w->snapshot;
        w->snapshot = NULL;
    }
    (void)pthread_mutex_unlock(&w->mutex);
    wait_unref(w);
    return err;
}

/* ---- STATS ---- */

static const struct totals *totals_now(struct engine *e)
{
    struct totals *t = &e->totals;
    if (t->known && t->index == ledger_index(e->ledger))
        return t;
    *t = (struct totals){.known = true, .index = ledger_index(e->ledger)};
    t->sums = *view_sums(e->ledger);
    t->memory_bytes = figures_memory_bytes();
    return t;
}

/* How full the store is, and what bounds it. */
static void write_store(struct engine *e, struct mpack_buffer *out)
{
    struct store_usage usage;
    store_usage(e->store, &usage);
    struct room_left left = room_left(&e->room, &usage, store_disk_free(e->store));
    const struct {
        const char *key;
        uint64_t value;
    } bytes[] = {{"used", usage.used_bytes},
                 {"free", usage.free_bytes},
                 {"map", usage.map_bytes},
                 {"map_max", usage.map_bytes_max},
                 {"left", left.limit == ROOM_BY_DISK ? left.disk_bytes : left.map_bytes}};
    const uint32_t count = sizeof bytes / sizeof *bytes;
    mpack_write_cstr(out, "store_limit");
    mpack_write_cstr(out, room_cause_name(left.limit));
    mpack_write_cstr(out, "store_bytes");
    mpack_write_map(out, count);
    for (uint32_t i = 0; i < count; i++) {
        mpack_write_cstr(out, bytes[i].key);
        mpack_write_uint(out, bytes[i].value);
    }
}

void look_stats(struct engine *e, struct step *st)
{
    const struct totals *t = totals_now(e);
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {{"uptime_ms", (uint64_t)(e->mono_ms - e->begun_mono_ms)},
                   {"connections", e->connections},
                   {"silent_consumers", dispatcher_silent_count(e->dispatcher)},
                   {"topics", view_topics_count(e->ledger)},
                   {"groups", t->sums.groups},
                   {"commits", e->commits},
                   {"applied_index", ledger_index(e->ledger)},
                   {"memory_bytes", t->memory_bytes},
                   {"published", t->sums.published},
                   {"ready", t->sums.ready},
                   {"in_flight", t->sums.in_flight},
                   {"delayed", t->sums.delayed},
                   {"dead", t->sums.dead},
                   {"acked", t->sums.acked},
                   {"deliveries", t->sums.deliveries},
                   {"conservation_error", t->sums.conservation_error}};
    const uint32_t count = sizeof numbers / sizeof *numbers;
    struct answer a = answer_begin(st->session, st->request_id, 1);
    mpack_write_map(a.out, count + 6);
    mpack_write_cstr(a.out, "server");
    mpack_write_cstr(a.out, "shuntd " SHUNT_VERSION);
    for (uint32_t i = 0; i < count; i++) {
        mpack_write_cstr(a.out, numbers[i].key);
        mpack_write_uint(a.out, numbers[i].value);
    }
    mpack_write_cstr(a.out, "clock_error_ms");
    mpack_write_int(a.out, wall_clock_error_ms(&e->clock));
    mpack_write_cstr(a.out, "silent");
    silence_write(e, a.out);
    mpack_write_cstr(a.out, "full");
    mpack_write_bool(a.out, e->room.fullness >= STORE_FULL);
    write_store(e, a.out);
    answer_end(st->session, st->request_id, &a, 0, NULL);
}
