/* disk: faults. The record is in disk_record.c. */
#include "tests/sim/disk.h"
#include "base/array.h"
#include "broker/core/command.h"
#include "broker/core/schema.h"
#include "broker/engine/room.h"
#include "broker/store/store_memory.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (256ull * 1024 * 1024)
#define FREE_BYTES                                                                                           \
    (64ull * 1024 * 1024) /* the least that the engine wants free before it refuses publishes */

/* A store's operations have no context of their own, and a run has one disk. */
static struct disk *the_disk;
static struct store_ops true_ops;

static void note_commit(struct disk *d)
{
    d->commits++;
    if (d->stall_us_max) {
        d->stalls++;
        *d->mono_us += (int64_t)dice_below(d->dice, (uint64_t)d->stall_us_max);
    }
}

static struct record *add_commit(struct disk *d);

/* It is unsure from the moment at which something may be written. */
static int sim_commit(struct store_txn *txn)
{
    struct disk *d = the_disk;
    enum disk_fault fault = d->armed;
    note_commit(d);
    if (fault == DISK_FAIL_BEFORE) {
        d->armed = DISK_WELL;
        d->failures++;
        true_ops.abort(txn);
        return SHUNT_IO;
    }
    struct record *r = add_commit(d);
    r->unsure = true;
    int err = d->journal.before ? disk_journal_commit(d, txn) : true_ops.commit(txn);
    if (!err && fault == DISK_FAIL_AFTER) {
        d->armed = DISK_WELL;
        d->failures++;
        return SHUNT_IO;
    }
    r->unsure = err != 0;
    return err;
}

/* What the engine sees is a map whose free part is just what it wants, and how far that is used up. */
static void sim_usage(struct store *s, struct store_usage *ret)
{
    const struct disk *d = the_disk;
    true_ops.usage(s, ret);
    uint64_t left = d->full_bytes > ret->used_bytes ? d->full_bytes - ret->used_bytes : 0;
    ret->free_bytes = left ? FREE_BYTES + left : FREE_BYTES - 1;
    ret->usable_bytes = ret->free_bytes;
    ret->map_bytes = ret->map_bytes_max = FREE_BYTES * ROOM_RESERVE_OF_MAP; /* so that is what is kept free */
}

static void sim_close(struct store *s)
{
    (void)s; /* the engine ends, the disk stays */
}

static struct store_ops sim_ops;

void disk_take_over(struct disk *d, struct store *s)
{
    true_ops = *s->ops;
    sim_ops = true_ops;
    sim_ops.commit = sim_commit;
    sim_ops.usage = sim_usage;
    sim_ops.close = sim_close;
    if (d->journal.before)
        disk_journal_track(d, &sim_ops);
    s->ops = &sim_ops;
    d->store = s;
}

bool disk_init(struct disk *d, struct dice *dice, int64_t *mono_us)
{
    *d = (struct disk){.bytes_max = BYTES_MAX, .full_bytes = BYTES_MAX, .dice = dice, .mono_us = mono_us};
    the_disk = d;
    d->behind = store_memory_open(d->bytes_max);
    if (d->behind)
        disk_take_over(d, d->behind);
    return d->store != NULL;
}

static void record_drop(struct record *r)
{
    mpack_buffer_done(&r->bytes);
}

static void close_store(struct disk *d)
{
    if (d->journal.on)
        disk_journal_done(d);
    else if (d->store)
        true_ops.close(d->store);
    d->store = d->behind = NULL;
}

void disk_forget_records(struct disk *d)
{
    for (size_t i = 0; i < d->records_count; i++)
        record_drop(&d->records[i]);
    free(d->records);
    d->records = NULL;
    d->records_count = d->records_capacity = 0;
}

void disk_exchange(struct disk *d, struct store *s, struct disk *from)
{
    close_store(d);
    disk_forget_records(d);
    d->behind = s;
    disk_take_over(d, s);
    d->records = from->records;
    d->records_count = from->records_count;
    d->records_capacity = from->records_capacity;
}

