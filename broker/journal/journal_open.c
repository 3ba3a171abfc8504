/* journal_open: reading a journal from its first needed record on, and telling its end from damage.
 *
 * The record that comes next stands behind the one before it, or behind the head block. If neither is whole, the one that was being
 * written is torn, or there is none: that is the end. But it was only begun when all before it was durable; so if a record of its
 * number or a later one is whole anywhere else, what is not whole was damaged afterwards.
 */
#include "base/array.h"
#include "broker/journal/journal_layout.h"
#include "proto/errors.h"

#include <stdio.h>
#include <stdlib.h>

#define WHY(...)   (void)snprintf(ret_why, why_bytes, __VA_ARGS__)
#define LOOK_BYTES (256u << 10) /* so many are read at once to look for heads */
#define RESTORE    "restore the data directory from a backup"

struct reading {
    struct journal *j;
    bool read_only;  /* another process may write it */
    uint8_t *record; /* the last one read */
    size_t capacity;
    uint64_t last_at, last_bytes; /* of the last one that is whole; 0 bytes: none is */
};

static bool is_record(const uint8_t *id, const uint8_t *head)
{
    return get_be64(head + HEAD_MAGIC) == MAGIC_RECORD && !memcmp(head + HEAD_ID, id, JOURNAL_ID_BYTES);
}

/* Whether the whole record `number` stands at `at`. */
static bool stands_at(const uint8_t *map, uint64_t bytes, const uint8_t *id, uint64_t number, uint64_t at)
{
    const uint8_t *head = map + at;
    if (at > bytes - JOURNAL_BLOCK_BYTES || !is_record(id, head) || get_be64(head + HEAD_NUMBER) != number)
        return false;
    uint64_t body_bytes = get_be64(head + HEAD_BYTES);
    return body_bytes <= bytes - at - JOURNAL_HEAD_BYTES &&
           get_be64(head + HEAD_CHECKSUM) == head_checksum(head, body_bytes, at);
}

int journal_walk(const uint8_t *map, uint64_t bytes, const uint8_t id[JOURNAL_ID_BYTES],
                 struct journal_place *at, struct journal_place *ret, struct slice *ret_body)
{
    *ret = *at;
    if (!stands_at(map, bytes, id, at->number, ret->at))
        ret->at = RECORDS_AT;
    if (!stands_at(map, bytes, id, at->number, ret->at))
        return SHUNT_CORRUPT;
    *ret_body = (struct slice){map + ret->at + JOURNAL_HEAD_BYTES, get_be64(map + ret->at + HEAD_BYTES)};
    *at = (struct journal_place){at->number + 1, ret->at + record_bytes(ret_body->size)};
    return 0;
}

/* Read the record `number` at `at`. fails: NOT_FOUND if there is none that is whole and ends by `limit`; IO, NO_MEMORY. */
static int read_record(struct reading *r, uint64_t number, uint64_t at, uint64_t limit,
                       struct slice *ret_body)
{
    const struct journal_file_ops *ops = r->j->file->ops;
    if (at >= limit)
        return SHUNT_NOT_FOUND;
    if (!array_room(&r->record, &r->capacity, (size_t)JOURNAL_BLOCK_BYTES))
        return SHUNT_NO_MEMORY;
    int err = ops->read(r->j->file, at, r->record, JOURNAL_BLOCK_BYTES);
    if (err)
        return err;
    uint64_t body_bytes = get_be64(r->record + HEAD_BYTES);
    if (!is_record(r->j->id, r->record) || get_be64(r->record + HEAD_NUMBER) != number ||
        body_bytes > journal_body_bytes_max(r->j) || record_bytes(body_bytes) > limit - at)
        return SHUNT_NOT_FOUND;
    size_t bytes = record_bytes(body_bytes);
    if (!array_room(&r->record, &r->capacity, bytes))
        return SHUNT_NO_MEMORY;
    if (bytes > JOURNAL_BLOCK_BYTES) {
        err = ops->read(r->j->file, at + JOURNAL_BLOCK_BYTES, r->record + JOURNAL_BLOCK_BYTES,
                        bytes - JOURNAL_BLOCK_BYTES);
    }
    if (err)
        return err;
    *ret_body = (struct slice){r->record + JOURNAL_HEAD_BYTES, body_bytes};
    bool whole = get_be64(r->record + HEAD_CHECKSUM) == head_checksum(r->record, body_bytes, at);
    return whole ? 0 : SHUNT_NOT_FOUND;
}

