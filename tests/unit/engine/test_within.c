/* test_within: a request whose caller has stopped waiting is not begun. Time is virtual: only commits and the test move it. */
#include "broker/engine/state.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "tests/unit/engine/world.h"
#include <criterion/criterion.h>

enum { COMMIT_MS = 1200, CALLER = 1, SHARE = 2000, TIMED = 1000 };

static void start(struct world *w)
{
    world_start(w, &(struct engine_config){.turn_rows_max = 16 * SHARE, .limits.unsent_bytes_max = 1 << 20});
}

/* ---- requests ---- */

static size_t begin(struct mpack_buffer *b, uint64_t id, uint64_t timeout_ms, unsigned op, uint32_t fields)
{
    size_t at = frame_begin(b, OP_WITHIN, id, 2 + fields);
    mpack_write_uint(b, timeout_ms);
    mpack_write_uint(b, op);
    return at;
}

/* `ttl_ms` makes each message so much work that many are stored in parts. */
static void publish_within(struct world *w, unsigned link, uint64_t id, uint64_t timeout_ms, unsigned count,
                           int64_t ttl_ms)
{
    struct mpack_buffer b = {0};
    size_t at = begin(&b, id, timeout_ms, OP_PUBLISH, 4);
    mpack_write_cstr(&b, "t");
    mpack_write_uint(&b, 0);
    mpack_write_uint(&b, 0);
    mpack_write_array(&b, count);
    for (unsigned i = 0; i < count; i++) {
        mpack_write_array(&b, 5);
        mpack_write_bin(&b, "x", 1);
        mpack_write_map(&b, 0);
        mpack_write_nil(&b);
        mpack_write_int(&b, 0);
        mpack_write_int(&b, ttl_ms);
    }
    frame_end(&b, at);
    post_frame(w, w->links[link], &b, NULL);
}

static void subscribe_within(struct world *w, uint64_t id, uint64_t timeout_ms)
{
    struct mpack_buffer b = {0};
    size_t at = begin(&b, id, timeout_ms, OP_SUBSCRIBE, 4);
    mpack_write_cstr(&b, "t");
    mpack_write_cstr(&b, "default");
    mpack_write_uint(&b, 10);
    mpack_write_uint(&b, 1000);
    frame_end(&b, at);
    post_frame(w, w->links[CALLER], &b, NULL);
}

/* Without fields. */
static void ask_within(struct world *w, uint64_t id, uint64_t timeout_ms, unsigned op)
{
    struct mpack_buffer b = {0};
    frame_end(&b, begin(&b, id, timeout_ms, op, 0));
    post_frame(w, w->links[CALLER], &b, NULL);
}

/* ---- answers ---- */

struct told {
    uint64_t op, code,
        number; /* 0: there was none; of ERROR, or the first field; the second one, if that is a number */
};

