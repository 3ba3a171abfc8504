/* fuzz_message: any bytes as a message, checked by the validator before or not. */
#include "proto/errors.h"
#include "proto/limits.h"
#include "proto/message.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static bool inside(struct slice part, struct slice whole)
{
    const uint8_t *at = part.data, *from = whole.data;
    return part.size == 0 || (at >= from && part.size <= whole.size && at + part.size <= from + whole.size);
}

static void look(const struct message_view *m, size_t body_bytes_max)
{
    MUST(inside(m->body, m->whole) && inside(m->headers, m->whole) && inside(m->key, m->whole));
    MUST(m->body.size <= body_bytes_max && m->key.size <= KEY_BYTES_MAX);
    MUST(m->headers_count <= HEADERS_MAX && m->headers.size <= HEADERS_BYTES_MAX);
    MUST(m->delay_ms >= 0 && m->delay_ms <= DURATION_MS_MAX);
    MUST(m->ttl_ms >= 0 && m->ttl_ms <= DURATION_MS_MAX);

    size_t cursor = 0;
    uint32_t count = 0;
    struct slice key, value;
    while (message_header_next(m, &cursor, &key, &value)) {
        char name[HEADER_KEY_BYTES_MAX + 1];
        MUST(inside(key, m->headers) && inside(value, m->headers));
        MUST(key.size >= 1 && key.size <= HEADER_KEY_BYTES_MAX && value.size <= HEADER_VALUE_BYTES_MAX);
        memcpy(name, key.data, key.size);
        name[key.size] = '\0';
        if (strlen(name) == key.size)
            MUST(message_header(m, name).data);
        count++;
    }
    MUST(count == m->headers_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t body_bytes_max = 64;
    struct mpack_reader r;
    struct message_view m, again;
    const char *why = NULL;
    mpack_read_init(&r, data, size);
    int code = message_read(&r, body_bytes_max, &m, &why);
    MUST(code == SHUNT_OK || (why && err_known(code)));
    MUST(r.failed == (code == SHUNT_PROTOCOL));
    if (code != SHUNT_OK)
        return 0;
    look(&m, body_bytes_max);
    MUST(m.whole.data == data && (const uint8_t *)m.whole.data + m.whole.size == r.at);
    /* What is stored is these very bytes: read again they are the same message. */
    mpack_read_init(&r, m.whole.data, m.whole.size);
    MUST(message_read(&r, body_bytes_max, &again, &why) == SHUNT_OK);
    MUST(again.body.data == m.body.data && again.key.data == m.key.data);
    MUST(again.delay_ms == m.delay_ms && again.ttl_ms == m.ttl_ms);
    return 0;
}
