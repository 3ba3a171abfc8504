/* publish: see publish.h. */
#include "broker/http/publish.h"

#include "broker/http/call_timeout.h"
#include "broker/http/json_value.h"
#include "proto/frame.h"
#include "proto/request.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#define XXH_INLINE_ALL /* no object of the library is linked */
#include <xxhash.h>

/* ---- headers of HTTP ---- */

/* Those that are given once. */
static const struct single {
    const char *name;
    size_t offset; /* of its value */
} singles[] = {
    {"Idempotency-Key", offsetof(struct publish_headers, idempotency_key)},
    {"X-Shunt-Key", offsetof(struct publish_headers, key)},
    {"X-Shunt-Delay-Ms", offsetof(struct publish_headers, delay)},
    {"X-Shunt-Ttl-Ms", offsetof(struct publish_headers, ttl)},
    {"X-Shunt-Deadline", offsetof(struct publish_headers, deadline)},
};

static bool set_single(struct publish_headers *h, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        struct slice *to = (struct slice *)(void *)((char *)h + singles[i].offset);
        if (strcasecmp(name, singles[i].name) != 0)
            continue;
        if (to->data)
            (void)problem_is(&h->problem, PROBLEM_BAD_FIELD, "the header %s is given twice", singles[i].name);
        *to = slice_of(value);
        return true;
    }
    return false;
}

void publish_header(struct publish_headers *h, const char *name, const char *value)
{
    if (!value)
        value = "";
    if (set_single(h, name, value) || strncasecmp(name, "X-Shunt-", 8) != 0)
        return;
    if (strcasecmp(name, CALL_TIMEOUT_HEADER) == 0)
        return; /* of any call */
    if (strcasecmp(name, "X-Shunt-Header") != 0)
        (void)problem_is(&h->problem, PROBLEM_BAD_FIELD, "unknown header `%.64s`", name);
    else if (h->pairs_count == HEADERS_MAX)
        (void)problem_is_error(&h->problem, SHUNT_TOO_LARGE, "at most 64 headers of a message");
    else
        h->pairs[h->pairs_count++] = slice_of(value);
}

bool publish_producer(const struct publish_headers *h, struct slice topic,
                      uint8_t producer[PRODUCER_ID_BYTES], struct problem *ret)
{
    struct slice key = h->idempotency_key;
    XXH3_state_t state;
    if (!key.data)
        return false;
    if (!key.size || key.size > IDEMPOTENCY_KEY_BYTES_MAX) {
        return problem_is(ret, PROBLEM_BAD_FIELD, "Idempotency-Key must have 1 to %d bytes",
                          IDEMPOTENCY_KEY_BYTES_MAX);
    }
    XXH3_INITSTATE(&state);
    (void)XXH3_128bits_reset(&state); /* these do not fail with what they are given */
    (void)XXH3_128bits_update(&state, topic.data, topic.size);
    (void)XXH3_128bits_update(&state, "", 1); /* no name has a zero byte */
    (void)XXH3_128bits_update(&state, key.data, key.size);
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits_digest(&state));
    _Static_assert(sizeof hash == PRODUCER_ID_BYTES, "a producer's id is such a hash");
    memcpy(producer, &hash, sizeof hash);
    return true;
}

/* ---- one message ---- */

static const struct form_field message_fields[] = {{"body", "body", false},
                                                   {"headers", "headers", true},
                                                   {"key", "bytes", true},
                                                   {"delay_ms", "ms", true},
                                                   {"ttl_ms", "ms", true},
                                                   {"deadline", "time", true},
                                                   {0}};

/* What lines of the tool (`consume`, `peek`, `dlq export`) and answers of a lease tell of the message that it was. */
static const char *const told[] = {
    "id",
    "attempts",
    "deliveries",
    "generation",
    "published",
    "size",
    "state",
    "due",
    "origin",
    "topic",
    "group",
    "reason",
    "cause",
    "attended",
    "died",
    "error_type",
    "rule",
    "error_message",
    "error_stack",
    "edited",
    "edit",
    "rule_action",
    "history",
    "rule_at",
    "attempts_total",
    "deliveries_total",
    "token",
    "lease_left_ms",
    "remaining_ms",
    "dead",
    "seq",
};

