/* rig: see rig.h. */
#include "tests/unit/journal/rig.h"

#include "base/big_endian.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

const uint8_t rig_id[JOURNAL_ID_BYTES] = {"the rig's own id"};

static void fill(uint8_t *to, size_t size, uint64_t salt)
{
    uint64_t x = salt * 0x9e3779b97f4a7c15ull + 1;
    for (size_t i = 0; i < size; i += sizeof x) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(to + i, &x, size - i < sizeof x ? size - i : sizeof x);
    }
}

struct rig *rig_new(uint64_t bytes, uint64_t bytes_max)
{
    static struct rig rig;
    struct rig *r = &rig;
    memset(r, 0, sizeof *r);
    r->oldest = 1;
    r->file = journal_file_memory(bytes_max);
    struct journal_file *again;
    cr_assert_eq(r->file->ops->again(r->file, &again), 0);
    cr_assert_eq(journal_create(again, rig_id, bytes, 1, &r->j, r->why, sizeof r->why), 0, "%s", r->why);
    r->records[1].place = journal_next(r->j);
    return r;
}

void rig_close(struct rig *r)
{
    journal_close(r->j);
    r->j = NULL;
}

void rig_done(struct rig *r)
{
    rig_close(r);
    r->file->ops->close(r->file);
}

int rig_append(struct rig *r, size_t size)
{
    uint64_t number = r->count + 1;
    cr_assert_lt(number + 1, RIG_RECORDS_MAX);
    r->records[number].size = size;
    r->records[number].salt = number + (r->salt++ << 32);
    uint8_t *record = malloc(JOURNAL_HEAD_BYTES + size);
    fill(record + JOURNAL_HEAD_BYTES, size, r->records[number].salt);
    r->begun = number;
    int err = journal_append(r->j, record, size);
    free(record);
    if (!err) {
        r->count = number;
        r->records[number + 1].place = journal_next(r->j);
    }
    return err;
}

void rig_append_all(struct rig *r, const size_t *sizes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(rig_append(r, sizes[i]), 0);
}

void rig_release(struct rig *r, uint64_t number)
{
    journal_release(r->j, r->records[number].place);
    r->oldest = number;
}

static int take(void *context, struct journal_place place, struct slice body)
{
    struct rig *r = context;
    uint64_t number = place.number;
    const struct rig_record *record = &r->records[number < RIG_RECORDS_MAX ? number : 0];
    uint8_t *want = malloc(record->size + 1);
    fill(want, record->size, record->salt);
    if (number != r->seen + 1 || number > r->begun || !slice_equal(body, (struct slice){want, record->size}))
        r->wrong = true;
    free(want);
    r->seen = number;
    return 0;
}

int rig_reopen(struct rig *r, bool read_only)
{
    rig_close(r);
    struct journal_file *again;
    cr_assert_eq(r->file->ops->again(r->file, &again), 0);
    r->seen = r->oldest - 1;
    r->wrong = false;
    r->why[0] = '\0';
    int err = journal_open(again, rig_id, r->records[r->oldest].place, r->records[r->oldest].place, read_only,
                           take, r, &r->j, r->why, sizeof r->why);
    if (!err)
        r->records[r->seen + 1].place = journal_next(r->j);
    return err;
}

void rig_expect_all(struct rig *r, const char *when)
{
    int err = rig_reopen(r, false);
    cr_assert_eq(err, 0, "%s: %s: %s", when, err_name(err), r->why);
    cr_assert(!r->wrong, "%s: a record is not what was appended", when);
    cr_assert_geq(r->seen, r->count, "%s: %lu of %lu records", when, r->seen, r->count);
    r->count = r->begun = r->seen;
}

uint8_t *rig_bytes(struct rig *r, uint64_t *ret_size)
{
    cr_assert_eq(r->file->ops->size(r->file, ret_size), 0);
    uint8_t *bytes = malloc(*ret_size);
    cr_assert_eq(r->file->ops->read(r->file, 0, bytes, *ret_size), 0);
    return bytes;
}

uint64_t rig_stands_at(struct rig *r, uint64_t number)
{
    uint8_t head[JOURNAL_HEAD_BYTES];
    uint64_t at = r->records[number].place.at, size;
    cr_assert_eq(r->file->ops->size(r->file, &size), 0);
    if (at < size) {
        cr_assert_eq(r->file->ops->read(r->file, at, head, sizeof head), 0);
        if (get_be64(head + 32) == number)
            return at;
    }
    return JOURNAL_BLOCK_BYTES;
}
