/* check_past: what is kept of messages that have ended is held against how they ended, and that against it. */
#include "tests/unit/check/check_bench.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

static struct fixture f;

/* Message 3 failed, and is acked. */
static void end_message(void)
{
    ack(&f, "orders", "default", 3);
}
DAMAGE(ended_byte)
{
    end_message();
    flip(&f, TABLE_HISTORY, key_history(DEFAULT, 3, HISTORY_ROW_END));
}
DAMAGE(end_lost)
{
    end_message();
    uproot(&f, TABLE_HISTORY, key_history(DEFAULT, 3, HISTORY_ROW_END));
}
DAMAGE(due_lost_of_past)
{
    end_message();
    uproot(&f, TABLE_DUE, key_due(DEFAULT, DUE_PAST, T0 + 10, 3));
}
/* How message `seq` ended, and when that is forgotten. */
static void plant_end(uint64_t seq)
{
    struct ended_record e = {.ended_ms = T0};
    uint8_t bytes[256];
    struct key key = key_history(DEFAULT, seq, HISTORY_ROW_END);
    plant(&f, TABLE_HISTORY, key, bytes, ended_encode(bytes, key_slice(&key), &e));
    plant_empty(&f, TABLE_DUE, key_due(DEFAULT, DUE_PAST, T0, seq));
    struct group_record g = group_at(&f, DEFAULT);
    g.past++;
    plant_group(&f, DEFAULT, &g);
}
DAMAGE(end_of_the_living)
{
    plant_end(2);
}
DAMAGE(end_of_the_ready)
{
    plant_end(8);
}
DAMAGE(end_beyond_head)
{
    plant_bit(&f, DEFAULT, 60, true);
    plant_end(60);
}
DAMAGE(due_of_past_at_another_time)
{
    end_message();
    plant_empty(&f, TABLE_DUE, key_due(DEFAULT, DUE_PAST, T0 + 9, 3));
}
DAMAGE(due_of_past_of_nothing)
{
    plant_empty(&f, TABLE_DUE, key_due(DEFAULT, DUE_PAST, T0, 1));
}

static const struct damage damages[] = {
    CASE(ended_byte, "checksum: orders/default: how message 3 ended\n"),
    CASE(end_lost,
         "orphan: orders/default: history row 1 of message 3, which has no attempt row and has not ended\n"
         "orphan: orders/default: a due row of message 3 that has ended at 1000010 ms, which nothing else "
         "says\n"
         "counter: orders/default: past is 1, counted 0\n"),
    CASE(due_lost_of_past, "missing: orders/default: message 3 has ended, and has no due row\n"),
    CASE(end_of_the_living, "state: orders/default: message 2 has ended, and has an attempt row\n"),
    CASE(end_of_the_ready, "state: orders/default: message 8 is said to have ended, and is ready or in "
                           "flight for the first time\n"),
    CASE(end_beyond_head,
         "state: orders/default: 1 messages at or after the topic's head 12 are done\n"
         "state: orders/default: message 60 is said to have ended, and is not the group's business\n"),
    CASE(due_of_past_at_another_time, "orphan: orders/default: a due row of message 3 that has ended at "
                                      "1000009 ms, which ended at another time\n"),
    CASE(due_of_past_of_nothing, "orphan: orders/default: a due row of message 1 that has ended at 1000000 "
                                 "ms, which nothing else says\n"),
};

ParameterizedTestParameters(check_past, damage_is_reported_as_what_it_is)
{
    static size_t rows[sizeof damages / sizeof damages[0]];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i] = i;
    return cr_make_param_array(size_t, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(size_t *row, check_past, damage_is_reported_as_what_it_is)
{
    bench_expect_damage(&f, &damages[*row]);
}
