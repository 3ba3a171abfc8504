/* What is tried again, and when: what the broker asks for is heeded, and calls that are tried again stay within their budget. */
#include "client/driving/hooks.h"
#include "client/wire/error.h"
#include "client/wire/reconnect.h"
#include "fake_server.h"
#include <criterion/criterion.h>

FAKE_SUITE(patience);

#define SECOND_US 1000000

/* An error that asks to be left alone; `extra`: a field of a later version behind it. */
static void say_wait(uint64_t id, int code, int64_t wait_ms, bool extra)
{
    size_t frame = frame_begin(&f.said, OP_ERROR, id, extra ? 6 : 5);
    mpack_write_uint(&f.said, (uint64_t)code);
    mpack_write_cstr(&f.said, shunt_error_name(code));
    mpack_write_cstr(&f.said, "not now");
    mpack_write_bool(&f.said, true);
    mpack_write_int(&f.said, wait_ms);
    if (extra)
        mpack_write_cstr(&f.said, "new");
    frame_end(&f.said, frame);
}

static void refuse(uint64_t id, int code, int64_t wait_ms)
{
    say_wait(id, code, wait_ms, false);
    cr_assert_eq(fake_feed(&f), 0);
}

static void begin(struct call *call, bool repeatable)
{
    const union request_fields q = {.topic_show = {.topic = slice_of("orders")}};
    call_begin(call, &request_topic_show, &q, repeatable);
    core_queue_call(&f.core, call);
}

/* ---- publishes ---- */

static int64_t hold_ms(int64_t asked_ms)
{
    cr_assert_eq(fake_publish(&f, "orders", "full", NULL, NULL), 0);
    refuse(fake_only(&f, OP_PUBLISH)->id, SHUNT_NO_SPACE, asked_ms);
    cr_assert_eq(fake_publish(&f, "orders", "next", NULL, NULL), 0);
    fake_take(&f);
    cr_assert_eq(f.count, 0, "it waits");
    cr_assert(!core_has_output(&f.core), "and nobody spins for it");
    int64_t due_us = core_due_us(&f.core), begun_us = f.now_us;
    f.now_us = due_us - 1;
    fake_take(&f);
    cr_assert_eq(f.count, 0);
    f.now_us = due_us;
    say_published(&f, fake_only(&f, OP_PUBLISH)->id, 1, 1, 0);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    return (due_us - begun_us) / 1000;
}

Test(patience, after_no_space_publishes_wait_as_long_as_asked_and_a_random_time)
{
    int64_t least_ms = INT64_MAX, most_ms = 0;
    fake_connect(&f);
    for (int i = 0; i < 100; i++) {
        int64_t ms = hold_ms(1000);
        least_ms = ms < least_ms ? ms : least_ms;
        most_ms = ms > most_ms ? ms : most_ms;
    }
    cr_assert_geq(least_ms, 1000);
    cr_assert_leq(most_ms, 2000);
    cr_assert_leq(least_ms, 1100, "the time on top is anything up to what was asked");
    cr_assert_geq(most_ms, 1900);
}

/* Two go in one frame, the first is stored; how long the next one then waits. */
static int64_t waits_us(int code, int64_t asked_ms)
{
    fake_connect(&f);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(fake_publish(&f, "orders", "half", NULL, NULL), 0);
    say_stored_in_part(&f, fake_only(&f, OP_PUBLISH)->id, 1, 1, code, asked_ms);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    cr_assert_eq(fake_publish(&f, "orders", "next", NULL, NULL), 0);
    fake_take(&f);
    return f.count ? 0 : core_due_us(&f.core) - f.now_us;
}

Test(patience, a_frame_that_was_stored_in_part_for_want_of_room_holds_the_next_back)
{
    int64_t us = waits_us(SHUNT_NO_SPACE, 1000);
    cr_assert(us >= SECOND_US && us <= 2 * SECOND_US, "%lld", (long long)us);
}

