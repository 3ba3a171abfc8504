/* test_held: what the engine does for clients that do not read, and while its inbox is full. Without a
 * thread; the test is the net. */
#include "broker/engine/state.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include "tests/unit/engine/world.h"
#include <criterion/criterion.h>

static void post_topic_list(struct world *w, struct link *link)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_TOPIC_LIST, 5, 2);
    mpack_write_cstr(&frame, "");
    mpack_write_uint(&frame, 10);
    frame_end(&frame, at);
    post_frame(w, link, &frame, NULL);
}

static const struct flow *flow_of(const struct link *link)
{
    return &link->session->flow;
}

Test(held, a_client_whose_bytes_wait_is_given_no_more_though_its_last_drain_was_an_old_one)
{
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1000});
    publish(&w, w.links[0], 100, 400);
    subscribe(&w, w.links[1]);
    size_t once = atomic_load(&w.links[1]->account.unsent_bytes);
    cr_assert(once > 800 && once < 2500, "%zu bytes", once);
    cr_assert_eq(flow_of(w.links[1])->output, OUTPUT_UNREAD);
    for (int i = 0; i < 20; i++) { /* the net thread posted it, then the engine set the flag again */
        post(&w, w.links[1], PORT_DRAINED);
        world_turn(&w);
    }
    size_t each = (atomic_load(&w.links[1]->account.unsent_bytes) - once) / 20;
    cr_assert_leq(each, 500, "%zu bytes each time", each);
    world_stop(&w);
}

Test(held, so_many_who_do_not_read_get_no_more_than_the_sum)
{
    enum { SUM = 20000 };
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 5000,
                                            .limits.unsent_total_max = SUM,
                                            .limits.max_body_bytes = 400});
    publish(&w, w.links[0], 1000, 400);
    read_all(&w, w.links[0]);
    for (unsigned i = 1; i < LINKS; i++)
        subscribe(&w, w.links[i]);
    size_t waiting = atomic_load(&w.totals.waiting_bytes);
    cr_assert_gt(waiting, SUM / 2);
    cr_assert_leq(waiting, SUM + 500 + LINKS * 20, "%zu bytes: one message and short answers past it",
                  waiting);
    publish(&w, w.links[0], 10, 400);
    cr_assert_gt(atomic_load(&w.links[0]->account.unsent_bytes), 0, "who has read all is answered");
    world_stop(&w);
}

Test(held, who_was_given_nothing_for_want_of_room_gets_it_when_there_is_some)
{
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 5000,
                                            .limits.unsent_total_max = 8000,
                                            .limits.max_body_bytes = 400});
    publish(&w, w.links[0], 10, 400);
    atomic_fetch_add(&w.totals.waiting_bytes, 8000); /* others' */
    subscribe(&w, w.links[1]);
    cr_assert_lt(atomic_load(&w.links[1]->account.unsent_bytes), 400);
    cr_assert(atomic_load(&w.totals.room_wanted));
    atomic_fetch_sub(&w.totals.waiting_bytes, 8000);
    post(&w, NULL, PORT_ROOM);
    world_turn(&w);
    cr_assert_gt(atomic_load(&w.links[1]->account.unsent_bytes), 4000);
    world_stop(&w);
}

/* However much a crowd has asked for without reading, others are given their messages. */
Test(held, who_has_read_all_is_given_messages_whatever_requests_others_have_waiting)
{
    enum { SUM = 8000 };
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 5000,
                                            .limits.unsent_total_max = SUM,
                                            .limits.max_body_bytes = 400});
    publish(&w, w.links[0], 10, 400);
    read_all(&w, w.links[0]);
    flow_hold(&w.links[2]->account, 2 * SUM);
    subscribe(&w, w.links[1]);
    cr_assert_gt(atomic_load(&w.links[1]->account.unsent_bytes), 400);
    cr_assert(!atomic_load(&w.totals.room_wanted));
    flow_release(&w.links[2]->account, 2 * SUM);
    world_stop(&w);
}

