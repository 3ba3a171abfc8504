/* test_divide: a request that is more than a share is handled in parts, and answered once. Rows, turns and
 * answers are counted, and no time is. Without a thread; the test is the net. */
#include "broker/engine/state.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include "tests/unit/engine/world.h"
#include <criterion/criterion.h>

enum { SHARE = 2000, TURN = 16 * SHARE, TIMED = 1000, ENTRIES = 3000, ANSWERS = 20 };

static struct engine_config narrow(void)
{
    return (struct engine_config){
        .turn_rows_max = TURN, .limits.unsent_bytes_max = 64u << 20, .limits.inbox_bytes_max = 64u << 20};
}

static void write_publish(struct mpack_buffer *b, uint64_t id, const char *topic, unsigned count,
                          int64_t ttl_ms)
{
    size_t frame = frame_begin(b, OP_PUBLISH, id, 4);
    mpack_write_cstr(b, topic);
    mpack_write_uint(b, 0);
    mpack_write_uint(b, 0);
    mpack_write_array(b, count);
    for (unsigned i = 0; i < count; i++) {
        mpack_write_array(b, 5);
        mpack_write_bin(b, "x", 1);
        mpack_write_map(b, 0);
        mpack_write_nil(b);
        mpack_write_int(b, 0);
        mpack_write_int(b, ttl_ms);
    }
    frame_end(b, frame);
}

static void post_publish(struct world *w, unsigned link, uint64_t id, const char *topic, unsigned count)
{
    struct mpack_buffer b = {0};
    write_publish(&b, id, topic, count, 60000);
    post_frame(w, w->links[link], &b, NULL);
}

/* The first frames that were sent to it since it last was asked about: op, id, and three fields that are
 * numbers. */
struct told {
    unsigned count;
    uint64_t fields[ANSWERS][5];
};

