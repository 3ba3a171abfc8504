/* The truth table, tokens: what happens to a delivery. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

/* ---- the truth table, with its milliseconds ---- */

Test(ledger_resolve, ack_is_done_and_charges_nothing)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 2);
    fixture_at(&f, 10);
    assign(&f, "t", "default", 2);
    fixture_at(&f, 20);
    ack(&f, "t", "default", 2);
    ack(&f, "t", "default", 1);
    show_counts(&f, "t", "default");
    fixture_expect(&f, "     0 ok\n"
                       "     0 published 1+2\n"
                       "    10 t/default hand 1 token 1 attempts 0 deliveries 1 generation 0\n"
                       "    10 t/default hand 2 token 1 attempts 0 deliveries 1 generation 0\n"
                       "    20 t/default: published 2 acked 2\n");
    cr_assert_eq(rows_in(&f, TABLE_MESSAGE), 0);
    cr_assert_eq(rows_in(&f, TABLE_ATTEMPT), 0);
    fixture_done(&f);
}

struct row {
    enum attempt_outcome outcome;
    bool charged, dead, backs_off, suspect;
};

static struct row truth_table[] = {
    {.outcome = ATTEMPT_NACKED, .charged = true, .backs_off = true},
    {.outcome = ATTEMPT_REJECTED, .charged = true, .dead = true},
    {.outcome = ATTEMPT_RELEASED},
    {.outcome = ATTEMPT_LEASE_EXPIRED, .charged = true, .backs_off = true},
    {.outcome = ATTEMPT_UNSTARTED},
    {.outcome = ATTEMPT_DISCONNECTED, .charged = true, .backs_off = true, .suspect = true},
    {.outcome = ATTEMPT_SUSPECTED, .suspect = true},
    {.outcome = ATTEMPT_BROKER_RESTART},
};

ParameterizedTestParameters(ledger_resolve, outcome)
{
    return cr_make_param_array(struct row, truth_table, sizeof truth_table / sizeof *truth_table);
}

ParameterizedTest(struct row *want, ledger_resolve, outcome)
{
    static const char *const names[] = ATTEMPT_OUTCOME_NAMES;
    const char *name = names[want->outcome];
    struct fixture f;
    fixture_init_held(&f, settings(-1), 1, 1);
    fixture_at(&f, 50);
    fail(&f, "t", "default", 1, want->outcome);
    const struct group *g = fixture_group(&f, "t", "default");
    struct attempt_record row = row_of(&f, "t", "default", 1);
    cr_assert_str_eq(state_of(&f, "t", "default", 1),
                     want->dead        ? "dead"
                     : want->backs_off ? "delayed"
                                       : "ready",
                     "%s", name);
    cr_assert_eq(row.attempts, want->charged, "%s", name);
    cr_assert_eq(row.attempts_total, want->charged, "%s", name);
    cr_assert_eq(row.suspect, want->suspect, "%s", name);
    cr_assert_eq(row.rows, 1, "%s leaves one row in the ledger", name);
    cr_assert_eq(g->r.counts.attempts[want->outcome], 1, "%s", name);
    if (want->backs_off)
        cr_assert(row.due_ms > T0 + 50 && row.due_ms <= T0 + 1050, "%s", name);
    else
        cr_assert_eq(row.due_ms, 0, "%s: in front of everything", name);
    fixture_done(&f);
}

Test(ledger_resolve, what_was_said_stands_in_the_attempt_ledger)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 1, 1);
    fixture_at(&f, 70);
    resolve(&f, "t", "default",
            (struct resolution){.seq = 1,
                                .outcome = ATTEMPT_NACKED,
                                .delay_ms = 5,
                                .leased_ms = T0 + 3,
                                .started_ms = T0 + 9,
                                .error_type = text("Type\x01"),
                                .error_message = text("Message \xff"),
                                .error_stack = text("a\nb\tc")});
    struct key key = key_history(ledger_group_id(fixture_group(&f, "t", "default")), 1, 1);
    struct store_txn *t;
    struct slice value;
    struct history_record h;
    cr_assert_eq(store_begin(f.store, false, &t), 0);
    cr_assert_eq(store_get(t, TABLE_HISTORY, key_slice(&key), &value), 0);
    cr_assert_eq(history_decode(key_slice(&key), value, &h), 0);
    cr_assert(h.outcome == ATTEMPT_NACKED && h.charged && h.generation == 0);
    cr_assert(h.leased_ms == T0 + 3 && h.started_ms == T0 + 9 && h.ended_ms == T0 + 70);
    cr_assert(h.client.size == 6 && h.host.size == 4 && h.build.size == 5);
    cr_assert(slice_is(h.error_type, "Type?"));
    cr_assert(slice_is(h.error_message, "Message ?"));
    cr_assert(h.error_stack.size == 5 && !memcmp(h.error_stack.data, "a\nb\tc", 5));
    store_abort(t);
    fixture_done(&f);
}

