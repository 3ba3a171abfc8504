/* fields: see fields.h. The object in between costs an allocation or two more than it must, and makes one way of three. */
#include "broker/http/fields.h"

#include "base/check.h"
#include "broker/http/form.h"
#include "broker/http/json_value.h"
#include "proto/frame.h"
#include <jansson.h>

/* ---- from path and query: text that becomes values ---- */

/* What a parameter's text is as JSON, by the kind of its field; other kinds stay text. NULL: it is not that, or there is no
 * memory. */
static json_t *value_of(const char *kind, struct slice text)
{
    if (strcmp(kind, "flag") == 0)
        return slice_is(text, "true") ? json_true() : slice_is(text, "false") ? json_false() : NULL;
    if (strcmp(kind, "header") == 0) {
        const char *end = memchr(text.data, '=', text.size);
        size_t name = end ? (size_t)(end - (const char *)text.data) : 0;
        return end ? json_pack("{s:s%,s:s%}", "name", text.data, name, "value", end + 1, text.size - name - 1)
                   : NULL;
    }
    if (!json_value_is_number(kind))
        return json_stringn(text.data, text.size);
    int64_t number = 0;
    for (size_t i = 0; i < text.size; i++) {
        int digit = ((const char *)text.data)[i] - '0';
        if (digit < 0 || digit > 9 || number > (INT64_MAX - digit) / 10)
            return NULL;
        number = number * 10 + digit;
    }
    return text.size ? json_integer(number) : NULL;
}

static bool set(json_t *object, struct slice name, const char *kind, struct slice text, const char *where,
                struct problem *ret)
{
    int size = (int)name.size;
    if (json_object_getn(object, name.data, name.size))
        return problem_is(ret, PROBLEM_BAD_FIELD, "`%.*s` is given twice", size, (const char *)name.data);
    json_t *value = value_of(kind, text);
    if (!value) {
        return problem_is(ret, PROBLEM_BAD_FIELD, "`%.*s` in the %s must be %s", size,
                          (const char *)name.data, where, json_value_expected(kind));
    }
    if (json_object_setn_new(object, name.data, name.size, value) != 0)
        return problem_is_error(ret, SHUNT_NO_MEMORY, "");
    return true;
}

/* The object of a map's keys within `all`. */
static json_t *inner(json_t *all, const char *name)
{
    json_t *object = json_object_get(all, name);
    if (!object && json_object_set_new(all, name, json_object()) == 0)
        object = json_object_get(all, name);
    return object;
}

static bool add_pair(json_t *all, const struct form_field *fields, const struct target_pair *pair,
                     struct problem *ret)
{
    bool base64;
    const struct form_field *field = json_member_field(fields, pair->name, &base64);
    if (field && !form_map(field->kind))
        return set(all, pair->name, field->kind, pair->value, "query", ret);
    for (const struct form_field *map = fields; map->name; map++) {
        const struct form_field *keys = form_map(map->kind),
                                *key = keys ? json_member_field(keys, pair->name, &base64) : NULL;
        if (!key)
            continue;
        json_t *object = inner(all, map->name);
        return object ? set(object, pair->name, key->kind, pair->value, "query", ret)
                      : problem_is_error(ret, SHUNT_NO_MEMORY, "");
    }
    return problem_is(ret, PROBLEM_BAD_FIELD, "unknown parameter `%.*s` in the query",
                      pair->name.size > 64 ? 64 : (int)pair->name.size, (const char *)pair->name.data);
}

static bool in_query(const struct api_match *match)
{
    return strcmp(match->row->method, "GET") == 0 || strcmp(match->row->method, "DELETE") == 0;
}

static bool add_query(json_t *all, const struct form *form, const struct api_match *match,
                      const struct target *target, struct problem *ret)
{
    if (target->pairs_count && !in_query(match))
        return problem_is(ret, PROBLEM_BAD_FIELD, "this call has no query: send its fields in the body");
    for (unsigned i = 0; i < target->pairs_count; i++) {
        if (!add_pair(all, form->fields, &target->pairs[i], ret))
            return false;
    }
    return true;
}

