/* fake_server: see fake_server.h. */
#include "fake_server.h"
#include "client/driving/fork_count.h"
#include "client/driving/settings_read.h"
#include "client/wire/marks.h"
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t producer_id[PRODUCER_ID_BYTES] = "sixteen bytes id";

static void init(struct fake *f, const struct shunt_options *options)
{
    struct shunt_error err;
    memset(f, 0, sizeof *f);
    cr_assert_eq(settings_read(options, &f->settings, &err), 0, "%s", err.text);
    f->now_us = 1000000;
    core_init(&f->core, &f->settings, 1, producer_id);
}

void fake_init(struct fake *f)
{
    init(f, NULL);
}

void fake_init_with(struct fake *f, ...)
{
    struct shunt_options *o = shunt_options_new();
    va_list args;
    va_start(args, f);
    for (const char *key; (key = va_arg(args, const char *));)
        cr_assert_eq(shunt_options_set(o, key, va_arg(args, const char *)), 0);
    va_end(args);
    init(f, o);
    shunt_options_free(o);
}

void fake_done(struct fake *f)
{
    core_done(&f->core);
    mpack_buffer_done(&f->sent);
    mpack_buffer_done(&f->said);
}

/* ---- what the client sends ---- */

size_t fake_take_bytes(struct fake *f, size_t bytes)
{
    struct iovec pieces[8];
    int count = core_output(&f->core, f->now_us, pieces, 8);
    size_t taken = 0;
    for (int i = 0; i < count && taken < bytes; i++) {
        size_t part = pieces[i].iov_len < bytes - taken ? pieces[i].iov_len : bytes - taken;
        mpack_write_raw(&f->sent, pieces[i].iov_base, part);
        taken += part;
    }
    if (count > 0)
        core_sent(&f->core, taken);
    return taken;
}

static void cut(struct fake *f)
{
    struct slice payload;
    size_t need;
    const char *why;
    f->count = 0;
    while (frame_next(f->sent.data + f->read, f->sent.size - f->read, FRAME_BYTES_MAX, &payload, &need,
                      &why) == FRAME_WHOLE) {
        struct seen_frame *frame = &f->frames[f->count++];
        cr_assert_lt(f->count, FRAMES_MAX);
        frame->offset = f->read;
        frame->size = FRAME_HEADER_BYTES + payload.size;
        mpack_read_init(&frame->at, payload.data, payload.size);
        (void)mpack_read_array(&frame->at);
        frame->op = mpack_read_uint(&frame->at);
        frame->id = mpack_read_uint(&frame->at);
        f->read += frame->size;
    }
    cr_assert_eq(f->read, f->sent.size, "only whole, valid frames were sent");
}

void fake_take(struct fake *f)
{
    while (fake_take_bytes(f, SIZE_MAX) > 0)
        continue;
    if (f->sent.data)
        cut(f);
}

struct seen_frame *fake_frame(struct fake *f, size_t i, unsigned op)
{
    cr_assert_lt(i, f->count, "frame %zu of %zu", i, f->count);
    cr_assert_eq(f->frames[i].op, op, "frame %zu has op %u", i, (unsigned)f->frames[i].op);
    return &f->frames[i];
}

struct seen_frame *fake_only(struct fake *f, unsigned op)
{
    fake_take(f);
    cr_assert_eq(f->count, 1, "%zu frames", f->count);
    return fake_frame(f, 0, op);
}

/* ---- what the server says ---- */

void say_ok(struct fake *f, uint64_t id)
{
    frame_end(&f->said, frame_begin(&f->said, OP_OK, id, 0));
}

void say_stored_in_part(struct fake *f, uint64_t id, uint64_t accepted, uint64_t first_seq, int code,
                        int64_t retry_after_ms)
{
    size_t frame = frame_begin(&f->said, OP_OK, id, retry_after_ms ? 4 : 3);
    mpack_write_uint(&f->said, accepted);
    mpack_write_uint(&f->said, first_seq);
    mpack_write_uint(&f->said, (uint64_t)code);
    if (retry_after_ms)
        mpack_write_int(&f->said, retry_after_ms);
    frame_end(&f->said, frame);
}

void say_published(struct fake *f, uint64_t id, uint64_t accepted, uint64_t first_seq, int code)
{
    say_stored_in_part(f, id, accepted, first_seq, code, 0);
}

void say_error(struct fake *f, uint64_t id, int code, const char *text)
{
    size_t frame = frame_begin(&f->said, OP_ERROR, id, 4);
    mpack_write_uint(&f->said, (uint64_t)code);
    mpack_write_cstr(&f->said, shunt_error_name(code));
    mpack_write_cstr(&f->said, text);
    mpack_write_bool(&f->said, false);
    frame_end(&f->said, frame);
}

