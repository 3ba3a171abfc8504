/* request_read: the fields of a request, read and checked as request.def says. */
#include "proto/request.h"

#include "base/utf8.h"
#include "proto/names.h"
#include <stdio.h>

/* The first refusal counts. */
__attribute__((noinline, cold)) static void refuse(struct request_source *from, int err, const char *why)
{
    if (from->err || from->r.failed)
        return;
    from->err = err;
    from->why = why;
}

/* What follows is not looked at: its readers find nothing. */
__attribute__((noinline, cold)) static void stop(struct request_source *from, int err, const char *why)
{
    if (from->r.failed)
        return;
    from->err = err;
    from->why = why;
    from->stopped = true;
    from->r.at = from->r.end;
}

static bool left_out(struct request_source *from)
{
    return mpack_peek(&from->r) == MPACK_END || mpack_read_is_nil(&from->r);
}

/* ---- single values ---- */

static void read_uint(struct request_source *from, uint64_t *ret)
{
    *ret = mpack_read_uint(&from->r);
}

static void read_flag(struct request_source *from, bool *ret)
{
    *ret = mpack_read_bool(&from->r);
}

static void read_unless_false(struct request_source *from, bool *ret)
{
    *ret = mpack_read_bool(&from->r);
}

static void read_text(struct request_source *from, struct slice *ret)
{
    *ret = mpack_read_str(&from->r);
}

static void read_rows(struct request_source *from, uint32_t *ret)
{
    uint64_t rows = mpack_read_uint(&from->r);
    *ret = rows == 0 ? PAGE_ROWS_DEFAULT : rows > PAGE_ROWS_MAX ? PAGE_ROWS_MAX : (uint32_t)rows;
}

static void read_now_or_oldest(struct request_source *from, bool *ret)
{
    struct slice begin = mpack_read_str(&from->r);
    *ret = slice_is(begin, "now");
    if (!*ret && !slice_is(begin, "oldest"))
        refuse(from, SHUNT_BAD_ARGUMENT, "a group starts from \"oldest\" or from \"now\"");
}

static void read_outcome(struct request_source *from, uint8_t *ret)
{
    uint64_t outcome = mpack_read_uint(&from->r);
    *ret = outcome <= OUTCOME_LATE ? (uint8_t)outcome : OUTCOME_UNKNOWN;
}

static void read_ms(struct request_source *from, int64_t *ret)
{
    uint64_t ms = mpack_read_uint(&from->r);
    *ret = ms > DURATION_MS_MAX ? DURATION_MS_MAX + 1 : (int64_t)ms;
}

static void read_error_text(struct request_source *from, struct slice *ret)
{
    *ret = mpack_read_str(&from->r);
}

static void check_topic_or_dlq(struct request_source *from, struct slice name)
{
    const char *why = NULL;
    int err = name_check_topic(name, &why);
    if (err)
        refuse(from, err, why);
}

/* ---- lists ---- */

/* The head of an array whose elements are of `width` values each. */
static inline bool read_head(struct request_source *from, uint32_t width, struct wire_list *ret)
{
    uint32_t values = mpack_read_array(&from->r);
    from->r.failed |= values % width != 0;
    ret->count = values / width;
    ret->bytes = (struct slice){from->r.at, (size_t)(from->r.end - from->r.at)};
    return !from->r.failed;
}

static inline bool head_within(struct request_source *from, uint32_t width, uint32_t max, int err,
                               const char *why, struct wire_list *ret)
{
    if (read_head(from, width, ret) && ret->count <= max)
        return true;
    stop(from, err, why);
    return false;
}

/* The request's own reader looks at the elements: it is the last field, and they are many. */
static void read_unread(struct request_source *from, struct wire_list *ret, uint32_t max, int err,
                        const char *why)
{
    (void)head_within(from, 1, max, err, why, ret);
}

/* All its elements were looked at: its bytes end here. */
static void end_list(const struct request_source *from, struct wire_list *ret)
{
    ret->bytes.size = (size_t)(from->r.at - (const uint8_t *)ret->bytes.data);
}

