/* request_write: a request as bytes, as request.def says. */
#include "base/utf8.h"
#include "proto/frame.h"
#include "proto/request.h"

/* ---- single values: how each kind is written, and whether it is what it is when it is left out ---- */

static void write_uint(struct mpack_buffer *to, const uint64_t *v)
{
    mpack_write_uint(to, *v);
}

static bool none_uint(const uint64_t *v)
{
    return *v == 0;
}

static void write_flag(struct mpack_buffer *to, const bool *v)
{
    mpack_write_bool(to, *v);
}

static bool none_flag(const bool *v)
{
    return !*v;
}

static void write_unless_false(struct mpack_buffer *to, const bool *v)
{
    mpack_write_bool(to, *v);
}

static bool none_unless_false(const bool *v)
{
    return *v;
}

static void write_text(struct mpack_buffer *to, const struct slice *v)
{
    mpack_write_str(to, v->data, v->size);
}

static bool none_text(const struct slice *v)
{
    return !v->data;
}

static void write_rows(struct mpack_buffer *to, const uint32_t *v)
{
    mpack_write_uint(to, *v);
}

static bool none_rows(const uint32_t *v)
{
    return *v == 0 || *v == NONE_rows;
}

static void write_now_or_oldest(struct mpack_buffer *to, const bool *v)
{
    mpack_write_cstr(to, *v ? "now" : "oldest");
}

static bool none_now_or_oldest(const bool *v)
{
    return !*v;
}

static void write_outcome(struct mpack_buffer *to, const uint8_t *v)
{
    mpack_write_uint(to, *v);
}

static void write_ms(struct mpack_buffer *to, const int64_t *v)
{
    mpack_write_uint(to, (uint64_t)*v);
}

static bool none_ms(const int64_t *v)
{
    return *v == NONE_ms;
}

static void write_error_text(struct mpack_buffer *to, const struct slice *v)
{
    mpack_write_str(to, v->data, v->size);
    if (!to->failed && !utf8_valid(v->data, v->size))
        utf8_clean((char *)to->data + to->size - v->size, v->data, v->size);
}

static bool none_error_text(const struct slice *v)
{
    return !v->data;
}

static void write_label(struct mpack_buffer *to, const struct slice *v)
{
    mpack_write_str(to, v->data, v->size);
}

static bool none_label(const struct slice *v)
{
    return !v->data;
}

static void write_filter_text(struct mpack_buffer *to, const struct slice *v)
{
    mpack_write_str(to, v->data, v->size);
}

static bool none_filter_text(const struct slice *v)
{
    return !v->data;
}

static void write_bytes(struct mpack_buffer *to, const struct slice *v)
{
    mpack_write_bin(to, v->data, v->size);
}

static bool none_bytes(const struct slice *v)
{
    return !v->data;
}

static void write_body(struct mpack_buffer *to, const struct slice *v)
{
    mpack_write_bin(to, v->data, v->size);
}

static bool none_body(const struct slice *v)
{
    return !v->data;
}

static void write_amount(struct mpack_buffer *to, const uint64_t *v)
{
    mpack_write_uint(to, *v);
}

static bool none_amount(const uint64_t *v)
{
    return *v == 0;
}

static void write_share(struct mpack_buffer *to, const uint64_t *v)
{
    mpack_write_uint(to, *v);
}

static bool none_share(const uint64_t *v)
{
    return *v == SHARE_NONE;
}

/* What is text is written as text, as publishers do. */
static void write_header(struct mpack_buffer *to, const struct wire_header *v)
{
    mpack_write_array(to, 2);
    mpack_write_str(to, v->name.data, v->name.size);
    if (utf8_valid(v->value.data, v->value.size))
        mpack_write_str(to, v->value.data, v->value.size);
    else
        mpack_write_bin(to, v->value.data, v->value.size);
}

static bool none_header(const struct wire_header *v)
{
    return !v->name.data;
}

/* ---- lists and maps ---- */

