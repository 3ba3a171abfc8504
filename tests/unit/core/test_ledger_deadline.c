/* Deadlines of messages: nothing is handed out past one, what passes goes as what has outlived its time to live goes, under a name of its
 * own; an operator's redrive drops it. */
#include "broker/core/view.h"
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

/* `deadline_ms` by the fixture's clock; 0: none. */
static void publish_by(struct fixture *f, int64_t delay_ms, int64_t ttl_ms, int64_t deadline_ms)
{
    struct mpack_buffer message = {0};
    mpack_write_array(&message, 6);
    mpack_write_bin(&message, "m", 1);
    mpack_write_nil(&message);
    mpack_write_nil(&message);
    mpack_write_int(&message, delay_ms);
    mpack_write_int(&message, ttl_ms);
    mpack_write_int(&message, deadline_ms ? T0 + deadline_ms : 0);
    fixture_run(f,
                (struct command){
                    .kind = COMMAND_PUBLISH,
                    .publish = {.topic = text("t"), .count = 1, .messages = {message.data, message.size}}});
    mpack_buffer_done(&message);
}

static const struct group_counts *counts(struct fixture *f)
{
    return &fixture_group(f, "t", "default")->r.counts;
}

static enum dead_reason reason_of(struct fixture *f, uint64_t dead_seq)
{
    struct store_txn *txn;
    struct slice value;
    struct dead_record dead;
    struct key key = key_id_seq(fixture_group(f, "t", "default")->dlq->r.id, dead_seq);
    cr_assert_eq(store_begin(f->store, false, &txn), 0);
    cr_assert_eq(store_get(txn, TABLE_DEAD, key_slice(&key), &value), 0);
    cr_assert_eq(dead_decode(key_slice(&key), value, &dead), 0);
    store_abort(txn);
    return dead.reason;
}

Test(ledger_deadline, what_passes_dies_of_it_uncharged)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_by(&f, 0, 0, 100);
    publish_by(&f, 0, 50, 100);
    publish_by(&f, 0, 100, 50);
    tick_until_quiet(&f);
    cr_assert_eq(ledger_tick_at(f.l), T0 + 50);
    tick(&f, 50);
    expect_state(&f, "t", "default", 1, "ready");
    expect_state(&f, "t", "default", 2, "dead");
    expect_state(&f, "t", "default", 3, "dead");
    cr_assert_eq(reason_of(&f, 1), DEAD_TTL_EXPIRED, "its time to live was over first");
    cr_assert_eq(reason_of(&f, 2), DEAD_DEADLINE_EXCEEDED);
    tick(&f, 100);
    cr_assert_eq(reason_of(&f, 3), DEAD_DEADLINE_EXCEEDED);
    cr_assert(counts(&f)->dead_lettered[DEAD_DEADLINE_EXCEEDED] == 2 &&
              counts(&f)->attempts[ATTEMPT_DEADLINE_EXCEEDED] == 2);
    cr_assert_eq(row_of(&f, "t", "default", 1).attempts_total, 0);
    fixture_reload(&f);
    cr_assert(counts(&f)->dead_lettered[DEAD_DEADLINE_EXCEEDED] == 2 &&
                  counts(&f)->attempts[ATTEMPT_DEADLINE_EXCEEDED] == 2,
              "as it is stored");
    fixture_done(&f);
}

Test(ledger_deadline, nothing_is_handed_out_past_it_before_the_tick_either)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_by(&f, 0, 0, 50);
    publish_by(&f, 0, 0, 50);
    publish_by(&f, 0, 0, -10); /* it has passed already */
    assign(&f, "t", "default", 1);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED); /* it has a row, the others have none */
    fixture_at(&f, 50);
    assign(&f, "t", "default", 5);
    cr_assert_eq(f.handed, 0);
    for (uint64_t seq = 1; seq <= 3; seq++)
        expect_state(&f, "t", "default", seq, "dead");
    cr_assert_eq(counts(&f)->dead_lettered[DEAD_DEADLINE_EXCEEDED], 3);
    fixture_done(&f);
}