static void skip_texts(struct request_source *from, struct wire_list *ret)
{
    for (uint32_t i = 0; i < ret->count && !from->r.failed; i++)
        (void)mpack_read_str(&from->r);
    end_list(from, ret);
}

static void read_names(struct request_source *from, struct wire_list *ret, uint32_t max, int err,
                       const char *why)
{
    if (head_within(from, 1, max, err, why, ret))
        skip_texts(from, ret);
}

/* All that take the place of what there was. */
static void read_members(struct request_source *from, struct wire_list *ret, uint32_t max, int err,
                         const char *why)
{
    read_names(from, ret, max, err, why);
}

static void read_texts(struct request_source *from, struct wire_list *ret)
{
    if (read_head(from, 1, ret))
        skip_texts(from, ret);
}

static void read_marks(struct request_source *from, struct wire_list *ret, uint32_t max, int err,
                       const char *why)
{
    if (!head_within(from, 2, max, err, why, ret))
        return;
    for (uint32_t i = 0; i < ret->count * 2 && !from->r.failed; i++)
        (void)mpack_read_uint(&from->r);
    end_list(from, ret);
}

static void read_kept(struct request_source *from, struct wire_list *ret, uint32_t max, int err,
                      const char *why)
{
    if (!head_within(from, 3, max, err, why, ret))
        return;
    for (uint32_t i = 0; i < ret->count && !from->r.failed; i++) {
        (void)mpack_read_uint(&from->r);
        (void)mpack_read_uint(&from->r);
        (void)mpack_read_bool(&from->r);
    }
    end_list(from, ret);
}

void request_texts(const struct wire_list *list, struct slice *to)
{
    struct mpack_reader r;
    mpack_read_init(&r, list->bytes.data, list->bytes.size);
    for (uint32_t i = 0; i < list->count; i++)
        to[i] = mpack_read_str(&r);
}

/* ---- settings of topics and groups ---- */

/* An integer; one too large for any setting is as large as can be. */
static int64_t read_setting(struct mpack_reader *r)
{
    struct mpack_reader before = *r;
    int64_t value = mpack_read_int(r);
    if (!r->failed || mpack_peek(&before) != MPACK_INT)
        return value;
    *r = before;
    (void)mpack_read_uint(r);
    return INT64_MAX;
}

static void read_policy(struct request_source *from, struct policy_change *ret)
{
    struct mpack_reader *r = &from->r;
    uint32_t count = mpack_read_map(r);
    *ret = NONE_policy;
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        struct slice name = mpack_read_str(r);
        int field = r->failed ? -1 : policy_find(name.data, name.size);
        if (field < 0) {
            (void)snprintf(from->text, sizeof from->text, "unknown setting %.*s",
                           name.size > 64 ? 64 : (int)name.size, (const char *)name.data);
            stop(from, SHUNT_BAD_ARGUMENT, from->text);
            return;
        }
        /* Of a setting that is named twice the last counts. */
        uint32_t bit = 1u << field;
        bool reset = mpack_read_is_nil(r);
        ret->reset = reset ? ret->reset | bit : ret->reset & ~bit;
        ret->set.given = reset ? ret->set.given & ~bit : ret->set.given | bit;
        if (reset)
            continue;
        const struct policy_row *row = &policy_rows[field];
        int64_t value = ret->set.value[field] = read_setting(r);
        if (!r->failed && (value < row->min || value > row->max)) {
            (void)snprintf(from->text, sizeof from->text, "%s is from %lld to %lld", row->field,
                           (long long)row->min, (long long)row->max);
            stop(from, SHUNT_BAD_ARGUMENT, from->text);
            return;
        }
    }
}

/* ---- which dead letters ---- */

