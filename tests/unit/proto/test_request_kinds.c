/* test_request_kinds: what each kind of field takes, and what it refuses. */
#include "proto/errors.h"
#include "tests/unit/proto/request_sample.h"
#include <criterion/criterion.h>

#define BYTES(text)                                                                                          \
    {                                                                                                        \
        (uint8_t *)(uintptr_t)(text), sizeof text - 1, sizeof text - 1, false                                \
    }

static void make(struct sample *s, unsigned op)
{
    for (uint32_t i = 0; i < samples_count(); i++) {
        sample_make(s, i);
        if (s->op == op)
            return;
        sample_done(s);
    }
    cr_assert_fail("no operation %u", op);
}

/* What is said of a request whose field is these bytes; the request as it was read in *ret. */
static struct sample_verdict judge_field(unsigned op, uint32_t field, const struct mpack_buffer *value,
                                         union request_fields *ret)
{
    struct sample s;
    struct mpack_buffer bytes = {0};
    make(&s, op);
    sample_write(&s, s.count, field, value, &bytes);
    struct sample_verdict v = sample_judge(&s, &bytes, ret);
    mpack_buffer_done(&bytes);
    sample_done(&s);
    return v;
}

static const struct {
    unsigned op;
    uint32_t field;
    struct mpack_buffer value;
    int err;
    const char *why;
} kinds[] = {
    {OP_DLQ_PURGE, 2,
     BYTES("\x81\xa3"
           "all\xc3"),
     0, ""},
    {OP_DLQ_PURGE, 2,
     BYTES("\x81\xa3"
           "ids\x91\xa1"
           "1"),
     0, ""},
    {OP_DLQ_PURGE, 2,
     BYTES("\x82\xa1x\x01\xa5"
           "count\x00"),
     0, ""},
    {OP_DLQ_PURGE, 2, BYTES("\x80"), SHUNT_BAD_ARGUMENT, "name exactly one of ids, count, matching, all"},
    {OP_DLQ_PURGE, 2,
     BYTES("\x81\xa3"
           "all\xc2"),
     SHUNT_BAD_ARGUMENT, "name exactly one of ids, count, matching, all"},
    {OP_DLQ_PURGE, 2,
     BYTES("\x82\xa3"
           "all\xc3\xa5"
           "count\x01"),
     SHUNT_BAD_ARGUMENT, "name exactly one of ids, count, matching, all"},
    {OP_DLQ_PURGE, 2,
     BYTES("\x82\xa5"
           "count\x01\xa5"
           "count\x01"),
     SHUNT_BAD_ARGUMENT, "name exactly one of ids, count, matching, all"},
    {OP_DLQ_PURGE, 2,
     BYTES("\x81\xa3"
           "ids\x90"),
     SHUNT_BAD_ARGUMENT, "ids are 1 to 1000 names"},
    {OP_DLQ_PURGE, 2,
     BYTES("\x81\xa3"
           "ids\x91\x01"),
     SHUNT_PROTOCOL, REQUEST_MALFORMED},
    {OP_DLQ_PURGE, 2,
     BYTES("\x81\xa5"
           "count\xff"),
     SHUNT_PROTOCOL, REQUEST_MALFORMED},

    {OP_TOPIC_UPDATE, 1, BYTES("\x81\xa4nope\x01"), SHUNT_BAD_ARGUMENT, "unknown setting nope"},
    {OP_TOPIC_UPDATE, 1,
     BYTES("\x81\xac"
           "max_attempts\xa1"
           "1"),
     SHUNT_PROTOCOL, REQUEST_MALFORMED},
    {OP_TOPIC_UPDATE, 1,
     BYTES("\x81\xac"
           "max_attempts\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
     SHUNT_BAD_ARGUMENT, "max_attempts is from 1 to 1000"},

    {OP_GROUP_CREATE, 3, BYTES("\xa6oldest"), 0, ""},
    {OP_GROUP_CREATE, 3, BYTES("\xa5later"), SHUNT_BAD_ARGUMENT,
     "a group starts from \"oldest\" or from \"now\""},

    {OP_HELLO, 0, BYTES("\x02"), SHUNT_VERSION_MISMATCH, "this server speaks version 1"},
    {OP_HELLO, 1, BYTES("\x00"), SHUNT_VERSION_MISMATCH, "this server speaks version 1"},
    {OP_HELLO, 1, BYTES("\x02"), 0, ""},
    {OP_HELLO, 2,
     BYTES("\x81\xa8producer\xc4\x10"
           "0123456789abcdef"),
     0, ""},
    {OP_HELLO, 2,
     BYTES("\x81\xa8producer\xc4\x0f"
           "0123456789abcde"),
     SHUNT_BAD_ARGUMENT, "producer is 16 bytes"},
    {OP_HELLO, 2,
     BYTES("\x81\xa8producer\xc4\x11"
           "0123456789abcdefg"),
     SHUNT_BAD_ARGUMENT, "producer is 16 bytes"},
    {OP_HELLO, 2,
     BYTES("\x81\xa6"
           "client\xa1\xff"),
     SHUNT_BAD_ARGUMENT, "client, host and build are UTF-8 without NUL"},
    {OP_HELLO, 2, BYTES("\x81\xa4host\xa1\x00"), SHUNT_BAD_ARGUMENT,
     "client, host and build are UTF-8 without NUL"},
    {OP_HELLO, 2,
     BYTES("\x81\xa4"
           "auth\xa1x"),
     SHUNT_PROTOCOL, REQUEST_MALFORMED},
    {OP_HELLO, 2,
     BYTES("\x81\xa8"
           "features\x91\x01"),
     SHUNT_PROTOCOL, REQUEST_MALFORMED},
    {OP_HELLO, 2, BYTES("\x81\xa5later\xc0"), 0, ""},

    {OP_SUBSCRIBE, 0, BYTES("\xa1:"), SHUNT_RESERVED, NULL},
    {OP_SUBSCRIBE, 0, BYTES("\xa0"), SHUNT_BAD_NAME, NULL},
    {OP_SUBSCRIBE, 0,
     BYTES("\xa7"
           "dlq:t:g"),
     0, ""},
    {OP_SUBSCRIBE, 4, BYTES("\x94\x01\x01\xc3\x01"), SHUNT_PROTOCOL, REQUEST_MALFORMED},
    {OP_SUBSCRIBE, 4, BYTES("\x93\x01\x01\x01"), SHUNT_PROTOCOL, REQUEST_MALFORMED},
    {OP_STARTED, 1, BYTES("\x91\x01"), SHUNT_PROTOCOL, REQUEST_MALFORMED},
    {OP_STARTED, 1, BYTES("\x92\x01\xff"), SHUNT_PROTOCOL, REQUEST_MALFORMED},
};

Test(request, each_kind_takes_what_it_is)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        union request_fields q;
        struct sample_verdict v = judge_field(kinds[i].op, kinds[i].field, &kinds[i].value, &q);
        cr_assert_eq(v.err, kinds[i].err, "row %zu: %s %s", i, err_name(v.err), v.why);
        cr_assert(!kinds[i].why || strcmp(v.why, kinds[i].why) == 0, "row %zu: %s", i, v.why);
    }
}