static bool add_path(json_t *all, const struct form *form, const struct api_match *match, struct problem *ret)
{
    for (unsigned i = 0; i < match->parameters_count; i++) {
        const struct api_parameter *p = &match->parameters[i];
        const struct form_field *field = form_find(form->fields, p->name);
        check(field); /* a test holds api.def against request.def */
        if (!set(all, p->name, field->kind, p->value, "path", ret))
            return false;
    }
    return true;
}

/* ---- the body ---- */

static json_t *read_body(const struct api_match *match, struct slice body, struct problem *ret)
{
    json_error_t error;
    json_t *all = NULL;
    if (body.size && in_query(match)) {
        (void)problem_is(ret, PROBLEM_BAD_FIELD, "this call has no body: send its fields in the query");
        return NULL;
    }
    all = body.size ? json_loadb(body.data, body.size, JSON_REJECT_DUPLICATES, &error) : json_object();
    if (!all && body.size) {
        (void)problem_is(ret, PROBLEM_BAD_JSON, "line %d, column %d: %s", error.line, error.column,
                         error.text);
    } else if (!all) {
        (void)problem_is_error(ret, SHUNT_NO_MEMORY, "");
    } else if (!json_is_object(all)) {
        (void)problem_is(ret, PROBLEM_BAD_JSON, "the body must be an object, { … }");
        json_decref(all);
        return NULL;
    }
    return all;
}

/* ---- the frame ---- */

/* How many fields are written: up to the last one that is given. */
static uint32_t count_given(const struct form_field *fields, const json_t *all)
{
    uint32_t count = 0;
    for (uint32_t i = 0; fields[i].name; i++) {
        if (!fields[i].optional || json_member(all, &fields[i]))
            count = i + 1;
    }
    return count;
}

static bool write_fields(const struct form *form, const json_t *all, uint64_t id, struct mpack_buffer *to,
                         struct problem *ret)
{
    uint32_t count = count_given(form->fields, all);
    size_t frame = frame_begin(to, form->op, id, count);
    if (!json_value_known(form->fields, all, NULL, ret))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct form_field *field = &form->fields[i];
        const json_t *value = json_member(all, field);
        bool base64 = value && value != json_object_get(all, field->name);
        struct json_place place = {NULL, field->name, 0};
        if (!value && !field->optional)
            return problem_is(ret, PROBLEM_BAD_FIELD, "`%s` is missing", field->name);
        if (!value || (json_is_null(value) && field->optional))
            mpack_write_nil(to);
        else if (!json_value_write(to, base64 ? "base64" : field->kind, value, &place, ret))
            return false;
    }
    frame_end(to, frame);
    if (to->failed)
        return problem_is_error(ret, SHUNT_NO_MEMORY, "");
    return true;
}

bool fields_frame(const struct api_match *match, const struct target *target, struct slice body, uint64_t id,
                  struct mpack_buffer *to, struct problem *ret)
{
    const struct form *form = form_of(match->row->op);
    json_t *all = read_body(match, body, ret);
    bool ok = all && add_query(all, form, match, target, ret) && add_path(all, form, match, ret) &&
              write_fields(form, all, id, to, ret);
    json_decref(all);
    return ok;
}

enum wire_answer fields_answer(unsigned op)
{
    return form_of(op)->answer;
}

bool fields_change(unsigned op)
{
    return form_of(op)->effect != EFFECT_LOOKS;
}

static const char *unknown_kind(const struct form_field *fields)
{
    for (; fields->name; fields++) {
        const struct form_field *keys = form_map(fields->kind);
        const char *unknown = keys                                ? unknown_kind(keys)
                              : json_value_expected(fields->kind) ? NULL
                                                                  : fields->kind;
        if (unknown)
            return unknown;
    }
    return NULL;
}

const char *fields_unknown_kind(unsigned op)
{
    return op == OP_PUBLISH ? NULL : unknown_kind(form_of(op)->fields); /* publish.c writes that one */
}