/* Exactly one of ids, count, matching, all. `all` false chooses nothing, and takes nothing back. */
static void read_which(struct request_source *from, struct dead_choice *ret)
{
    uint32_t pairs = mpack_read_map(&from->r), known = 0;
    *ret = (struct dead_choice){0};
    for (uint32_t i = 0; i < pairs && !from->r.failed; i++) {
        struct slice key = mpack_read_str(&from->r);
        if (slice_is(key, "ids")) {
            read_names(from, &ret->ids, IDS_MAX, SHUNT_BAD_ARGUMENT, "ids are 1 to 1000 names");
            if (!ret->ids.count)
                stop(from, SHUNT_BAD_ARGUMENT, "ids are 1 to 1000 names");
            known++;
        } else if (slice_is(key, "count") || slice_is(key, "matching")) {
            ret->count = mpack_read_uint(&from->r);
            ret->matching = slice_is(key, "matching");
            known++;
        } else if (slice_is(key, "all")) {
            bool all = mpack_read_bool(&from->r);
            known += all;
            ret->count = all ? UINT64_MAX : ret->count;
        } else {
            (void)mpack_read_any(&from->r); /* of a later version */
        }
    }
    if (known != 1)
        refuse(from, SHUNT_BAD_ARGUMENT, "name exactly one of ids, count, matching, all");
}

static void read_filter_text(struct request_source *from, struct slice *ret, size_t max, int err,
                             const char *why)
{
    *ret = mpack_read_str(&from->r);
    if (ret->size > max)
        refuse(from, err, why);
}

static void read_verifier(struct request_source *from, struct slice *ret, size_t max, int err,
                          const char *why)
{
    read_filter_text(from, ret, max, err, why);
}

static void read_bytes(struct request_source *from, struct slice *ret, size_t max, int err, const char *why)
{
    *ret = mpack_read_bin(&from->r);
    if (ret->size > max)
        refuse(from, err, why);
}

static void read_body(struct request_source *from, struct slice *ret, size_t max, int err, const char *why)
{
    read_bytes(from, ret, max, err, why);
}

/* `[name, value]` */
static void read_header(struct request_source *from, struct wire_header *ret, size_t max, int err,
                        const char *why)
{
    from->r.failed |= mpack_read_array(&from->r) != 2;
    ret->name = mpack_read_str(&from->r);
    ret->value = mpack_peek(&from->r) == MPACK_BIN ? mpack_read_bin(&from->r) : mpack_read_str(&from->r);
    if (ret->name.size > max || ret->value.size > max)
        refuse(from, err, why);
}

/* ---- how a redrive goes on ---- */

static void read_amount(struct request_source *from, uint64_t *ret, uint64_t max, int err, const char *why)
{
    *ret = mpack_read_uint(&from->r);
    if (*ret > max)
        refuse(from, err, why);
}

static void read_share(struct request_source *from, uint64_t *ret, uint64_t max, int err, const char *why)
{
    read_amount(from, ret, max, err, why);
}

/* ---- HELLO ---- */

/* A name for the attempt ledger. */
static void read_client_name(struct request_source *from, struct slice *ret, size_t max, int err,
                             const char *why)
{
    *ret = mpack_read_str(&from->r);
    if (ret->size > max)
        refuse(from, err, why);
    else if (!utf8_valid(ret->data, ret->size) || memchr(ret->data, 0, ret->size))
        refuse(from, SHUNT_BAD_ARGUMENT, "client, host and build are UTF-8 without NUL");
}

/* What people write about something. */
static void read_label(struct request_source *from, struct slice *ret, size_t max, int err, const char *why)
{
    *ret = mpack_read_str(&from->r);
    if (ret->size > max)
        refuse(from, err, why);
    else if (!utf8_valid(ret->data, ret->size) || memchr(ret->data, 0, ret->size))
        refuse(from, SHUNT_BAD_ARGUMENT, "owner, note, reason and build are UTF-8 without NUL");
}

static void read_producer_id(struct request_source *from, struct slice *ret)
{
    *ret = mpack_read_bin(&from->r);
    if (ret->size != PRODUCER_ID_BYTES)
        refuse(from, SHUNT_BAD_ARGUMENT, "producer is 16 bytes");
}

static void read_credentials(struct request_source *from, struct slice *ret, size_t max, int err,
                             const char *why)
{
    from->r.failed |= mpack_peek(&from->r) != MPACK_MAP;
    *ret = mpack_read_any(&from->r);
    if (ret->size > max)
        refuse(from, err, why);
}

