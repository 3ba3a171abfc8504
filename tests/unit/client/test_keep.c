/* What a consumer holds over a lost connection: asked for, answered meanwhile, refused, handed out again. */
#include "client/wire/delivery.h"
#include "client/wire/error.h"
#include "client/wire/marks.h"
#include "client/wire/message.h"
#include "client/worker/delivery_pack.h"
#include "fake_server.h"
#include <criterion/criterion.h>

FAKE_SUITE(keep);

static int resolve(struct shunt_delivery *d, enum shunt_outcome outcome, struct outcome *o)
{
    struct resolve_entry entry = {.seq = d->seq, .token = d->token, .outcome = outcome, .delay_ms = 5000};
    static const struct shunt_failure failure = {.type = "E", .message = "no", .stack = "s"};
    entry.failure = outcome == SHUNT_NACK ? &failure : NULL;
    return delivery_resolve(d, &entry, (struct resolver){.callback = fake_hear, .context = o}, f.now_us);
}

static void hold(struct shunt_consumer **ret_consumer, struct shunt_delivery **d, int count)
{
    *ret_consumer = fake_consume(&f, 1, (uint32_t)count);
    for (int i = 0; i < count; i++)
        d[i] = fake_next(*ret_consumer, &f);
}

/* Lost and back; SUBSCRIBE asks for these, as [seq, token, started]. */
static void come_back(const uint64_t (*asked)[3], uint32_t count)
{
    fake_lose(&f);
    fake_call_back(&f.core);
    fake_connect(&f);
    struct seen_frame *frame = fake_only(&f, OP_SUBSCRIBE);
    for (int i = 0; i < 4; i++)
        (void)mpack_read_any(&frame->at);
    if (count == 0) {
        cr_assert_eq(mpack_peek(&frame->at), MPACK_END);
        return;
    }
    cr_assert_eq(mpack_read_array(&frame->at), count * 3);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(mpack_read_uint(&frame->at), asked[i][0]);
        cr_assert_eq(mpack_read_uint(&frame->at), asked[i][1]);
        cr_assert_eq(mpack_read_bool(&frame->at), asked[i][2] != 0);
    }
    cr_assert_not(frame->at.failed);
}

static void answer(const uint64_t *tokens, uint32_t count)
{
    size_t frame = frame_begin(&f.said, OP_OK, fake_frame(&f, 0, OP_SUBSCRIBE)->id, 3);
    mpack_write_uint(&f.said, 8);
    mpack_write_int(&f.said, 60000);
    mpack_write_array(&f.said, count);
    for (uint32_t i = 0; i < count; i++)
        mpack_write_uint(&f.said, tokens[i]);
    frame_end(&f.said, frame);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
}

static void expect_entry(struct mpack_reader *r, uint64_t seq, uint64_t token, uint64_t outcome)
{
    uint32_t fields = mpack_read_array(r);
    cr_assert_eq(mpack_read_uint(r), seq);
    cr_assert_eq(mpack_read_uint(r), token);
    cr_assert_eq(mpack_read_uint(r), outcome);
    for (uint32_t i = 3; i < fields; i++)
        (void)mpack_read_any(r);
    cr_assert_not(r->failed);
}

Test(keep, what_is_held_is_asked_for_and_answered_under_its_new_token)
{
    struct shunt_consumer *c;
    struct shunt_delivery *d[2];
    struct outcome o = {0};
    hold(&c, d, 2);
    uint32_t deliveries = shunt_delivery_deliveries(d[0]);
    come_back((const uint64_t[][3]){{1, 1001, 1}, {2, 1002, 1}}, 2);
    cr_assert(delivery_away(d[0]));
    cr_assert_not(marks_done(d[0]), "nobody may begin it now");
    answer((const uint64_t[]){2001, 0}, 2);
    cr_assert_not(delivery_away(d[0]));
    cr_assert_not(client_stale(d[0]));
    cr_assert(marks_done(d[0]));
    cr_assert_eq(d[0]->deadline_us, f.now_us + 60000000, "it has the group's lease, from now");
    cr_assert_eq(shunt_delivery_deliveries(d[0]), deliveries + 1);
    cr_assert(client_stale(d[1]), "somebody else has it");
    cr_assert_eq(resolve(d[1], SHUNT_ACK, &o), SHUNT_STALE);
    cr_assert_eq(resolve(d[0], SHUNT_ACK, &o), 0);
    struct seen_frame *frame = fake_only(&f, OP_RESOLVE);
    cr_assert_eq(mpack_read_uint(&frame->at), 8);
    cr_assert_eq(mpack_read_array(&frame->at), 1);
    expect_entry(&frame->at, 1, 2001, SHUNT_ACK);
    cr_assert_eq(client_held_count(c), 0);
}

