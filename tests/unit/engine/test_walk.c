/* test_walk: what a snapshot of many groups looks at is spread over turns. Rows are counted, and no time is.
 * The question is asked by a thread, as the http thread does; the turns are the test's. */
#include "broker/engine/inbox.h"
#include "broker/engine/state.h"
#include "broker/engine/turn.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include "tests/unit/engine/world.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TOPICS = 300, BUDGET = 40, ONE_MORE = 12, TOPICS_MAX = 250 };

struct question {
    struct world *w;
    uint32_t topics_max;
    pthread_t thread;
    struct snapshot *snapshot;
    int err;
    _Atomic bool over;
};

static void *ask(void *argument)
{
    struct question *q = argument;
    q->err = engine_snapshot(q->w->engine, q->topics_max, false, 600000, &q->snapshot);
    atomic_store(&q->over, true);
    return NULL;
}

static void begin(struct question *q, struct world *w, uint32_t topics_max)
{
    *q = (struct question){.w = w, .topics_max = topics_max};
    cr_assert_eq(pthread_create(&q->thread, NULL, ask, q), 0);
}

static void end(struct question *q)
{
    pthread_join(q->thread, NULL);
    cr_assert_eq(q->err, 0);
}

static void create(struct world *w, const char *name)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_TOPIC_CREATE, 1, 2);
    mpack_write_cstr(&frame, name);
    mpack_write_map(&frame, 0);
    frame_end(&frame, at);
    post_frame(w, w->links[0], &frame, NULL);
    world_turn(w);
    read_all(w, w->links[0]);
}

static void delete (struct world *w, const char *name)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_TOPIC_DELETE, 1, 1);
    mpack_write_cstr(&frame, name);
    frame_end(&frame, at);
    post_frame(w, w->links[0], &frame, NULL);
    world_turn(w);
    read_all(w, w->links[0]);
}

/* World's own topic "t" and TOPICS more; each turn may look at BUDGET rows for a snapshot. */
static void start(struct world *w)
{
    world_start(w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20,
                                           .turn_rows_max = 4 * (BUDGET - 1),
                                           .limits.max_topics = 2 * TOPICS});
    for (unsigned i = 0; i < TOPICS; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%03u", i);
        create(w, name);
    }
    publish(w, w->links[0], 3, 10);
    read_all(w, w->links[0]);
}

/* Turns until somebody's question is at work. */
static void turns_until_begun(struct world *w)
{
    while (!w->engine->snapshots.walk.wait)
        world_turn(w);
}

Test(walk, no_turn_looks_at_more_than_the_budget_however_many_topics_there_are)
{
    struct world w;
    struct question q;
    unsigned turns = 0;
    start(&w);
    uint64_t begun = ledger_rows(w.engine->ledger);
    begin(&q, &w, TOPICS_MAX);
    while (!atomic_load(&q.over)) {
        uint64_t before = ledger_rows(w.engine->ledger);
        world_turn(&w);
        uint64_t looked = ledger_rows(w.engine->ledger) - before;
        cr_assert_leq(looked, BUDGET + ONE_MORE);
        turns += looked != 0;
    }
    end(&q);
    uint64_t all = ledger_rows(w.engine->ledger) - begun;
    cr_assert_geq(all, 2 * TOPICS, "a topic and its queue of dead letters cost a row each");
    cr_assert_geq(turns, all / (BUDGET + ONE_MORE));
    cr_assert_eq(q.snapshot->groups, TOPICS + 1);
    cr_assert_eq(q.snapshot->rows_count, TOPICS_MAX);
    cr_assert(q.snapshot->has_rest);
    cr_assert_str_eq(q.snapshot->rows[0].topic, "t");
    cr_assert_eq(q.snapshot->rows[0].ready, 3);
    for (unsigned i = 1; i < TOPICS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%03u", i - 1);
        cr_assert_str_eq(q.snapshot->rows[i].topic, name);
    }
    snapshot_free(q.snapshot);
    world_stop(&w);
}

Test(walk, topics_may_come_and_go_meanwhile)
{
    struct world w;
    struct question q;
    start(&w);
    begin(&q, &w, TOPICS + 10);
    turns_until_begun(&w);
    cr_assert_lt(w.engine->snapshots.walk.snapshot->rows_count, TOPICS);
    delete (&w, "t000"); /* was met */
    delete (&w, "t299"); /* never will be */
    create(&w, "new");
    while (!atomic_load(&q.over))
        world_turn(&w);
    end(&q);
    cr_assert_eq(q.snapshot->rows_count, TOPICS + 1);
    cr_assert_str_eq(q.snapshot->rows[1].topic, "t000");
    cr_assert_str_eq(q.snapshot->rows[TOPICS - 1].topic, "t298");
    cr_assert_str_eq(q.snapshot->rows[TOPICS].topic, "new");
    snapshot_free(q.snapshot);
    world_stop(&w);
}

