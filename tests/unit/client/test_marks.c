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
