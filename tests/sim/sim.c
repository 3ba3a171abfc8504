/* sim: one run from its seed to its verdict. */
#include "proto/policy.h"
#include "tests/sim/model.h"
#include "tests/sim/server.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_ROUNDS_MAX 20000 /* a thousand dead letters may be redriven one by one */
/* Longer than any lease or delay, much shorter than answers to publishes are kept. */
#define LEAP_US_MAX 60000000

/* ---- services ---- */

void sim_fail(struct sim *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(s->why, sizeof s->why, format, arguments);
    va_end(arguments);
    longjmp(s->failed, 1);
}

/* FNV-1a over 64-bit words, as far as they go. */
static uint64_t hash(uint64_t h, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15ull;
        h ^= h >> 29;
    }
    for (; size; size--, at++)
        h = (h ^ *at) * 1099511628211ull;
    return h ^ h >> 32;
}

void sim_trace(struct sim *s, const void *bytes, size_t size)
{
    s->trace = hash(s->trace + size, bytes, size);
}

void sim_trace_number(struct sim *s, uint64_t number)
{
    sim_trace(s, &number, sizeof number);
}

uint64_t sim_digest(const void *bytes, size_t size)
{
    uint64_t digest = hash(0x5eed + size, bytes, size);
    return digest ? digest : 1;
}

int64_t sim_wall_us(const struct sim *s)
{
    return s->mono_us + s->wall_us_ahead;
}

struct history_event *sim_event(struct sim *s, enum history_kind kind)
{
    return history_note(&s->history, kind, s->mono_us);
}

/* ---- the plan ---- */

/* Most runs are small and calm in most respects: what goes wrong is then to be understood. */
static unsigned rate(struct dice *d, unsigned most)
{
    return dice_once_in(d, 2) ? (unsigned)dice_below(d, most + 1) : 0;
}

static struct plan make_plan(struct sim *s)
{
    static const int64_t leases[] = {20, 100, 1000, 30000};
    struct dice *d = &s->dice;
    struct plan p = {.rounds = (unsigned)dice_from(d, 60, 220),
                     .clients = (unsigned)dice_from(d, 3, 7),
                     .topics = (unsigned)dice_from(d, 1, 3),
                     .break_percent = rate(d, 3),
                     .crash_percent = rate(d, 30),
                     .fault_percent = rate(d, 30),
                     .stall_percent = rate(d, 10),
                     .jump_percent = rate(d, 30),
                     .damage_percent = dice_once_in(d, 4) ? 20 : 0,
                     .hostile_percent = rate(d, 20),
                     .end_percent = rate(d, 10),
                     .deaf_percent = rate(d, 10),
                     .fragment_max = dice_once_in(d, 3) ? (unsigned)dice_from(d, 1, 64) : 20000,
                     .unsent_bytes_max = dice_once_in(d, 4) ? dice_from(d, 500, 5000) : 1024 * 1024,
                     .look_at_all = dice_once_in(d, 4),
                     .dlq_consumers = dice_once_in(d, 3),
                     .ttl = dice_once_in(d, 3),
                     .admin = dice_once_in(d, 2),
                     .rules = dice_once_in(d, 3),
                     .lease_ms = leases[dice_below(d, 4)],
                     .backoff_ms = (int64_t)dice_from(d, 1, 500),
                     .resume_wait_ms = dice_once_in(d, 2) ? (int64_t)dice_from(d, 1, 3000) : 0,
                     .max_attempts = (unsigned)dice_from(d, 1, 4)};
    if (dice_once_in(d, 5)) {
        p.unsent_total_max = dice_from(d, 1000, 2500); /* so little that it is often reached */
        p.deaf_percent = 50;
    }
    if (dice_once_in(d, 5))
        p.full_bytes = dice_from(d, 8000, 60000);
    return p;
}

