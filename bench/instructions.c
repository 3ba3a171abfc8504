/* instructions: fixed work for the engine over a store in memory, for callgrind to count. No socket, thread,
 * clock or disk is in it, so the count depends on the code and the compiler alone.
 *
 *   instructions WORK
 *
 * A WORK that ends in -journal is the same over a journal before that store, whose file lies in memory, too.
 * Prints how many messages were worked on; only the part between the two toggles is counted: checking the
 * frames as the net thread does, and the engine's turns. instructions.py compares with instructions.txt.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "broker/core/view.h"
#include "broker/engine/inbox.h"
#include "broker/engine/state.h"
#include "broker/engine/turn.h"
#include "broker/journal/store_journal.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"

#define JOURNAL_SUFFIX "-journal" /* of a WORK */

#define MESSAGES      8192
#define WINDOW        1024
#define BODY_BYTES    100
#define BEGIN_MS      1000000
#define JOURNAL_BYTES (32ull << 20) /* no generation of it is full within one work */
#define LATE_MS       4102444800000 /* 2100: later than the store, which began today */

/* What one side of a connection has to say, and what it was told. */
struct machine {
    struct engine *engine;
    struct link *link;
    int64_t now_ms;
    struct mpack_buffer told; /* since the last turn */
    uint64_t messages;
};

static void ignore(void *context)
{
    (void)context;
}

static void die(void *context, int err, const char *text)
{
    (void)context;
    (void)fprintf(stderr, "instructions: %s (%d)\n", text, err);
    exit(1);
}

/* ---- turns ---- */

static void check_frames(const struct mpack_buffer *b)
{
    for (size_t at = 0; at < b->size;) {
        struct slice payload;
        size_t need = 0;
        const char *why = NULL;
        if (frame_next(b->data + at, b->size - at, FRAME_BYTES_MAX, &payload, &need, &why) != FRAME_WHOLE)
            die(NULL, 0, "a frame is not whole");
        at += FRAME_HEADER_BYTES + payload.size;
    }
}

static void take_told(struct machine *m)
{
    m->told.size = 0;
    for (struct outbox_item *item = engine_take(m->engine), *next; item; item = next) {
        next = item->next;
        mpack_write_raw(&m->told, item->bytes.data, item->bytes.size);
        flow_written(&item->link->account, item->bytes.size);
        flow_freed(&item->link->account, item->bytes.size);
        mpack_buffer_done(&item->bytes);
        link_unref(item->link);
        free(item);
    }
}

/* Send these frames and give the engine a turn; what it says is in `told`. Only this is counted, if at all.
 */
static void turn(struct machine *m, struct mpack_buffer *frames, bool counted)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    struct chunk *chunk = chunk_new((uint32_t)frames->size);
    if (!item || !chunk || frames->failed)
        die(NULL, 0, "out of memory");
    memcpy(chunk->data, frames->data, frames->size);
    *item = (struct inbox_item){
        .kind = PORT_FRAMES, .link = m->link, .chunk = chunk, .bytes = {chunk->data, frames->size}};
    link_ref(m->link);
    m->now_ms++;
    if (counted)
        CALLGRIND_TOGGLE_COLLECT;
    check_frames(frames);
    engine_post(m->engine, item);
    inbox_take(m->engine);
    do { /* more than a connection's share goes on in the next turns */
        (void)engine_turn(m->engine, BEGIN_MS + m->now_ms, m->now_ms);
    } while (!ring_empty(&m->engine->line));
    if (counted)
        CALLGRIND_TOGGLE_COLLECT;
    take_told(m);
    frames->size = 0;
}

/* ---- frames ---- */

