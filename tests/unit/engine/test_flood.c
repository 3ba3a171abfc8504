/* test_flood: one connection sends as much as it can of one kind of request, and a quiet one asks for little.
 * Turns and work are counted, and no time is. Without a thread; the test is the net. */
#include "broker/engine/inbox.h"
#include "broker/engine/state.h"
#include "broker/engine/turn.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include "tests/unit/engine/world.h"
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>

enum { FRAMES = 3000, BATCH = 200, ROUNDS = 20 };

struct kind {
    char name[32];
    unsigned frames;
    unsigned messages; /* in each, published */
    int64_t delay_ms, ttl_ms;
    unsigned op; /* 0: PUBLISH */
    bool unknown_topic;
};

static struct kind kinds[] = {
    {.name = "single publishes", .frames = FRAMES, .messages = 1},
    {.name = "tiny messages", .frames = FRAMES / 10, .messages = BATCH},
    {.name = "tiny with delay and ttl",
     .frames = FRAMES / 10,
     .messages = BATCH,
     .delay_ms = 60000,
     .ttl_ms = 60000},
    {.name = "unknown topic", .frames = FRAMES, .messages = 1, .unknown_topic = true},
    {.name = "unknown operations", .frames = FRAMES, .op = 99},
    {.name = "stale answers", .frames = FRAMES, .op = OP_RESOLVE},
    {.name = "pings", .frames = FRAMES, .op = OP_PING},
    {.name = "statistics", .frames = FRAMES, .op = OP_STATS},
};

ParameterizedTestParameters(flood, a_quiet_client_is_answered_in_the_turn_in_which_it_asks)
{
    return cr_make_param_array(struct kind, kinds, sizeof kinds / sizeof *kinds);
}

static void write_message(struct mpack_buffer *b, const struct kind *k)
{
    mpack_write_array(b, 5);
    mpack_write_bin(b, "x", 1);
    mpack_write_map(b, 0);
    mpack_write_nil(b);
    mpack_write_int(b, k->delay_ms);
    mpack_write_int(b, k->ttl_ms);
}

static void write_request(struct mpack_buffer *b, const struct kind *k, uint64_t id)
{
    size_t frame;
    if (k->op == OP_RESOLVE) {
        frame = frame_begin(b, OP_RESOLVE, id, 2);
        mpack_write_uint(b, 1);
        mpack_write_array(b, 1);
        mpack_write_array(b, 3);
        mpack_write_uint(b, 1);
        mpack_write_uint(b, 1);
        mpack_write_uint(b, OUTCOME_ACK);
    } else if (k->op) {
        frame = frame_begin(b, k->op, id, 0);
    } else {
        frame = frame_begin(b, OP_PUBLISH, id, 4);
        mpack_write_cstr(b, k->unknown_topic ? "nowhere" : "t");
        mpack_write_uint(b, 0);
        mpack_write_uint(b, 0);
        mpack_write_array(b, k->messages);
        for (unsigned i = 0; i < k->messages; i++)
            write_message(b, k);
    }
    frame_end(b, frame);
}

static void flood(struct world *w, struct link *link, const struct kind *k)
{
    struct mpack_buffer frames = {0};
    for (unsigned i = 0; i < k->frames; i++)
        write_request(&frames, k, i + 1);
    post_frame(w, link, &frames, NULL);
}

/* One turn, whose output is written; returns how many bytes there were for `link`. */
static size_t turn(struct world *w, const struct link *link)
{
    size_t size = 0;
    inbox_take(w->engine);
    (void)engine_turn(w->engine, w->engine->wall_ms, w->engine->mono_ms + 1);
    for (struct outbox_item *item = engine_take(w->engine), *next; item; item = next) {
        next = item->next;
        size += item->link == link ? item->bytes.size : 0;
        atomic_fetch_sub(&item->link->account.unsent_bytes, item->bytes.size);
        atomic_fetch_sub(&w->totals.waiting_bytes, item->bytes.size);
        mpack_buffer_done(&item->bytes);
        link_unref(item->link);
        free(item);
    }
    return size;
}

