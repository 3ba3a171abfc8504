/* hand_offs: a real engine thread, and all that others may do to it at once: several threads post requests
 * and lose their connections, one drains the outbox and acks what is delivered, others ask for snapshots and
 * reload the limits. */
#include "broker/store/store.h"
#include "tests/tsan/net_side.h"
#include <sched.h>

enum { CLIENTS = 4, LIVES = 5, FRAMES = 60, MESSAGES = 4, SNAPSHOTS = 150, RELOADS = 200 };

struct world {
    struct engine *engine;
    struct engine_config config;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool notified, over;
    _Atomic unsigned published, delivered, snapshots;
};

static void on_notify(void *context)
{
    struct world *w = context;
    (void)pthread_mutex_lock(&w->mutex);
    w->notified = true;
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->mutex);
}

static void on_fatal(void *context, int err, const char *text)
{
    (void)context;
    fprintf(stderr, "the engine died: %d: %s\n", err, text);
    exit(1);
}

/* ---- clients ---- */

static void put_setup(struct mpack_buffer *to)
{
    put_hello(to);
    size_t frame = frame_begin(to, OP_TOPIC_CREATE, 2, 1);
    mpack_write_cstr(to, "t");
    frame_end(to, frame);
    frame = frame_begin(to, OP_SUBSCRIBE, 3, 4);
    mpack_write_cstr(to, "t");
    mpack_write_cstr(to, "default");
    mpack_write_uint(to, 100);
    mpack_write_uint(to, 1 << 20);
    frame_end(to, frame);
}

static void put_publish(struct mpack_buffer *to)
{
    size_t frame = frame_begin(to, OP_PUBLISH, 100, 4);
    mpack_write_cstr(to, "t");
    mpack_write_uint(to, 0);
    mpack_write_uint(to, 0);
    mpack_write_array(to, MESSAGES);
    for (unsigned i = 0; i < MESSAGES; i++) {
        mpack_write_array(to, 1);
        mpack_write_bin(to, "a body of some size", 19);
    }
    frame_end(to, frame);
}

static void *client(void *argument)
{
    struct world *w = argument;
    for (unsigned life = 0; life < LIVES; life++) {
        static _Atomic uint64_t ids;
        _Atomic unsigned answers = 0;
        struct mpack_buffer frames = {0};
        struct link *link = link_new(++ids, &totals);
        MUST(link);
        link->conn = &answers;
        put_setup(&frames);
        post_frames(w->engine, link, &frames);
        for (unsigned i = 0; i < FRAMES; i++) {
            while (engine_inbox_full(w->engine, NULL))
                sched_yield();
            frames.size = 0;
            put_publish(&frames);
            post_frames(w->engine, link, &frames);
        }
        while (life % 2 == 0 && answers < FRAMES) /* in every other life it leaves in the middle */
            sched_yield();
        (void)pthread_mutex_lock(&w->mutex);
        link->conn = NULL;
        (void)pthread_mutex_unlock(&w->mutex);
        post_word(w->engine, link, PORT_LOST);
        mpack_buffer_done(&frames);
        link_unref(link);
    }
    return NULL;
}

/* ---- the outbox ---- */

static void ack(struct world *w, struct link *link, struct mpack_reader *r)
{
    struct mpack_buffer frames = {0};
    uint64_t sub = mpack_read_uint(r);
    uint32_t count = mpack_read_array(r);
    size_t frame = frame_begin(&frames, OP_RESOLVE, 0, 2);
    mpack_write_uint(&frames, sub);
    mpack_write_array(&frames, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t fields = mpack_read_array(r);
        mpack_write_array(&frames, 3);
        mpack_write_uint(&frames, mpack_read_uint(r));
        mpack_write_uint(&frames, mpack_read_uint(r));
        mpack_write_uint(&frames, 0);
        for (uint32_t field = 2; field < fields; field++)
            (void)mpack_read_any(r); /* of no interest */
    }
    frame_end(&frames, frame);
    post_frames(w->engine, link, &frames);
    mpack_buffer_done(&frames);
    w->delivered += count;
}

static void answered(struct world *w, struct link *link, struct mpack_reader *r)
{
    w->published += (unsigned)mpack_read_uint(r);
    (void)pthread_mutex_lock(&w->mutex);
    _Atomic unsigned *answers = link->conn;
    if (answers)
        ++*answers;
    (void)pthread_mutex_unlock(&w->mutex);
}