Test(ledger_deadline, it_is_discarded_where_the_policy_says_so)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_expired, 1, -1));
    publish_by(&f, 0, 0, 50);
    publish_by(&f, 0, 0, 50);
    publish_by(&f, 0, 0, 5000);
    publish_by(&f, 0, 0, 5000);
    assign(&f, "t", "default", 1);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    tick(&f, 50);
    cr_assert_eq(counts(&f)->discarded, 2);
    assign(&f, "t", "default", 2);
    fail(&f, "t", "default", 3, ATTEMPT_RELEASED);
    assign(&f, "t", "default", 1);
    fail(&f, "t", "default", 3, ATTEMPT_DEADLINE_EXCEEDED);
    fail(&f, "t", "default", 4, ATTEMPT_DEADLINE_EXCEEDED); /* for the first time in flight */
    cr_assert_eq(counts(&f)->discarded, 4);
    cr_assert(rows_in(&f, TABLE_MESSAGE) == 0 && rows_in(&f, TABLE_EXPIRY) == 0 &&
              rows_in(&f, TABLE_HISTORY) == 0);
    fixture_done(&f);
}

Test(ledger_deadline, in_a_handlers_hands_it_matters_when_the_message_comes_back)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_by(&f, 0, 0, 50);
    publish_by(&f, 0, 0, 50);
    assign(&f, "t", "default", 2);
    tick(&f, 60);
    expect_state(&f, "t", "default", 1, "in_flight");
    ack(&f, "t", "default", 1); /* it was done: nothing to punish */
    nack(&f, "t", "default", 2, 1000);
    tick(&f, 61);
    expect_state(&f, "t", "default", 2, "dead");
    cr_assert_eq(reason_of(&f, 1), DEAD_DEADLINE_EXCEEDED);
    cr_assert_eq(counts(&f)->acked, 1);
    fixture_done(&f);
}

Test(ledger_deadline, a_consumer_without_time_for_it_is_not_charged)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_by(&f, 0, 0, 5000);
    publish_by(&f, 0, 0, 5000);
    publish(&f, "t", 1);
    assign(&f, "t", "default", 3);
    fail(&f, "t", "default", 1, ATTEMPT_DEADLINE_EXCEEDED);
    expect_state(&f, "t", "default", 1, "dead");
    cr_assert_eq(reason_of(&f, 1), DEAD_DEADLINE_EXCEEDED);
    cr_assert_eq(row_of(&f, "t", "default", 1).attempts_total, 0);
    fail(&f, "t", "default", 3, ATTEMPT_DEADLINE_EXCEEDED);
    expect_state(&f, "t", "default", 3, "delayed");
    cr_assert_eq(row_of(&f, "t", "default", 3).attempts, 1,
                 "without a deadline it is a failure like any other");
    cr_assert_eq(counts(&f)->attempts[ATTEMPT_NACKED], 1);
    fixture_done(&f);
}

/* ---- redrive ---- */

static void kill(struct fixture *f)
{
    topic_create(f, "t", settings(-1));
    publish_by(f, 0, 0, 50);
    publish_by(f, 0, 1000, 50);
    publish_by(f, 0, 0, 9000);
    tick(f, 60);
    assign(f, "t", "default", 1);
    fail(f, "t", "default", 3, ATTEMPT_REJECTED);
    for (uint64_t seq = 1; seq <= 3; seq++)
        expect_state(f, "t", "default", seq, "dead");
}

Test(ledger_deadline, a_redrive_drops_it)
{
    struct fixture f;
    fixture_init(&f);
    kill(&f);
    redrive(&f, "t", "default", 3, 0);
    tick(&f, 70);
    assign(&f, "t", "default", 5);
    cr_assert_eq(f.handed, 3);
    for (uint64_t seq = 1; seq <= 3; seq++)
        fail(&f, "t", "default", seq, ATTEMPT_RELEASED);
    fixture_reload(&f);
    cr_assert_eq(row_of(&f, "t", "default", 3).deadline_ms, 0);
    cr_assert_eq(row_of(&f, "t", "default", 2).expires_ms, T0 + 60 + 940,
                 "what was left of its time to live");
    tick(&f, 9001);
    expect_state(&f, "t", "default", 1, "ready");
    expect_state(&f, "t", "default", 2, "dead");
    expect_state(&f, "t", "default", 3, "ready");
    cr_assert_eq(reason_of(&f, 4), DEAD_TTL_EXPIRED);
    fixture_done(&f);
}