static void put_publish(struct mpack_buffer *to, const char *topic, uint64_t sequence, uint64_t forget_below,
                        uint32_t count)
{
    uint8_t body[BODY_BYTES];
    memset(body, 'x', sizeof body);
    size_t frame = frame_begin(to, OP_PUBLISH, 1, 4);
    mpack_write_cstr(to, topic);
    mpack_write_uint(to, sequence);
    mpack_write_uint(to, forget_below);
    mpack_write_array(to, count);
    for (uint32_t i = 0; i < count; i++) {
        mpack_write_array(to, 1);
        mpack_write_bin(to, body, sizeof body);
    }
    frame_end(to, frame);
}

/* Of what errors speak: of the same order each, or each of its own, by its number or by its UUID; in the stack, too. */
enum values { VALUES_SAME, VALUES_NUMBERS, VALUES_UUIDS, VALUES_STACKS };

static void put_error(struct mpack_buffer *to, enum values values, uint64_t seq)
{
    char text[120], stack[240] = "order_check (order.c:117)\norder_read (order.c:61)\nhandle (worker.c:40)\n";
    uint64_t mixed = seq * UINT64_C(0x9e3779b97f4a7c15);
    if (values >= VALUES_UUIDS) {
        (void)snprintf(text, sizeof text, "order %08x-%04x-4%03x-9%03x-%012" PRIx64 " has no `quantity`",
                       (unsigned)(mixed >> 32), (unsigned)(mixed >> 16 & 0xffff),
                       (unsigned)(mixed >> 4 & 0xfff), (unsigned)(mixed & 0xfff), mixed >> 16);
    } else {
        (void)snprintf(text, sizeof text, "line 17: `quantity` is -%" PRIu64 ", which is less than 1",
                       values == VALUES_SAME ? 3 : seq);
    }
    if (values == VALUES_STACKS) {
        (void)snprintf(stack, sizeof stack,
                       "Traceback (most recent call last):\n  File \"/srv/worker.py\", line 40, in handle\n"
                       "    check(order)\nValueError: %s\n",
                       text);
    }
    mpack_write_cstr(to, values == VALUES_STACKS ? "ValueError" : "bad_order");
    mpack_write_cstr(to, text);
    mpack_write_cstr(to, stack);
}

static void put_resolution(struct mpack_buffer *to, uint64_t seq, uint64_t token, enum wire_outcome outcome,
                           enum values values)
{
    mpack_write_array(to, outcome == OUTCOME_ACK ? 3 : 7);
    mpack_write_uint(to, seq);
    mpack_write_uint(to, token);
    mpack_write_uint(to, outcome);
    if (outcome == OUTCOME_ACK)
        return;
    mpack_write_nil(to);
    put_error(to, values, seq);
}

/* Answer every delivery in `told`; returns how many there were. */
static uint32_t put_resolve(struct mpack_buffer *to, const struct mpack_buffer *told,
                            enum wire_outcome outcome, enum values values)
{
    uint32_t sum = 0;
    for (size_t at = 0; at < told->size;) {
        struct slice payload;
        size_t need = 0;
        const char *why = NULL;
        if (frame_next(told->data + at, told->size - at, FRAME_BYTES_MAX, &payload, &need, &why) !=
            FRAME_WHOLE)
            die(NULL, 0, "the engine said half a frame");
        at += FRAME_HEADER_BYTES + payload.size;
        struct mpack_reader r;
        mpack_read_init(&r, payload.data, payload.size);
        (void)mpack_read_array(&r);
        if (mpack_read_uint(&r) != OP_DELIVER)
            continue;
        (void)mpack_read_uint(&r);
        uint64_t sub = mpack_read_uint(&r);
        uint32_t count = mpack_read_array(&r);
        size_t frame = frame_begin(to, OP_RESOLVE, 1, 2);
        mpack_write_uint(to, sub);
        mpack_write_array(to, count);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t fields = mpack_read_array(&r);
            uint64_t seq = mpack_read_uint(&r);
            put_resolution(to, seq, mpack_read_uint(&r), outcome, values);
            for (uint32_t k = 2; k < fields; k++)
                (void)mpack_read_any(&r);
        }
        frame_end(to, frame);
        sum += count;
    }
    return sum;
}

/* ---- work ---- */