static bool is_told(const char *name)
{
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        if (strcmp(told[i], name) == 0)
            return true;
    }
    return false;
}

static bool members_known(json_t *message, const struct json_place *place, struct problem *ret)
{
    bool base64;
    for (void *at = json_object_iter(message); at; at = json_object_iter_next(message, at)) {
        const char *name = json_object_iter_key(at);
        const struct form_field *field = json_member_field(message_fields, slice_of(name), &base64);
        struct json_place inside = {place, name, 0};
        if (!field && !is_told(name))
            return json_place_problem(&inside, "is no field of a message", ret);
        if (field && base64 && json_object_get(message, field->name))
            return json_place_problem(&inside, "is given twice: as it is, and as base64", ret);
    }
    return true;
}

static bool write_header_value(struct mpack_buffer *to, const json_t *value, const struct json_place *place,
                               struct problem *ret)
{
    const json_t *base64 = json_object_get(value, "base64");
    if (json_is_string(value) || !base64 || json_object_size(value) != 1)
        return json_value_write(to, "text", value, place, ret);
    return json_value_write(to, "base64", base64, place, ret);
}

static bool write_headers(struct mpack_buffer *to, json_t *headers, const struct json_place *place,
                          struct problem *ret)
{
    if (!json_is_object(headers))
        return json_place_problem(place, "must be an object", ret);
    mpack_write_map(to, (uint32_t)json_object_size(headers));
    for (void *at = json_object_iter(headers); at; at = json_object_iter_next(headers, at)) {
        struct json_place inside = {place, json_object_iter_key(at), 0};
        mpack_write_cstr(to, inside.name);
        if (!write_header_value(to, json_object_iter_value(at), &inside, ret))
            return false;
    }
    return true;
}

static bool write_member(struct mpack_buffer *to, const json_t *message, const struct form_field *field,
                         const struct json_place *place, struct problem *ret)
{
    struct json_place inside = {place, field->name, 0};
    json_t *value = (json_t *)(uintptr_t)json_member(message, field);
    bool base64 = value && value != json_object_get(message, field->name);
    bool left_out = !value || (field->optional && json_is_null(value));
    if (left_out && !field->optional)
        return json_place_problem(&inside, "is missing", ret);
    if (left_out && (strcmp(field->kind, "ms") == 0 || strcmp(field->kind, "time") == 0))
        mpack_write_uint(to, 0);
    else if (left_out)
        mpack_write_nil(to);
    else if (strcmp(field->kind, "headers") == 0)
        return write_headers(to, value, &inside, ret);
    else
        return json_value_write(to, base64 ? "base64" : field->kind, value, &inside, ret);
    return true;
}

static uint32_t count_given(const json_t *message)
{
    uint32_t count = 1;
    for (uint32_t i = 1; message_fields[i].name; i++) {
        const json_t *value = json_member(message, &message_fields[i]);
        if (value && !json_is_null(value))
            count = i + 1;
    }
    return count;
}

static bool write_message(struct mpack_buffer *to, json_t *message, const struct json_place *place,
                          struct problem *ret)
{
    if (!json_is_object(message))
        return json_place_problem(place, "must be an object", ret);
    if (!members_known(message, place, ret))
        return false;
    uint32_t count = count_given(message);
    mpack_write_array(to, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!write_member(to, message, &message_fields[i], place, ret))
            return false;
    }
    return true;
}

/* ---- JSON ---- */

/* Each value takes far more in memory than in JSON, so there are not too many. It is not JSON yet: what is counted in vain is none
 * at all. */