Test(ledger_resolve, long_errors_are_cut_at_their_end_and_stacks_at_their_beginning)
{
    static char type[ERROR_TYPE_BYTES_MAX + 9], stack[ERROR_STACK_BYTES_MAX + 9];
    struct fixture f;
    memset(type, 'a', sizeof type);
    memset(stack, 'b', sizeof stack);
    type[0] = stack[0] = '<';
    type[sizeof type - 1] = stack[sizeof stack - 1] = '>';
    fixture_init_held(&f, settings(-1), 1, 1);
    resolve(&f, "t", "default",
            (struct resolution){.seq = 1,
                                .outcome = ATTEMPT_REJECTED,
                                .error_type = {type, sizeof type},
                                .error_stack = {stack, sizeof stack}});
    struct key key = key_history(ledger_group_id(fixture_group(&f, "t", "default")), 1, 1);
    struct store_txn *t;
    struct slice value;
    struct history_record h;
    cr_assert_eq(store_begin(f.store, false, &t), 0);
    cr_assert_eq(store_get(t, TABLE_HISTORY, key_slice(&key), &value), 0);
    cr_assert_eq(history_decode(key_slice(&key), value, &h), 0);
    cr_assert(h.error_type.size == ERROR_TYPE_BYTES_MAX && *(const char *)h.error_type.data == '<');
    cr_assert_eq(h.error_stack.size, ERROR_STACK_BYTES_MAX);
    cr_assert_eq(((const char *)h.error_stack.data)[ERROR_STACK_BYTES_MAX - 1], '>');
    store_abort(t);
    fixture_done(&f);
}

/* ---- max_attempts ---- */

Test(ledger_resolve, the_last_attempt_dead_letters)
{
    struct fixture f;
    fixture_init_held(&f, settings(POLICY_max_attempts, 2, -1), 1, 1);
    nack(&f, "t", "default", 1, 100);
    show(&f, "t", "default", 1);
    tick(&f, 99);
    assign(&f, "t", "default", 1);
    tick(&f, 100);
    assign(&f, "t", "default", 1);
    nack(&f, "t", "default", 1, 100);
    show(&f, "t", "default", 1);
    show_counts(&f, "t", "default");
    fixture_expect(&f,
                   "     0 ok\n"
                   "     0 published 1+1\n"
                   "     0 t/default hand 1 token 1 attempts 0 deliveries 1 generation 0\n"
                   "     0 t/default 1 delayed until 100 attempts 1/1 deliveries 1/1 generation 0 rows 1\n"
                   "   100 t/default hand 1 token 2 attempts 1 deliveries 2 generation 0\n"
                   "   100 t/default 1 dead attempts 2/2 deliveries 2/2 generation 0 rows 2\n"
                   "   100 t/default: published 1 dead 1\n");
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead_lettered[DEAD_MAX_ATTEMPTS], 1);
    fixture_done(&f);
}

Test(ledger_resolve, a_lower_max_attempts_works_at_once)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_max_attempts, 10, -1));
    publish(&f, "t", 1);
    for (int i = 0; i < 4; i++) {
        assign(&f, "t", "default", 1);
        nack(&f, "t", "default", 1, 0);
    }
    topic_update(&f, "t", settings(POLICY_max_attempts, 2, -1));
    expect_state(&f, "t", "default", 1, "ready");
    assign(&f, "t", "default", 1);
    cr_assert_eq(f.handed, 0, "nobody gets it once more");
    expect_state(&f, "t", "default", 1, "dead");
    cr_assert_eq(row_of(&f, "t", "default", 1).attempts, 4);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead_lettered[DEAD_MAX_ATTEMPTS], 1);
    fixture_done(&f);
}

