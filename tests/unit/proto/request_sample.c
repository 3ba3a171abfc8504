/* request_sample: made from the table, as its readers are. */
#include "tests/unit/proto/request_sample.h"
#include "proto/errors.h"
#include <criterion/criterion.h>
#include <stdio.h>

/* ---- a value of each kind ---- */

static void put_uint(struct mpack_buffer *to, uint64_t value)
{
    mpack_write_uint(to, value);
}

static void put_rows(struct mpack_buffer *to, uint64_t value)
{
    mpack_write_uint(to, value);
}

static void put_flag(struct mpack_buffer *to, uint64_t value)
{
    mpack_write_bool(to, value != 0);
}

static void put_text(struct mpack_buffer *to, uint64_t value)
{
    (void)value;
    mpack_write_cstr(to, "default");
}

static void put_topic(struct mpack_buffer *to, uint64_t value)
{
    (void)value;
    mpack_write_cstr(to, "t");
}

static void put_now_or_oldest(struct mpack_buffer *to, uint64_t value)
{
    (void)value;
    mpack_write_cstr(to, "now");
}

static void put_policy(struct mpack_buffer *to, uint64_t value)
{
    mpack_write_map(to, 1);
    mpack_write_cstr(to, "max_attempts");
    mpack_write_uint(to, value);
}

static void put_which(struct mpack_buffer *to, uint64_t value)
{
    (void)value;
    mpack_write_map(to, 1);
    mpack_write_cstr(to, "all");
    mpack_write_bool(to, true);
}

static void put_hello_options(struct mpack_buffer *to, uint64_t value)
{
    (void)value;
    mpack_write_map(to, 1);
    mpack_write_cstr(to, "client");
    mpack_write_cstr(to, "worker");
}

static void put_dead_filter(struct mpack_buffer *to, uint64_t value)
{
    mpack_write_map(to, 4);
    mpack_write_cstr(to, "cause");
    mpack_write_cstr(to, "0123456789abcdef");
    mpack_write_cstr(to, "since");
    mpack_write_uint(to, value);
    mpack_write_cstr(to, "header");
    mpack_write_array(to, 2);
    mpack_write_cstr(to, "name");
    mpack_write_cstr(to, "value");
    mpack_write_cstr(to, "key");
    mpack_write_bin(to, "k", 1);
}

static void put_audit_filter(struct mpack_buffer *to, uint64_t value)
{
    mpack_write_map(to, 2);
    mpack_write_cstr(to, "since");
    mpack_write_uint(to, value);
    mpack_write_cstr(to, "act");
    mpack_write_cstr(to, "topic_deleted");
}

static void put_redrive_options(struct mpack_buffer *to, uint64_t value)
{
    mpack_write_map(to, 3);
    mpack_write_cstr(to, "reason");
    mpack_write_cstr(to, "rejected");
    mpack_write_cstr(to, "canary");
    mpack_write_uint(to, value);
    mpack_write_cstr(to, "max_fail");
    mpack_write_uint(to, value);
}

static void put_rule_options(struct mpack_buffer *to, uint64_t value)
{
    mpack_write_map(to, 4);
    mpack_write_cstr(to, "action");
    mpack_write_cstr(to, "redrive");
    mpack_write_cstr(to, "times");
    mpack_write_uint(to, value);
    mpack_write_cstr(to, "wait_ms");
    mpack_write_uint(to, value);
    mpack_write_cstr(to, "disabled");
    mpack_write_bool(to, true);
}

static void put_user_settings(struct mpack_buffer *to, uint64_t value)
{
    (void)value;
    mpack_write_map(to, 3);
    mpack_write_cstr(to, "must_be");
    mpack_write_cstr(to, "new");
    mpack_write_cstr(to, "roles");
    mpack_write_array(to, 1);
    mpack_write_cstr(to, "administrator");
    mpack_write_cstr(to, "grants");
    mpack_write_array(to, 1);
    mpack_write_cstr(to, "orders.*:publish,look");
}

static void put_role_settings(struct mpack_buffer *to, uint64_t value)
{
    (void)value;
    mpack_write_map(to, 1);
    mpack_write_cstr(to, "grants");
    mpack_write_array(to, 0);
}

static void put_amount(struct mpack_buffer *to, uint64_t value)
{
    mpack_write_uint(to, value);
}