/* Of elements of `width` values each. */
static void write_list(struct mpack_buffer *to, const struct wire_list *v, uint32_t width)
{
    mpack_write_array(to, v->count * width);
    mpack_write_raw(to, v->bytes.data, v->bytes.size);
}

static bool none_list(const struct wire_list *v)
{
    return !v->count && !v->bytes.data;
}

#define WIDTH_unread 1
#define WIDTH_names  1
#define WIDTH_marks  2
#define WIDTH_kept   3

static void write_texts(struct mpack_buffer *to, const struct wire_list *v)
{
    write_list(to, v, 1);
}

static bool none_texts(const struct wire_list *v)
{
    return none_list(v);
}

static void write_members(struct mpack_buffer *to, const struct wire_list *v)
{
    write_list(to, v, 1);
}

static bool none_members(const struct wire_list *v)
{
    return none_list(v);
}

static void write_verifier(struct mpack_buffer *to, const struct slice *v)
{
    mpack_write_str(to, v->data, v->size);
}

static bool none_verifier(const struct slice *v)
{
    return !v->data;
}

static void write_policy(struct mpack_buffer *to, const struct policy_change *v)
{
    uint32_t pairs = 0;
    for (unsigned i = 0; i < POLICY_COUNT; i++)
        pairs += (v->set.given | v->reset) >> i & 1;
    mpack_write_map(to, pairs);
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        if (!((v->set.given | v->reset) >> i & 1))
            continue;
        mpack_write_cstr(to, policy_rows[i].field);
        if (v->reset >> i & 1)
            mpack_write_nil(to);
        else
            mpack_write_int(to, v->set.value[i]);
    }
}

static bool none_policy(const struct policy_change *v)
{
    return !(v->set.given | v->reset);
}

static void write_which(struct mpack_buffer *to, const struct dead_choice *v)
{
    mpack_write_map(to, 1);
    if (v->ids.count) {
        mpack_write_cstr(to, "ids");
        write_list(to, &v->ids, 1);
    } else if (v->matching) {
        mpack_write_cstr(to, "matching");
        mpack_write_uint(to, v->count);
    } else if (v->count == UINT64_MAX) {
        mpack_write_cstr(to, "all");
        mpack_write_bool(to, true);
    } else {
        mpack_write_cstr(to, "count");
        mpack_write_uint(to, v->count);
    }
}

static void write_client_name(struct mpack_buffer *to, const struct slice *v)
{
    mpack_write_str(to, v->data, v->size);
}

static bool none_client_name(const struct slice *v)
{
    return !v->size;
}

static void write_producer_id(struct mpack_buffer *to, const struct slice *v)
{
    mpack_write_bin(to, v->data, v->size);
}

static bool none_producer_id(const struct slice *v)
{
    return !v->size;
}

static void write_credentials(struct mpack_buffer *to, const struct slice *v)
{
    mpack_write_raw(to, v->data, v->size);
}

static bool none_credentials(const struct slice *v)
{
    return !v->size;
}

/* ---- by the table ---- */

/* The head of an array or a map of at most 15 is one byte: it is written when they have been counted. */
static void set_head(struct mpack_buffer *to, size_t at, uint8_t kind, uint32_t count)
{
    if (!to->failed)
        to->data[at] = (uint8_t)(kind | count);
}

/* Not all may be left out. */
#define MAP(name)                                                                                            \
    __attribute__((unused)) static bool none_##name(const struct name *q)                                    \
    {                                                                                                        \
        bool none = true;
#define KEY(kind, name) none &= none_##kind(&q->name);
#define MAP_END                                                                                              \
    return none;                                                                                             \
    }
#include "proto/request.def"