/* A planted bug shows only where its conditions occur. */
static void plan_for_plant(struct sim *s)
{
    if (s->plant == PLANT_NONE)
        return;
    s->plan.breaker = plant_is_of_breakers(s->plant);
    if (s->plant >= PLANT_JOURNAL_EARLY_REPLY) {
        s->plan.journal = true;
        s->plan.crash_percent = 30;
        return;
    }
    s->plan.journal = false;
    if (s->plant >= PLANT_OVER_CREDIT) {
        s->plan.break_percent = 3;
        s->plan.admin = true;
        s->plan.end_percent = 20;
        if (s->plant == PLANT_UNTOLD_ROOM) {
            s->plan.unsent_total_max = 2000;
            s->plan.deaf_percent = 50;
        }
        if (plant_is_of_rules(s->plant)) {
            s->plan.rules = true;
            s->plan.crash_percent = s->plan.crash_percent > 20 ? s->plan.crash_percent : 20;
        }
        if (plant_is_of_turns(s->plant)) {
            s->plan.fair = true;
            s->plan.ordered = false;
            s->plan.full_bytes = 0;
            s->plan.crash_percent = 20;
        }
        s->plan.within |= s->plant == PLANT_LATE_BEGIN;
        if (s->plant == PLANT_UNTOLD_DAMAGE) {
            s->plan.ordered = true;
            s->plan.damage_percent = 60;
        }
        if (plant_is_of_order(s->plant)) {
            s->plan.ordered = true;
            s->plan.key_run = s->plant == PLANT_RUN_KEPT ? 3 : 1;
            if (plant_is_of_dead(s->plant) && s->plan.on_dead == ON_DEAD_CONTINUE)
                s->plan.on_dead = ON_DEAD_BLOCK;
            s->plan.crash_percent = s->plant == PLANT_ORDER_RESTART ? 30 : s->plan.crash_percent;
            if (s->plant == PLANT_ORDER_LEASE)
                s->plan.lease_ms = 100; /* so that some run out */
        }
        return;
    }
    s->plan.crash_percent = s->plan.crash_percent > 20 ? s->plan.crash_percent : 20;
    s->plan.damage_percent = s->plant == PLANT_NO_CHECKSUM ? 60 : 0;
    s->plan.admin = s->plan.ttl = s->plan.dlq_consumers = false;
    s->plan.full_bytes = 0;
}

/* Nothing goes wrong. */
static void calm_down(struct plan *p)
{
    p->break_percent = p->crash_percent = p->fault_percent = p->stall_percent = 0;
    p->jump_percent = p->damage_percent = p->hostile_percent = p->end_percent = p->deaf_percent = 0;
    p->unsent_total_max = p->full_bytes = 0;
}

/* ---- rounds ---- */

static void go_wrong(struct sim *s)
{
    const struct plan *p = &s->plan;
    struct dice *d = &s->dice;
    if (server_is_up(s) && dice_below(d, 1000) < p->crash_percent)
        server_kill(s);
    if (server_is_up(s) && dice_below(d, 1000) < p->fault_percent) {
        s->figures.commit_faults++;
        disk_arm(&s->disk, (enum disk_fault)dice_from(d, DISK_FAIL_BEFORE, DISK_FAIL_WRITE));
    }
    if (dice_below(d, 1000) < p->jump_percent) {
        static const int64_t seconds[] = {1, 60, 3600, 86400, 315360000};
        int64_t jump_us = seconds[dice_below(d, 5)] * 1000000;
        s->wall_us_ahead += dice_once_in(d, 2) ? jump_us : -jump_us;
        s->figures.jumps++;
    }
    if (server_is_up(s) && dice_below(d, 1000) < p->damage_percent)
        (void)server_damage(s);
    for (unsigned i = 0; i < s->clients_count; i++) {
        if (s->clients[i]->conn && dice_percent(d, p->break_percent))
            conn_break(s->clients[i]->conn);
    }
}

/* Nothing is on its way. */
static bool is_quiet(struct sim *s)
{
    for (unsigned i = 0; i < s->clients_count; i++) {
        struct conn *c = s->clients[i]->conn;
        if (c && !conn_is_quiet(c))
            return false;
    }
    return true;
}

static void pass_time(struct sim *s)
{
    struct dice *d = &s->dice;
    int64_t due_us = server_due_us(s);
    s->mono_us += (int64_t)dice_below(d, s->draining ? 2000 : 5000);
    bool leap = s->draining ? is_quiet(s) && dice_once_in(d, 4) : dice_once_in(d, 10);
    if (leap && due_us > s->mono_us)
        s->mono_us = due_us - s->mono_us < LEAP_US_MAX ? due_us : s->mono_us + LEAP_US_MAX;
    else if (!s->draining && dice_once_in(d, 40))
        s->mono_us += (int64_t)dice_below(d, 2000000);
}

static void round_once(struct sim *s)
{
    s->figures.rounds++;
    for (unsigned i = 0; i < s->clients_count; i++)
        s->clients[i]->ops->act(s->clients[i]);
    server_round(s);
    if (!s->draining)
        go_wrong(s);
    pass_time(s);
    sim_trace_number(s, (uint64_t)s->mono_us);
}

static bool all_idle(struct sim *s)
{
    for (unsigned i = 0; i < s->clients_count; i++) {
        if (!s->clients[i]->ops->idle(s->clients[i]))
            return false;
    }
    return true;
}

static void drain(struct sim *s)
{
    unsigned rounds = 0;
    s->draining = true;
    s->disk.full_bytes = UINT64_MAX / 2; /* what is left of it must not wrap round */
    s->plan.fragment_max = 50000;
    s->disk.stall_us_max = 0;
    disk_calm(&s->disk);
    for (unsigned i = 0; i < s->conns_count; i++)
        s->conns[i]->to_client.stalled_until_us = 0;
    while (rounds++ < DRAIN_ROUNDS_MAX) {
        round_once(s);
        if (server_is_drained(s) && all_idle(s))
            break;
    }
    sim_event(s, HISTORY_END)->result = rounds <= DRAIN_ROUNDS_MAX ? HISTORY_OK : HISTORY_ERROR;
}

