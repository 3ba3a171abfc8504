/* Publishing: limits of a topic, and refusals. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#define P1 "producer-0000001"

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