static void put_share(struct mpack_buffer *to, uint64_t value)
{
    mpack_write_uint(to, value);
}

static void put_filter_text(struct mpack_buffer *to, uint64_t size)
{
    char text[FILTER_TEXT_BYTES_MAX + 1];
    cr_assert_leq(size, sizeof text);
    memset(text, 't', sizeof text);
    mpack_write_str(to, text, size);
}

static void put_verifier(struct mpack_buffer *to, uint64_t size)
{
    put_filter_text(to, size);
}

static void put_bytes(struct mpack_buffer *to, uint64_t size)
{
    static const char bytes[FILTER_TEXT_BYTES_MAX + 1];
    cr_assert_leq(size, sizeof bytes);
    mpack_write_bin(to, bytes, size);
}

static void put_body(struct mpack_buffer *to, uint64_t size)
{
    static char bytes[BODY_BYTES_MAX + 1];
    cr_assert_leq(size, sizeof bytes);
    mpack_write_bin(to, bytes, size);
}

static void put_header(struct mpack_buffer *to, uint64_t size)
{
    mpack_write_array(to, 2);
    mpack_write_cstr(to, "h");
    put_filter_text(to, size);
}

static void put_cause_change(struct mpack_buffer *to, uint64_t value)
{
    (void)value;
    mpack_write_map(to, 1);
    mpack_write_cstr(to, "state");
    mpack_write_cstr(to, "muted");
}

static void put_label(struct mpack_buffer *to, uint64_t size)
{
    char label[CAUSE_NOTE_BYTES_MAX + 1];
    cr_assert_leq(size, sizeof label);
    memset(label, 'l', sizeof label);
    mpack_write_str(to, label, size);
}

static void put_client_name(struct mpack_buffer *to, uint64_t size)
{
    char name[CLIENT_NAME_BYTES_MAX + 1];
    cr_assert_leq(size, sizeof name);
    memset(name, 'n', sizeof name);
    mpack_write_str(to, name, size);
}

/* A map of so many bytes. */
static void put_credentials(struct mpack_buffer *to, uint64_t size)
{
    static const char secret[AUTH_BYTES_MAX];
    const uint64_t around = 1 + 2 + 3; /* the map's head, "m", and the head of its value */
    cr_assert_leq(size - around, sizeof secret);
    mpack_write_map(to, 1);
    mpack_write_cstr(to, "m");
    mpack_write_bin(to, secret, size - around);
}

static void put_unread(struct mpack_buffer *to, uint64_t count)
{
    mpack_write_array(to, (uint32_t)count);
    for (uint64_t i = 0; i < count; i++) {
        mpack_write_array(to, 3); /* an entry; a message's reader has its own tests */
        for (int k = 0; k < 3; k++)
            mpack_write_uint(to, OUTCOME_ACK);
    }
}

static void put_marks(struct mpack_buffer *to, uint64_t count)
{
    mpack_write_array(to, (uint32_t)count * 2);
    for (uint64_t i = 0; i < count * 2; i++)
        mpack_write_uint(to, 1);
}

static void put_kept(struct mpack_buffer *to, uint64_t count)
{
    mpack_write_array(to, (uint32_t)count * 3);
    for (uint64_t i = 0; i < count; i++) {
        mpack_write_uint(to, i);
        mpack_write_uint(to, 1);
        mpack_write_bool(to, true);
    }
}

static void put_names(struct mpack_buffer *to, uint64_t count)
{
    mpack_write_array(to, (uint32_t)count);
    for (uint64_t i = 0; i < count; i++)
        mpack_write_cstr(to, "g");
}

static void put_members(struct mpack_buffer *to, uint64_t count)
{
    put_names(to, count);
}

/* ---- by the table ---- */

static void add(struct sample *s, const char *name, bool optional, sample_put_fn *put, uint64_t value)
{
    cr_assert_lt(s->count, SAMPLE_FIELDS_MAX);
    s->names[s->count] = name;
    s->optional[s->count] = optional;
    s->needed += !optional;
    put(&s->fields[s->count++], value);
}

static void bound(struct sample *s, const char *key, sample_put_fn *put, uint64_t max, int code,
                  const char *text)
{
    cr_assert_lt(s->bounds_count, SAMPLE_BOUNDS_MAX);
    s->bounds[s->bounds_count++] = (struct sample_bound){s->count - 1, key, put, max, code, text};
}

