/* world: see world.h. */
#include "tests/unit/engine/world.h"
#include "broker/engine/inbox.h"
#include "broker/engine/turn.h"

#include "broker/store/store_memory.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void on_notify(void *context)
{
    ((struct world *)context)->notified++;
}

static void on_fatal(void *context, int err, const char *text)
{
    (void)context;
    cr_assert_fail("the engine died: %d %s", err, text);
}

void post_frame(struct world *w, struct link *link, struct mpack_buffer *frame, struct chunk *chunk)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    cr_assert(item && !frame->failed);
    item->kind = PORT_FRAMES;
    item->link = link;
    link_ref(link);
    item->chunk = chunk ? chunk : chunk_new((uint32_t)frame->size);
    memcpy(item->chunk->data, frame->data, frame->size);
    item->bytes = (struct slice){item->chunk->data, frame->size};
    item->received_ms = w->now_ms;
    engine_post(w->engine, item);
    mpack_buffer_done(frame);
}

void post(struct world *w, struct link *link, enum port_kind kind)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    cr_assert(item);
    item->kind = kind;
    item->link = link;
    if (link)
        link_ref(link);
    engine_post(w->engine, item);
}

static void write_ping(struct mpack_buffer *frame, uint64_t id)
{
    frame_end(frame, frame_begin(frame, OP_PING, id, 0));
}

void post_ping(struct world *w, struct link *link, struct chunk *chunk)
{
    struct mpack_buffer frame = {0};
    write_ping(&frame, 7);
    post_frame(w, link, &frame, chunk);
}

void post_ping_silently(struct world *w, struct link *link)
{
    struct mpack_buffer frame = {0};
    write_ping(&frame, 0);
    post_frame(w, link, &frame, NULL);
}

static void hello(struct world *w, struct link *link)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_HELLO, 1, 3);
    mpack_write_uint(&frame, 1);
    mpack_write_uint(&frame, 1);
    mpack_write_map(&frame, 1);
    mpack_write_cstr(&frame, "marks"); /* all that is held counts as started */
    mpack_write_bool(&frame, false);
    frame_end(&frame, at);
    post_frame(w, link, &frame, NULL);
}

static void create_topic(struct world *w, struct link *link)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_TOPIC_CREATE, 2, 1);
    mpack_write_cstr(&frame, "t");
    frame_end(&frame, at);
    post_frame(w, link, &frame, NULL);
}

static void post_publish(struct world *w, struct link *link, uint64_t id, unsigned count, size_t size)
{
    struct mpack_buffer frame = {0};
    uint8_t *body = calloc(1, size + 1);
    size_t at = frame_begin(&frame, OP_PUBLISH, id, 4);
    mpack_write_cstr(&frame, "t");
    mpack_write_uint(&frame, 0);
    mpack_write_uint(&frame, 0);
    mpack_write_array(&frame, count);
    for (unsigned i = 0; i < count; i++) {
        mpack_write_array(&frame, 1);
        mpack_write_bin(&frame, body, size);
    }
    frame_end(&frame, at);
    free(body);
    post_frame(w, link, &frame, NULL);
}

void publish(struct world *w, struct link *link, unsigned count, size_t size)
{
    post_publish(w, link, 3, count, size);
    world_turn(w);
}

void publish_silently(struct world *w, struct link *link)
{
    post_publish(w, link, 0, 1, 1);
}

void subscribe(struct world *w, struct link *link)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_SUBSCRIBE, 4, 4);
    mpack_write_cstr(&frame, "t");
    mpack_write_cstr(&frame, "default");
    mpack_write_uint(&frame, CREDIT_MESSAGES_MAX);
    mpack_write_uint(&frame, CREDIT_BYTES_MAX);
    frame_end(&frame, at);
    post_frame(w, link, &frame, NULL);
    world_turn(w);
}

void read_all(struct world *w, struct link *link)
{
    atomic_fetch_sub(&w->totals.waiting_bytes, atomic_exchange(&link->account.unsent_bytes, 0));
}

static struct world *world_of_store; /* a store has no context */

static int slow_commit(struct store_txn *txn)
{
    struct world *w = world_of_store;
    if (w->during_commit)
        w->during_commit(w);
    w->now_ms += w->commit_ms;
    return w->commit(txn);
}

static struct store *slow_store(struct world *w)
{
    struct store *store = store_memory_open(1u << 30);
    world_of_store = w;
    w->ops = *store->ops;
    w->commit = w->ops.commit;
    w->ops.commit = slow_commit;
    store->ops = &w->ops;
    return store;
}

static void read_clocks(void *context, struct clock_reading *ret)
{
    const struct world *w = context;
    *ret = (struct clock_reading){.wall_us = (WORLD_WALL_MS + w->now_ms) * 1000, .mono_us = w->now_ms * 1000};
}

void answer_ask(struct world *w, const struct outbox_item *item)
{
    if (!item->ask_ms || w->deaf)
        return;
    struct inbox_item *heard = calloc(1, sizeof *heard);
    cr_assert(heard);
    heard->kind = PORT_CAUGHT_UP;
    heard->link = item->link;
    link_ref(heard->link);
    heard->ask_ms = item->ask_ms;
    engine_post(w->engine, heard);
}

/* Nobody reads: what comes out is dropped, and stays counted as waiting. */
void world_turn(struct world *w)
{
    w->now_ms++;
    inbox_take(w->engine);
    (void)engine_turn(w->engine, WORLD_WALL_MS + w->now_ms, w->now_ms);
    for (struct outbox_item *item = engine_take(w->engine), *next; item; item = next) {
        next = item->next;
        answer_ask(w, item);
        w->secrets += item->secret;
        if (item->link->id <= LINKS)
            mpack_write_raw(&w->told[item->link->id - 1], item->bytes.data, item->bytes.size);
        mpack_buffer_done(&item->bytes);
        link_unref(item->link);
        free(item);
    }
}

void world_start(struct world *w, const struct engine_config *config)
{
    char why[512] = "";
    struct engine_config all = *config;
    *w = (struct world){.now_ms = 1000};
    all.limits.max_body_bytes = config->limits.max_body_bytes ? config->limits.max_body_bytes : 1000;
    all.limits.inbox_bytes_max = config->limits.inbox_bytes_max ? config->limits.inbox_bytes_max : 1 << 20;
    all.limits.max_topics = config->limits.max_topics ? config->limits.max_topics : 10;
    all.limits.max_groups = 10;
    all.limits.dedup_window_ms = 60000;
    all.limits.commit_bytes_max = 1 << 20;
    all.totals = &w->totals;
    all.notify = on_notify;
    all.fatal = on_fatal;
    all.context = w;
    all.read_clocks = read_clocks;
    struct store *store = slow_store(w);
    cr_assert_eq(engine_new(&all, store, &w->engine, why, sizeof why), 0, "%s", why);
    for (unsigned i = 0; i < LINKS; i++) {
        w->links[i] = link_new(i + 1, &w->totals);
        hello(w, w->links[i]);
    }
    create_topic(w, w->links[0]);
    world_turn(w);
    for (unsigned i = 0; i < LINKS; i++) /* that much they have read */
        read_all(w, w->links[i]);
}

void world_stop(struct world *w)
{
    for (unsigned i = 0; i < LINKS; i++)
        link_unref(w->links[i]);
    for (unsigned i = 0; i < LINKS; i++)
        mpack_buffer_done(&w->told[i]);
    engine_free(w->engine);
}
