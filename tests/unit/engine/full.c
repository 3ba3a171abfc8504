/* full: see full.h. */
#include "tests/unit/engine/full.h"

#include "base/array.h"
#include "broker/core/state.h"
#include "broker/engine/inbox.h"
#include "broker/engine/turn.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/wire.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL_MS 1700000000000ll

static void on_notify(void *context)
{
    (void)context;
}

static void on_fatal(void *context, int err, const char *text)
{
    (void)context;
    cr_assert_fail("the engine died: %s: %s", err_name(err), text);
}

static void read_clocks(void *context, struct clock_reading *ret)
{
    const struct full *f = context;
    *ret = (struct clock_reading){.wall_us = (WALL_MS + f->now_ms) * 1000, .mono_us = f->now_ms * 1000};
}

/* ---- what the engine sends ---- */

static void take_delivery(struct full *f, uint64_t sub, struct mpack_reader *r)
{
    uint32_t fields = mpack_read_array(r);
    cr_assert(array_room(&f->held, &f->held_capacity, f->held_count + 1));
    struct held *h = &f->held[f->held_count++];
    h->sub = sub;
    h->seq = mpack_read_uint(r);
    h->token = mpack_read_uint(r);
    for (uint32_t i = 2; i < fields; i++)
        (void)mpack_read_any(r);
}

static void take_frame(struct full *f, struct slice payload)
{
    struct mpack_reader r;
    mpack_read_init(&r, payload.data, payload.size);
    uint32_t fields = mpack_read_array(&r);
    uint64_t op = mpack_read_uint(&r), id = mpack_read_uint(&r);
    if (op == OP_OK && fields > 2 && id != 1) {
        f->code = 0;
        f->first = mpack_peek(&r) == MPACK_INT ? mpack_read_uint(&r) : 0;
        if (fields == 5 || fields == 6) {
            (void)mpack_read_uint(&r);
            f->refusal = (int)mpack_read_int(&r);
            f->retry_after_ms = fields == 6 ? mpack_read_int(&r) : 0;
        }
    } else if (op == OP_ERROR) {
        f->code = (int)mpack_read_uint(&r);
        f->text[0] = 0;
        (void)mpack_read_any(&r); /* its name */
        struct slice text = mpack_peek(&r) == MPACK_STR ? mpack_read_str(&r) : (struct slice){0};
        (void)snprintf(f->text, sizeof f->text, "%.*s", (int)text.size, (const char *)text.data);
    } else if (op == OP_DELIVER) {
        uint64_t sub = mpack_read_uint(&r);
        uint32_t count = mpack_read_array(&r);
        for (uint32_t i = 0; i < count; i++)
            take_delivery(f, sub, &r);
    }
    cr_assert(!r.failed);
}

static void take_output(struct full *f)
{
    for (struct outbox_item *item = engine_take(f->engine), *next; item; item = next) {
        struct slice payload;
        const char *why;
        size_t need;
        next = item->next;
        for (size_t at = 0; item->link == f->link && at < item->bytes.size;
             at += FRAME_HEADER_BYTES + payload.size) {
            cr_assert_eq(frame_next(item->bytes.data + at, item->bytes.size - at, FRAME_BYTES_MAX, &payload,
                                    &need, &why),
                         FRAME_WHOLE);
            take_frame(f, payload);
        }
        flow_written(&item->link->account, item->bytes.size);
        flow_freed(&item->link->account, item->bytes.size);
        mpack_buffer_done(&item->bytes);
        link_unref(item->link);
        free(item);
    }
}

static int64_t turn(struct full *f)
{
    inbox_take(f->engine);
    int64_t due_ms = engine_turn(f->engine, WALL_MS + f->now_ms, f->now_ms);
    take_output(f);
    return due_ms;
}

/* Turns until nothing is due now. */
static void settle(struct full *f)
{
    for (int i = 0; turn(f) <= f->now_ms; i++)
        cr_assert_lt(i, 200000, "the engine never comes to rest");
}

void full_pass(struct full *f, int64_t ms)
{
    for (int64_t end_ms = f->now_ms + ms; f->now_ms < end_ms; f->now_ms += ms / 10 ? ms / 10 : 1)
        settle(f);
    settle(f);
}

static void post(struct full *f, enum port_kind kind, struct mpack_buffer *frame)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    cr_assert_not_null(item);
    item->kind = kind;
    item->link = f->link;
    link_ref(f->link);
    if (frame) {
        cr_assert(!frame->failed && frame->size <= FRAME_BYTES_MAX);
        item->chunk = chunk_new((uint32_t)frame->size);
        memcpy(item->chunk->data, frame->data, frame->size);
        item->bytes = (struct slice){item->chunk->data, frame->size};
        mpack_buffer_done(frame);
    }
    engine_post(f->engine, item);
}

