/* disk_record: damage, and applying the record anew. */
#include "base/slice.h"
#include "broker/core/ledger.h"
#include "broker/core/schema.h"
#include "broker/store/store_version.h"
#include "proto/message.h"
#include "tests/sim/disk.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* ---- damage ---- */

/* The row's key; false if the table is shorter. */
static bool nth_message(struct store_txn *txn, uint64_t n, struct key *ret)
{
    struct store_cursor *c;
    struct slice key = {0}, value;
    if (store_cursor_open(txn, TABLE_MESSAGE, &c))
        return false;
    int err = store_cursor_seek(c, (struct slice){"", 1}, &key, &value);
    while (!err && n--)
        err = store_cursor_next(c, &key, &value);
    if (!err && key.size <= sizeof ret->bytes) {
        memcpy(ret->bytes, key.data, key.size);
        ret->size = key.size;
    }
    store_cursor_close(c);
    return !err;
}

/* Flip one bit of the message's body. `hide`: with a checksum that says all is well. */
static bool flip(struct store_txn *txn, struct slice key, uint64_t bit, bool hide)
{
    struct slice value, message;
    struct message_head head;
    struct message_view view;
    struct mpack_reader r;
    const char *why;
    if (store_get(txn, TABLE_MESSAGE, key, &value) || message_decode(key, value, true, &head, &message))
        return false;
    mpack_read_init(&r, message.data, message.size);
    if (message_read(&r, BODY_BYTES_MAX, &view, &why) || !view.body.size)
        return false;
    size_t at = (size_t)((const char *)view.body.data - (const char *)value.data) + bit / 8 % view.body.size;
    uint8_t *copy = malloc(value.size);
    if (!copy)
        return false;
    memcpy(copy, value.data, value.size);
    copy[at] ^= (uint8_t)(1u << bit % 8);
    if (hide) {
        size_t head_bytes = message_head_bytes(&head);
        uint8_t *body = malloc(value.size);
        if (!body)
            abort();
        memcpy(body, copy + head_bytes, value.size - head_bytes);
        message_encode(copy, key, &head, (struct slice){body, value.size - head_bytes});
        free(body);
    }
    bool done = !store_put(txn, TABLE_MESSAGE, key, (struct slice){copy, value.size});
    free(copy);
    return done;
}

/* In a transaction of its own, past the faults. */
static bool flip_in(struct store *s, const struct store_ops *ops, struct slice key, uint64_t bit, bool hide)
{
    struct store_txn *txn;
    if (ops->begin(s, true, &txn))
        return false;
    if (flip(txn, key, bit, hide))
        return !ops->commit(txn);
    ops->abort(txn);
    return false;
}

bool disk_damage(struct disk *d, bool hide, uint32_t *ret_topic, uint64_t *ret_seq)
{
    struct store_txn *txn;
    uint64_t count = 0, tables, bit = dice_next(d->dice);
    struct key key = {0};
    if (d->journal.armed || store_begin(d->store, false, &txn))
        return false;
    bool found = !store_count(txn, TABLE_MESSAGE, &tables, &count) && count &&
                 nth_message(txn, dice_below(d->dice, count), &key);
    store_abort(txn);
    if (!found || !flip_in(d->store, disk_true_ops(), key_slice(&key), bit, hide) ||
        !key_read_id_seq(key_slice(&key), ret_topic, ret_seq))
        return false;
    d->damages++;
    struct record *r = disk_record_add(d, RECORD_DAMAGE);
    r->bit = bit;
    mpack_write_raw(&r->bytes, key.bytes, key.size);
    return true;
}

/* ---- applying anew ---- */

struct replay {
    struct store *store;
    struct ledger *ledger;
    struct store_txn *txn; /* open from the first batch after a commit */
    record_filter_fn *filter;
    void *context;
    struct disk *to; /* where what was applied is recorded; NULL: nowhere */
};

static bool apply(struct replay *p, const struct record *r)
{
    struct batch b;
    struct batch_memory *memory = NULL;
    if (!p->txn && store_begin(p->store, true, &p->txn))
        return false;
    if (batch_decode((struct slice){r->bytes.data, r->bytes.size}, &b, &memory))
        return false;
    if (p->filter)
        p->filter(p->context, &b);
    bool good = !ledger_apply(p->ledger, p->txn, &b);
    if (good && p->to)
        disk_record(p->to, &b);
    batch_memory_free(memory);
    return good;
}

