/* json_value: see json_value.h. */
#include "broker/http/json_value.h"

#include "base/base64.h"
#include "proto/message.h"
#include "proto/policy.h"
#include "proto/units.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACE_BYTES   160
#define BASE64_SUFFIX "_base64"
#define DEPTH_MAX     6 /* of values of a kind that is not known */

static void describe(const struct json_place *place, char to[PLACE_BYTES])
{
    char before[PLACE_BYTES] = "";
    if (place->in)
        describe(place->in, before);
    const char *dot = before[0] ? "." : "";
    if (place->name)
        (void)snprintf(to, PLACE_BYTES, "%.90s%s%.64s", before, dot, place->name); /* may be cut */
    else
        (void)snprintf(to, PLACE_BYTES, "%.130s[%zu]", before, place->index); /* as above */
}

bool json_place_problem(const struct json_place *place, const char *what, struct problem *ret)
{
    char where[PLACE_BYTES];
    describe(place, where);
    return problem_is(ret, PROBLEM_BAD_FIELD, "`%s` %s", where, what);
}

static bool wrong(const struct json_place *place, const char *expected, struct problem *ret)
{
    char where[PLACE_BYTES];
    describe(place, where);
    return problem_is(ret, PROBLEM_BAD_FIELD, "`%s` must be %s", where, expected);
}

/* ---- single values: false if it is of another type ---- */

typedef bool write_fn(struct mpack_buffer *to, const json_t *value, const struct json_place *place,
                      struct problem *ret);

static bool write_number(struct mpack_buffer *to, const json_t *value, const struct json_place *place,
                         struct problem *ret)
{
    (void)place, (void)ret;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    mpack_write_uint(to, (uint64_t)json_integer_value(value));
    return true;
}

bool json_value_time(struct slice text, int64_t *ret_ms)
{
    char copy[40];
    const char *why;
    int64_t ms = 0;
    if (!text.size || text.size >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (!units_parse_count(copy, 1, DEADLINE_MS_MAX, &ms, &why) && !units_parse_time(copy, &ms, &why))
        return false;
    *ret_ms = ms;
    return ms > 0;
}

static bool write_time(struct mpack_buffer *to, const json_t *value, const struct json_place *place,
                       struct problem *ret)
{
    int64_t ms = 0;
    if (!json_is_string(value))
        return write_number(to, value, place, ret);
    if (!json_value_time((struct slice){json_string_value(value), json_string_length(value)}, &ms))
        return false;
    mpack_write_uint(to, (uint64_t)ms);
    return true;
}

static bool write_flag(struct mpack_buffer *to, const json_t *value, const struct json_place *place,
                       struct problem *ret)
{
    (void)place, (void)ret;
    if (!json_is_boolean(value))
        return false;
    mpack_write_bool(to, json_is_true(value));
    return true;
}

static bool write_text(struct mpack_buffer *to, const json_t *value, const struct json_place *place,
                       struct problem *ret)
{
    (void)place, (void)ret;
    if (!json_is_string(value))
        return false;
    mpack_write_str(to, json_string_value(value), json_string_length(value));
    return true;
}

static bool write_bytes(struct mpack_buffer *to, const json_t *value, const struct json_place *place,
                        struct problem *ret)
{
    (void)place, (void)ret;
    if (!json_is_string(value))
        return false;
    mpack_write_bin(to, json_string_value(value), json_string_length(value));
    return true;
}

static bool write_base64(struct mpack_buffer *to, const json_t *value, const struct json_place *place,
                         struct problem *ret)
{
    (void)place, (void)ret;
    const char *text = json_string_value(value);
    size_t size = text ? json_string_length(value) : 0;
    void *bytes = malloc(size + 1);
    bool ok = text && bytes && base64_decode(bytes, text, size, &size);
    if (ok)
        mpack_write_bin(to, bytes, size);
    to->failed |= !bytes;
    free(bytes);
    return ok || !bytes;
}

static bool write_texts(struct mpack_buffer *to, const json_t *value, const struct json_place *place,
                        struct problem *ret)
{
    if (!json_is_array(value))
        return false;
    mpack_write_array(to, (uint32_t)json_array_size(value));
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct json_place inside = {place, NULL, i};
        if (!json_value_write(to, "text", json_array_get(value, i), &inside, ret))
            return false;
    }
    return true;
}

