/* store_lmdb_rows: copies of rows that are taken out of LMDB's pages and put again, and what a row takes of a page. Private to the store_lmdb_*.c files. */
#ifndef SHUNT_STORE_STORE_LMDB_ROWS_H
#define SHUNT_STORE_STORE_LMDB_ROWS_H

#include "broker/store/store_lmdb.h"

/* As LMDB has them (PAGEHDRSZ, NODESIZE and the entry in the page's list). */
#define PAGE_HEAD_BYTES 16
#define ROW_HEAD_BYTES  8
#define ROW_ENTRY_BYTES 2

/* Rows one after the other, each behind its sizes. `bytes` is its owner's. */
struct lmdb_rows {
    uint8_t *bytes;
    size_t size, capacity;
    uint8_t *last; /* row */
};

struct lmdb_row_sizes {
    uint16_t key, value;
};

/* The row at `at`; returns where the next one begins. */
static inline uint8_t *lmdb_row_read(uint8_t *at, MDB_val *key, MDB_val *value)
{
    struct lmdb_row_sizes sizes;
    memcpy(&sizes, at, sizeof sizes);
    *key = (MDB_val){sizes.key, at + sizeof sizes};
    *value = (MDB_val){sizes.value, at + sizeof sizes + sizes.key};
    return at + sizeof sizes + sizes.key + sizes.value;
}

/* What lmdb_row_add() needs of the capacity, and a row of a page: its sizes, its bytes, and that its place is even. */
static inline size_t lmdb_row_bytes(const MDB_val *key, const MDB_val *value)
{
    size_t bytes = ROW_HEAD_BYTES + key->mv_size + value->mv_size;
    return bytes + bytes % 2 + ROW_ENTRY_BYTES;
}

/* A row behind the others; there is room, and it is not large. */
static inline void lmdb_row_add(struct lmdb_rows *rows, const MDB_val *key, const MDB_val *value)
{
    struct lmdb_row_sizes sizes = {(uint16_t)key->mv_size, (uint16_t)value->mv_size};
    rows->last = rows->bytes + rows->size;
    memcpy(rows->last, &sizes, sizeof sizes);
    memcpy(rows->last + sizeof sizes, key->mv_data, key->mv_size);
    if (value->mv_size)
        memcpy(rows->last + sizeof sizes + key->mv_size, value->mv_data, value->mv_size);
    rows->size += sizeof sizes + key->mv_size + value->mv_size;
}

/* Whether LMDB keeps the value on pages of its own: a page holds two rows at least. */
static inline bool lmdb_row_is_large(const struct lmdb_store *s, const MDB_val *key, const MDB_val *value)
{
    return lmdb_row_bytes(key, value) > ((s->page_bytes - PAGE_HEAD_BYTES) / 2 & ~(uint64_t)1);
}

#endif
