/* check_rows: rows that cannot be read, are lost, or belong to nothing, are found and named, with what
 * follows from it and nothing else. */
#include "tests/unit/check/check_bench.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

static struct fixture f;

/* ---- rows that cannot be read ---- */

DAMAGE(message_byte)
{
    flip(&f, TABLE_MESSAGE, key_id_seq(ORDERS, 7));
}
DAMAGE(topic_byte)
{
    flip(&f, TABLE_TOPIC, key_id(ORDERS));
}
DAMAGE(group_byte)
{
    flip(&f, TABLE_GROUP, key_id(DEFAULT));
}
DAMAGE(attempt_byte)
{
    flip(&f, TABLE_ATTEMPT, key_id_seq(DEFAULT, 2));
}
DAMAGE(history_byte)
{
    flip(&f, TABLE_HISTORY, key_history(DEFAULT, 2, 1));
}
DAMAGE(dead_byte)
{
    flip(&f, TABLE_DEAD, key_id_seq(DLQ_DEFAULT, 1));
}
DAMAGE(done_byte)
{
    flip(&f, TABLE_DONE, key_id_seq(DEFAULT, 0));
}
DAMAGE(meta_byte)
{
    struct key key = {META_KEY_LEDGER, sizeof META_KEY_LEDGER - 1};
    flip(&f, TABLE_META, key);
}
DAMAGE(job_byte)
{
    topic_purge(&f, "orders", "audit");
    tick_until_quiet(&f);
    flip(&f, TABLE_JOB, key_job(1));
}
#define PRODUCER "0123456789abcdef"
static const struct slice producer = {PRODUCER, PRODUCER_ID_BYTES};
static const struct key producer_key = {PRODUCER, PRODUCER_ID_BYTES};

/* One message for each of 20 numbers: chunks 0 and 1, and chunk 2 with the producer. */
static void publish_chunks(void)
{
    f.careless = f.quiet = true;
    for (uint64_t sequence = 1; sequence <= 20; sequence++)
        publish_as(&f, "orders", PRODUCER, sequence, 0, 1, 0);
}
static void plant_chunk(uint64_t chunk, uint64_t sequence)
{
    struct dedup_chunk_record r = {.count = 1, .answers = {{.sequence = sequence}}};
    uint8_t bytes[512];
    struct key key = key_dedup(producer, chunk);
    plant(&f, TABLE_DEDUP, key, bytes, dedup_chunk_encode(bytes, key_slice(&key), &r));
}
DAMAGE(dedup_byte)
{
    publish_chunks();
    flip(&f, TABLE_DEDUP, producer_key);
}
DAMAGE(dedup_chunk_byte)
{
    publish_chunks();
    flip(&f, TABLE_DEDUP, key_dedup(producer, 1));
}
DAMAGE(dedup_producer_lost)
{
    publish_chunks();
    uproot(&f, TABLE_DEDUP, producer_key);
}
DAMAGE(dedup_chunk_out_of_the_window)
{
    publish_chunks();
    plant_chunk(2, 16);
    plant_chunk(600, 4800);
}
DAMAGE(dedup_chunk_of_other_numbers)
{
    publish_chunks();
    plant_chunk(1, 16);
}
DAMAGE(dedup_window_too_long)
{
    struct dedup_record r = {.base = 1,
                             .latest = {.count = 1, .answers = {{.sequence = DEDUP_FRAMES_MAX + 1}}}};
    uint8_t bytes[512];
    plant(&f, TABLE_DEDUP, producer_key, bytes, dedup_encode(bytes, producer, &r));
}
DAMAGE(row_moved)
{
    struct attempt_record r = attempt_at(&f, DEFAULT, 2);
    uint8_t bytes[256];
    struct key from = key_id_seq(DEFAULT, 2), to = key_id_seq(DEFAULT, 5);
    plant(&f, TABLE_ATTEMPT, to, bytes, attempt_encode(bytes, key_slice(&from), &r));
}

/* ---- rows that are lost ---- */