Test(ledger_resolve, a_message_in_flight_when_max_attempts_is_lowered_dies_when_it_comes_back)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_max_attempts, 10, -1));
    publish(&f, "t", 2);
    for (int i = 0; i < 2; i++) {
        assign(&f, "t", "default", 2);
        nack(&f, "t", "default", 1, 0);
        fail(&f, "t", "default", 2, ATTEMPT_RELEASED);
    }
    assign(&f, "t", "default", 2);
    group_update(&f, "t", "default", settings(POLICY_max_attempts, 2, -1)); /* the group's own counts */
    fail(&f, "t", "default", 1,
         ATTEMPT_RELEASED); /* charges nothing: it may have been the last that it needed */
    ack(&f, "t", "default", 2);
    assign(&f, "t", "default", 2);
    cr_assert_eq(f.handed, 0);
    expect_state(&f, "t", "default", 1, "dead");
    topic_update(&f, "t",
                 settings(POLICY_max_attempts, 1, -1)); /* what the group sets itself stands above it */
    redrive(&f, "t", "default", 1, 0);
    tick_until_quiet(&f);
    assign(&f, "t", "default", 1);
    cr_assert_eq(f.handed, 1, "a new generation begins at 0");
    nack(&f, "t", "default", 1, 0);
    assign(&f, "t", "default", 1);
    cr_assert_eq(f.handed, 1);
    fixture_done(&f);
}

/* Out of the way, whatever their number, a bounded number at a time, and the messages behind them come. */
Test(ledger_resolve, many_that_a_lower_max_attempts_condemns_stop_nobody)
{
    enum { MANY = 2500 };
    struct fixture f;
    fixture_init(&f);
    f.careless = true; /* an audit of this many rows after each step takes long */
    topic_create(&f, "t", settings(POLICY_max_attempts, 10, POLICY_breaker, BREAKER_OFF, -1));
    publish(&f, "t", MANY);
    assign(&f, "t", "default", MANY);
    for (uint64_t seq = 1; seq <= MANY; seq++) {
        resolve(&f, "t", "default",
                (struct resolution){.seq = seq, .token = 1, .outcome = ATTEMPT_NACKED, .delay_ms = 0});
    }
    publish(&f, "t", 1);
    topic_update(&f, "t", settings(POLICY_max_attempts, 1, -1));
    for (unsigned commands = 1;; commands++) {
        uint64_t before = fixture_group(&f, "t", "default")->r.counts.dead;
        f.readies = 0;
        assign(&f, "t", "default", 1);
        if (f.handed)
            break;
        cr_assert(f.readies, "it asks to be looked at again");
        cr_assert_leq(fixture_group(&f, "t", "default")->r.counts.dead - before, 1024);
        cr_assert_leq(commands, 3);
    }
    cr_assert_eq(f.handed_seqs[0], MANY + 1);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead, MANY);
    fixture_done(&f);
}

Test(ledger_resolve, reject_is_dead_at_once_whatever_the_limit)
{
    struct fixture f;
    fixture_init_held(&f, settings(POLICY_max_attempts, 1000, -1), 1, 1);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    expect_state(&f, "t", "default", 1, "dead");
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead_lettered[DEAD_REJECTED], 1);
    fixture_done(&f);
}

/* ---- back-off ---- */

Test(ledger_resolve, nack_with_a_delay_waits_exactly_that)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 2);
    nack(&f, "t", "default", 1, 250);
    nack(&f, "t", "default", 2, 0); /* at once, in front */
    expect_state(&f, "t", "default", 1, "delayed");
    cr_assert_eq(ledger_tick_at(f.l) <= T0 + 250, true);
    tick(&f, 249);
    assign(&f, "t", "default", 5);
    tick(&f, 250);
    assign(&f, "t", "default", 5);
    fixture_expect(&f, "     0 ok\n"
                       "     0 published 1+3\n"
                       "     0 t/default hand 1 token 1 attempts 0 deliveries 1 generation 0\n"
                       "     0 t/default hand 2 token 1 attempts 0 deliveries 1 generation 0\n"
                       "   249 t/default hand 2 token 2 attempts 1 deliveries 2 generation 0\n"
                       "   249 t/default hand 3 token 1 attempts 0 deliveries 1 generation 0\n"
                       "   250 t/default hand 1 token 2 attempts 1 deliveries 2 generation 0\n");
    fixture_done(&f);
}

/* Only a nack brings a delay; whatever else lies in that field does not count. */
Test(ledger_resolve, a_lost_lease_backs_off_whatever_the_delay_field_says)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 1, 1);
    resolve(&f, "t", "default",
            (struct resolution){.seq = 1, .outcome = ATTEMPT_LEASE_EXPIRED, .delay_ms = 0});
    expect_state(&f, "t", "default", 1, "delayed");
    fixture_done(&f);
}

/* ---- suspects ---- */

