/* publishing: a client's core and a fake server, messages published by number, and what each one's callback
 * was told. For the suites that publish.
 */
#ifndef SHUNT_TESTS_PUBLISHING_H
#define SHUNT_TESTS_PUBLISHING_H

#include "fake_server.h"

#define HEARD_MAX 5000

/* What the callback of message i was told. */
struct heard {
    int calls;
    uint64_t seq;
    int code;
};
extern struct heard heard[HEARD_MAX];

extern struct fake fake;

/* Before and after each test. */
void publishing_begin(void);
void publishing_end(void);

/* Publish the messages `from` to `from + count - 1`; the body is the number. */
void publish_many(const char *topic, int from, int count);
/* Each of them was called back once, with that code or, if it is 0, consecutive numbers from `first_seq` on.
 */
void expect_heard(int from, int count, uint64_t first_seq, int code);
/* The callback, for messages published in other ways; `context` is an element of `heard`. */
void hear(void *context, uint64_t seq, const struct shunt_error *err);

/* The fields of a PUBLISH frame; the frame's reader is left before the first message. */
struct publish_fields {
    char topic[128];
    uint64_t sequence;
    uint64_t forget_below;
    uint32_t messages;
};
struct publish_fields read_publish(struct seen_frame *frame);

#endif
