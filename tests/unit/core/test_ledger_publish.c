/* Publishing: limits of a topic, and refusals. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
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

/* What was put aside does not stop what comes behind it; what comes back counts again. */
Test(ledger_publish, dead_letters_do_not_fill_a_topic)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_max_messages, 3, POLICY_max_bytes, 60, -1)); /* 20 bytes each */
    publish(&f, "t", 3);
    publish(&f, "t", 1);
    cr_assert_eq(f.err, SHUNT_TOPIC_FULL);
    assign(&f, "t", "default", 3);
    for (uint64_t seq = 1; seq <= 3; seq++)
        fail(&f, "t", "default", seq, ATTEMPT_REJECTED);
    publish(&f, "t", 4);
    cr_assert_eq(f.accepted, 3, "as many as if the dead letters were not there");
    redrive(&f, "t", "default", 1, 0);
    assign(&f, "t", "default", 4);
    ack(&f, "t", "default", 4);
    publish(&f, "t", 1);
    cr_assert_eq(f.err, SHUNT_TOPIC_FULL, "one came back, one is done");
    const struct group *g = fixture_group(&f, "t", "default");
    cr_assert(g->r.counts.dead == 2 && g->r.dead_bytes == 40);
    fixture_done(&f);
}

Test(ledger_publish, what_any_group_has_still_to_handle_fills_a_topic)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "a b");
    topic_update(&f, "t", settings(POLICY_max_messages, 3, -1));
    publish(&f, "t", 3);
    assign(&f, "t", "a", 3);
    assign(&f, "t", "b", 3);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        fail(&f, "t", "a", seq, ATTEMPT_REJECTED);
        fail(&f, "t", "b", seq, ATTEMPT_REJECTED);
    }
    publish(&f, "t", 4);
    cr_assert_eq(f.accepted, 3, "dead in both groups, each makes room once");
    publish(&f, "t", 1);
    cr_assert_eq(f.err, SHUNT_TOPIC_FULL);
    assign(&f, "t", "a", 3);
    for (uint64_t seq = 4; seq <= 6; seq++)
        ack(&f, "t", "a", seq);
    publish(&f, "t", 1);
    cr_assert_eq(f.err, SHUNT_TOPIC_FULL, "b has them still to handle");
    fixture_done(&f);
}

/* A row of an older server does not say. */
Test(ledger_publish, bytes_of_dead_letters_are_counted_at_the_start_where_no_row_says)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 2);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    fail(&f, "t", "default", 2, ATTEMPT_REJECTED);
    struct group *g = fixture_group(&f, "t", "default");
    uint64_t counted = g->r.dead_bytes;
    cr_assert_gt(counted, 0);
    g->r.dead_bytes = 0;
    cr_assert_eq(store_begin(f.store, false, &f.l->txn), 0);
    g->r.dead_bytes_old = true;
    cr_assert_eq(dead_count_old(f.l), 0);
    store_abort(f.l->txn);
    cr_assert_eq(g->r.dead_bytes, counted);
    fixture_done(&f);
}

Test(ledger_publish, one_bad_message_refuses_the_frame_and_is_named)
{
    struct fixture f;
    struct mpack_buffer messages = {0};
    static char large[1001];
    fixture_init(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {100, 10, 1000, 3600000, 0, 0}});
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
    mpack_write_array(&messages, 8); /* with fields of a later version */
    mpack_write_bin(&messages, "", 0);
    mpack_write_nil(&messages);
    mpack_write_nil(&messages);
    mpack_write_uint(&messages, 0);
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

/* ---- what a message has beside its body ---- */

/* A body of one byte, and a field of a later version that makes the rest `extra` bytes. */
static void write_extra(struct mpack_buffer *to, size_t extra)
{
    size_t heads =
        1 + 2 + 5 + (extra < 65547 ? 3 : 5); /* the array's, the body's, five empty fields, the later's */
    char *later = calloc(1, extra);
    mpack_write_array(to, 7);
    mpack_write_bin(to, "b", 1);
    mpack_write_nil(to);
    mpack_write_nil(to);
    mpack_write_uint(to, 0);
    mpack_write_uint(to, 0);
    mpack_write_uint(to, 0);
    mpack_write_bin(to, later, extra - heads);
    cr_assert_eq(to->size, extra + 1);
    free(later);
}

Test(ledger_publish, fields_of_a_later_version_have_a_limit)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    for (size_t over = 0; over < 2; over++) {
        struct mpack_buffer message = {0};
        write_extra(&message, MESSAGE_EXTRA_BYTES_MAX + over);
        struct publish_command c = {.topic = text("t"), .messages = {message.data, message.size}, .count = 1};
        fixture_run(&f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
        cr_assert_eq(f.err, over ? SHUNT_TOO_LARGE : 0);
        cr_assert_eq(stored_in(&f, "t"), 1);
        mpack_buffer_done(&message);
    }
    fixture_done(&f);
}

/* Put such a message where one is stored, as servers without that limit did. */
static void store_larger(struct fixture *f, uint64_t seq, struct slice message)
{
    struct store_txn *txn;
    struct key key = key_id_seq(ledger_topic(f->l, text("t"))->r.id, seq);
    struct message_head head = {.published_ms = T0};
    size_t size = message_head_bytes(&head) + message.size;
    uint8_t *value = malloc(size);
    message_encode(value, key_slice(&key), &head, message);
    cr_assert_eq(store_begin(f->store, true, &txn), 0);
    cr_assert_eq(store_put(txn, TABLE_MESSAGE, key_slice(&key), (struct slice){value, size}), 0);
    cr_assert_eq(store_commit(txn), 0);
    free(value);
}

Test(ledger_publish, a_stored_message_that_no_frame_carries_is_a_dead_letter_and_stops_nobody)
{
    struct fixture f;
    struct mpack_buffer large = {0}, at = {0};
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 3);
    f.careless = true; /* the topic's sum of bytes does not know */
    write_extra(&large, MESSAGE_BYTES_MAX);
    write_extra(&at, MESSAGE_BYTES_MAX - 1);
    store_larger(&f, 1, (struct slice){large.data, large.size});
    store_larger(&f, 2, (struct slice){at.data, at.size});
    for (int i = 0; i < 2; i++)
        assign(&f, "t", "default", 1);
    cr_assert_eq(f.handed_seqs[0], 3);
    expect_state(&f, "t", "default", 1, "dead");
    expect_state(&f, "t", "default", 2, "in_flight");
    struct view v = {.ledger = f.l};
    struct mpack_buffer shown = {0};
    cr_assert_eq(store_begin(f.store, false, &v.txn), 0);
    cr_assert_eq(view_dead(&v, fixture_group(&f, "t", "default"), text("1"), false, &shown), 0);
    store_abort(v.txn);
    cr_assert_not_null(memmem(shown.data, shown.size, "TOO_LARGE", 9), "its history says why");
    cr_assert_lt(shown.size, 4096);
    assign(&f, "dlq:t:default", "default", 1);
    cr_assert_eq(f.handed, 0, "nor does the queue of dead letters hand it out");
    mpack_buffer_done(&shown);
    mpack_buffer_done(&large);
    mpack_buffer_done(&at);
    fixture_drop(&f);
}
