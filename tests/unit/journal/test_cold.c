/* Messages that wait until the ring has come round to them: what they take in the store behind, and that they are there. */
#include "base/big_endian.h"
#include "base/slice.h"
#include "broker/journal/file_memory.h"
#include "broker/journal/store_journal.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

DIR_SUITE(journal_cold);

#define MIB         (1ull << 20)
#define RING_BYTES  (8 * MIB)
#define MESSAGES    100000u
#define BATCH       500u
#define VALUE_BYTES 118u /* of a message of 100 bytes, with its head */

struct test_message {
    uint8_t key[12];
    uint8_t value[VALUE_BYTES];
};

/* Message number i of all, of so many topics in turn. */
static struct test_message message_of(uint32_t i, uint32_t topics)
{
    struct test_message m;
    put_be32(m.key, i % topics);
    put_be64(m.key + 4, i / topics);
    memset(m.value, 'a' + (int)(i % 26), sizeof m.value);
    put_be32(m.value, i);
    return m;
}

static uint64_t used(struct store *s)
{
    struct store_usage u;
    store_usage(s, &u);
    return u.used_bytes;
}

static struct store_journal_options options_of(struct store *behind, struct journal_file *file)
{
    return (struct store_journal_options){.behind = behind,
                                          .file = file,
                                          .dir = "a test",
                                          .bytes = RING_BYTES,
                                          .memory_bytes = 8 * MIB,
                                          .create = true};
}

static struct store *opened(void)
{
    struct store *s;
    cr_assert_eq(fixture_open_lmdb(dir, 1ull << 28, &s, why), 0, "%s", why);
    return s;
}

static void publish(struct store *s, uint32_t first, uint32_t topics)
{
    struct store_txn *t = begin_write(s);
    for (uint32_t i = first; i < first + BATCH; i++) {
        struct test_message m = message_of(i, topics);
        cr_assert_eq(store_put(t, TABLE_MESSAGE, (struct slice){m.key, sizeof m.key},
                               (struct slice){m.value, sizeof m.value}),
                     0);
    }
    commit(t);
    cr_assert_eq(store_maintain(s), 0);
    (void)store_journal_step(s);
}

static void expect_messages(struct store *s, uint32_t topics)
{
    struct store_txn *t = begin_read(s);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct test_message m = message_of(i, topics);
        struct slice value;
        cr_assert_eq(store_get(t, TABLE_MESSAGE, (struct slice){m.key, sizeof m.key}, &value), 0,
                     "message %u", i);
        cr_assert(slice_equal(value, (struct slice){m.value, sizeof m.value}), "message %u", i);
    }
    cr_assert_eq(walk(t, TABLE_MESSAGE), MESSAGES);
    store_abort(t);
}

/* Publish all, let the ring come round, and end the journal. Returns the bytes of pages for each message. */
static uint64_t cold_bytes(uint32_t topics)
{
    struct journal_file *file = journal_file_memory(RING_BYTES), *again;
    struct store *behind = opened(), *s;
    struct store_journal_state state;
    uint64_t before = used(behind);
    cr_assert(file);
    cr_assert_eq(file->ops->again(file, &again), 0);
    struct store_journal_options o = options_of(behind, file);
    cr_assert_eq(store_journal_open(&o, &s, why, sizeof why), 0, "%s", why);
    for (uint32_t i = 0; i < MESSAGES; i += BATCH)
        publish(s, i, topics);
    cr_assert(store_journal_state(s, &state));
    cr_assert_geq(state.aways, 2u, "%u steps", (unsigned)state.aways);
    expect_messages(s, topics);
    store_close(s);
    behind = opened();
    o = options_of(behind, again);
    o.end = true;
    cr_assert_eq(store_journal_open(&o, &s, why, sizeof why), 0, "%s", why);
    expect_messages(s, topics);
    uint64_t bytes = (used(s) - before) / MESSAGES;
    store_close(s);
    return bytes;
}

Test(journal_cold, messages_of_one_topic_fill_their_pages)
{
    uint64_t bytes = cold_bytes(1);
    cr_assert_leq(bytes, 160, "%u bytes a message", (unsigned)bytes);
}

Test(journal_cold, messages_of_twenty_topics_in_turn_fill_their_pages)
{
    uint64_t bytes = cold_bytes(20);
    cr_assert_leq(bytes, 160, "%u bytes a message", (unsigned)bytes);
}

/* ---- whether messages are left in the file ---- */

/* A store in memory behind a ring of half the size, so that a step needs no disk. */
static struct store *opened_in_memory(void)
{
    struct store *behind = store_memory_open(1ull << 28), *s;
    struct journal_file *file = journal_file_memory(RING_BYTES / 2);
    cr_assert(behind && file);
    struct store_journal_options o = options_of(behind, file);
    o.bytes = RING_BYTES / 2;
    cr_assert_eq(store_journal_open(&o, &s, why, sizeof why), 0, "%s", why);
    return s;
}

static uint64_t stubs_of(struct store *s)
{
    struct store_journal_state state;
    cr_assert(store_journal_state(s, &state));
    return state.stubs;
}

static void consume(struct store *s, uint32_t first)
{
    struct store_txn *t = begin_write(s);
    for (uint32_t i = first; i < first + BATCH; i++) {
        struct test_message m = message_of(i, 1);
        cr_assert_eq(store_del(t, TABLE_MESSAGE, (struct slice){m.key, sizeof m.key}, NULL), 0, "message %u",
                     i);
    }
    commit(t);
    cr_assert_eq(store_maintain(s), 0);
    (void)store_journal_step(s);
}

/* Each would be put twice: a stub, then itself. */
Test(journal_cold, a_backlog_that_outlasts_the_ring_gets_few_stubs)
{
    struct store *s = opened_in_memory();
    for (uint32_t i = 0; i < MESSAGES; i += BATCH)
        publish(s, i, 1);
    uint64_t stubs = stubs_of(s);
    cr_assert_leq(stubs, MESSAGES / 2, "%u stubs", (unsigned)stubs);
    expect_messages(s, 1);
    store_close(s);
}

/* Messages that are consumed before the ring comes round stay in it again, though a backlog did not. */
Test(journal_cold, after_a_backlog_messages_stay_in_the_ring_again)
{
    enum { LAG = 20 * BATCH }; /* three generations, and less than half of the ring */
    struct store *s = opened_in_memory();
    uint32_t end = 3 * MESSAGES, late = end - MESSAGES / 2;
    uint64_t before = 0;
    for (uint32_t i = 0; i < MESSAGES; i += BATCH)
        publish(s, i, 1);
    for (uint32_t i = 0; i < MESSAGES - LAG; i += BATCH)
        consume(s, i);
    for (uint32_t i = MESSAGES; i < end; i += BATCH) {
        before = i == late ? stubs_of(s) : before;
        publish(s, i, 1);
        consume(s, i - LAG);
    }
    uint64_t stubs = stubs_of(s) - before;
    cr_assert_geq(stubs, MESSAGES / 4, "%u stubs for %u messages", (unsigned)stubs, MESSAGES / 2);
    store_close(s);
}
