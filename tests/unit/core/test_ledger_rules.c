/* Rules on dead letters: which decides, what each action does and how often, and that none can lose or hide anything. */
#include "broker/core/group_queue.h"
#include "tests/unit/core/ledger_rules.h"

/* Until a rule has acted on the next letter. What the queue says may be too early. */
static void wait_for_rule(struct fixture *f)
{
    uint64_t before = the_group(f)->r.ruled_waiting;
    while (the_group(f)->r.ruled_waiting == before) {
        int64_t at_ms = group_queue_first(f->l, QUEUE_RULED) - T0;
        cr_assert_neq(at_ms + T0, NEVER);
        tick(f, at_ms > f->now_ms ? at_ms : f->now_ms);
    }
}

static void reject_again(struct fixture *f, uint64_t seq, const char *type)
{
    assign(f, "t", "default", 1);
    cr_assert_eq(f->handed, 1);
    fail_as(f, seq, ATTEMPT_REJECTED, type, "as planted");
}

/* ---- which ---- */

Test(ledger_rules, the_first_rule_that_matches_decides_and_a_disabled_one_does_not)
{
    struct fixture f;
    start(&f);
    set(&f, 20, "", RULE_DISCARD);
    set(&f, 10, "A", RULE_MUTE);
    struct rule_command off = rule(5, "A", RULE_DISCARD);
    off.disabled = true;
    rule_set(&f, &off);
    die(&f, 1, 2, "A");
    die(&f, 3, 3, "B");
    cr_assert(rule_of(&f, 10)->matched == 2 && rule_of(&f, 10)->done == 2);
    cr_assert(rule_of(&f, 20)->matched == 1 && rule_of(&f, 20)->waiting == 1);
    cr_assert_eq(rule_of(&f, 5)->matched, 0);
    tick_until_quiet(&f);
    cr_assert(counts(&f)->dead == 2 && counts(&f)->discarded == 1);
    fixture_done(&f);
}

Test(ledger_rules, a_rule_matches_by_cause_reason_and_a_part_of_the_message)
{
    struct fixture f;
    start(&f);
    die(&f, 1, 1, "A");
    struct rule_command c = rule(1, "", RULE_MUTE);
    c.filter.cause = titled_cause(&f, "A");
    c.filter.has_reason = true;
    c.filter.reason = DEAD_REJECTED;
    c.filter.match = text("plant");
    rule_set(&f, &c);
    die(&f, 2, 2, "A");
    die(&f, 3, 3, "B");
    cr_assert_eq(rule_of(&f, 1)->matched, 1);
    c.filter.match = text("Plant");
    rule_set(&f, &c);
    cr_assert_eq(rule_of(&f, 1)->matched, 0, "set anew, it counts anew");
    die(&f, 4, 4, "A");
    cr_assert_eq(rule_of(&f, 1)->matched, 0);
    fixture_done(&f);
}

/* ---- mute ---- */

Test(ledger_rules, a_muted_letter_is_kept_and_counts_as_looked_at)
{
    struct fixture f;
    start(&f);
    set(&f, 1, "A", RULE_MUTE);
    die(&f, 1, 3, "A");
    die(&f, 4, 4, "B");
    cr_assert(counts(&f)->dead == 4 && counts(&f)->unattended == 1 && counts(&f)->ruled[RULE_MUTE] == 3);
    cr_assert_eq(f.attended, 0, "nobody looked");
    tick(&f, 10 * MINUTE);
    cr_assert_eq(f.overdue, 1);
    fixture_done(&f);
}

Test(ledger_rules, the_mark_of_overdue_letters_goes_past_muted_ones_also_if_the_ledger_was_not_loaded_anew)
{
    struct fixture f;
    start(&f);
    topic_update(&f, "t", settings(POLICY_dlq_slo_ms, 1000, -1));
    set(&f, 1, "A", RULE_MUTE);
    die(&f, 1, 1, "B");
    tick(&f, 5000);
    cr_assert_eq(the_group(&f)->r.slo_below, 2);
    die(&f, 2, 2, "A");
    tick(&f, 10000);
    cr_assert_eq(the_group(&f)->r.slo_below, 3);
    cr_assert_eq(counts(&f)->slo_breaches, 1, "nobody is to look at it");
    fixture_done(&f);
}

