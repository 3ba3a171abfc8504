/* fuzz_gate: any bytes as what a user asks for who has rights, but none on one topic.
 *
 * The topic "a" has a message and a dead letter, both with a word in them that is nowhere else. The user's grants change as it goes on, and
 * fit "a" never. What must hold: the word is in nothing that the user is sent, and the topic is as it was.
 */
#include "broker/core/identity.h"
#include "broker/engine/inbox.h"
#include "broker/engine/state.h"
#include "broker/engine/turn.h"
#include "broker/store/store_memory.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/requests.h"

#include <stdio.h>

enum { STEPS_MAX = 100, PAYLOAD_BYTES_MAX = 1024 };
#define SECRET "Xanadu"

struct world {
    struct engine *engine;
    struct source source;
    struct flow_totals totals;
    struct link *owner, *user;
    uint64_t next_id;
    struct delivered seen; /* nothing is delivered that it could answer: made-up numbers */
    int64_t wall_ms, mono_ms;
    bool lost; /* its connection was closed */
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

static void turn(struct world *w)
{
    w->wall_ms++;
    w->mono_ms++;
    inbox_take(w->engine);
    (void)engine_turn(w->engine, w->wall_ms, w->mono_ms);
    for (struct outbox_item *item = engine_take(w->engine), *next; item; item = next) {
        next = item->next;
        if (item->link == w->user) {
            MUST(!item->bytes.size || !memmem(item->bytes.data, item->bytes.size, SECRET, strlen(SECRET)));
            w->lost |= item->close;
        }
        atomic_fetch_sub(&item->link->account.unsent_bytes, item->bytes.size);
        atomic_fetch_sub(&w->totals.waiting_bytes, item->bytes.size);
        mpack_buffer_done(&item->bytes);
        link_unref(item->link);
        free(item);
    }
}

static void post(struct world *w, struct link *link, struct slice bytes)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    MUST(item && bytes.size);
    item->kind = PORT_FRAMES;
    item->link = link;
    link_ref(link);
    item->chunk = chunk_new((uint32_t)bytes.size);
    MUST(item->chunk);
    memcpy(item->chunk->data, bytes.data, bytes.size);
    item->bytes = (struct slice){item->chunk->data, bytes.size};
    engine_post(w->engine, item);
}

static void post_frame(struct world *w, struct link *link, struct mpack_buffer *frame)
{
    MUST(!frame->failed);
    post(w, link, (struct slice){frame->data, frame->size});
    mpack_buffer_done(frame);
    turn(w);
}

/* ---- what there is ---- */

static void hello(struct world *w, struct link *link)
{
    struct mpack_buffer f = {0};
    size_t at = frame_begin(&f, OP_HELLO, 1, 2);
    mpack_write_uint(&f, 1);
    mpack_write_uint(&f, 1);
    frame_end(&f, at);
    post_frame(w, link, &f);
}

static void make_topic(struct world *w, const char *name)
{
    struct mpack_buffer f = {0};
    size_t at = frame_begin(&f, OP_TOPIC_CREATE, 2, 1);
    mpack_write_cstr(&f, name);
    frame_end(&f, at);
    post_frame(w, w->owner, &f);
}

static void publish(struct world *w, const char *topic, const char *body)
{
    struct mpack_buffer f = {0};
    size_t at = frame_begin(&f, OP_PUBLISH, 3, 4);
    mpack_write_cstr(&f, topic);
    mpack_write_uint(&f, 0);
    mpack_write_uint(&f, 0);
    mpack_write_array(&f, 1);
    mpack_write_array(&f, 1);
    mpack_write_bin(&f, body, strlen(body));
    frame_end(&f, at);
    post_frame(w, w->owner, &f);
}

/* The first message of "a" is rejected, with the word as its error. */
static void reject_one(struct world *w)
{
    struct mpack_buffer f = {0};
    size_t at = frame_begin(&f, OP_SUBSCRIBE, 4, 4);
    mpack_write_cstr(&f, "a");
    mpack_write_cstr(&f, "default");
    mpack_write_uint(&f, 1);
    mpack_write_uint(&f, 1000);
    frame_end(&f, at);
    post_frame(w, w->owner, &f);
    for (uint64_t token = 1; token < 64; token++) { /* one of them is that of the delivery */
        at = frame_begin(&f, OP_RESOLVE, 5, 2);
        mpack_write_uint(&f, 1);
        mpack_write_array(&f, 1);
        mpack_write_array(&f, 6);
        mpack_write_uint(&f, 1);
        mpack_write_uint(&f, token);
        mpack_write_uint(&f, OUTCOME_REJECT);
        mpack_write_nil(&f);
        mpack_write_cstr(&f, SECRET);
        mpack_write_cstr(&f, SECRET);
        frame_end(&f, at);
        post_frame(w, w->owner, &f);
    }
    at = frame_begin(&f, OP_UNSUBSCRIBE, 6, 1);
    mpack_write_uint(&f, 1);
    frame_end(&f, at);
    post_frame(w, w->owner, &f);
}