/* Of the whole of the fields: a value that is refused stands before one of a wrong type. */
static int judge_fields(unsigned op, const struct mpack_buffer *bytes)
{
    union request_fields q;
    struct sample s;
    make(&s, op);
    int err = sample_judge(&s, bytes, &q).err;
    sample_done(&s);
    return err;
}

Test(request, says_that_a_field_is_malformed_whatever_else_is_wrong)
{
    const struct mpack_buffer hello = BYTES("\x01\x01\x82\xa6"
                                            "client\xa1\xff\xa5marks\x07"),
                              choice = BYTES("\xa1t\xa1g\x80\xa1r"), name = BYTES("\xa1:\xa1g\xa1m\x01"),
                              credit = BYTES("\x01\xce\xff\xff\xff\xff\xc0"), version = BYTES("\x02\x09\x90");
    cr_assert_eq(judge_fields(OP_HELLO, &hello), SHUNT_PROTOCOL);
    cr_assert_eq(judge_fields(OP_DLQ_REDRIVE, &choice), SHUNT_PROTOCOL);
    cr_assert_eq(judge_fields(OP_SUBSCRIBE, &name), SHUNT_PROTOCOL);
    cr_assert_eq(judge_fields(OP_CREDIT, &credit), SHUNT_PROTOCOL);
    cr_assert_eq(judge_fields(OP_HELLO, &version), SHUNT_VERSION_MISMATCH,
                 "it may mean something else there");
}

