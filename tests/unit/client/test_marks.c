/* Started marks: what they cover, and that nothing is handed out before they are sent. */
#include "client/wire/marks.h"
#include "fake_server.h"
#include <criterion/criterion.h>

FAKE_SUITE(marks);

/* Take and acknowledge `count` messages that take `handler_us` each; returns how many marks were written. */
static int work_through(struct shunt_consumer *c, int count, int64_t handler_us)
{
    int marks = 0;
    for (int i = 0; i < count; i++) {
        uint64_t before = c->queued.head->marked_at;
        struct shunt_delivery *d = fake_next(c, &f);
        cr_assert_not_null(d);
        marks += before == 0;
        f.now_us += handler_us;
        struct resolve_entry entry = {.seq = d->seq, .token = d->token, .outcome = SHUNT_ACK};
        cr_assert_eq(delivery_resolve(d, &entry, (struct resolver){0}, f.now_us), 0);
    }
    return marks;
}

Test(marks, nothing_is_returned_before_its_mark_was_taken_by_the_socket)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 3);
    cr_assert_eq(marks_write(c, f.now_us), 0);
    cr_assert_null(consumer_take(c, f.now_us), "only written");
    size_t size = output_left(&f.core.output);
    fake_take_bytes(&f, size - 1);
    cr_assert_null(consumer_take(c, f.now_us), "all but one byte");
    fake_take_bytes(&f, 1);
    cr_assert_not_null(consumer_take(c, f.now_us));
    cr_assert_null(consumer_take(c, f.now_us), "the next one has no mark yet");
}

Test(marks, a_mark_held_up_by_the_socket_calls_arrival_when_it_is_through)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 1);
    fake_call_back(&f.core);
    cr_assert(!c->arrived);
    cr_assert_eq(marks_write(c, f.now_us), 0);
    f.core.marks_waiting = true; /* as shunt_next() does when it returns EMPTY for that reason */
    fake_take(&f);
    cr_assert(c->arrived);
}

Test(marks, a_slow_handler_is_marked_one_by_one)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 100);
    cr_assert_eq(work_through(c, 100, 300), 100);
}

Test(marks, a_handler_of_20_us_is_marked_ten_at_a_time)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 1000);
    (void)work_through(c, 500, 20);
    cr_assert_leq(marks_cover(c), 11);
    cr_assert_geq(marks_cover(c), 9);
    int marks = work_through(c, 400, 20);
    cr_assert_leq(marks, 45);
    cr_assert_geq(marks, 36);
}

Test(marks, one_slow_message_is_enough_to_mark_one_by_one_again)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 1000);
    (void)work_through(c, 500, 1);
    cr_assert_gt(marks_cover(c), 50);
    (void)work_through(c, 1, 10000000);
    marks_next_called(c, f.now_us);
    cr_assert_eq(marks_cover(c), 1);
}

Test(marks, mark_time_0_marks_one_by_one_whatever_the_handler)
{
    fake_done(&f);
    fake_init_with(&f, "mark-time", "0", NULL);
    struct shunt_consumer *c = fake_consume(&f, 1, 50);
    cr_assert_eq(work_through(c, 50, 0), 50);
}

Test(marks, without_marks_nothing_is_marked)
{
    fake_done(&f);
    fake_init_with(&f, "marks", "no", NULL);
    struct shunt_consumer *c = fake_consume(&f, 1, 3);
    for (int i = 0; i < 3; i++) {
        cr_assert_not_null(fake_next(c, &f));
        cr_assert_eq(f.count, 0);
    }
}

Test(marks, explicit_marks_are_sent_when_asked_for_and_only_once)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 2);
    client_mark_explicitly(c);
    struct shunt_delivery *d = fake_next(c, &f), *other = fake_next(c, &f);
    cr_assert_not_null(other);
    cr_assert_eq(f.count, 0);
    cr_assert(!client_marked(d));
    cr_assert_eq(client_mark(d), 0);
    cr_assert_eq(client_mark(d), 0);
    cr_assert(!client_marked(d));
    struct seen_frame *started = fake_only(&f, OP_STARTED);
    (void)mpack_read_uint(&started->at);
    cr_assert_eq(mpack_read_array(&started->at), 2);
    cr_assert_eq(mpack_read_uint(&started->at), 1);
    cr_assert(client_marked(d));
    cr_assert(!client_marked(other));
    cr_assert_eq(client_held_count(c), 2);
}

Test(marks, a_mark_begins_the_lease_anew)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 1);
    f.now_us += 29999 * 1000;
    struct shunt_delivery *d = fake_next(c, &f);
    cr_assert_eq(d->deadline_us, f.now_us + 30000 * 1000);
}

/* ---- what was not begun when its lease was over ---- */

/* The numbers in the one RESOLVE that was sent, all RELEASE; as a bit for each. */
static uint64_t released(void)
{
    struct mpack_reader *at = &fake_only(&f, OP_RESOLVE)->at;
    uint64_t numbers = 0;
    (void)mpack_read_uint(at);
    for (uint32_t count = mpack_read_array(at); count; count--) {
        uint32_t fields = mpack_read_array(at);
        uint64_t seq = mpack_read_uint(at);
        numbers |= 1ull << seq;
        cr_assert_eq(mpack_read_uint(at), 1000 + seq);
        cr_assert_eq(mpack_read_uint(at), SHUNT_RELEASE);
        for (uint32_t i = 3; i < fields; i++)
            (void)mpack_read_any(at);
    }
    cr_assert(!at->failed);
    return numbers;
}

/* At the broker the answer to the one before it lengthened its lease: if that ended after we had spoken, we would be silent. */
Test(marks, without_them_what_ran_out_in_the_queue_is_given_back)
{
    f.settings.marks = false;
    struct shunt_consumer *c = fake_consume(&f, 1, 3);
    struct shunt_delivery *d = fake_next(c, &f);
    cr_assert_not_null(d);
    f.now_us += 29999 * 1000;
    cr_assert_eq(delivery_resolve(d, &(struct resolve_entry){.seq = 1, .token = 1001, .outcome = SHUNT_ACK},
                                  (struct resolver){0}, f.now_us),
                 0);
    fake_take(&f);
    f.now_us += 1000;
    cr_assert_null(consumer_take(c, f.now_us));
    cr_assert_eq(c->queued.count, 0);
    cr_assert_eq(released(), 1 << 2 | 1 << 3);
}

/* Its lease began again when the mark reached the broker, which is after we wrote it. */
Test(marks, what_was_marked_and_ran_out_in_the_queue_is_given_back)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 1);
    cr_assert_eq(marks_write(c, f.now_us), 0);
    fake_take(&f);
    f.now_us += 30000 * 1000;
    cr_assert_null(consumer_take(c, f.now_us));
    cr_assert_eq(c->queued.count, 0);
    cr_assert_eq(released(), 1 << 1);
}

Test(marks, what_was_not_marked_and_ran_out_is_dropped_with_a_word)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 1);
    f.now_us += 30000 * 1000;
    cr_assert_null(consumer_take(c, f.now_us));
    cr_assert_eq(c->queued.count, 0);
    (void)fake_only(&f, OP_CREDIT);
}