DAMAGE(message_lost_ready)
{
    uproot(&f, TABLE_MESSAGE, key_id_seq(ORDERS, 9));
}
DAMAGE(message_lost_in_flight)
{
    uproot(&f, TABLE_MESSAGE, key_id_seq(ORDERS, 6));
}
DAMAGE(message_lost_delayed)
{
    uproot(&f, TABLE_MESSAGE, key_id_seq(ORDERS, 2));
}
DAMAGE(attempt_lost)
{
    uproot(&f, TABLE_ATTEMPT, key_id_seq(DEFAULT, 2));
}
DAMAGE(due_lost)
{
    struct attempt_record r = attempt_at(&f, DEFAULT, 2);
    uproot(&f, TABLE_DUE, key_due(DEFAULT, 0, r.due_ms, 2));
}
DAMAGE(due_lost_of_held)
{
    uproot(&f, TABLE_DUE, key_due(DEFAULT, DUE_HELD, 0, 3));
}
DAMAGE(expiry_lost)
{
    uproot(&f, TABLE_EXPIRY, key_expiry(EXPIRES, AUDIT, 11));
}
DAMAGE(history_lost)
{
    uproot(&f, TABLE_HISTORY, key_history(DEFAULT, 4, 1));
}
DAMAGE(dead_lost)
{
    uproot(&f, TABLE_DEAD, key_id_seq(DLQ_DEFAULT, 1));
}
/* The only one there is. */
static uint64_t the_cause(void)
{
    return cause_of(&f, "orders", "default", 0);
}
DAMAGE(cause_lost)
{
    uproot(&f, TABLE_CAUSE, key_id_seq(DEFAULT, the_cause()));
}
DAMAGE(cause_unreadable)
{
    flip(&f, TABLE_CAUSE, key_id_seq(DEFAULT, the_cause()));
}
DAMAGE(cause_of_no_group)
{
    plant_empty(&f, TABLE_CAUSE, key_id_seq(77, 2));
}
DAMAGE(cause_example_lost)
{
    uproot(&f, TABLE_CAUSE, key_history(DEFAULT, the_cause(), 1));
}
DAMAGE(meta_lost)
{
    struct key key = {META_KEY_LEDGER, sizeof META_KEY_LEDGER - 1};
    uproot(&f, TABLE_META, key);
}
DAMAGE(group_lost)
{
    uproot(&f, TABLE_GROUP, key_id(AUDIT_READER));
}
DAMAGE(topic_lost)
{
    uproot(&f, TABLE_TOPIC, key_id(DLQ_AUDIT));
}

/* ---- rows without an owner ---- */