/* `[name, value]` on the wire. */
static bool write_header(struct mpack_buffer *to, const json_t *value, const struct json_place *place,
                         struct problem *ret)
{
    const json_t *name = json_object_get(value, "name"), *text = json_object_get(value, "value");
    if (!json_is_string(name) || !json_is_string(text) || json_object_size(value) != 2)
        return false;
    mpack_write_array(to, 2);
    (void)write_text(to, name, place, ret); /* both are … */
    (void)write_text(to, text, place, ret); /* … strings */
    return true;
}

/* Which settings there are, and their bounds, is the engine's to say. */
static bool write_policy(struct mpack_buffer *to, const json_t *value, const struct json_place *place,
                         struct problem *ret)
{
    if (!json_is_object(value))
        return false;
    mpack_write_map(to, (uint32_t)json_object_size(value));
    for (void *at = json_object_iter((json_t *)(uintptr_t)value); at;
         at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
        const json_t *setting = json_object_iter_value(at);
        struct json_place inside = {place, json_object_iter_key(at), 0};
        mpack_write_cstr(to, inside.name);
        if (json_is_null(setting))
            mpack_write_nil(to);
        else if (json_is_integer(setting))
            mpack_write_int(to, json_integer_value(setting));
        else
            return wrong(&inside, "a whole number, or null for the inherited value", ret);
    }
    return true;
}

/* ---- by kind ---- */

static const struct kind {
    const char *name, *expected;
    write_fn *write;
} kinds[] = {
    {"uint", "a whole number of 0 or more", write_number},
    {"amount", "a whole number of 0 or more", write_number},
    {"share", "a whole number of thousandths", write_number},
    {"rows", "a whole number of 0 or more", write_number},
    {"ms", "a whole number of milliseconds, 0 or more", write_number},
    {"time", "a time such as \"2026-11-29T12:00:00Z\", or milliseconds since 1970", write_time},
    {"flag", "true or false", write_flag},
    {"text", "a string", write_text},
    {"label", "a string", write_text},
    {"filter_text", "a string", write_text},
    {"error_text", "a string", write_text},
    {"now_or_oldest", "\"now\" or \"oldest\"", write_text},
    {"bytes", "a string", write_bytes},
    {"body", "a string", write_bytes},
    {"base64", "a string of base64 with its padding", write_base64}, /* of bytes, as NAME_base64 */
    {"names", "an array of strings", write_texts},
    {"texts", "an array of strings", write_texts},
    {"members", "an array of strings", write_texts},
    {"verifier", "a string", write_text},
    {"header", "an object of two strings, `name` and `value`; in a query, NAME=VALUE", write_header},
    {"policy", "an object of settings", write_policy},
};

static const struct kind *kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

const char *json_value_expected(const char *kind)
{
    const struct kind *k = kind_find(kind);
    return k ? k->expected : NULL;
}

bool json_value_is_number(const char *kind)
{
    const struct kind *k = kind_find(kind);
    return k && k->write == write_number;
}

/* ---- maps ---- */

/* The length of NAME in `NAME_base64`; 0: it is not called so. */
static size_t base64_name(struct slice key)
{
    size_t suffix = strlen(BASE64_SUFFIX), size = key.size > suffix ? key.size - suffix : 0;
    return size && memcmp((const char *)key.data + size, BASE64_SUFFIX, suffix) == 0 ? size : 0;
}

/* It may be given in base64, too. */
static bool takes_base64(const struct form_field *field)
{
    return strcmp(field->kind, "bytes") == 0 || strcmp(field->kind, "body") == 0;
}

const struct form_field *json_member_field(const struct form_field *fields, struct slice key,
                                           bool *ret_base64)
{
    const struct form_field *field = form_find(fields, key);
    size_t size = field ? 0 : base64_name(key);
    *ret_base64 = size > 0;
    if (size)
        field = form_find(fields, (struct slice){key.data, size});
    return field && (!size || takes_base64(field)) ? field : NULL;
}