/* They go when their connections do, and for less of them to be held all might wait together. */
Test(held, a_long_answer_waits_for_unsent_bytes_and_not_for_requests_that_are_held)
{
    enum { SUM = 8000 };
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = SUM, .limits.unsent_total_max = SUM});
    flow_hold(&w.links[1]->account, SUM);
    post_topic_list(&w, w.links[0]);
    world_turn(&w);
    cr_assert_eq(flow_of(w.links[0])->requests, REQUESTS_OPEN);
    flow_release(&w.links[1]->account, SUM);
    read_all(&w, w.links[0]);
    flow_unsent(&w.links[1]->account, SUM);
    post_topic_list(&w, w.links[0]);
    world_turn(&w);
    cr_assert_eq(flow_of(w.links[0])->requests, REQUESTS_BLOCKED);
    world_stop(&w);
}

Test(held, a_few_bytes_that_wait_keep_no_large_chunk)
{
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1000});
    flow_unsent(&w.links[0]->account, 5000); /* it does not read */
    struct chunk *large = chunk_new(256 * 1024);
    chunk_ref(large);
    post_ping(&w, w.links[0], large);
    world_turn(&w);
    cr_assert_eq(atomic_load(&large->refs), 1, "the request that waits has moved out");
    cr_assert_gt(atomic_load(&w.links[0]->account.held_bytes), 0);
    cr_assert_lt(atomic_load(&w.links[0]->account.held_bytes), 1000);
    cr_assert_eq(atomic_load(&w.totals.inbox_bytes), 0);
    flow_unsent(&w.links[0]->account, (size_t)-5000);
    post(&w, w.links[0], PORT_DRAINED);
    size_t before = atomic_load(&w.links[0]->account.unsent_bytes);
    world_turn(&w);
    cr_assert_gt(atomic_load(&w.links[0]->account.unsent_bytes), before, "and is answered");
    cr_assert_eq(atomic_load(&w.links[0]->account.held_bytes), 0);
    chunk_unref(large);
    world_stop(&w);
}

/* Posts in the middle of a turn, until the inbox is full. */
static void fill_inbox(void *context, const struct batch *batch)
{
    struct world *w = context;
    (void)batch;
    if (w->filling) {
        while (!engine_inbox_full(w->engine, NULL))
            post_ping_silently(w, w->links[1]);
    }
    w->filling = false;
}

Test(held, who_found_the_inbox_full_during_a_turn_is_told_of_room)
{
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20,
                                            .limits.inbox_bytes_max = 4096,
                                            .applied = fill_inbox});
    w.filling = true;
    w.notified = 0;
    publish_silently(&w, w.links[0]);
    for (int i = 0; i < 3; i++)
        world_turn(&w);
    cr_assert(!w.filling, "the inbox was filled");
    cr_assert(!engine_inbox_full(w.engine, NULL));
    cr_assert_gt(w.notified, 0);
    world_stop(&w);
}

Test(held, a_reload_takes_over_every_limit)
{
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20});
    struct engine_config config = w.engine->config;
    config.limits.unsent_bytes_max = 1000;
    config.limits.unsent_total_max = 100000;
    config.limits.commit_bytes_max = 70000;
    config.limits.inbox_bytes_max = 5000;
    engine_reload(w.engine, &config.limits);
    publish(&w, w.links[0], 100, 400);
    subscribe(&w, w.links[1]);
    cr_assert_lt(atomic_load(&w.links[1]->account.unsent_bytes), 2500);
    cr_assert_eq(w.engine->config.limits.unsent_total_max, 100000);
    cr_assert_eq(w.engine->config.limits.commit_bytes_max, 70000);
    while (!engine_inbox_full(w.engine, NULL))
        post_ping_silently(&w, w.links[1]);
    cr_assert_leq(atomic_load(&w.totals.inbox_bytes), 6000);
    world_stop(&w);
}