DAMAGE(message_of_no_topic)
{
    plant_message(&f, 77, 1);
}
DAMAGE(message_beyond_head)
{
    plant_message(&f, ORDERS, 50);
}
DAMAGE(message_in_dlq)
{
    plant_message(&f, DLQ_DEFAULT, 1);
}
DAMAGE(message_nobody_needs)
{
    plant_bit(&f, AUDIT, 1, true);
}
DAMAGE(attempt_of_no_group)
{
    struct attempt_record r = attempt_at(&f, DEFAULT, 2);
    plant_attempt(&f, 77, 2, &r);
}
DAMAGE(history_of_no_attempt)
{
    plant_history(&f, DEFAULT, 8, 1);
}
DAMAGE(history_of_no_group)
{
    plant_history(&f, 77, 8, 1);
}
DAMAGE(history_never_written)
{
    plant_history(&f, DEFAULT, 2, 9);
}
DAMAGE(due_of_no_attempt)
{
    plant_empty(&f, TABLE_DUE, key_due(DEFAULT, 0, 5, 8));
}
DAMAGE(due_twice)
{
    plant_empty(&f, TABLE_DUE, key_due(DEFAULT, 1, 5, 2));
}
DAMAGE(due_of_dead)
{
    plant_empty(&f, TABLE_DUE, key_due(DEFAULT, 0, 0, 4));
}
DAMAGE(indexes_with_values)
{
    struct attempt_record r = attempt_at(&f, DEFAULT, 2);
    plant(&f, TABLE_DUE, key_due(DEFAULT, 0, r.due_ms, 2), "x", 1);
    plant(&f, TABLE_EXPIRY, key_expiry(EXPIRES, AUDIT, 11), "x", 1);
    plant(&f, TABLE_DAMAGED, key_id_seq(ORDERS, 7), "x", 1);
}
DAMAGE(damaged_of_no_message)
{
    plant_empty(&f, TABLE_DAMAGED, key_id_seq(ORDERS, 777));
}
DAMAGE(due_of_no_group)
{
    plant_empty(&f, TABLE_DUE, key_due(77, 0, 5, 8));
}
DAMAGE(expiry_of_done)
{
    plant_empty(&f, TABLE_EXPIRY, key_expiry(EXPIRES, DEFAULT, 1));
}
DAMAGE(expiry_at_another_time)
{
    plant_empty(&f, TABLE_EXPIRY, key_expiry(EXPIRES + 1, AUDIT, 11));
}
DAMAGE(expiry_of_tracked)
{
    plant_empty(&f, TABLE_EXPIRY, key_expiry(EXPIRES, DEFAULT, 2));
}
DAMAGE(expiry_of_no_group)
{
    plant_empty(&f, TABLE_EXPIRY, key_expiry(T0, 77, 1));
}
DAMAGE(dead_of_no_topic)
{
    plant_dead(&f, 77, 1, (struct dead_record){.origin_group = DEFAULT, .origin_seq = 4});
}
DAMAGE(dead_of_the_living)
{
    plant_dead(&f, DLQ_DEFAULT, 1, (struct dead_record){.origin_group = DEFAULT, .origin_seq = 2});
}
DAMAGE(dead_of_another_group)
{
    plant_dead(&f, DLQ_DEFAULT, 1, (struct dead_record){.origin_group = AUDIT, .origin_seq = 4});
}
DAMAGE(done_of_no_group)
{
    plant_bit(&f, 77, 1, true);
}
DAMAGE(meta_unknown)
{
    struct key key = {"what", 4};
    plant_empty(&f, TABLE_META, key);
}
DAMAGE(keys_of_wrong_size)
{
    static const struct key key = {"abc", 3};
    static const enum store_table tables[] = {TABLE_TOPIC,   TABLE_GROUP,   TABLE_MESSAGE, TABLE_DONE,
                                              TABLE_ATTEMPT, TABLE_HISTORY, TABLE_DUE,     TABLE_EXPIRY,
                                              TABLE_DEAD,    TABLE_JOB,     TABLE_DEDUP,   TABLE_DAMAGED};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        plant_empty(&f, tables[i], key);
}

