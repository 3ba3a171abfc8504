/* server: incarnations of the engine, its turns, and what it left behind. */
#include "tests/sim/server.h"
#include "broker/engine/inbox.h"
#include "broker/engine/outbox.h"
#include "broker/engine/turn.h"
#include "tests/sim/model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define POKE_ROUNDS 8

bool server_is_up(const struct sim *s)
{
    return s->server && s->server->engine;
}

/* ---- the engine's seams ---- */

static void on_notify(void *context)
{
    (void)context; /* the outbox is looked at after every turn */
}

static void on_fatal(void *context, int err, const char *text)
{
    struct sim *s = context;
    s->server->died_err = err;
    (void)snprintf(s->server->died_of, sizeof s->server->died_of, "%s (%s)", text, err_name(err));
    longjmp(s->server->died, 1);
}

static void on_read_clocks(void *context, struct clock_reading *ret)
{
    const struct sim *s = context;
    *ret = (struct clock_reading){.wall_us = sim_wall_us(s), .mono_us = s->mono_us};
}

static void on_applied(void *context, const struct batch *batch)
{
    struct sim *s = context;
    struct batch told = *batch;
    while (plant_is(PLANT_UNTOLD_DAMAGE) && told.count && told.commands->kind == COMMAND_DAMAGED) {
        told.commands++;
        told.count--;
    }
    disk_record(&s->disk, &told);
}

static struct engine_config config(struct sim *s)
{
    return (struct engine_config){.limits = {.max_body_bytes = 64 * 1024,
                                             .max_topics = 50,
                                             .max_groups = 8,
                                             .in_flight_max = s->seed % 3 == 0 ? 1 + s->seed % 40 : 0,
                                             .connections_max = s->seed % 2 ? 5 : 0,
                                             .resume_wait_ms = s->plan.resume_wait_ms,
                                             .dedup_window_ms = 3600 * 1000,
                                             .unsent_bytes_max = s->plan.unsent_bytes_max,
                                             .unsent_total_max = s->plan.unsent_total_max,
                                             .inbox_bytes_max = 256 * 1024,
                                             .commit_bytes_max = dice_from(&s->dice, 512, 64 * 1024),
                                             .ack_wait_ms = (int64_t)dice_below(&s->dice, 4)},
                                  .totals = &s->server->totals,
                                  .turn_rows_max = s->seed % 4 < 2 ? 128 + s->seed % 50 * 16 : 0,
                                  .only_looks_wait = true,
                                  .notify = on_notify,
                                  .fatal = on_fatal,
                                  .context = s,
                                  .read_clocks = on_read_clocks,
                                  .applied = on_applied};
}

/* ---- life and death ---- */

static bool is_excused(const struct sim *s)
{
    return s->disk.failures > s->server->faults_seen && s->server->died_err == SHUNT_IO;
}

static void died(struct sim *s)
{
    s->figures.deaths++;
    sim_trace_number(s, 0xdead);
    if (!is_excused(s))
        sim_fail(s, "the engine died and nothing had failed: %s", s->server->died_of);
    server_kill(s);
}

static bool make_engine(struct sim *s)
{
    char why[512] = "";
    if (setjmp(s->server->died)) {
        died(s);
        return false;
    }
    int err = engine_new(&s->server->config, s->disk.store, &s->server->engine, why, sizeof why);
    if (err) {
        s->server->died_err = err;
        (void)snprintf(s->server->died_of, sizeof s->server->died_of, "%.200s", why);
        died(s);
    }
    return !err;
}

bool server_start(struct sim *s)
{
    struct server *v = s->server;
    if (!v) {
        v = s->server = calloc(1, sizeof *v);
        if (!v)
            abort();
        v->pool.held_bytes_max = 1024 * 1024;
    }
    v->config = config(s);
    v->totals = (struct flow_totals){0};
    v->due_ms = 0;
    v->faults_seen = s->disk.failures - (s->disk.armed != DISK_WELL);
    model_starting(s);
    if (!make_engine(s))
        return false;
    audit(s, v->engine);
    model_started(s, v->engine);
    return true;
}

static void recover(struct sim *s)
{
    char why[512] = "";
    if (!disk_recover(&s->disk, why, sizeof why))
        sim_fail(s, "the store after a crash: %s", why);
}

void server_kill(struct sim *s)
{
    struct server *v = s->server;
    s->figures.crashes++;
    (void)sim_event(s, HISTORY_RESTART);
    sim_trace_number(s, 0xc0ffee);
    for (unsigned i = 0; i < s->conns_count; i++)
        conn_cut(s->conns[i]);
    disk_crash(&s->disk); /* before the engine goes, because it would abort open transactions in order */
    engine_free(v->engine);
    v->engine = NULL;
    recover(s);
    reader_pool_done(&v->pool);
    v->up_at_us = s->mono_us + (int64_t)dice_below(&s->dice, 300000);
    model_restart(s);
    plant_crash(s);
    server_check(s);
    sim_trace_number(s, disk_index(&s->disk));
}

void server_free(struct sim *s)
{
    struct server *v = s->server;
    for (unsigned i = 0; i < s->conns_count; i++)
        conn_free(s->conns[i]);
    s->conns_count = 0;
    if (!v)
        return;
    if (s->disk.store)
        disk_crash(&s->disk);
    engine_free(v->engine);
    reader_pool_done(&v->pool);
    free(v);
    s->server = NULL;
}

