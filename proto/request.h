/* request: what each request of the protocol carries, as structs, and how that is read and written; made from
 * request.def.
 *
 *     struct NAME_request ─ request_begin() ─► frame ─ op, id ─► request_read_NAME() ─► struct NAME_request
 *                                                                request_verdict()
 *
 * A request is read where it lies: slices and lists point into its frame. If a field is missing or of the wrong type, that
 * decides what is said of the request, whatever else is wrong with it; then the first field that breaks a bound does. There
 * are two exceptions, which are said at once: a list that is too long, because looking at it all is what the bound is to
 * save, and a condition of the table (ONLY_IF).
 */
#ifndef SHUNT_PROTO_REQUEST_H
#define SHUNT_PROTO_REQUEST_H

#include "proto/errors.h"
#include "proto/limits.h"
#include "proto/mpack.h"
#include "proto/policy.h"
#include "proto/wire.h"

/* An array as it lies in the frame. */
struct wire_list {
    uint32_t count; /* of elements; of marks and kept deliveries, which are several elements each */
    /* of them; of a list that is left unread, what follows too. `data` is NULL if it was left out */
    struct slice bytes;
};

/* Which dead letters: those named, or the oldest `count`. */
struct dead_choice {
    struct wire_list ids;
    uint64_t count; /* UINT64_MAX: all */
    /* the oldest so many that the request's filter lets through: an older server, which passes over
     * the filter, refuses that */
    bool matching;
};

/* A header of a message. */
struct wire_header {
    struct slice name, value;
};

/* What the kinds of fields are in C, and what they are when they are left out. */
#define KIND_uint            uint64_t
#define KIND_flag            bool
#define KIND_text            struct slice
#define KIND_rows            uint32_t /* of a page */
#define KIND_now_or_oldest   bool     /* true: from now on */
#define KIND_policy          struct policy_change
#define KIND_which           struct dead_choice
#define KIND_hello_options   struct hello_options
#define KIND_client_name     struct slice /* UTF-8 without NUL */
#define KIND_producer_id     struct slice /* PRODUCER_ID_BYTES, or empty */
#define KIND_credentials     struct slice /* the map's bytes */
#define KIND_unless_false    bool
#define KIND_texts           struct wire_list
#define KIND_outcome         uint8_t      /* an enum wire_outcome, or OUTCOME_UNKNOWN */
#define KIND_ms              int64_t      /* more than DURATION_MS_MAX: one more than that */
#define KIND_error_text      struct slice /* what is not UTF-8 is replaced when it is written */
#define KIND_bytes           struct slice
#define KIND_body            struct slice /* of a message; `data` NULL: left out */
#define KIND_header          struct wire_header
#define KIND_label           struct slice /* UTF-8 without NUL; `data` NULL: left out */
#define KIND_filter_text     struct slice
#define KIND_amount          uint64_t
#define KIND_share           uint64_t /* in thousandths */
#define KIND_dead_filter     struct dead_filter
#define KIND_redrive_options struct redrive_options
#define KIND_cause_change    struct cause_change
#define KIND_audit_filter    struct audit_filter
#define KIND_rule_options    struct rule_options
#define KIND_user_settings   struct user_settings
#define KIND_role_settings   struct role_settings
#define KIND_members         struct wire_list /* of texts, which take the place of all that were there */
#define KIND_verifier        struct slice     /* of a password: nobody is to read it; `data` NULL: left out */

#define OUTCOME_UNKNOWN UINT8_MAX
#define SHARE_NONE      UINT64_MAX

#define NONE_uint            0
#define NONE_flag            false
#define NONE_text            ((struct slice){0})
#define NONE_rows            PAGE_ROWS_DEFAULT
#define NONE_now_or_oldest   false
#define NONE_policy          ((struct policy_change){0})
#define NONE_ms              (-1)
#define NONE_error_text      ((struct slice){0})
#define NONE_hello_options   ((struct hello_options){.marks = true})
#define NONE_dead_filter     ((struct dead_filter){0})
#define NONE_redrive_options ((struct redrive_options){.max_fail = SHARE_NONE})
#define NONE_cause_change    ((struct cause_change){0})
#define NONE_audit_filter    ((struct audit_filter){0})
#define NONE_rule_options    ((struct rule_options){0})
#define NONE_user_settings   ((struct user_settings){0})
#define NONE_role_settings   ((struct role_settings){0})
#define NONE_body            ((struct slice){0})
#define NONE_label           ((struct slice){0})

