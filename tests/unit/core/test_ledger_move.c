/* Dead letters that are moved to another topic: the copy, the letter's end, and a topic that cannot take it. */
#include "proto/errors.h"
#include "proto/message.h"
#include "tests/unit/core/ledger_redrive.h"

#include <stdio.h>

static struct dead_command all_to(const char *topic)
{
    struct dead_command c = all();
    c.to = text(topic);
    return c;
}

/* One message [body, headers, key, delay, ttl, more] that dies as 1. */
static void begin_with(struct fixture *f, uint32_t headers, uint32_t ttl_ms)
{
    struct mpack_buffer m = {0};
    char name[16];
    fixture_init(f);
    f->quiet = true;
    topic_create(f, "t", settings(POLICY_max_attempts, 2, -1));
    topic_create_groups(f, "u", "a b");
    mpack_write_array(&m, 7);
    mpack_write_bin(&m, "body", 4);
    mpack_write_map(&m, headers);
    for (uint32_t i = 0; i < headers; i++) {
        (void)snprintf(name, sizeof name, "h%u", i);
        mpack_write_cstr(&m, name);
        mpack_write_bin(&m, "v", 1);
    }
    mpack_write_cstr(&m, "key");
    mpack_write_uint(&m, 50);
    mpack_write_uint(&m, ttl_ms);
    mpack_write_uint(&m, 0);
    mpack_write_cstr(&m, "later");
    fixture_run(f,
                (struct command){.kind = COMMAND_PUBLISH,
                                 .publish = {.topic = text("t"), .messages = {m.data, m.size}, .count = 1}});
    tick(f, 100);
    assign(f, "t", "default", 1);
    fail_as(f, 1, ATTEMPT_REJECTED, "A", "as planted");
    mpack_buffer_done(&m);
}

/* The message that the group gets next. */
static struct message_view next_of(struct fixture *f, const char *topic, const char *group)
{
    struct message_view m = {0};
    struct mpack_reader r;
    const char *why;
    uint64_t handed = f->handed;
    assign(f, topic, group, 1);
    cr_assert_eq(f->handed, handed + 1);
    mpack_read_init(&r, f->last_body.data, f->last_body.size);
    cr_assert_eq(message_read_new(&r, BODY_BYTES_MAX, &m, &why), 0);
    return m;
}

Test(ledger_move, the_copy_has_all_that_the_letter_had_and_says_where_it_came_from)
{
    struct fixture f;
    struct dead_command c = all_to("u");
    begin_with(&f, 1, 5000);
    fixture_at(&f, 9000); /* its time to live stood still */
    redrive_as(&f, &c);
    cr_assert(!f.err && job_is_over(&f, 1));
    struct message_view m = next_of(&f, "u", "a");
    cr_assert(slice_is(m.body, "body") && slice_is(m.key, "key") && m.later && m.ttl_ms == 5000);
    cr_assert_eq(m.delay_ms, 0, "it waited when it was published first");
    cr_assert(slice_is(message_header(&m, "h0"), "v"));
    cr_assert(slice_is(message_header(&m, ORIGIN_HEADER), "t/1"));
    expect_state(&f, "u", "b", 1, "ready"); /* each of its groups has it */
    tick(&f, 9000 + 5001);
    expect_state(&f, "u", "b", 1, "dead"); /* the whole of its time to live, from now on */
    fixture_done(&f);
}

Test(ledger_move, the_letter_is_gone_for_its_group_and_for_the_readers_of_its_queue)
{
    struct fixture f;
    struct dead_command c = all_to("u");
    begin_with(&f, 0, 0);
    group_create(&f, "dlq:t:default", "reader", false);
    assign(&f, "dlq:t:default", "default", 1);
    redrive_as(&f, &c);
    expect_state(&f, "t", "default", 1, "gone");
    expect_state(&f, "dlq:t:default", "default", 1, "gone");
    expect_state(&f, "dlq:t:default", "reader", 1, "gone");
    const struct group *g = fixture_group(&f, "t", "default");
    cr_assert(g->r.counts.moved_away == 1 && !g->r.counts.redriven && !g->r.counts.unattended);
    cr_assert(!rows_in(&f, TABLE_DEAD) && !stored_in(&f, "t") && stored_in(&f, "u") == 1);
    cr_assert_eq(group_conservation_error(&g->r.counts), 0);
    ack(&f, "dlq:t:default", "default", 1);
    cr_assert_eq(f.stale, 1, "the lease is over");
    ledger_audit(f.l, f.store);
    fixture_done(&f);
}

Test(ledger_move, the_first_origin_stays_and_headers_that_leave_no_room_for_it_stay_too)
{
    struct fixture f;
    struct dead_command c = all_to("u");
    begin_with(&f, 0, 0);
    topic_create(&f, "v", settings(-1));
    redrive_as(&f, &c);
    assign(&f, "u", "a", 1);
    fail(&f, "u", "a", 1, ATTEMPT_REJECTED);
    c.topic = text("u"), c.group = text("a"), c.to = text("v");
    redrive_as(&f, &c);
    struct message_view m = next_of(&f, "v", "default");
    cr_assert(m.headers_count == 1 && slice_is(message_header(&m, ORIGIN_HEADER), "t/1"));
    fixture_done(&f);

    c = all_to("u");
    begin_with(&f, HEADERS_MAX, 0);
    redrive_as(&f, &c);
    m = next_of(&f, "u", "a");
    cr_assert(m.headers_count == HEADERS_MAX && !message_header(&m, ORIGIN_HEADER).data);
    fixture_done(&f);
    begin_with(&f, HEADERS_MAX - 1, 0);
    redrive_as(&f, &c);
    m = next_of(&f, "u", "a");
    cr_assert(m.headers_count == HEADERS_MAX && message_header(&m, ORIGIN_HEADER).data);
    fixture_done(&f);
}

