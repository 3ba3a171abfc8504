/* producers: which connection speaks for a producer, and how many seats are kept for those that have gone. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "broker/engine/state.h"

static struct engine *engine;
static struct flow_totals totals;

static void begin(void)
{
    engine = calloc(1, sizeof *engine);
    cr_assert(engine);
    producers_init(&engine->producers);
}

static void end(void)
{
    producers_free(&engine->producers);
    free(engine);
}

TestSuite(producers, .init = begin, .fini = end);

/* A connection that was accepted as the `id`th, and whose HELLO names this producer. */
static struct session *hello(uint64_t id, uint32_t producer)
{
    struct session *s = calloc(1, sizeof *s);
    cr_assert(s);
    s->engine = engine;
    s->link = link_new(id, &totals);
    s->has_producer = true;
    memcpy(s->producer, &producer, sizeof producer);
    cr_assert(producer_seat(s));
    return s;
}

static void leave(struct session *s)
{
    producer_leave(s);
    link_unref(s->link);
    free(s);
}

static size_t seats(void)
{
    return engine->producers.empty_count;
}

Test(producers, the_connection_that_was_accepted_last_speaks)
{
    struct session *first = hello(1, 7), *other = hello(2, 8), *second = hello(3, 7), *late = hello(2, 7);
    cr_expect(first->superseded);
    cr_expect(!second->superseded);
    cr_expect(late->superseded, "its hello comes last, but it was accepted before");
    cr_expect(!other->superseded);
    leave(first);
    leave(late);
    leave(other);
    leave(second);
}

Test(producers, a_late_hello_is_told_from_a_new_one_after_the_newer_connection_has_gone)
{
    leave(hello(2, 7));
    cr_expect_eq(seats(), 1);
    struct session *late = hello(1, 7), *next = hello(3, 7);
    cr_expect(late->superseded);
    cr_expect(!next->superseded);
    cr_expect_eq(seats(), 0, "its seat is taken again");
    leave(late);
    leave(next);
}

Test(producers, an_empty_seat_is_kept_for_a_time)
{
    leave(hello(1, 7));
    engine->mono_ms += EMPTY_SEAT_MS;
    leave(hello(2, 8));
    cr_expect_eq(seats(), 2);
    engine->mono_ms++;
    leave(hello(3, 9));
    cr_expect_eq(seats(), 2, "the first is gone");
}

Test(producers, a_bounded_number_of_empty_seats_is_kept_the_newest_ones)
{
    struct session *stays = hello(1, 0);
    for (uint32_t i = 1; i < EMPTY_SEATS_MAX; i++)
        leave(hello(1 + i, i));
    cr_expect_eq(seats(), EMPTY_SEATS_MAX - 1);
    leave(hello(EMPTY_SEATS_MAX + 1, EMPTY_SEATS_MAX));
    cr_expect_eq(seats(), EMPTY_SEATS_MAX);
    leave(hello(EMPTY_SEATS_MAX + 2, EMPTY_SEATS_MAX + 1));
    cr_expect_eq(seats(), EMPTY_SEATS_MAX, "not one more");
    struct session *forgotten = hello(1, 1), *kept = hello(1, 2);
    cr_expect(!forgotten->superseded, "the oldest seat is gone");
    cr_expect(kept->superseded);
    cr_expect(!stays->superseded, "a seat whose connection stands is never taken");
    leave(stays);
    leave(forgotten);
    leave(kept);
}
