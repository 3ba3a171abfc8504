/* disk_journal: see disk_journal.h. */
#include "tests/sim/disk_journal.h"
#include "base/array.h"
#include "broker/journal/file_memory.h"
#include "broker/journal/journal_layout.h"
#include "broker/journal/store_journal_private.h"
#include "tests/sim/disk.h"
#include "tests/sim/plant.h"

#include <stdio.h>
#include <stdlib.h>

#define RING_DOUBLINGS 5 /* of the ring, at most, less one */
/* Calls of a file or a store within a start, about. */
#define CALLS_OF_A_START  60
#define CALLS_OF_A_COMMIT 6

/* Operations have no context of their own, and a run has one disk. */
static struct disk *the_disk;
static struct store_ops behind_true, behind_ops;
static const struct store_ops *own_ops; /* the journal's store's */
static struct journal_file_ops file_true, file_ops;

/* ---- the store behind, and the file ---- */

static int behind_commit(struct store_txn *txn)
{
    struct disk_journal *j = &the_disk->journal;
    int err = behind_true.commit(txn);
    if (err || j->opening)
        return err;
    j->figures.merges += j->frozen;
    j->figures.aways += !j->frozen;
    j->merged = true;
    bool fails = j->fail_behind;
    j->fail_behind = false;
    return fails ? SHUNT_IO : 0;
}

static void behind_usage(struct store *s, struct store_usage *ret)
{
    behind_true.usage(s, ret);
    ret->usable_bytes = the_disk->journal.usable_bytes;
}

static void behind_close(struct store *s)
{
    (void)s; /* it stays for the next start */
}

static void note_record(struct disk_journal *j, const uint8_t *head, uint64_t at)
{
    uint64_t number = get_be64(head + HEAD_NUMBER);
    while (j->records_count && j->records[j->records_count - 1].number >= number)
        j->records_count--; /* it was torn */
    if (!array_room(&j->records, &j->records_capacity, j->records_count + 1))
        abort();
    j->figures.rounds += j->records_count && at < j->records[j->records_count - 1].at;
    j->records[j->records_count++] =
        (struct journal_record_at){number, at, JOURNAL_HEAD_BYTES + get_be64(head + HEAD_BYTES)};
    j->appended++;
}

static int file_write(struct journal_file *f, uint64_t at, const struct iovec *parts, int count)
{
    struct disk_journal *j = &the_disk->journal;
    const uint8_t *head = parts[0].iov_base;
    uint64_t magic = get_be64(head + HEAD_MAGIC);
    if (magic == MAGIC_RECORD)
        note_record(j, head, at);
    int err = file_true.write(f, at, parts, count);
    if (!err && magic == MAGIC_RECORD && j->fail_flush) {
        j->fail_flush = false;
        journal_memory_fail(j->file, 0, SHUNT_IO); /* what comes next is its flush */
    }
    if (!err && magic == MAGIC_FILE && !j->opening)
        j->figures.longer++;
    return err;
}

static int file_allocate(struct journal_file *f, uint64_t from, uint64_t to, bool *ret_done)
{
    int err = file_true.allocate(f, from, to, ret_done);
    the_disk->journal.figures.no_disk += err == SHUNT_NO_SPACE;
    return err;
}

/* ---- opening ---- */

/* Whether there is one, and where it goes on. */
static bool find_place(struct disk *d, struct journal_place *ret)
{
    struct journal_meta meta;
    struct store_txn *txn;
    if (behind_true.begin(d->behind, false, &txn))
        abort();
    int err = journal_meta_read(txn, &meta);
    behind_true.abort(txn);
    *ret = meta.from;
    return !err;
}

enum opening { OPEN_WELL, OPEN_TO_READ, OPEN_TO_END };

static int open_store(struct disk *d, enum opening how, struct store **ret, char *ret_why, size_t why_bytes)
{
    struct disk_journal *j = &d->journal;
    struct store_journal_options o = {.behind = d->behind,
                                      .dir = "the simulator",
                                      .bytes = j->bytes,
                                      .memory_bytes = j->memory_bytes,
                                      .create = true,
                                      .keep_padded = j->keep_padded,
                                      .read_only = how == OPEN_TO_READ,
                                      .end = how == OPEN_TO_END};
    if (j->file->ops->again(j->file, &o.file))
        return SHUNT_IO;
    return store_journal_open(&o, ret, ret_why, why_bytes);
}

static void close_store(struct disk *d, struct store *s)
{
    if (s != d->behind)
        s->ops->close(s);
}

/* The power goes; or the process alone, and then the system still has what was written, and may lose it the next time. */
static void lose_file(struct disk_journal *j)
{
    if (dice_once_in(&j->dice, 2))
        journal_memory_crash(j->file, dice_next(&j->dice));
    else
        j->figures.kept_cache++;
}

static void arm_file(struct disk_journal *j, uint64_t calls)
{
    journal_memory_fail(j->file, dice_below(&j->dice, calls), SHUNT_IO);
}

static void arm_behind(struct disk *d, uint64_t calls)
{
    store_memory_fault(d->behind, (unsigned)dice_below(&d->journal.dice, calls), 1, SHUNT_IO);
}