const struct store_ops *disk_true_ops(void)
{
    return &true_ops;
}

void disk_done(struct disk *d)
{
    close_store(d);
    disk_forget_records(d);
    *d = (struct disk){0};
    the_disk = NULL;
}

void disk_arm(struct disk *d, enum disk_fault fault)
{
    if (d->journal.before && dice_once_in(&d->journal.dice, 2)) {
        disk_journal_arm(d);
        return;
    }
    if (fault != DISK_FAIL_WRITE) {
        d->armed = fault;
        return;
    }
    d->failures++;
    store_memory_fault(d->behind, (unsigned)dice_below(d->dice, 40), 1, SHUNT_IO);
}

void disk_calm(struct disk *d)
{
    d->armed = DISK_WELL;
    store_memory_fault(d->behind, 0, 0, 0);
    if (d->journal.on)
        disk_journal_calm(d);
}

void disk_hold_faults(struct disk *d)
{
    struct memory_store *s = store_of(d->behind);
    d->held_times = s->fault_times;
    s->fault_times = 0;
    if (d->journal.before)
        disk_journal_hold(d, true);
}

void disk_let_faults(struct disk *d)
{
    store_of(d->behind)->fault_times = d->held_times;
    if (d->journal.before)
        disk_journal_hold(d, false);
}

uint64_t disk_index(struct disk *d)
{
    const struct slice key = {META_KEY_LEDGER, sizeof META_KEY_LEDGER - 1};
    struct meta_record meta = {0};
    struct store_txn *txn;
    struct slice value;
    if (store_begin(d->store, false, &txn))
        return 0;
    if (store_get(txn, TABLE_META, key, &value) || meta_decode(key, value, &meta))
        meta.index = 0;
    store_abort(txn);
    return meta.index;
}

/* ---- the record ---- */

struct record *disk_record_add(struct disk *d, enum record_kind kind)
{
    if (!array_room(&d->records, &d->records_capacity, d->records_count + 1))
        abort();
    struct record *r = &d->records[d->records_count++];
    *r = (struct record){.kind = kind};
    return r;
}

void disk_record(struct disk *d, const struct batch *b)
{
    struct record *r = disk_record_add(d, RECORD_BATCH);
    r->index = b->index;
    if (batch_encode(&r->bytes, b))
        abort();
}

static struct record *add_commit(struct disk *d)
{
    uint64_t index = 0;
    for (size_t i = d->records_count; i && !index; i--) {
        if (d->records[i - 1].kind == RECORD_BATCH)
            index = d->records[i - 1].index;
    }
    struct record *r = disk_record_add(d, RECORD_COMMIT);
    r->index = index;
    return r;
}

void disk_crash(struct disk *d)
{
    if (d->journal.on)
        disk_journal_crash(d);
    if (d->store == d->behind)
        store_memory_crash(d->behind);
    disk_calm(d);
}

/* Whether the last commit, of which nobody knew how it had ended, is there. */
static bool is_durable(struct disk *d, struct record *r)
{
    if (r->kind != RECORD_COMMIT)
        return false;
    bool there = !r->unsure || disk_index(d) >= r->index;
    if (r->unsure)
        disk_journal_found(d, there);
    r->unsure = false;
    return there;
}

bool disk_recover(struct disk *d, char *ret_why, size_t why_bytes)
{
    if (d->journal.on && !disk_journal_recover(d, ret_why, why_bytes))
        return false;
    size_t kept = d->records_count;
    while (kept && !is_durable(d, &d->records[kept - 1]))
        kept--;
    for (size_t i = kept; i < d->records_count; i++) {
        if (d->records[i].kind != RECORD_DAMAGE)
            record_drop(&d->records[i]);
        else
            d->records[kept++] = d->records[i];
    }
    d->records_count = kept;
    return true;
}