ParameterizedTest(struct kind *k, flood, a_quiet_client_is_answered_in_the_turn_in_which_it_asks)
{
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 64u << 20});
    uint64_t share = w.engine->config.turn_rows_max / 4;
    flood(&w, w.links[1], k);
    flood(&w, w.links[1], k);
    unsigned waited = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        post_ping(&w, w.links[2], NULL);
        cr_assert_gt(turn(&w, w.links[2]), 0, "%s: round %u", k->name, i);
        /* One request may go beyond the share. */
        cr_assert_leq(w.engine->turn.rows, share + BATCH * 32, "%s: %lu rows", k->name,
                      (unsigned long)w.engine->turn.rows);
        waited += !ring_empty(&w.engine->line);
    }
    cr_assert_gt(waited, 0, "%s: it was no flood", k->name);
    for (unsigned turns = 0; !ring_empty(&w.engine->line); turns++) {
        cr_assert_lt(turns, 10000, "%s: and the flood comes to its end", k->name);
        (void)turn(&w, w.links[1]);
    }
    cr_assert_eq(atomic_load(&w.totals.inbox_bytes), 0);
    cr_assert_eq(atomic_load(&w.links[1]->account.inbox_bytes), 0);
    cr_assert_eq(atomic_load(&w.links[1]->account.held_bytes), 0);
    world_stop(&w);
}

Test(flood, what_a_lost_connection_sent_before_counts)
{
    struct world w;
    struct group_ready ready;
    struct kind k = {.name = "single", .frames = FRAMES, .messages = 1};
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 64u << 20});
    for (unsigned i = 0; i < 4; i++)
        flood(&w, w.links[1], &k);
    post(&w, w.links[1], PORT_LOST);
    (void)turn(&w, w.links[1]);
    cr_assert_not(ring_empty(&w.engine->line));
    while (!ring_empty(&w.engine->line))
        (void)turn(&w, w.links[1]);
    ledger_group_ready(w.engine->ledger, 1, &ready);
    cr_assert_eq(ready.lane[LANE_NORMAL], 4 * FRAMES);
    world_stop(&w);
}

Test(flood, a_lost_connection_comes_to_its_end_though_others_read_nothing)
{
    enum { ALL = 1 << 20 };
    struct world w;
    struct kind k = {.name = "unknown operations", .frames = FRAMES, .op = 99};
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = ALL, .limits.unsent_total_max = ALL});
    for (unsigned i = 0; i < 4; i++)
        flood(&w, w.links[1], &k);
    (void)turn(&w, w.links[1]);
    post(&w, w.links[1], PORT_LOST);
    (void)turn(&w, w.links[1]);
    cr_assert_not(ring_empty(&w.engine->line));
    atomic_fetch_add(&w.totals.waiting_bytes, ALL); /* of the others */
    for (unsigned turns = 0; w.links[1]->session; turns++) {
        cr_assert_lt(turns, FRAMES);
        (void)turn(&w, w.links[1]);
    }
    cr_assert_eq(atomic_load(&w.links[1]->account.held_bytes), 0);
    cr_assert_eq(atomic_load(&w.totals.waiting_bytes), ALL);
    world_stop(&w);
}

Test(flood, one_connection_fills_its_share_of_the_inbox_and_no_more)
{
    struct world w;
    struct kind k = {.name = "tiny", .frames = 100, .messages = BATCH};
    world_start(
        &w, &(struct engine_config){.limits.unsent_bytes_max = 64u << 20, .limits.inbox_bytes_max = 4 << 20});
    unsigned posted = 0;
    for (; !engine_inbox_full(w.engine, w.links[1]); posted++)
        flood(&w, w.links[1], &k);
    cr_assert_gt(posted, 0);
    cr_assert_lt(atomic_load(&w.links[1]->account.inbox_bytes), 1 << 20);
    cr_assert(!engine_inbox_full(w.engine, w.links[2]), "others are read");
    w.notified = 0;
    while (atomic_load(&w.links[1]->account.inbox_bytes) || !ring_empty(&w.engine->line))
        (void)turn(&w, w.links[1]);
    cr_assert(!engine_inbox_full(w.engine, w.links[1]));
    cr_assert_gt(w.notified, 0, "and the net is told");
    world_stop(&w);
}
