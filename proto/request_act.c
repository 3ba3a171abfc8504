/* request_act: what requests of operators have in common, by request.def: a reason, and what they ask for as one line. */
#include "proto/request.h"

#include "base/utf8.h"
#include <inttypes.h>
#include <stdio.h>

/* ---- the reason ---- */

#define REQUEST(NAME, name, number, right, effect, answer)                                                   \
    static struct slice *reason_of_##name(struct name##_request *q, int *place)                              \
    {                                                                                                        \
        int at = 0;                                                                                          \
        (void)q, (void)at, (void)place;
#define FIELD(kind, name)                          at++;
#define OPTIONAL(kind, name)                       at++;
#define LIST(kind, name, max, code, text, shown)   at++;
#define OPTIONAL_LIST(kind, name, max, code, text) at++;
#define REASON                                                                                               \
    *place = at;                                                                                             \
    return &q->reason;
#define END                                                                                                  \
    return NULL;                                                                                             \
    }
#include "proto/request.def"

/* NULL, and *place stays as it is: it takes none. */
static struct slice *reason_of(unsigned op, union request_fields *fields, int *place)
{
    switch (op) {
#define REQUEST(NAME, name, number, right, effect, answer)                                                   \
    case OP_##NAME:                                                                                          \
        return reason_of_##name(&fields->name, place);
#include "proto/request.def"
    default:
        return NULL;
    }
}

struct slice request_reason(unsigned op, const union request_fields *fields)
{
    int place;
    const struct slice *reason = reason_of(op, (union request_fields *)(uintptr_t)fields, &place);
    return reason ? *reason : (struct slice){0};
}

int request_reason_place(unsigned op)
{
    static union request_fields none;
    int place = -1;
    (void)reason_of(op, &none, &place);
    return place;
}

/* ---- what it asks for ---- */

/* One line; what does not fit is cut. */
struct line {
    char *text;
    size_t size, room;
    bool cut;
};

static void put(struct line *to, const void *bytes, size_t size)
{
    size_t fits = size < to->room - to->size ? size : to->room - to->size;
    if (fits)
        memcpy(to->text + to->size, bytes, fits);
    to->size += fits;
    to->cut |= fits < size;
}

static void put_text(struct line *to, const char *text)
{
    put(to, text, strlen(text));
}

static void put_name(struct line *to, const char *name)
{
    put(to, " ", to->size > 0);
    put_text(to, name);
    put(to, "=", 1);
}

static bool is_plain(struct slice s)
{
    const uint8_t *at = s.data;
    for (size_t i = 0; i < s.size; i++) {
        if (at[i] <= ' ' || at[i] == '"' || at[i] == ',' || at[i] == '=' || at[i] == '\\' || at[i] == 0x7f)
            return false;
    }
    return s.size > 0;
}

/* In quotes if it would not be one word; then with \" and \\, and a space for each control character. */
static void put_word(struct line *to, struct slice s)
{
    const char *at = s.data;
    if (is_plain(s)) {
        put(to, s.data, s.size);
        return;
    }
    put(to, "\"", 1);
    for (size_t i = 0; i < s.size && !to->cut; i++) {
        bool control = (unsigned char)at[i] < ' ' || at[i] == 0x7f;
        put(to, "\\", at[i] == '"' || at[i] == '\\');
        put(to, control ? " " : at + i, 1);
    }
    put(to, "\"", 1);
}

static void put_number(struct line *to, int64_t number)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRId64, number);
    put_text(to, digits);
}

/* ---- each kind; nothing of what is as if left out ---- */

static void say_uint(struct line *to, const char *name, const uint64_t *v)
{
    char digits[24];
    if (!*v)
        return;
    put_name(to, name);
    (void)snprintf(digits, sizeof digits, "%" PRIu64, *v);
    put_text(to, digits);
}

static void say_share(struct line *to, const char *name, const uint64_t *v)
{
    if (*v == SHARE_NONE)
        return;
    put_name(to, name);
    put_number(to, (int64_t)*v);
}

static void say_count(struct line *to, const char *name, uint32_t count)
{
    const uint64_t number = count;
    say_uint(to, name, &number);
}

static void say_rows(struct line *to, const char *name, const uint32_t *v)
{
    say_count(to, name, *v);
}

static void say_flag(struct line *to, const char *name, const bool *v)
{
    if (!*v)
        return;
    put_name(to, name);
    put_text(to, "true");
}

static void say_text(struct line *to, const char *name, const struct slice *v)
{
    if (!v->data)
        return;
    put_name(to, name);
    put_word(to, *v);
}

static void say_now_or_oldest(struct line *to, const char *name, const bool *v)
{
    if (!*v)
        return;
    put_name(to, name);
    put_text(to, "now");
}

