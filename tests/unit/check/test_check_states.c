/* check_states: messages in two states or in none, wrong counters, and a catalogue that does not fit, are
 * found and named. */
#include "tests/unit/check/check_bench.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

static struct fixture f;

/* ---- two states, or none ---- */

DAMAGE(delayed_and_ready)
{
    struct attempt_record r = attempt_at(&f, DEFAULT, 2);
    r.rows = 0;
    plant_attempt(&f, DEFAULT, 8, &r);
    plant_empty(&f, TABLE_DUE, key_due(DEFAULT, 0, r.due_ms, 8));
}
DAMAGE(delayed_and_in_flight)
{
    plant_bit(&f, DEFAULT, 7, false);
}
DAMAGE(in_no_state)
{
    plant_bit(&f, DEFAULT, 8, true);
}
DAMAGE(flight_forgotten)
{
    plant_bit(&f, DEFAULT, 6, true);
}
DAMAGE(done_beyond_head)
{
    plant_bit(&f, DEFAULT, 60, true);
}
DAMAGE(tracked_beyond_head)
{
    struct attempt_record r = attempt_at(&f, DEFAULT, 2);
    r.rows = 0;
    plant_bit(&f, DEFAULT, 12, true);
    plant_attempt(&f, DEFAULT, 12, &r);
    plant_empty(&f, TABLE_DUE, key_due(DEFAULT, 0, r.due_ms, 12));
}
DAMAGE(dead_elsewhere)
{
    struct attempt_record r = attempt_at(&f, DEFAULT, 4);
    r.dead_seq = 9;
    plant_attempt(&f, DEFAULT, 4, &r);
}
DAMAGE(dead_with_expiry)
{
    struct attempt_record r = attempt_at(&f, DEFAULT, 4);
    struct group_record g = group_at(&f, DEFAULT);
    r.has_expiry = true;
    r.expires_ms = T0 + 1;
    g.counts.expiries++;
    plant_attempt(&f, DEFAULT, 4, &r);
    plant_group(&f, DEFAULT, &g);
    plant_empty(&f, TABLE_EXPIRY, key_expiry(T0 + 1, DEFAULT, 4));
}
DAMAGE(dead_in_dlq)
{
    struct attempt_record r = attempt_at(&f, DEFAULT, 4);
    struct group_record g = group_at(&f, DEFAULT_READER);
    r.rows = 0;
    g.counts.ready--;
    g.counts.dead++;
    g.counts.tracked++;
    plant_bit(&f, DEFAULT_READER, 1, true);
    plant_attempt(&f, DEFAULT_READER, 1, &r);
    plant_group(&f, DEFAULT_READER, &g);
}
DAMAGE(tried_more_often_than_ever)
{
    struct attempt_record r = attempt_at(&f, DEFAULT, 2);
    r.attempts = r.attempts_total + 1;
    plant_attempt(&f, DEFAULT, 2, &r);
}
DAMAGE(cursor_past_floor)
{
    struct group_record g = group_at(&f, AUDIT);
    g.floor = 3;
    plant_group(&f, AUDIT, &g);
}

/* ---- counters ---- */

DAMAGE(all_counters_of_a_group)
{
    struct group_record g = group_at(&f, DEFAULT);
    uint64_t *counts[] = {&g.counts.ready,    &g.counts.in_flight, &g.counts.delayed,  &g.counts.dead,
                          &g.counts.suspects, &g.counts.tracked,   &g.counts.expiries, &g.past};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        *counts[i] += 10;
    plant_group(&f, DEFAULT, &g);
}
DAMAGE(unattended_miscounted)
{
    struct group_record g = group_at(&f, DEFAULT);
    g.counts.unattended = 7;
    plant_group(&f, DEFAULT, &g);
}
DAMAGE(mark_beyond_what_nobody_has_looked_at)
{
    struct group_record g = group_at(&f, DEFAULT);
    g.attended_below = 2;
    plant_group(&f, DEFAULT, &g);
}
DAMAGE(acked_lost)
{
    struct group_record g = group_at(&f, DEFAULT);
    g.counts.acked--;
    plant_group(&f, DEFAULT, &g);
}
DAMAGE(counters_of_a_topic)
{
    struct topic_record t = topic_at(&f, ORDERS);
    t.stored++;
    t.stored_bytes--;
    t.published++;
    plant_topic(&f, ORDERS, &t);
}

/* ---- the catalogue ---- */

DAMAGE(dropped_without_a_job)
{
    struct topic_record t = topic_at(&f, DLQ_AUDIT);
    t.dropped = true;
    plant_topic(&f, DLQ_AUDIT, &t);
}
DAMAGE(group_dropped_without_a_job)
{
    struct group_record g = group_at(&f, AUDIT_READER);
    g.dropped = true;
    plant_group(&f, AUDIT_READER, &g);
}
DAMAGE(two_topics_of_one_name)
{
    struct topic_record t = topic_at(&f, DLQ_AUDIT), other = topic_at(&f, DLQ_DEFAULT);
    memcpy(t.name, other.name, sizeof t.name);
    plant_topic(&f, DLQ_AUDIT, &t);
}
DAMAGE(dlq_of_another)
{
    struct topic_record t = topic_at(&f, DLQ_AUDIT);
    t.origin_group = DEFAULT;
    plant_topic(&f, DLQ_AUDIT, &t);
}
DAMAGE(id_never_given)
{
    struct topic_record t = topic_at(&f, DLQ_AUDIT);
    t.id = 40;
    plant_topic(&f, 40, &t);
}
DAMAGE(topic_says_another_id)
{
    struct topic_record t = topic_at(&f, DLQ_AUDIT);
    t.id = 2;
    plant_topic(&f, DLQ_AUDIT, &t);
}

