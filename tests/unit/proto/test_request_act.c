/* test_request_act: what a request asks for, as one line. */
#include "proto/request.h"

#include "base/utf8.h"
#include <criterion/criterion.h>
#include <stdio.h>

static char text[AUDIT_ASKED_BYTES_MAX + 1];

static const char *asked(unsigned op, union request_fields q)
{
    size_t size = request_asked(op, &q, text, AUDIT_ASKED_BYTES_MAX);
    cr_assert_leq(size, AUDIT_ASKED_BYTES_MAX);
    text[size] = 0;
    return text;
}

/* A list of texts as it lies in a frame. */
static struct wire_list list(struct mpack_buffer *keep, uint32_t count, const char *each)
{
    mpack_buffer_done(keep);
    *keep = (struct mpack_buffer){0};
    for (uint32_t i = 0; i < count; i++)
        mpack_write_cstr(keep, each);
    return (struct wire_list){.count = count, .bytes = {keep->data, keep->size}};
}

#define T slice_of

Test(request_act, names_each_field_but_topic_group_and_reason_and_nothing_that_was_left_out)
{
    struct mpack_buffer keep = {0};
    const struct policy_change change = {
        .set = {.given = 1u << POLICY_lease_ms | 1u << POLICY_max_attempts,
                .value = {[POLICY_lease_ms] = 30000, [POLICY_max_attempts] = 3}},
        .reset = 1u << POLICY_ttl_ms};
    union request_fields q = {.group_create = {T("t"), T("g"), change, true, T("because")}};
    cr_assert_str_eq(asked(OP_GROUP_CREATE, q), "max_attempts=3 lease_ms=30000 ttl_ms=inherit from=now");
    q = (union request_fields){.topic_create = {.topic = T("t")}};
    cr_assert_str_eq(asked(OP_TOPIC_CREATE, q), "");
    q.topic_create.groups = list(&keep, 2, "g");
    cr_assert_str_eq(asked(OP_TOPIC_CREATE, q), "groups=g,g");
    q = (union request_fields){
        .dlq_redrive = {.topic = T("t"), .group = T("g"), .which.count = 5, .rate = 10}};
    q.dlq_redrive.options.canary = 2;
    cr_assert_str_eq(asked(OP_DLQ_REDRIVE, q), "count=5 rate=10 canary=2 max_fail=0");
    q.dlq_redrive.options = (struct redrive_options){.max_fail = SHARE_NONE};
    cr_assert_str_eq(asked(OP_DLQ_REDRIVE, q), "count=5 rate=10");
    q.dlq_redrive.which.count = UINT64_MAX;
    cr_assert_str_eq(asked(OP_DLQ_REDRIVE, q), "all=true rate=10");
    q = (union request_fields){.dlq_purge.which.ids = list(&keep, 2, "orders/1")};
    cr_assert_str_eq(asked(OP_DLQ_PURGE, q), "ids=orders/1,orders/1");
    q = (union request_fields){.job_cancel = {.job = 17, .reason = T("r")}};
    cr_assert_str_eq(asked(OP_JOB_CANCEL, q), "job=17");
    cr_assert_str_eq(asked(9999, q), "");
    mpack_buffer_done(&keep);
}

Test(request_act, a_text_that_is_not_one_word_is_quoted)
{
    union request_fields q = {
        .cause_update = {.cause = T("0123456789abcdef"),
                         .change = {.state = T("muted"), .owner = T(""), .note = T("a \"b\"\n\\c")}}};
    cr_assert_str_eq(asked(OP_CAUSE_UPDATE, q),
                     "cause=0123456789abcdef state=muted owner=\"\" note=\"a \\\"b\\\" \\\\c\"");
    q.cause_update.change = (struct cause_change){.note = T("x=1")};
    cr_assert_str_eq(asked(OP_CAUSE_UPDATE, q), "cause=0123456789abcdef note=\"x=1\"");
}

Test(request_act, what_is_not_text_is_made_text)
{
    union request_fields q = {.cause_update.cause = {"a\xff\xc3", 3}};
    cr_assert_str_eq(asked(OP_CAUSE_UPDATE, q), "cause=a??");
}

Test(request_act, a_line_is_as_long_as_its_bound_and_then_cut_between_characters)
{
    struct mpack_buffer keep = {0};
    char name[AUDIT_ASKED_BYTES_MAX + 8];
    const size_t around = sizeof "cause=" - 1 + sizeof "…" - 1;
    memset(name, 'n', sizeof name);
    union request_fields q = {.cause_update.cause = {name, AUDIT_ASKED_BYTES_MAX - around}};
    cr_assert_eq(strlen(asked(OP_CAUSE_UPDATE, q)), AUDIT_ASKED_BYTES_MAX - 3);
    cr_assert_null(strstr(text, "…"));
    q.cause_update.cause.size++;
    cr_assert_eq(strlen(asked(OP_CAUSE_UPDATE, q)), AUDIT_ASKED_BYTES_MAX);
    cr_assert_str_eq(text + AUDIT_ASKED_BYTES_MAX - 3, "…");
    for (size_t shift = 0; shift < 2; shift++) { /* the cut is between two, or within one */
        name[0] = 'x';
        for (size_t i = shift; i + 1 < sizeof name; i += 2)
            memcpy(name + i, "\xc3\xa9", 2);
        q.cause_update.cause = (struct slice){name, sizeof name - 2};
        (void)asked(OP_CAUSE_UPDATE, q);
        cr_assert(utf8_valid(text, strlen(text)));
        cr_assert_null(strchr(text, '?'), "no half of a character: %s", text + 1000);
        cr_assert_str_eq(text + strlen(text) - 3, "…");
    }
    q = (union request_fields){.dlq_purge.which.ids = list(&keep, IDS_MAX, "orders/1234567")};
    cr_assert_str_eq(asked(OP_DLQ_PURGE, q) + AUDIT_ASKED_BYTES_MAX - 3, "…");
    mpack_buffer_done(&keep);
}
