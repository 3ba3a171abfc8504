/* test_request: the fields of every request are read and refused as proto/request.def says. */
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/request.h"
#include "tests/unit/proto/request_sample.h"
#include <criterion/criterion.h>
#include <stdio.h>

static struct sample_verdict judge_with(const struct sample *s, uint32_t fields, uint32_t at,
                                        const struct mpack_buffer *replaced)
{
    union request_fields read;
    struct mpack_buffer bytes = {0};
    sample_write(s, fields, at, replaced, &bytes);
    struct sample_verdict v = sample_judge(s, &bytes, &read);
    mpack_buffer_done(&bytes);
    return v;
}

/* For each request: the claim, which may call cr_assert. */
static void each(void (*claim)(struct sample *))
{
    cr_assert_gt(samples_count(), 0);
    for (uint32_t i = 0; i < samples_count(); i++) {
        struct sample s;
        sample_make(&s, i);
        claim(&s);
        sample_done(&s);
    }
}

/* ---- fields ---- */

static void takes_its_fields(struct sample *s)
{
    for (uint32_t fields = 0; fields <= s->count; fields++) {
        int wanted = fields < s->needed ? SHUNT_PROTOCOL : 0;
        cr_assert_eq(judge_with(s, fields, 0, NULL).err, wanted, "%s with %u fields", s->name, fields);
    }
}

Test(request, takes_its_fields_and_not_one_less)
{
    each(takes_its_fields);
}

static void takes_nil(struct sample *s)
{
    struct mpack_buffer nil = {0};
    mpack_write_nil(&nil);
    for (uint32_t i = 0; i < s->count; i++) {
        int wanted = s->optional[i] ? 0 : SHUNT_PROTOCOL;
        cr_assert_eq(judge_with(s, s->count, i, &nil).err, wanted, "%s: %s", s->name, s->names[i]);
    }
    mpack_buffer_done(&nil);
}

Test(request, takes_nil_where_a_field_may_be_left_out_and_nowhere_else)
{
    each(takes_nil);
}

static void refuses_other_types(struct sample *s)
{
    const uint8_t number[] = {0xca, 0, 0, 0, 0}; /* a float, which no field is */
    struct mpack_buffer other = {0};
    mpack_write_raw(&other, number, sizeof number);
    for (uint32_t i = 0; i < s->count; i++)
        cr_assert_eq(judge_with(s, s->count, i, &other).err, SHUNT_PROTOCOL, "%s: %s", s->name, s->names[i]);
    mpack_buffer_done(&other);
}

Test(request, refuses_a_field_of_another_type)
{
    each(refuses_other_types);
}

/* ---- bounds ---- */

/* The field at so much, or its list with so many. */
static void put_at(const struct sample_bound *b, uint64_t value, struct mpack_buffer *to)
{
    if (b->key) {
        mpack_write_map(to, 1);
        mpack_write_cstr(to, b->key);
    }
    b->put(to, value);
}

static struct sample_verdict judge_at(const struct sample *s, const struct sample_bound *b, uint64_t value,
                                      uint32_t fields)
{
    struct mpack_buffer field = {0};
    put_at(b, value, &field);
    struct sample_verdict v = judge_with(s, fields, b->field, &field);
    mpack_buffer_done(&field);
    return v;
}

/* `max` is taken, and one more is refused as the table says. */
static bool is_bound(const struct sample *s, const struct sample_bound *b, uint64_t max)
{
    struct sample_verdict at = judge_at(s, b, max, s->count), beyond = judge_at(s, b, max + 1, s->count);
    return at.err == 0 && beyond.err == b->code && strcmp(beyond.why, b->text) == 0;
}

static unsigned bounds_seen;

static void has_its_bounds(struct sample *s)
{
    for (uint32_t i = 0; i < s->bounds_count; i++) {
        const struct sample_bound *b = &s->bounds[i];
        const char *what = b->key ? b->key : s->names[b->field];
        bounds_seen++;
        cr_assert(is_bound(s, b, b->max), "%s: %s", s->name, what);
        cr_assert_not(is_bound(s, b, b->max - 1), "%s: a lower bound of %s would be noticed", s->name, what);
        struct sample_bound other = *b;
        other.code = SHUNT_INTERNAL;
        cr_assert_not(is_bound(s, &other, b->max), "%s: so would another error", s->name);
    }
}

Test(request, refuses_what_is_beyond_each_bound_and_takes_what_is_at_it)
{
    each(has_its_bounds);
    cr_assert_geq(bounds_seen, 13, "the table has bounds");
}