Test(ledger_move, a_topic_that_cannot_be_moved_to_is_refused)
{
    static const struct {
        const char *to;
        int err;
    } rows[] = {{"none", SHUNT_UNKNOWN_TOPIC}, {"dlq:t:default", SHUNT_RESERVED}, {"t", SHUNT_BAD_ARGUMENT}};
    struct fixture f;
    begin_with(&f, 0, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dead_command c = all_to(rows[i].to);
        redrive_as(&f, &c);
        cr_assert(f.err == rows[i].err && !f.changed, "%s", rows[i].to);
    }
    fixture_done(&f);
}

Test(ledger_move, a_full_topic_lets_the_job_wait_and_nothing_is_lost_or_there_twice)
{
    struct fixture f;
    struct dead_command c = all_to("u");
    begin(&f, 5);
    topic_create(&f, "u", settings(POLICY_max_messages, 2, -1));
    redrive_as(&f, &c);
    expect_phase(&f, 1, JOB_PAUSED);
    struct job_record r = job_of(&f, 1);
    cr_assert(r.done == 2 && r.refusal == SHUNT_TOPIC_FULL && stored_in(&f, "u") == 2);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead, 3);
    cr_assert_eq(jobs_at(f.l), NEVER, "it costs no tick");
    fixture_reload(&f);
    job_resume(&f, 1);
    tick(&f, 1);
    expect_phase(&f, 1, JOB_PAUSED); /* still full */
    topic_update(&f, "u", settings(POLICY_max_messages, 4, -1));
    job_resume(&f, 1);
    tick(&f, 2);
    cr_assert_eq(job_of(&f, 1).done, 4);
    topic_delete(&f, "u");
    job_resume(&f, 1);
    tick(&f, 3);
    cr_assert(job_of(&f, 1).refusal == SHUNT_UNKNOWN_TOPIC && job_of(&f, 1).phase == JOB_PAUSED);
    topic_create(&f, "u", settings(-1));
    job_resume(&f, 1);
    tick(&f, 4);
    cr_assert(job_is_over(&f, 1) && job_of(&f, 1).done == 5 && !job_of(&f, 1).refusal);
    ledger_audit(f.l, f.store);
    fixture_done(&f);
}

Test(ledger_move, a_canary_and_a_rate_hold_and_a_move_is_the_canarys_success)
{
    struct fixture f;
    struct dead_command c = all_to("u");
    begin(&f, 10);
    topic_create(&f, "u", settings(-1));
    c.canary = 1;
    redrive_as(&f, &c);
    cr_assert(job_of(&f, 1).done == 1 && job_of(&f, 1).phase == JOB_RAMP);
    tick(&f, 1);
    cr_assert_eq(job_of(&f, 1).done, 3, "twice as many");
    tick(&f, 2);
    cr_assert_eq(job_of(&f, 1).done, 7);
    job_cancel(&f, 1);
    c.canary = 0;
    c.rate = 2;
    redrive_as(&f, &c);
    cr_assert_eq(job_of(&f, 2).done, 1);
    tick(&f, 502);
    cr_assert_eq(job_of(&f, 2).done, 2);
    fixture_done(&f);
}

Test(ledger_move, a_damaged_letter_stays_where_it_is)
{
    struct fixture f;
    struct dead_command c = all_to("u");
    begin(&f, 3);
    topic_create(&f, "u", settings(-1));
    flip_message_byte(&f, "t", 2, 18);
    redrive_as(&f, &c);
    cr_assert(job_is_over(&f, 1) && job_of(&f, 1).done == 2 && job_of(&f, 1).total == 3);
    expect_state(&f, "t", "default", 2, "dead");
    cr_assert_eq(stored_in(&f, "u"), 2);
    fixture_done(&f);
}

Test(ledger_move, its_history_says_where_it_went)
{
    struct fixture f;
    struct dead_command c = all_to("u");
    struct ended_record ended;
    struct slice value;
    struct store_txn *t;
    begin_with(&f, 0, 0);
    redrive_as(&f, &c);
    struct key key = key_history(fixture_group(&f, "t", "default")->r.id, 1, HISTORY_ROW_END);
    cr_assert_eq(store_begin(f.store, false, &t), 0);
    cr_assert_eq(store_get(t, TABLE_HISTORY, key_slice(&key), &value), 0);
    cr_assert_eq(ended_decode(key_slice(&key), value, &ended), 0);
    cr_assert(ended.how == DONE_MOVED && slice_is(ended.moved_to, "u/1") && !ended.attended);
    store_abort(t);
    fixture_done(&f);
}
