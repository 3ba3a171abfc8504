/* row: one change of a table, as a record of the journal holds it: a key gets a value, or goes. The bodies of records are rows, one
 * behind the other; in memory they stay where they are, and the index points at them.
 *
 *     1  table, with ROW_DELETED and ROW_BELOW
 *     1  size of the key, at least 1
 *     4  size of the value, the smallest byte first; 0 if it is deleted
 *     .  the key, the value
 */
#ifndef SHUNT_JOURNAL_ROW_H
#define SHUNT_JOURNAL_ROW_H

#include "broker/store/store.h"

#include <string.h>

#define ROW_DELETED 0x80u
/* Something older lies below the generation that this row is in, under the same key: to delete the row is to hide that. Written for
 * the next start, which reads the record again. */
#define ROW_BELOW 0x40u
#define ROW_TABLE 0x3fu

struct row {
    uint8_t head;
    uint8_t key_size;
    uint8_t value_size[4];
    uint8_t bytes[];
};

_Static_assert(TABLE_COUNT <= ROW_TABLE, "a table fits beside the flags");

static inline size_t row_bytes(size_t key_size, size_t value_size)
{
    return sizeof(struct row) + key_size + value_size;
}

static inline struct slice row_key(const struct row *r)
{
    return (struct slice){r->bytes, r->key_size};
}

static inline uint32_t row_value_size(const struct row *r)
{
    return (uint32_t)r->value_size[0] | (uint32_t)r->value_size[1] << 8 | (uint32_t)r->value_size[2] << 16 |
           (uint32_t)r->value_size[3] << 24;
}

static inline struct slice row_value(const struct row *r)
{
    return (struct slice){r->bytes + r->key_size, row_value_size(r)};
}

static inline enum store_table row_table(const struct row *r)
{
    return (enum store_table)(r->head & ROW_TABLE);
}

static inline bool row_deleted(const struct row *r)
{
    return r->head & ROW_DELETED;
}

static inline bool row_below(const struct row *r)
{
    return r->head & ROW_BELOW;
}

/* Write a row but for its value's bytes; `to` has row_bytes(). */
static inline struct row *row_write(void *to, unsigned head, struct slice key, uint32_t value_size)
{
    struct row *r = to;
    r->head = (uint8_t)head;
    r->key_size = (uint8_t)key.size;
    for (unsigned i = 0; i < 4; i++)
        r->value_size[i] = (uint8_t)(value_size >> 8 * i);
    memcpy(r->bytes, key.data, key.size);
    return r;
}

/* The row at the beginning of `left`, which moves on behind it. NULL: what is there is none. */
static inline struct row *row_take(struct slice *left)
{
    const struct row *r = (const struct row *)left->data;
    if (left->size < sizeof *r || !r->key_size || row_table(r) >= TABLE_COUNT ||
        left->size - sizeof *r < (size_t)r->key_size + row_value_size(r) ||
        (row_deleted(r) && row_value_size(r)))
        return NULL;
    size_t bytes = row_bytes(r->key_size, row_value_size(r));
    *left = (struct slice){(const char *)left->data + bytes, left->size - bytes};
    return (struct row *)(uintptr_t)r;
}

#endif