static const struct damage damages[] = {
    CASE(delayed_and_ready,
         "state: orders/default: message 8 is in two states: it has a row, and is ready for the first time\n"
         "counter: orders/default: delayed is 2, counted 3\n"
         "counter: orders/default: tracked is 5, counted 6\n"),
    CASE(delayed_and_in_flight, "state: orders/default: message 7 is in two states: it has a row, and is in "
                                "flight for the first time\n"
                                "counter: orders/default: in_flight is 2, counted 3\n"),
    CASE(in_no_state, "counter: orders/default: ready is 5, counted 4\n"),
    CASE(flight_forgotten, "counter: orders/default: in_flight is 2, counted 1\n"),
    CASE(done_beyond_head, "state: orders/default: 1 messages at or after the topic's head 12 are done\n"),
    CASE(tracked_beyond_head, "state: orders/default: 1 messages at or after the topic's head 12 are done\n"
                              "state: orders/default: message 12 has a row, and is not the group's business\n"
                              "missing: orders/default: message 12 is not stored\n"
                              "counter: orders/default: delayed is 2, counted 3\n"
                              "counter: orders/default: tracked is 5, counted 6\n"),
    CASE(dead_elsewhere, "orphan: dlq:orders:default/1: message 4 of its group is not dead, or not here\n"
                         "missing: orders/default: message 4 is dead, and its DLQ has no letter 9\n"),
    CASE(dead_with_expiry, "state: orders/default: message 4 is dead, and its time to live runs on\n"),
    CASE(dead_in_dlq, "state: dlq:orders:default/default: message 1 is dead in a DLQ\n"),
    CASE(tried_more_often_than_ever,
         "counter: orders/default: message 2 was tried more often in this generation than ever\n"),
    CASE(cursor_past_floor,
         "state: orders/audit: start 1, floor 3, next 1 and the topic's head 12 are not in order\n"
         "orphan: orders/1: stored, and no group needs it\n"),
    CASE(all_counters_of_a_group,
         "counter: orders/default: delayed is 12, counted 2\n"
         "counter: orders/default: dead is 11, counted 1\n"
         "counter: orders/default: suspects is 11, counted 1\n"
         "counter: orders/default: tracked is 15, counted 5\n"
         "counter: orders/default: expiries is 11, counted 1\n"
         "counter: orders/default: past is 10, counted 0\n"
         "conservation: orders/default: 11 messages were published, and 51 became something\n"
         "counter: orders/default: ready is 15, counted 5\n"
         "counter: orders/default: in_flight is 12, counted 2\n"),
    CASE(unattended_miscounted, "counter: orders/default: unattended is 7, counted 1\n"),
    CASE(mark_beyond_what_nobody_has_looked_at,
         "state: dlq:orders:default/1: nobody has looked at it, and the group says that somebody has at all "
         "below 2\n"),
    CASE(acked_lost, "conservation: orders/default: 11 messages were published, and 10 became something\n"),
    CASE(counters_of_a_topic, "counter: orders: published is 12, its head says 11\n"
                              "counter: orders: stored is 12, counted 11\n"
                              "counter: orders: stored_bytes is 233, counted 234\n"),
    CASE(dropped_without_a_job, "catalogue: dlq:orders:audit/default: its topic was dropped and it was not\n"
                                "catalogue: dlq:orders:audit: dropped, and no job clears it away\n"),
    CASE(group_dropped_without_a_job,
         "catalogue: dlq:orders:audit/default: dropped, and no job clears it away\n"
         "catalogue: dlq:orders:audit: it has no group\n"),
    CASE(two_topics_of_one_name, "catalogue: dlq:orders:default: two topics have this name\n"),
    CASE(dlq_of_another, "catalogue: orders/audit: its DLQ is of group 1\n"),
    CASE(id_never_given, "catalogue: dlq:orders:audit: its id 40 was never given\n"
                         "catalogue: dlq:orders:audit: it has no group\n"
                         "catalogue: dlq:orders:audit: two topics have this name\n"),
    CASE(topic_says_another_id, "catalogue: topic 3: its row says 2\n"),
};

ParameterizedTestParameters(check_states, damage_is_reported_as_what_it_is)
{
    static size_t rows[sizeof damages / sizeof damages[0]];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i] = i;
    return cr_make_param_array(size_t, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(size_t *row, check_states, damage_is_reported_as_what_it_is)
{
    bench_expect_damage(&f, &damages[*row]);
}

Test(check_states, report_is_bounded_and_says_how_many_problems_there_are)
{
    uint64_t problems = 0;
    bench_init(&f);
    for (uint64_t seq = 0; seq < 150; seq++)
        plant_empty(&f, TABLE_DUE, key_due(77, 0, 0, seq));
    char *report = bench_check(&f, &problems);
    unsigned lines = 0;
    for (const char *p = report; *p; p++)
        lines += *p == '\n';
    cr_assert_eq(problems, 150);
    cr_assert_eq(lines, 102);
    cr_assert_not_null(
        strstr(report, "\nand 50 more\ndamaged: topics=1 groups=2 messages=11 problems=150\n"));
    free(report);
    bench_done(&f);
}