static void read_item(struct world *w, const struct outbox_item *item)
{
    const uint8_t *at = item->bytes.data;
    size_t left = item->bytes.size;
    while (left) {
        struct slice payload;
        size_t need;
        const char *why;
        struct mpack_reader r;
        MUST(frame_next(at, left, FRAME_BYTES_MAX, &payload, &need, &why) == FRAME_WHOLE);
        mpack_read_init(&r, payload.data, payload.size);
        (void)mpack_read_array(&r); /* op and id are there */
        uint64_t op = mpack_read_uint(&r), id = mpack_read_uint(&r);
        if (op == OP_DELIVER)
            ack(w, item->link, &r);
        else if (op == OP_OK && id == 100)
            answered(w, item->link, &r);
        at += FRAME_HEADER_BYTES + payload.size;
        left -= FRAME_HEADER_BYTES + payload.size;
    }
}

static void drain(struct world *w)
{
    for (struct outbox_item *item = engine_take(w->engine), *next; item; item = next) {
        next = item->next;
        read_item(w, item);
        flow_written(&item->link->account, item->bytes.size);
        flow_freed(&item->link->account, item->bytes.size);
        if (item->ask != FLOW_ASK_NOTHING)
            post_word(w->engine, item->link, PORT_DRAINED);
        mpack_buffer_done(&item->bytes);
        link_unref(item->link);
        free(item);
    }
}

/* The thread that drains is the one that stops the engine, as in the server. */
static void *net(void *argument)
{
    struct world *w = argument;
    bool over = false;
    while (!over) {
        (void)pthread_mutex_lock(&w->mutex);
        while (!w->notified && !w->over)
            (void)pthread_cond_wait(&w->changed, &w->mutex);
        over = w->over;
        w->notified = false;
        (void)pthread_mutex_unlock(&w->mutex);
        drain(w);
    }
    engine_stop(w->engine);
    drain(w);
    return NULL;
}

/* ---- those who look ---- */

static void *looker(void *argument)
{
    struct world *w = argument;
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        struct snapshot *s = NULL;
        MUST(engine_snapshot(w->engine, 10, i % 2, 30000, &s) == 0);
        for (size_t row = 0; row < s->rows_count; row++)
            MUST(s->rows[row].conservation_error == 0);
        w->snapshots++;
        snapshot_free(s);
    }
    return NULL;
}

static void *reloader(void *argument)
{
    struct world *w = argument;
    struct engine_config config = w->config;
    for (unsigned i = 0; i < RELOADS; i++) {
        config.limits.max_topics = 1000 + i;
        engine_reload(w->engine, &config.limits);
        sched_yield();
    }
    return NULL;
}

int main(void)
{
    static struct world w;
    char why[512];
    pthread_t threads[CLIENTS + 4], net_thread;
    unsigned count = 0;
    w.config = engine_defaults(on_notify, on_fatal, &w);
    MUST(pthread_mutex_init(&w.mutex, NULL) == 0 && pthread_cond_init(&w.changed, NULL) == 0);
    struct store *store = store_memory_open(1u << 30);
    MUST(store && engine_new(&w.config, store, &w.engine, why, sizeof why) == 0);
    MUST(engine_start(w.engine) == 0 && pthread_create(&net_thread, NULL, net, &w) == 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        MUST(pthread_create(&threads[count++], NULL, client, &w) == 0);
    for (unsigned i = 0; i < 2; i++) {
        MUST(pthread_create(&threads[count++], NULL, looker, &w) == 0);
        MUST(pthread_create(&threads[count++], NULL, reloader, &w) == 0);
    }
    while (count)
        MUST(pthread_join(threads[--count], NULL) == 0);
    (void)pthread_mutex_lock(&w.mutex);
    w.over = true;
    (void)pthread_cond_signal(&w.changed);
    (void)pthread_mutex_unlock(&w.mutex);
    MUST(pthread_join(net_thread, NULL) == 0);
    engine_free(w.engine);
    printf("%u published, %u delivered, %u snapshots\n", w.published, w.delivered, w.snapshots);
    /* A rig that saw too little proves nothing: three lives of five wait for all their answers. */
    MUST(w.published >= CLIENTS * 3 * FRAMES * MESSAGES && w.delivered > 100 && w.snapshots == 2 * SNAPSHOTS);
    return 0;
}
