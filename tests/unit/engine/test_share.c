/* test_share: requests that look at much take turns, and others' requests come in between. Rows, turns and
 * the order of answers are counted, and no time is. Without a thread; the test is the net. */
#include "broker/engine/inbox.h"
#include "broker/engine/state.h"
#include "broker/engine/turn.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include "tests/unit/engine/world.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { ROWS = 100, SHARE = 4 * ROWS, ALL = 16 * SHARE, ASKED = 50 };

/* What one turn answered on a connection: the ids of its requests, in order. */
struct answers {
    uint64_t ids[4 * ASKED];
    unsigned count, errors;
    bool closed;
};

static void read_answers(struct answers *to, const struct outbox_item *item)
{
    for (size_t at = 0; at < item->bytes.size;) {
        const uint8_t *h = item->bytes.data + at;
        size_t size = (size_t)h[0] << 24 | (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
        struct mpack_reader r;
        mpack_read_init(&r, h + FRAME_HEADER_BYTES, size);
        (void)mpack_read_array(&r);
        to->errors += mpack_read_uint(&r) == OP_ERROR;
        cr_assert_lt(to->count, 4 * ASKED);
        to->ids[to->count++] = mpack_read_uint(&r);
        at += FRAME_HEADER_BYTES + size;
    }
    to->closed |= item->close;
}

/* One turn, whose answers are read at once; those on `link` are returned. */
static struct answers turn(struct world *w, struct link *link)
{
    struct answers a = {.count = 0};
    w->now_ms++;
    inbox_take(w->engine);
    (void)engine_turn(w->engine, WORLD_WALL_MS + w->now_ms, w->now_ms);
    for (struct outbox_item *item = engine_take(w->engine), *next; item; item = next) {
        next = item->next;
        answer_ask(w, item);
        if (item->link == link)
            read_answers(&a, item);
        atomic_fetch_sub(&item->link->account.unsent_bytes, item->bytes.size);
        atomic_fetch_sub(&w->totals.waiting_bytes, item->bytes.size);
        mpack_buffer_done(&item->bytes);
        link_unref(item->link);
        free(item);
    }
    return a;
}

static bool is_queued(const struct link *link)
{
    return link->session->flow.requests == REQUESTS_QUEUED;
}

/* `count` PEEKs of ROWS rows each, with the ids from `id` on, in one go. */
static void ask(struct world *w, struct link *link, uint64_t id, unsigned count)
{
    struct mpack_buffer frames = {0};
    for (unsigned i = 0; i < count; i++) {
        size_t at = frame_begin(&frames, OP_PEEK, id + i, 4);
        mpack_write_cstr(&frames, "t");
        mpack_write_cstr(&frames, "default");
        mpack_write_uint(&frames, 0);
        mpack_write_uint(&frames, ROWS);
        frame_end(&frames, at);
    }
    post_frame(w, link, &frames, NULL);
}

static void start(struct world *w)
{
    world_start(w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20, .turn_rows_max = ALL});
    publish(w, w->links[0], 2 * ROWS, 10);
    read_all(w, w->links[0]);
}

Test(share, a_turn_looks_at_no_more_for_one_connection_than_its_share_and_the_rest_is_answered_in_order)
{
    struct world w;
    uint64_t expected = 1;
    unsigned turns = 0;
    start(&w);
    ask(&w, w.links[1], 1, ASKED);
    ask(&w, w.links[1], 1 + ASKED, ASKED); /* from another read */
    for (; expected <= 2 * ASKED; turns++) {
        struct answers a = turn(&w, w.links[1]);
        cr_assert_gt(a.count, 0, "each turn answers something");
        cr_assert_leq(a.count, SHARE / ROWS + 1);
        cr_assert_leq(w.engine->turn.rows, SHARE + 2 * ROWS);
        for (unsigned i = 0; i < a.count; i++)
            cr_assert_eq(a.ids[i], expected++);
    }
    cr_assert_geq(turns, 2 * ASKED / (SHARE / ROWS + 1));
    cr_assert_eq(atomic_load(&w.links[1]->account.held_bytes), 0);
    cr_assert_eq(atomic_load(&w.totals.inbox_bytes), 0);
    world_stop(&w);
}

Test(share, who_is_alone_has_more_of_a_turn)
{
    struct world w;
    start(&w);
    for (unsigned i = 0; i < 100; i++) {
        post_ping(&w, w.links[1], NULL);
        (void)turn(&w, w.links[1]);
    }
    ask(&w, w.links[1], 1, ASKED);
    cr_assert_gt(turn(&w, w.links[1]).count, 2 * (SHARE / ROWS + 1));
    post_ping(&w, w.links[2], NULL);
    (void)turn(&w, w.links[2]);
    unsigned most = 0;
    for (unsigned i = 0; i < 20; i++) {
        unsigned count = turn(&w, w.links[1]).count;
        most = count > most ? count : most;
    }
    cr_assert(most > 0 && most <= SHARE / ROWS + 1, "%u: until somebody else comes", most);
    world_stop(&w);
}

