/* engine: its life and its thread. */
#include "broker/engine/engine.h"
#include "base/check.h"
#include "base/clock.h"
#include "broker/core/identity.h"
#include "broker/engine/deliver.h"
#include "broker/engine/identify.h"
#include "broker/engine/inbox.h"
#include "broker/engine/session.h"
#include "broker/engine/snapshots.h"
#include "broker/engine/state.h"
#include "broker/engine/turn.h"
#include "broker/login/login.h"
#include "proto/errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- life ---- */

static int load(struct engine *e, char *ret_why, size_t why_bytes)
{
    struct store_txn *txn;
    int err = store_begin(e->store, false, &txn);
    if (err) {
        (void)snprintf(ret_why, why_bytes, "the store cannot be read: %s", err_text(err));
        return err;
    }
    err = ledger_new(txn, &e->ledger, ret_why, why_bytes);
    store_abort(txn);
    if (err && why_bytes && !ret_why[0])
        (void)snprintf(ret_why, why_bytes, "the store cannot be loaded: %s", err_text(err));
    return err;
}

static void init_port(struct engine *e)
{
    (void)pthread_mutex_init(&e->mutex, NULL);
    clock_cond_init(&e->wake);
    inbox_list_init(&e->inbox);
    inbox_list_init(&e->backlog);
    e->outbox_tail = &e->outbox;
    ring_init(&e->line);
    ring_init(&e->publishing);
    ring_init(&e->outputs);
}

int engine_new(const struct engine_config *config, struct store *store, struct engine **ret, char *ret_why,
               size_t why_bytes)
{
    check(config->totals && config->notify && config->fatal && store);
    struct engine *e = calloc(1, sizeof *e);
    if (why_bytes)
        ret_why[0] = 0;
    if (!e)
        return SHUNT_NO_MEMORY;
    e->magic = ENGINE_MAGIC;
    e->config = *config;
    if (!e->config.turn_rows_max)
        e->config.turn_rows_max = TURN_ROWS_MAX;
    e->turn =
        (struct share_turn){.rows_max = e->config.turn_rows_max, .only_looks_wait = config->only_looks_wait};
    atomic_store(&config->totals->inbox_bytes_max, config->limits.inbox_bytes_max);
    e->store = store;
    producers_init(&e->producers);
    refusals_init(&e->refusals);
    quotas_init(&e->quotas, &config->limits);
    const struct keys_limits keys = engine_keys_limits(&config->limits);
    keys_init(&e->keys, &keys);
    init_port(e);
    e->dispatcher = dispatcher_new(deliver_ready, e);
    if (e->dispatcher)
        dispatcher_limit(e->dispatcher, config->limits.in_flight_max, config->limits.connections_max);
    int err = e->dispatcher ? load(e, ret_why, why_bytes) : SHUNT_NO_MEMORY;
    if (err) {
        e->store = NULL; /* still the caller's */
        engine_free(e);
        return err;
    }
    if (config->login)
        login_bind(config->login, identify_answered, e);
    wall_clock_begin(&e->clock, e->config.read_clocks, e->config.context, ledger_time(e->ledger),
                     ledger_ahead_ms(e->ledger));
    e->identities = ledger_identities(e->ledger);
    *ret = e; /* before fatal() may be called */
    engine_recover(e);
    return 0;
}

bool engine_has_administrator(const struct engine *e)
{
    check(e->magic == ENGINE_MAGIC);
    return ledger_has_administrator(e->ledger);
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    check(e->magic == ENGINE_MAGIC);
    check(!e->threaded || e->stopped);
    snapshots_refuse(e);
    inbox_free(e->inbox.first);
    inbox_free(e->backlog.first);
    inbox_free(e->handled);
    for (struct outbox_item *item = engine_take(e), *next; item; item = next) {
        next = item->next;
        mpack_buffer_done(&item->bytes);
        link_unref(item->link);
        free(item);
    }
    sessions_free(e, &e->sessions);
    sessions_free(e, &e->gone);
    roster_free(&e->roster);
    producers_free(&e->producers);
    dispatcher_free(e->dispatcher);
    ledger_free(e->ledger);
    store_close(e->store);
    arena_done(&e->arena);
    events_done(e);
    refusals_done(&e->refusals);
    quotas_done(&e->quotas);
    keys_done(&e->keys);
    steps_free(&e->steps);
    collected_free(&e->collected);
    free(e->ended.items);
    free(e->hand_out.assignments);
    (void)pthread_cond_destroy(&e->wake);
    (void)pthread_mutex_destroy(&e->mutex);
    e->magic = 0;
    free(e);
}

