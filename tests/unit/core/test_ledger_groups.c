/* Topics and groups: where a group begins, what several groups need, settings, limits, names. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ---- where a group begins ---- */

Test(ledger_groups, a_group_begins_at_the_oldest_or_now)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 3);
    group_create(&f, "t", "old", false);
    cr_assert_gt(f.readies, 0, "there is something for it at once");
    group_create(&f, "t", "now", true);
    publish(&f, "t", 1);
    fixture_forget(&f);
    assign(&f, "t", "old", 10);
    assign(&f, "t", "now", 10);
    show_counts(&f, "t", "old");
    show_counts(&f, "t", "now");
    fixture_expect(&f, "     0 t/old hand 1 token 1 attempts 0 deliveries 1 generation 0\n"
                       "     0 t/old hand 2 token 1 attempts 0 deliveries 1 generation 0\n"
                       "     0 t/old hand 3 token 1 attempts 0 deliveries 1 generation 0\n"
                       "     0 t/old hand 4 token 1 attempts 0 deliveries 1 generation 0\n"
                       "     0 t/now hand 4 token 1 attempts 0 deliveries 1 generation 0\n"
                       "     0 t/old: published 4 in_flight 4\n"
                       "     0 t/now: published 1 in_flight 1\n");
    fixture_done(&f);
}

Test(ledger_groups, a_late_group_steps_over_holes)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 6, 6);
    for (uint64_t seq = 2; seq <= 6; seq += 2)
        ack(&f, "t", "default", seq); /* and gone: nobody else needs them */
    group_create(&f, "t", "late", false);
    assign(&f, "t", "late", 1); /* 1; then a hole while 1 is in flight */
    fixture_forget(&f);
    assign(&f, "t", "late", 10);
    fixture_expect(&f, "     0 t/late hand 3 token 1 attempts 0 deliveries 1 generation 0\n"
                       "     0 t/late hand 5 token 1 attempts 0 deliveries 1 generation 0\n");
    ack(&f, "t", "late", 5);
    ack(&f, "t", "late", 1);
    ack(&f, "t", "late", 3);
    show_counts(&f, "t", "late");
    fixture_expect(&f, "     0 t/late: published 3 acked 3\n");
    fixture_done(&f);
}

/* The first chunk of a bitmap is given up when every bit below the floor is set. */
Test(ledger_groups, bitmaps_of_a_long_backlog_do_not_pile_up)
{
    struct fixture f;
    fixture_init(&f);
    f.careless = true;
    topic_create(&f, "t", settings(-1));
    for (int i = 0; i < 20; i++)
        publish(&f, "t", 1000);
    assign(&f, "t", "default", 1); /* held: the floor stays */
    for (uint64_t seq = 2; seq <= 20000; seq++) {
        if (seq % 100 == 2)
            assign(&f, "t", "default", 100);
        ack(&f, "t", "default", seq);
    }
    ledger_audit(f.l, f.store);
    cr_assert_eq(rows_in(&f, TABLE_DONE), 5);
    resolve(&f, "t", "default", (struct resolution){.seq = 1, .token = 1, .acked = true});
    ledger_audit(f.l, f.store);
    cr_assert_leq(rows_in(&f, TABLE_DONE), 1);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.floor, 20001);
    cr_assert_eq(rows_in(&f, TABLE_MESSAGE), 0);
    fixture_done(&f);
}

/* ---- several groups ---- */

Test(ledger_groups, a_message_is_deleted_when_no_group_needs_it)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "a b c");
    publish(&f, "t", 1);
    assign(&f, "t", "a", 1);
    assign(&f, "t", "b", 1);
    ack(&f, "t", "a", 1);
    cr_assert_eq(stored_in(&f, "t"), 1);
    fail(&f, "t", "b", 1, ATTEMPT_REJECTED);
    assign(&f, "t", "c", 1);
    ack(&f, "t", "c", 1);
    cr_assert_eq(stored_in(&f, "t"), 1, "dead is not done");
    dlq_purge(&f, "t", "b", 1);
    cr_assert_eq(stored_in(&f, "t"), 0);
    cr_assert_eq(rows_in(&f, TABLE_MESSAGE), 0);
    fixture_done(&f);
}

/* ---- pause ---- */

