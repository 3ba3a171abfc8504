/* message_json: strict, because a member that is spelt wrong and passed over would be a key, or a header, that gets lost. */
#include "cli/message_json.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "cli/deadline.h"
#include "cli/input.h"
#include "cli/nearest.h"
#include "client/shunt.h"

struct reading {
    struct message_json *json;
    struct shunt_message *message;
    char *why;
    bool body_read;
};

static bool wrong(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(char *why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, MESSAGE_JSON_WHY_BYTES, format, arguments);
    va_end(arguments);
    utf8_mend(why);
    utf8_flatten(why, strlen(why));
    return false;
}

/* Bytes that a member holds: those of its text, or what that is base64 of. */
struct held {
    const char *bytes;
    size_t count;
    void *owned; /* NULL: they are the document's */
};

static bool hold(struct reading *r, const char *name, json_t *value, bool base64, struct held *ret)
{
    *ret = (struct held){.bytes = json_string_value(value), .count = json_string_length(value)};
    if (!json_is_string(value)) {
        return wrong(r->why, "%.60s is a text%s", name,
                     base64 ? " of base64" : "; a JSON value goes in as a text (jq: `|= tojson`)");
    }
    if (!base64)
        return true;
    size_t text_bytes = ret->count;
    ret->owned = malloc(text_bytes / 4 * 3 + 1);
    if (!ret->owned)
        return wrong(r->why, "out of memory");
    if (!base64_decode(ret->owned, ret->bytes, text_bytes, &ret->count)) {
        free(ret->owned);
        ret->owned = NULL;
        return wrong(r->why, "%.60s is no base64 (RFC 4648, with its padding, without line breaks)", name);
    }
    ret->bytes = ret->owned;
    return true;
}

/* ---- members */

static bool take_body(struct reading *r, const char *name, json_t *value, bool base64)
{
    struct held held;
    if (r->body_read)
        return wrong(r->why, "there are both body and body_base64: leave out one of them");
    if (!base64 && json_is_null(value)) {
        return wrong(r->why,
                     "its body is null: it was damaged in the store, and there is nothing to publish");
    }
    if (!hold(r, name, value, base64, &held))
        return false;
    r->json->body = held.owned;
    r->body_read = true;
    if (held.count > INPUT_BODY_BYTES_MAX)
        return wrong(r->why, "its body has %zu bytes, and a message takes at most 16 MiB", held.count);
    shunt_message_body(r->message, held.bytes, held.count);
    return true;
}

static bool read_body(struct reading *r, const char *name, json_t *value)
{
    return take_body(r, name, value, false);
}

static bool read_body_base64(struct reading *r, const char *name, json_t *value)
{
    return take_body(r, name, value, true);
}

static bool take_key(struct reading *r, const char *name, json_t *value, bool base64)
{
    struct held held;
    if (json_is_null(value))
        return true;
    if (!hold(r, name, value, base64, &held))
        return false;
    int code = shunt_message_key(r->message, held.bytes, held.count);
    free(held.owned);
    if (code == SHUNT_BAD_ARGUMENT)
        return wrong(r->why, "its key is empty: say null if it has none");
    return code == 0 || wrong(r->why, "its key has %zu bytes, and a key at most 256", held.count);
}

static bool read_key(struct reading *r, const char *name, json_t *value)
{
    return take_key(r, name, value, false);
}

static bool read_key_base64(struct reading *r, const char *name, json_t *value)
{
    return take_key(r, name, value, true);
}

/* The value of a header: a text, or {"base64": "…"}. */
static bool add_header(struct reading *r, const char *name, json_t *value)
{
    struct held held;
    json_t *inner = json_object_get(value, "base64");
    bool base64 = inner && json_object_size(value) == 1;
    if (!base64 && !json_is_string(value))
        return wrong(r->why, "the header %.60s is a text, or {\"base64\": \"…\"}", name);
    if (!hold(r, name, base64 ? inner : value, base64, &held))
        return false;
    int code = shunt_message_header(r->message, name, held.bytes, held.count);
    free(held.owned);
    if (code == SHUNT_TOO_LARGE) {
        return wrong(r->why,
                     "the header %.60s is too much: a message has at most 64, with names of 256 bytes, "
                     "values of 4 KiB, and 32 KiB together",
                     name);
    }
    return code == 0 || wrong(r->why, "the header `%.60s`: %s", name, shunt_error_text(code));
}

static bool read_headers(struct reading *r, const char *name, json_t *value)
{
    const char *key;
    json_t *header;
    if (json_is_null(value))
        return true;
    if (!json_is_object(value))
        return wrong(r->why, "%s is an object of names and values", name);
    json_object_foreach(value, key, header)
    {
        if (!add_header(r, key, header))
            return false;
    }
    return true;
}

