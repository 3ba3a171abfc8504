/* full: whatever fills the store, the engine goes on, and comes back when there is room. */
#include "tests/unit/engine/full.h"

#include "proto/errors.h"

#include <criterion/criterion.h>

#define MIB (1024ull * 1024)

/* What an operator does about a full store; then publishing works. */
static void comes_back(struct full *f)
{
    full_purge_dlq(f, "default");
    full_purge_topic(f);
    full_purge_topic(f);          /* what the first left in flight was given back by now */
    full_purge_dlq(f, "default"); /* and what expired once the first had made room for it */
    full_publish(f, 100, 100, 0, 0, false);
    cr_assert(!f->code && f->first == 100, "%d %s", f->code, f->text);
    struct group_counts n = full_counts(f, "default");
    cr_assert_eq(group_conservation_error(&n), 0);
}

Test(full, delays_and_times_to_live_of_one_frame_do_not_end_the_server)
{
    for (unsigned groups = 1; groups <= 16; groups *= 16) {
        struct full f;
        full_begin(&f, 128 * MIB, groups);
        for (int i = 0; i < 4; i++)
            full_publish(&f, FRAME_MESSAGES_MAX, 1, 100000000, 100000000, i % 2);
        struct group_counts n = full_counts(&f, "default");
        cr_assert_eq(n.published, f.accepted, "nothing was lost without a word");
        cr_assert_gt(f.accepted, 0);
        full_purge_topic(&f);
        full_publish(&f, 100, 100, 0, 0, false);
        cr_assert(!f.code && f.first == 100);
        full_end(&f);
    }
}

Test(full, a_frame_that_was_stored_in_part_says_how_long_to_wait_with_the_rest)
{
    for (int64_t asked_ms = 0; asked_ms <= 700; asked_ms += 700) {
        struct full f;
        full_begin(&f, 32 * MIB, 1);
        f.engine->config.limits.retry_after_ms = asked_ms;
        do
            full_publish(&f, FRAME_MESSAGES_MAX, 100, 0, 0, false);
        while (!f.code && !f.refusal);
        cr_assert(!f.code && f.first < FRAME_MESSAGES_MAX, "the last frame is stored in part");
        cr_assert_eq(f.retry_after_ms, asked_ms);
        full_end(&f);
    }
}

Test(full, nacks_with_large_stacks_do_not_fill_it)
{
    struct full f;
    full_begin(&f, 32 * MIB, 1);
    full_fill(&f, 1000, 100, 0, 0);
    full_subscribe(&f, "default", 2000);
    cr_assert_gt(f.held_count, 0);
    for (int i = 0; i < 100 && f.held_count; i++)
        full_resolve(&f, f.held_count, OUTCOME_NACK, ERROR_STACK_BYTES_MAX);
    full_resolve(&f, f.held_count, OUTCOME_REJECT, ERROR_STACK_BYTES_MAX);
    full_reconnect(&f);
    comes_back(&f);
    full_end(&f);
}

Test(full, messages_in_flight_at_a_crash_are_given_back)
{
    struct full f;
    full_begin(&f, 32 * MIB, 1);
    full_fill(&f, 5000, 1, 0, 0);
    full_subscribe(&f, "default", CREDIT_MESSAGES_MAX);
    uint64_t held = f.held_count;
    cr_assert_gt(held, 1000);
    for (int i = 0; i < 3; i++) {
        full_crash(&f);
        struct group_counts n = full_counts(&f, "default");
        cr_assert_eq(n.in_flight, 0);
        cr_assert_eq(n.ready, f.accepted);
        full_subscribe(&f, "default", CREDIT_MESSAGES_MAX);
    }
    full_crash(&f);
    comes_back(&f);
    full_end(&f);
}

Test(full, times_to_live_pass_without_any_client)
{
    struct full f;
    full_begin(&f, 32 * MIB, 1);
    full_fill(&f, 5000, 1, 0, 1000);
    full_pass(&f, 20000);
    struct group_counts n = full_counts(&f, "default");
    cr_assert_gt(n.dead, 0);
    full_crash(&f);
    full_pass(&f, 20000);
    comes_back(&f);
    full_end(&f);
}