Test(keep, what_is_answered_meanwhile_waits_and_counts)
{
    struct shunt_consumer *c;
    struct shunt_delivery *d[3];
    struct outcome acked = {0}, nacked = {0}, lost = {0};
    hold(&c, d, 3);
    fake_lose(&f);
    cr_assert_eq(resolve(d[0], SHUNT_ACK, &acked), 0);
    fake_connect(&f);
    fake_take(&f);
    cr_assert_eq(resolve(d[1], SHUNT_NACK, &nacked), 0); /* after SUBSCRIBE, before its answer */
    cr_assert_eq(resolve(d[2], SHUNT_ACK, &lost), 0);
    fake_call_back(&f.core);
    cr_assert_eq(acked.calls + nacked.calls + lost.calls, 0);
    cr_assert_eq(client_held_count(c), 0);
    /* The held ones were asked for first, then the one that had been answered. */
    answer((const uint64_t[]){2002, 0, 2001}, 3);
    cr_assert_eq(lost.calls, 1);
    cr_assert_eq(lost.code, SHUNT_STALE);
    struct seen_frame *frame = fake_only(&f, OP_RESOLVE);
    cr_assert_eq(mpack_read_uint(&frame->at), 8);
    cr_assert_eq(mpack_read_array(&frame->at), 2);
    expect_entry(&frame->at, 1, 2001, SHUNT_ACK);
    expect_entry(&frame->at, 2, 2002, SHUNT_NACK);
    say_resolved(&f, frame->id, NULL, 0);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    cr_assert(acked.calls == 1 && acked.code == 0);
    cr_assert(nacked.calls == 1 && nacked.code == 0);
    cr_assert_eq(c->ending.count, 0);
    cr_assert_eq(f.core.resolutions.pending, 0);
}

Test(keep, a_broker_that_knows_nothing_of_it_has_given_everything_away)
{
    struct shunt_consumer *c;
    struct shunt_delivery *d[2];
    struct outcome o = {0};
    hold(&c, d, 2);
    fake_lose(&f);
    cr_assert_eq(resolve(d[0], SHUNT_ACK, &o), 0);
    fake_connect(&f);
    fake_take(&f);
    say_subscribed(&f, fake_frame(&f, 0, OP_SUBSCRIBE)->id, 7);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    cr_assert(o.calls == 1 && o.code == SHUNT_STALE);
    cr_assert(client_stale(d[1]));
    cr_assert_eq(client_held_count(c), 1);
}

Test(keep, a_second_loss_before_the_answer_asks_again)
{
    struct shunt_consumer *c;
    struct shunt_delivery *d[1];
    hold(&c, d, 1);
    come_back((const uint64_t[][3]){{1, 1001, 1}}, 1);
    come_back((const uint64_t[][3]){{1, 1001, 1}}, 1);
    answer((const uint64_t[]){2001}, 1);
    come_back((const uint64_t[][3]){{1, 2001, 1}}, 1);
    answer((const uint64_t[]){0}, 1);
    cr_assert(client_stale(d[0]));
    come_back(NULL, 0);
}

static void count_arrivals(void *context, struct shunt_consumer *consumer)
{
    (void)consumer;
    ++*(int *)context;
}