static void say_policy(struct line *to, const char *name, const struct policy_change *v)
{
    (void)name;
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        if (!((v->set.given | v->reset) >> i & 1))
            continue;
        put_name(to, policy_rows[i].field);
        if (v->set.given >> i & 1)
            put_number(to, v->set.value[i]);
        else
            put_text(to, "inherit");
    }
}

static void say_names(struct line *to, const char *name, const struct wire_list *v)
{
    struct mpack_reader r;
    if (!v->count)
        return;
    put_name(to, name);
    mpack_read_init(&r, v->bytes.data, v->bytes.size);
    for (uint32_t i = 0; i < v->count && !to->cut && !r.failed; i++) {
        put(to, ",", i > 0);
        put_word(to, mpack_read_str(&r));
    }
}

/* What takes the place of what was there: that there is nothing is said, too. */
static void say_members(struct line *to, const char *name, const struct wire_list *v)
{
    say_names(to, name, v);
    if (v->count || !v->bytes.data)
        return;
    put_name(to, name);
    put_text(to, "none");
}

static void say_verifier(struct line *to, const char *name, const struct slice *v)
{
    if (!v->data)
        return;
    put_name(to, name);
    put_text(to, v->size ? "set" : "none");
}

static void say_which(struct line *to, const char *name, const struct dead_choice *v)
{
    const bool all = v->count == UINT64_MAX;
    (void)name;
    say_names(to, "ids", &v->ids);
    if (all)
        say_flag(to, "all", &all);
    else
        say_uint(to, "count", &v->count);
}

static void say_header(struct line *to, const char *name, const struct wire_header *v)
{
    if (!v->name.data)
        return;
    put_name(to, name);
    put_word(to, v->name);
    put(to, "=", 1);
    put_word(to, v->value);
}

/* Whose it is knows what it says: the audit log has its size. */
static void say_body(struct line *to, const char *name, const struct slice *v)
{
    if (!v->data)
        return;
    put_name(to, name);
    put_number(to, (int64_t)v->size);
    put_text(to, "B");
}

/* Of a list whose elements say little: how many there are. */
#define say_unread(to, name, v) say_count(to, name, (v)->count)
#define say_marks(to, name, v)  say_count(to, name, (v)->count)
#define say_kept(to, name, v)   say_count(to, name, (v)->count)
#define say_texts(to, name, v)  say_count(to, name, (v)->count)

#define say_client_name(to, name, v)  say_text(to, name, v)
#define say_label(to, name, v)        say_text(to, name, v)
#define say_bytes(to, name, v)        say_text(to, name, v)
#define say_filter_text(to, name, v)  say_text(to, name, v)
#define say_amount(to, name, v)       say_uint(to, name, v)
#define say_producer_id(to, name, v)  (void)(v) /* of its connection, and nobody else's */
#define say_credentials(to, name, v)  (void)(v) /* nobody is to read them */
#define say_unless_false(to, name, v) say_flag(to, name, v)

/* The keys of a map stand as fields do. */
#define MAP(name)                                                                                            \
    static void say_##name(struct line *to, const char *field, const struct name *q)                         \
    {                                                                                                        \
        (void)field;
#define KEY(kind, name) say_##kind(to, #name, &q->name);
#define MAP_END         }
#include "proto/request.def"

#define REQUEST(NAME, name, number, right, effect, answer)                                                   \
    static void line_of_##name(struct line *to, const struct name##_request *q)                              \
    {                                                                                                        \
        (void)to, (void)q;
#define TOPIC(name)
#define GROUP(name)
#define OPTIONAL_GROUP(name)
#define REASON
#define FIELD(kind, name)                          say_##kind(to, #name, &q->name);
#define OPTIONAL(kind, name)                       say_##kind(to, #name, &q->name);
#define LIST(kind, name, max, code, text, shown)   say_##kind(to, #name, &q->name);
#define OPTIONAL_LIST(kind, name, max, code, text) say_##kind(to, #name, &q->name);
#define END                                        }
#include "proto/request.def"

/* What the cut left of a character. */
static void drop_half(struct line *to)
{
    for (size_t back = 1; back <= 3 && back <= to->size; back++) {
        const char *at = to->text + to->size - back;
        if (((unsigned char)*at & 0xc0) == 0x80)
            continue;
        if (!utf8_step(at, back))
            to->size -= back;
        return;
    }
}

size_t request_asked(unsigned op, const union request_fields *fields, char *text, size_t room)
{
    static const char more[] = "…";
    struct line to = {.text = text, .room = room - (sizeof more - 1)};
    switch (op) {
#define REQUEST(NAME, name, number, right, effect, answer)                                                   \
    case OP_##NAME:                                                                                          \
        line_of_##name(&to, &fields->name);                                                                  \
        break;
#include "proto/request.def"
    default:
        break;
    }
    if (to.cut)
        drop_half(&to);
    utf8_clean(text, text, to.size);
    if (to.cut) {
        memcpy(text + to.size, more, sizeof more - 1);
        to.size += sizeof more - 1;
    }
    return to.size;
}