static void put_topic(struct mpack_buffer *to, const char *name)
{
    size_t frame = frame_begin(to, OP_TOPIC_CREATE, 2, 3);
    mpack_write_cstr(to, name);
    mpack_write_nil(to);
    mpack_write_nil(to);
    frame_end(to, frame);
}

static void say_hello(struct machine *m)
{
    struct mpack_buffer b = {0};
    size_t frame = frame_begin(&b, OP_HELLO, 1, 3);
    mpack_write_uint(&b, 1);
    mpack_write_uint(&b, 1);
    mpack_write_map(&b, 2);
    mpack_write_cstr(&b, "marks");
    mpack_write_bool(&b, false);
    mpack_write_cstr(&b, "producer");
    mpack_write_bin(&b, "0123456789abcdef", PRODUCER_ID_BYTES);
    frame_end(&b, frame);
    put_topic(&b, "t");
    turn(m, &b, false);
    mpack_buffer_done(&b);
}

static void publish(struct machine *m, uint32_t frame_messages, uint32_t frames_a_turn, bool counted)
{
    struct mpack_buffer b = {0};
    for (uint32_t done = 0; done < MESSAGES;) {
        for (uint32_t i = 0; i < frames_a_turn; i++, done += frame_messages)
            put_publish(&b, "t", 0, 0, frame_messages);
        turn(m, &b, counted);
    }
    m->messages = MESSAGES;
    mpack_buffer_done(&b);
}

static void make_topics(struct machine *m, uint32_t topics)
{
    struct mpack_buffer b = {0};
    char name[16];
    for (uint32_t i = 0; i < topics; i++) {
        (void)snprintf(name, sizeof name, "t%05" PRIu32, i);
        put_topic(&b, name);
        if (i % 100 == 99 || i + 1 == topics) /* more at once would be put off to turns that count */
            turn(m, &b, false);
    }
    mpack_buffer_done(&b);
}

/* Numbered frames of one message, a whole window in a turn, each to the next of so many topics. */
static void publish_singly(struct machine *m, uint32_t topics)
{
    struct mpack_buffer b = {0};
    char name[16];
    make_topics(m, topics);
    for (uint32_t sequence = 1; sequence <= MESSAGES;) {
        uint32_t begin = sequence;
        for (; sequence < begin + WINDOW; sequence++) {
            (void)snprintf(name, sizeof name, "t%05" PRIu32, sequence % topics);
            put_publish(&b, name, sequence, begin, 1);
        }
        turn(m, &b, true);
    }
    m->messages = MESSAGES;
    mpack_buffer_done(&b);
}

/* Everything is handed out 512 at a time and answered. */
static void consume(struct machine *m, enum wire_outcome outcome, enum values values, bool counted)
{
    struct mpack_buffer b = {0};
    publish(m, 64, 8, false);
    size_t frame = frame_begin(&b, OP_SUBSCRIBE, 1, 4);
    mpack_write_cstr(&b, "t");
    mpack_write_cstr(&b, "default");
    mpack_write_uint(&b, 512);
    mpack_write_uint(&b, CREDIT_BYTES_MAX);
    frame_end(&b, frame);
    turn(m, &b, counted);
    m->messages = 0;
    for (uint32_t count; (count = put_resolve(&b, &m->told, outcome, values)) > 0; m->messages += count)
        turn(m, &b, counted);
    mpack_buffer_done(&b);
}