Test(keep, what_was_fetched_ahead_is_asked_for_as_not_started_and_goes_on_in_its_order)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 4);
    struct outcome o = {0};
    struct shunt_delivery *held = fake_next(c, &f);
    c->handler_ns = 1; /* quick: the next mark covers all that wait */
    cr_assert_eq(marks_write(c, f.now_us), 0);
    cr_assert_neq(c->queued.head->marked_at, 0);
    uint32_t deliveries = c->queued.head->deliveries;
    come_back((const uint64_t[][3]){{1, 1001, 1}, {2, 1002, 0}, {3, 1003, 0}, {4, 1004, 0}}, 4);
    f.now_us += 31000000; /* its old lease is no matter */
    cr_assert_eq(marks_write(c, f.now_us), 0);
    cr_assert_null(consumer_take(c, f.now_us), "it may not be ours any more");
    cr_assert_eq(c->queued.count, 3);
    int told = 0;
    c->callback = count_arrivals;
    c->context = &told;
    c->arrived = false;
    answer((const uint64_t[]){2001, 2002, 0, 2004}, 4);
    cr_assert_eq(told, 1, "the consumer that waits for messages is told");
    cr_assert_eq(c->queued.count, 2, "one has gone to somebody else");
    struct seen_frame *frame = NULL;
    cr_assert_eq(marks_write(c, f.now_us), 0);
    fake_take(&f);
    frame = fake_frame(&f, 0, OP_STARTED);
    cr_assert_eq(mpack_read_uint(&frame->at), 8);
    (void)mpack_read_array(&frame->at);
    cr_assert_eq(mpack_read_uint(&frame->at), 2);
    cr_assert_eq(mpack_read_uint(&frame->at), 2002, "marked under its new token");
    struct shunt_delivery *next = consumer_take(c, f.now_us);
    cr_assert_eq(next->seq, 2);
    cr_assert_eq(next->deliveries, deliveries + 1);
    cr_assert_eq(consumer_take(c, f.now_us)->seq, 4);
    cr_assert_eq(resolve(held, SHUNT_ACK, &o), 0);
}

Test(keep, an_extension_waits_too_and_the_latest_counts)
{
    struct shunt_consumer *c;
    struct shunt_delivery *d[1];
    struct outcome first = {0}, second = {0};
    hold(&c, d, 1);
    fake_lose(&f);
    cr_assert_eq(resolve(d[0], SHUNT_EXTEND, &first), 0);
    cr_assert_eq(resolve(d[0], SHUNT_EXTEND, &second), 0);
    fake_call_back(&f.core);
    cr_assert(first.calls == 1 && first.code == SHUNT_DISCONNECTED);
    cr_assert_eq(client_held_count(c), 1);
    fake_connect(&f);
    fake_take(&f);
    answer((const uint64_t[]){2001}, 1);
    struct seen_frame *frame = fake_only(&f, OP_RESOLVE);
    (void)mpack_read_uint(&frame->at);
    cr_assert_eq(mpack_read_array(&frame->at), 1);
    expect_entry(&frame->at, 1, 2001, SHUNT_EXTEND);
}

Test(keep, answers_end_as_stale_when_nobody_will_ask_any_more)
{
    struct shunt_consumer *c;
    struct shunt_delivery *d[2];
    struct outcome acked = {0}, extended = {0};
    struct shunt_error error;
    hold(&c, d, 2);
    fake_lose(&f);
    cr_assert_eq(resolve(d[0], SHUNT_ACK, &acked), 0);
    cr_assert_eq(resolve(d[1], SHUNT_EXTEND, &extended), 0);
    error_set(&error, SHUNT_CLOSED, NULL);
    consumer_ended(c, &error);
    fake_call_back(&f.core);
    cr_assert(acked.calls == 1 && acked.code == SHUNT_STALE);
    cr_assert(extended.calls == 1 && extended.code == SHUNT_STALE);
    cr_assert(client_stale(d[1]));
}

Test(keep, a_message_whose_handler_runs_is_not_returned_again)
{
    struct shunt_consumer *c;
    struct shunt_delivery *d[1];
    struct outcome o = {0};
    hold(&c, d, 1);
    come_back((const uint64_t[][3]){{1, 1001, 1}}, 1);
    answer((const uint64_t[]){0}, 1);
    cr_assert(client_stale(d[0]));
    say_delivered(&f, 8, 1, 2, 30000); /* the same message to us again, and another */
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_not(client_stale(d[0]), "the handler that runs goes on as the new delivery");
    cr_assert_eq(c->queued.count, 1);
    cr_assert_eq(fake_next(c, &f)->seq, 2);
    cr_assert_eq(resolve(d[0], SHUNT_ACK, &o), 0);
    fake_take(&f);
    struct seen_frame *marked = fake_frame(&f, 0, OP_RESOLVE);
    cr_assert_eq(mpack_read_uint(&marked->at), 8);
    cr_assert_eq(mpack_read_array(&marked->at), 1);
    expect_entry(&marked->at, 1, 1001, SHUNT_ACK);
}

