/* journal_layout: the bytes of the journal's file (docs/storage.md has the tables), and what an open journal is. Private to broker/journal.
 *
 * The head block and every record begin with the same 64 bytes: a checksum, a magic, the journal's id, and two numbers: of a record its
 * number and the bytes of its body, of the file the version of its layout and its length.
 */
#ifndef SHUNT_JOURNAL_JOURNAL_LAYOUT_H
#define SHUNT_JOURNAL_JOURNAL_LAYOUT_H

#include "base/big_endian.h"
#include "broker/journal/journal.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    HEAD_CHECKSUM = 0,
    HEAD_MAGIC = 8,
    HEAD_ID = 16,
    HEAD_NUMBER = 32,
    HEAD_BYTES = 40,
    HEAD_AT = 48,
    HEAD_SERIAL = 56
};

#define JOURNAL_VERSION 1u
#define MAGIC_FILE      0x7368756e746a6e6cull           /* "shuntjnl" */
#define MAGIC_RECORD    0x7368756e74726563ull           /* "shuntrec" */
#define MAGIC_MARK      0x7368756e746d726bull           /* "shuntmrk" */
#define RECORDS_AT      ((uint64_t)JOURNAL_BLOCK_BYTES) /* behind the head block */

/* A mark: the records from `number` on stand in `bytes` from `at` on, until there is another one, which is durable before a record
 * stands elsewhere. So what was written last is looked for there, and not in the whole file. Two places in the head block have the two
 * last ones, in sectors of their own. */
#define SECTOR_BYTES       512u
#define MARKS              2u
#define MARK_BYTES_MAX     (32ull << 20) /* beside the record for which it is written */
#define MARK_PLACE(serial) ((1 + (serial) % MARKS) * (uint64_t)SECTOR_BYTES)

struct journal_mark {
    uint64_t serial; /* the later one has the greater */
    uint64_t number, at;
    uint64_t bytes; /* 0: none is known */
};

struct journal {
    struct journal_file *file;
    uint8_t id[JOURNAL_ID_BYTES];
    uint64_t bytes;              /* of the file, in whole blocks */
    struct journal_place oldest; /* of the first record that is still needed; `next` if none is */
    struct journal_place next;
    struct journal_mark mark;  /* the last one */
    struct journal_place last; /* the record before it; number 0: not known */
    uint64_t appended_bytes;   /* since it was opened */
    int failed;                /* the first error: nothing is written any more */
};

static inline uint64_t whole_blocks(uint64_t bytes)
{
    return (bytes + JOURNAL_BLOCK_BYTES - 1) / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES;
}

static inline uint64_t record_bytes(uint64_t body_bytes)
{
    return whole_blocks(JOURNAL_HEAD_BYTES + body_bytes);
}

/* Whether the needed records go on behind the head block; then what lies between `next` and `oldest` is free, and otherwise all the rest. */
static inline bool is_wrapped(const struct journal *j)
{
    return j->next.number != j->oldest.number && j->next.at <= j->oldest.at;
}

/* Of a head at `at` and the body behind it. */
static inline uint64_t head_checksum(const uint8_t *head, uint64_t body_bytes, uint64_t at)
{
    return XXH3_64bits_withSeed(head + HEAD_MAGIC, JOURNAL_HEAD_BYTES - HEAD_MAGIC + body_bytes, at);
}

static inline void head_write(uint8_t *head, uint64_t magic, const uint8_t *id, uint64_t number,
                              uint64_t bytes)
{
    memset(head, 0, JOURNAL_HEAD_BYTES);
    put_be64(head + HEAD_MAGIC, magic);
    memcpy(head + HEAD_ID, id, JOURNAL_ID_BYTES);
    put_be64(head + HEAD_NUMBER, number);
    put_be64(head + HEAD_BYTES, bytes);
}

/* ---- journal_mark.c ---- */

/* Of a file of this length. */
static inline uint64_t mark_bytes(const struct journal *j)
{
    uint64_t part = whole_blocks(j->bytes / 8);
    return part < MARK_BYTES_MAX ? part : MARK_BYTES_MAX;
}

/* Whether the record of `bytes` at `at` stands where the mark says. */
bool mark_has(const struct journal *j, uint64_t at, uint64_t bytes);
/* Write another one, for that record and those behind it. It is durable after the next flush. fails: NO_SPACE, IO */
int mark_write(struct journal *j, uint64_t at, uint64_t bytes);
/* Read the last one. None is known if there is none, or if what may have been the last one is not whole. fails: IO */
int mark_read(struct journal *j);

#endif