static struct told take_told(struct world *w, unsigned link)
{
    struct told told = {0};
    struct mpack_buffer *b = &w->told[w->links[link]->id - 1];
    for (size_t at = 0; at < b->size;) {
        const uint8_t *h = b->data + at;
        size_t size = (size_t)h[0] << 24 | (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
        struct mpack_reader r;
        mpack_read_init(&r, h + FRAME_HEADER_BYTES, size);
        uint32_t left = mpack_read_array(&r);
        cr_assert_lt(told.count, ANSWERS);
        for (uint32_t i = 0; i < left && i < 5 && mpack_peek(&r) == MPACK_INT; i++)
            told.fields[told.count][i] = mpack_read_uint(&r);
        told.count++;
        at += FRAME_HEADER_BYTES + size;
    }
    b->size = 0;
    atomic_store(&w->links[link]->account.unsent_bytes, 0);
    atomic_store(&w->totals.waiting_bytes, 0);
    return told;
}

static void expect_published(const struct told *t, uint64_t id, uint64_t accepted, uint64_t first_seq)
{
    cr_assert_eq(t->count, 1);
    cr_assert_eq(t->fields[0][0], OP_OK);
    cr_assert_eq(t->fields[0][1], id);
    cr_assert_eq(t->fields[0][2], accepted);
    cr_assert_eq(t->fields[0][3], first_seq);
    cr_assert_eq(t->fields[0][4], 0);
}

static const struct session *session_at(const struct world *w, unsigned link)
{
    return w->links[link]->session;
}

static uint64_t ready(const struct world *w)
{
    struct group_ready r;
    ledger_group_ready(w->engine->ledger, 1, &r);
    return r.lane[LANE_NORMAL];
}

Test(divide, no_turn_does_more_of_a_publish_than_a_share)
{
    struct world w;
    struct engine_config config = narrow();
    world_start(&w, &config);
    (void)take_told(&w, 1);
    (void)take_told(&w, 2);
    post_publish(&w, 1, 77, "t", TIMED);
    unsigned turns = 0;
    uint64_t before = 0;
    do {
        post_ping(&w, w.links[2], NULL);
        world_turn(&w);
        cr_assert_eq(take_told(&w, 2).count, 1, "turn %u: another is answered", turns);
        cr_assert_leq(w.engine->turn.rows, SHARE + 100, "turn %u", turns);
        cr_assert_gt(ready(&w), before, "turn %u: it goes on", turns);
        before = ready(&w);
        turns++;
    } while (session_at(&w, 1)->division.begun);
    cr_assert_gt(turns, TIMED * (ROWS_OF_MESSAGE + ROWS_OF_TIMED) / SHARE - 1);
    cr_assert_eq(ready(&w), TIMED);
    struct told t = take_told(&w, 1);
    expect_published(&t, 77, TIMED, 1);
    world_stop(&w);
}

Test(divide, others_that_publish_to_the_topic_wait_and_no_others)
{
    struct world w;
    struct engine_config config = narrow();
    world_start(&w, &config);
    for (unsigned i = 1; i < 5; i++)
        (void)take_told(&w, i);
    post_publish(&w, 1, 5, "t", TIMED);
    world_turn(&w);
    cr_assert(session_at(&w, 1)->division.begun);
    post_publish(&w, 2, 6, "t", 1);
    post_publish(&w, 3, 7, "nowhere", 1);
    struct mpack_buffer b = {0};
    size_t frame = frame_begin(&b, OP_TOPIC_DELETE, 8, 1);
    mpack_write_cstr(&b, "t");
    frame_end(&b, frame);
    post_frame(&w, w.links[4], &b, NULL);
    world_turn(&w);
    cr_assert_eq(take_told(&w, 3).count, 1);
    while (session_at(&w, 1)->division.begun) {
        cr_assert(flow_in_line(&session_at(&w, 2)->flow) && flow_in_line(&session_at(&w, 4)->flow));
        world_turn(&w);
    }
    struct told t = take_told(&w, 1);
    expect_published(&t, 5, TIMED, 1);
    for (unsigned i = 0; i < 3; i++)
        world_turn(&w);
    t = take_told(&w, 2);
    cr_assert_eq(t.count, 1, "and then it is its turn");
    cr_assert_eq(take_told(&w, 4).count, 1);
    cr_assert(ring_empty(&w.engine->publishing));
    world_stop(&w);
}

Test(divide, what_a_lost_connection_began_is_ended_and_the_topic_is_free)
{
    struct world w;
    struct engine_config config = narrow();
    world_start(&w, &config);
    post_publish(&w, 1, 5, "t", TIMED);
    world_turn(&w);
    post(&w, w.links[1], PORT_LOST);
    (void)take_told(&w, 2);
    post_publish(&w, 2, 6, "t", 1);
    for (unsigned i = 0; i < 200; i++)
        world_turn(&w);
    cr_assert(ring_empty(&w.engine->publishing));
    struct told t = take_told(&w, 2);
    expect_published(&t, 6, 1, TIMED + 1);
    world_stop(&w);
}

Test(divide, a_server_that_stops_forgets_what_was_begun)
{
    struct world w;
    struct engine_config config = narrow();
    world_start(&w, &config);
    post_publish(&w, 1, 5, "t", TIMED);
    world_turn(&w);
    cr_assert(session_at(&w, 1)->division.begun);
    world_stop(&w);
}

static void resolve_all(struct world *w, uint64_t id, unsigned count, unsigned outcome)
{
    struct mpack_buffer b = {0};
    size_t frame = frame_begin(&b, OP_RESOLVE, id, 2);
    mpack_write_uint(&b, 1);
    mpack_write_array(&b, count);
    for (unsigned i = 0; i < count; i++) {
        mpack_write_array(&b, 3);
        mpack_write_uint(&b, i + 1);
        mpack_write_uint(&b, 1); /* of none of them */
        mpack_write_uint(&b, outcome);
    }
    frame_end(&b, frame);
    post_frame(w, w->links[1], &b, NULL);
}

Test(divide, the_entries_of_a_resolve_are_judged_in_parts_and_told_together)
{
    struct world w;
    struct engine_config config = narrow();
    world_start(&w, &config);
    subscribe(&w, w.links[1]);
    (void)take_told(&w, 1);
    resolve_all(&w, 9, ENTRIES, OUTCOME_NACK);
    unsigned turns = 0;
    do {
        world_turn(&w);
        cr_assert_leq(w.engine->turn.rows, SHARE + 100, "turn %u", turns);
        turns++;
    } while (session_at(&w, 1)->division.begun);
    cr_assert_gt(turns, ENTRIES * (ROWS_OF_MESSAGE + ROWS_OF_FAILURE) / SHARE - 1);
    struct mpack_buffer *told = &w.told[w.links[1]->id - 1];
    struct mpack_reader r;
    mpack_read_init(&r, told->data + FRAME_HEADER_BYTES, told->size - FRAME_HEADER_BYTES);
    (void)mpack_read_array(&r);
    cr_assert_eq(mpack_read_uint(&r), OP_OK);
    cr_assert_eq(mpack_read_uint(&r), 9);
    cr_assert_eq(mpack_read_array(&r), 2 * ENTRIES);
    for (unsigned i = 0; i < ENTRIES; i++) {
        cr_assert_eq(mpack_read_uint(&r), i);
        cr_assert_eq(mpack_read_int(&r), SHUNT_STALE);
    }
    cr_assert(!r.failed);
    world_stop(&w);
}

Test(divide, what_is_no_more_than_a_share_is_not_divided)
{
    struct world w;
    struct engine_config config = narrow();
    world_start(&w, &config);
    subscribe(&w, w.links[1]);
    (void)take_told(&w, 1);
    post_publish(&w, 1, 5, "t", SHARE / (ROWS_OF_MESSAGE + ROWS_OF_TIMED) - 10);
    world_turn(&w);
    cr_assert(!session_at(&w, 1)->division.begun);
    resolve_all(&w, 6, 20, OUTCOME_NACK);
    world_turn(&w);
    world_turn(&w);
    cr_assert(!session_at(&w, 1)->division.begun);
    world_stop(&w);
}