Test(ledger_deadline, a_redrive_keeps_it_if_it_is_asked_to)
{
    struct fixture f;
    fixture_init(&f);
    kill(&f);
    redrive_as(&f,
               &(struct dead_command){
                   .topic = text("t"), .group = text("default"), .count = UINT64_MAX, .keep_deadline = true});
    tick(&f, 70);
    expect_state(&f, "t", "default", 1, "dead");
    expect_state(&f, "t", "default", 2, "dead");
    expect_state(&f, "t", "default", 3, "ready");
    cr_assert_eq(reason_of(&f, 4), DEAD_DEADLINE_EXCEEDED);
    fixture_reload(&f);
    tick(&f, 9000);
    expect_state(&f, "t", "default", 3, "dead");
    cr_assert_eq(reason_of(&f, 6), DEAD_DEADLINE_EXCEEDED);
    fixture_done(&f);
}

/* ---- with what else there is ---- */

Test(ledger_deadline, a_wait_does_not_prolong_it)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_by(&f, 1000, 0, 50); /* it can never be taken */
    publish_by(&f, 0, 0, 500);
    assign(&f, "t", "default", 1);
    nack(&f, "t", "default", 2, 10000);
    tick(&f, 50);
    expect_state(&f, "t", "default", 1, "dead");
    expect_state(&f, "t", "default", 2, "delayed");
    tick(&f, 500);
    expect_state(&f, "t", "default", 2, "dead");
    cr_assert_eq(counts(&f)->dead_lettered[DEAD_DEADLINE_EXCEEDED], 2);
    fixture_done(&f);
}

Test(ledger_deadline, who_held_it_at_a_restart_has_its_time_to_come_back)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_by(&f, 0, 0, 50);
    publish_by(&f, 0, 0, 50);
    assign(&f, "t", "default", 2);
    fixture_crash(&f);
    fixture_at(&f, 40);
    recover_waiting(&f, 1000);
    tick(&f, 60);
    expect_state(&f, "t", "default", 1, "delayed");
    take_up(&f, "t", "default", 1, 1);
    expect_state(&f, "t", "default", 1, "in_flight");
    tick(&f, 1040);
    expect_state(&f, "t", "default", 2, "dead");
    cr_assert_eq(reason_of(&f, 1), DEAD_DEADLINE_EXCEEDED);
    fixture_done(&f);
}

/* Its time to live was lengthened for its holder, not for others. */
Test(ledger_deadline, what_its_holder_gives_up_after_a_restart_goes_to_nobody_past_it)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_by(&f, 0, 0, 50);
    assign(&f, "t", "default", 1);
    fixture_crash(&f);
    fixture_at(&f, 40);
    recover_waiting(&f, 1000);
    take_up(&f, "t", "default", 1, 1);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    expect_state(&f, "t", "default", 1, "ready");
    tick(&f, 50);
    assign(&f, "t", "default", 1);
    cr_assert_eq(f.handed, 0);
    expect_state(&f, "t", "default", 1, "dead");
    cr_assert_eq(reason_of(&f, 1), DEAD_DEADLINE_EXCEEDED);
    fixture_done(&f);
}

Test(ledger_deadline, it_counts_by_the_clock_that_is_shown)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    fixture_at(&f, 10000);
    clock_set(&f, T0 + 4000); /* the store is 6 s ahead of it */
    publish_by(&f, 0, 0, 5000);
    tick(&f, 10999);
    expect_state(&f, "t", "default", 1, "ready");
    tick(&f, 11000);
    expect_state(&f, "t", "default", 1, "dead");
    fixture_done(&f);
}

Test(ledger_deadline, each_group_has_it_and_one_that_is_made_later_finds_it_passed)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "default b");
    publish_by(&f, 0, 0, 50);
    group_create(&f, "t", "late", false);
    tick(&f, 50);
    expect_state(&f, "t", "b", 1, "dead");
    assign(&f, "t", "late", 1);
    expect_state(&f, "t", "late", 1, "dead");
    cr_assert_eq(f.handed, 0);
    fixture_done(&f);
}