Test(ledger_groups, a_paused_group_gets_nothing)
{
    struct fixture f;
    struct group_ready ready;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 1);
    group_pause(&f, "t", "default", true);
    cr_assert(f.changed && f.readies == 1);
    ledger_group_ready(f.l, ledger_group_id(fixture_group(&f, "t", "default")), &ready);
    cr_assert(ready.paused && ready.lane[LANE_NORMAL] == 1);
    assign(&f, "t", "default", 1);
    cr_assert(f.handed == 0 && !f.changed);
    group_pause(&f, "t", "default", true);
    cr_assert(f.err == 0 && !f.changed);
    fixture_reload(&f);
    assign(&f, "t", "default", 1);
    cr_assert_eq(f.handed, 0);
    group_pause(&f, "t", "default", false);
    assign(&f, "t", "default", 1);
    cr_assert_eq(f.handed, 1);
    group_pause(&f, "t", "none", true);
    cr_assert_eq(f.err, SHUNT_UNKNOWN_GROUP);
    fixture_done(&f);
}

/* ---- names and limits ---- */

Test(ledger_groups, names_that_cannot_be_created)
{
    static char longest[NAME_BYTES_MAX + 2];
    struct fixture f;
    fixture_init(&f);
    memset(longest, 'x', NAME_BYTES_MAX + 1);
    topic_create(&f, "", settings(-1));
    cr_assert_eq(f.err, SHUNT_BAD_NAME);
    topic_create(&f, longest, settings(-1));
    cr_assert_eq(f.err, SHUNT_BAD_NAME);
    topic_create(&f, ".hidden", settings(-1));
    cr_assert_eq(f.err, SHUNT_BAD_NAME);
    topic_create(&f, "dlq:a:b", settings(-1));
    cr_assert_eq(f.err, SHUNT_RESERVED);
    topic_create(&f, "a:b", settings(-1));
    cr_assert_eq(f.err, SHUNT_RESERVED);
    topic_create_groups(&f, "t", "a b:c");
    cr_assert_eq(f.err, SHUNT_RESERVED);
    topic_create_groups(&f, "t", "a b a");
    cr_assert_eq(f.err, SHUNT_GROUP_EXISTS);
    cr_assert_eq(rows_in(&f, TABLE_TOPIC), 0);
    longest[NAME_BYTES_MAX] = 0;
    topic_create_groups(&f, longest, longest);
    cr_assert_eq(f.err, 0);
    topic_create(&f, longest, settings(-1));
    cr_assert_eq(f.err, SHUNT_TOPIC_EXISTS);
    group_create(&f, longest, longest, false);
    cr_assert_eq(f.err, SHUNT_GROUP_EXISTS);
    group_create(&f, longest, "", false);
    cr_assert_eq(f.err, SHUNT_BAD_NAME);
    group_create(&f, "none", "g", false);
    cr_assert_eq(f.err, SHUNT_UNKNOWN_TOPIC);
    fixture_done(&f);
}

Test(ledger_groups, a_dlq_is_not_a_topic_of_ones_own)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "dlq:t:default", 1);
    cr_assert_eq(f.err, SHUNT_RESERVED);
    topic_update(&f, "dlq:t:default", settings(POLICY_ttl_ms, 1, -1));
    cr_assert_eq(f.err, SHUNT_RESERVED);
    topic_delete(&f, "dlq:t:default");
    cr_assert_eq(f.err, SHUNT_RESERVED);
    group_delete(&f, "dlq:t:default", "default");
    cr_assert_eq(f.err, SHUNT_LAST_GROUP);
    group_update(&f, "dlq:t:default", "default", settings(POLICY_lease_ms, 1234, -1));
    cr_assert_eq(f.err, 0, "but its group may have settings");
    cr_assert_eq(ledger_group_lease_ms(fixture_group(&f, "dlq:t:default", "default")), 1234);
    fixture_done(&f);
}

Test(ledger_groups, limits_hold_at_their_edge_and_dlqs_do_not_count)
{
    struct fixture f;
    fixture_init(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {2, 2, 1000, 1000, 0, 0}});
    cr_assert(f.changed);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {2, 2, 1000, 1000, 0, 0}});
    cr_assert(!f.changed, "the same again changes nothing");
    topic_create_groups(&f, "three", "a b c");
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    topic_create_groups(&f, "one", "a");
    topic_create_groups(&f, "two", "a b");
    cr_assert_eq(f.err, 0);
    topic_create(&f, "three", settings(-1));
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    group_create(&f, "two", "c", false);
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    group_create(&f, "one", "b", false);
    cr_assert_eq(f.err, 0);
    topic_delete(&f, "one");
    topic_create(&f, "three", settings(-1));
    cr_assert_eq(f.err, 0, "a deleted one makes room at once");
    fixture_done(&f);
}