/* ---- discard ---- */

static struct ended_record end_of(struct fixture *f, uint64_t seq)
{
    static uint8_t kept[1024];
    struct key key = key_history(the_group(f)->r.id, seq, HISTORY_ROW_END);
    struct ended_record e;
    struct store_txn *t;
    struct slice value;
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    cr_assert_eq(store_get(t, TABLE_HISTORY, key_slice(&key), &value), 0);
    memcpy(kept, value.data, value.size);
    cr_assert_eq(ended_decode(key_slice(&key), (struct slice){kept, value.size}, &e), 0);
    store_abort(t);
    return e;
}

Test(ledger_rules, a_discarded_letter_is_done_and_its_history_says_which_rule_did_it)
{
    struct fixture f;
    start(&f);
    set(&f, 7, "A", RULE_DISCARD);
    die(&f, 1, 1, "A");
    expect_state(&f, "t", "default", 1, "dead");
    fixture_crash(&f);
    tick_until_quiet(&f);
    expect_state(&f, "t", "default", 1, "gone");
    cr_assert(counts(&f)->discarded == 1 && counts(&f)->ruled[RULE_DISCARD] == 1);
    cr_assert(rule_of(&f, 7)->done == 1 && rule_of(&f, 7)->waiting == 0);
    cr_assert_eq(f.attended, 0, "nobody looked");
    struct ended_record e = end_of(&f, 1);
    cr_assert(e.how == DONE_DISCARDED && e.rule == 7 && e.died_ms && !e.attended);
    fixture_done(&f);
}

/* ---- redrive ---- */

Test(ledger_rules, a_letter_comes_back_later_so_many_times_and_then_stays_dead_for_somebody_to_look_at)
{
    struct fixture f;
    start(&f);
    set(&f, 1, "A", RULE_REDRIVE);
    die(&f, 1, 1, "A");
    int64_t waits[2] = {group_queue_first(f.l, QUEUE_RULED) - T0, 0};
    cr_assert(waits[0] >= 1 && waits[0] <= MINUTE);
    cr_assert_eq(counts(&f)->unattended, 1, "a rule hides nothing while it waits");
    tick(&f, waits[0] - 1);
    expect_state(&f, "t", "default", 1, "dead");
    wait_for_rule(&f);
    expect_state(&f, "t", "default", 1, "ready");
    cr_assert_eq(rule_of(&f, 1)->outcomes[REDRIVE_PENDING], 1);
    fixture_crash(&f);
    reject_again(&f, 1, "A");
    cr_assert_eq(rule_of(&f, 1)->outcomes[REDRIVE_FAILED_SAME], 1);
    waits[1] = group_queue_first(f.l, QUEUE_RULED) - T0 - f.now_ms;
    cr_assert(waits[1] >= 1 && waits[1] <= 90000, "up to wait_max");
    fixture_reload(&f);
    wait_for_rule(&f);
    reject_again(&f, 1, "A");
    cr_assert_eq(group_queue_first(f.l, QUEUE_RULED), NEVER);
    tick(&f, 1000 * MINUTE);
    expect_state(&f, "t", "default", 1, "dead");
    const struct rule_record *r = rule_of(&f, 1);
    cr_assert(r->matched == 3 && r->done == 2 && r->given_up == 1 && r->waiting == 0);
    cr_assert(counts(&f)->unattended == 1 && counts(&f)->redriven == 2 &&
              counts(&f)->ruled[RULE_REDRIVE] == 2);
    cr_assert_eq(counts(&f)->outcomes[REDRIVE_FAILED_SAME], 2);
    fixture_done(&f);
}

