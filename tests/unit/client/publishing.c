/* publishing: see publishing.h. Each test runs in a process of its own, so that these may be globals. */
#include "publishing.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct heard heard[HEARD_MAX];
struct fake fake;

void hear(void *context, uint64_t seq, const struct shunt_error *err)
{
    struct heard *h = context;
    h->calls++;
    h->seq = seq;
    h->code = err ? err->code : 0;
}

void publishing_begin(void)
{
    fake_init(&fake);
    memset(heard, 0, sizeof heard);
}

void publishing_end(void)
{
    fake_done(&fake);
}

void publish_many(const char *topic, int from, int count)
{
    for (int i = from; i < from + count; i++) {
        char body[16];
        (void)snprintf(body, sizeof body, "%d", i);
        cr_assert_eq(fake_publish(&fake, topic, body, hear, &heard[i]), 0);
    }
}

void expect_heard(int from, int count, uint64_t first_seq, int code)
{
    for (int i = from; i < from + count; i++) {
        cr_assert_eq(heard[i].calls, 1, "message %d was called back %d times", i, heard[i].calls);
        cr_assert_eq(heard[i].code, code, "message %d: %d", i, heard[i].code);
        cr_assert_eq(heard[i].seq, code == 0 ? first_seq + (uint64_t)(i - from) : 0);
    }
}

struct publish_fields read_publish(struct seen_frame *frame)
{
    struct publish_fields p;
    struct slice topic = mpack_read_str(&frame->at);
    memcpy(p.topic, topic.data, topic.size);
    p.topic[topic.size] = '\0';
    p.sequence = mpack_read_uint(&frame->at);
    p.forget_below = mpack_read_uint(&frame->at);
    p.messages = mpack_read_array(&frame->at);
    cr_assert(!frame->at.failed);
    return p;
}
