/* fuzz_engine: any bytes as a script for a whole engine on a store in memory, without threads.
 *
 * A few connections send frames, sensible ones and raw bytes, stop reading, break and come back; time passes.
 * What must hold: the engine goes on; what it sends are whole valid frames; every request is answered once,
 * in order; the dispatcher's structures and, at the end, the whole store are what they claim to be.
 */
#include "broker/check.h"
#include "broker/engine/inbox.h"
#include "broker/engine/state.h"
#include "broker/engine/turn.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/requests.h"
#include <stdio.h>
#include <string.h>

enum { PEERS = 3, STEPS_MAX = 400, PAYLOAD_BYTES_MAX = 1024, ASKED_MAX = 1024, DRAIN_TURNS_MAX = 100000 };

/* One client, and the net thread's side of its connection. */
struct peer {
    struct link *link;
    bool told;          /* the engine knows the link */
    bool broken;        /* nothing but PORT_LOST may follow */
    bool ended;         /* has said all: nothing but PORT_DRAINED and PORT_LOST may follow */
    bool lazy;          /* does not read */
    bool asked_to_read; /* the engine waits for that */
    size_t held;        /* bytes that it has not read */
    uint64_t next_id;
    uint64_t asked[ASKED_MAX]; /* ids of requests not answered yet, a ring */
    unsigned asked_first, asked_count;
    struct delivered seen;
};

struct world {
    struct engine *engine;
    struct store *store;
    struct source source;
    struct peer peers[PEERS];
    struct flow_totals totals;
    uint64_t links;
    int64_t wall_ms, mono_ms;
};

static void on_notify(void *context)
{
    (void)context;
}

static void on_fatal(void *context, int err, const char *text)
{
    (void)context;
    fprintf(stderr, "the engine died: %s: %s\n", err_name(err), text);
    abort();
}

/* ---- what the net thread does ---- */

static struct inbox_item *new_item(struct peer *p, enum port_kind kind)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    MUST(item);
    item->kind = kind;
    item->link = p->link;
    link_ref(p->link);
    return item;
}

static void connect_peer(struct world *w, struct peer *p)
{
    *p = (struct peer){.link = link_new(++w->links, &w->totals), .next_id = 1};
    MUST(p->link);
    p->link->conn = p;
}

/* What it was sent is freed. */
static void drop_held(struct world *w, struct peer *p)
{
    atomic_fetch_sub(&p->link->account.unsent_bytes, p->held);
    atomic_fetch_sub(&w->totals.waiting_bytes, p->held);
    p->held = 0;
}

static void lose_peer(struct world *w, struct peer *p)
{
    if (p->told)
        engine_post(w->engine, new_item(p, PORT_LOST));
    drop_held(w, p);
    p->link->conn = NULL;
    link_unref(p->link);
    connect_peer(w, p);
}

/* A request of this id is on its way; id 0 and STARTED are answered only if they are refused. */
static void ask(struct peer *p, struct slice payload)
{
    struct mpack_reader r;
    mpack_read_init(&r, payload.data, payload.size);
    (void)mpack_read_array(&r);
    uint64_t op = mpack_read_uint(&r), id = mpack_read_uint(&r);
    if (id == 0 || op == OP_STARTED)
        return;
    MUST(p->asked_count < ASKED_MAX);
    p->asked[(p->asked_first + p->asked_count++) % ASKED_MAX] = id;
}

/* As the reader does: whole valid frames are posted, at the first bad one the connection is broken. */
static void send_bytes(struct world *w, struct peer *p, struct slice bytes)
{
    struct slice payload;
    size_t need = 0, at = 0;
    const char *why = NULL;
    enum frame_state state = FRAME_PARTIAL;
    if (p->broken || p->ended || p->asked_count + bytes.size / 5 + 1 >= ASKED_MAX)
        return;
    while (at < bytes.size) {
        state = frame_next((const uint8_t *)bytes.data + at, bytes.size - at, PAYLOAD_BYTES_MAX, &payload,
                           &need, &why);
        if (state != FRAME_WHOLE)
            break;
        ask(p, payload);
        at += FRAME_HEADER_BYTES + payload.size;
    }
    if (at) {
        struct inbox_item *item = new_item(p, PORT_FRAMES);
        item->chunk = chunk_new((uint32_t)at);
        MUST(item->chunk);
        memcpy(item->chunk->data, bytes.data, at);
        item->bytes = (struct slice){item->chunk->data, at};
        p->told = true;
        engine_post(w->engine, item);
    }
    if (state == FRAME_BAD && p->told) {
        struct inbox_item *item = new_item(p, PORT_BROKEN);
        item->why = why;
        p->broken = true;
        engine_post(w->engine, item);
    }
}