/* ---- settings ---- */

Test(ledger_groups, a_group_inherits_overrides_and_resets)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_lease_ms, 2000, -1));
    const struct group *g = fixture_group(&f, "t", "default");
    cr_assert_eq(group_setting(g, POLICY_lease_ms), 2000);
    cr_assert_eq(group_setting(g, POLICY_max_attempts), 5);
    group_update(&f, "t", "default", settings(POLICY_lease_ms, 3000, -1));
    topic_update(&f, "t", settings(POLICY_lease_ms, 4000, POLICY_max_attempts, 9, -1));
    cr_assert_eq(group_setting(g, POLICY_lease_ms), 3000);
    cr_assert_eq(group_setting(g, POLICY_max_attempts), 9);
    publish(&f, "t", 1);
    assign(&f, "t", "default", 1);
    cr_assert_eq(f.last_lease_ms, 3000);
    group_update(&f, "t", "default", (struct policy_change){.reset = 1u << POLICY_lease_ms});
    cr_assert_eq(group_setting(g, POLICY_lease_ms), 4000);
    topic_update(&f, "t", (struct policy_change){.reset = 1u << POLICY_lease_ms});
    cr_assert_eq(group_setting(g, POLICY_lease_ms), 30000);
    fixture_reload(&f);
    cr_assert_eq(group_setting(fixture_group(&f, "t", "default"), POLICY_max_attempts), 9);
    fixture_done(&f);
}

Test(ledger_groups, settings_out_of_bounds_are_refused_whole)
{
    struct fixture f;
    fixture_init(&f);
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        struct policy_change low = {.set = {.given = 1u << i}}, high = low;
        low.set.value[i] = policy_rows[i].min - 1;
        high.set.value[i] = policy_rows[i].max + 1;
        topic_create(&f, "t", low);
        cr_assert(f.err == SHUNT_BAD_ARGUMENT && f.why, "%s", policy_rows[i].field);
        topic_create(&f, "t", high);
        cr_assert(f.err == SHUNT_BAD_ARGUMENT && f.why, "%s", policy_rows[i].field);
    }
    topic_create(&f, "t", settings(POLICY_backoff_min_ms, 500, POLICY_backoff_max_ms, 400, -1));
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    topic_create(&f, "t", settings(POLICY_backoff_min_ms, 400, POLICY_backoff_max_ms, 400, -1));
    cr_assert_eq(f.err, 0);
    group_update(&f, "t", "default", settings(POLICY_ttl_ms, 1, -1));
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT, "a topic's own setting");
    group_update(&f, "t", "default", (struct policy_change){.reset = 1u << POLICY_max_bytes});
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    group_update(&f, "t", "default", settings(POLICY_lease_ms, 99, POLICY_backoff_min_ms, 401, -1));
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT, "with what it inherits");
    cr_assert_eq(group_setting(fixture_group(&f, "t", "default"), POLICY_lease_ms), 30000);
    group_update(&f, "t", "default", settings(POLICY_backoff_min_ms, 300, -1));
    topic_update(&f, "t", settings(POLICY_backoff_min_ms, 100, POLICY_backoff_max_ms, 200, -1));
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT, "with what a group has of its own");
    topic_update(&f, "none", settings(-1));
    cr_assert_eq(f.err, SHUNT_UNKNOWN_TOPIC);
    fixture_done(&f);
}

Test(ledger_groups, each_limit_alone_is_a_change)
{
    static const struct ledger_limits limits[] = {{100, 10, 1 << 20, 3600000, 0, 0},
                                                  {99, 10, 1 << 20, 3600000, 0, 0},
                                                  {99, 9, 1 << 20, 3600000, 0, 0},
                                                  {99, 9, 100, 3600000, 0, 0},
                                                  {99, 9, 100, 1, 0, 0},
                                                  {99, 9, 100, 1, 5, 0},
                                                  {99, 9, 100, 1, 5, 6}};
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = limits[i]});
        cr_assert_eq(f.changed, i > 0, "%zu", i);
    }
    fixture_done(&f);
}
