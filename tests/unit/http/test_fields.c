/* fields: calls of the API as frames that the engine's reader takes. */
#include "broker/http/fields.h"

#include "broker/http/form.h"
#include "proto/frame.h"
#include "proto/request.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* The frame of a call; its payload is in `*ret_payload`. False: `*ret` says why there is none. */
static bool frame_of(const char *method, const char *target, const char *body, struct mpack_buffer *to,
                     struct slice *ret_payload, struct problem *ret)
{
    struct target t;
    struct api_match match;
    const char *why;
    size_t need;
    *ret = (struct problem){0};
    *to = (struct mpack_buffer){0};
    cr_assert(target_read(target, &t, &why), "%s: %s", target, why);
    cr_assert_eq(api_find(method, &t, &match), API_FOUND, "%s", target);
    bool ok = fields_frame(&match, &t, slice_of(body), 2, to, ret);
    target_done(&t);
    if (ok) {
        cr_assert_eq(frame_next(to->data, to->size, FRAME_BYTES_MAX, ret_payload, &need, &why), FRAME_WHOLE);
        cr_assert_eq(ret_payload->size + FRAME_HEADER_BYTES, to->size, "one frame");
    }
    cr_assert_eq(ok, problem_is_none(ret));
    return ok;
}

static void begin(struct request_source *from, struct slice payload, unsigned op)
{
    request_source_init(from);
    mpack_read_init(&from->r, payload.data, payload.size);
    (void)mpack_read_array(&from->r);
    cr_assert_eq(mpack_read_uint(&from->r), op);
    cr_assert_eq(mpack_read_uint(&from->r), 2);
}

Test(fields, path_query_and_body_become_the_fields_of_the_request)
{
    struct mpack_buffer b;
    struct slice payload;
    struct problem p;
    struct request_source from;
    union request_fields q;
    cr_assert(frame_of("GET",
                       "/api/v1/topics/a%2Fb/groups/g/dlq/"
                       "letters?limit=7&cause=c&header=n%3Dv%3Dw&key_base64=%2Fw%3D%3D&since=5",
                       "", &b, &payload, &p),
              "%s", p.detail);
    begin(&from, payload, OP_DLQ_LIST);
    request_read_dlq_list(&from, &q);
    cr_assert_eq(request_verdict(&from), 0);
    cr_assert(slice_is(q.dlq_list.topic, "a/b") && slice_is(q.dlq_list.group, "g"));
    cr_assert_eq(q.dlq_list.limit, 7);
    cr_assert_eq(q.dlq_list.after, 0);
    cr_assert(slice_is(q.dlq_list.filter.cause, "c"));
    cr_assert(slice_is(q.dlq_list.filter.header.name, "n") &&
              slice_is(q.dlq_list.filter.header.value, "v=w"));
    cr_assert(slice_is(q.dlq_list.filter.key, "\xff"));
    cr_assert_eq(q.dlq_list.filter.since, 5);
    mpack_buffer_done(&b);

    cr_assert(
        frame_of("POST", "/api/v1/topics",
                 "{\"groups\":[\"x\",\"y\"],\"topic\":\"t\",\"policy\":{\"lease_ms\":10,\"ttl_ms\":null}}",
                 &b, &payload, &p),
        "%s", p.detail);
    begin(&from, payload, OP_TOPIC_CREATE);
    request_read_topic_create(&from, &q);
    cr_assert_eq(request_verdict(&from), 0);
    cr_assert_eq(q.topic_create.groups.count, 2);
    cr_assert_eq(q.topic_create.policy.set.value[POLICY_lease_ms], 10);
    cr_assert_eq(q.topic_create.policy.reset, 1u << POLICY_ttl_ms);
    mpack_buffer_done(&b);

    cr_assert(frame_of("POST", "/api/v1/topics/t/groups/g/dlq/redrive",
                       "{\"which\":{\"all\":true},\"rate\":null}", &b, &payload, &p),
              "%s", p.detail);
    begin(&from, payload, OP_DLQ_REDRIVE);
    request_read_dlq_redrive(&from, &q);
    cr_assert_eq(request_verdict(&from), 0);
    cr_assert_eq(q.dlq_redrive.which.count, UINT64_MAX);
    cr_assert_eq(q.dlq_redrive.rate, 0);
    mpack_buffer_done(&b);
}