Test(patience, one_that_is_past_a_limit_on_publishing_holds_the_next_back)
{
    fake_connect(&f);
    cr_assert_eq(fake_publish(&f, "orders", "too soon", NULL, NULL), 0);
    refuse(fake_only(&f, OP_PUBLISH)->id, SHUNT_TOO_MANY, 1000);
    fake_call_back(&f.core);
    cr_assert_eq(fake_publish(&f, "orders", "next", NULL, NULL), 0);
    fake_take(&f);
    cr_assert_eq(f.count, 0, "it waits");
    int64_t us = core_due_us(&f.core) - f.now_us;
    cr_assert(us >= SECOND_US && us <= 2 * SECOND_US, "%lld", (long long)us);
}

Test(patience, one_that_was_stored_in_part_and_asks_for_nothing_does_not)
{
    cr_assert_eq(waits_us(SHUNT_NO_SPACE, 0), 0);
}

Test(patience, nor_does_one_whose_topic_is_full)
{
    cr_assert_eq(waits_us(SHUNT_TOPIC_FULL, 1000), 0);
}

Test(patience, nobody_is_believed_more_than_a_minute)
{
    fake_connect(&f);
    cr_assert_leq(hold_ms(86400000), 2 * RETRY_AFTER_MS_MAX);
}

Test(patience, an_error_that_asks_for_nothing_holds_nothing_back)
{
    fake_connect(&f);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(fake_publish(&f, "orders", "x", NULL, NULL), 0);
        say_error(&f, fake_only(&f, OP_PUBLISH)->id, i ? SHUNT_NO_SPACE : SHUNT_TOPIC_FULL, "no");
        cr_assert_eq(fake_feed(&f), 0);
    }
    cr_assert_eq(fake_publish(&f, "orders", "x", NULL, NULL), 0);
    refuse(fake_only(&f, OP_PUBLISH)->id, SHUNT_TOPIC_FULL, 1000);
    cr_assert_eq(fake_publish(&f, "orders", "x", NULL, NULL), 0);
    (void)fake_only(&f, OP_PUBLISH);
}

Test(patience, another_connection_holds_nothing_back)
{
    fake_connect(&f);
    cr_assert_eq(fake_publish(&f, "orders", "full", NULL, NULL), 0);
    refuse(fake_only(&f, OP_PUBLISH)->id, SHUNT_NO_SPACE, 1000);
    cr_assert_eq(fake_publish(&f, "orders", "next", NULL, NULL), 0);
    fake_lose(&f);
    fake_connect(&f);
    (void)fake_only(&f, OP_PUBLISH);
}

Test(patience, what_waits_may_still_be_read_and_answered)
{
    struct call call;
    fake_connect(&f);
    cr_assert_eq(fake_publish(&f, "orders", "full", NULL, NULL), 0);
    refuse(fake_only(&f, OP_PUBLISH)->id, SHUNT_NO_SPACE, 1000);
    begin(&call, true);
    say_ok(&f, fake_only(&f, OP_TOPIC_SHOW)->id);
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_eq(call.state, CALL_ENDED);
    cr_assert_eq(call.error.code, 0);
    call_done(&call);
}

Test(patience, fields_of_a_later_version_are_passed_over)
{
    struct call call;
    fake_connect(&f);
    begin(&call, false);
    say_wait(fake_only(&f, OP_TOPIC_SHOW)->id, SHUNT_TOO_MANY, 1000, true);
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_eq(call.error.code, SHUNT_TOO_MANY);
    call_done(&call);
}

/* ---- connections ---- */

Test(patience, the_end_of_the_connection_says_how_long_to_wait)
{
    fake_connect(&f);
    size_t frame = frame_begin(&f.said, OP_CLOSED, 0, 4);
    mpack_write_uint(&f.said, 0);
    mpack_write_uint(&f.said, SHUNT_SHUTTING_DOWN);
    mpack_write_cstr(&f.said, "stops");
    mpack_write_int(&f.said, 700);
    frame_end(&f.said, frame);
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_eq(f.core.patience.closing_ms, 700);
    cr_assert_eq(f.core.said.code, SHUNT_SHUTTING_DOWN);
    fake_lose(&f);
    fake_connect(&f);
    cr_assert_eq(f.core.patience.closing_ms, 0, "a new connection has said nothing");
}

