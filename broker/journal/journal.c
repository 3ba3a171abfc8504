/* journal: the records of one that is open. journal_make.c makes it and makes it longer, journal_open.c reads it. */
#include "broker/journal/journal.h"

#include "base/check.h"
#include "broker/journal/journal_layout.h"
#include "proto/errors.h"

#include <stdlib.h>

void journal_close(struct journal *j)
{
    if (!j)
        return;
    j->file->ops->close(j->file);
    free(j);
}

struct journal_place journal_next(const struct journal *j)
{
    return j->next;
}

/* Where a record of `bytes` goes now; 0 if nowhere. */
static uint64_t room_for(const struct journal *j, uint64_t bytes)
{
    if (is_wrapped(j))
        return bytes <= j->oldest.at - j->next.at ? j->next.at : 0;
    if (bytes <= j->bytes - j->next.at)
        return j->next.at;
    return bytes <= j->oldest.at - RECORDS_AT ? RECORDS_AT : 0;
}

bool journal_has_room(const struct journal *j, size_t body_bytes)
{
    return body_bytes <= journal_body_bytes_max(j) && room_for(j, record_bytes(body_bytes)) != 0;
}

bool journal_needs_length(const struct journal *j, size_t body_bytes)
{
    return !is_wrapped(j) || body_bytes > journal_body_bytes_max(j);
}

size_t journal_body_bytes_max(const struct journal *j)
{
    uint64_t blocks = (j->bytes - RECORDS_AT) / JOURNAL_BLOCK_BYTES / 5;
    return blocks * JOURNAL_BLOCK_BYTES - JOURNAL_HEAD_BYTES;
}

/* Before the record is written. A new mark is begun in time to be flushed with a record that the last one has, too. */
static int mark_record(struct journal *j, uint64_t at, uint64_t bytes)
{
    bool has = mark_has(j, at, bytes);
    if (has && at + bytes - j->mark.at <= mark_bytes(j) / 2)
        return 0;
    int err = mark_write(j, at, bytes);
    return err || has ? err : j->file->ops->flush(j->file);
}

int journal_append(struct journal *j, void *record, size_t body_bytes)
{
    static uint8_t zeros[JOURNAL_BLOCK_BYTES];
    if (j->failed)
        return j->failed;
    uint64_t bytes = record_bytes(body_bytes), at = room_for(j, bytes);
    check(at && body_bytes <= journal_body_bytes_max(j));
    head_write(record, MAGIC_RECORD, j->id, j->next.number, body_bytes);
    put_be64((uint8_t *)record + HEAD_CHECKSUM, head_checksum(record, body_bytes, at));
    size_t used = JOURNAL_HEAD_BYTES + body_bytes;
    const struct iovec parts[] = {{record, used}, {zeros, bytes - used}};
    int err = mark_record(j, at, bytes);
    if (!err)
        err = j->file->ops->write(j->file, at, parts, 2);
    if (!err)
        err = j->file->ops->flush(j->file);
    if (err)
        return j->failed = err;
    j->last = (struct journal_place){j->next.number, at};
    j->next = (struct journal_place){j->next.number + 1, at + bytes};
    j->appended_bytes += bytes;
    return 0;
}

struct journal_place journal_last(const struct journal *j)
{
    return j->last;
}

void journal_release(struct journal *j, struct journal_place place)
{
    check(place.number >= j->oldest.number && place.number <= j->next.number);
    check(place.number != j->next.number || place.at == j->next.at);
    j->oldest = place;
}

uint64_t journal_record_bytes(size_t body_bytes)
{
    return record_bytes(body_bytes);
}

uint64_t journal_appended_bytes(const struct journal *j)
{
    return j->appended_bytes;
}

uint64_t journal_bytes(const struct journal *j)
{
    return j->bytes;
}

uint64_t journal_used_bytes(const struct journal *j)
{
    uint64_t used = j->next.at - j->oldest.at;
    return is_wrapped(j) ? used + j->bytes - RECORDS_AT : used;
}

void journal_extended(struct journal *j, uint64_t bytes)
{
    check(whole_blocks(bytes) >= j->bytes);
    j->bytes = whole_blocks(bytes);
}

struct journal_file *journal_file_of(struct journal *j)
{
    return j->file;
}