static struct told told_of(const struct world *w, unsigned link, uint64_t id)
{
    const struct mpack_buffer *b = &w->told[link];
    struct told t = {0};
    for (size_t at = 0; at < b->size;) {
        const uint8_t *h = b->data + at;
        size_t size = (size_t)h[0] << 24 | (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
        struct mpack_reader r;
        mpack_read_init(&r, h + FRAME_HEADER_BYTES, size);
        uint32_t fields = mpack_read_array(&r);
        uint64_t op = mpack_read_uint(&r);
        if (mpack_read_uint(&r) == id) {
            cr_assert_eq(t.op, 0, "request %llu was answered twice", (unsigned long long)id);
            t.op = op;
            if (fields > 2 && mpack_peek(&r) == MPACK_INT)
                t.code = mpack_read_uint(&r);
            if (fields > 3 && mpack_peek(&r) == MPACK_INT)
                t.number = mpack_read_uint(&r);
        }
        at += FRAME_HEADER_BYTES + size;
    }
    return t;
}

static bool is_done(const struct world *w, uint64_t id)
{
    return told_of(w, CALLER, id).op == OP_OK;
}

static bool is_over(const struct world *w, uint64_t id)
{
    struct told t = told_of(w, CALLER, id);
    return t.op == OP_ERROR && t.code == SHUNT_DEADLINE_EXCEEDED;
}

static uint64_t ready(const struct world *w)
{
    struct group_ready r;
    ledger_group_ready(w->engine->ledger, 1, &r);
    return r.lane[LANE_NORMAL];
}

/* ---- what piles up ---- */

static void burst(struct world *w)
{
    w->during_commit = NULL;
    publish_within(w, CALLER, 11, COMMIT_MS, 3, 0);
    publish_within(w, CALLER, 12, COMMIT_MS + 2, 2, 0);
    publish_within(w, CALLER, 13, COMMIT_MS, 1, 0);
    publish_silently(w, w->links[CALLER]);
    ask_within(w, 14, COMMIT_MS, OP_TOPIC_LIST);
    subscribe_within(w, 15, COMMIT_MS);
}

Test(within, what_piled_up_behind_a_slow_disk_is_not_begun_once_its_callers_have_given_up)
{
    struct world w;
    start(&w);
    w.commit_ms = COMMIT_MS;
    w.during_commit = burst;
    publish(&w, w.links[0], 1, 10);
    cr_assert_null(w.during_commit);
    world_turn(&w);
    cr_assert(is_over(&w, 11) && is_over(&w, 13) && is_over(&w, 14) && is_over(&w, 15));
    cr_assert(is_done(&w, 12));
    cr_assert_eq(told_of(&w, CALLER, 12).number, 2, "nothing stands before it");
    cr_assert_eq(ready(&w), 1 + 2 + 1, "the slow one, the patient one, and the one without a limit");
    cr_assert_eq(w.engine->subscriptions, 0);
    cr_assert_eq(w.engine->requests_expired, 4);
    world_stop(&w);
}

Test(within, a_time_that_has_just_passed_is_over_and_one_that_is_about_to_is_not)
{
    struct world w;
    start(&w);
    publish_within(&w, CALLER, 11, 0, 1, 0);
    publish_within(&w, CALLER, 12, 9, 1, 0);
    publish_within(&w, CALLER, 13, 10, 1, 0);
    publish_within(&w, CALLER, 14, 11, 1, 0);
    publish_within(&w, CALLER, 15, UINT64_MAX, 1, 0);
    w.now_ms += 9; /* and the turn one more */
    world_turn(&w);
    cr_assert(is_over(&w, 11) && is_over(&w, 12) && is_over(&w, 13));
    cr_assert(is_done(&w, 14) && is_done(&w, 15));
    cr_assert_eq(ready(&w), 2);
    world_stop(&w);
}

/* Its net thread may have looked at the clock later than this turn did. */
Test(within, one_that_came_after_the_turn_began_has_all_its_time)
{
    struct world w;
    start(&w);
    w.now_ms += 5;
    ask_within(&w, 11, 1, OP_PING);
    w.now_ms -= 5;
    world_turn(&w);
    cr_assert(is_done(&w, 11));
    world_stop(&w);
}

Test(within, what_waits_for_its_turn_is_looked_at_when_that_comes)
{
    struct world w;
    start(&w);
    for (uint64_t id = 20; id < 24; id++) /* more than a share, each; so each has a turn of its own */
        publish_within(&w, CALLER, id, 1000, 300, 60000);
    unsigned done = 0, over = 0;
    world_turn(&w);
    w.now_ms += 1000;
    for (unsigned turns = 0; turns < 20; turns++)
        world_turn(&w);
    for (uint64_t id = 20; id < 24; id++) {
        done += is_done(&w, id);
        over += is_over(&w, id);
    }
    cr_assert(done > 0 && over > 0 && done + over == 4, "%u, %u", done, over);
    cr_assert_eq(ready(&w), 300 * done, "and none in part");
    world_stop(&w);
}

/* ---- requests in parts ---- */

Test(within, what_was_begun_in_time_is_done_whole)
{
    struct world w;
    start(&w);
    publish_within(&w, CALLER, 11, 5, TIMED, 60000);
    world_turn(&w);
    cr_assert(w.links[CALLER]->session->division.begun);
    w.now_ms += 1000;
    while (w.links[CALLER]->session->division.begun)
        world_turn(&w);
    cr_assert(is_done(&w, 11));
    cr_assert_eq(told_of(&w, CALLER, 11).code, TIMED);
    cr_assert_eq(ready(&w), TIMED);
    world_stop(&w);
}

Test(within, it_waits_for_the_end_of_one_that_publishes_in_parts_to_its_topic)
{
    struct world w;
    start(&w);
    publish_within(&w, 2, 11, 60000, TIMED, 60000);
    world_turn(&w);
    cr_assert(w.links[2]->session->division.begun);
    publish_within(&w, CALLER, 12, 60000, 1, 0);
    while (w.links[2]->session->division.begun)
        world_turn(&w);
    world_turn(&w);
    cr_assert_eq(told_of(&w, 2, 11).number, 1, "its numbers follow each other …");
    cr_assert_eq(told_of(&w, CALLER, 12).number, TIMED + 1, "… and the other one's come behind them");
    world_stop(&w);
}

/* ---- what it may carry ---- */

Test(within, it_carries_what_is_answered_and_no_hello)
{
    static const unsigned strange[] = {OP_WITHIN, OP_HELLO, OP_STARTED, 5, 999};
    struct world w;
    start(&w);
    for (uint64_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        ask_within(&w, 30 + i, 60000, strange[i]);
        world_turn(&w);
        cr_assert_eq(told_of(&w, CALLER, 30 + i).code, SHUNT_UNSUPPORTED, "operation %u", strange[i]);
    }
    ask_within(&w, 40, 60000, OP_PING);
    world_turn(&w);
    cr_assert(is_done(&w, 40), "the connection goes on");
    cr_assert_eq(w.engine->requests_expired, 0);
    world_stop(&w);
}

Test(within, a_field_of_what_it_carries_that_is_missing_ends_the_connection)
{
    struct world w;
    start(&w);
    ask_within(&w, 11, 60000, OP_TOPIC_SHOW);
    ask_within(&w, 12, 60000, OP_PING);
    world_turn(&w);
    cr_assert_eq(told_of(&w, CALLER, 11).code, SHUNT_PROTOCOL);
    cr_assert_eq(told_of(&w, CALLER, 12).op, 0);
    world_stop(&w);
}

/* Nothing of it is looked at. */
Test(within, what_is_over_is_refused_as_that_whatever_else_is_wrong_with_it)
{
    struct world w;
    start(&w);
    ask_within(&w, 11, 0, OP_TOPIC_SHOW);
    ask_within(&w, 12, 0, 999);
    ask_within(&w, 13, 60000, OP_PING);
    world_turn(&w);
    cr_assert(is_over(&w, 11) && is_over(&w, 12) && is_done(&w, 13));
    world_stop(&w);
}