/* ---- what comes back ---- */

static void on_deliver(struct peer *p, struct mpack_reader *r)
{
    uint64_t sub = mpack_read_uint(r);
    uint32_t count = mpack_read_array(r);
    for (uint32_t i = 0; i < count; i++) {
        unsigned at = p->seen.count++ % DELIVERED_MAX;
        uint32_t fields = mpack_read_array(r);
        MUST(fields >= 8);
        p->seen.sub[at] = sub;
        p->seen.seq[at] = mpack_read_uint(r);
        p->seen.token[at] = mpack_read_uint(r);
        for (uint32_t field = 2; field < fields; field++)
            (void)mpack_read_any(r);
        MUST(!r->failed);
    }
}

static void on_frame(struct peer *p, struct slice payload, bool closes)
{
    struct mpack_reader r;
    mpack_read_init(&r, payload.data, payload.size);
    (void)mpack_read_array(&r);
    uint64_t op = mpack_read_uint(&r), id = mpack_read_uint(&r);
    MUST(!r.failed && op >= OP_OK && op <= OP_CLOSED);
    if (op == OP_DELIVER)
        on_deliver(p, &r);
    if (op != OP_OK && op != OP_ERROR)
        return;
    if (p->asked_count == 0 || p->asked[p->asked_first] != id) {
        /* Only a refusal may answer what did not ask: id 0, or a bad frame that ends the connection. */
        MUST(op == OP_ERROR && (id == 0 || closes));
        return;
    }
    p->asked_first = (p->asked_first + 1) % ASKED_MAX;
    p->asked_count--;
}

static void read_output(struct peer *p, const struct outbox_item *item)
{
    const uint8_t *at = item->bytes.data;
    size_t left = item->bytes.size;
    while (left) {
        struct slice payload;
        size_t need;
        const char *why;
        MUST(frame_next(at, left, FRAME_BYTES_MAX, &payload, &need, &why) == FRAME_WHOLE);
        on_frame(p, payload, item->close);
        at += FRAME_HEADER_BYTES + payload.size;
        left -= FRAME_HEADER_BYTES + payload.size;
    }
}

/* All that it had sent was posted. */
static void answer_ask(struct world *w, struct peer *p, int64_t ask_ms)
{
    struct inbox_item *item = new_item(p, PORT_CAUGHT_UP);
    item->ask_ms = ask_ms;
    engine_post(w->engine, item);
}

static void take_output(struct world *w)
{
    for (struct outbox_item *item = engine_take(w->engine), *next; item; item = next) {
        next = item->next;
        struct peer *p = item->link->conn;
        if (p)
            read_output(p, item);
        if (p)
            p->asked_to_read |= item->ask != FLOW_ASK_NOTHING;
        if (p && item->ask_ms)
            answer_ask(w, p, item->ask_ms);
        if (p && p->lazy) {
            p->held += item->bytes.size;
        } else {
            atomic_fetch_sub(&item->link->account.unsent_bytes, item->bytes.size);
            atomic_fetch_sub(&w->totals.waiting_bytes, item->bytes.size);
        }
        if (p && item->close)
            lose_peer(w, p);
        mpack_buffer_done(&item->bytes);
        link_unref(item->link);
        free(item);
    }
}

static int64_t turn(struct world *w)
{
    inbox_take(w->engine);
    int64_t due_ms = engine_turn(w->engine, w->wall_ms, w->mono_ms);
    take_output(w);
    dispatcher_check_slow(w->engine->dispatcher);
    return due_ms;
}

/* It reads again. */
static void drain_peer(struct world *w, struct peer *p)
{
    p->lazy = false;
    drop_held(w, p);
    if (p->told && p->asked_to_read)
        engine_post(w->engine, new_item(p, PORT_DRAINED));
    p->asked_to_read = false;
    if (flow_room_came(&w->totals, w->engine->config.limits.unsent_total_max)) {
        struct inbox_item *item = new_item(p, PORT_ROOM);
        link_unref(item->link);
        item->link = NULL; /* there is room again for all */
        engine_post(w->engine, item);
    }
}

/* It says nothing more, but reads on. */
static void end_peer(struct world *w, struct peer *p)
{
    if (!p->told || p->broken || p->ended)
        return;
    p->ended = true;
    engine_post(w->engine, new_item(p, PORT_ENDED));
}

/* ---- the script ---- */

