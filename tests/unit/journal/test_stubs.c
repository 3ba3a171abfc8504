/* Messages that stay in the journal's file: what stands for them in the store behind, and how they get there in the end. */
#include "base/big_endian.h"
#include "base/slice.h"
#include "broker/journal/file_memory.h"
#include "broker/journal/meta.h"
#include "broker/journal/store_journal_private.h"
#include "broker/journal/stub.h"
#include "proto/errors.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { VALUE_BYTES = 1000, WHY_BYTES = 512 };

static const uint8_t id[JOURNAL_ID_BYTES] = "a journal's own";

/* ---- stubs ---- */

Test(stub, is_read_under_its_own_key_and_of_its_own_journal_alone)
{
    const struct stub wrote = {0xabcdef012345, 0x123456789abc, 0xfedcba98};
    struct stub read;
    uint8_t bytes[STUB_BYTES], other[JOURNAL_ID_BYTES] = "another journal";
    struct slice value = {bytes, sizeof bytes};
    stub_write(bytes, id, slice_of("key"), &wrote);
    cr_assert(stub_read(id, slice_of("key"), value, &read));
    cr_assert(read.number == wrote.number && read.at == wrote.at && read.bytes == wrote.bytes);
    cr_assert_not(stub_read(id, slice_of("kez"), value, &read));
    cr_assert_not(stub_read(other, slice_of("key"), value, &read));
    cr_assert_not(stub_read(id, slice_of("key"), (struct slice){bytes, sizeof bytes - 1}, &read));
    for (unsigned bit = 0; bit < 8 * STUB_BYTES; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_not(stub_read(id, slice_of("key"), value, &read), "bit %u", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* ---- what the store behind says ---- */

Test(meta, of_a_server_that_left_no_values_in_the_journal_is_read)
{
    struct store *s = store_memory_open(1 << 20);
    struct store_txn *t;
    struct journal_meta m = {.from = {7, 4096}, .oldest = {5, 8192}, .kept_bytes = 99}, read;
    uint8_t bare[40];
    memcpy(m.id, id, sizeof id);
    cr_assert_eq(store_begin(s, true, &t), 0);
    cr_assert_eq(journal_meta_write(t, &m), 0);
    cr_assert_eq(journal_meta_read(t, &read), 0);
    cr_assert(read.oldest.number == 5 && read.oldest.at == 8192 && read.from.number == 7 &&
              read.kept_bytes == 99);
    memcpy(bare, id, 16);
    put_be64(bare + 16, 7);
    put_be64(bare + 24, 4096);
    put_be64(bare + 32, XXH3_64bits(bare, 32));
    cr_assert_eq(store_put(t, TABLE_META, slice_of("journal"), (struct slice){bare, sizeof bare}), 0);
    cr_assert_eq(journal_meta_read(t, &read), 0);
    cr_assert(read.oldest.number == 7 && read.oldest.at == 4096 && read.from.number == 7 && !read.kept_bytes);
    m.oldest.number = 8; /* behind the first that is replayed */
    cr_assert_eq(journal_meta_write(t, &m), 0);
    cr_assert_eq(journal_meta_read(t, &read), SHUNT_CORRUPT);
    store_abort(t);
    store_close(s);
}

/* ---- the way into the store behind ---- */

struct rig {
    struct store *store;
    struct journal_file *file;
    struct store_journal_state state;
    unsigned next, gone; /* messages: the one that is put next, the first that is left */
};

static struct slice key_of(uint8_t to[12], unsigned number)
{
    memset(to, 0, 12);
    put_be32(to + 8, number);
    return (struct slice){to, 12};
}

static struct rig begin(uint64_t bytes)
{
    struct rig r = {.file = journal_file_memory(bytes)};
    char why[WHY_BYTES];
    struct store_journal_options o = {.behind = store_memory_open(1 << 30),
                                      .dir = "a test",
                                      .bytes = bytes,
                                      .memory_bytes = 64 << 10,
                                      .keep_padded = true,
                                      .create = true};
    cr_assert_eq(r.file->ops->again(r.file, &o.file), 0);
    cr_assert_eq(store_journal_open(&o, &r.store, why, sizeof why), 0, "%s", why);
    return r;
}

static void end(struct rig *r)
{
    store_close(r->store);
    r->file->ops->close(r->file);
}

/* In each transaction one message comes and, if `gone`, the oldest goes. */
static void run(struct rig *r, unsigned count, bool goes)
{
    for (unsigned i = 0; i < count; i++) {
        struct store_txn *t;
        void *to;
        uint8_t key[12];
        cr_assert_eq(store_begin(r->store, true, &t), 0);
        cr_assert_eq(store_reserve(t, TABLE_MESSAGE, key_of(key, r->next), VALUE_BYTES, true, &to), 0);
        memset(to, (int)(r->next++ % 251), VALUE_BYTES);
        if (goes)
            cr_assert_eq(store_del(t, TABLE_MESSAGE, key_of(key, r->gone++), NULL), 0);
        cr_assert_eq(store_commit(t), 0);
        while (store_journal_step(r->store))
            ;
        cr_assert_eq(store_maintain(r->store), 0);
    }
    cr_assert(store_journal_state(r->store, &r->state));
}

static void expect_all(struct rig *r)
{
    struct store_txn *t;
    struct slice value;
    uint8_t key[12];
    cr_assert_eq(store_begin(r->store, false, &t), 0);
    for (unsigned n = 0; n < r->next; n++) {
        int err = store_get(t, TABLE_MESSAGE, key_of(key, n), &value);
        cr_assert_eq(err, n < r->gone ? SHUNT_NOT_FOUND : 0, "message %u of %u", n, r->next);
        const uint8_t *last = err ? NULL : (const uint8_t *)value.data + VALUE_BYTES - 1;
        cr_assert(err || (value.size == VALUE_BYTES && *last == n % 251), "message %u", n);
    }
    store_abort(t);
}

Test(stubs, what_is_consumed_in_time_is_never_put_away)
{
    struct rig r = begin(1 << 20);
    run(&r, 50, false);
    run(&r, 5000, true); /* the ring comes round twenty times */
    cr_assert_gt(r.state.stubs, 1000);
    cr_assert_eq(r.state.aways, 0);
    expect_all(&r);
    end(&r);
}

Test(stubs, what_waits_is_put_away_when_its_room_is_needed)
{
    struct rig r = begin(1 << 20);
    run(&r, 60, false);
    cr_assert_eq(r.state.aways, 0);
    cr_assert_gt(r.state.kept_bytes, 0);
    run(&r, 1000, false);
    cr_assert_gt(r.state.aways, 4);
    expect_all(&r);
    end(&r);
}

/* A record that is only kept for its messages need not be whole for them to be: each has a checksum of its own. */
Test(stubs, a_kept_record_with_a_damaged_head_costs_no_message)
{
    struct rig r = begin(1 << 20);
    run(&r, 60, false);
    uint8_t block[JOURNAL_BLOCK_BYTES] = {0};
    for (uint64_t at = JOURNAL_BLOCK_BYTES; at < 20 * JOURNAL_BLOCK_BYTES; at += JOURNAL_BLOCK_BYTES)
        journal_memory_damage(r.file, at, block, 8);
    run(&r, 1000, false);
    cr_assert_gt(r.state.aways, 4);
    expect_all(&r);
    end(&r);
}

/* ---- beside another process ---- */

static struct store_ops watched;
static void (*true_usage)(struct store *s, struct store_usage *ret);
static bool read_beside;

static void usage(struct store *s, struct store_usage *ret)
{
    true_usage(s, ret);
    ret->read_beside = read_beside;
}

/* What a process that reads the store as it was finds in the journal's file is there until it is gone. */
Test(stubs, no_record_is_written_over_while_another_process_may_need_it)
{
    struct rig r = begin(1 << 20);
    struct store *behind = journal_store_of(r.store)->behind;
    static uint8_t before[100 * JOURNAL_BLOCK_BYTES], after[sizeof before];
    watched = *behind->ops;
    true_usage = watched.usage;
    watched.usage = usage;
    behind->ops = &watched;
    run(&r, 100, false);
    cr_assert_eq(r.file->ops->read(r.file, JOURNAL_BLOCK_BYTES, before, sizeof before), 0);
    read_beside = true;
    run(&r, 1000, true);
    cr_assert_eq(r.file->ops->read(r.file, JOURNAL_BLOCK_BYTES, after, sizeof after), 0);
    cr_assert_eq(memcmp(before, after, sizeof before), 0);
    expect_all(&r);
    read_beside = false;
    run(&r, 1000, true);
    cr_assert_eq(r.file->ops->read(r.file, JOURNAL_BLOCK_BYTES, after, sizeof after), 0);
    cr_assert_neq(memcmp(before, after, sizeof before), 0);
    expect_all(&r);
    end(&r);
}

/* ---- a store behind that is full ---- */

static int (*true_put)(struct store_txn *txn, enum store_table table, struct slice key, struct slice value);
static bool full;

/* A message that takes the place of its stub is one that is put away. */
static int put(struct store_txn *txn, enum store_table table, struct slice key, struct slice value)
{
    struct slice old;
    bool away = full && table == TABLE_MESSAGE && value.size != STUB_BYTES &&
                store_get(txn, table, key, &old) == 0 && old.size == STUB_BYTES;
    return away ? SHUNT_NO_SPACE : true_put(txn, table, key, value);
}

Test(stubs, what_finds_no_room_in_the_store_behind_stays_in_the_journal, .timeout = 60)
{
    struct rig r = begin(1 << 20);
    struct store *behind = journal_store_of(r.store)->behind;
    watched = *behind->ops;
    true_put = watched.put;
    watched.put = put;
    behind->ops = &watched;
    full = true;
    run(&r, 1000, false); /* the ring is full: transactions go into the store behind at once */
    cr_assert_eq(r.state.aways, 0);
    expect_all(&r);
    full = false;
    run(&r, 1000, false);
    cr_assert_gt(r.state.aways, 0);
    expect_all(&r);
    end(&r);
}

/* The count of what is left in a stretch is not believed after a transaction was given up. */
Test(stubs, a_deletion_that_is_undone_leaves_its_message)
{
    struct rig r = begin(1 << 20);
    struct store_txn *t;
    uint8_t key[12];
    run(&r, 60, false);
    cr_assert_eq(store_begin(r.store, true, &t), 0);
    for (unsigned n = 0; n < r.next; n++)
        cr_assert_eq(store_del(t, TABLE_MESSAGE, key_of(key, n), NULL), 0);
    store_abort(t);
    run(&r, 1000, false);
    expect_all(&r);
    end(&r);
}
