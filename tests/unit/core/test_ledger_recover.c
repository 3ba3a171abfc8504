/* What survives: the end of the process at any point, damage to rows, and the bound of the attempt ledger. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(ledger_recover, what_was_in_flight_is_ready_in_front_and_uncharged)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 5, 4);
    ack(&f, "t", "default", 2);
    nack(&f, "t", "default", 3, 0);
    assign(&f, "t", "default", 1); /* 3 again */
    fixture_at(&f, 100);
    fixture_crash(&f);
    fixture_forget(&f);
    recover(&f);
    show(&f, "t", "default", 1);
    show(&f, "t", "default", 3);
    show(&f, "t", "default", 4);
    show_counts(&f, "t", "default");
    assign(&f, "t", "default", 5);
    fixture_expect(&f, "   100 t/default 1 ready attempts 0/0 deliveries 1/1 generation 0 rows 1\n"
                       "   100 t/default 3 ready attempts 1/1 deliveries 2/2 generation 0 rows 2\n"
                       "   100 t/default 4 ready attempts 0/0 deliveries 1/1 generation 0 rows 1\n"
                       "   100 t/default: published 5 ready 4 acked 1\n"
                       "   100 t/default hand 1 token 2 attempts 0 deliveries 2 generation 0\n"
                       "   100 t/default hand 3 token 3 attempts 1 deliveries 3 generation 0\n"
                       "   100 t/default hand 4 token 2 attempts 0 deliveries 2 generation 0\n"
                       "   100 t/default hand 5 token 1 attempts 0 deliveries 1 generation 0\n");
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.attempts[ATTEMPT_BROKER_RESTART], 3);
    recover(&f);
    recover(&f);
    cr_assert(!f.changed, "nothing in flight: nothing to do");
    fixture_done(&f);
}

Test(ledger_recover, suspects_stay_suspects)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 2, 2);
    fail(&f, "t", "default", 1, ATTEMPT_SUSPECTED);
    assign_lane(&f, "t", "default", LANE_SUSPECT, 1);
    fixture_crash(&f);
    recover(&f);
    assign(&f, "t", "default", 5);
    cr_assert_eq(f.handed, 1);
    assign_lane(&f, "t", "default", LANE_SUSPECT, 1);
    cr_assert_eq(f.handed, 1);
    fixture_done(&f);
}

/* Killed in the middle of a batch: at the nth write to the store, for every n. */
Test(ledger_recover, a_crash_at_any_write_leaves_the_batch_before)
{
    bool passed = false;
    for (unsigned n = 0; !passed; n++) {
        struct fixture f;
        struct store_txn *t;
        fixture_init(&f);
        topic_create_groups(&f, "t", "a b");
        publish_timed(&f, "t", 0, 1000);
        publish(&f, "t", 3);
        assign(&f, "t", "a", 4);
        uint64_t before = state_hash(f.store);
        uint32_t a = ledger_group_id(fixture_group(&f, "t", "a")),
                 b = ledger_group_id(fixture_group(&f, "t", "b"));
        struct resolution entries[] = {{.seq = 1, .token = 1, .outcome = ATTEMPT_REJECTED},
                                       {.seq = 2, .token = 1, .acked = true},
                                       {.seq = 3, .token = 1, .outcome = ATTEMPT_NACKED, .delay_ms = 10}};
        struct command commands[] = {
            {.kind = COMMAND_RESOLVE, .resolve = {.group = a, .entries = entries, .count = 3}},
            {.kind = COMMAND_ASSIGN, .assign = {.group = b, .messages = 2, .bytes = 1000}},
            {.kind = COMMAND_DLQ_REDRIVE,
             .dead = {.topic = text("t"), .group = text("a"), .count = UINT64_MAX}},
            {.kind = COMMAND_TOPIC_PURGE, .purge = {.topic = text("t"), .group = text("b")}}};
        fixture_at(&f, 5);
        struct batch batch = {
            .index = ledger_index(f.l) + 1, .time_ms = T0 + 5, .commands = commands, .count = 4};
        cr_assert_eq(store_begin(f.store, true, &t), 0);
        store_memory_fault(f.store, n, 1, SHUNT_IO);
        int err = ledger_apply(f.l, t, &batch);
        if (!err)
            err = ledger_seal(f.l, t);
        if (!err)
            err = store_commit(t);
        store_memory_fault(f.store, 0, 0, 0);
        passed = !err;
        cr_assert(passed || err == SHUNT_IO, "write %u: %s", n, err_name(err));
        fixture_crash(&f);
        if (!passed)
            cr_assert_eq(state_hash(f.store), before, "write %u", n);
        recover(&f);
        fixture_done(&f);
        cr_assert_lt(n, 200);
    }
}

/* ---- the attempt ledger ---- */

/* "1+ 5- 6+": the numbers of its rows, + where the row charged. */
static const char *history_of(struct fixture *f, uint64_t seq)
{
    static char out[512];
    uint32_t id = ledger_group_id(fixture_group(f, "t", "default"));
    struct store_txn *t;
    struct slice value;
    out[0] = 0;
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    for (uint32_t row = 1; row < 200; row++) {
        struct key key = key_history(id, seq, row);
        struct history_record h;
        if (store_get(t, TABLE_HISTORY, key_slice(&key), &value))
            continue;
        cr_assert_eq(history_decode(key_slice(&key), value, &h), 0);
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%u%c", out[0] ? " " : "", row,
                 h.charged ? '+' : '-');
    }
    store_abort(t);
    return out;
}

