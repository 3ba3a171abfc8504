/* fuzz_api: any bytes as `METHOD TARGET`, a newline and a body: what the API makes of them is refused, or one frame that the engine's
 * reader takes, also if the body is published in each form; and that frame, taken for an answer, is JSON. */
#include "broker/http/fields.h"
#include "broker/http/json_answer.h"
#include "broker/http/lease_input.h"
#include "broker/http/publish.h"
#include "proto/frame.h"
#include "proto/message.h"
#include "proto/request.h"
#include "tests/fuzz/fuzz.h"
#include <jansson.h>
#include <string.h>

static request_read_fn *reader_of(unsigned op)
{
    switch (op) {
#define REQUEST(NAME, name, number, right, effect, answer)                                                   \
    case number:                                                                                             \
        return request_read_##name;
#include "proto/request.def"
    default:
        return NULL;
    }
}

/* A bound may be broken, or the engine knows better what a value may be; but types are held here. */
static void read_back(const struct api_row *row, struct slice payload)
{
    struct request_source from;
    union request_fields fields;
    request_source_init(&from);
    mpack_read_init(&from.r, payload.data, payload.size);
    (void)mpack_read_array(&from.r);
    MUST(mpack_read_uint(&from.r) == row->op && mpack_read_uint(&from.r) == 1);
    reader_of(row->op)(&from, &fields);
    MUST(request_verdict(&from) != SHUNT_PROTOCOL);
}

static void write_as_answer(struct slice payload, const struct api_answer *form, size_t piece)
{
    struct json_answer j;
    struct text all = {0};
    char bytes[64];
    size_t size;
    json_answer_begin(&j, payload, form);
    while ((size = json_answer_take(&j, bytes, piece)) > 0)
        text_add_bytes(&all, bytes, size);
    if (!json_answer_failed(&j)) {
        json_t *value = json_loadb(all.data, all.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        MUST(value);
        json_decref(value);
    }
    json_answer_done(&j);
    text_done(&all);
}

/* Types of messages are held here, too, and there are as many as the frame says. */
static void read_messages(struct slice payload)
{
    struct request_source from;
    union request_fields fields;
    struct message_view m;
    struct mpack_reader r;
    const char *why;
    request_source_init(&from);
    mpack_read_init(&from.r, payload.data, payload.size);
    (void)mpack_read_array(&from.r);
    (void)mpack_read_uint(&from.r);
    (void)mpack_read_uint(&from.r);
    request_read_publish(&from, &fields);
    MUST(fields.publish.messages.count > 0);
    mpack_read_init(&r, fields.publish.messages.bytes.data, fields.publish.messages.bytes.size);
    for (uint32_t i = 0; i < fields.publish.messages.count; i++)
        MUST(message_read_new(&r, BODY_BYTES_MAX, &m, &why) != SHUNT_PROTOCOL);
    MUST(r.at == r.end);
}

/* The body's lines before an empty one that begin with `X-` are headers of HTTP, so that these are tried as well. */
static bool frame_of_publish(const struct api_match *match, enum publish_form form, struct slice body,
                             struct mpack_buffer *to, struct problem *ret)
{
    struct publish_headers h = {.magic = PUBLISH_HEADERS_MAGIC};
    uint8_t producer[PRODUCER_ID_BYTES];
    char *text = malloc(body.size + 1), *at = text;
    MUST(text);
    slice_copy(text, body);
    text[body.size] = '\0';
    while (at[0] == 'X' && at[1] == '-') {
        char *end = at + strcspn(at, "\n"), *colon = memchr(at, ':', (size_t)(end - at));
        if (!colon)
            break;
        bool last = !*end;
        *colon = *end = '\0';
        publish_header(&h, at, colon + 1);
        at = last ? end : end + 1;
    }
    h.idempotency_key = h.key; /* any bytes that a header may have */
    struct slice topic = match->parameters[0].value;
    bool numbered = publish_producer(&h, topic, producer, ret);
    struct slice rest = {at, (size_t)(text + body.size - at)};
    bool ok = problem_is_none(ret) && publish_frame(topic, form, &h, rest, numbered, 1, to, ret);
    free(text);
    return ok;
}

/* `as`: the form of a publish. */
static void try_call(const struct api_match *match, const struct target *target, struct slice body,
                     enum publish_form as)
{
    struct mpack_buffer frame = {0};
    struct problem problem = {0};
    struct slice payload;
    size_t need;
    const char *why;
    bool publish = match->row->op == OP_PUBLISH;
    bool ok = publish ? frame_of_publish(match, as, body, &frame, &problem)
                      : fields_frame(match, target, body, 1, &frame, &problem);
    MUST(ok == problem_is_none(&problem));
    if (ok) {
        MUST(frame_next(frame.data, frame.size, FRAME_BYTES_MAX, &payload, &need, &why) == FRAME_WHOLE);
        MUST(payload.size + FRAME_HEADER_BYTES == frame.size);
        read_back(match->row, payload);
        if (publish)
            read_messages(payload);
        for (unsigned answer = 0; answer < WIRE_ANSWERS; answer++) {
            const struct api_answer *form = api_answer_of((enum wire_answer)answer);
            if (form && !form->next) /* that one looks into rows, which a request has none of */
                write_as_answer(payload, form, 1 + body.size % 64);
        }
    } else {
        struct text text = {0};
        problem_write(&problem, &text);
        json_t *value = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
        MUST(value);
        json_decref(value);
        text_done(&text);
    }
    mpack_buffer_done(&frame);
}

/* What a worker sends is refused, or an entry that the engine's reader takes. */
static void try_work(const struct api_match *match, struct slice body)
{
    struct lease_input input;
    struct problem problem = {0};
    struct mpack_buffer b = {0};
    struct request_source from;
    struct wire_entry entry;
    json_t *all = lease_input_read(match->row->what, body, &input, &problem);
    MUST(!all == !problem_is_none(&problem));
    if (all && match->row->what != API_LEASE) {
        MUST(input.token);
        request_write_wire_entry(&b, &input.entry);
        MUST(mpack_check(b.data, b.size, 1));
        request_source_init(&from);
        mpack_read_init(&from.r, b.data, b.size);
        request_read_wire_entry(&from, &entry);
        MUST(request_verdict(&from) == 0 && entry.outcome != OUTCOME_UNKNOWN);
    }
    json_decref(all);
    mpack_buffer_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = malloc(size + 1);
    struct target target = {0};
    struct api_match match;
    const char *why;
    MUST(line);
    if (size)
        memcpy(line, data, size);
    line[size] = '\0';
    size_t end = strcspn(line, "\n"), method = strcspn(line, " \n");
    struct slice body = {data + (end < size ? end + 1 : size), end < size ? size - end - 1 : 0};
    line[end] = '\0';
    if (method < end && line[method + 1] == '/') {
        line[method] = '\0';
        bool ok = target_read(line + method + 1, &target, &why);
        bool found = ok && api_find(line, &target, &match) == API_FOUND;
        bool call = found && match.row->what == API_REQUEST;
        if (found && match.row->what >= API_LEASE)
            try_work(&match, body);
        int forms = call && match.row->op == OP_PUBLISH ? PUBLISH_RAW : 0;
        for (int form = 0; call && form <= forms; form++)
            try_call(&match, &target, body, (enum publish_form)form);
        target_done(&target);
    }
    free(line);
    return 0;
}
