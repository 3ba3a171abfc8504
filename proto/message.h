/* message: what a publisher sends, as it is stored and delivered.
 *
 * A message is one msgpack array, trailing fields that are nil or 0 may be left out:
 *   [ body (bin), headers (map str -> str|bin, or nil), key (bin|str, or nil), delay_ms (uint), ttl_ms (uint),
 *     deadline_ms (uint, ms since 1970; 0: none) ]
 * Fields after these belong to a later version and are kept.
 * The broker stores these very bytes and sends them on; it never encodes a message again.
 */
#ifndef SHUNT_PROTO_MESSAGE_H
#define SHUNT_PROTO_MESSAGE_H

#include "proto/mpack.h"

/* The broker gives it to a message that was moved from a dead-letter queue to another topic: `TOPIC/SEQ` of the one that died. */
#define ORIGIN_HEADER "shunt-origin"

struct message_view {
    struct slice whole; /* the array's bytes */
    struct slice body;
    struct slice headers; /* the map's bytes, size 0 if there is none */
    uint32_t headers_count;
    struct slice key; /* size 0 if there is none */
    int64_t delay_ms;
    int64_t ttl_ms;
    int64_t deadline_ms; /* ms since 1970, by the clock that the broker shows; 0: none */
    bool later;          /* it has fields of a later version, or … */
    /* … what stands in the place of its deadline is none: BAD_ARGUMENT or PROTOCOL if it is published now */
    uint8_t deadline_bad;
};

/* The latest deadline: the end of the year 9999. */
#define DEADLINE_MS_MAX 253402300799999

/* It has a time of its own, so that it takes rows of its own. */
static inline bool message_is_timed(const struct message_view *m)
{
    return (m->delay_ms | m->ttl_ms | m->deadline_ms) != 0;
}

/* Read one message at the reader's place and check it against limits.h.
 * in:    `body_bytes_max` the configured limit (bytes).
 * out:   `*ret` points into the reader's bytes; the reader stands behind the message. After a failure it says nothing of use.
 * fails: a code of errors.h: PROTOCOL (not of that shape), TOO_LARGE (body, headers, key), BAD_ARGUMENT (delay or
 *        time to live negative or over DURATION_MS_MAX; a header's key empty or not UTF-8). `*ret_why`, static text, says which. After PROTOCOL the reader is failed;
 *        after the others it stands behind the message. */
int message_read(struct mpack_reader *r, size_t body_bytes_max, struct message_view *ret,
                 const char **ret_why);

/* The same for one that is being published, which is also held to MESSAGE_EXTRA_BYTES_MAX and MESSAGE_DEPTH_MAX (TOO_LARGE), and whose deadline must be
 * one (PROTOCOL, BAD_ARGUMENT): stored messages may be older than those limits, and than deadlines. */
int message_read_new(struct mpack_reader *r, size_t body_bytes_max, struct message_view *ret,
                     const char **ret_why);

/* The value of header `key` (bytes compared exactly), or a slice with data NULL. */
struct slice message_header(const struct message_view *m, const char *key);

/* Walk the headers: call with *cursor = 0 first; false after the last. */
bool message_header_next(const struct message_view *m, size_t *cursor, struct slice *ret_key,
                         struct slice *ret_value);

#endif
