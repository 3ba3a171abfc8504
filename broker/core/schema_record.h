/* schema_record: what all values of the store have in common: where their checksum stands, and what it is. Of schema*.c alone. */
#ifndef SHUNT_CORE_SCHEMA_RECORD_H
#define SHUNT_CORE_SCHEMA_RECORD_H

#include "base/check.h"
#include "broker/core/codec.h"
#include "broker/core/schema.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHECKSUM_BYTES 8

/* Which table a row belongs to is part of its checksum. */
static inline uint64_t checksum(enum store_table table, struct slice key, const void *bytes, size_t size)
{
    uint64_t seed = XXH3_64bits_withSeed(key.data, key.size, (uint64_t)table + 1);
    return XXH3_64bits_withSeed(bytes, size, seed);
}

static inline size_t write_end(struct codec *c, uint8_t *to, enum store_table table, struct slice key)
{
    check(!c->failed);
    size_t size = (size_t)(c->at - to);
    put_be64(c->at, checksum(table, key, to, size));
    return size + CHECKSUM_BYTES;
}

/* A codec that reads `value`'s fields; failed at once if the checksum is wrong. */
static inline struct codec read_begin(enum store_table table, struct slice key, struct slice value)
{
    uint8_t *p = (uint8_t *)(uintptr_t)value.data; /* a reading codec does not write to it */
    struct codec c = {.writing = false, .failed = true};
    if (value.size < CHECKSUM_BYTES)
        return c;
    size_t size = value.size - CHECKSUM_BYTES;
    if (get_be64(p + size) != checksum(table, key, p, size))
        return c;
    return (struct codec){.at = p, .end = p + size, .writing = false};
}

static inline int read_end(const struct codec *c)
{
    return c->failed || c->at != c->end ? SHUNT_CORRUPT : 0;
}

/* NAME_encode and NAME_decode, from the list of its fields. */
#define RECORD(name, table)                                                                                  \
    size_t name##_encode(uint8_t *to, struct slice key, const struct name##_record *r)                       \
    {                                                                                                        \
        struct codec c = {.at = to, .end = to + RECORD_BYTES_MAX - CHECKSUM_BYTES, .writing = true};         \
        name##_fields(&c, (struct name##_record *)(uintptr_t)r); /* a writing codec does not change it */    \
        return write_end(&c, to, table, key);                                                                \
    }                                                                                                        \
    int name##_decode(struct slice key, struct slice value, struct name##_record *ret)                       \
    {                                                                                                        \
        struct codec c = read_begin(table, key, value);                                                      \
        if (c.failed)                                                                                        \
            return SHUNT_CORRUPT;                                                                            \
        name##_fields(&c, ret);                                                                              \
        return read_end(&c);                                                                                 \
    }

#endif
