/* message: reading one published message in place and holding it against the limits.
 *
 * A wrong shape ends the walk at once. A broken limit is remembered, the first one, and the walk goes on, so
 * that the reader ends behind the message. */
#include "proto/message.h"

#include "base/utf8.h"
#include "proto/errors.h"
#include "proto/limits.h"

#include <string.h>

static const char *const not_a_message =
    "a message is not of the form [body, headers, key, delay, ttl, deadline]";

/* What was found wrong first. */
struct verdict {
    int code;
    const char *why;
};

static void judge(struct verdict *v, bool ok, int code, const char *why);
static void read_headers(struct mpack_reader *r, struct message_view *m, struct verdict *v);
static int64_t read_duration(struct mpack_reader *r, struct verdict *v, const char *why);
__attribute__((noinline, cold)) static void read_deadline(struct mpack_reader *r, struct message_view *m);
__attribute__((noinline, cold)) static int check_later(struct mpack_reader *r, const struct message_view *m,
                                                       const char **ret_why);

int message_read(struct mpack_reader *r, size_t body_bytes_max, struct message_view *ret,
                 const char **ret_why)
{
    struct message_view *m = ret;
    *m = (struct message_view){0};
    struct verdict v = {SHUNT_OK, NULL};
    const uint8_t *from = r->at;

    uint32_t fields = mpack_read_array(r);
    m->body = mpack_read_bin(r); /* of an empty array, too: that fails the reader or is caught below */
    judge(&v, m->body.size <= body_bytes_max && m->body.size <= BODY_BYTES_MAX, SHUNT_TOO_LARGE,
          "the body is larger than the limit");
    if (fields > 1 && !mpack_read_is_nil(r))
        read_headers(r, m, &v);
    if (fields > 2 && !mpack_read_is_nil(r)) {
        m->key = mpack_read_text_or_bin(r);
        judge(&v, m->key.size <= KEY_BYTES_MAX, SHUNT_TOO_LARGE, "the key is longer than the limit");
    }
    if (fields > 3)
        m->delay_ms = read_duration(r, &v, "the delay is negative or over the limit");
    if (fields > 4)
        m->ttl_ms = read_duration(r, &v, "the time to live is negative or over the limit");
    if (fields > 5) {
        read_deadline(r, m);
        m->later = fields > 6 || m->deadline_bad;
    }
    for (uint32_t i = 6; i < fields && !r->failed; i++)
        (void)mpack_read_any(r); /* fields of a later version */

    if (r->failed || fields == 0) {
        r->failed = true;
        r->at = r->end;
        *ret_why = not_a_message;
        return SHUNT_PROTOCOL;
    }
    if (v.code) {
        *ret_why = v.why;
        return v.code;
    }
    m->whole = (struct slice){from, (size_t)(r->at - from)};
    return SHUNT_OK;
}

int message_read_new(struct mpack_reader *r, size_t body_bytes_max, struct message_view *ret,
                     const char **ret_why)
{
    int err = message_read(r, body_bytes_max, ret, ret_why);
    if (err)
        return err;
    if (ret->whole.size - ret->body.size > MESSAGE_EXTRA_BYTES_MAX) {
        *ret_why = "what the message has beside its body is larger than the limit";
        return SHUNT_TOO_LARGE;
    }
    return ret->later ? check_later(r, ret, ret_why) : 0;
}

/* A deadline, and what a later version has put behind it. */
static int check_later(struct mpack_reader *r, const struct message_view *m, const char **ret_why)
{
    if (m->deadline_bad == SHUNT_PROTOCOL) {
        r->failed = true;
        r->at = r->end;
        *ret_why = not_a_message;
        return SHUNT_PROTOCOL;
    }
    if (m->deadline_bad) {
        *ret_why = "the deadline is no time between 1970 and 9999";
        return m->deadline_bad;
    }
    /* It is within the depth of the frame that brought it, but the one that delivers it has a level more. */
    if (!mpack_check(m->whole.data, m->whole.size, MESSAGE_DEPTH_MAX)) {
        *ret_why = "what follows the message's times nests deeper than the limit";
        return SHUNT_TOO_LARGE;
    }
    return 0;
}