static bool take_duration(struct reading *r, const char *name, json_t *value,
                          int set(struct shunt_message *m, int64_t ms))
{
    if (json_is_null(value))
        return true;
    if (json_is_integer(value) && set(r->message, json_integer_value(value)) == 0)
        return true;
    return wrong(r->why, "%s is a whole number of milliseconds, from 0 to ten years", name);
}

static bool read_delay(struct reading *r, const char *name, json_t *value)
{
    return take_duration(r, name, value, shunt_message_delay);
}

static bool read_ttl(struct reading *r, const char *name, json_t *value)
{
    return take_duration(r, name, value, shunt_message_ttl);
}

/* As exports have it, or in milliseconds since 1970. One that has passed was that of the message which was exported. */
static bool read_deadline(struct reading *r, const char *name, json_t *value)
{
    char why[160];
    int64_t ms = json_integer_value(value);
    if (json_is_null(value))
        return true;
    bool read = json_is_integer(value) ||
                (json_is_string(value) && shunt_parse_time(json_string_value(value), &ms, NULL) == 0);
    if (!read || ms <= 0 || shunt_message_deadline(r->message, ms) != 0)
        return wrong(r->why, "%s is a time such as 2026-11-29T12:00:00Z, or milliseconds since 1970", name);
    return deadline_is_ahead(ms, why, sizeof why) ||
           wrong(r->why, "%s: leave %s out to publish it without one, or say another", why, name);
}

/* What an export tells of the message that was: a new one has none of it. */
static bool pass_over(struct reading *r, const char *name, json_t *value)
{
    (void)r;
    (void)name;
    (void)value;
    return true;
}

static const struct member {
    const char *name;
    bool (*read)(struct reading *r, const char *name, json_t *value);
} members[] = {
    {"body", read_body},
    {"body_base64", read_body_base64},
    {"headers", read_headers},
    {"key", read_key},
    {"key_base64", read_key_base64},
    {"delay_ms", read_delay},
    {"ttl_ms", read_ttl},
    {"deadline", read_deadline},
    {"id", pass_over},
    {"origin", pass_over},
    {"topic", pass_over},
    {"group", pass_over},
    {"reason", pass_over},
    {"cause", pass_over},
    {"attended", pass_over},
    {"attempts", pass_over},
    {"deliveries", pass_over},
    {"generation", pass_over},
    {"published", pass_over},
    {"died", pass_over},
    {"error_type", pass_over},
    {"error_message", pass_over},
    {"error_stack", pass_over},
    {"size", pass_over},
    {"rule", pass_over},
    {"rule_action", pass_over},
    {"rule_at", pass_over},
    {"edit", pass_over},
    {"edited", pass_over},
    {"attempts_total", pass_over},
    {"deliveries_total", pass_over},
    {"history", pass_over},
    {"state", pass_over},
    {"due", pass_over},
    {"dead", pass_over},
};

#define MEMBERS (sizeof members / sizeof *members)

static bool read_member(struct reading *r, const char *name, json_t *value)
{
    struct nearest near = {.word = name};
    for (size_t i = 0; i < MEMBERS; i++) {
        if (strcmp(members[i].name, name) == 0)
            return members[i].read(r, name, value);
        nearest_offer(&near, members[i].name);
    }
    return wrong(r->why, "a message has no member `%.60s`: %s%s%s", name,
                 near.best ? "`" : "take it out, or put it into headers", near.best ? near.best : "",
                 near.best ? "`?" : "");
}

/* ---- the whole */

bool message_json_read(struct message_json *j, struct shunt_message *m, const char *line, size_t bytes,
                       char why[MESSAGE_JSON_WHY_BYTES])
{
    struct reading r = {.json = j, .message = m, .why = why};
    const char *name;
    json_t *value;
    json_error_t error;
    *j = (struct message_json){0};
    json_t *document = json_loadb(line, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    j->document = document;
    if (!document)
        return wrong(why, "this is no JSON object: column %d: %s", error.column, error.text);
    if (!json_is_object(document))
        return wrong(why, "this is JSON, but no object");
    json_object_foreach(document, name, value)
    {
        if (!read_member(&r, name, value))
            return false;
    }
    return r.body_read || wrong(why, "it has no body: give body, or body_base64; an empty one is \"\"");
}

void message_json_done(struct message_json *j)
{
    json_decref(j->document);
    free(j->body);
    *j = (struct message_json){0};
}