/* One topic of many is deleted: until its job has cleared all away. Its messages had a time to live, and are dead letters. */
static void drop(struct machine *m, uint32_t topics)
{
    struct mpack_buffer b = {0};
    make_topics(m, topics);
    size_t frame = frame_begin(&b, OP_TOPIC_UPDATE, 2, 2);
    mpack_write_cstr(&b, "t");
    mpack_write_map(&b, 1);
    mpack_write_cstr(&b, "ttl_ms");
    mpack_write_uint(&b, 3600000);
    frame_end(&b, frame);
    turn(m, &b, false);
    consume(m, OUTCOME_REJECT, VALUES_SAME, false);
    frame = frame_begin(&b, OP_TOPIC_DELETE, 3, 1);
    mpack_write_cstr(&b, "t");
    frame_end(&b, frame);
    turn(m, &b, true);
    CALLGRIND_TOGGLE_COLLECT;
    while (view_jobs_count(m->engine->ledger)) {
        m->now_ms += 1000;
        (void)engine_turn(m->engine, LATE_MS + m->now_ms, m->now_ms);
    }
    CALLGRIND_TOGGLE_COLLECT;
    mpack_buffer_done(&b);
}

static void run(struct machine *m, const char *work)
{
    if (strcmp(work, "publish") == 0)
        publish(m, 64, 8, true);
    else if (strcmp(work, "publish-alone") == 0)
        publish(m, 1, 1, true);
    else if (strcmp(work, "publish-singly") == 0)
        publish_singly(m, 1);
    else if (strcmp(work, "publish-topics") == 0)
        publish_singly(m, 2000);
    else if (strcmp(work, "deliver-ack") == 0)
        consume(m, OUTCOME_ACK, VALUES_SAME, true);
    else if (strcmp(work, "deliver-reject") == 0)
        consume(m, OUTCOME_REJECT, VALUES_SAME, true);
    else if (strcmp(work, "deliver-reject-values") == 0)
        consume(m, OUTCOME_REJECT, VALUES_NUMBERS, true);
    else if (strcmp(work, "deliver-reject-uuids") == 0)
        consume(m, OUTCOME_REJECT, VALUES_UUIDS, true);
    else if (strcmp(work, "deliver-reject-stacks") == 0)
        consume(m, OUTCOME_REJECT, VALUES_STACKS, true);
    else if (strcmp(work, "drop") == 0)
        drop(m, 2000);
    else
        die(NULL, 0, "unknown work");
}

/* The store in memory, or, if WORK says so, a journal before it, and WORK is without that. */
static struct store *open_store(char *work, char *ret_why, size_t why_bytes)
{
    struct store *behind = store_memory_open(1ull << 32), *s = NULL;
    size_t size = strlen(work), suffix = strlen(JOURNAL_SUFFIX);
    if (!behind || size < suffix || strcmp(work + size - suffix, JOURNAL_SUFFIX) != 0)
        return behind;
    work[size - suffix] = '\0';
    struct journal_file *file = journal_file_memory(JOURNAL_BYTES);
    struct store_journal_options o = {.behind = behind,
                                      .file = file,
                                      .dir = "memory",
                                      .bytes = JOURNAL_BYTES,
                                      .memory_bytes = JOURNAL_BYTES,
                                      .create = true};
    return file && store_journal_open(&o, &s, ret_why, why_bytes) == 0 ? s : NULL;
}

int main(int argc, char **argv)
{
    char why[512] = "";
    static struct flow_totals totals;
    struct engine_config config = {.limits = {.max_body_bytes = 1 << 20,
                                              .max_topics = 10000,
                                              .max_groups = 10,
                                              .dedup_window_ms = 3600000,
                                              .unsent_bytes_max = 64 << 20,
                                              .inbox_bytes_max = 64 << 20,
                                              .commit_bytes_max = 16 << 20},
                                   .totals = &totals,
                                   .notify = ignore,
                                   .fatal = die};
    struct machine m = {.link = link_new(1, &totals)};
    struct store *store = argc == 2 ? open_store(argv[1], why, sizeof why) : NULL;
    if (!m.link || !store || engine_new(&config, store, &m.engine, why, sizeof why) != 0)
        die(NULL, 0, why);
    say_hello(&m);
    run(&m, argv[1]);
    printf("%" PRIu64 "\n", m.messages);
    link_unref(m.link); /* the engine has another until it is freed */
    engine_free(m.engine);
    mpack_buffer_done(&m.told);
    return m.messages == MESSAGES ? 0 : 1;
}