Test(ledger_rules, what_is_acked_then_counts_for_the_rule)
{
    struct fixture f;
    start(&f);
    set(&f, 1, "A", RULE_REDRIVE);
    die(&f, 1, 2, "A");
    wait_for_rule(&f);
    wait_for_rule(&f);
    take_and_ack(&f, 1, 1);
    const struct rule_record *r = rule_of(&f, 1);
    cr_assert(r->outcomes[REDRIVE_ACKED] == 1 && r->outcomes[REDRIVE_PENDING] == 1);
    rule_delete(&f, "t", "default", 1);
    set(&f, 1, "B", RULE_MUTE);
    take_and_ack(&f, 2, 2);
    cr_assert_eq(rule_of(&f, 1)->outcomes[REDRIVE_ACKED], 0, "another rule, though it is called the same");
    fixture_done(&f);
}

Test(ledger_rules, two_rules_cannot_pass_a_message_to_and_fro_for_ever)
{
    struct fixture f;
    static const char *const types[] = {"B", "A"};
    start(&f);
    set(&f, 1, "A", RULE_REDRIVE);
    set(&f, 2, "B", RULE_REDRIVE);
    die(&f, 1, 1, "A");
    for (unsigned i = 0; i < 2; i++) {
        wait_for_rule(&f);
        reject_again(&f, 1, types[i]);
    }
    cr_assert_eq(group_queue_first(f.l, QUEUE_RULED), NEVER);
    cr_assert(rule_of(&f, 1)->given_up == 1 && rule_of(&f, 2)->given_up == 0);
    fixture_done(&f);
}

Test(ledger_rules, a_person_who_brings_it_back_lets_rules_begin_anew)
{
    struct fixture f;
    start(&f);
    set(&f, 1, "A", RULE_REDRIVE);
    die(&f, 1, 1, "A");
    wait_for_rule(&f);
    reject_again(&f, 1, "A");
    redrive_ids(&f, "t", "default", "t/1");
    expect_state(&f, "t", "default", 1, "ready");
    cr_assert(rule_of(&f, 1)->waiting == 0 && the_group(&f)->r.ruled_waiting == 0);
    for (unsigned i = 0; i < 2; i++) {
        reject_again(&f, 1, "A");
        wait_for_rule(&f);
    }
    cr_assert_eq(rule_of(&f, 1)->given_up, 0);
    reject_again(&f, 1, "A");
    cr_assert_eq(rule_of(&f, 1)->given_up, 1);
    fixture_done(&f);
}

/* ---- move ---- */

Test(ledger_rules, a_letter_is_moved_to_another_topic_once_and_no_rule_passes_it_on_from_there)
{
    struct fixture f;
    start(&f);
    topic_create(&f, "u", settings(POLICY_max_attempts, 1, -1));
    struct rule_command c = rule(1, "A", RULE_MOVE);
    c.to = text("none");
    rule_set(&f, &c);
    cr_assert_eq(f.err, SHUNT_UNKNOWN_TOPIC);
    c.to = text("u");
    rule_set(&f, &c);
    cr_assert_eq(f.err, 0);
    die(&f, 1, 1, "A");
    tick_until_quiet(&f);
    cr_assert(counts(&f)->dead == 0 && counts(&f)->moved_away == 1 && counts(&f)->ruled[RULE_MOVE] == 1);
    struct rule_command back = c;
    back.topic = text("u");
    back.to = text("t");
    back.filter.type = text("");
    rule_set(&f, &back);
    cr_assert_eq(f.err, 0);
    assign(&f, "u", "default", 1);
    fail(&f, "u", "default", 1, ATTEMPT_REJECTED);
    tick_until_quiet(&f);
    expect_state(&f, "u", "default", 1, "dead");
    cr_assert_eq(rule_find(fixture_group(&f, "u", "default"), 1)->r.given_up, 1);
    topic_create(&f, "w", settings(-1));
    c.to = text("w");
    rule_set(&f, &c);
    topic_delete(&f, "w");
    die(&f, 2, 2, "A");
    tick_until_quiet(&f);
    expect_state(&f, "t", "default", 2, "dead");
    cr_assert(rule_of(&f, 1)->given_up == 1 && the_group(&f)->r.ruled_waiting == 0);
    fixture_done(&f);
}

/* ---- what waits for a rule that is not there any more ---- */

