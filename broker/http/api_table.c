/* api_table: see api_table.h. */
#include "broker/http/api_table.h"

#include "base/check.h"
#include "proto/policy.h"

const struct api_row api_rows[] = {
#define API(method, path, request, status, text)                                                             \
    {method, path, API_REQUEST, OP_##request, status, #request, text},
#define API_OWN(method, path, what, text)  {method, path, API_##what, 0, 200, NULL, text},
#define API_WORK(method, path, what, text) {method, path, API_##what, 0, 200, NULL, text},
#include "broker/http/api.def"
};
const unsigned api_rows_count = sizeof api_rows / sizeof api_rows[0];

static const struct api_answer answers[WIRE_ANSWERS] = {
#define API_ANSWER(NAME, next, ...) [ANSWER_##NAME] = {next, {__VA_ARGS__}},
#include "broker/http/api.def"
};

static const bool answers_known[WIRE_ANSWERS] = {
#define API_ANSWER(NAME, next, ...) [ANSWER_##NAME] = true,
#include "broker/http/api.def"
};

const struct api_answer *api_answer_of(enum wire_answer answer)
{
    return answers_known[answer] ? &answers[answer] : NULL;
}

/* `{NAME}` takes any segment. */
static bool path_is(const char *path, const struct target *target, struct api_match *ret)
{
    unsigned count = 0;
    ret->parameters_count = 0;
    for (const char *at = path; *at; count++) {
        at++; /* the slash */
        struct slice part = {at, strcspn(at, "/")};
        at += part.size;
        if (count == target->segments_count)
            return false;
        struct slice segment = target->segments[count];
        if (*(const char *)part.data == '{') {
            check(ret->parameters_count < API_PARAMETERS_MAX);
            ret->parameters[ret->parameters_count++] =
                (struct api_parameter){{(const char *)part.data + 1, part.size - 2}, segment};
        } else if (!slice_equal(part, segment)) {
            return false;
        }
    }
    return count == target->segments_count;
}

enum api_found api_find(const char *method, const struct target *target, struct api_match *ret)
{
    enum api_found found = API_NO_PATH;
    const char *asked = strcmp(method, "HEAD") == 0 ? "GET" : method;
    for (unsigned i = 0; i < api_rows_count; i++) {
        if (!path_is(api_rows[i].path, target, ret))
            continue;
        ret->row = &api_rows[i];
        if (strcmp(asked, ret->row->method) == 0)
            return API_FOUND;
        found = API_OTHER_METHOD;
    }
    return found;
}

void api_allow(const struct target *target, char ret[API_ALLOW_BYTES])
{
    struct api_match match;
    ret[0] = '\0';
    for (unsigned i = 0; i < api_rows_count; i++) {
        if (!path_is(api_rows[i].path, target, &match))
            continue;
        const char *method = api_rows[i].method;
        check(strlen(ret) + strlen(method) + sizeof ", HEAD, OPTIONS" <= API_ALLOW_BYTES);
        strcat(ret, method);
        strcat(ret, strcmp(method, "GET") == 0 ? ", HEAD, " : ", ");
    }
    if (ret[0])
        strcat(ret, "OPTIONS");
}

static void member(struct text *to, const char *name, const char *value)
{
    text_add(to, name);
    text_add_json(to, value);
}

void api_write_list(struct text *to)
{
    text_add(to, "{\"calls\":[");
    for (unsigned i = 0; i < api_rows_count; i++) {
        member(to, i ? ",{\"method\":" : "{\"method\":", api_rows[i].method);
        member(to, ",\"path\":", api_rows[i].path);
        if (api_rows[i].request)
            member(to, ",\"request\":", api_rows[i].request);
        member(to, ",\"text\":", api_rows[i].text);
        text_add(to, "}");
    }
    text_add(to, "]}\n");
}

static void number(struct text *to, const char *name, int64_t value)
{
    text_add(to, name);
    text_add_u64(to, (uint64_t)value); /* no setting is below 0 */
}

static void choices(struct text *to, enum policy_field field)
{
    text_add(to, ",\"choices\":[");
    for (int64_t i = 0; policy_choice(field, i); i++) {
        text_add(to, i ? "," : "");
        text_add_json(to, policy_choice(field, i));
    }
    text_add(to, "]");
}

void api_write_settings(struct text *to)
{
    static const char *const units[] = {
        [UNIT_COUNT] = "count", [UNIT_DURATION] = "duration", [UNIT_SIZE] = "size", [UNIT_CHOICE] = "choice"};
    text_add(to, "{\"settings\":[");
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        const struct policy_row *row = &policy_rows[i];
        member(to, i ? ",{\"setting\":" : "{\"setting\":", row->field);
        member(to, ",\"option\":", row->option);
        member(to, ",\"scope\":", row->scope == SCOPE_TOPIC ? "topic" : "group");
        member(to, ",\"unit\":", units[row->unit]);
        number(to, ",\"min\":", row->min);
        number(to, ",\"max\":", row->max);
        number(to, ",\"default\":", row->initial);
        if (row->unit == UNIT_CHOICE)
            choices(to, (enum policy_field)i);
        member(to, ",\"text\":", row->text);
        text_add(to, "}");
    }
    text_add(to, "]}\n");
}