/* The power goes while it starts, or right after. */
static void start_and_crash(struct disk *d, enum opening how)
{
    char why[512];
    struct store *s;
    if (dice_once_in(&d->journal.dice, 2))
        arm_file(&d->journal, CALLS_OF_A_START);
    else
        arm_behind(d, CALLS_OF_A_START);
    if (open_store(d, how, &s, why, sizeof why) == 0)
        close_store(d, s);
    d->journal.figures.cut_starts++;
    store_memory_crash(d->behind);
    disk_calm(d);
    lose_file(&d->journal);
}

/* What --check would see. */
static bool read_hash(struct disk *d, uint64_t *ret, char *ret_why, size_t why_bytes)
{
    struct store *s;
    if (open_store(d, OPEN_TO_READ, &s, ret_why, why_bytes))
        return false;
    *ret = disk_hash(s);
    close_store(d, s);
    d->journal.figures.checked++;
    return true;
}

static void flip(struct disk_journal *j, uint64_t at, unsigned bit)
{
    uint8_t byte;
    if (file_true.read(j->file, at, &byte, 1))
        abort();
    byte ^= (uint8_t)(1u << bit);
    journal_memory_damage(j->file, at, &byte, 1);
}

/* A record that is needed, and not the last one, has a wrong bit: the start must be refused. Then it is right again. */
static bool refuses_damage(struct disk *d, struct journal_place from, char *ret_why, size_t why_bytes)
{
    struct disk_journal *j = &d->journal;
    size_t first = 0, last = j->records_count;
    while (first < last && j->records[first].number < from.number)
        first++;
    while (last > first && j->records[last - 1].number >= j->durable)
        last--;
    if (first == last)
        return true;
    const struct journal_record_at *r = &j->records[dice_from(&j->dice, first, last - 1)];
    uint64_t at = r->at + dice_below(&j->dice, r->bytes);
    unsigned bit = (unsigned)dice_below(&j->dice, 8);
    struct store *s;
    flip(j, at, bit);
    int err = open_store(d, OPEN_TO_READ, &s, ret_why, why_bytes);
    if (!err)
        close_store(d, s);
    flip(j, at, bit);
    j->figures.damaged++;
    if (err == SHUNT_CORRUPT && ret_why[0])
        return true;
    (void)snprintf(ret_why, why_bytes, "record %llu of a journal was damaged in the middle: %s",
                   (unsigned long long)r->number, err ? err_name(err) : "it opened");
    return false;
}

/* With one, without, or the other way round than before. */
static bool open_anew(struct disk *d, char *ret_why, size_t why_bytes)
{
    struct disk_journal *j = &d->journal;
    struct journal_place from;
    enum opening how = j->before != dice_once_in(&j->dice, 6) ? OPEN_WELL : OPEN_TO_END;
    uint64_t hash = 0, hash_read = 0;
    struct store *s;
    if (dice_once_in(&j->dice, 4))
        start_and_crash(d, how);
    bool had = find_place(d, &from), look = dice_once_in(&j->dice, 8);
    if ((had && dice_once_in(&j->dice, 4) && !refuses_damage(d, from, ret_why, why_bytes)) ||
        (look && !read_hash(d, &hash_read, ret_why, why_bytes)) || open_store(d, how, &s, ret_why, why_bytes))
        return false;
    if (look)
        hash = disk_hash(s);
    j->figures.begun += !had && how == OPEN_WELL;
    j->figures.ended += had && how == OPEN_TO_END;
    j->before = s != d->behind;
    if (!j->before)
        s->ops = &behind_true;
    own_ops = s->ops;
    disk_take_over(d, s);
    if (hash == hash_read)
        return true;
    (void)snprintf(ret_why, why_bytes, "a reader sees another state than the start");
    return false;
}

bool disk_journal_recover(struct disk *d, char *ret_why, size_t why_bytes)
{
    struct disk_journal *j = &d->journal;
    ret_why[0] = '\0';
    if (j->before && d->store) {
        d->store->ops = own_ops;
        store_close(d->store);
    }
    d->store = NULL;
    d->behind->ops = &behind_ops;
    j->opening = true;
    bool good = open_anew(d, ret_why, why_bytes);
    j->opening = j->frozen = j->merged = false;
    return good;
}

