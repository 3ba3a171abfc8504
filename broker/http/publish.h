/* publish: messages that come over HTTP (docs/api.md) as one PUBLISH of the protocol.
 *
 *     application/json            an object: one message; an array of them: all go together
 *     application/x-ndjson        the same as lines, as `-o jsonl` of the tool writes them
 *     application/octet-stream    one message: its body as it is, the rest in headers of HTTP
 *
 * A message has the members of the tool's JSON. What such a line tells beside them, of the message that it was, is passed over, so
 * that a line that was exported can be published again; any other member is an error. */
#ifndef SHUNT_HTTP_PUBLISH_H
#define SHUNT_HTTP_PUBLISH_H

#include "broker/http/problem.h"
#include "broker/http/target.h"
#include "proto/limits.h"
#include "proto/mpack.h"

#define PUBLISH_BYTES_MAX (4u * 1024 * 1024) /* of a body of HTTP */
#define PUBLISH_VALUES_MAX                                                                                   \
    400000u /* JSON values in one: what they take in memory does not depend on bytes alone */
#define IDEMPOTENCY_KEY_BYTES_MAX 255

enum publish_form { PUBLISH_JSON, PUBLISH_LINES, PUBLISH_RAW };

/* What the headers of HTTP say. All zero: nothing yet. Its slices lie in what was read. */
#define PUBLISH_HEADERS_MAGIC 0x39c05b7eu
struct publish_headers {
    uint32_t magic;
    struct slice idempotency_key;           /* `data` NULL: there is none */
    struct slice key, delay, ttl, deadline; /* of the message, as the others; `data` NULL: left out */
    struct slice pairs[HEADERS_MAX];
    unsigned pairs_count;
    struct problem problem; /* the first thing that is wrong with them */
};

/* Read one; names that say nothing here are passed over. */
void publish_header(struct publish_headers *h, const char *name, const char *value);

/* True if this publish is numbered; then the producer is the one that its key stands for, on this topic. fails: false, too, with
 * what is wrong in `*ret`. */
bool publish_producer(const struct publish_headers *h, struct slice topic,
                      uint8_t producer[PRODUCER_ID_BYTES], struct problem *ret);

/* Append the frame. `numbered`: as the first of its producer. fails: false, `*ret` says why. */
bool publish_frame(struct slice topic, enum publish_form form, const struct publish_headers *h,
                   struct slice body, bool numbered, uint64_t id, struct mpack_buffer *to,
                   struct problem *ret);

/* An answer to it of which `payload` is the frame: true if all messages were stored. False: `*ret` says how many were. */
bool publish_is_whole(struct slice payload, struct problem *ret);

#endif
