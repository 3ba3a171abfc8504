/* schema_message: messages, and bitmaps of those that are done. */
#include "broker/core/schema_record.h"

/* ---- messages ---- */

#define FLAG_SCHEDULED 1u
#define FLAG_EXPIRES   2u
#define FLAG_DEADLINE  4u /* only with the one before */
#define FLAGS          (FLAG_SCHEDULED | FLAG_EXPIRES | FLAG_DEADLINE)
#define HEAD_BYTES     16

int64_t message_ttl_ms(const struct message_head *h)
{
    int64_t ends_ms = h->deadline_ms ? h->ttl_ends_ms : h->expires_ms;
    int64_t since_ms = ends_ms > message_since_ms(h) ? message_since_ms(h) : h->published_ms;
    return ends_ms ? ends_ms - since_ms : 0;
}

size_t message_head_bytes(const struct message_head *h)
{
    return HEAD_BYTES + (h->due_ms ? 8u : 0u) + (h->expires_ms ? h->deadline_ms ? 24u : 8u : 0u);
}

void message_encode(void *to, struct slice key, const struct message_head *h, struct slice message)
{
    uint8_t *p = to;
    uint64_t flags = (h->due_ms ? FLAG_SCHEDULED : 0u) |
                     (h->expires_ms ? h->deadline_ms ? FLAG_EXPIRES | FLAG_DEADLINE : FLAG_EXPIRES : 0u);
    put_be64(p + 8, flags << 56 | ((uint64_t)h->published_ms & 0xffffffffffffffull));
    uint8_t *at = p + HEAD_BYTES;
    if (h->due_ms) {
        put_be64(at, (uint64_t)h->due_ms);
        at += 8;
    }
    if (h->expires_ms) {
        put_be64(at, (uint64_t)h->expires_ms);
        at += 8;
        if (h->deadline_ms) {
            put_be64(at, (uint64_t)h->deadline_ms);
            put_be64(at + 8, (uint64_t)h->ttl_ends_ms);
            at += 16;
        }
    }
    memcpy(at, message.data, message.size);
    put_be64(p, checksum(TABLE_MESSAGE, key, p + 8, (size_t)(at - p) - 8 + message.size));
}

int message_decode(struct slice key, struct slice value, bool verify, struct message_head *ret,
                   struct slice *ret_message)
{
    const uint8_t *p = value.data;
    ret_message->size = 0;
    if (value.size < HEAD_BYTES)
        return SHUNT_CORRUPT;
    uint64_t word = get_be64(p + 8);
    unsigned flags = (unsigned)(word >> 56);
    size_t at = HEAD_BYTES;
    struct message_head h = {.published_ms = (int64_t)(word & 0xffffffffffffffull)};
    size_t need = at + (flags & FLAG_SCHEDULED ? 8u : 0u) + (flags & FLAG_EXPIRES ? 8u : 0u) +
                  (flags & FLAG_DEADLINE ? 16u : 0u);
    if (flags > FLAGS || value.size < need || (flags & (FLAG_DEADLINE | FLAG_EXPIRES)) == FLAG_DEADLINE)
        return SHUNT_CORRUPT;
    ret_message->size = value.size - need;
    if (verify && get_be64(p) != checksum(TABLE_MESSAGE, key, p + 8, value.size - 8))
        return SHUNT_CORRUPT;
    if (flags & FLAG_SCHEDULED) {
        h.due_ms = (int64_t)get_be64(p + at);
        at += 8;
    }
    if (flags & FLAG_EXPIRES) {
        h.expires_ms = (int64_t)get_be64(p + at);
        at += 8;
    }
    if (flags & FLAG_DEADLINE) {
        h.deadline_ms = (int64_t)get_be64(p + at);
        h.ttl_ends_ms = (int64_t)get_be64(p + at + 8);
        at += 16;
    }
    *ret = h;
    ret_message->data = p + at;
    return 0;
}

/* ---- bitmaps ---- */

size_t chunk_encode(uint8_t *to, struct slice key, const uint64_t *words)
{
    struct codec c = {.at = to, .end = to + RECORD_BYTES_MAX - CHECKSUM_BYTES, .writing = true};
    for (size_t i = 0; i < CHUNK_BYTES / 8; i++) {
        uint64_t word = words[i];
        codec_u64(&c, &word);
    }
    return write_end(&c, to, TABLE_DONE, key);
}

int chunk_decode(struct slice key, struct slice value, uint64_t *ret_words)
{
    struct codec c = read_begin(TABLE_DONE, key, value);
    for (size_t i = 0; i < CHUNK_BYTES / 8; i++)
        codec_u64(&c, &ret_words[i]);
    return read_end(&c);
}
