/* damage_journal: see damage_journal.h. The records are found by what docs/storage.md says of the file, not by the reader that is to be tested. */
#include "tests/crash/damage_journal.h"
#include "broker/journal/generation.h"
#include "broker/journal/journal_layout.h"
#include "tests/crash/snapshot.h"

#include <string.h>

#define MAP_BYTES (16ull << 20)

static bool read_meta(const char *dir, struct journal_meta *ret)
{
    struct store_lmdb_options options = {
        .dir = dir, .map_bytes = MAP_BYTES, .map_bytes_max = MAP_BYTES, .read_only = true};
    char why[SNAPSHOT_WHY_BYTES];
    struct store *store;
    struct store_txn *txn;
    if (store_lmdb_open(&options, &store, why, sizeof why) != 0)
        return false;
    int err = store_begin(store, false, &txn);
    if (!err) {
        err = journal_meta_read(txn, ret);
        store_abort(txn);
    }
    store_close(store);
    return !err;
}

static bool is_record(const struct damage_journal *j, uint64_t at, const uint8_t *id)
{
    const uint8_t *head = j->bytes + at;
    return at + JOURNAL_BLOCK_BYTES <= j->size && get_be64(head + HEAD_MAGIC) == MAGIC_RECORD &&
           memcmp(head + HEAD_ID, id, JOURNAL_ID_BYTES) == 0;
}

static bool has_number(const struct damage_journal *j, uint64_t at, const uint8_t *id, uint64_t number)
{
    return is_record(j, at, id) && get_be64(j->bytes + at + HEAD_NUMBER) == number;
}

static void find_old(struct damage_journal *j, const uint8_t *id, uint64_t oldest)
{
    for (uint64_t at = RECORDS_AT; at < j->size; at += JOURNAL_BLOCK_BYTES) {
        if (is_record(j, at, id) && get_be64(j->bytes + at + HEAD_NUMBER) < oldest &&
            get_be64(j->bytes + at + HEAD_BYTES) <= JOURNAL_BLOCK_BYTES - JOURNAL_HEAD_BYTES)
            j->old_at = at;
    }
}

/* The record that is next, which then is the one behind it. False: there is none. */
static bool take_record(const struct damage_journal *j, const uint8_t *id, struct journal_place *next,
                        struct damage_range *ret)
{
    uint64_t at = has_number(j, next->at, id, next->number) ? next->at : RECORDS_AT;
    if (!has_number(j, at, id, next->number))
        return false;
    uint64_t body_bytes = get_be64(j->bytes + at + HEAD_BYTES);
    *ret = (struct damage_range){at, JOURNAL_HEAD_BYTES + body_bytes};
    *next = (struct journal_place){next->number + 1, at + record_bytes(body_bytes)};
    return true;
}

bool damage_journal_read(struct damage_journal *j, const char *dir, const uint8_t *bytes, uint64_t size)
{
    struct journal_meta meta;
    *j = (struct damage_journal){.bytes = bytes, .size = size};
    if (!read_meta(dir, &meta))
        return false;
    const uint8_t *id = meta.id;
    struct journal_place next = meta.from;
    find_old(j, id, meta.from.number);
    struct journal_place kept = meta.oldest;
    while (kept.number < meta.from.number) {
        if (j->kept_count == DAMAGE_RECORDS_MAX || !take_record(j, id, &kept, &j->kept[j->kept_count]))
            return false;
        j->kept_count++;
    }
    while (j->count < DAMAGE_RECORDS_MAX && take_record(j, id, &next, &j->records[j->count]))
        j->count++;
    j->next_at = next.at;
    j->next_number = next.number;
    return j->count > 0;
}

uint64_t damage_journal_place(const struct damage_journal *j, uint64_t r)
{
    uint64_t which = r % (j->count + 1);
    if (which == j->count)
        return (r >> 16) % JOURNAL_HEAD_BYTES;
    return j->records[which].at + (r >> 16) % j->records[which].size;
}

uint64_t damage_journal_put_old(const struct damage_journal *j, uint8_t *now)
{
    if (!j->old_at || j->next_at + JOURNAL_BLOCK_BYTES > j->size)
        return 0;
    memcpy(now + j->next_at, j->bytes + j->old_at, JOURNAL_BLOCK_BYTES);
    put_be64(now + j->next_at + HEAD_NUMBER, j->next_number);
    return JOURNAL_BLOCK_BYTES;
}

static bool range_differs(const struct damage_journal *j, const uint8_t *now, const struct damage_range *r)
{
    return memcmp(now + r->at, j->bytes + r->at, r->size) != 0;
}

bool damage_journal_keeps(const struct damage_journal *j, const uint8_t *now)
{
    for (size_t i = 0; i < j->kept_count; i++) {
        if (range_differs(j, now, &j->kept[i]))
            return true;
    }
    return false;
}

bool damage_journal_differs(const struct damage_journal *j, const uint8_t *now, size_t *ret_records,
                            size_t *ret_last)
{
    *ret_records = *ret_last = 0;
    for (size_t i = 0; i < j->count; i++) {
        bool differs = range_differs(j, now, &j->records[i]);
        *ret_records += differs;
        *ret_last = differs ? *ret_last + 1 : 0;
    }
    return memcmp(now, j->bytes, JOURNAL_HEAD_BYTES) == 0;
}
