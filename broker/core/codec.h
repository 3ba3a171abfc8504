/* codec: one list of fields that both writes and reads a record, so that the two cannot differ. */
#ifndef SHUNT_CORE_CODEC_H
#define SHUNT_CORE_CODEC_H

#include "base/big_endian.h"
#include "proto/mpack.h"
#include <string.h>

struct codec {
    uint8_t *at; /* reading: the bytes are not written to */
    uint8_t *end;
    bool writing;
    bool failed; /* ran out of room or bytes, or read what cannot be */
};

/* The next `size` bytes; NULL if there are not so many. */
static inline uint8_t *codec_take(struct codec *c, size_t size)
{
    if (c->failed || (size_t)(c->end - c->at) < size) {
        c->failed = true;
        return NULL;
    }
    uint8_t *here = c->at;
    c->at += size;
    return here;
}

static inline void codec_u32(struct codec *c, uint32_t *v)
{
    uint8_t *p = codec_take(c, 4);
    if (!p)
        return;
    if (c->writing)
        put_be32(p, *v);
    else
        *v = get_be32(p);
}

static inline void codec_u64(struct codec *c, uint64_t *v)
{
    uint8_t *p = codec_take(c, 8);
    if (!p)
        return;
    if (c->writing)
        put_be64(p, *v);
    else
        *v = get_be64(p);
}

static inline void codec_i64(struct codec *c, int64_t *v)
{
    uint64_t u = (uint64_t)*v;
    codec_u64(c, &u);
    *v = (int64_t)u;
}

/* So many in a row, checked as one: group records are mostly counters, and a commit writes several. */
static inline void codec_u64s(struct codec *c, uint64_t *v, size_t count)
{
    uint8_t *p = codec_take(c, count * 8);
    if (!p)
        return;
    for (size_t i = 0; i < count; i++, p += 8) {
        if (c->writing)
            put_be64(p, v[i]);
        else
            v[i] = get_be64(p);
    }
}

void codec_u8(struct codec *c, uint8_t *v);
void codec_bool(struct codec *c, bool *v);
/* An enum kept in a byte; reading fails at `count` and above. */
void codec_choice(struct codec *c, unsigned *v, unsigned count);
/* A terminated string of fewer than `room` bytes. */
void codec_text(struct codec *c, char *v, size_t room);
/* A fixed number of bytes. */
void codec_bytes(struct codec *c, void *v, size_t size);
/* Bytes with their length; reading lends them. */
void codec_slice(struct codec *c, struct slice *v);

#endif