void say_subscribed(struct fake *f, uint64_t id, uint64_t sub)
{
    size_t frame = frame_begin(&f->said, OP_OK, id, 2);
    mpack_write_uint(&f->said, sub);
    mpack_write_uint(&f->said, 30000);
    frame_end(&f->said, frame);
}

void say_dead(struct fake *f, uint64_t sub, uint64_t seq)
{
    size_t frame = frame_begin(&f->said, OP_DELIVER, 0, 2);
    mpack_write_uint(&f->said, sub);
    mpack_write_array(&f->said, 1);
    mpack_write_array(&f->said, 10);
    mpack_write_uint(&f->said, seq);
    for (int i = 0; i < 4; i++)
        mpack_write_uint(&f->said, 1000);
    mpack_write_int(&f->said, 1700000000000);
    mpack_write_int(&f->said, 30000);
    mpack_write_array(&f->said, 5);
    mpack_write_bin(&f->said, "body", 4);
    mpack_write_nil(&f->said);
    mpack_write_nil(&f->said);
    mpack_write_uint(&f->said, 0);
    mpack_write_uint(&f->said, 7000);
    mpack_write_map(&f->said, 2);
    mpack_write_cstr(&f->said, "reason");
    mpack_write_cstr(&f->said, "rejected");
    mpack_write_cstr(&f->said, "history");
    mpack_write_array(&f->said, 1);
    mpack_write_map(&f->said, 1);
    mpack_write_cstr(&f->said, "error_stack");
    mpack_write_cstr(&f->said, "at line 3");
    mpack_write_uint(&f->said, 1); /* of a later version */
    frame_end(&f->said, frame);
}

void say_urgent(struct fake *f, uint64_t sub, uint64_t seq, int64_t deadline_ms, uint64_t remaining_ms)
{
    size_t frame = frame_begin(&f->said, OP_DELIVER, 0, 2);
    mpack_write_uint(&f->said, sub);
    mpack_write_array(&f->said, 1);
    mpack_write_array(&f->said, 10);
    mpack_write_uint(&f->said, seq);
    for (int i = 0; i < 4; i++)
        mpack_write_uint(&f->said, 1000);
    mpack_write_int(&f->said, 1700000000000);
    mpack_write_int(&f->said, 30000);
    mpack_write_array(&f->said, 6);
    mpack_write_bin(&f->said, "body", 4);
    mpack_write_nil(&f->said);
    mpack_write_nil(&f->said);
    mpack_write_uint(&f->said, 0);
    mpack_write_uint(&f->said, 0);
    mpack_write_int(&f->said, deadline_ms);
    mpack_write_nil(&f->said); /* no dead letter */
    mpack_write_uint(&f->said, remaining_ms);
    frame_end(&f->said, frame);
}

void say_delivered(struct fake *f, uint64_t sub, uint64_t seq, uint32_t count, int64_t lease_ms)
{
    size_t frame = frame_begin(&f->said, OP_DELIVER, 0, 2);
    mpack_write_uint(&f->said, sub);
    mpack_write_array(&f->said, count);
    for (uint32_t i = 0; i < count; i++) {
        char body[32];
        int size = snprintf(body, sizeof body, "m%llu", (unsigned long long)(seq + i));
        mpack_write_array(&f->said, 8);
        mpack_write_uint(&f->said, seq + i);
        mpack_write_uint(&f->said, 1000 + seq + i);
        mpack_write_uint(&f->said, 2);
        mpack_write_uint(&f->said, 3);
        mpack_write_uint(&f->said, 1);
        mpack_write_int(&f->said, 1700000000000);
        mpack_write_int(&f->said, lease_ms);
        mpack_write_array(&f->said, 3);
        mpack_write_bin(&f->said, body, (size_t)size);
        mpack_write_map(&f->said, 1);
        mpack_write_cstr(&f->said, "file");
        mpack_write_cstr(&f->said, body);
        mpack_write_bin(&f->said, "key", 3);
    }
    frame_end(&f->said, frame);
}

void say_resolved(struct fake *f, uint64_t id, const uint64_t *pairs, uint32_t words)
{
    size_t frame = frame_begin(&f->said, OP_OK, id, 1);
    mpack_write_array(&f->said, words);
    for (uint32_t i = 0; i < words; i++)
        mpack_write_uint(&f->said, pairs[i]);
    frame_end(&f->said, frame);
}

