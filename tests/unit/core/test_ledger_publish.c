/* Publishing: limits of a topic, refusals, and exactly once in effect. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define P1 "producer-0000001"
#define P2 "producer-0000002"

/* ---- limits ---- */

Test(ledger_publish, a_full_topic_takes_what_fits)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_max_messages, 3, -1));
    publish(&f, "t", 2);
    publish(&f, "t", 2);
    publish(&f, "t", 1);
    fixture_expect(&f, "     0 ok\n"
                       "     0 published 1+2\n"
                       "     0 published 3+1 then TOPIC_FULL\n"
                       "     0 publish TOPIC_FULL\n");
    cr_assert(!f.changed);
    assign(&f, "t", "default", 1);
    ack(&f, "t", "default", 1);
    publish(&f, "t", 1);
    cr_assert_eq(f.accepted, 1, "what is done makes room");
    fixture_done(&f);
}

Test(ledger_publish, bytes_of_a_topic_are_bounded_exactly)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 1);
    publish_timed(&f, "t", 100, 100000);
    struct topic *t = ledger_topic(f.l, text("t"));
    int plain = 20, timed = (int)t->r.stored_bytes - plain;
    topic_create(&f, "u", settings(POLICY_max_bytes, 2 * plain + timed, -1));
    publish(&f, "u", 2);
    publish_timed(&f, "u", 100, 100000);
    cr_assert_eq(f.accepted, 1);
    cr_assert_eq(ledger_topic(f.l, text("u"))->r.stored_bytes, (uint64_t)(2 * plain + timed));
    topic_create(&f, "v", settings(POLICY_max_bytes, 2 * plain + timed - 1, -1));
    publish(&f, "v", 2);
    publish_timed(&f, "v", 100, 100000);
    cr_assert_eq(f.err, SHUNT_TOPIC_FULL);
    fixture_done(&f);
}

Test(ledger_publish, one_bad_message_refuses_the_frame_and_is_named)
{
    struct fixture f;
    struct mpack_buffer messages = {0};
    static char large[1001];
    fixture_init(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {100, 10, 1000, 3600000}});
    topic_create(&f, "t", settings(-1));
    write_message(&messages, "fine", 0, 0);
    write_message(&messages, "fine", 0, 0);
    mpack_write_array(&messages, 1);
    mpack_write_bin(&messages, large, sizeof large);
    struct publish_command c = {.topic = text("t"),
                                .messages = {messages.data, messages.size},
                                .count = 3,
                                .producer = text(P1),
                                .sequence = 1};
    fixture_run(&f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    cr_assert(f.err == SHUNT_TOO_LARGE && f.accepted == 2 && f.why && !f.changed);
    messages.size = 0;
    write_message(&messages, "late", DURATION_MS_MAX + 1, 0);
    c.messages = (struct slice){messages.data, messages.size};
    c.count = 1;
    fixture_run(&f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    cr_assert(f.err == SHUNT_BAD_ARGUMENT && f.accepted == 0 && !f.changed);
    cr_assert_eq(rows_in(&f, TABLE_DEDUP), 0, "errors are not remembered");
    mpack_buffer_done(&messages);
    fixture_done(&f);
}

Test(ledger_publish, a_body_is_stored_as_it_came)
{
    struct fixture f;
    struct mpack_buffer messages = {0};
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    mpack_write_array(&messages, 7); /* with fields of a later version */
    mpack_write_bin(&messages, "", 0);
    mpack_write_nil(&messages);
    mpack_write_nil(&messages);
    mpack_write_uint(&messages, 0);
    mpack_write_uint(&messages, 0);
    mpack_write_cstr(&messages, "later");
    mpack_write_uint(&messages, 7);
    struct publish_command c = {.topic = text("t"), .messages = {messages.data, messages.size}, .count = 1};
    fixture_run(&f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    cr_assert_eq(f.err, 0, "%s", f.why);
    assign(&f, "t", "default", 1);
    cr_assert(f.last_body.size == messages.size && !memcmp(f.last_body.data, messages.data, messages.size));
    mpack_buffer_done(&messages);
    fixture_done(&f);
}

/* ---- exactly once in effect ---- */

Test(ledger_publish, a_resend_gets_the_first_answer)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_max_messages, 3, -1));
    publish_as(&f, "t", P1, 1, 0, 2, 0);
    publish_as(&f, "t", P1, 2, 0, 2, 0);
    publish_as(&f, "t", P2, 1, 0, 1, 0);
    fixture_forget(&f);
    fixture_reload(&f);
    topic_update(&f, "t", settings(POLICY_max_messages, 100, -1));
    for (int i = 0; i < 2; i++) {
        publish_as(&f, "t", P1, 1, 0, 2, 0);
        cr_assert(!f.changed);
        publish_as(&f, "t", P1, 2, 0, 2, 0);
        publish_as(&f, "t", P1, 2, 0, 2, SHUNT_NO_SPACE); /* answered before: so it is now */
    }
    fixture_expect(&f, "     0 ok\n"
                       "     0 published 1+2\n"
                       "     0 published 3+1 then TOPIC_FULL\n"
                       "     0 published 3+1 then TOPIC_FULL\n"
                       "     0 published 1+2\n"
                       "     0 published 3+1 then TOPIC_FULL\n"
                       "     0 published 3+1 then TOPIC_FULL\n");
    cr_assert_eq(stored_in(&f, "t"), 3);
    publish_as(&f, "t", P2, 1, 0, 1, 0);
    cr_assert_eq(f.first_seq, 4, "a refused frame is tried anew");
    fixture_done(&f);
}