/* ---- by the table ---- */

/* Of a key that comes twice the last counts; one that is not known is of a later version. */
#define MAP(name)                                                                                            \
    static void read_##name(struct request_source *from, struct name *q)                                     \
    {                                                                                                        \
        uint32_t pairs = mpack_read_map(&from->r);                                                           \
        *q = NONE_##name;                                                                                    \
        for (uint32_t i = 0; i < pairs && !from->r.failed; i++) {                                            \
            struct slice key = mpack_read_str(&from->r);
#define KEY(kind, name)                                                                                      \
    if (slice_is(key, #name)) {                                                                              \
        read_##kind(from, &q->name);                                                                         \
        continue;                                                                                            \
    }
#define KEY_OF(kind, name, max, code, text)                                                                  \
    if (slice_is(key, #name)) {                                                                              \
        read_##kind(from, &q->name, max, SHUNT_##code, text);                                                \
        continue;                                                                                            \
    }
#define NO_OTHER_KEYS(code, text) refuse(from, SHUNT_##code, text);
#define MAP_END                                                                                              \
    (void)mpack_read_any(&from->r);                                                                          \
    }                                                                                                        \
    }
#define ITEM(name)                                                                                           \
    void request_read_##name(struct request_source *from, struct name *ret)                                  \
    {                                                                                                        \
        uint32_t left = mpack_read_array(&from->r);
#define VALUE(kind, name)                                                                                    \
    from->r.failed |= !left;                                                                                 \
    left -= left > 0;                                                                                        \
    read_##kind(from, &ret->name);
#define OPTIONAL_VALUE(kind, name)                                                                           \
    ret->name = NONE_##kind;                                                                                 \
    if (left && !mpack_read_is_nil(&from->r))                                                                \
        read_##kind(from, &ret->name);                                                                       \
    left -= left > 0;
#define ITEM_END                                                                                             \
    while (left-- && !from->r.failed)                                                                        \
        (void)mpack_read_any(&from->r);                                                                      \
    }
#define REQUEST(NAME, name, number, right, effect, answer)                                                   \
    void request_read_##name(struct request_source *from, union request_fields *ret)                         \
    {                                                                                                        \
        struct name##_request *q = &ret->name;
#define NO_FIELDS         (void)from, (void)q;
#define FIELD(kind, name) read_##kind(from, &q->name);
#define OPTIONAL(kind, name)                                                                                 \
    q->name = NONE_##kind;                                                                                   \
    if (!left_out(from))                                                                                     \
        read_##kind(from, &q->name);
#define OPTIONAL_OF(kind, name, max, code, text)                                                             \
    q->name = NONE_##kind;                                                                                   \
    if (!left_out(from))                                                                                     \
        read_##kind(from, &q->name, max, SHUNT_##code, text);
#define TOPIC(name)                                                                                          \
    FIELD(text, name)                                                                                        \
    from->topic = q->name;
#define TOPIC_OR_DLQ(name)                                                                                   \
    TOPIC(name)                                                                                              \
    check_topic_or_dlq(from, q->name);
#define GROUP(name)                                                                                          \
    FIELD(text, name)                                                                                        \
    from->group = q->name;
#define OPTIONAL_GROUP(name)                                                                                 \
    OPTIONAL(text, name)                                                                                     \
    from->group = q->name;
#define LIST(kind, name, max, code, text, shown) read_##kind(from, &q->name, max, SHUNT_##code, text);
#define OPTIONAL_LIST(kind, name, max, code, text)                                                           \
    q->name = (struct wire_list){0};                                                                         \
    if (!left_out(from))                                                                                     \
    LIST(kind, name, max, code, text, )
#define AT_MOST(name, max, code, text)                                                                       \
    if (q->name > (max))                                                                                     \
        refuse(from, SHUNT_##code, text);
#define ONLY_IF(condition, code, text)                                                                       \
    if (!(condition))                                                                                        \
        stop(from, SHUNT_##code, text);
#define END }
#include "proto/request.def"