static bool values_fit(struct slice body, struct problem *ret)
{
    const char *at = body.data;
    size_t count = 0;
    bool in_text = false;
    for (size_t i = 0; i < body.size; i++) {
        if (in_text && at[i] == '\\')
            i++;
        else if (at[i] == '"')
            in_text = !in_text;
        else if (!in_text)
            count += at[i] == ',' || at[i] == '{' || at[i] == '[';
    }
    if (count <= PUBLISH_VALUES_MAX)
        return true;
    return problem_is(ret, PROBLEM_BODY_TOO_LARGE, "at most %u values of JSON at once", PUBLISH_VALUES_MAX);
}

/* `line`: 0, or the number of the line, which is a document of its own. */
static json_t *load(const char *bytes, size_t size, unsigned line, struct problem *ret)
{
    json_error_t error;
    json_t *all = json_loadb(bytes, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!all) {
        (void)problem_is(ret, PROBLEM_BAD_JSON, "line %u, column %d: %s", line ? line : (unsigned)error.line,
                         error.column, error.text);
    }
    return all;
}

static bool too_many(struct problem *ret)
{
    return problem_is_error(ret, SHUNT_BAD_ARGUMENT, "at most 16384 messages at once");
}

/* Write the messages; returns how many. */
static uint32_t write_json(struct mpack_buffer *to, struct slice body, struct problem *ret)
{
    json_t *all = load(body.data, body.size, 0, ret);
    uint32_t count = 1;
    if (json_is_array(all)) {
        size_t size = json_array_size(all);
        count = size > FRAME_MESSAGES_MAX ? 0 : (uint32_t)size;
        if (size > FRAME_MESSAGES_MAX)
            (void)too_many(ret);
        else if (!size)
            (void)problem_is_error(ret, SHUNT_BAD_ARGUMENT, "there is no message");
        for (uint32_t i = 0; i < count && problem_is_none(ret); i++) {
            struct json_place place = {NULL, NULL, i};
            (void)write_message(to, json_array_get(all, i), &place, ret);
        }
    } else if (json_is_object(all)) {
        (void)write_message(to, all, NULL, ret);
    } else {
        (void)problem_is(ret, PROBLEM_BAD_JSON, "the body must be a message, { … }, or an array of them");
    }
    json_decref(all);
    return count;
}

static bool is_blank(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!strchr(" \t\r", bytes[i]))
            return false;
    }
    return true;
}

static uint32_t write_lines(struct mpack_buffer *to, struct slice body, struct problem *ret)
{
    uint32_t count = 0;
    unsigned line = 1;
    const char *at = body.data, *end = at + body.size;
    for (; at < end && problem_is_none(ret); line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((newline ? newline : end) - at);
        struct json_place place = {NULL, NULL, count};
        json_t *message = is_blank(at, size) ? NULL : load(at, size, line, ret);
        if (message && count == FRAME_MESSAGES_MAX)
            (void)too_many(ret);
        else if (message && write_message(to, message, &place, ret))
            count++;
        json_decref(message);
        at += size + 1;
    }
    if (!count)
        (void)problem_is_error(ret, SHUNT_BAD_ARGUMENT, "there is no message");
    return count;
}

/* ---- as it is ---- */

static bool write_ms(struct mpack_buffer *to, struct slice text, const char *name, struct problem *ret)
{
    uint64_t ms = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)((const char *)text.data)[i] - '0';
        if (digit > 9 || ms > DURATION_MS_MAX)
            return problem_is(ret, PROBLEM_BAD_FIELD, "%s must be a whole number of milliseconds", name);
        ms = ms * 10 + digit;
    }
    if (text.data && !text.size)
        return problem_is(ret, PROBLEM_BAD_FIELD, "%s must be a whole number of milliseconds", name);
    mpack_write_uint(to, ms);
    return true;
}

