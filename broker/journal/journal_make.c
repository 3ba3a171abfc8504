/* journal_make: writing what no record stands in yet: a new journal, and more blocks for an old one.
 *
 * The head block says how long the journal is, and is written when all else is durable. So a crash before that leaves no journal,
 * or one that is as long as it was; and a file that has lost its end is told from a journal that ends.
 */
#include "base/check.h"
#include "broker/journal/journal_layout.h"
#include "proto/errors.h"

#include <stdio.h>
#include <stdlib.h>

#define ZERO_BYTES (64u << 10)
/* Of blocks written ahead: as many of these at a time, when nobody waits; and so that the flush of a record, which may wait for them, never waits for more. */
#define PIECE_PARTS_NEW    4
#define PIECE_PARTS_BESIDE 1
/* Set aside by one call: a file system may keep the file's lock for the whole of it, and a record would wait (a tmpfs fills a gigabyte with zeros in a third of a second). */
#define SET_ASIDE_BYTES (256ull << 10)

static int set_aside(struct journal_file *f, uint64_t from, uint64_t to, bool *ret_done)
{
    int err = 0;
    *ret_done = true;
    while (!err && *ret_done && from < to) {
        uint64_t end = to - from < SET_ASIDE_BYTES ? to : from + SET_ASIDE_BYTES;
        err = f->ops->allocate(f, from, end, ret_done);
        from = end;
    }
    return err;
}

/* Set aside every block between the two, durably; if they are to be `written`, or the file system can do no other, write them, so many parts to a flush. */
static int make_blocks(struct journal_file *f, uint64_t from, uint64_t to, bool written, int piece_parts)
{
    static uint8_t zeros[ZERO_BYTES];
    bool done;
    int err = set_aside(f, from, to, &done);
    if (!err && done && !written)
        return f->ops->flush(f);
    while (!err && from < to) {
        struct iovec parts[PIECE_PARTS_NEW];
        uint64_t at = from;
        int count = 0;
        for (; at < to && count < piece_parts; at += parts[count++].iov_len)
            parts[count] = (struct iovec){zeros, to - at < ZERO_BYTES ? to - at : ZERO_BYTES};
        err = f->ops->write(f, from, parts, count);
        if (!err)
            err = f->ops->flush(f);
        from = at;
    }
    return err;
}

/* What counts of the head block fits in one sector, so it is the old one or the new one whatever happens. The marks are beside it, and another
 * thread may write one. */
static int write_head_block(struct journal_file *f, const uint8_t *id, uint64_t bytes)
{
    uint8_t block[SECTOR_BYTES] = {0};
    head_write(block, MAGIC_FILE, id, JOURNAL_VERSION, bytes);
    put_be64(block + HEAD_CHECKSUM, head_checksum(block, 0, 0));
    int err = f->ops->write(f, 0, &(const struct iovec){block, sizeof block}, 1);
    return err ? err : f->ops->flush(f);
}

int journal_create(struct journal_file *file, const uint8_t id[JOURNAL_ID_BYTES], uint64_t bytes,
                   uint64_t first_number, struct journal **ret, char *ret_why, size_t why_bytes)
{
    bytes = whole_blocks(bytes < JOURNAL_BYTES_MIN ? JOURNAL_BYTES_MIN : bytes);
    struct journal *j = malloc(sizeof *j);
    int err = j ? file->ops->truncate(file, 0) : SHUNT_NO_MEMORY;
    if (!err)
        err = make_blocks(file, 0, bytes, true, PIECE_PARTS_NEW);
    if (!err)
        err = write_head_block(file, id, bytes);
    if (err) {
        (void)snprintf(ret_why, why_bytes, "cannot make a journal of %llu bytes: %s: check its disk",
                       (unsigned long long)bytes, err_text(err));
        (void)file->ops->truncate(file, 0); /* to give back the space; what is left is no journal anyway */
        file->ops->close(file);
        free(j);
        return err;
    }
    struct journal_place first = {first_number, RECORDS_AT};
    *j = (struct journal){.file = file, .bytes = bytes, .oldest = first, .next = first};
    memcpy(j->id, id, JOURNAL_ID_BYTES);
    *ret = j;
    return 0;
}

int journal_extend_file(struct journal_file *file, uint64_t from, uint64_t to, bool written)
{
    struct journal_file *f = NULL;
    uint8_t head[JOURNAL_HEAD_BYTES];
    check(from % JOURNAL_BLOCK_BYTES == 0 && to > from);
    to = whole_blocks(to);
    int err = file->ops->again(file, &f);
    if (err)
        return err;
    err = make_blocks(f, from, to, written, PIECE_PARTS_BESIDE);
    if (!err)
        err = f->ops->read(f, 0, head, sizeof head);
    if (err) {
        (void)f->ops->truncate(
            f, from); /* to give back the space; beyond the head block's length nothing is read */
    } else {
        err = write_head_block(f, head + HEAD_ID, to);
        /* The new length may be what the next start reads. To go on with the old one, as after a full disk, and to truncate when the next
         * attempt fails, would cut that start short. */
        if (err == SHUNT_NO_SPACE)
            err = SHUNT_IO;
    }
    f->ops->close(f);
    return err;
}