static const struct damage damages[] = {
    CASE(message_byte, "checksum: orders/7: the message\n"),
    CASE(topic_byte, "checksum: topic 1\n"),
    CASE(group_byte, "checksum: group 1\n"),
    CASE(attempt_byte, "checksum: orders/default: message 2: its attempt row\n"
                       "counter: orders/default: delayed is 2, counted 1\n"),
    CASE(history_byte, "checksum: orders/default: message 2: its history row 1\n"),
    CASE(dead_byte, "checksum: dlq:orders:default/1: the dead letter\n"
                    "counter: orders/default: cause ffffffffffffffff: dead is 1, counted 0\n"),
    CASE(done_byte, "checksum: orders/default: the bits from message 0 on\n"),
    CASE(meta_byte, "checksum: meta: the ledger's own record\n"),
    CASE(job_byte, "checksum: job 1\n"),
    CASE(dedup_byte, "checksum: dedup: a producer\n"),
    CASE(dedup_chunk_byte, "checksum: dedup: answers to a producer, chunk 1\n"),
    CASE(dedup_producer_lost, "orphan: dedup: answers to a producer that is not there\n"
                              "orphan: dedup: answers to a producer that is not there\n"),
    CASE(dedup_chunk_out_of_the_window,
         "orphan: dedup: chunk 2 of a producer's answers, which are from 0 to 20\n"
         "orphan: dedup: chunk 600 of a producer's answers, which are from 0 to 20\n"),
    CASE(dedup_chunk_of_other_numbers, "catalogue: dedup: chunk 1 of a producer's answers has number 16\n"),
    CASE(dedup_window_too_long, "catalogue: dedup: a producer's answers up to 4097 from 1 on\n"),
    CASE(row_moved, "checksum: orders/default: message 5: its attempt row\n"
                    "counter: orders/default: suspects is 1, counted 0\n"
                    "counter: orders/default: ready is 5, counted 4\n"),
    CASE(message_lost_ready, "counter: orders: stored is 11, counted 10\n"
                             "counter: orders: stored_bytes is 234, counted 214\n"
                             "counter: orders/default: ready is 5, counted 4\n"
                             "counter: orders/audit: ready is 11, counted 10\n"),
    CASE(message_lost_in_flight, "counter: orders: stored is 11, counted 10\n"
                                 "counter: orders: stored_bytes is 234, counted 214\n"
                                 "missing: orders/default: 1 messages that are in flight are not stored\n"
                                 "counter: orders/audit: ready is 11, counted 10\n"),
    CASE(message_lost_delayed, "missing: orders/default: message 2 is not stored\n"
                               "counter: orders: stored is 11, counted 10\n"
                               "counter: orders: stored_bytes is 234, counted 214\n"
                               "counter: orders/audit: ready is 11, counted 10\n"),
    CASE(attempt_lost,
         "orphan: orders/default: history row 1 of message 2, which has no attempt row and has not ended\n"
         "orphan: orders/default: a due row of message 2 (lane 0, 1005000 ms) that has no attempt row\n"
         "counter: orders/default: delayed is 2, counted 1\n"
         "counter: orders/default: tracked is 5, counted 4\n"),
    CASE(due_lost, "missing: orders/default: message 2 has no due row\n"),
    CASE(due_lost_of_held, "missing: orders/default: message 3 has no due row\n"),
    CASE(expiry_lost, "missing: orders/audit: message 11 has no expiry row\n"
                      "counter: orders/audit: expiries is 1, counted 0\n"),
    CASE(history_lost, "missing: orders/default: message 4 has 0 history rows, not 1\n"),
    CASE(dead_lost, "missing: orders/default: message 4 is dead, and its DLQ has no letter 1\n"
                    "counter: dlq:orders:default: stored is 1, counted 0\n"
                    "counter: dlq:orders:default: stored_bytes is 38, counted 0\n"
                    "counter: orders/default: cause ffffffffffffffff: dead is 1, counted 0\n"
                    "counter: dlq:orders:default/default: ready is 1, counted 0\n"),
    CASE(cause_lost, "orphan: orders/default: example of cause ffffffffffffffff\n"
                     "missing: dlq:orders:default/1: its cause ffffffffffffffff\n"),
    CASE(cause_unreadable, "checksum: orders/default: cause ffffffffffffffff\n"),
    CASE(cause_of_no_group, "orphan: cause 77/0000000000000002: its group is not there\n"),
    CASE(cause_example_lost, "missing: orders/default: cause ffffffffffffffff: its example\n"),
    CASE(meta_lost, "missing: meta: the ledger's own record\n"),
    CASE(group_lost, "catalogue: dlq:orders:audit: it has no group\n"),
    CASE(topic_lost, "catalogue: orders/audit: its DLQ is not there\n"
                     "catalogue: group 4: topic 3 is not there\n"),
    CASE(message_of_no_topic, "orphan: message 77/1: its topic is not there\n"),
    CASE(message_beyond_head, "state: orders/50: beyond the topic's head 12\n"
                              "counter: orders: stored is 11, counted 12\n"
                              "counter: orders: stored_bytes is 234, counted 254\n"
                              "counter: orders/default: ready is 5, counted 6\n"
                              "counter: orders/audit: ready is 11, counted 12\n"),
    CASE(message_in_dlq, "orphan: dlq:orders:default/1: a row of message in a DLQ\n"),
    CASE(message_nobody_needs, "orphan: orders/1: stored, and no group needs it\n"
                               "counter: orders/audit: ready is 11, counted 10\n"),
    CASE(attempt_of_no_group, "orphan: attempt 77/2: its group is not there\n"),
    CASE(history_of_no_attempt,
         "orphan: orders/default: history row 1 of message 8, which has no attempt row and has not ended\n"),
    CASE(history_of_no_group, "orphan: history 77/8: its group is not there\n"),
    CASE(history_never_written, "state: orders/default: message 2: history row 9 was never written\n"
                                "counter: orders/default: message 2 has 2 history rows, not 1\n"),
    CASE(due_of_no_attempt,
         "orphan: orders/default: a due row of message 8 (lane 0, 5 ms) that has no attempt row\n"),
    CASE(
        due_twice,
        "orphan: orders/default: a due row of message 2 (lane 1, 5 ms) that waits elsewhere or not at all\n"),
    CASE(
        due_of_dead,
        "orphan: orders/default: a due row of message 4 (lane 0, 0 ms) that waits elsewhere or not at all\n"),
    CASE(indexes_with_values, "checksum: due: a row that is not empty, of 1 bytes\n"
                              "checksum: expiry: a row that is not empty, of 1 bytes\n"
                              "checksum: damage mark: a row that is not empty, of 1 bytes\n"),
    CASE(damaged_of_no_message, "orphan: damage mark 1/777: no such message\n"),
    CASE(due_of_no_group, "orphan: due 77/8: its group is not there\n"),
    CASE(expiry_of_done,
         "orphan: orders/default: an expiry row of message 1, which does not expire at 1060010 ms\n"
         "counter: orders/default: expiries is 1, counted 2\n"),
    CASE(expiry_at_another_time,
         "orphan: orders/audit: an expiry row of message 11, which does not expire at 1060011 ms\n"
         "counter: orders/audit: expiries is 1, counted 2\n"),
    CASE(expiry_of_tracked,
         "orphan: orders/default: an expiry row of message 2, which does not expire at 1060010 ms\n"
         "counter: orders/default: expiries is 1, counted 2\n"),
    CASE(expiry_of_no_group, "orphan: expiry 77/1: there never was such a group\n"),
    CASE(dead_of_no_topic, "orphan: dead 77/1: its topic is not there\n"),
    CASE(dead_of_the_living, "missing: dlq:orders:default/1: its cause 0000000000000000\n"
                             "orphan: dlq:orders:default/1: message 2 of its group is not dead, or not here\n"
                             "state: orders/default: message 4 is dead, and letter 1 is another's\n"
                             "counter: orders/default: cause ffffffffffffffff: dead is 1, counted 0\n"),
    CASE(dead_of_another_group, "missing: dlq:orders:default/1: its cause 0000000000000000\n"
                                "orphan: dlq:orders:default/1: a dead letter of group 3\n"
                                "state: orders/default: message 4 is dead, and letter 1 is another's\n"
                                "counter: orders/default: cause ffffffffffffffff: dead is 1, counted 0\n"),
    CASE(done_of_no_group, "orphan: done 77/0: its group is not there\n"),
    CASE(meta_unknown, "orphan: meta: a row with an unknown key of 4 bytes\n"),
    CASE(keys_of_wrong_size, "orphan: topic: a row with a key of 3 bytes\n"
                             "orphan: group: a row with a key of 3 bytes\n"
                             "orphan: job: a row with a key of 3 bytes\n"
                             "orphan: dedup: a row with a key of 3 bytes\n"
                             "orphan: done: a row with a malformed key of 3 bytes\n"
                             "orphan: message: a row with a key of 3 bytes\n"
                             "orphan: dead: a row with a key of 3 bytes\n"
                             "orphan: attempt: a row with a key of 3 bytes\n"
                             "orphan: history: a row with a key of 3 bytes\n"
                             "orphan: due: a row with a key of 3 bytes\n"
                             "orphan: expiry: a row with a key of 3 bytes\n"
                             "orphan: damage mark: a row with a key of 3 bytes\n"),
};

ParameterizedTestParameters(check_rows, damage_is_reported_as_what_it_is)
{
    static size_t rows[sizeof damages / sizeof damages[0]];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i] = i;
    return cr_make_param_array(size_t, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(size_t *row, check_rows, damage_is_reported_as_what_it_is)
{
    bench_expect_damage(&f, &damages[*row]);
}