Test(ledger_publish, a_refusal_from_outside_stores_nothing)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_as(&f, "t", P1, 1, 0, 1, SHUNT_NO_SPACE);
    cr_assert(f.err == SHUNT_NO_SPACE && !f.changed);
    publish_as(&f, "none", P1, 1, 0, 1, SHUNT_NO_SPACE);
    cr_assert_eq(f.err, SHUNT_UNKNOWN_TOPIC);
    publish_as(&f, "t", P1, 1, 0, 1, 0);
    cr_assert_eq(f.first_seq, 1);
    fixture_done(&f);
}

Test(ledger_publish, what_is_forgotten_is_out_of_the_window)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    for (uint64_t sequence = 1; sequence <= 5; sequence++)
        publish_as(&f, "t", P1, sequence, sequence == 5 ? 4 : 0, 1, 0);
    publish_as(&f, "t", P1, 4, 0, 1, 0);
    cr_assert(f.err == 0 && f.first_seq == 4);
    publish_as(&f, "t", P1, 3, 0, 1, 0);
    cr_assert(f.err == SHUNT_DEDUP_WINDOW && !f.changed);
    publish_as(&f, "t", P1, 0, 0, 1, 0);
    cr_assert_eq(f.first_seq, 6, "0 is without protection");
    publish_as(&f, "t", "", 4, 0, 1, 0);
    cr_assert_eq(f.first_seq, 7, "and so is no producer");
    fixture_done(&f);
}

Test(ledger_publish, answers_to_the_latest_frames_are_kept)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    f.careless = f.quiet = true;
    for (uint64_t sequence = 1; sequence <= DEDUP_FRAMES_MAX + 2; sequence++)
        publish_as(&f, "t", P1, sequence, 0, 1, 0);
    publish_as(&f, "t", P1, 2, 0, 1, 0);
    cr_assert_eq(f.err, SHUNT_DEDUP_WINDOW);
    publish_as(&f, "t", P1, 3, 0, 1, 0);
    cr_assert(f.err == 0 && f.first_seq == 3 && !f.changed);
    fixture_done(&f);
}

Test(ledger_publish, frames_out_of_order_are_told_apart)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    static const uint64_t order[] = {5, 2, 9, 1};
    for (int i = 0; i < 4; i++)
        publish_as(&f, "t", P1, order[i], 0, 1, 0);
    for (int i = 0; i < 4; i++) {
        publish_as(&f, "t", P1, order[i], 0, 1, 0);
        cr_assert_eq(f.first_seq, (uint64_t)i + 1);
    }
    publish_as(&f, "t", P1, 3, 0, 1, 0);
    cr_assert_eq(f.first_seq, 5);
    fixture_done(&f);
}

Test(ledger_publish, silent_producers_are_forgotten_after_the_window)
{
    struct fixture f;
    fixture_init(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {100, 10, 1000, 100000}});
    topic_create(&f, "t", settings(-1));
    publish_as(&f, "t", P1, 1, 0, 1, 0);
    publish_as(&f, "t", P2, 1, 0, 1, 0);
    tick(&f, 60000);
    publish_as(&f, "t", P2, 2, 0, 1, 0);
    for (int64_t ms = 70000; ms <= 100000; ms += 1000)
        tick(&f, ms);
    publish_as(&f, "t", P1, 1, 0, 1, 0);
    cr_assert_eq(f.first_seq, 1, "within the window");
    for (int64_t ms = 101000; ms <= 120000; ms += 1000)
        tick(&f, ms);
    cr_assert_eq(rows_in(&f, TABLE_DEDUP), 1, "the other one has published since");
    publish_as(&f, "t", P2, 2, 0, 1, 0);
    cr_assert_eq(f.first_seq, 3);
    fixture_done(&f);
}

/* Seed 164 of the simulator: the clock jumped while the broker was down, and unanswered publishes that were
 * sent again were stored twice. A long outage does the same. */
Test(ledger_publish, an_outage_longer_than_the_window_forgets_no_producer)
{
    struct fixture f;
    fixture_init(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {100, 10, 1000, 100000}});
    topic_create(&f, "t", settings(-1));
    publish_as(&f, "t", P1, 1, 0, 1, 0);
    fixture_crash(&f);
    fixture_at(&f, 5000000);
    fixture_run(&f, (struct command){.kind = COMMAND_RECOVER});
    for (int64_t ms = 5000000; ms <= 5100000; ms += 1000)
        tick(&f, ms);
    publish_as(&f, "t", P1, 1, 0, 1, 0);
    cr_assert_eq(f.first_seq, 1, "the first answer");
    for (int64_t ms = 5101000; ms <= 5110000; ms += 1000)
        tick(&f, ms);
    cr_assert_eq(rows_in(&f, TABLE_DEDUP), 0, "but not for ever");
    fixture_done(&f);
}

/* More producers than one sweep looks at. */
Test(ledger_publish, the_sweep_gets_round)
{
    struct fixture f;
    char producer[32];
    fixture_init(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {100, 10, 1000, 1000}});
    topic_create(&f, "t", settings(-1));
    f.careless = f.quiet = true;
    for (unsigned i = 0; i < 1500; i++) {
        snprintf(producer, sizeof producer, "producer-%07u", i);
        publish_as(&f, "t", producer, 1, 0, 1, 0);
    }
    cr_assert_eq(rows_in(&f, TABLE_DEDUP), 1500);
    for (int64_t ms = 2000; ms <= 10000; ms += 1000) {
        fixture_at(&f, ms);
        tick_until_quiet(&f);
        if (ms == 5000)
            fixture_reload(&f);
    }
    cr_assert_eq(rows_in(&f, TABLE_DEDUP), 0);
    fixture_done(&f);
}