Test(ledger_recover, the_first_and_the_newest_rows_are_kept)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_max_attempts, 1000, -1));
    publish(&f, "t", 1);
    for (int i = 0; i < 20; i++) {
        assign(&f, "t", "default", 1);
        nack(&f, "t", "default", 1, 0);
    }
    cr_assert_str_eq(history_of(&f, 1), "1+ 6+ 7+ 8+ 9+ 10+ 11+ 12+ 13+ 14+ 15+ 16+ 17+ 18+ 19+ 20+");
    fixture_done(&f);
}

Test(ledger_recover, rows_that_charged_nothing_make_room_first)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_max_attempts, 1000, POLICY_history_after_ms, 0, -1));
    publish(&f, "t", 1);
    for (int i = 1; i <= 18; i++) {
        assign(&f, "t", "default", 1);
        fail(&f, "t", "default", 1, i == 1 || i == 5 || i == 9 ? ATTEMPT_RELEASED : ATTEMPT_REJECTED);
        if (i != 1 && i != 5 && i != 9)
            redrive(&f, "t", "default", 1, 0);
    }
    cr_assert_str_eq(history_of(&f, 1), "1- 2+ 3+ 4+ 6+ 7+ 8+ 10+ 11+ 12+ 13+ 14+ 15+ 16+ 17+ 18+");
    for (int i = 0; i < 3; i++) {
        assign(&f, "t", "default", 1);
        fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    }
    cr_assert_str_eq(history_of(&f, 1), "1- 3+ 4+ 6+ 7+ 8+ 10+ 11+ 12+ 13+ 14+ 15+ 16+ 17+ 18+ 21-");
    cr_assert_eq(row_of(&f, "t", "default", 1).attempts_total, 15);
    assign(&f, "t", "default", 1);
    ack(&f, "t", "default", 1);
    cr_assert_eq(rows_in(&f, TABLE_HISTORY), 0);
    fixture_done(&f);
}

/* ---- damaged rows ---- */

/* One flipped bit in a row of any of the tables that are loaded at the start. */
Test(ledger_recover, a_damaged_row_is_said_and_not_believed)
{
    static const enum store_table tables[] = {TABLE_META, TABLE_TOPIC, TABLE_GROUP, TABLE_DONE, TABLE_JOB};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct fixture f;
        struct store_txn *t;
        struct store_cursor *c;
        struct slice key, value;
        struct ledger *l;
        char why[128];
        fixture_init(&f);
        topic_create(&f, "t", settings(-1));
        publish(&f, "t", 2);
        assign(&f, "t", "default", 2);
        ack(&f, "t", "default", 2);
        topic_purge(&f, "t", NULL);
        fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
        topic_purge(&f, "t", NULL);
        assign(&f, "t", "default", 1);
        publish(&f, "t", 2);
        assign(&f, "t", "default", 2);
        ack(&f, "t", "default", 4);
        cr_assert_gt(rows_in(&f, tables[i]), 0, "table %u", tables[i]);
        cr_assert_eq(store_begin(f.store, true, &t), 0);
        cr_assert_eq(store_cursor_open(t, tables[i], &c), 0);
        cr_assert_eq(store_cursor_seek(c, (struct slice){"", 1}, &key, &value), 0);
        uint8_t *copy = malloc(value.size);
        memcpy(copy, value.data, value.size);
        copy[value.size / 3] ^= 1;
        store_cursor_close(c);
        cr_assert_eq(store_put(t, tables[i], key, (struct slice){copy, value.size}), 0);
        free(copy);
        cr_assert_eq(ledger_new(t, &l, why, sizeof why), SHUNT_CORRUPT, "table %u", tables[i]);
        cr_assert(strlen(why) > 10, "it says where");
        store_abort(t);
        fixture_done(&f);
    }
}

/* The cursor would go there, past all that the topic will ever hold. */
Test(ledger_recover, a_message_beyond_the_head_is_damage)
{
    struct fixture f;
    struct store_txn *t;
    struct slice value;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 2);
    uint32_t id = ledger_topic(f.l, text("t"))->r.id;
    struct key first = key_id_seq(id, 1), far = key_id_seq(id, 1ull << 40);
    cr_assert_eq(store_begin(f.store, true, &t), 0);
    cr_assert_eq(store_get(t, TABLE_MESSAGE, key_slice(&first), &value), 0);
    cr_assert_eq(store_put(t, TABLE_MESSAGE, key_slice(&far), value), 0);
    cr_assert_eq(store_commit(t), 0);

    struct command c = {.kind = COMMAND_ASSIGN,
                        .assign = {.group = ledger_group_id(fixture_group(&f, "t", "default")),
                                   .messages = 10,
                                   .bytes = 1000}};
    struct batch b = {.index = ledger_index(f.l) + 1, .time_ms = T0, .commands = &c, .count = 1};
    f.applied = &c;
    cr_assert_eq(store_begin(f.store, true, &t), 0);
    cr_assert_eq(ledger_apply(f.l, t, &b), SHUNT_CORRUPT);
    store_abort(t);

    cr_assert_eq(store_begin(f.store, true, &t), 0);
    cr_assert_eq(store_del(t, TABLE_MESSAGE, key_slice(&far), NULL), 0);
    cr_assert_eq(store_commit(t), 0);
    fixture_crash(&f);
    fixture_done(&f);
}