Test(keep, the_new_delivery_of_a_running_message_is_marked_as_started)
{
    struct shunt_consumer *c;
    struct shunt_delivery *d[1];
    hold(&c, d, 1);
    say_delivered(&f, 7, 1, 1, 30000); /* its lease ran out, and nobody else wanted it */
    cr_assert_eq(fake_feed(&f), 0);
    struct seen_frame *frame = fake_only(&f, OP_STARTED);
    cr_assert_eq(mpack_read_uint(&frame->at), 7);
    cr_assert_eq(mpack_read_array(&frame->at), 2);
    cr_assert_eq(mpack_read_uint(&frame->at), 1);
    cr_assert_eq(client_held_count(c), 1);
    cr_assert_eq(c->queued.count, 0);
}

Test(keep, of_two_deliveries_that_wait_the_later_counts)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 2);
    say_delivered(&f, 7, 1, 1, 30000);
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_eq(c->queued.count, 2);
    cr_assert_eq(fake_next(c, &f)->seq, 2);
    cr_assert_eq(fake_next(c, &f)->seq, 1);
    cr_assert_null(fake_next(c, &f));
}

Test(keep, no_more_are_asked_for_than_a_request_may_name)
{
    struct shunt_consumer *c = fake_consume(&f, 1, KEPT_MAX + 1);
    struct shunt_delivery *last = NULL;
    client_mark_explicitly(c);
    for (int i = 0; i <= KEPT_MAX; i++)
        last = consumer_take(c, f.now_us);
    fake_lose(&f);
    fake_connect(&f);
    struct seen_frame *frame = fake_only(&f, OP_SUBSCRIBE);
    for (int i = 0; i < 4; i++)
        (void)mpack_read_any(&frame->at);
    cr_assert_eq(mpack_read_array(&frame->at), 3 * KEPT_MAX);
    uint64_t tokens[KEPT_MAX];
    for (int i = 0; i < KEPT_MAX; i++)
        tokens[i] = 5000;
    answer(tokens, KEPT_MAX);
    cr_assert(client_stale(last));
    cr_assert_not(client_stale(client_held_first(c)));
}

Test(keep, what_is_left_of_a_deadline_is_told_and_inherited)
{
    const int64_t at_ms = 1700000009000;
    fake_connect(&f);
    struct shunt_consumer *c = fake_subscribe(&f, 7, 65536);
    struct shunt_message *m = shunt_message_new();
    struct mpack_buffer packed = {0};
    struct shunt_delivery *copy = NULL;
    say_urgent(&f, 7, 1, at_ms, 60000);
    cr_assert_eq(fake_feed(&f), 0);
    struct shunt_delivery *d = fake_next(c, &f);
    cr_assert_eq(shunt_delivery_deadline_ms(d), at_ms);
    cr_assert_geq(shunt_message_remaining_ms(d), 0);
    shunt_message_inherit(m, d);
    cr_assert_eq(m->deadline_ms, at_ms);
    cr_assert_eq(delivery_pack(d, &packed), 0);
    cr_assert_eq(delivery_unpack(packed.data, packed.size, &copy), 0);
    cr_assert_eq(shunt_delivery_deadline_ms(copy), at_ms, "a child is told, too");
    cr_assert_geq(shunt_message_remaining_ms(copy), 0);
    delivery_unpacked_free(copy);
    mpack_buffer_done(&packed);
    delivery_free(d);
    say_delivered(&f, 7, 2, 1, 30000);
    cr_assert_eq(fake_feed(&f), 0);
    d = fake_next(c, &f);
    cr_assert_eq(shunt_delivery_deadline_ms(d), 0);
    cr_assert_eq(shunt_message_remaining_ms(d), -1);
    shunt_message_inherit(m, d);
    cr_assert_eq(m->deadline_ms, 0);
    shunt_message_free(m);
}