/* Read the record that comes next, and go on behind it. */
static int read_next(struct reading *r, struct slice *ret_body)
{
    struct journal *j = r->j;
    uint64_t at = j->next.at, limit = is_wrapped(j) ? j->oldest.at : j->bytes;
    int err = read_record(r, j->next.number, at, limit, ret_body);
    if (err == SHUNT_NOT_FOUND && !is_wrapped(j)) {
        at = RECORDS_AT;
        err = read_record(r, j->next.number, at, j->oldest.at, ret_body);
    }
    if (err)
        return err;
    r->last_at = at;
    r->last_bytes = record_bytes(ret_body->size);
    j->last = (struct journal_place){j->next.number, at};
    j->next = (struct journal_place){j->next.number + 1, at + r->last_bytes};
    return 0;
}

/* A record of a later number is whole, so the one that comes next was durable before that one was begun. If it was not there when it was
 * looked for and is there now, somebody writes this journal while it is read, and what was read is all that was durable when the reading
 * came to its end. */
static bool came_meanwhile(struct reading *r)
{
    const struct journal *j = r->j;
    struct journal_place next = j->next;
    struct slice body;
    bool is = read_next(r, &body) == 0;
    r->j->next = next;
    return is;
}

/* Whether the record at `at`, of which the head is given, is a later one and whole: then it is damage, unless it came meanwhile, which is
 * the end, too. */
static int check_later(struct reading *r, const uint8_t *head, uint64_t at, bool *ret_ended, char *ret_why,
                       size_t why_bytes)
{
    const struct journal *j = r->j;
    struct slice body;
    uint64_t number = get_be64(head + HEAD_NUMBER);
    if (!is_record(j->id, head) || number < j->next.number)
        return 0;
    int err = read_record(r, number, at, j->bytes, &body);
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    *ret_ended = r->read_only && came_meanwhile(r);
    if (*ret_ended)
        return 0;
    WHY("the journal is damaged: record %llu, at byte %llu or %llu, is not whole, but record %llu "
        "at byte %llu, which was written later, is: " RESTORE,
        (unsigned long long)j->next.number, (unsigned long long)j->next.at, (unsigned long long)RECORDS_AT,
        (unsigned long long)number, (unsigned long long)at);
    return SHUNT_CORRUPT;
}

/* Where a later one can stand: where the last mark says, if what was read follows from it. */
static void where_later(const struct journal *j, uint64_t *ret_from, uint64_t *ret_to)
{
    const struct journal_mark *m = &j->mark;
    bool follows = m->bytes && (j->next.number == m->number ||
                                (j->next.number > m->number && mark_has(j, j->next.at, 0)));
    *ret_from = follows ? m->at : RECORDS_AT;
    *ret_to = follows && m->bytes < j->bytes - m->at ? m->at + m->bytes : j->bytes;
}

/* Nothing later may be whole. */
static int check_end(struct reading *r, char *ret_why, size_t why_bytes)
{
    uint64_t at, to;
    int err = 0;
    bool ended = false;
    uint8_t *blocks = malloc(LOOK_BYTES);
    if (!blocks)
        return SHUNT_NO_MEMORY;
    where_later(r->j, &at, &to);
    while (!err && !ended && at < to) {
        size_t bytes = to - at < LOOK_BYTES ? to - at : LOOK_BYTES;
        err = r->j->file->ops->read(r->j->file, at, blocks, bytes);
        for (size_t i = 0; !err && !ended && i < bytes; i += JOURNAL_BLOCK_BYTES)
            err = check_later(r, blocks + i, at + i, &ended, ret_why, why_bytes);
        at += bytes;
    }
    free(blocks);
    return err;
}