void engine_reload(struct engine *e, const struct engine_limits *limits)
{
    check(e->magic == ENGINE_MAGIC);
    atomic_store(&e->config.totals->inbox_bytes_max, limits->inbox_bytes_max);
    (void)pthread_mutex_lock(&e->mutex);
    e->reload = true;
    e->new_limits = *limits;
    (void)pthread_cond_signal(&e->wake);
    (void)pthread_mutex_unlock(&e->mutex);
}

/* ---- the thread ---- */

/* Sleep once, until something may have come in, or something is due by the monotonic clock. That clock stands
 * still while the machine sleeps, and what waits for a wall time is then due earlier: so it is not relied on
 * for long. */
static void wait_once(struct engine *e, int64_t due_mono_ms)
{
    int64_t look_ms = clock_mono_ms() + WALL_CLOCK_LOOK_MS;
    int64_t until_ms = due_mono_ms < look_ms ? due_mono_ms : look_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    if (due_mono_ms == INT64_MAX)
        (void)pthread_cond_wait(&e->wake, &e->mutex);
    else
        (void)pthread_cond_timedwait(&e->wake, &e->mutex, &until); /* the caller looks why it ended */
}

/* Under the mutex, and nobody else runs a turn. */
static bool has_work(struct engine *e)
{
    return e->inbox.first || e->backlog.first || !ring_empty(&e->line) || e->stopping || e->reload ||
           clock_mono_ms() >= e->due_mono_ms || wall_clock_slept(&e->clock);
}

/* Sleep until something comes in, something is due, or the engine stops. True if it is to stop and has
 * nothing left. */
static bool wait_for_work(struct engine *e)
{
    (void)pthread_mutex_lock(&e->mutex);
    while (e->served || !has_work(e)) {
        e->asleep = true;
        e->until_mono_ms = e->served ? INT64_MAX : e->due_mono_ms;
        wait_once(e, e->until_mono_ms);
    }
    e->asleep = false;
    inbox_take(e);
    bool over = e->stopping && !e->backlog.first;
    if (over)
        e->stopped = true;
    (void)pthread_mutex_unlock(&e->mutex);
    return over;
}

static int64_t turn_now(struct engine *e)
{
    int64_t wall_ms, mono_ms;
    wall_clock_now(&e->clock, &wall_ms, &mono_ms);
    return engine_turn(e, wall_ms, mono_ms);
}

static void *run(void *argument)
{
    struct engine *e = magic_of(argument, engine, ENGINE_MAGIC);
    while (!wait_for_work(e)) {
        int64_t due_mono_ms = turn_now(e);
        (void)pthread_mutex_lock(&e->mutex);
        e->due_mono_ms = due_mono_ms;
        (void)pthread_mutex_unlock(&e->mutex);
    }
    engine_farewell(e);
    return NULL;
}

bool engine_serve(struct engine *e)
{
    check(e->magic == ENGINE_MAGIC);
    (void)pthread_mutex_lock(&e->mutex);
    bool serve = e->inbox.first && inbox_may_serve(e);
    bool wake = e->inbox.first && !serve;
    if (serve) {
        e->served = true; /* no other thread has the engine, nor gets it before this one says so */
        inbox_take(e);
    }
    (void)pthread_mutex_unlock(&e->mutex);
    if (wake)
        (void)pthread_cond_signal(&e->wake);
    if (!serve)
        return false;
    int64_t due_mono_ms = turn_now(e);
    (void)pthread_mutex_lock(&e->mutex);
    e->served = false;
    e->due_mono_ms = due_mono_ms;
    wake = due_mono_ms < e->until_mono_ms || has_work(e);
    (void)pthread_mutex_unlock(&e->mutex);
    if (wake)
        (void)pthread_cond_signal(&e->wake);
    return true;
}

uint64_t engine_recovered(const struct engine *e)
{
    check(e->magic == ENGINE_MAGIC);
    return e->recovered;
}

int engine_start(struct engine *e)
{
    check(e->magic == ENGINE_MAGIC);
    check(!e->threaded && !e->stopping);
    if (pthread_create(&e->thread, NULL, run, e))
        return SHUNT_IO;
    e->threaded = true;
    return 0;
}

void engine_stop(struct engine *e)
{
    check(e->magic == ENGINE_MAGIC);
    check(!e->stopping);
    (void)pthread_mutex_lock(&e->mutex);
    e->stopping = true;
    (void)pthread_cond_signal(&e->wake);
    (void)pthread_mutex_unlock(&e->mutex);
    if (e->threaded)
        (void)pthread_join(e->thread, NULL);
}