#define MAP(name)                                                                                            \
    static void write_##name(struct mpack_buffer *to, const struct name *q)                                  \
    {                                                                                                        \
        size_t at = to->size;                                                                                \
        uint32_t pairs = 0;                                                                                  \
        mpack_write_map(to, 0);
#define KEY(kind, name)                                                                                      \
    if (!none_##kind(&q->name)) {                                                                            \
        mpack_write_cstr(to, #name);                                                                         \
        write_##kind(to, &q->name);                                                                          \
        pairs++;                                                                                             \
    }
#define MAP_END                                                                                              \
    set_head(to, at, 0x80, pairs);                                                                           \
    }
#include "proto/request.def"

/* `count` and `end` are those of the fields without the ones that may be left out from the end. */
#define BEGIN                                                                                                \
    uint32_t written = 0, count = 0;                                                                         \
    size_t end = to->size;
#define WRITTEN                                                                                              \
    count = ++written;                                                                                       \
    end = to->size;
#define UNLESS(none, write)                                                                                  \
    if (none) {                                                                                              \
        mpack_write_nil(to);                                                                                 \
        written++;                                                                                           \
    } else {                                                                                                 \
        write;                                                                                               \
        WRITTEN                                                                                              \
    }
#define FINISH                                                                                               \
    (void)written;                                                                                           \
    to->size = end;

#define ITEM(name)                                                                                           \
    void request_write_##name(struct mpack_buffer *to, const struct name *q)                                 \
    {                                                                                                        \
        size_t at = to->size;                                                                                \
        mpack_write_array(to, 0);                                                                            \
        BEGIN
#define VALUE(kind, name)                                                                                    \
    write_##kind(to, &q->name);                                                                              \
    WRITTEN
#define OPTIONAL_VALUE(kind, name) UNLESS(none_##kind(&q->name), write_##kind(to, &q->name))
#define ITEM_END                                                                                             \
    FINISH                                                                                                   \
    set_head(to, at, 0x90, count);                                                                           \
    }
#define REQUEST(NAME, name, number, right, effect, answer)                                                   \
    static uint32_t write_request_##name(struct mpack_buffer *to, const union request_fields *fields)        \
    {                                                                                                        \
        const struct name##_request *q = fields ? &fields->name : NULL;                                      \
        (void)q;                                                                                             \
        BEGIN
#define FIELD(kind, name)                                                                                    \
    write_##kind(to, &q->name);                                                                              \
    WRITTEN
#define OPTIONAL(kind, name)                     UNLESS(none_##kind(&q->name), write_##kind(to, &q->name))
#define OPTIONAL_OF(kind, name, max, code, text) OPTIONAL(kind, name)
#define LIST(kind, name, max, code, text, shown)                                                             \
    write_list(to, &q->name, WIDTH_##kind);                                                                  \
    WRITTEN
#define OPTIONAL_LIST(kind, name, max, code, text)                                                           \
    UNLESS(none_list(&q->name), write_list(to, &q->name, WIDTH_##kind))
#define END                                                                                                  \
    FINISH                                                                                                   \
    return count;                                                                                            \
    }
#include "proto/request.def"

#define REQUEST(NAME, name, number, right, effect, answer)                                                   \
    const struct request_form request_##name = {OP_##NAME, write_request_##name};
#include "proto/request.def"

size_t request_begin(struct mpack_buffer *to, const struct request_form *form, uint64_t id,
                     const union request_fields *fields)
{
    size_t frame = frame_begin(to, form->op, id, 0);
    uint32_t count = form->write(to, fields);
    set_head(to, frame + FRAME_HEADER_BYTES, 0x90, 2 + count);
    return frame;
}

size_t request_begin_within(struct mpack_buffer *to, uint64_t timeout_ms, const struct request_form *form,
                            uint64_t id, const union request_fields *fields)
{
    if (timeout_ms == REQUEST_NO_LIMIT)
        return request_begin(to, form, id, fields);
    const union request_fields outside = {.within = {.timeout_ms = timeout_ms, .op = form->op}};
    size_t frame = frame_begin(to, OP_WITHIN, id, 0);
    uint32_t count = request_within.write(to, &outside);
    count += form->write(to, fields);
    set_head(to, frame + FRAME_HEADER_BYTES, 0x90, 2 + count);
    return frame;
}
