/* test_slow_disk: commits take longer than leases. A consumer that answers in its own time is charged
 * nothing; one that does not is. Time is virtual: only commits and the test move it. */
#include "broker/engine/state.h"
#include "broker/engine/transaction.h"
#include "proto/frame.h"
#include "proto/units.h"
#include "proto/wire.h"
#include "tests/unit/engine/world.h"
#include <criterion/criterion.h>

enum { COMMIT_MS = 1200, LEASE_MS = 1000, CONSUMER = 1 };

static void start(struct world *w)
{
    struct mpack_buffer frame = {0};
    world_start(w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20});
    size_t at = frame_begin(&frame, OP_GROUP_UPDATE, 9, 3);
    mpack_write_cstr(&frame, "t");
    mpack_write_cstr(&frame, "default");
    mpack_write_map(&frame, 1);
    mpack_write_cstr(&frame, "lease_ms");
    mpack_write_uint(&frame, LEASE_MS);
    frame_end(&frame, at);
    post_frame(w, w->links[0], &frame, NULL);
    world_turn(w);
    w->commit_ms = COMMIT_MS;
}

/* What was delivered since the last time. */
struct delivered {
    unsigned count, refused;
    uint64_t sub, seqs[64], tokens[64];
};

static void read_deliver(struct delivered *to, struct mpack_reader *r)
{
    to->sub = mpack_read_uint(r);
    uint32_t count = mpack_read_array(r);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t fields = mpack_read_array(r);
        cr_assert_lt(to->count, 64);
        to->seqs[to->count] = mpack_read_uint(r);
        to->tokens[to->count++] = mpack_read_uint(r);
        for (uint32_t k = 2; k < fields; k++)
            (void)mpack_read_any(r);
    }
}

static struct delivered take(struct world *w)
{
    struct delivered d = {0};
    struct mpack_buffer *told = &w->told[CONSUMER];
    for (size_t at = 0; at < told->size;) {
        const uint8_t *h = told->data + at;
        size_t size = (size_t)h[0] << 24 | (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
        struct mpack_reader r;
        mpack_read_init(&r, h + FRAME_HEADER_BYTES, size);
        (void)mpack_read_array(&r);
        uint64_t op = mpack_read_uint(&r), id = mpack_read_uint(&r);
        if (op == OP_DELIVER)
            read_deliver(&d, &r);
        else if (id == 20) /* a RESOLVE */
            d.refused += mpack_read_array(&r) / 2;
        at += FRAME_HEADER_BYTES + size;
    }
    told->size = 0;
    return d;
}

static void answer(struct world *w, const struct delivered *d, enum wire_outcome outcome, uint64_t ms)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_RESOLVE, 20, 2);
    mpack_write_uint(&frame, d->sub);
    mpack_write_array(&frame, d->count);
    for (unsigned i = 0; i < d->count; i++) {
        mpack_write_array(&frame, ms ? 4 : 3);
        mpack_write_uint(&frame, d->seqs[i]);
        mpack_write_uint(&frame, d->tokens[i]);
        mpack_write_uint(&frame, outcome);
        if (ms)
            mpack_write_uint(&frame, ms);
    }
    frame_end(&frame, at);
    post_frame(w, w->links[CONSUMER], &frame, NULL);
}

static struct group_counts counts(struct world *w)
{
    struct view v = transaction_view(w->engine);
    struct groups_cursor cursor = {0};
    struct group_numbers f;
    cr_assert(view_next_group(&v, &cursor, &f));
    struct group_counts n = *f.counts;
    store_abort(w->engine->txn);
    w->engine->txn = NULL;
    return n;
}

static uint64_t charged(struct world *w)
{
    return counts(w).attempts[ATTEMPT_LEASE_EXPIRED];
}

static void wait_ms(struct world *w, int64_t ms)
{
    w->now_ms += ms;
}

Test(slow_disk, who_answers_within_its_lease_is_charged_nothing)
{
    struct world w;
    start(&w);
    publish(&w, w.links[0], 20, 10);
    (void)take(&w);
    subscribe(&w, w.links[CONSUMER]);
    for (unsigned i = 0; i < 20; i++) {
        struct delivered d = take(&w);
        wait_ms(&w, LEASE_MS - 1); /* its work, and the way */
        answer(&w, &d, OUTCOME_ACK, 0);
        publish(&w, w.links[0], 1, 10); /* a turn of one more commit */
        world_turn(&w);
        cr_assert_eq(d.refused, 0);
    }
    cr_assert_eq(charged(&w), 0);
    cr_assert_geq(counts(&w).acked, 39);
    world_stop(&w);
}

static struct delivered held; /* by the consumer, which answers during a commit */

static void answer_meanwhile(struct world *w)
{
    w->during_commit = NULL;
    answer(w, &held, OUTCOME_ACK, 0);
}

Test(slow_disk, what_came_during_a_commit_is_judged_before_what_fell_due)
{
    struct world w;
    start(&w);
    publish(&w, w.links[0], 1, 10);
    subscribe(&w, w.links[CONSUMER]);
    held = take(&w);
    cr_assert_eq(held.count, 1);
    wait_ms(&w, LEASE_MS - 10);
    w.during_commit = answer_meanwhile;
    publish(&w, w.links[0], 1, 10);
    cr_assert_null(w.during_commit);
    world_turn(&w);
    world_turn(&w);
    cr_assert_eq(charged(&w), 0);
    cr_assert_eq(counts(&w).acked, 1);
    cr_assert_eq(take(&w).refused, 0);
    world_stop(&w);
}

Test(slow_disk, an_extension_lasts_from_when_its_answer_leaves)
{
    struct world w;
    start(&w);
    publish(&w, w.links[0], 1, 10);
    subscribe(&w, w.links[CONSUMER]);
    struct delivered d = take(&w);
    wait_ms(&w, LEASE_MS - 10);
    answer(&w, &d, OUTCOME_EXTEND, LEASE_MS);
    publish(&w, w.links[0], 1, 10); /* in the same turn: its answer waits for the commit */
    wait_ms(&w, LEASE_MS - 10);
    world_turn(&w);
    world_turn(&w);
    cr_assert_eq(charged(&w), 0);
    answer(&w, &d, OUTCOME_ACK, 0);
    world_turn(&w);
    cr_assert_eq(counts(&w).acked, 1);
    world_stop(&w);
}

Test(slow_disk, who_does_not_answer_is_charged_in_the_turn_after_it_was_heard)
{
    struct world w;
    start(&w);
    publish(&w, w.links[0], 1, 10);
    subscribe(&w, w.links[CONSUMER]);
    cr_assert_eq(take(&w).count, 1);
    wait_ms(&w, LEASE_MS);
    world_turn(&w);
    cr_assert_eq(charged(&w), 0, "now it is asked about");
    world_turn(&w);
    cr_assert_eq(charged(&w), 1);
    world_stop(&w);
}

Test(slow_disk, whose_socket_is_never_read_keeps_a_lease_for_a_bounded_time)
{
    struct world w;
    start(&w);
    w.deaf = true;
    publish(&w, w.links[0], 1, 10);
    subscribe(&w, w.links[CONSUMER]);
    wait_ms(&w, LEASE_MS);
    world_turn(&w);
    wait_ms(&w, LEASE_OVERDUE_MS_MAX - 10);
    world_turn(&w);
    cr_assert_eq(counts(&w).in_flight, 1);
    wait_ms(&w, 20);
    world_turn(&w);
    cr_assert_eq(charged(&w), 1);
    world_stop(&w);
}
