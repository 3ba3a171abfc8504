/* lease_input: see lease_input.h. */
#include "broker/http/lease_input.h"

#include "broker/http/json_value.h"
#include "broker/http/loan.h"

/* Members of a body; the kinds are those of json_value.c. */
static const struct form_field lease_fields[] = {
    {"messages", "uint", true}, {"wait_ms", "ms", true}, {"lease_ms", "ms", true}, {0}};
static const struct form_field ack_fields[] = {{"token", "text", false}, {0}};
static const struct form_field nack_fields[] = {{"token", "text", false},
                                                {"error_type", "error_text", true},
                                                {"error_message", "error_text", true},
                                                {"error_stack", "error_text", true},
                                                {"fingerprint", "error_text", true},
                                                {"delay_ms", "ms", true},
                                                {0}};
/* Of reject and late: what ends it has no delay. */
static const struct form_field reject_fields[] = {{"token", "text", false},
                                                  {"error_type", "error_text", true},
                                                  {"error_message", "error_text", true},
                                                  {"error_stack", "error_text", true},
                                                  {"fingerprint", "error_text", true},
                                                  {0}};
static const struct form_field release_fields[] = {{"token", "text", false}, {"delay_ms", "ms", true}, {0}};
static const struct form_field extend_fields[] = {{"token", "text", false}, {"lease_ms", "ms", false}, {0}};

static const struct {
    const struct form_field *fields;
    enum wire_outcome outcome;
} calls[] = {
    [API_LEASE] = {lease_fields, 0},
    [API_ACK] = {ack_fields, OUTCOME_ACK},
    [API_NACK] = {nack_fields, OUTCOME_NACK},
    [API_REJECT] = {reject_fields, OUTCOME_REJECT},
    [API_RELEASE] = {release_fields, OUTCOME_RELEASE},
    [API_LATE] = {reject_fields, OUTCOME_LATE},
    [API_EXTEND] = {extend_fields, OUTCOME_EXTEND},
};

/* ---- single members ---- */

/* A number from `least` to `most`, or `none` if it is left out. */
static uint64_t number_of(const json_t *all, const char *name, uint64_t none, uint64_t least, uint64_t most,
                          struct problem *ret)
{
    const json_t *value = json_object_get(all, name);
    struct json_place place = {NULL, name, 0};
    char what[96];
    if (!value || json_is_null(value))
        return none;
    json_int_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= 0 && (uint64_t)number >= least && (uint64_t)number <= most)
        return (uint64_t)number;
    (void)snprintf(what, sizeof what, "must be a whole number from %llu to %llu", (unsigned long long)least,
                   (unsigned long long)most);
    (void)json_place_problem(&place, what, ret);
    return none;
}

static struct slice text_of(const json_t *all, const char *name, struct problem *ret)
{
    const json_t *value = json_object_get(all, name);
    struct json_place place = {NULL, name, 0};
    if (!value || json_is_null(value))
        return (struct slice){0};
    if (!json_is_string(value))
        (void)json_place_problem(&place, "must be a string", ret);
    return (struct slice){json_string_value(value), json_string_length(value)};
}

/* ---- the body ---- */

static json_t *load(struct slice body, struct problem *ret)
{
    json_error_t error;
    json_t *all =
        body.size ? json_loadb(body.data, body.size, JSON_REJECT_DUPLICATES, &error) : json_object();
    if (!all && body.size) {
        (void)problem_is(ret, PROBLEM_BAD_JSON, "line %d, column %d: %s", error.line, error.column,
                         error.text);
    } else if (!all) {
        (void)problem_is_error(ret, SHUNT_NO_MEMORY, "");
    } else if (!json_is_object(all)) {
        (void)problem_is(ret, PROBLEM_BAD_JSON, "the body must be an object, { … }");
    }
    return all;
}

static void read_lease(const json_t *all, struct lease_input *ret, struct problem *ret_problem)
{
    ret->messages = number_of(all, "messages", 1, 1, LOAN_MESSAGES_MAX, ret_problem);
    ret->wait_ms = number_of(all, "wait_ms", 0, 0, LOAN_WAIT_MS_MAX, ret_problem);
    ret->lease_ms = number_of(all, "lease_ms", 0, 10, LOAN_LEASE_MS_MAX, ret_problem);
}

static void read_answer(enum api_what what, const json_t *all, struct lease_input *ret,
                        struct problem *ret_problem)
{
    struct json_place place = {NULL, "token", 0};
    struct wire_entry *e = &ret->entry;
    bool extends = what == API_EXTEND;
    uint64_t ms = extends ? number_of(all, "lease_ms", UINT64_MAX, 1, LOAN_LEASE_MS_MAX, ret_problem)
                          : number_of(all, "delay_ms", UINT64_MAX, 0, DURATION_MS_MAX, ret_problem);
    *e = (struct wire_entry){.outcome = (uint8_t)calls[what].outcome,
                             .delay_or_extend = ms == UINT64_MAX ? -1 : (int64_t)ms};
    e->error_type = text_of(all, "error_type", ret_problem);
    e->error_message = text_of(all, "error_message", ret_problem);
    e->error_stack = text_of(all, "error_stack", ret_problem);
    e->fingerprint = text_of(all, "fingerprint", ret_problem);
    ret->token = text_of(all, "token", ret_problem).data;
    if (!ret->token)
        (void)json_place_problem(&place, "is missing", ret_problem);
    if (extends && ms == UINT64_MAX)
        (void)problem_is(ret_problem, PROBLEM_BAD_FIELD, "`lease_ms` is missing");
}

json_t *lease_input_read(enum api_what what, struct slice body, struct lease_input *ret,
                         struct problem *ret_problem)
{
    *ret = (struct lease_input){0};
    json_t *all = load(body, ret_problem);
    if (problem_is_none(ret_problem) && json_value_known(calls[what].fields, all, NULL, ret_problem)) {
        if (what == API_LEASE)
            read_lease(all, ret, ret_problem);
        else
            read_answer(what, all, ret, ret_problem);
    }
    if (problem_is_none(ret_problem))
        return all;
    json_decref(all);
    return NULL;
}