static void send(struct full *f, struct mpack_buffer *frame, size_t at)
{
    frame_end(frame, at);
    post(f, PORT_FRAMES, frame);
    f->code = -1;
    f->refusal = 0;
    f->now_ms++;
    settle(f);
}

static void hello(struct full *f)
{
    struct mpack_buffer b = {0};
    static uint64_t id;
    static const char *const names[] = {"client", "host", "build"};
    f->link = link_new(++id, &f->totals);
    f->held_count = 0;
    size_t at = frame_begin(&b, OP_HELLO, 1, 3);
    mpack_write_uint(&b, 1);
    mpack_write_uint(&b, 1);
    mpack_write_map(&b, 3);
    for (unsigned i = 0; i < 3; i++) { /* each row of the attempt ledger has them */
        char name[CLIENT_NAME_BYTES_MAX];
        memset(name, 'n', sizeof name);
        mpack_write_cstr(&b, names[i]);
        mpack_write_str(&b, name, sizeof name);
    }
    send(f, &b, at);
}

static void start(struct full *f)
{
    char why[512] = "";
    struct engine_config config = {.limits = {.max_body_bytes = 1 << 20,
                                              .max_topics = 10,
                                              .max_groups = 64,
                                              .dedup_window_ms = 3600000,
                                              .unsent_bytes_max = 1u << 30,
                                              .inbox_bytes_max = 64u << 20,
                                              .commit_bytes_max = 16u << 20},
                                   .totals = &f->totals,
                                   .notify = on_notify,
                                   .fatal = on_fatal,
                                   .context = f,
                                   .read_clocks = read_clocks};
    struct store_lmdb_options o = {
        .dir = f->dir, .map_bytes = 16u << 20, .map_bytes_max = f->map_bytes_max, .create = true};
    struct store *store;
    cr_assert_eq(store_lmdb_open(&o, &store, why, sizeof why), 0, "%s", why);
    cr_assert_eq(engine_new(&config, store, &f->engine, why, sizeof why), 0, "%s", why);
    hello(f);
}

void full_begin(struct full *f, uint64_t map_bytes_max, unsigned groups)
{
    const char *base = getenv("TMPDIR");
    *f = (struct full){.map_bytes_max = map_bytes_max, .now_ms = 1000, .random = 88172645463325252ull};
    (void)snprintf(f->dir, sizeof f->dir, "%s/shunt-full-XXXXXX", base ? base : "/tmp");
    cr_assert_not_null(mkdtemp(f->dir));
    start(f);
    struct mpack_buffer b = {0};
    size_t at = frame_begin(&b, OP_TOPIC_CREATE, 2, 3);
    mpack_write_cstr(&b, "t");
    mpack_write_map(&b, 0);
    mpack_write_array(&b, groups);
    for (unsigned i = 0; i < groups; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "g%u", i);
        mpack_write_cstr(&b, i ? name : "default");
    }
    send(f, &b, at);
    cr_assert_eq(f->code, -1, "%d %s", f->code, f->text); /* an OK without fields */
}

