/* mpack: reading and writing msgpack in place.
 *
 * A frame from outside is first walked once by mpack_check(), which proves that every count and length fits
 * the bytes that are there and that nesting is bounded. After that a reader is a bare cursor over the same
 * bytes: it allocates nothing and what it returns points into them. The reader still never runs past its end:
 * a wrong type or the end of the bytes makes it `failed`, and every later read returns an empty value.
 */
#ifndef SHUNT_PROTO_MPACK_H
#define SHUNT_PROTO_MPACK_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- validator ---- */

/* True if `bytes` hold exactly one msgpack value, nested at most `depth_max` deep (a scalar is depth 0), whose
 * every count and length fits `size`. Extension types and the never-used byte c1 are refused.
 * cost: one pass over the headers, bodies are skipped.  fails: never. */
bool mpack_check(const void *bytes, size_t size, unsigned depth_max);

/* ---- reader ---- */

enum mpack_type {
    MPACK_NIL,
    MPACK_BOOL,
    MPACK_INT,
    MPACK_FLOAT,
    MPACK_STR,
    MPACK_BIN,
    MPACK_ARRAY,
    MPACK_MAP,
    MPACK_END
};

struct mpack_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

void mpack_read_init(struct mpack_reader *r, const void *bytes, size_t size);
/* The next value's type without consuming it; MPACK_END at the end or after a failure. */
enum mpack_type mpack_peek(const struct mpack_reader *r);
/* Each consumes one value (of an array or map: its header) and marks the reader failed if the type differs. */
uint64_t mpack_read_uint(struct mpack_reader *r); /* a negative number fails */
int64_t mpack_read_int(struct mpack_reader *r);   /* a number over INT64_MAX fails */
bool mpack_read_bool(struct mpack_reader *r);
void mpack_read_nil(struct mpack_reader *r);
/* What is read lies in the reader's bytes. Of a reader that has failed it is empty, and never NULL. */
struct slice mpack_read_str(struct mpack_reader *r);
struct slice mpack_read_bin(struct mpack_reader *r);
struct slice mpack_read_text_or_bin(struct mpack_reader *r); /* str or bin */
uint32_t mpack_read_array(struct mpack_reader *r);           /* number of elements that follow */
uint32_t mpack_read_map(struct mpack_reader *r);             /* number of pairs that follow */
/* Skip one whole value and return its bytes. */
struct slice mpack_read_any(struct mpack_reader *r);
/* If the next value is nil, consume it and return true. */
bool mpack_read_is_nil(struct mpack_reader *r);

/* ---- writer ---- */

/* A growable byte buffer. `failed` after an allocation failed; later writes do nothing. */
struct mpack_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool failed;
};

void mpack_buffer_done(struct mpack_buffer *b); /* frees the bytes; takes an empty one */
/* Room for `size` more bytes, appended; NULL (and failed) without memory. The pointer lives until the next write. */
void *mpack_extend(struct mpack_buffer *b, size_t size);
void mpack_write_raw(struct mpack_buffer *b, const void *bytes, size_t size);
void mpack_write_uint(struct mpack_buffer *b, uint64_t v);
void mpack_write_int(struct mpack_buffer *b, int64_t v);
void mpack_write_bool(struct mpack_buffer *b, bool v);
void mpack_write_nil(struct mpack_buffer *b);
void mpack_write_str(struct mpack_buffer *b, const void *text, size_t size);
void mpack_write_cstr(struct mpack_buffer *b, const char *text); /* NULL writes nil */
void mpack_write_bin(struct mpack_buffer *b, const void *bytes, size_t size);
void mpack_write_array(struct mpack_buffer *b, uint32_t count);
void mpack_write_map(struct mpack_buffer *b, uint32_t count);
/* An array header of fixed width whose count is filled in later: returns its offset for mpack_patch_array(). */
size_t mpack_write_array_open(struct mpack_buffer *b);
void mpack_patch_array(struct mpack_buffer *b, size_t offset, uint32_t count);
/* The same for a map. */
size_t mpack_write_map_open(struct mpack_buffer *b);
void mpack_patch_map(struct mpack_buffer *b, size_t offset, uint32_t count);

#endif