Test(share, others_are_answered_in_the_turn_in_which_they_ask)
{
    struct world w;
    start(&w);
    ask(&w, w.links[1], 1, ASKED);
    post_ping(&w, w.links[2], NULL);
    cr_assert_eq(turn(&w, w.links[2]).count, 1, "a ping behind fifty listings");
    ask(&w, w.links[2], 8, 1);
    cr_assert_eq(turn(&w, w.links[2]).count, 1, "and a listing");
    cr_assert(is_queued(w.links[1]), "while the fifty go on");
    world_stop(&w);
}

Test(share, many_who_ask_for_much_take_turns_and_none_of_them_starves)
{
    enum { MANY = 12, FEW = ALL / 4 };
    struct world w;
    start(&w);
    w.engine->turn.rows_max = FEW;
    for (unsigned i = 1; i <= MANY; i++)
        ask(&w, w.links[i], 1, ASKED);
    for (unsigned turns = 0; turns < MANY; turns++) {
        (void)turn(&w, w.links[MANY + 1]);
        cr_assert_leq(w.engine->turn.rows, FEW + SHARE + ROWS, "%lu rows",
                      (unsigned long)w.engine->turn.rows);
        post_ping(&w, w.links[MANY + 1], NULL);
        cr_assert_eq(turn(&w, w.links[MANY + 1]).count, 1, "who does not look is in no line");
    }
    struct answers last = turn(&w, w.links[MANY]);
    for (unsigned turns = 0; !last.count && turns < MANY; turns++)
        last = turn(&w, w.links[MANY]);
    cr_assert_gt(last.count, 0, "the last in the line gets its turn");
    world_stop(&w);
}

Test(share, what_waits_for_its_turn_fills_no_inbox_and_its_connection_is_not_read)
{
    struct world w;
    start(&w);
    ask(&w, w.links[1], 1, ASKED);
    ask(&w, w.links[1], 1 + ASKED, ASKED);
    (void)turn(&w, w.links[1]);
    cr_assert_eq(atomic_load(&w.totals.inbox_bytes), 0);
    cr_assert_gt(atomic_load(&w.links[1]->account.held_bytes), 0);
    cr_assert(is_queued(w.links[1]));
    w.notified = 0;
    while (is_queued(w.links[1])) {
        cr_assert_lt(w.notified, 2 * ASKED);
        (void)turn(&w, w.links[1]);
    }
    cr_assert_gt(w.notified, 0, "and the net is told when it may be read again");
    cr_assert_eq(atomic_load(&w.totals.waiting_bytes), 0);
    world_stop(&w);
}

Test(share, the_end_of_a_connection_comes_after_what_waits_and_a_lost_one_waits_for_nothing)
{
    struct world w;
    struct answers a = {.count = 0};
    start(&w);
    ask(&w, w.links[1], 1, ASKED);
    post(&w, w.links[1], PORT_ENDED);
    unsigned answered = 0;
    for (unsigned turns = 0; !a.closed; turns++) {
        cr_assert_lt(turns, ASKED);
        a = turn(&w, w.links[1]);
        answered += a.count;
    }
    cr_assert_eq(answered, ASKED);
    ask(&w, w.links[2], 1, ASKED);
    post(&w, w.links[2], PORT_BROKEN);
    answered = 0;
    for (unsigned turns = 0; !a.errors; turns++) {
        cr_assert_lt(turns, ASKED);
        a = turn(&w, w.links[2]);
        answered += a.count;
    }
    cr_assert_eq(answered, ASKED + 1, "then the error");
    cr_assert(a.closed);
    for (unsigned i = 3; i < 8; i++)
        ask(&w, w.links[i], 1, ASKED);
    (void)turn(&w, w.links[3]);
    for (unsigned i = 3; i < 7; i++)
        post(&w, w.links[i], PORT_LOST);
    (void)turn(&w, w.links[3]);
    answered = 0;
    for (unsigned turns = 0; !ring_empty(&w.engine->line); turns++) {
        cr_assert_lt(turns, ASKED, "what only answers is not done for those who are lost");
        answered += turn(&w, w.links[7]).count;
    }
    cr_assert_gt(answered, 0, "the others' end is not its own");
    world_stop(&w);
}

Test(share, one_request_for_more_than_the_budget_is_answered)
{
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20, .turn_rows_max = 1});
    publish(&w, w.links[0], 2 * ROWS, 10);
    read_all(&w, w.links[0]);
    ask(&w, w.links[1], 1, 3);
    for (unsigned i = 1; i <= 3; i++) {
        struct answers a = turn(&w, w.links[1]);
        for (unsigned turns = 0; !a.count; turns++) { /* what the one before is paid with */
            cr_assert_lt(turns, 4 * ROWS);
            a = turn(&w, w.links[1]);
        }
        cr_assert_eq(a.count, 1);
        cr_assert_eq(a.ids[0], i);
    }
    world_stop(&w);
}

Test(share, purges_count_before_the_next_is_taken)
{
    struct world w;
    struct mpack_buffer frames = {0};
    start(&w);
    for (uint64_t i = 1; i <= ASKED; i++) {
        size_t at = frame_begin(&frames, OP_TOPIC_PURGE, i, 2);
        mpack_write_cstr(&frames, "t");
        mpack_write_nil(&frames);
        frame_end(&frames, at);
    }
    post_frame(&w, w.links[1], &frames, NULL);
    struct answers a = turn(&w, w.links[1]);
    cr_assert_eq(a.count, 1, "%u: the first took all that a turn may cost", a.count);
    world_stop(&w);
}
