/* requests: frames that a client might send, made from fuzz bytes, mostly sensible. */
#ifndef SHUNT_TESTS_FUZZ_REQUESTS_H
#define SHUNT_TESTS_FUZZ_REQUESTS_H

#include "tests/fuzz/source.h"

enum { DELIVERED_MAX = 32 };

/* The newest deliveries that a client has seen. */
struct delivered {
    uint64_t sub[DELIVERED_MAX], seq[DELIVERED_MAX], token[DELIVERED_MAX];
    unsigned count; /* of all; the newest is at (count - 1) % DELIVERED_MAX */
};

/* Append a HELLO frame. */
void requests_hello(struct mpack_buffer *to, struct source *s, uint64_t request_id);
/* Append one frame of any other request. */
void requests_any(struct mpack_buffer *to, struct source *s, uint64_t request_id,
                  const struct delivered *seen);

#endif