void say_closed(struct fake *f, uint64_t sub, int code, const char *text)
{
    size_t frame = frame_begin(&f->said, OP_CLOSED, 0, 3);
    mpack_write_uint(&f->said, sub);
    mpack_write_uint(&f->said, (uint64_t)code);
    mpack_write_cstr(&f->said, text);
    frame_end(&f->said, frame);
}

int fake_feed_in_pieces(struct fake *f, size_t piece)
{
    int rc = 0;
    for (size_t at = 0; at < f->said.size && rc == 0;) {
        size_t size;
        void *space = core_space(&f->core, &size);
        cr_assert_not_null(space);
        size = size < piece ? size : piece;
        size = size < f->said.size - at ? size : f->said.size - at;
        memcpy(space, f->said.data + at, size);
        rc = core_received(&f->core, size, f->now_us, NULL);
        at += size;
    }
    f->said.size = 0;
    return rc;
}

int fake_feed(struct fake *f)
{
    return fake_feed_in_pieces(f, SIZE_MAX);
}

/* ---- connecting ---- */

static void write_limit(struct mpack_buffer *b, const char *name, uint64_t limit)
{
    mpack_write_cstr(b, name);
    mpack_write_uint(b, limit);
}

void fake_connect_with(struct fake *f, uint64_t max_body_bytes, uint64_t max_messages, uint64_t dedup_frames)
{
    f->sent.size = f->read = 0;
    cr_assert_eq(core_online(&f->core), 0);
    struct seen_frame *hello = fake_only(f, OP_HELLO);
    size_t frame = frame_begin(&f->said, OP_OK, hello->id, 2);
    mpack_write_uint(&f->said, 1);
    mpack_write_map(&f->said, 5);
    write_limit(&f->said, "max_body_bytes", max_body_bytes != 0 ? max_body_bytes : BODY_BYTES_MAX);
    write_limit(&f->said, "max_messages", max_messages != 0 ? max_messages : FRAME_MESSAGES_MAX);
    write_limit(&f->said, "dedup_frames", dedup_frames != 0 ? dedup_frames : DEDUP_FRAMES_MAX);
    write_limit(&f->said, "something_new", 1);
    mpack_write_cstr(&f->said, "features");
    mpack_write_array(&f->said, f->within ? 2 : 1);
    mpack_write_cstr(&f->said, "some_feature");
    if (f->within)
        mpack_write_cstr(&f->said, FEATURE_WITHIN);
    frame_end(&f->said, frame);
    cr_assert_eq(fake_feed(f), 0);
    cr_assert_eq(f->core.phase, CORE_READY);
}

void fake_connect(struct fake *f)
{
    fake_connect_with(f, 0, 0, 0);
}

void fake_lose(struct fake *f)
{
    core_offline(&f->core);
}

/* ---- short cuts ---- */

struct shunt_consumer *fake_subscribe(struct fake *f, uint64_t sub, uint64_t prefetch)
{
    struct shunt_consumer *c = consumer_new(&f->core, "orders", "default", prefetch, 1 << 20);
    cr_assert_not_null(c);
    f->handle.magic = HANDLE_MAGIC;
    f->handle.forks = fork_count();
    c->handle = &f->handle;
    say_subscribed(f, fake_only(f, OP_SUBSCRIBE)->id, sub);
    cr_assert_eq(fake_feed(f), 0);
    cr_assert_eq(c->state, CONSUMER_ACTIVE);
    return c;
}

struct shunt_consumer *fake_consume(struct fake *f, uint64_t first, uint32_t count)
{
    fake_connect(f);
    struct shunt_consumer *c = fake_subscribe(f, 7, 100);
    say_delivered(f, 7, first, count, 30000);
    cr_assert_eq(fake_feed(f), 0);
    return c;
}

int fake_publish(struct fake *f, const char *topic, const char *body, shunt_published_cb *callback,
                 void *context)
{
    struct shunt_message *m = shunt_message_new();
    bool full;
    shunt_message_body(m, body, strlen(body));
    int rc = producer_add(&f->core.producer, topic, m, (struct promise){callback, context, INT64_MAX, 0},
                          &full, NULL);
    shunt_message_free(m);
    return rc;
}

struct shunt_delivery *fake_next(struct shunt_consumer *c, struct fake *f)
{
    marks_next_called(c, f->now_us);
    cr_assert_eq(marks_write(c, f->now_us), 0);
    fake_take(f);
    struct shunt_delivery *d = consumer_take(c, f->now_us);
    if (d)
        c->returned_us = f->now_us;
    return d;
}