Test(walk, proof_of_life_does_not_wait_for_it)
{
    struct world w;
    struct question q, life;
    start(&w);
    begin(&q, &w, TOPICS);
    turns_until_begun(&w);
    begin(&life, &w, SNAPSHOT_NO_GROUPS);
    while (!atomic_load(&w.totals.inbox_bytes))
        usleep(100);
    world_turn(&w);
    cr_assert_not_null(w.engine->snapshots.walk.wait, "it is under way");
    end(&life);
    cr_assert_null(life.snapshot->rows);
    while (!atomic_load(&q.over))
        world_turn(&w);
    end(&q);
    snapshot_free(life.snapshot);
    snapshot_free(q.snapshot);
    world_stop(&w);
}

Test(walk, the_next_turn_is_due_at_once_until_it_is_through)
{
    struct world w;
    struct question q;
    start(&w);
    begin(&q, &w, TOPICS);
    turns_until_begun(&w);
    int64_t due_ms = engine_turn(w.engine, WORLD_WALL_MS + w.now_ms, w.now_ms);
    cr_assert_eq(due_ms, w.now_ms);
    while (!atomic_load(&q.over))
        due_ms = engine_turn(w.engine, WORLD_WALL_MS + w.now_ms, w.now_ms);
    end(&q);
    cr_assert_gt(due_ms, w.now_ms);
    snapshot_free(q.snapshot);
    world_stop(&w);
}

Test(walk, who_asked_meanwhile_is_next_and_needs_nobody_else_to_come)
{
    struct world w;
    struct question first, second;
    start(&w);
    begin(&first, &w, TOPICS);
    turns_until_begun(&w);
    begin(&second, &w, TOPICS);
    while (!atomic_load(&w.totals.inbox_bytes))
        usleep(100);
    inbox_take(w.engine);
    int64_t due_ms = w.now_ms;
    while (due_ms == w.now_ms) /* nothing wakes the engine but its own word */
        due_ms = engine_turn(w.engine, WORLD_WALL_MS + w.now_ms, w.now_ms);
    cr_assert_null(w.engine->snapshots.waits, "somebody still waits, and the engine sleeps");
    end(&first);
    end(&second);
    snapshot_free(first.snapshot);
    snapshot_free(second.snapshot);
    world_stop(&w);
}

Test(walk, a_stop_answers_whoever_waits)
{
    struct world w;
    struct question q;
    start(&w);
    begin(&q, &w, TOPICS);
    turns_until_begun(&w);
    world_stop(&w);
    pthread_join(q.thread, NULL);
    cr_assert_eq(q.err, SHUNT_SHUTTING_DOWN);
}

/* A message of the topic "t" dies of its time to live. */
static void die_one(struct world *w)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_TOPIC_UPDATE, 1, 2);
    mpack_write_cstr(&frame, "t");
    mpack_write_map(&frame, 1);
    mpack_write_cstr(&frame, "ttl_ms");
    mpack_write_uint(&frame, 1000);
    frame_end(&frame, at);
    post_frame(w, w->links[0], &frame, NULL);
    publish(w, w->links[0], 1, 1);
    w->now_ms += 5000;
    world_turn(w);
    world_turn(w);
    read_all(w, w->links[0]);
}

static struct snapshot *ask_whole(struct world *w, uint32_t topics_max)
{
    struct question q;
    begin(&q, w, topics_max);
    while (!atomic_load(&q.over))
        world_turn(w);
    end(&q);
    return q.snapshot;
}

Test(walk, of_the_unattended_those_groups_alone_are_shown_and_the_sums_of_others_stay)
{
    struct world w;
    start(&w);
    snapshot_free(ask_whole(&w, 0)); /* from here on growth is told */
    die_one(&w);
    struct snapshot *s = ask_whole(&w, SNAPSHOT_UNATTENDED);
    cr_assert_eq(s->rows_count, 1, "not the %d others", TOPICS);
    cr_assert_str_eq(s->rows[0].topic, "t");
    cr_assert_eq(s->rows[0].unattended, 1);
    cr_assert(s->rows[0].oldest_unattended_ms);
    cr_assert(!s->has_rest);
    snapshot_free(s);
    s = ask_whole(&w, 0);
    cr_assert_eq(s->rest.published, 1, "it grew by the one that died");
    snapshot_free(s);
    world_stop(&w);
}