static bool write_deadline(struct mpack_buffer *to, struct slice text, struct problem *ret)
{
    int64_t ms = 0;
    if (text.data && !json_value_time(text, &ms)) {
        return problem_is(
            ret, PROBLEM_BAD_FIELD,
            "X-Shunt-Deadline must be a time such as 2026-11-29T12:00:00Z, or milliseconds since 1970");
    }
    mpack_write_uint(to, (uint64_t)ms);
    return true;
}

static bool write_raw(struct mpack_buffer *to, const struct publish_headers *h, struct slice body,
                      struct problem *ret)
{
    mpack_write_array(to, 6);
    mpack_write_bin(to, body.data, body.size);
    mpack_write_map(to, h->pairs_count);
    for (unsigned i = 0; i < h->pairs_count; i++) {
        const char *pair = h->pairs[i].data, *end = memchr(pair, '=', h->pairs[i].size);
        size_t name = end ? (size_t)(end - pair) : 0;
        if (!end)
            return problem_is(ret, PROBLEM_BAD_FIELD, "X-Shunt-Header must be NAME=VALUE");
        mpack_write_str(to, pair, name);
        mpack_write_bin(to, end + 1, h->pairs[i].size - name - 1);
    }
    if (h->key.data)
        mpack_write_bin(to, h->key.data, h->key.size);
    else
        mpack_write_nil(to);
    return write_ms(to, h->delay, "X-Shunt-Delay-Ms", ret) && write_ms(to, h->ttl, "X-Shunt-Ttl-Ms", ret) &&
           write_deadline(to, h->deadline, ret);
}

/* In JSON it stands with its message. */
static bool says_of_message(const struct publish_headers *h)
{
    return h->key.data || h->delay.data || h->ttl.data || h->deadline.data || h->pairs_count;
}

/* ---- the frame ---- */

bool publish_frame(struct slice topic, enum publish_form form, const struct publish_headers *h,
                   struct slice body, bool numbered, uint64_t id, struct mpack_buffer *to,
                   struct problem *ret)
{
    struct mpack_buffer messages = {0};
    uint32_t count = 1;
    if (!problem_is_none(&h->problem)) {
        *ret = h->problem;
        return false;
    }
    if (form != PUBLISH_RAW && says_of_message(h)) {
        return problem_is(ret, PROBLEM_BAD_FIELD,
                          "X-Shunt headers are for Content-Type: application/octet-stream");
    }
    if (form != PUBLISH_RAW && !values_fit(body, ret))
        return false;
    if (form == PUBLISH_RAW)
        (void)write_raw(&messages, h, body, ret);
    else
        count = form == PUBLISH_LINES ? write_lines(&messages, body, ret) : write_json(&messages, body, ret);
    if (problem_is_none(ret)) {
        union request_fields q = {
            .publish = {.topic = topic, .sequence = numbered, .messages = {.count = count}}};
        size_t frame = request_begin(to, &request_publish, id, &q);
        mpack_write_raw(to, messages.data, messages.size);
        frame_end(to, frame);
        if (to->failed || messages.failed)
            (void)problem_is_error(ret, SHUNT_NO_MEMORY, "");
    }
    mpack_buffer_done(&messages);
    return problem_is_none(ret);
}

bool publish_is_whole(struct slice payload, struct problem *ret)
{
    struct mpack_reader r;
    char detail[PROBLEM_DETAIL_BYTES];
    mpack_read_init(&r, payload.data, payload.size);
    (void)mpack_read_array(&r);
    (void)mpack_read_uint(&r); /* OK … */
    (void)mpack_read_uint(&r); /* … and its id */
    uint64_t accepted = mpack_read_uint(&r), first_seq = mpack_read_uint(&r), code = mpack_read_uint(&r);
    if (r.failed || !code)
        return true;
    (void)snprintf(
        detail, sizeof detail,
        "the first %llu messages are stored, the others are not: publish those alone, under another "
        "Idempotency-Key",
        (unsigned long long)accepted);
    ret->accepted = accepted;
    ret->first_seq = first_seq;
    return problem_is_error(ret, (int)code, detail);
}