Test(patience, a_full_server_says_how_long_to_wait_when_it_refuses_a_connection)
{
    cr_assert_eq(core_online(&f.core), 0);
    (void)fake_only(&f, OP_HELLO);
    refuse(0, SHUNT_TOO_MANY, 900);
    cr_assert_eq(f.core.patience.closing_ms, 900);
}

Test(patience, what_is_asked_is_waited_for_but_never_longer_than_twice_the_longest_back_off)
{
    struct random random = {.state = 7};
    for (int i = 0; i < 1000; i++) {
        struct reconnect r;
        reconnect_init(&r, 1, 50, 5000);
        int64_t wait_us = reconnect_failed(&r, &random, 700, SECOND_US);
        cr_assert_geq(wait_us, 700000);
        cr_assert_leq(wait_us, 1400000);
        wait_us = reconnect_failed(&r, &random, 60000, SECOND_US);
        cr_assert_geq(wait_us, 5000000);
        cr_assert_leq(wait_us, 10000000);
    }
}

Test(patience, another_host_is_not_left_alone)
{
    struct random random = {.state = 7};
    struct reconnect r;
    reconnect_init(&r, 2, 50, 5000);
    size_t host = r.host;
    cr_assert_leq(reconnect_failed(&r, &random, 700, SECOND_US), 50000);
    cr_assert_neq(r.host, host);
}

Test(patience, a_broker_that_greets_and_breaks_again_and_again_is_asked_less_and_less)
{
    struct random random = {.state = 7};
    struct reconnect r;
    reconnect_init(&r, 1, 50, 5000);
    for (int i = 0; i < 10; i++) {
        reconnect_succeeded(&r, SECOND_US);
        (void)reconnect_failed(&r, &random, 0, 2 * SECOND_US);
    }
    cr_assert_eq(backoff_bound_us(&r.backoff), 5 * SECOND_US);
    reconnect_succeeded(&r, SECOND_US);
    cr_assert_leq(reconnect_failed(&r, &random, 0, 6 * SECOND_US), 50000,
                  "one that lasted is gone back to soon");
}

/* ---- calls ---- */

Test(patience, what_passes_by_itself_is_asked_again_after_the_time_that_was_asked)
{
    struct call call;
    fake_connect(&f);
    begin(&call, false);
    refuse(fake_only(&f, OP_TOPIC_SHOW)->id, SHUNT_UNAVAILABLE, 300);
    cr_assert_eq(call.state, CALL_QUEUED);
    int64_t due_us = core_due_us(&f.core);
    cr_assert_gt(due_us, f.now_us + 300000);
    cr_assert_leq(due_us, f.now_us + 300000 + 100000);
    f.now_us = due_us - 1;
    fake_take(&f);
    cr_assert_eq(f.count, 0);
    f.now_us = due_us;
    say_ok(&f, fake_only(&f, OP_TOPIC_SHOW)->id);
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_eq(call.state, CALL_ENDED);
    cr_assert_eq(call.error.code, 0);
    call_done(&call);
}

Test(patience, what_somebody_must_change_is_not_asked_again)
{
    static const int codes[] = {SHUNT_NO_SPACE, SHUNT_TOO_MANY, SHUNT_TOPIC_FULL, SHUNT_UNKNOWN_TOPIC};
    fake_connect(&f);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct call call;
        begin(&call, true);
        refuse(fake_only(&f, OP_TOPIC_SHOW)->id, codes[i], 300);
        cr_assert_eq(call.state, CALL_ENDED);
        cr_assert_eq(call.error.code, codes[i]);
        call_done(&call);
    }
}