/* ---- turns ---- */

bool server_turn_is_open(const struct sim *s)
{
    return server_is_up(s) && s->server->engine->txn;
}

static void take_outbox(struct sim *s)
{
    struct engine *e = s->server->engine;
    for (struct outbox_item *item = engine_take(e), *next; item; item = next) {
        next = item->next;
        conn_take_output(item->link->conn, item, s->mono_us / 1000 * 1000); /* as it counts */
        mpack_buffer_done(&item->bytes);
        link_unref(item->link);
        free(item);
    }
}

/* What the engine takes for waiting is what waits. */
static void check_waiting(struct sim *s)
{
    const struct engine *e = s->server->engine;
    uint64_t waiting = 0;
    if (e->backlog.first)
        return; /* of connections that it does not know to be gone */
    for (unsigned i = 0; i < s->conns_count; i++) {
        const struct conn *c = s->conns[i];
        waiting += c->link ? c->written - c->freed + atomic_load(&c->link->account.held_bytes) : 0;
    }
    /* Of those whose connection is gone. */
    for (const struct session *lost = e->sessions.head; lost; lost = lost->next)
        waiting += !flow_may(&lost->flow, FLOW_HEAR) ? atomic_load(&lost->link->account.held_bytes) : 0;
    if (waiting != engine_waiting(e)) {
        sim_fail(s, "%" PRIu64 " bytes wait on all connections, and %zu are counted", waiting,
                 engine_waiting(e));
    }
}

static void turn(struct sim *s)
{
    struct server *v = s->server;
    struct engine *e = v->engine;
    if (setjmp(v->died)) {
        model_died(s);
        died(s);
        return;
    }
    int64_t wall_ms, mono_ms, last_ms = ledger_time(e->ledger);
    inbox_take(e); /* no other thread: no lock */
    wall_clock_now(&e->clock, &wall_ms, &mono_ms);
    model_turn(s, wall_ms > last_ms ? wall_ms : last_ms, mono_ms);
    v->due_ms = engine_turn(e, wall_ms, mono_ms);
    s->figures.turns++;
    s->figures.full_turns += e->room.fullness >= STORE_FULL;
    s->figures.queued += !ring_empty(&e->line);
    sim_trace_number(s, ledger_index(e->ledger));
    take_outbox(s);
    s->figures.bound += atomic_load(&v->totals.room_wanted);
    bool look = s->plan.look_at_all || dice_once_in(&s->dice, 16);
    if (server_turn_is_open(s))
        return;
    check_waiting(s);
    model_turned(s, e, look);
    if (look)
        audit(s, e);
}

static bool has_reason(const struct sim *s)
{
    const struct server *v = s->server;
    return v->engine->inbox.first || v->engine->backlog.first || v->due_ms <= s->mono_us / 1000;
}

/* A turn that nothing asked for has nothing to say: what it does say, somebody has waited for who was
 * forgotten. */
static void poke(struct sim *s)
{
    struct server *v = s->server;
    uint64_t sent_bytes = v->sent_bytes;
    int64_t tick_ms = ledger_tick_at(v->engine->ledger);
    s->figures.pokes++;
    turn(s);
    if (v->engine && v->engine->wall_ms < tick_ms && v->sent_bytes != sent_bytes)
        sim_fail(s, "what could be sent was not, until a turn came that nothing had asked for");
}

/* The engine stopped handing out, for too much waited on all connections together; now it may go on. */
static bool tell_of_room(struct sim *s)
{
    if (!flow_room_came(&s->server->totals, s->plan.unsent_total_max))
        return false;
    struct inbox_item *item = calloc(1, sizeof *item);
    if (!item)
        abort();
    item->kind = PORT_ROOM;
    s->figures.room_told++;
    engine_post(s->server->engine, item);
    return true;
}

/* What has come waits for a later round. */
static bool is_busy(struct sim *s)
{
    return s->plan.within && !s->draining && dice_once_in(&s->dice, 4);
}

void server_round(struct sim *s)
{
    struct server *v = s->server;
    if (!v->engine) {
        if (s->mono_us < v->up_at_us || !server_start(s))
            return;
    }
    disk_journal_step(&s->disk);
    bool told = tell_of_room(s);
    if ((told || s->figures.rounds % POKE_ROUNDS == 0) && !has_reason(s) && !v->engine->txn)
        poke(s);
    for (unsigned i = 0; v->engine && i < s->conns_count; i++)
        conn_move_to_server(s->conns[i]);
    if (v->engine && has_reason(s) && !is_busy(s))
        turn(s);
    for (unsigned i = 0; i < s->conns_count; i++)
        conn_move_to_client(s->conns[i]);
    if (v->engine)
        conn_thin_out(s);
}

int64_t server_due_us(const struct sim *s)
{
    const struct server *v = s->server;
    if (!v->engine)
        return v->up_at_us;
    if (v->engine->inbox.first || v->engine->backlog.first)
        return s->mono_us;
    return v->due_ms > INT64_MAX / 1000 ? INT64_MAX : v->due_ms * 1000;
}