static int setting(enum policy_field field, int64_t value)
{
    union request_fields q;
    struct mpack_buffer map = {0};
    mpack_write_map(&map, 1);
    mpack_write_cstr(&map, policy_rows[field].field);
    mpack_write_int(&map, value);
    struct sample_verdict v = judge_field(OP_GROUP_UPDATE, 2, &map, &q);
    mpack_buffer_done(&map);
    if (v.err)
        return v.err;
    cr_assert(q.group_update.policy.set.given == 1u << field && !q.group_update.policy.reset);
    cr_assert_eq(q.group_update.policy.set.value[field], value);
    return 0;
}

Test(request, a_setting_is_taken_within_its_bounds)
{
    for (enum policy_field i = 0; i < POLICY_COUNT; i++) {
        const struct policy_row *row = &policy_rows[i];
        cr_assert(!setting(i, row->min) && !setting(i, row->max), "%s", row->field);
        cr_assert_eq(setting(i, row->min - 1), SHUNT_BAD_ARGUMENT, "%s", row->field);
        cr_assert_eq(setting(i, row->max + 1), SHUNT_BAD_ARGUMENT, "%s", row->field);
    }
}

Test(request, of_a_setting_named_twice_the_last_counts)
{
    const struct mpack_buffer reset = BYTES("\x82\xac"
                                            "max_attempts\x05\xac"
                                            "max_attempts\xc0"),
                              set = BYTES("\x82\xac"
                                          "max_attempts\xc0\xac"
                                          "max_attempts\x05");
    union request_fields q;
    cr_assert_eq(judge_field(OP_TOPIC_UPDATE, 1, &reset, &q).err, 0);
    cr_assert(q.topic_update.policy.reset == 1u << POLICY_max_attempts && !q.topic_update.policy.set.given);
    cr_assert_eq(judge_field(OP_TOPIC_UPDATE, 1, &set, &q).err, 0);
    cr_assert(!q.topic_update.policy.reset && q.topic_update.policy.set.given == 1u << POLICY_max_attempts);
}

static uint32_t rows_asked_for(uint64_t limit)
{
    union request_fields q;
    struct mpack_buffer field = {0};
    mpack_write_uint(&field, limit);
    cr_assert_eq(judge_field(OP_DLQ_LIST, 3, &field, &q).err, 0);
    mpack_buffer_done(&field);
    return q.dlq_list.limit;
}

Test(request, a_page_has_no_more_rows_than_one_may_have)
{
    cr_assert_eq(rows_asked_for(0), PAGE_ROWS_DEFAULT);
    cr_assert_eq(rows_asked_for(1), 1);
    cr_assert_eq(rows_asked_for(PAGE_ROWS_MAX), PAGE_ROWS_MAX);
    cr_assert_eq(rows_asked_for(PAGE_ROWS_MAX + 1), PAGE_ROWS_MAX);
    cr_assert_eq(rows_asked_for(UINT64_MAX), PAGE_ROWS_MAX);
}

static int ids(uint32_t count)
{
    union request_fields q;
    struct sample s;
    struct mpack_buffer which = {0}, bytes = {0};
    make(&s, OP_DLQ_REDRIVE);
    mpack_write_map(&which, 1);
    mpack_write_cstr(&which, "ids");
    mpack_write_array(&which, count);
    for (uint32_t i = 0; i < count; i++)
        mpack_write_cstr(&which, "7");
    sample_write(&s, s.count, 2, &which, &bytes);
    int err = sample_judge(&s, &bytes, &q).err;
    if (!err) {
        struct slice names[IDS_MAX];
        cr_assert_eq(q.dlq_redrive.which.ids.count, count);
        request_texts(&q.dlq_redrive.which.ids, names);
        cr_assert(slice_is(names[0], "7") && slice_is(names[count - 1], "7"));
    }
    mpack_buffer_done(&which);
    mpack_buffer_done(&bytes);
    sample_done(&s);
    return err;
}