bool disk_journal_begin(struct disk *d, uint64_t seed)
{
    struct disk_journal *j = &d->journal;
    struct dice dice = {seed * 0x9e3779b97f4a7c15ull};
    static const unsigned steps[] = {1, 2, 10, 100, 10000};
    char why[512];
    *j = (struct disk_journal){.on = true,
                               .before = true,
                               .bytes = JOURNAL_RING_BYTES_FIRST << dice_below(&dice, RING_DOUBLINGS),
                               .memory_bytes = 1024ull << dice_below(&dice, 10),
                               .usable_bytes = (256ull << 10) << dice_below(&dice, 10),
                               .step_in = steps[dice_below(&dice, 5)]};
    j->keep_padded = !plant_is(PLANT_NONE) || !dice_once_in(&dice, 4);
    if (plant_is(PLANT_JOURNAL_ROUND_EARLY) ||
        plant_is(PLANT_JOURNAL_AWAY_EARLY)) { /* shows only if the ring is short and the store behind late */
        j->bytes = JOURNAL_RING_BYTES_FIRST;
        j->memory_bytes = 4 * JOURNAL_RING_BYTES_FIRST;
        j->usable_bytes = UINT32_MAX;
        j->step_in = UINT32_MAX;
    }
    j->file = journal_file_memory(dice_once_in(&dice, 4) ? 2 * JOURNAL_RING_BYTES_FIRST : j->bytes);
    if (!j->file)
        return false;
    the_disk = d;
    file_true = *j->file->ops;
    file_ops = file_true;
    file_ops.write = file_write;
    file_ops.allocate = file_allocate;
    j->file->ops = plant_file(&file_ops);
    behind_true = *disk_true_ops();
    behind_ops = behind_true;
    behind_ops.commit = behind_commit;
    behind_ops.usage = behind_usage;
    behind_ops.close = behind_close;
    j->dice = dice;
    d->store = NULL;
    return disk_journal_recover(d, why, sizeof why);
}

void disk_journal_done(struct disk *d)
{
    struct disk_journal *j = &d->journal;
    if (j->before && d->store) {
        d->store->ops = own_ops;
        store_close(d->store);
    }
    behind_true.close(d->behind);
    j->file->ops->close(j->file);
    free(j->records);
    disk_open_done(&j->open);
    *j = (struct disk_journal){0};
}

/* ---- while it runs ---- */

static void step(struct disk *d)
{
    const struct store_ops *ops = d->store->ops;
    d->store->ops = own_ops;
    (void)store_journal_step(d->store);
    d->store->ops = ops;
}

void disk_journal_step(struct disk *d)
{
    if (d->journal.before && d->store && dice_once_in(&d->journal.dice, d->journal.step_in))
        step(d);
}

int disk_journal_commit(struct disk *d, struct store_txn *txn)
{
    struct disk_journal *j = &d->journal;
    uint64_t appended = j->appended, merges = j->figures.merges;
    bool frozen = j->frozen;
    disk_journal_step(d);
    disk_open_ended(&j->open, txn);
    int err = own_ops->commit(txn);
    j->unsure = err != 0;
    if (err)
        return err;
    if (j->appended != appended)
        j->durable = j->records[j->records_count - 1].number;
    j->figures.beside += frozen && j->appended != appended;
    j->figures.behind += j->appended == appended && j->figures.merges != merges;
    return 0;
}

void disk_journal_hold(struct disk *d, bool hold)
{
    struct journal_store *s = journal_store_of(d->store);
    if (hold)
        d->journal.held_broken = s->broken;
    s->broken = !hold && d->journal.held_broken;
}

void disk_journal_track(struct disk *d, struct store_ops *ops)
{
    disk_open_track(&d->journal.open, own_ops, ops);
}

void disk_journal_arm(struct disk *d)
{
    struct disk_journal *j = &d->journal;
    d->failures++;
    j->armed = true;
    if (dice_once_in(&j->dice, 2)) {
        /* Half of the time it is the record's own flush, after which all of the record may be there though its commit failed. */
        if (dice_once_in(&j->dice, 2))
            j->fail_flush = true;
        else
            arm_file(j, CALLS_OF_A_COMMIT);
    } else if (dice_once_in(&j->dice, 2)) {
        arm_behind(d, CALLS_OF_A_START);
    } else {
        j->fail_behind = true;
    }
}

void disk_journal_calm(struct disk *d)
{
    d->journal.armed = d->journal.fail_behind = d->journal.fail_flush = false;
    journal_memory_fail(d->journal.file, 0, 0);
}

void disk_journal_crash(struct disk *d)
{
    struct disk_journal *j = &d->journal;
    if (j->before && d->store) {
        if (dice_once_in(&j->dice, 3)) { /* its thread was just at work */
            if (dice_once_in(&j->dice, 2))
                arm_file(j, CALLS_OF_A_COMMIT);
            step(d);
        }
        j->figures.crash_frozen += j->frozen && !j->merged;
        j->figures.crash_merged += j->frozen && j->merged;
        disk_open_forget(&j->open);
    }
    lose_file(j);
}

void disk_journal_found(struct disk *d, bool there)
{
    struct disk_journal *j = &d->journal;
    j->figures.whole += j->unsure && there;
    j->figures.torn += j->unsure && !there;
    j->unsure = false;
}

void disk_journal_made(void)
{
    the_disk->journal.records_count = the_disk->journal.durable = 0;
}

void disk_journal_froze(void)
{
    the_disk->journal.frozen = true;
    the_disk->journal.merged = false;
    the_disk->journal.figures.freezes += !the_disk->journal.opening;
}

void disk_journal_put_away(uint64_t stubs)
{
    the_disk->journal.figures.stubs += stubs;
    the_disk->journal.frozen = false;
}

void disk_journal_replayed(uint64_t records)
{
    struct journal_figures *f = &the_disk->journal.figures;
    ++*(records == 0 ? &f->replayed_0 : records == 1 ? &f->replayed_1 : &f->replayed_more);
}
