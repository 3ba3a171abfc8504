/* test_serve: a turn that the thread which read the request runs itself, beside a thread of the engine's own. */
#include "broker/engine/engine.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include "tests/unit/engine/world.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

/* The net thread is the test's. */
struct side {
    struct world w;
    pthread_mutex_t mutex;
    pthread_cond_t told;
    unsigned notified; /* under `mutex` */
};

static void on_notify(void *context)
{
    struct side *s = context;
    (void)pthread_mutex_lock(&s->mutex);
    s->notified++;
    (void)pthread_cond_signal(&s->told);
    (void)pthread_mutex_unlock(&s->mutex);
}

static void on_fatal(void *context, int err, const char *text)
{
    (void)context;
    cr_assert_fail("the engine died: %d %s", err, text);
}

static unsigned notified(struct side *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    unsigned count = s->notified;
    (void)pthread_mutex_unlock(&s->mutex);
    return count;
}

/* Until the engine's own thread has something to send; the test's time-out ends a wait in vain. */
static void wait_notified(struct side *s, unsigned before)
{
    (void)pthread_mutex_lock(&s->mutex);
    while (s->notified == before)
        (void)pthread_cond_wait(&s->told, &s->mutex);
    (void)pthread_mutex_unlock(&s->mutex);
}

static void post_soon(struct side *s, enum port_kind kind, struct mpack_buffer *frame, size_t memory_bytes)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    struct link *link = s->w.links[0];
    cr_assert(item);
    item->kind = kind;
    item->soon = true;
    item->link = link;
    link_ref(link);
    if (frame) {
        item->chunk = chunk_new((uint32_t)frame->size);
        memcpy(item->chunk->data, frame->data, frame->size);
        item->bytes = (struct slice){item->chunk->data, frame->size};
        item->memory_bytes = memory_bytes;
        mpack_buffer_done(frame);
    }
    engine_post(s->w.engine, item);
}

static void post_ping_soon(struct side *s, size_t memory_bytes)
{
    struct mpack_buffer frame = {0};
    frame_end(&frame, frame_begin(&frame, OP_PING, 7, 0));
    post_soon(s, PORT_FRAMES, &frame, memory_bytes);
}

/* A message that can be taken `delay_ms` later. */
static void post_publish_soon(struct side *s, uint64_t delay_ms)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_PUBLISH, 8, 4);
    mpack_write_cstr(&frame, "t");
    mpack_write_uint(&frame, 0);
    mpack_write_uint(&frame, 0);
    mpack_write_array(&frame, 1);
    mpack_write_array(&frame, 4);
    mpack_write_bin(&frame, "x", 1);
    mpack_write_nil(&frame);
    mpack_write_nil(&frame);
    mpack_write_uint(&frame, delay_ms);
    frame_end(&frame, at);
    post_soon(s, PORT_FRAMES, &frame, 0);
}

/* Bytes that wait to be sent, which then no longer do. */
static size_t take_all(struct side *s)
{
    size_t bytes = 0;
    for (struct outbox_item *item = engine_take(s->w.engine), *next; item; item = next) {
        next = item->next;
        bytes += item->bytes.size;
        atomic_fetch_sub(&s->w.totals.waiting_bytes, item->bytes.size);
        atomic_fetch_sub(&item->link->account.unsent_bytes, item->bytes.size);
        mpack_buffer_done(&item->bytes);
        link_unref(item->link);
        free(item);
    }
    return bytes;
}

/* From here on the engine has its own thread and real clocks, a topic "t" and a consumer of it on links[0]. */
static void begin(struct side *s, bool any_thread)
{
    *s = (struct side){0};
    (void)pthread_mutex_init(&s->mutex, NULL);
    (void)pthread_cond_init(&s->told, NULL);
    world_start(&s->w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20});
    subscribe(&s->w, s->w.links[0]);
    s->w.ops.any_thread = any_thread;
    s->w.engine->config.notify = on_notify;
    s->w.engine->config.fatal = on_fatal;
    s->w.engine->config.context = s;
    wall_clock_begin(&s->w.engine->clock, NULL, NULL, 0, 0);
    cr_assert_eq(engine_start(s->w.engine), 0);
}

static void end(struct side *s)
{
    engine_stop(s->w.engine);
    (void)take_all(s);
    world_stop(&s->w);
    (void)pthread_cond_destroy(&s->told);
    (void)pthread_mutex_destroy(&s->mutex);
}

/* The engine's thread sleeps, and nothing is left to take. */
static void settle(struct side *s)
{
    for (;;) {
        post_ping_soon(s, 0);
        if (engine_serve(s->w.engine) && take_all(s))
            return;
        sched_yield(); /* it was awake, and does it */
    }
}

Test(serve, a_lone_request_is_answered_by_the_thread_that_read_it, .timeout = 30)
{
    struct side s;
    begin(&s, true);
    settle(&s);
    unsigned before = notified(&s);
    for (unsigned i = 0; i < 1000; i++) {
        post_ping_soon(&s, 0);
        cr_assert(engine_serve(s.w.engine));
        cr_assert_gt(take_all(&s), 0);
    }
    cr_assert_eq(notified(&s), before, "it looks for itself");
    cr_assert(!engine_serve(s.w.engine), "there is nothing to do");
    end(&s);
}

Test(serve, so_much_may_wait_and_no_more, .timeout = 30)
{
    struct side s;
    begin(&s, true);
    settle(&s);
    post_ping_soon(&s, ENGINE_SERVE_BYTES_MAX - sizeof(struct inbox_item));
    cr_assert(engine_serve(s.w.engine));
    cr_assert_gt(take_all(&s), 0);
    unsigned before = notified(&s);
    post_ping_soon(&s, ENGINE_SERVE_BYTES_MAX - sizeof(struct inbox_item) + 1);
    cr_assert(!engine_serve(s.w.engine));
    wait_notified(&s, before);
    end(&s);
}

Test(serve, what_was_left_for_it_is_not_left_when_more_has_come, .timeout = 30)
{
    struct side s;
    begin(&s, true);
    settle(&s);
    unsigned before = notified(&s);
    post_ping_soon(&s, 0); /* wakes nobody */
    post_ping_soon(&s, ENGINE_SERVE_BYTES_MAX);
    (void)engine_serve(s.w.engine);
    wait_notified(&s, before);
    end(&s);
}

Test(serve, a_store_that_is_one_threads_is_left_to_it, .timeout = 30)
{
    struct side s;
    begin(&s, false);
    for (unsigned i = 0; i < 100; i++) {
        unsigned before = notified(&s);
        post_ping_soon(&s, 0);
        cr_assert(!engine_serve(s.w.engine));
        wait_notified(&s, before);
        (void)take_all(&s);
    }
    end(&s);
}

/* The engine's thread sleeps without an end, or until a later time, when a turn beside it finds that something is due. */
Test(serve, what_falls_due_after_it_is_done_by_the_engines_thread, .timeout = 30)
{
    struct side s;
    begin(&s, true);
    for (unsigned i = 0; i < 60; i++) { /* left asleep, it looks once in a second: longer than the time-out */
        settle(&s);
        unsigned before = notified(&s);
        post_publish_soon(&s, 5 + i % 4);
        while (!engine_serve(s.w.engine)) /* it may be awake for an earlier one */
            post_ping_soon(&s, 0);
        wait_notified(&s, before); /* the delivery */
        cr_assert_gt(take_all(&s), 0);
    }
    end(&s);
}
