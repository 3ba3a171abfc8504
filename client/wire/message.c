/* message: headers are encoded as they are set, so that publishing the message is a few copies. */
#include "client/wire/message.h"
#include "base/utf8.h"
#include "client/wire/split.h"
#include "proto/message.h"
#include <stdlib.h>
#include <string.h>

struct shunt_message *shunt_message_new(void)
{
    return calloc(1, sizeof(struct shunt_message));
}

void shunt_message_free(struct shunt_message *m)
{
    if (!m)
        return;
    mpack_buffer_done(&m->headers);
    free(m);
}

void shunt_message_clear(struct shunt_message *m)
{
    m->body = NULL;
    m->body_bytes = 0;
    m->headers.size = 0;
    m->headers.failed = false;
    m->headers_count = 0;
    m->key_bytes = 0;
    m->base_bytes = 0;
    m->delay_ms = 0;
    m->ttl_ms = 0;
    m->deadline_ms = 0;
    m->number = 0;
}

void shunt_message_body(struct shunt_message *m, const void *body, size_t bytes)
{
    m->body = body;
    m->body_bytes = bytes;
}

/* Take out the pair with this key, if there is one: the later value wins. */
static void remove_pair(struct shunt_message *m, const char *key, size_t key_bytes)
{
    size_t at = 0;
    for (uint32_t i = 0; i < m->headers_count; i++) {
        size_t pair_bytes = m->pairs[i].pair_bytes;
        struct mpack_reader r;
        mpack_read_init(&r, m->headers.data + at, pair_bytes);
        if (m->pairs[i].key_bytes == key_bytes && memcmp(mpack_read_str(&r).data, key, key_bytes) == 0) {
            memmove(m->headers.data + at, m->headers.data + at + pair_bytes,
                    m->headers.size - at - pair_bytes);
            m->headers.size -= pair_bytes;
            m->headers_count--;
            memmove(&m->pairs[i], &m->pairs[i + 1], (m->headers_count - i) * sizeof m->pairs[0]);
            return;
        }
        at += pair_bytes;
    }
}

static int check_header(const char *key, size_t key_bytes, size_t value_bytes)
{
    if (key_bytes == 0 || !utf8_valid(key, key_bytes))
        return SHUNT_BAD_ARGUMENT;
    if (key_bytes > HEADER_KEY_BYTES_MAX || value_bytes > HEADER_VALUE_BYTES_MAX)
        return SHUNT_TOO_LARGE;
    return 0;
}

int shunt_message_header(struct shunt_message *m, const char *key, const void *value, size_t bytes)
{
    size_t key_bytes = strlen(key);
    int rc = check_header(key, key_bytes, bytes);
    if (rc != 0)
        return rc;
    struct mpack_buffer pair = {0};
    mpack_write_str(&pair, key, key_bytes);
    if (utf8_valid(value, bytes))
        mpack_write_str(&pair, value, bytes);
    else
        mpack_write_bin(&pair, value, bytes);
    if (pair.failed) {
        mpack_buffer_done(&pair);
        return SHUNT_NO_MEMORY;
    }
    /* The limit is on the map with its own header of 1, 3 or 5 bytes. */
    if (m->headers.size + pair.size + 5 > HEADERS_BYTES_MAX) {
        mpack_buffer_done(&pair);
        return SHUNT_TOO_LARGE;
    }
    remove_pair(m, key, key_bytes);
    if (m->headers_count == HEADERS_MAX)
        rc = SHUNT_TOO_LARGE;
    if (rc == 0) {
        mpack_write_raw(&m->headers, pair.data, pair.size);
        rc = m->headers.failed ? SHUNT_NO_MEMORY : 0;
        m->headers.failed = false;
    }
    if (rc == 0) {
        m->pairs[m->headers_count].key_bytes = (uint32_t)key_bytes;
        m->pairs[m->headers_count++].pair_bytes = pair.size;
    }
    mpack_buffer_done(&pair);
    return rc;
}

void message_unsplit(struct shunt_message *m)
{
    if (!m->base_bytes)
        return;
    m->key_bytes = m->base_bytes;
    m->base_bytes = 0;
    remove_pair(m, SPLIT_HEADER, strlen(SPLIT_HEADER));
}

int shunt_message_key(struct shunt_message *m, const void *key, size_t bytes)
{
    if (bytes == 0)
        return SHUNT_BAD_ARGUMENT;
    if (bytes > KEY_BYTES_MAX)
        return SHUNT_TOO_LARGE;
    message_unsplit(m);
    memcpy(m->key, key, bytes);
    m->key_bytes = bytes;
    return 0;
}

int shunt_message_delay(struct shunt_message *m, int64_t delay_ms)
{
    if (delay_ms < 0 || delay_ms > DURATION_MS_MAX)
        return SHUNT_BAD_ARGUMENT;
    m->delay_ms = delay_ms;
    return 0;
}

int shunt_message_ttl(struct shunt_message *m, int64_t ttl_ms)
{
    if (ttl_ms < 0 || ttl_ms > DURATION_MS_MAX)
        return SHUNT_BAD_ARGUMENT;
    m->ttl_ms = ttl_ms;
    return 0;
}

int shunt_message_deadline(struct shunt_message *m, int64_t deadline_ms)
{
    if (deadline_ms < 0 || deadline_ms > DEADLINE_MS_MAX)
        return SHUNT_BAD_ARGUMENT;
    m->deadline_ms = deadline_ms;
    return 0;
}

int shunt_message_number(struct shunt_message *m, uint64_t number)
{
    if (number == 0)
        return SHUNT_BAD_ARGUMENT;
    m->number = number;
    return 0;
}

/* How many of the six fields are sent: those after the last that says something are left out. */
static uint32_t fields(const struct shunt_message *m)
{
    if (m->deadline_ms > 0)
        return 6;
    if (m->ttl_ms > 0)
        return 5;
    if (m->delay_ms > 0)
        return 4;
    if (m->key_bytes > 0)
        return 3;
    return m->headers_count > 0 ? 2 : 1;
}

void message_encode(const struct shunt_message *m, struct mpack_buffer *b)
{
    uint32_t count = fields(m);
    mpack_write_array(b, count);
    mpack_write_bin(b, m->body, m->body_bytes);
    if (count == 1)
        return;
    if (m->headers_count > 0) {
        mpack_write_map(b, m->headers_count);
        mpack_write_raw(b, m->headers.data, m->headers.size);
    } else {
        mpack_write_nil(b);
    }
    if (count == 2)
        return;
    if (m->key_bytes > 0)
        mpack_write_bin(b, m->key, m->key_bytes);
    else
        mpack_write_nil(b);
    if (count > 3)
        mpack_write_uint(b, (uint64_t)m->delay_ms);
    if (count > 4)
        mpack_write_uint(b, (uint64_t)m->ttl_ms);
    if (count > 5)
        mpack_write_uint(b, (uint64_t)m->deadline_ms);
}

size_t message_encoded_bytes_max(const struct shunt_message *m)
{
    return 1 + 5 + m->body_bytes + 5 + m->headers.size + 5 + m->key_bytes + 9 + 9 + 9;
}