Test(ledger_resolve, suspects_have_a_lane_of_their_own)
{
    struct fixture f;
    struct group_ready ready;
    fixture_init_held(&f, settings(-1), 3, 2);
    fail(&f, "t", "default", 1, ATTEMPT_SUSPECTED);
    fail(&f, "t", "default", 2, ATTEMPT_SUSPECTED);
    ledger_group_ready(f.l, ledger_group_id(fixture_group(&f, "t", "default")), &ready);
    cr_assert(ready.lane[LANE_NORMAL] == 1 && ready.lane[LANE_SUSPECT] == 2);
    fixture_forget(&f);
    assign(&f, "t", "default", 10);
    assign_lane(&f, "t", "default", LANE_SUSPECT, 1);
    nack(&f, "t", "default", 1, 0); /* answered: suspicion is lifted */
    fail(&f, "t", "default", 3, ATTEMPT_RELEASED);
    assign(&f, "t", "default", 10);
    fixture_expect(&f, "     0 t/default hand 3 token 1 attempts 0 deliveries 1 generation 0\n"
                       "     0 t/default hand 1 token 2 attempts 0 deliveries 2 generation 0\n"
                       "     0 t/default hand 1 token 3 attempts 1 deliveries 3 generation 0\n"
                       "     0 t/default hand 3 token 2 attempts 0 deliveries 2 generation 0\n");
    cr_assert_eq(row_of(&f, "t", "default", 2).suspect, true);
    fixture_done(&f);
}

Test(ledger_resolve, delayed_suspects_fall_due_as_suspects)
{
    struct fixture f;
    struct group_ready ready;
    fixture_init_held(&f, settings(POLICY_backoff_max_ms, 1000, -1), 2, 2);
    fail(&f, "t", "default", 1, ATTEMPT_DISCONNECTED);
    nack(&f, "t", "default", 2, DELAY_BACKOFF);
    tick(&f, 1000);
    ledger_group_ready(f.l, ledger_group_id(fixture_group(&f, "t", "default")), &ready);
    cr_assert(ready.lane[LANE_NORMAL] == 1 && ready.lane[LANE_SUSPECT] == 1);
    fixture_done(&f);
}

/* ---- tokens ---- */

Test(ledger_resolve, an_old_token_changes_nothing)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 2, 1);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    resolve(&f, "t", "default", (struct resolution){.seq = 1, .token = 1, .acked = true}); /* ready again */
    cr_assert(f.stale == 1 && !f.changed);
    assign(&f, "t", "default", 1);
    resolve(&f, "t", "default",
            (struct resolution){.seq = 1, .token = 1, .acked = true}); /* somebody else's now */
    cr_assert(f.stale == 1 && !f.changed);
    resolve(&f, "t", "default",
            (struct resolution){.seq = 2, .token = 1, .acked = true}); /* never handed out */
    cr_assert(f.stale == 1 && !f.changed);
    resolve(&f, "t", "default",
            (struct resolution){.seq = 99, .token = 1, .acked = true}); /* never published */
    cr_assert(f.stale == 1 && !f.changed);
    resolve(&f, "t", "default", (struct resolution){.seq = 1, .token = 2, .acked = true});
    cr_assert(f.stale == 0 && f.changed);
    resolve(&f, "t", "default", (struct resolution){.seq = 1, .token = 2, .acked = true}); /* done */
    cr_assert(f.stale == 1 && !f.changed);
    fixture_done(&f);
}

Test(ledger_resolve, stale_entries_are_named_and_the_others_count)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 3);
    fixture_forget(&f);
    struct resolution entries[] = {{.seq = 1, .token = 1, .acked = true},
                                   {.seq = 2, .token = 7, .acked = true},
                                   {.seq = 3, .token = 1, .acked = true},
                                   {.seq = 3, .token = 1, .acked = true}};
    struct resolve_command c = {
        .group = ledger_group_id(fixture_group(&f, "t", "default")), .entries = entries, .count = 4};
    fixture_run(&f, (struct command){.kind = COMMAND_RESOLVE, .resolve = c});
    show_counts(&f, "t", "default");
    fixture_expect(&f, "     0 entry 1 STALE\n"
                       "     0 entry 3 STALE\n"
                       "     0 t/default: published 3 in_flight 1 acked 2\n");
    c.group = 4711;
    fixture_run(&f, (struct command){.kind = COMMAND_RESOLVE, .resolve = c});
    cr_assert_eq(f.stale, 4, "no such group");
    fixture_done(&f);
}