static void stop(struct full *f)
{
    take_output(f);
    link_unref(f->link);
    engine_free(f->engine);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

void full_end(struct full *f)
{
    stop(f);
    free(f->held);
    cr_assert_eq(nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void full_crash(struct full *f)
{
    stop(f);
    start(f);
}

void full_reconnect(struct full *f)
{
    post(f, PORT_LOST, NULL);
    settle(f);
    link_unref(f->link);
    hello(f);
}

/* ---- requests ---- */

uint64_t full_dice(struct full *f, uint64_t bound)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return f->random % bound;
}

void full_publish(struct full *f, unsigned count, size_t body, int64_t delay_ms, int64_t ttl_ms, bool vary)
{
    struct mpack_buffer b = {0};
    uint8_t *bytes = calloc(1, body + 1);
    size_t at = frame_begin(&b, OP_PUBLISH, 3, 4);
    mpack_write_cstr(&b, "t");
    mpack_write_uint(&b, 0);
    mpack_write_uint(&b, 0);
    mpack_write_array(&b, count);
    for (unsigned i = 0; i < count; i++) {
        mpack_write_array(&b, 5);
        mpack_write_bin(&b, bytes, body);
        mpack_write_nil(&b);
        mpack_write_nil(&b);
        mpack_write_uint(&b, delay_ms && vary ? 1 + full_dice(f, (uint64_t)delay_ms) : (uint64_t)delay_ms);
        mpack_write_uint(&b, ttl_ms && vary ? 1 + full_dice(f, (uint64_t)ttl_ms) : (uint64_t)ttl_ms);
    }
    free(bytes);
    send(f, &b, at);
    cr_assert_neq(f->code, -1, "a publish was not answered");
    if (f->code)
        f->first = 0;
    cr_assert(f->code ? f->code == SHUNT_NO_SPACE : f->first == count || f->refusal == SHUNT_NO_SPACE,
              "%d %s", f->code, f->text);
    f->accepted += f->first;
}

void full_fill(struct full *f, unsigned count, size_t body, int64_t delay_ms, int64_t ttl_ms)
{
    do
        full_publish(f, count, body, delay_ms, ttl_ms, false);
    while (!f->code);
}

void full_subscribe(struct full *f, const char *group, unsigned credit)
{
    struct mpack_buffer b = {0};
    size_t at = frame_begin(&b, OP_SUBSCRIBE, 4, 4);
    mpack_write_cstr(&b, "t");
    mpack_write_cstr(&b, group);
    mpack_write_uint(&b, credit);
    mpack_write_uint(&b, CREDIT_BYTES_MAX);
    send(f, &b, at);
    cr_assert_eq(f->code, 0);
    f->sub = f->first;
}

void full_resolve(struct full *f, size_t count, enum wire_outcome outcome, size_t stack_bytes)
{
    char *stack = malloc(stack_bytes + 1);
    size_t most = stack_bytes ? 16000000 / stack_bytes : FRAME_MESSAGES_MAX, done = 0;
    memset(stack, 's', stack_bytes + 1);
    while (done < count && done < f->held_count) {
        struct mpack_buffer b = {0};
        size_t run = 0;
        while (done + run < count && done + run < f->held_count && run < most && run < FRAME_MESSAGES_MAX &&
               f->held[done + run].sub == f->held[done].sub)
            run++;
        size_t at = frame_begin(&b, OP_RESOLVE, 5, 2);
        mpack_write_uint(&b, f->held[done].sub);
        mpack_write_array(&b, (uint32_t)run);
        for (size_t i = done; i < done + run; i++) {
            mpack_write_array(&b, outcome == OUTCOME_ACK ? 3 : 7);
            mpack_write_uint(&b, f->held[i].seq);
            mpack_write_uint(&b, f->held[i].token);
            mpack_write_uint(&b, outcome);
            if (outcome != OUTCOME_ACK) {
                mpack_write_uint(&b, 0);
                mpack_write_cstr(&b, "Error");
                mpack_write_cstr(&b, "what went wrong, in a sentence that says it at some length");
                mpack_write_str(&b, stack, stack_bytes);
            }
        }
        done += run;
        send(f, &b, at);
        cr_assert_eq(f->code, 0, "a RESOLVE was refused: %d %s", f->code, f->text);
    }
    free(stack);
    f->held_count -= done;
    memmove(f->held, f->held + done, f->held_count * sizeof *f->held);
}

static void change(struct full *f, unsigned op, const char *group)
{
    struct mpack_buffer b = {0};
    size_t at = frame_begin(&b, op, 6, group ? 3 : 1);
    mpack_write_cstr(&b, "t");
    if (group) {
        mpack_write_cstr(&b, group);
        mpack_write_map(&b, 1);
        mpack_write_cstr(&b, "all");
        mpack_write_bool(&b, true);
    }
    send(f, &b, at);
    cr_assert_eq(f->code, 0, "%d %s", f->code, f->text);
    full_pass(f, 10);
}

void full_purge_topic(struct full *f)
{
    change(f, OP_TOPIC_PURGE, NULL);
}

void full_purge_dlq(struct full *f, const char *group)
{
    change(f, OP_DLQ_PURGE, group);
}

void full_redrive(struct full *f, const char *group)
{
    change(f, OP_DLQ_REDRIVE, group);
}

/* An OK without fields is not noted. */
static int answer(struct full *f, struct mpack_buffer *b, size_t at)
{
    send(f, b, at);
    return f->code == -1 ? 0 : f->code;
}

int full_create_topic(struct full *f, const char *name)
{
    struct mpack_buffer b = {0};
    size_t at = frame_begin(&b, OP_TOPIC_CREATE, 7, 1);
    mpack_write_cstr(&b, name);
    return answer(f, &b, at);
}

int full_create_group(struct full *f, const char *name)
{
    struct mpack_buffer b = {0};
    size_t at = frame_begin(&b, OP_GROUP_CREATE, 8, 2);
    mpack_write_cstr(&b, "t");
    mpack_write_cstr(&b, name);
    return answer(f, &b, at);
}

struct group_counts full_counts(struct full *f, const char *group)
{
    int err = 0;
    struct group *g =
        ledger_group(f->engine->ledger, (struct slice){"t", 1}, (struct slice){group, strlen(group)}, &err);
    cr_assert_not_null(g);
    return g->r.counts;
}