static bool seal(struct replay *p)
{
    if (!p->txn && store_begin(p->store, true, &p->txn))
        return false;
    struct store_txn *txn = p->txn;
    p->txn = NULL;
    if (ledger_seal(p->ledger, txn)) {
        store_abort(txn);
        return false;
    }
    return !store_commit(txn);
}

static bool damage(struct replay *p, const struct record *r)
{
    struct slice key = {r->bytes.data, r->bytes.size};
    bool done =
        p->txn ? flip(p->txn, key, r->bit, false) : flip_in(p->store, p->store->ops, key, r->bit, false);
    return done || p->filter; /* what the filter's bug has made go cannot be damaged any more */
}

static bool step(struct replay *p, const struct record *r)
{
    switch (r->kind) {
    case RECORD_BATCH:
        return apply(p, r);
    case RECORD_COMMIT:
        if (p->to)
            disk_record_add(p->to, RECORD_COMMIT)->index = r->index;
        return seal(p);
    case RECORD_DAMAGE:
        if (p->to) {
            struct record *copy = disk_record_add(p->to, RECORD_DAMAGE);
            copy->bit = r->bit;
            mpack_write_raw(&copy->bytes, r->bytes.data, r->bytes.size);
        }
        return damage(p, r);
    }
    return false;
}

static bool begin(struct replay *p, uint64_t bytes_max)
{
    struct store_txn *txn;
    char why[256];
    p->store = store_memory_open(bytes_max);
    if (!p->store || store_begin(p->store, false, &txn))
        return false;
    bool good = !ledger_new(txn, &p->ledger, why, sizeof why);
    store_abort(txn);
    return good;
}

/* How many records there are up to the last commit that counts. */
static size_t committed(const struct disk *d, uint64_t index)
{
    size_t end = 0;
    for (size_t i = 0; i < d->records_count; i++) {
        if (d->records[i].kind == RECORD_COMMIT && d->records[i].index <= index)
            end = i + 1;
    }
    return end;
}

static struct store *replay(const struct disk *d, uint64_t index, record_filter_fn *filter, void *context,
                            struct disk *to)
{
    struct replay p = {.filter = filter, .context = context, .to = to};
    bool good = begin(&p, d->bytes_max);
    size_t end = committed(d, index);
    for (size_t i = 0; good && i < d->records_count; i++) {
        if (i < end || d->records[i].kind == RECORD_DAMAGE)
            good = step(&p, &d->records[i]);
    }
    if (p.store)
        store_memory_crash(p.store);
    ledger_free(p.ledger);
    if (!good)
        store_close(p.store);
    return good ? p.store : NULL;
}

/* What was damaged here is whole there, until all is applied. */
struct store *disk_replay(const struct disk *d)
{
    struct replay p = {0};
    bool good = begin(&p, d->bytes_max);
    size_t end = committed(d, UINT64_MAX);
    for (size_t i = 0; good && i < end; i++)
        good = d->records[i].kind == RECORD_DAMAGE || step(&p, &d->records[i]);
    for (size_t i = 0; good && i < d->records_count; i++) {
        if (d->records[i].kind == RECORD_DAMAGE) /* of what is still there */
            (void)damage(&p, &d->records[i]);
    }
    ledger_free(p.ledger);
    if (!good)
        store_close(p.store);
    return good ? p.store : NULL;
}

bool disk_rebuild(struct disk *d, uint64_t index, record_filter_fn *filter, void *context)
{
    struct disk to = {0};
    struct store *s = replay(d, index, filter, context, &to);
    if (s)
        disk_exchange(d, s, &to);
    else
        disk_forget_records(&to);
    return s != NULL;
}

/* Which journal goes with the store is not of what was done to it. */
static void hash_table(struct store_txn *txn, enum store_table table, uint64_t *hash)
{
    struct store_cursor *c;
    struct slice key, value;
    if (store_cursor_open(txn, table, &c))
        return;
    for (int err = store_cursor_seek(c, (struct slice){"", 1}, &key, &value); !err;
         err = store_cursor_next(c, &key, &value)) {
        if (table == TABLE_META && slice_equal(key, slice_of(STORE_JOURNAL_KEY)))
            continue;
        *hash = XXH3_64bits_withSeed(key.data, key.size, *hash + table);
        *hash = XXH3_64bits_withSeed(value.data, value.size, *hash);
    }
    store_cursor_close(c);
}

uint64_t disk_hash(struct store *s)
{
    struct store_txn *txn;
    uint64_t hash = 0;
    if (store_begin(s, false, &txn))
        return 0;
    for (unsigned table = 0; table < TABLE_COUNT; table++)
        hash_table(txn, (enum store_table)table, &hash);
    store_abort(txn);
    return hash;
}