struct slice message_header(const struct message_view *m, const char *key)
{
    size_t cursor = 0;
    struct slice name, value;
    while (message_header_next(m, &cursor, &name, &value)) {
        if (slice_is(name, key))
            return value;
    }
    return (struct slice){NULL, 0};
}

bool message_header_next(const struct message_view *m, size_t *cursor, struct slice *ret_key,
                         struct slice *ret_value)
{
    if (*cursor >= m->headers.size)
        return false;
    struct mpack_reader r;
    const uint8_t *map = m->headers.data;
    mpack_read_init(&r, map + *cursor, m->headers.size - *cursor);
    if (*cursor == 0)
        (void)mpack_read_map(&r); /* the end of the bytes ends the walk, not the count */
    struct slice key = mpack_read_str(&r);
    struct slice value = mpack_read_text_or_bin(&r);
    if (r.failed)
        return false;
    *cursor = (size_t)(r.at - map);
    *ret_key = key;
    *ret_value = value;
    return true;
}

static void judge(struct verdict *v, bool ok, int code, const char *why)
{
    if (!ok && v->code == SHUNT_OK)
        *v = (struct verdict){code, why};
}

static void read_headers(struct mpack_reader *r, struct message_view *m, struct verdict *v)
{
    const uint8_t *from = r->at;
    uint32_t count = mpack_read_map(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        struct slice key = mpack_read_str(r);
        struct slice value = mpack_read_text_or_bin(r);
        if (v->code || r->failed)
            continue; /* already refused: only the shape still matters */
        judge(v, key.size > 0, SHUNT_BAD_ARGUMENT, "a header's key is empty");
        judge(v, key.size <= HEADER_KEY_BYTES_MAX, SHUNT_TOO_LARGE,
              "a header's key is longer than the limit");
        judge(v, value.size <= HEADER_VALUE_BYTES_MAX, SHUNT_TOO_LARGE,
              "a header's value is longer than the limit");
        judge(v, v->code || utf8_valid(key.data, key.size), SHUNT_BAD_ARGUMENT,
              "a header's key is not UTF-8");
    }
    m->headers = (struct slice){from, (size_t)(r->at - from)};
    m->headers_count = count;
    judge(v, count <= HEADERS_MAX, SHUNT_TOO_LARGE, "more headers than the limit");
    judge(v, m->headers.size <= HEADERS_BYTES_MAX, SHUNT_TOO_LARGE,
          "the headers together are larger than the limit");
}

/* A negative number and one over 63 bits are integers all the same: out of range, not out of shape. */
static int64_t read_duration(struct mpack_reader *r, struct verdict *v, const char *why)
{
    if (mpack_peek(r) != MPACK_INT) {
        (void)mpack_read_uint(r); /* fails the reader */
        return 0;
    }
    struct mpack_reader before = *r;
    uint64_t ms = mpack_read_uint(r);
    if (r->failed) {
        *r = before;
        (void)mpack_read_any(r); /* the number that mpack_peek() saw */
        ms = UINT64_MAX;
    }
    judge(v, ms <= (uint64_t)DURATION_MS_MAX, SHUNT_BAD_ARGUMENT, why);
    return ms <= (uint64_t)DURATION_MS_MAX ? (int64_t)ms : 0;
}

/* Before there were deadlines, anything of a later version might stand there, and was stored: what is none then says nothing, and
 * only who publishes now is told. */
static void read_deadline(struct mpack_reader *r, struct message_view *m)
{
    bool number = mpack_peek(r) == MPACK_INT;
    struct mpack_reader before = *r;
    uint64_t ms = number ? mpack_read_uint(r) : 0;
    if (!number || r->failed) {
        *r = before;
        (void)mpack_read_any(r);
        m->deadline_bad = number ? SHUNT_BAD_ARGUMENT : SHUNT_PROTOCOL;
    } else if (ms > (uint64_t)DEADLINE_MS_MAX) {
        m->deadline_bad = SHUNT_BAD_ARGUMENT;
    } else {
        m->deadline_ms = (int64_t)ms;
    }
}