static void send_request(struct world *w, struct peer *p, bool asks)
{
    struct mpack_buffer frame = {0};
    uint64_t id = asks ? p->next_id++ : 0;
    if (!p->told)
        requests_hello(&frame, &w->source, id);
    else
        requests_any(&frame, &w->source, id, &p->seen);
    MUST(!frame.failed);
    send_bytes(w, p, (struct slice){frame.data, frame.size});
    mpack_buffer_done(&frame);
}

static void pass_time(struct world *w)
{
    unsigned shift = source_u8(&w->source) % 32;
    int64_t ms = (int64_t)source_u8(&w->source) << shift;
    w->mono_ms += ms;
    w->wall_ms += ms;
}

static void step(struct world *w)
{
    uint8_t code = source_u8(&w->source);
    struct peer *p = &w->peers[(code >> 4) % PEERS];
    switch (code & 15) {
    case 0:
        send_bytes(w, p, source_bytes(&w->source, source_u8(&w->source)));
        break;
    case 1:
        if (code & 128)
            end_peer(w, p);
        else
            lose_peer(w, p);
        break;
    case 2:
        p->lazy = true;
        break;
    case 3:
        drain_peer(w, p);
        break;
    case 4:
    case 5:
        pass_time(w);
        (void)turn(w); /* when the next is due does not matter: the script decides */
        break;
    case 6:
        send_request(w, p, false);
        break;
    default:
        send_request(w, p, true);
        if (code & 1)
            (void)turn(w);
        break;
    }
}

static void begin(struct world *w, const uint8_t *data, size_t size)
{
    w->source = (struct source){data, data + size};
    uint8_t shape = source_u8(&w->source);
    struct engine_config config = {.limits = {.max_body_bytes = 64,
                                              .max_topics = 4,
                                              .max_groups = 3,
                                              .dedup_window_ms = 60000,
                                              .unsent_bytes_max = shape & 1 ? 512 : 65536,
                                              .unsent_total_max = shape & 16 ? 1024 : 0,
                                              .inbox_bytes_max = 1u << 20,
                                              .commit_bytes_max = shape & 2 ? 64 : 4096,
                                              .ack_wait_ms = shape & 8 ? 3 : 0},
                                   .totals = &w->totals,
                                   .turn_rows_max = shape & 32 ? 64 : 0,
                                   .notify = on_notify,
                                   .fatal = on_fatal};
    char why[512];
    /* The smaller one is past its high-water mark from the start. */
    w->store = store_memory_open(shape & 4 ? 60u << 20 : 1u << 30);
    MUST(w->store && engine_new(&config, w->store, &w->engine, why, sizeof why) == 0);
    w->wall_ms = w->engine->wall_ms;
    w->mono_ms = w->engine->mono_ms;
    for (unsigned i = 0; i < PEERS; i++)
        connect_peer(w, &w->peers[i]);
}

/* Everything that was sent is handled, and everybody is answered. */
static void settle(struct world *w)
{
    for (unsigned i = 0; i < PEERS; i++)
        drain_peer(w, &w->peers[i]);
    unsigned turns = 0;
    do {
        (void)turn(w); /* the backlog says when it is over */
        for (unsigned i = 0; i < PEERS; i++)
            drain_peer(w, &w->peers[i]);
        MUST(++turns < DRAIN_TURNS_MAX);
        w->mono_ms += w->engine->txn != NULL; /* a turn that waits for company */
    } while (w->engine->inbox.first || w->engine->backlog.first || !ring_empty(&w->engine->line) ||
             w->engine->txn);
    for (unsigned i = 0; i < PEERS; i++) {
        MUST(w->peers[i].broken || w->peers[i].asked_count == 0);
        MUST(!w->peers[i].ended);
    }
    MUST(atomic_load(&w->totals.waiting_bytes) == 0 && w->engine->out_bytes == 0);
}

static void walk_store(const struct world *w)
{
    char *text = NULL;
    size_t size = 0;
    uint64_t problems = 0;
    FILE *report = open_memstream(&text, &size);
    MUST(report && check_store(w->store, report, &problems) == 0);
    MUST(fclose(report) == 0);
    if (problems) {
        fputs(text, stderr);
        abort();
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    begin(&w, data, size);
    for (unsigned steps = 0; source_left(&w.source) && steps < STEPS_MAX; steps++)
        step(&w);
    settle(&w);
    walk_store(&w);
    for (unsigned i = 0; i < PEERS; i++) {
        lose_peer(&w, &w.peers[i]);
        link_unref(w.peers[i].link);
    }
    (void)turn(&w);
    walk_store(&w);
    engine_free(w.engine);
    return 0;
}
