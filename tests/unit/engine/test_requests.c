/* test_requests: the engine reads of each request what proto/request.def says, and answers what it says. */
#include "broker/engine/request.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "tests/unit/engine/world.h"
#include "tests/unit/proto/request_sample.h"
#include <criterion/criterion.h>
#include <string.h>

Test(requests, the_engine_knows_each_and_no_other)
{
    size_t known = 0;
    for (uint64_t op = 0; op < 1000; op++)
        known += request_find(op) != NULL;
    cr_assert_eq(known, samples_count());
    for (uint32_t i = 0; i < samples_count(); i++) {
        struct sample s;
        sample_make(&s, i);
        const struct request *r = request_find(s.op);
        cr_assert(r && strcmp(r->name, s.name) == 0 && r->need == s.need, "%s", s.name);
        cr_assert(r->read == s.read && r->effect == s.effect && r->answer == s.answer, "%s", s.name);
        sample_done(&s);
    }
}

static void write_request(struct mpack_buffer *to, const struct sample *s, uint64_t id, uint32_t fields)
{
    struct mpack_buffer message = {0};
    size_t at = frame_begin(to, s->op, id, fields);
    mpack_write_array(&message, 1);
    mpack_write_array(&message, 1);
    mpack_write_bin(&message, "m", 1);
    sample_write(s, fields, s->op == OP_PUBLISH ? 3 : UINT32_MAX, &message, to);
    frame_end(to, at);
    mpack_buffer_done(&message);
}

/* ---- answers ---- */

struct told {
    uint64_t op;     /* 0: there was none */
    uint32_t fields; /* of OK */
    uint64_t code;   /* of ERROR */
};

/* What a connection is told that sends the request with its first `fields` fields. */
static struct told ask(const struct sample *s, uint32_t fields)
{
    struct world w;
    struct mpack_buffer frame = {0};
    struct told a = {0};
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20});
    size_t before = w.told[0].size;
    write_request(&frame, s, 77, fields);
    post_frame(&w, w.links[0], &frame, NULL);
    world_turn(&w);
    world_turn(&w);
    const uint8_t *at = w.told[0].data + before, *end = w.told[0].data + w.told[0].size;
    while (at < end) {
        struct mpack_reader r;
        uint32_t size = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        mpack_read_init(&r, at + 4, size);
        uint32_t count = mpack_read_array(&r);
        uint64_t op = mpack_read_uint(&r);
        if (mpack_read_uint(&r) == 77) {
            a = (struct told){.op = op, .fields = count - 2};
            if (op == OP_ERROR)
                a.code = mpack_read_uint(&r);
        }
        cr_assert(!r.failed);
        at += 4 + size;
    }
    world_stop(&w);
    return a;
}

/* How many fields an OK may have. */
static const struct {
    uint32_t least, most;
} answers[WIRE_ANSWERS] = {
#define ANSWER(NAME, fields, text)                                                                           \
    [ANSWER_##NAME] = {(fields), (fields) + (text[sizeof text < 2 ? 0 : sizeof text - 2] == '?')},
#include "proto/request.def"
};

/* Sends the request with so many fields; true if the answer was OK. */
static bool is_answered(const struct sample *s, uint32_t fields)
{
    struct told a = ask(s, fields);
    cr_assert_eq(a.op != 0, s->answer != ANSWER_NONE, "%s with %u fields", s->name, fields);
    cr_assert_neq(a.code, SHUNT_PROTOCOL, "%s with %u fields", s->name, fields);
    if (a.op != OP_OK)
        return false;
    cr_assert(a.fields >= answers[s->answer].least && a.fields <= answers[s->answer].most,
              "%s is answered with %u fields", s->name, a.fields);
    return true;
}

Test(requests, each_has_the_fields_of_the_table_and_its_answer)
{
    unsigned counted = 0;
    for (uint32_t i = 0; i < samples_count(); i++) {
        struct sample s;
        sample_make(&s, i);
        for (uint32_t fields = s.needed; s.op != OP_HELLO && fields <= s.count;
             fields++) /* there was a HELLO */
            counted += is_answered(&s, fields);
        if (s.op != OP_HELLO && s.needed)
            cr_assert_eq(ask(&s, s.needed - 1).code, SHUNT_PROTOCOL, "%s lacks a field", s.name);
        sample_done(&s);
    }
    cr_assert_geq(counted, 25, "most of them are answered with OK here");
}

Test(requests, too_much_credit_is_refused_also_of_a_subscription_that_is_not_there)
{
    struct sample s;
    uint32_t place = 0;
    for (sample_make(&s, place); s.op != OP_CREDIT; sample_make(&s, ++place))
        sample_done(&s);
    cr_assert_eq(ask(&s, s.count).code, SHUNT_NOT_FOUND);
    s.fields[1].size = 0;
    mpack_write_uint(&s.fields[1], CREDIT_MESSAGES_MAX);
    cr_assert_eq(ask(&s, s.count).code, SHUNT_NOT_FOUND, "as much as is allowed");
    s.fields[1].size = 0;
    mpack_write_uint(&s.fields[1], CREDIT_MESSAGES_MAX + 1);
    cr_assert_eq(ask(&s, s.count).code, SHUNT_BAD_ARGUMENT);
    sample_done(&s);
}