/* ---- verdicts ---- */

/* The record of batches, applied to an empty store, gives the same state. */
static void compare_replay(struct sim *s)
{
    if (s->plant != PLANT_NONE && s->plant != PLANT_UNTOLD_DAMAGE)
        return;
    struct store *second = disk_replay(&s->disk);
    if (!second)
        sim_fail(s, "the batches cannot be applied to a second store");
    uint64_t first_hash = disk_hash(s->disk.store), second_hash = disk_hash(second);
    store_close(second);
    if (first_hash != second_hash) {
        sim_fail(s, "the batches give another state: %016" PRIx64 ", not %016" PRIx64, second_hash,
                 first_hash);
    }
    sim_trace_number(s, first_hash);
}

static void judge(struct sim *s)
{
    struct history_verdict v;
    if (server_is_up(s))
        server_report(s);
    history_judge(&s->history, &v);
    if (v.problems)
        sim_fail(s, "%" PRIu64 " problems in the history:\n%s", v.problems, v.text);
}

static void make_clients(struct sim *s)
{
    s->clients[s->clients_count++] = operator_new(s, 0);
    for (unsigned i = 1; i < s->plan.clients; i++) {
        s->clients[s->clients_count++] =
            dice_once_in(&s->dice, 2) ? core_client_new(s, i) : raw_client_new(s, i);
    }
}

static void run(struct sim *s)
{
    if (!disk_init(&s->disk, &s->dice, &s->mono_us))
        abort();
    if (s->plan.full_bytes)
        s->disk.full_bytes = s->plan.full_bytes;
    if (s->plan.journal && !disk_journal_begin(&s->disk, s->seed))
        sim_fail(s, "the journal does not begin");
    s->disk.stall_us_max = dice_once_in(&s->dice, 3) ? 50000 : 0;
    if (!s->no_model)
        model_begin(s);
    (void)server_start(s);
    make_clients(s);
    for (unsigned i = 0; i < s->plan.rounds; i++)
        round_once(s);
    drain(s);
    disk_hold_faults(&s->disk);
    if (server_is_up(s))
        model_end(s, s->server->engine);
    judge(s);
    server_check(s);
    compare_replay(s);
}

static bool attempt(struct sim *s)
{
    if (setjmp(s->failed))
        return false;
    run(s);
    return true;
}

/* So small that it opens often. */
static void plan_breaker(struct sim *s)
{
    uint64_t by = sim_digest(&s->seed, sizeof s->seed) / 144;
    s->plan.breaker = by % 3 == 0;
    s->plan.breaker_window = 5 + (int64_t)(by / 3 % 4);
    s->plan.breaker_threshold = by / 12 % 2 ? 50 : 60;
    s->plan.breaker_pause_ms = 10 + (int64_t)(by / 24 % 100);
}

bool sim_run(struct sim *s, uint64_t seed, enum plant plant, const struct sim_how *how, FILE *history_to)
{
    *s = (struct sim){.seed = seed,
                      .dice = {.state = seed * 0x2545f4914f6cdd1dull + 1},
                      .plant = plant,
                      .no_model = how->no_model,
                      .mono_us = 1000000000,
                      .wall_us_ahead = 1700000000000000,
                      .op_next = 1,
                      .trace = seed};
    s->plan = make_plan(s);
    s->plan.journal = sim_digest(&seed, sizeof seed) % 2;
    s->plan.ordered = sim_digest(&seed, sizeof seed) / 2 % 3 == 0;
    s->plan.on_dead = (unsigned)(sim_digest(&seed, sizeof seed) / 6 % 3);
    s->plan.follow_max = 1 + (unsigned)(sim_digest(&seed, sizeof seed) / 18 % 4);
    s->plan.fair = sim_digest(&seed, sizeof seed) / 72 % 2;
    s->plan.key_run = 1 + (unsigned)(sim_digest(&seed, sizeof seed) / 345600 % 4);
    s->plan.within = sim_digest(&seed, sizeof seed) / 1382400 % 3 == 0;
    plan_breaker(s);
    plan_for_plant(s);
    plant_begin(s);
    if (how->calm)
        calm_down(&s->plan);
    bool good = attempt(s);
    if (history_to)
        history_write(&s->history, history_to);
    return good;
}

void sim_done(struct sim *s)
{
    for (unsigned i = 0; i < s->clients_count; i++)
        s->clients[i]->ops->free(s->clients[i]);
    s->clients_count = 0;
    server_free(s);
    model_done(s);
    disk_done(&s->disk);
    history_done(&s->history);
}