Test(ledger_rules, what_waits_for_a_rule_that_is_gone_or_off_or_another_stays_in_the_dlq)
{
    struct fixture f;
    start(&f);
    for (uint32_t number = 1; number <= 3; number++) {
        char type[] = {(char)('A' + number), 0};
        set(&f, number, type, RULE_REDRIVE);
        die(&f, number, number, type);
    }
    rule_delete(&f, "t", "default", 1);
    set(&f, 2, "C", RULE_REDRIVE);
    struct rule_command off = {.topic = text("t"), .group = text("default"), .number = 3, .disabled = true};
    rule_set(&f, &off);
    cr_assert_eq(rule_of(&f, 3)->matched, 1, "it is what it was, but off");
    tick(&f, 10 * MINUTE);
    cr_assert(counts(&f)->dead == 3 && counts(&f)->unattended == 3 && the_group(&f)->r.ruled_waiting == 0);
    cr_assert_eq(rows_in(&f, TABLE_DUE), 0);
    fixture_done(&f);
}

Test(ledger_rules, retention_a_purge_and_the_end_of_the_group_take_what_waits)
{
    struct fixture f;
    start(&f);
    topic_update(&f, "t", settings(POLICY_dlq_retention_ms, 1000, -1));
    group_create(&f, "t", "other", true);
    struct rule_command c = rule(1, "", RULE_REDRIVE);
    c.wait_ms = c.wait_max_ms = 1000 * MINUTE;
    rule_set(&f, &c);
    die(&f, 1, 2, "A");
    dlq_purge_ids(&f, "t", "default", "t/1");
    cr_assert_eq(the_group(&f)->r.ruled_waiting, 1);
    tick(&f, 2000);
    cr_assert(counts(&f)->expired == 1 && the_group(&f)->r.ruled_waiting == 0 &&
              rule_of(&f, 1)->waiting == 0);
    die(&f, 3, 3, "A");
    group_delete(&f, "t", "default");
    tick_until_quiet(&f);
    cr_assert(rows_in(&f, TABLE_RULE) == 0 && rows_in(&f, TABLE_DUE) == 0);
    cr_assert_eq(f.l->rules_count, 0);
    fixture_done(&f);
}

Test(ledger_rules, in_a_store_without_room_letters_wait_and_are_not_lost)
{
    struct fixture f;
    start(&f);
    set(&f, 1, "A", RULE_REDRIVE);
    die(&f, 1, 1, "A");
    f.room = (struct batch_room){.bytes = 64 << 20, .publish_bytes = 1 << 20, .fullness = STORE_LAST};
    tick(&f, 5 * MINUTE);
    expect_state(&f, "t", "default", 1, "dead");
    f.room.fullness = STORE_HAS_ROOM;
    tick(&f, 6 * MINUTE);
    expect_state(&f, "t", "default", 1, "ready");
    fixture_done(&f);
}

Test(ledger_rules, what_moves_waits_for_room_and_what_is_behind_it_goes_on)
{
    struct fixture f;
    start(&f);
    topic_create(&f, "u", settings(-1));
    struct rule_command c = rule(1, "A", RULE_MOVE);
    c.to = text("u");
    rule_set(&f, &c);
    set(&f, 2, "B", RULE_DISCARD);
    set(&f, 3, "C", RULE_REDRIVE);
    die(&f, 1, 100, "A");
    die(&f, 101, 101, "B");
    die(&f, 102, 102, "C");
    f.room = (struct batch_room){.bytes = 64 << 20, .publish_bytes = 1 << 20, .fullness = STORE_LAST};
    tick(&f, 5 * MINUTE);
    cr_assert(counts(&f)->dead == 101 && counts(&f)->discarded == 1 && counts(&f)->moved_away == 0);
    cr_assert(rule_of(&f, 1)->waiting == 100 && rule_of(&f, 3)->waiting == 1);
    cr_assert_gt(ledger_tick_at(f.l), f.l->now_ms, "it does not look again at once");
    f.room.fullness = STORE_HAS_ROOM;
    tick(
        &f,
        5 * MINUTE +
            1); /* somebody else's: as in a ledger that was loaded anew, and does not know what it waited for */
    cr_assert(counts(&f)->dead == 0 && counts(&f)->moved_away == 100 && counts(&f)->ready == 1);
    cr_assert(rule_of(&f, 1)->given_up == 0 && fixture_group(&f, "u", "default")->r.counts.ready == 100);
    fixture_done(&f);
}