/* What a list of settings or a map is refused for is said at once; of numbers, a field that is missing is said. */
static void says_first_what_is_missing(struct sample *s)
{
    for (uint32_t i = 0; i < s->bounds_count; i++) {
        const struct sample_bound *b = &s->bounds[i];
        const struct mpack_buffer *field = &s->fields[b->field];
        struct mpack_reader r;
        mpack_read_init(&r, field->data, field->size);
        bool number = !b->key && mpack_peek(&r) == MPACK_INT;
        if (number && b->field + 1 < s->needed)
            cr_assert_eq(judge_at(s, b, b->max + 1, b->field + 1).err, SHUNT_PROTOCOL, "%s", s->name);
        else if (!number && !b->key)
            cr_assert_eq(judge_at(s, b, b->max + 1, b->field + 1).err, b->code, "%s", s->name);
    }
}

Test(request, says_first_that_a_field_is_missing_and_at_once_that_a_list_is_too_long)
{
    each(says_first_what_is_missing);
}

static void names_its_bounds(struct sample *s)
{
    for (uint32_t i = 0; i < s->bounds_count; i++) {
        char digits[24];
        const struct sample_bound *b = &s->bounds[i];
        (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)b->max);
        cr_assert(strstr(b->text, digits) || strstr(b->text, "max-groups"), "%s: \"%s\" does not say %s",
                  s->name, b->text, digits);
    }
}

Test(request, a_refusal_names_the_bound_or_the_setting_that_lowers_it)
{
    each(names_its_bounds);
}

/* ---- what they speak of ---- */

static void names_topic_and_group(struct sample *s)
{
    struct request_source from;
    struct mpack_buffer bytes = {0};
    union request_fields q;
    bool topic = false, group = false;
    for (uint32_t i = 0; i < s->count; i++) {
        topic |= strcmp(s->names[i], "topic") == 0;
        group |= strcmp(s->names[i], "group") == 0;
    }
    sample_write(s, s->count, 0, NULL, &bytes);
    mpack_read_init(&from.r, bytes.data, bytes.size);
    request_source_init(&from);
    s->read(&from, &q);
    cr_assert_eq(request_verdict(&from), 0);
    cr_assert(slice_is(from.topic, topic ? "t" : ""), "%s", s->name);
    cr_assert(slice_is(from.group, group ? "default" : ""), "%s", s->name);
    mpack_buffer_done(&bytes);
}

Test(request, tells_which_topic_and_group_it_speaks_of)
{
    each(names_topic_and_group);
}

static bool takes_reason(const struct sample *s)
{
    return s->count && strcmp(s->names[s->count - 1], "reason") == 0;
}

static void gives_its_reason(struct sample *s)
{
    struct mpack_buffer reason = {0}, bytes = {0};
    union request_fields q;
    mpack_write_cstr(&reason, "ticket 12");
    sample_write(s, s->count, takes_reason(s) ? s->count - 1 : UINT32_MAX, &reason, &bytes);
    cr_assert_eq(sample_judge(s, &bytes, &q).err, 0);
    cr_assert_eq(request_reason_place(s->op), takes_reason(s) ? (int)s->count - 1 : -1, "%s", s->name);
    cr_assert(slice_is(request_reason(s->op, &q), takes_reason(s) ? "ticket 12" : ""), "%s", s->name);
    mpack_buffer_done(&reason);
    mpack_buffer_done(&bytes);
}

Test(request, its_reason_is_the_last_field_if_it_takes_one)
{
    each(gives_its_reason);
    cr_assert_eq(request_reason_place(9999), -1);
    cr_assert_eq(request_reason_place(OP_CLOCK_SET), 0);
}

/* ---- writing ---- */

static void writes_what_it_reads(struct sample *s)
{
    for (uint32_t fields = s->needed; fields <= s->count; fields++) {
        struct mpack_buffer bytes = {0}, again = {0};
        union request_fields q;
        sample_write(s, fields, 0, NULL, &bytes);
        cr_assert_eq(sample_judge(s, &bytes, &q).err, 0, "%s", s->name);
        cr_assert_eq(s->form->op, s->op);
        cr_assert_eq(s->form->write(&again, &q), fields, "%s: fields left out at the end stay out", s->name);
        struct slice was = {bytes.data, bytes.size}, is = {again.data, again.size};
        cr_assert(slice_equal(was, is), "%s with %u fields", s->name, fields);
        mpack_buffer_done(&bytes);
        mpack_buffer_done(&again);
    }
}

Test(request, what_is_written_is_what_was_read)
{
    each(writes_what_it_reads);
}

Test(request, a_field_left_out_before_others_is_nil)
{
    struct mpack_buffer bytes = {0};
    const union request_fields q = {
        .group_create = {.topic = slice_of("t"), .group = slice_of("g"), .from = true}};
    frame_end(&bytes, request_begin(&bytes, &request_group_create, 7, &q));
    static const char wanted[] = "\0\0\0\x0c\x96\x28\x07\xa1t\xa1g\xc0\xa3now";
    cr_assert_eq(bytes.size, sizeof wanted - 1);
    cr_assert_arr_eq(bytes.data, wanted, sizeof wanted - 1);
    mpack_buffer_done(&bytes);
}
