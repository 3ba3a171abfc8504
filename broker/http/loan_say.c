/* loan_say: see loan_say.h. */
#include "broker/http/loan_say.h"

#include "proto/frame.h"
#include <inttypes.h>
#include <stdio.h>

/* ---- tokens ---- */

void loan_token_write(const struct loan *l, const struct loan_entry *e, char to[LOAN_TOKEN_BYTES])
{
    (void)snprintf(to, LOAN_TOKEN_BYTES, "%" PRIx32 ".%" PRIx64 ".%" PRIx64 ".%" PRIx64, l->number, l->serial,
                   e->seq, e->token); /* at most 59 bytes */
}

static bool read_hex(const char **at, char end, uint64_t max, uint64_t *ret)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;
    const char *begin = *at;
    for (; **at && **at != end; ++*at) {
        const char *digit = strchr(digits, **at);
        if (!digit || value > max >> 4)
            return false;
        value = value << 4 | (uint64_t)(digit - digits);
    }
    bool ok = *at > begin && **at == end;
    if (ok && end)
        ++*at;
    *ret = value;
    return ok;
}

bool loan_token_read(const char *text, uint32_t *ret_number, uint64_t *ret_serial, uint64_t *ret_seq,
                     uint64_t *ret_token)
{
    uint64_t number;
    if (!read_hex(&text, '.', UINT32_MAX, &number) || !read_hex(&text, '.', UINT64_MAX, ret_serial) ||
        !read_hex(&text, '.', UINT64_MAX, ret_seq) || !read_hex(&text, '\0', UINT64_MAX, ret_token))
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

/* ---- to the engine ---- */

void loan_say_request(struct loan *l, const struct request_form *form, uint64_t id,
                      const union request_fields *fields)
{
    frame_end(&l->out, request_begin(&l->out, form, id, fields));
}

static void resolve_begin(struct loan *l, uint64_t id, uint32_t count, size_t *ret_frame)
{
    union request_fields q = {.resolve = {.sub = l->sub, .entries = {.count = count}}};
    *ret_frame = request_begin(&l->out, &request_resolve, id, &q);
}

void loan_say_entry(struct loan *l, uint64_t id, const struct wire_entry *entry)
{
    size_t frame;
    resolve_begin(l, id, 1, &frame);
    request_write_wire_entry(&l->out, entry);
    frame_end(&l->out, frame);
}

static void write_extend(struct loan *l, uint64_t id, const struct loan_entry *e, int64_t ms)
{
    const struct wire_entry entry = {
        .seq = e->seq, .token = e->token, .outcome = OUTCOME_EXTEND, .delay_or_extend = ms};
    loan_say_entry(l, id, &entry);
}

void loan_say_release(struct loan *l, const struct loan_entry *e)
{
    const struct wire_entry entry = {
        .seq = e->seq, .token = e->token, .outcome = OUTCOME_RELEASE, .delay_or_extend = -1};
    loan_say_entry(l, IGNORED_ID, &entry);
}

void loan_say_extend_all(struct loan *l, int64_t now_ms)
{
    size_t frame;
    resolve_begin(l, EXTEND_ID, (uint32_t)l->entries_count, &frame);
    for (size_t i = 0; i < l->entries_count; i++) {
        struct loan_entry *e = &l->entries[i];
        const struct wire_entry entry = {
            .seq = e->seq, .token = e->token, .outcome = OUTCOME_EXTEND, .delay_or_extend = l->ask.lease_ms};
        request_write_wire_entry(&l->out, &entry);
        e->until_ms = now_ms + l->ask.lease_ms;
    }
    frame_end(&l->out, frame);
}

void loan_say_first_started(struct loan *l, int64_t now_ms)
{
    struct loan_entry *e = l->entries, *end = e + l->entries_count;
    while (e < end && !e->held)
        e++;
    if (l->state != LOAN_HELD || e == end || e->marked)
        return;
    size_t frame = frame_begin(&l->out, OP_STARTED, 0, 2);
    mpack_write_uint(&l->out, l->sub);
    mpack_write_array(&l->out, 2);
    mpack_write_uint(&l->out, e->seq);
    mpack_write_uint(&l->out, e->token);
    frame_end(&l->out, frame);
    int64_t ms = l->ask.lease_ms ? l->ask.lease_ms : e->lease_ms;
    if (e->until_ms - now_ms > ms)
        ms = e->until_ms - now_ms;
    if (ms != e->lease_ms)
        write_extend(l, IGNORED_ID, e, ms);
    e->until_ms = now_ms + ms;
    e->marked = true;
}

/* ---- to the client ---- */

void loan_say_message(struct loan *l, const struct loan_entry *e, const uint64_t counts[4],
                      const struct message_view *m, struct slice dead, struct slice remaining)
{
    struct mpack_buffer *to = &l->messages;
    char text[TOPIC_BYTES_MAX + LOAN_TOKEN_BYTES];
    bool is_dead = dead.size > 1; /* nil has one byte */
    mpack_write_map(to, is_dead ? 13 : 12);
    mpack_write_cstr(to, "id");
    (void)snprintf(text, sizeof text, "%s/%" PRIu64, l->topic, e->seq);
    mpack_write_cstr(to, text);
    mpack_write_cstr(to, "token");
    loan_token_write(l, e, text);
    mpack_write_cstr(to, text);
    static const char *const names[] = {"attempts", "deliveries", "generation", "published"};
    for (unsigned i = 0; i < 4; i++) {
        mpack_write_cstr(to, names[i]);
        mpack_write_uint(to, counts[i]);
    }
    mpack_write_cstr(to, "lease_left_ms");
    mpack_write_int(to, l->ask.lease_ms ? l->ask.lease_ms : e->lease_ms);
    bool in_force = remaining.size > 0; /* a deadline */
    mpack_write_cstr(to, "deadline");
    in_force ? mpack_write_uint(to, (uint64_t)m->deadline_ms) : mpack_write_nil(to);
    mpack_write_cstr(to, "remaining_ms");
    if (in_force)
        mpack_write_raw(to, remaining.data, remaining.size);
    else
        mpack_write_nil(to);
    mpack_write_cstr(to, "key");
    if (m->key.size)
        mpack_write_bin(to, m->key.data, m->key.size);
    else
        mpack_write_nil(to);
    mpack_write_cstr(to, "headers");
    if (m->headers.size)
        mpack_write_raw(to, m->headers.data, m->headers.size);
    else
        mpack_write_map(to, 0);
    mpack_write_cstr(to, "body");
    mpack_write_bin(to, m->body.data, m->body.size);
    if (is_dead) {
        mpack_write_cstr(to, "dead");
        mpack_write_raw(to, dead.data, dead.size);
    }
}