/* Lose the connection with `count` reads under way; how many are asked again. */
static int asked_again(struct call *calls, int count)
{
    int again = 0;
    for (int i = 0; i < count; i++)
        begin(&calls[i], true);
    fake_take(&f);
    cr_assert_eq(f.count, (size_t)count);
    fake_lose(&f);
    for (int i = 0; i < count; i++) {
        again += calls[i].state == CALL_QUEUED;
        if (calls[i].state == CALL_ENDED)
            cr_assert_eq(calls[i].error.code, SHUNT_DISCONNECTED);
        core_forget_call(&f.core, &calls[i]);
        call_done(&calls[i]);
    }
    return again;
}

Test(patience, calls_that_are_tried_again_are_a_share_of_all_and_a_few)
{
    static struct call calls[500];
    fake_connect(&f);
    cr_assert_eq(asked_again(calls, 500), 10 + 50, "10 in reserve, and 10%% of 500");
    fake_connect(&f);
    cr_assert_eq(asked_again(calls, 100), 10,
                 "10%% of the 100 that came since: those before have had theirs");
    fake_connect(&f);
    f.now_us += 11 * SECOND_US;
    cr_assert_eq(asked_again(calls, 100), 10 + 10, "what is older than the window counts no more");
}

Test(patience, a_budget_of_nothing_tries_nothing_again)
{
    static struct call calls[20];
    fake_done(&f);
    fake_init_with(&f, "retry-budget", "0%", NULL);
    fake_connect(&f);
    cr_assert_eq(asked_again(calls, 20), 0);
}

Test(patience, pending_publishes_are_sent_again_whatever_the_budget_is)
{
    fake_done(&f);
    fake_init_with(&f, "retry-budget", "0%", "retry-reserve", "0", NULL);
    fake_connect(&f);
    for (int i = 0; i < 200; i++) {
        cr_assert_eq(fake_publish(&f, "orders", "x", NULL, NULL), 0);
        if (i % 20 == 19)
            fake_take(&f);
    }
    for (int lost = 0; lost < 5; lost++) {
        fake_lose(&f);
        fake_connect(&f);
        fake_take(&f);
        cr_assert_eq(f.count, 10);
    }
    cr_assert_eq(f.core.producer.messages, 200);
}

Test(patience, the_budget_counts_within_its_window_only)
{
    struct retry_budget b;
    budget_init(&b, 50, 2, 10000);
    for (int i = 0; i < 10; i++)
        budget_call(&b, i * SECOND_US);
    int may = 0;
    while (budget_retry(&b, 9 * SECOND_US))
        may++;
    cr_assert_eq(may, 2 + 5);
    cr_assert(!budget_retry(&b, 15 * SECOND_US),
              "the calls of before 6 s count no more, the retries at 9 s do");
    may = 0;
    while (budget_retry(&b, 19 * SECOND_US))
        may++;
    cr_assert_eq(may, 2);
    cr_assert(budget_retry(&b, 1000 * SECOND_US), "after a long time the reserve is whole again");
}

Test(patience, the_options_have_bounds)
{
    static const struct {
        const char *key, *value;
        bool good;
    } rows[] = {
        {"retry-budget", "0%", true},     {"retry-budget", "100%", true},   {"retry-budget", "101%", false},
        {"retry-budget", "10", false},    {"retry-budget", "%", false},     {"retry-budget", "-1%", false},
        {"retry-reserve", "1000", true},  {"retry-reserve", "1001", false}, {"retry-window", "1s", true},
        {"retry-window", "999ms", false}, {"retry-window", "1h", true},     {"retry-window", "3601s", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct shunt_error err = {0};
        struct shunt_options *o = shunt_options_new();
        struct shunt *s = NULL;
        cr_assert_eq(shunt_options_set(o, rows[i].key, rows[i].value), 0);
        int rc = shunt_open(NULL, o, &s, &err);
        cr_assert_eq(rc, rows[i].good ? 0 : SHUNT_BAD_ARGUMENT, "%s %s: %s", rows[i].key, rows[i].value,
                     err.text);
        if (rc == 0) {
            cr_assert_eq(shunt_retry_after(s), 0);
            shunt_close(s, 0);
        }
        shunt_options_free(o);
    }
}