/* clang-format off */ /* which takes a brace and its semicolon apart */
#define MAP(name)                                                      struct name {
#define KEY(kind, name)                                                    KIND_##kind name;
#define MAP_END                                                        };
#define ITEM(name)                                                     struct name {
#define VALUE(kind, name)                                                  KIND_##kind name;
#define OPTIONAL_VALUE(kind, name)                                         KIND_##kind name;
#define ITEM_END                                                       };
#define REQUEST(NAME, name, number, right, effect, answer)             struct name##_request {
#define NO_FIELDS                                                          uint8_t nothing; /* no struct is empty */
#define FIELD(kind, name)                                                  KIND_##kind name;
#define OPTIONAL(kind, name)                                               KIND_##kind name;
#define LIST(kind, name, max, code, text, shown)                           struct wire_list name;
#define OPTIONAL_LIST(kind, name, max, code, text)                         struct wire_list name;
#define END                                                            };
/* clang-format on */
#include "proto/request.def"

union request_fields {
#define REQUEST(NAME, name, number, right, effect, answer) struct name##_request name;
#include "proto/request.def"
};

#define REQUEST_MALFORMED "a field is missing or has the wrong type"

/* A request that is being read. */
struct request_source {
    struct mpack_reader r;     /* at the next field */
    struct slice topic, group; /* what it speaks of; empty: the fields so far name none */
    int err;                   /* the first bound that a field broke, and why */
    const char *why;           /* static, or `text` */
    bool stopped;              /* the fields that follow were not looked at */
    char text[128];
};

/* Its reader, `from->r`, is set apart. */
static inline void request_source_init(struct request_source *from)
{
    from->topic = from->group = (struct slice){0};
    from->err = 0;
    from->stopped = false;
}

/* What is wrong with the fields that were read: 0, or an error and, in `from->why`, the reason. */
static inline int request_verdict(struct request_source *from)
{
    if (!from->r.failed || from->stopped)
        return from->err;
    from->why = REQUEST_MALFORMED;
    return SHUNT_PROTOCOL;
}

/* Read the fields of one request into `*ret`, its struct. */
typedef void request_read_fn(struct request_source *from, union request_fields *ret);

#define REQUEST(NAME, name, number, right, effect, answer) request_read_fn request_read_##name;
#include "proto/request.def"

/* An element of a list that the request's own reader looks at. */
#define ITEM(name) void request_read_##name(struct request_source *from, struct name *ret);
#include "proto/request.def"

/* The elements of a list of texts that has been read, into `to`, which holds `list->count`. */
void request_texts(const struct wire_list *list, struct slice *to);

/* ---- what operators ask for ---- */

/* The reason that the request gives; empty: it gives none, or requests of its kind take none. */
struct slice request_reason(unsigned op, const union request_fields *fields);
/* How many fields stand before the reason; -1: requests of that kind take none. */
int request_reason_place(unsigned op);
/* What is asked for, for people to read: the fields but for topic, group and reason, as `name=value name=value`, without what
 * is as if it were left out. One line of UTF-8 of at most `room` bytes, cut where it would be longer. Returns its size. */
size_t request_asked(unsigned op, const union request_fields *fields, char *text, size_t room);

/* ---- writing ---- */

/* Append the fields (NULL: the request has none), but not those at its end that are what they are when left out. Returns
 * how many. A list without bytes is its head: the elements are written behind the request, whose last field it is. */
typedef uint32_t request_write_fn(struct mpack_buffer *to, const union request_fields *fields);

struct request_form {
    unsigned op;
    request_write_fn *write;
};

/* request_hello, request_publish, … */
#define REQUEST(NAME, name, number, right, effect, answer) extern const struct request_form request_##name;
#include "proto/request.def"

#define ITEM(name) void request_write_##name(struct mpack_buffer *to, const struct name *q);
#include "proto/request.def"

/* Append the request's frame; returns its offset for frame_end(). */
size_t request_begin(struct mpack_buffer *to, const struct request_form *form, uint64_t id,
                     const union request_fields *fields);
/* The same as a WITHIN: it is not done if `timeout_ms` have passed before the server comes to it. REQUEST_NO_LIMIT: without one. */
#define REQUEST_NO_LIMIT UINT64_MAX
size_t request_begin_within(struct mpack_buffer *to, uint64_t timeout_ms, const struct request_form *form,
                            uint64_t id, const union request_fields *fields);

#endif