Test(full, hand_outs_of_what_was_delayed_end_in_time)
{
    struct full f;
    full_begin(&f, 32 * MIB, 1);
    full_fill(&f, 2000, 1, 1000, 0);
    full_pass(&f, 2000);
    full_subscribe(&f, "default", CREDIT_MESSAGES_MAX);
    cr_assert_gt(f.held_count, 0);
    for (int i = 0; i < 30 && f.held_count; i++)
        full_resolve(&f, f.held_count, OUTCOME_NACK, 4000);
    full_crash(&f);
    comes_back(&f);
    full_end(&f);
}

Test(full, a_lost_connection_may_have_held_60000)
{
    struct full f;
    full_begin(&f, 160 * MIB, 1);
    for (int i = 0; i < 6; i++)
        full_publish(&f, 10000, 1, 0, 0, false);
    full_subscribe(&f, "default", CREDIT_MESSAGES_MAX);
    cr_assert_eq(f.held_count, 60000);
    full_fill(&f, 10000, 1000, 0, 0);
    full_reconnect(&f);
    struct group_counts n = full_counts(&f, "default");
    cr_assert_eq(n.in_flight, 0);
    cr_assert_eq(n.ready, f.accepted);
    comes_back(&f);
    full_end(&f);
}

Test(full, a_redrive_of_all_dead_letters_goes_through)
{
    struct full f;
    full_begin(&f, 32 * MIB, 1);
    full_fill(&f, 2000, 1, 0, 0);
    full_subscribe(&f, "default", 20000);
    for (int i = 0; i < 30 && f.held_count; i++)
        full_resolve(&f, f.held_count, OUTCOME_REJECT, 100);
    full_reconnect(&f);
    uint64_t dead = full_counts(&f, "default").dead;
    cr_assert_gt(dead, 0);
    full_redrive(&f, "default");
    full_pass(&f, 1000);
    struct group_counts n = full_counts(&f, "default");
    cr_assert(n.dead == 0 && n.redriven == dead, "%llu are dead", (unsigned long long)n.dead);
    comes_back(&f);
    full_end(&f);
}

Test(full, topics_and_groups_are_made_until_the_first_mark_and_again_when_there_is_room)
{
    struct full f;
    full_begin(&f, 32 * MIB, 1);
    cr_assert_eq(full_create_topic(&f, "before"), 0);
    cr_assert_eq(full_create_group(&f, "before"), 0);
    full_fill(&f, 1000, 100, 0, 0);
    cr_assert_eq(full_create_topic(&f, "late"), SHUNT_NO_SPACE);
    cr_assert_str_eq(f.text,
                     "the store has no room for this now: the store's map is nearly full: 7 MiB "
                     "are free, and the making of topics, groups, users, roles and tokens stops below 8 MiB; "
                     "let consumers catch up, purge, or raise map-size-max");
    cr_assert_eq(full_create_group(&f, "late"), SHUNT_NO_SPACE);
    cr_assert_eq(full_create_topic(&f, "t"), SHUNT_TOPIC_EXISTS, "what is there needs no room");
    cr_assert_eq(full_create_group(&f, "default"), SHUNT_GROUP_EXISTS);
    full_purge_topic(&f);
    cr_assert_eq(full_create_topic(&f, "late"), 0);
    cr_assert_eq(full_create_group(&f, "late"), 0);
    full_end(&f);
}

Test(full, the_smallest_store_is_of_use)
{
    struct full f;
    full_begin(&f, 16 * MIB, 1);
    for (int round = 0; round < 3; round++) {
        uint64_t before = f.accepted;
        full_fill(&f, 100, 1000, 0, 0);
        cr_assert_str_eq(f.text, "the store has no room for this now: the store's map is nearly full: 3 MiB "
                                 "are free, and publishing stops below 4 MiB; "
                                 "let consumers catch up, purge, or raise map-size-max");
        cr_assert_gt(f.accepted - before, 5000, "%llu messages of 1 KB",
                     (unsigned long long)(f.accepted - before));
        full_subscribe(&f, "default", 1000);
        while (f.held_count)
            full_resolve(&f, f.held_count, OUTCOME_ACK, 0);
        cr_assert_eq(full_counts(&f, "default").acked, f.accepted);
        full_reconnect(&f);
    }
    full_end(&f);
}