Test(fields, every_call_has_fields_of_kinds_that_are_known_and_an_answer_with_names)
{
    for (unsigned i = 0; i < api_rows_count; i++) {
        const struct form *form = form_of(api_rows[i].op);
        if (api_rows[i].what != API_REQUEST)
            continue;
        cr_assert(form, "%s", api_rows[i].path);
        const char *unknown = fields_unknown_kind(form->op);
        cr_assert(!unknown, "%s has a field of the kind %s, which json_value.c does not know", form->name,
                  unknown);
        const struct api_answer *answer = api_answer_of(form->answer);
        cr_assert(answer, "%s: api.def has no API_ANSWER for its answer", form->name);
        cr_assert_neq(form->answer, ANSWER_NONE);
        cr_assert_eq(strcmp(api_rows[i].method, "GET") != 0, fields_change(form->op),
                     "%s: GET looks, and nothing else does", form->name);
    }
}

Test(fields, a_refusal_names_the_field_and_what_it_must_be)
{
    static const struct {
        const char *path, *body, *detail;
    } rows[] = {
        {"/api/v1/topics", "{}", "`topic` is missing"},
        {"/api/v1/topics", "{\"topic\":\"t\",\"tpoic\":1}", "unknown field `tpoic`"},
        {"/api/v1/topics", "{\"topic\":[]}", "`topic` must be a string"},
        {"/api/v1/topics", "{\"topic\":\"t\",\"groups\":[\"a\",{}]}", "`groups[1]` must be a string"},
        {"/api/v1/topics/t/groups/g/dlq/redrive", "{\"which\":{\"ids\":[\"a\"],\"rate\":1}}",
         "unknown field `which.rate`"},
        {"/api/v1/topics/t/groups/g/dlq/redrive", "{\"which\":{\"count\":-1}}",
         "`which.count` must be a whole number of 0 or more"},
        {"/api/v1/topics/t/groups/g/dlq/redrive", "{\"which\":{\"count\":1e3}}",
         "`which.count` must be a whole number of 0 or more"},
        {"/api/v1/topics/t/groups/g/dlq/redrive", "{\"which\":null}", "`which` must be an object"},
        {"/api/v1/topics/t/groups/g/pause", "{\"group\":\"h\"}", "`group` is given twice"},
        {"/api/v1/topics/t/groups/g/pause", "{\"group_base64\":\"aA==\"}", "unknown field `group_base64`"},
        {"/api/v1/topics/t/groups/g/pause", "[]", "the body must be an object, { … }"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mpack_buffer b;
        struct slice payload;
        struct problem p;
        cr_assert_not(frame_of("POST", rows[i].path, rows[i].body, &b, &payload, &p), "%s", rows[i].body);
        cr_assert_str_eq(p.detail, rows[i].detail, "%s: %s", rows[i].body, p.detail);
        mpack_buffer_done(&b);
    }
}

Test(fields, deep_and_long_input_is_refused_and_costs_no_stack)
{
    enum { SIZE = 1 << 20 };
    char *body = malloc(SIZE + 1);
    struct mpack_buffer b;
    struct slice payload;
    struct problem p;
    memset(body, '[', SIZE);
    body[SIZE] = '\0';
    cr_assert_not(frame_of("POST", "/api/v1/topics", body, &b, &payload, &p));
    cr_assert_eq(p.code, PROBLEM_BAD_JSON);
    mpack_buffer_done(&b);
    free(body);
}