const json_t *json_member(const json_t *object, const struct form_field *field)
{
    char name[PLACE_BYTES];
    const json_t *value = json_object_get(object, field->name);
    if (value || !takes_base64(field))
        return value;
    (void)snprintf(name, sizeof name, "%s" BASE64_SUFFIX, field->name); /* names of fields are short */
    return json_object_get(object, name);
}

bool json_value_known(const struct form_field *fields, const json_t *object, const struct json_place *place,
                      struct problem *ret)
{
    json_t *all = (json_t *)(uintptr_t)object;
    bool base64;
    for (void *at = json_object_iter(all); at; at = json_object_iter_next(all, at)) {
        struct json_place inside = {place, json_object_iter_key(at), 0};
        char where[PLACE_BYTES];
        const struct form_field *field = json_member_field(fields, slice_of(inside.name), &base64);
        describe(&inside, where);
        if (!field)
            return problem_is(ret, PROBLEM_BAD_FIELD, "unknown field `%s`", where);
        if (base64 && json_object_get(object, field->name))
            return problem_is(ret, PROBLEM_BAD_FIELD, "`%s` and `%s` are both given", where, field->name);
    }
    return true;
}

static bool write_map(struct mpack_buffer *to, const struct form_field *keys, const json_t *value,
                      const struct json_place *place, struct problem *ret)
{
    json_t *all = (json_t *)(uintptr_t)value;
    if (!json_is_object(value))
        return wrong(place, "an object", ret);
    if (!json_value_known(keys, value, place, ret))
        return false;
    mpack_write_map(to, (uint32_t)json_object_size(value));
    for (void *at = json_object_iter(all); at; at = json_object_iter_next(all, at)) {
        struct json_place inside = {place, json_object_iter_key(at), 0};
        const json_t *member = json_object_iter_value(at);
        bool base64;
        const struct form_field *key = json_member_field(keys, slice_of(inside.name), &base64);
        mpack_write_cstr(to, key->name);
        if (!json_value_write(to, base64 ? "base64" : key->kind, member, &inside, ret))
            return false;
    }
    return true;
}

/* ---- anything ---- */

/* A value of a kind that stands in no table here: the engine knows what it must be. */
static bool write_any(struct mpack_buffer *to, const json_t *value, unsigned depth,
                      const struct json_place *place, struct problem *ret)
{
    json_t *all = (json_t *)(uintptr_t)value;
    if (depth > DEPTH_MAX)
        return wrong(place, "less deep", ret);
    if (json_is_object(value)) {
        mpack_write_map(to, (uint32_t)json_object_size(value));
        for (void *at = json_object_iter(all); at; at = json_object_iter_next(all, at)) {
            mpack_write_cstr(to, json_object_iter_key(at));
            if (!write_any(to, json_object_iter_value(at), depth + 1, place, ret))
                return false;
        }
    } else if (json_is_array(value)) {
        mpack_write_array(to, (uint32_t)json_array_size(value));
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (!write_any(to, json_array_get(value, i), depth + 1, place, ret))
                return false;
        }
    } else if (json_is_string(value)) {
        mpack_write_str(to, json_string_value(value), json_string_length(value));
    } else if (json_is_integer(value)) {
        mpack_write_int(to, json_integer_value(value));
    } else if (json_is_boolean(value)) {
        mpack_write_bool(to, json_is_true(value));
    } else if (json_is_null(value)) {
        mpack_write_nil(to);
    } else {
        return wrong(place, "without numbers that have a fraction", ret);
    }
    return true;
}

bool json_value_write(struct mpack_buffer *to, const char *kind, const json_t *value,
                      const struct json_place *place, struct problem *ret)
{
    const struct form_field *keys = form_map(kind);
    const struct kind *k = kind_find(kind);
    if (keys)
        return write_map(to, keys, value, place, ret);
    if (!k)
        return write_any(to, value, 1, place, ret);
    if (!k->write(to, value, place, ret))
        (void)wrong(place, k->expected, ret);
    return problem_is_none(ret);
}