Test(ledger_rules, a_letter_that_no_transaction_has_room_for_waits_until_one_has)
{
    struct fixture f;
    char body[100 * 1024];
    memset(body, 'x', sizeof body);
    start(&f);
    topic_create(&f, "u", settings(-1));
    struct rule_command c = rule(1, "A", RULE_MOVE);
    c.to = text("u");
    rule_set(&f, &c);
    struct mpack_buffer m = {0};
    mpack_write_array(&m, 1);
    mpack_write_bin(&m, body, sizeof body);
    fixture_run(&f,
                (struct command){.kind = COMMAND_PUBLISH,
                                 .publish = {.topic = text("t"), .messages = {m.data, m.size}, .count = 1}});
    mpack_buffer_done(&m);
    assign(&f, "t", "default", 1);
    fail_as(&f, 1, ATTEMPT_REJECTED, "A", "as planted");
    f.room = (struct batch_room){.bytes = 96 * 1024, .first = true};
    tick(&f, 1);
    cr_assert(counts(&f)->dead == 1 && rule_of(&f, 1)->waiting == 1 && rule_of(&f, 1)->given_up == 0);
    f.room.bytes = 1 << 20;
    tick(&f, MINUTE);
    cr_assert(counts(&f)->dead == 0 && counts(&f)->moved_away == 1 &&
              fixture_group(&f, "u", "default")->r.counts.ready == 1);
    fixture_done(&f);
}

/* ---- a page of letters is tested ---- */

struct page {
    uint64_t count, earlier, next;
    uint32_t causes;
    bool more;
};

static struct page test_page(struct fixture *f, uint32_t number, const struct letter_filter *filter,
                             uint64_t after, uint32_t limit)
{
    struct mpack_buffer to = {0};
    struct mpack_reader r;
    struct store_txn *t;
    struct page p = {0};
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    struct view v = {.ledger = f->l, .txn = t};
    cr_assert_eq(view_rule_test(&v, the_group(f), number, filter, after, limit, &to), 0);
    store_abort(t);
    mpack_read_init(&r, to.data, to.size);
    p.causes = mpack_read_array(&r);
    for (uint32_t i = 0; i < p.causes; i++) {
        for (uint32_t pairs = mpack_read_map(&r); pairs; pairs--) {
            struct slice key = mpack_read_str(&r);
            if (slice_is(key, "count"))
                p.count += mpack_read_uint(&r);
            else if (slice_is(key, "earlier"))
                p.earlier += mpack_read_uint(&r);
            else
                (void)mpack_read_any(&r);
        }
    }
    p.more = mpack_read_bool(&r);
    p.next = mpack_read_uint(&r);
    cr_assert(!r.failed);
    mpack_buffer_done(&to);
    return p;
}

Test(ledger_rules, a_test_counts_by_cause_in_pages_and_changes_nothing)
{
    struct fixture f;
    static const struct letter_filter any;
    start(&f);
    die(&f, 1, 3, "A");
    die(&f, 4, 5, "B");
    set(&f, 10, "B", RULE_DISCARD);
    uint64_t before = state_hash(f.store);
    struct page p = test_page(&f, 0, &any, 0, 100);
    cr_assert(p.count == 5 && p.causes == 2 && p.earlier == 2 && !p.more);
    p = test_page(&f, 5, &any, 0, 100);
    cr_assert(p.count == 5 && p.earlier == 0, "it would stand before the other");
    p = test_page(&f, 10, NULL, 0, 100);
    cr_assert(p.count == 2 && p.causes == 1 && p.earlier == 0);
    p = test_page(&f, 0, &any, 0, 4);
    cr_assert(p.count == 4 && p.more && p.next == 4);
    p = test_page(&f, 0, &any, 4, 4);
    cr_assert(p.count == 1 && !p.more && p.next == 5);
    cr_assert_eq(state_hash(f.store), before);
    cr_assert(counts(&f)->dead == 5 && rule_of(&f, 10)->matched == 0);
    fixture_done(&f);
}