Test(request, dead_letters_are_chosen_by_at_most_so_many_ids)
{
    cr_assert(!ids(1) && !ids(IDS_MAX));
    cr_assert_eq(ids(IDS_MAX + 1), SHUNT_BAD_ARGUMENT);
}

/* ---- the entries of a RESOLVE ---- */

static bool read_entry(const struct mpack_buffer *bytes, struct wire_entry *ret)
{
    struct request_source from;
    mpack_read_init(&from.r, bytes->data, bytes->size);
    request_source_init(&from);
    request_read_wire_entry(&from, ret);
    return !from.r.failed && from.r.at == from.r.end;
}

Test(request, an_entry_has_three_values_at_least_and_passes_over_those_of_a_later_version)
{
    const struct mpack_buffer two = BYTES("\x92\x01\x02"), three = BYTES("\x93\x01\x02\x00"),
                              nils = BYTES("\x98\x01\x02\x01\xc0\xc0\xc0\xc0\xc0"),
                              older = BYTES("\x97\x01\x02\x01\x05\xa1t\xa1m\xa1s"),
                              more = BYTES("\x99\x01\x02\x01\x05\xa1t\xa1m\xa1s\xa1w\x91\x07"),
                              wrong = BYTES("\x94\x01\x02\x00\xa1x");
    struct wire_entry e;
    cr_assert(!read_entry(&two, &e) && !read_entry(&wrong, &e));
    cr_assert(read_entry(&three, &e) && e.seq == 1 && e.token == 2 && e.outcome == OUTCOME_ACK);
    cr_assert(e.delay_or_extend == NONE_ms && !e.error_type.size && !e.error_stack.size);
    cr_assert(read_entry(&nils, &e) && e.delay_or_extend == NONE_ms && !e.error_message.size);
    cr_assert(read_entry(&older, &e) && slice_is(e.error_stack, "s") && !e.fingerprint.size);
    cr_assert(read_entry(&more, &e) && e.delay_or_extend == 5 && slice_is(e.error_stack, "s"));
    cr_assert(slice_is(e.fingerprint, "w"));
}

static struct wire_entry written_and_read(const struct wire_entry *e)
{
    static struct mpack_buffer bytes; /* lives with what was read of it */
    struct wire_entry got;
    bytes.size = 0;
    request_write_wire_entry(&bytes, e);
    cr_assert(read_entry(&bytes, &got));
    return got;
}

Test(request, an_entry_says_which_outcome_and_how_long_within_their_bounds)
{
    struct wire_entry e = {
        .seq = 1, .token = UINT64_MAX, .outcome = OUTCOME_EXTEND, .delay_or_extend = DURATION_MS_MAX};
    struct wire_entry got = written_and_read(&e);
    cr_assert(got.seq == 1 && got.token == UINT64_MAX && got.outcome == OUTCOME_EXTEND);
    cr_assert_eq(got.delay_or_extend, DURATION_MS_MAX);
    e.outcome = OUTCOME_LATE + 1;
    e.delay_or_extend = INT64_MAX;
    got = written_and_read(&e);
    cr_assert_eq(got.outcome, OUTCOME_UNKNOWN);
    cr_assert_eq(got.delay_or_extend, DURATION_MS_MAX + 1, "all that is too long is the same");
}

Test(request, an_error_text_is_utf_8_when_it_leaves)
{
    const struct wire_entry e = {.outcome = OUTCOME_NACK,
                                 .delay_or_extend = NONE_ms,
                                 .error_message = slice_of("a\xff"
                                                           "b")};
    struct wire_entry got = written_and_read(&e);
    cr_assert(slice_is(got.error_message, "a?b"));
    cr_assert(!got.error_type.size && !got.error_stack.size && got.delay_or_extend == NONE_ms);
}