static int read_head_block(struct journal *j, const uint8_t *id, char *ret_why, size_t why_bytes)
{
    uint8_t head[JOURNAL_HEAD_BYTES];
    uint64_t size;
    int err = j->file->ops->size(j->file, &size);
    if (!err && size == 0) {
        WHY("the journal is empty (0 bytes): " RESTORE);
        return SHUNT_CORRUPT;
    }
    if (!err && size >= JOURNAL_BLOCK_BYTES)
        err = j->file->ops->read(j->file, 0, head, sizeof head);
    if (err)
        return err;
    if (size < JOURNAL_BLOCK_BYTES || get_be64(head + HEAD_MAGIC) != MAGIC_FILE ||
        get_be64(head + HEAD_CHECKSUM) != head_checksum(head, 0, 0)) {
        WHY("the journal is damaged at byte 0: its head block is not whole: " RESTORE);
        return SHUNT_CORRUPT;
    }
    uint64_t version = get_be64(head + HEAD_NUMBER);
    j->bytes = get_be64(head + HEAD_BYTES);
    if (version != JOURNAL_VERSION) {
        WHY("the journal has layout %llu, and this program reads %u: use the program that wrote it, or a "
            "later one",
            (unsigned long long)version, JOURNAL_VERSION);
        return SHUNT_STORE_VERSION;
    }
    if (memcmp(head + HEAD_ID, id, JOURNAL_ID_BYTES) != 0) {
        WHY("the journal belongs to another store: restore both from the same backup");
        return SHUNT_CORRUPT;
    }
    if (j->bytes < JOURNAL_BYTES_MIN || j->bytes % JOURNAL_BLOCK_BYTES) {
        WHY("the journal is damaged at byte %d: a length of %llu bytes is not valid: " RESTORE, HEAD_BYTES,
            (unsigned long long)j->bytes);
        return SHUNT_CORRUPT;
    }
    if (j->bytes > size) {
        WHY("the journal is cut short: it has %llu of %llu bytes: " RESTORE, (unsigned long long)size,
            (unsigned long long)j->bytes);
        return SHUNT_STORE_TRUNCATED;
    }
    return mark_read(j);
}

/* Hand out every record. */
static int read_all(struct reading *r, journal_each *each, void *context, char *ret_why, size_t why_bytes)
{
    for (;;) {
        struct slice body;
        int err = read_next(r, &body);
        if (err == SHUNT_NOT_FOUND)
            return check_end(r, ret_why, why_bytes);
        if (!err)
            err = each(context, r->j->last, body);
        if (err)
            return err;
    }
}

static int write_again(struct reading *r, uint64_t at, uint64_t bytes)
{
    struct journal_file *f = r->j->file;
    if (!array_room(&r->record, &r->capacity, bytes))
        return SHUNT_NO_MEMORY;
    int err = f->ops->read(f, at, r->record, bytes);
    return err ? err : f->ops->write(f, at, &(const struct iovec){r->record, bytes}, 1);
}

/* What is whole here may be in the system's memory alone: if a flush fails, the process ends, but the pages stay there as if they had
 * been written, and no later flush writes them. That flush can have been for the last record, or for a length in the head block; so both
 * are written once more, as they are. */
static int make_durable(struct reading *r)
{
    struct journal_file *f = r->j->file;
    int err = write_again(r, 0, JOURNAL_BLOCK_BYTES);
    if (!err && r->last_bytes)
        err = write_again(r, r->last_at, r->last_bytes);
    return err ? err : f->ops->flush(f);
}

/* Whether a record can stand there. */
static bool is_place(const struct journal *j, struct journal_place place)
{
    return place.at >= RECORDS_AT && place.at <= j->bytes && place.at % JOURNAL_BLOCK_BYTES == 0;
}

int journal_open(struct journal_file *file, const uint8_t id[JOURNAL_ID_BYTES], struct journal_place oldest,
                 struct journal_place from, bool read_only, journal_each *each, void *context,
                 struct journal **ret, char *ret_why, size_t why_bytes)
{
    struct journal *j = malloc(sizeof *j);
    struct reading r = {.j = j, .read_only = read_only};
    ret_why[0] = '\0';
    if (!j) {
        WHY("cannot open the journal: %s", err_text(SHUNT_NO_MEMORY));
        file->ops->close(file);
        return SHUNT_NO_MEMORY;
    }
    *j = (struct journal){.file = file, .oldest = oldest, .next = from};
    memcpy(j->id, id, JOURNAL_ID_BYTES);
    int err = read_head_block(j, id, ret_why, why_bytes);
    if (!err && (!is_place(j, from) || !is_place(j, oldest) || oldest.number > from.number)) {
        WHY("the journal of %llu bytes cannot have record %llu at byte %llu, where the store says that it "
            "is: restore both from the same backup",
            (unsigned long long)j->bytes, (unsigned long long)from.number, (unsigned long long)from.at);
        err = SHUNT_CORRUPT;
    }
    if (!err)
        err = read_all(&r, each, context, ret_why, why_bytes);
    if (!err && !read_only)
        err = make_durable(&r);
    free(r.record);
    if (err) {
        if (!ret_why[0])
            WHY("cannot open the journal: %s: see that its disk and the memory are well", err_text(err));
        journal_close(j);
        return err;
    }
    *ret = j;
    return 0;
}