static void check_secret(struct world *w)
{
    struct groups_cursor cursor = {0};
    struct group_numbers n;
    struct view v = {.ledger = w->engine->ledger};
    struct store_txn *txn;
    MUST(store_begin(w->engine->store, false, &txn) == 0);
    v.txn = txn;
    bool found = false;
    while (view_next_group(&v, &cursor, &n)) {
        if (strcmp(n.topic, "a") != 0)
            continue;
        MUST(!found && strcmp(n.group, "default") == 0); /* it has no second group */
        found = true;
        MUST(n.counts->published == 2 && n.counts->dead == 1 && n.counts->ready == 1 && !n.paused);
        MUST(n.counts->unattended == 1 && n.counts->redriven == 0 && n.dlq_retention_ms == 0);
    }
    store_abort(txn);
    MUST(found);
}

/* ---- the user ---- */

/* Patterns that fit other topics of those that requests_any() names, and never "a". */
static void change_grants(struct world *w)
{
    static const char *const patterns[] = {"b",   "b*",  "*b",  "c",   "missing", "*ing",
                                           "*b*", "aa*", "a.*", "*.a", "m*g"};
    struct grant grants[4];
    uint32_t count = source_u8(&w->source) % 5;
    for (uint32_t i = 0; i < count; i++) {
        const char *pattern = patterns[source_u8(&w->source) % (sizeof patterns / sizeof *patterns)];
        uint32_t rights = source_u8(&w->source);
        grants[i] = (struct grant){slice_of(pattern), rights ? rights : RIGHTS_ALL};
    }
    steps_add(w->engine, STEP_COMMAND, NULL)->command = (struct command){
        .kind = COMMAND_USER_SET,
        .user = {.name = slice_of("eve"), .given = USER_GRANTS, .grants = grants, .grants_count = count}};
    turn(w);
}

static void connect_user(struct world *w)
{
    if (w->user)
        link_unref(w->user);
    w->user = link_new(2, &w->totals);
    MUST(w->user);
    w->lost = false;
    hello(w, w->user);
    const struct user *u = ledger_user(w->engine->ledger, slice_of("eve"));
    MUST(u && w->user->session);
    struct who *who = &w->user->session->who;
    *who = (struct who){.how = WHO_PASSWORD, .user = "eve", .id = u->id};
}

static void lose_user(struct world *w)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    MUST(item);
    item->kind = PORT_LOST;
    item->link = w->user;
    link_ref(w->user);
    engine_post(w->engine, item);
    turn(w);
}

static void send_any(struct world *w)
{
    struct mpack_buffer f = {0};
    struct slice payload;
    size_t need;
    const char *why;
    requests_any(&f, &w->source, w->next_id++, &w->seen);
    MUST(!f.failed);
    if (frame_next(f.data, f.size, PAYLOAD_BYTES_MAX, &payload, &need, &why) == FRAME_WHOLE)
        post(w, w->user, (struct slice){f.data, f.size});
    mpack_buffer_done(&f);
}

static void pass_time(struct world *w)
{
    w->mono_ms += 10000;
    w->wall_ms += 10000;
}

static void step(struct world *w)
{
    uint8_t code = source_u8(&w->source);
    if (w->lost) {
        lose_user(w);
        connect_user(w);
    }
    if (code < 16)
        change_grants(w);
    else if (code < 24)
        pass_time(w);
    else
        send_any(w);
    if (code & 1)
        turn(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.source = (struct source){data, data + size};
    w.next_id = 100;
    struct engine_config config = {.limits = {.max_body_bytes = 64,
                                              .max_topics = 8,
                                              .max_groups = 3,
                                              .dedup_window_ms = 60000,
                                              .unsent_bytes_max = 1u << 20,
                                              .inbox_bytes_max = 1u << 20,
                                              .commit_bytes_max = 4096},
                                   .totals = &w.totals,
                                   .notify = on_notify,
                                   .fatal = on_fatal};
    char why[512];
    struct store *store = store_memory_open(1u << 28);
    MUST(store && engine_new(&config, store, &w.engine, why, sizeof why) == 0);
    w.wall_ms = w.engine->wall_ms;
    w.mono_ms = w.engine->mono_ms;
    w.owner = link_new(1, &w.totals);
    MUST(w.owner);
    hello(&w, w.owner);
    make_topic(&w, "a");
    make_topic(&w, "b");
    publish(&w, "a", SECRET);
    publish(&w, "a", SECRET);
    publish(&w, "b", "plain");
    reject_one(&w);
    check_secret(&w);
    change_grants(&w);
    connect_user(&w);
    for (unsigned steps = 0; source_left(&w.source) && steps < STEPS_MAX; steps++)
        step(&w);
    for (unsigned i = 0; i < 50; i++)
        turn(&w);
    check_secret(&w);
    engine_free(w.engine);
    link_unref(w.owner);
    link_unref(w.user);
    return 0;
}