/* A map's bounds become those of the request that has it. */
#define MAP(name)                                                                                            \
    static void bounds_of_##name(struct sample *s)                                                           \
    {                                                                                                        \
        (void)s;
#define KEY_OF(kind, name, max, code, text) bound(s, #name, put_##kind, max, SHUNT_##code, text);
#define MAP_END                             }
#include "proto/request.def"

#define BOUNDS_OF(kind)                                                                                      \
    if (strcmp(#kind, "hello_options") == 0)                                                                 \
        bounds_of_hello_options(s);                                                                          \
    if (strcmp(#kind, "dead_filter") == 0)                                                                   \
        bounds_of_dead_filter(s);                                                                            \
    if (strcmp(#kind, "redrive_options") == 0)                                                               \
        bounds_of_redrive_options(s);                                                                        \
    if (strcmp(#kind, "cause_change") == 0)                                                                  \
        bounds_of_cause_change(s);                                                                           \
    if (strcmp(#kind, "audit_filter") == 0)                                                                  \
        bounds_of_audit_filter(s);                                                                           \
    if (strcmp(#kind, "rule_options") == 0)                                                                  \
        bounds_of_rule_options(s);                                                                           \
    if (strcmp(#kind, "user_settings") == 0)                                                                 \
        bounds_of_user_settings(s);                                                                          \
    if (strcmp(#kind, "role_settings") == 0)                                                                 \
        bounds_of_role_settings(s);

#define REQUEST(NAME_, name_, number, right_, effect_, answer_)                                              \
    static void make_##name_(struct sample *s)                                                               \
    {                                                                                                        \
        *s = (struct sample){.name = #NAME_,                                                                 \
                             .op = (number),                                                                 \
                             .need = NEED_##right_,                                                          \
                             .effect = EFFECT_##effect_,                                                     \
                             .answer = ANSWER_##answer_,                                                     \
                             .read = request_read_##name_,                                                   \
                             .form = &request_##name_};
#define FIELD(kind, name)                                                                                    \
    add(s, #name, false, put_##kind, 1);                                                                     \
    BOUNDS_OF(kind)
#define TOPIC(name) add(s, #name, false, put_topic, 1);
#define OPTIONAL(kind, name)                                                                                 \
    add(s, #name, true, put_##kind, 1);                                                                      \
    BOUNDS_OF(kind)
#define OPTIONAL_OF(kind, name, max, code, text)                                                             \
    add(s, #name, true, put_##kind, 1);                                                                      \
    bound(s, NULL, put_##kind, max, SHUNT_##code, text);
#define LIST(kind, name, max, code, text, shown)                                                             \
    FIELD(kind, name)                                                                                        \
    bound(s, NULL, put_##kind, max, SHUNT_##code, text);
#define OPTIONAL_LIST(kind, name, max, code, text)                                                           \
    add(s, #name, true, put_##kind, 1);                                                                      \
    bound(s, NULL, put_##kind, max, SHUNT_##code, text);
#define AT_MOST(name, max, code, text) bound(s, NULL, put_uint, max, SHUNT_##code, text);
#define END                            }
#include "proto/request.def"

static void (*const makers[])(struct sample *) = {
#define REQUEST(NAME, name, number, right, effect, answer) make_##name,
#include "proto/request.def"
};

uint32_t samples_count(void)
{
    return sizeof makers / sizeof *makers;
}

void sample_make(struct sample *ret, uint32_t place)
{
    makers[place](ret);
}

void sample_done(struct sample *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        mpack_buffer_done(&s->fields[i]);
}

void sample_write(const struct sample *s, uint32_t fields, uint32_t at, const struct mpack_buffer *replaced,
                  struct mpack_buffer *to)
{
    for (uint32_t i = 0; i < fields; i++) {
        const struct mpack_buffer *field = replaced && i == at ? replaced : &s->fields[i];
        mpack_write_raw(to, field->data, field->size);
    }
}

struct sample_verdict sample_judge(const struct sample *s, const struct mpack_buffer *bytes,
                                   union request_fields *ret)
{
    struct request_source from;
    struct sample_verdict v = {0};
    mpack_read_init(&from.r, bytes->data, bytes->size);
    request_source_init(&from);
    s->read(&from, ret);
    v.err = request_verdict(&from);
    if (v.err)
        (void)snprintf(v.why, sizeof v.why, "%s", from.why);
    return v;
}
