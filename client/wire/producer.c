/* producer: queues of batches between the caller and the socket. */
#include "client/wire/producer.h"
#include "base/check.h"
#include "base/list.h"
#include "client/wire/error.h"
#include "proto/names.h"
#include <string.h>

#define POOL_MAX       16
#define POOL_BYTES_MAX (1024u * 1024) /* larger buffers are not kept */

void producer_init(struct producer *p, const struct settings *settings, const uint8_t id[PRODUCER_ID_BYTES])
{
    *p = (struct producer){.settings = settings, .next_sequence = 1};
    p->limits = (struct server_limits){.body_bytes = BODY_BYTES_MAX,
                                       .frame_bytes = FRAME_BYTES_MAX,
                                       .messages = FRAME_MESSAGES_MAX,
                                       .dedup_frames = DEDUP_FRAMES_MAX};
    memcpy(p->id, id, sizeof p->id);
}

void producer_done(struct producer *p)
{
    batch_free_all(&p->open);
    batch_free_all(&p->sealed);
    batch_free_all(&p->finished);
    while (p->pool) {
        struct batch *b = p->pool;
        p->pool = b->next;
        batch_free(b);
    }
}

/* ---- taking messages in ---- */

struct batch *producer_get_batch(struct producer *p, const char *topic, size_t topic_bytes)
{
    struct batch *b = p->pool;
    if (b) {
        p->pool = b->next;
        p->pool_count--;
    } else {
        b = batch_new();
    }
    if (!b || batch_begin(b, topic, topic_bytes) != 0) {
        batch_free(b);
        return NULL;
    }
    return b;
}

void producer_recycle(struct producer *p, struct batch *b)
{
    check(b->magic == BATCH_MAGIC);
    b->magic = 0;
    if (p->pool_count == POOL_MAX || b->bytes.capacity > POOL_BYTES_MAX) {
        batch_free(b);
        return;
    }
    b->next = p->pool;
    p->pool = b;
    p->pool_count++;
}

/* FNV-1a: names are short. */
static struct batch **bucket_of(struct producer *p, const char *topic, size_t topic_bytes)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < topic_bytes; i++)
        hash = (hash ^ (uint8_t)topic[i]) * 16777619u;
    return p->growing[(hash ^ hash >> 16) % PRODUCER_BUCKETS];
}

/* The topic's newest open batch, or NULL. *ret_place is where the next one can be found: taking the place of
 * another topic's is harmless, what comes later for that one goes into a later batch. */
static struct batch *find_open(struct producer *p, const char *topic, size_t topic_bytes,
                               struct batch ***ret_place)
{
    struct batch **bucket = bucket_of(p, topic, topic_bytes);
    *ret_place = &bucket[p->next_sequence % BUCKET_PLACES];
    for (int i = 0; i < BUCKET_PLACES; i++) {
        struct batch *b = bucket[i];
        if (b && (b->topic_bytes != topic_bytes || memcmp(b->topic, topic, topic_bytes) != 0))
            continue;
        *ret_place = &bucket[i];
        if (b)
            return b;
    }
    return NULL;
}

void producer_leave_open(struct producer *p, struct batch *b)
{
    struct batch **bucket = bucket_of(p, b->topic, b->topic_bytes);
    for (int i = 0; i < BUCKET_PLACES; i++) {
        if (bucket[i] == b)
            bucket[i] = NULL;
    }
    list_remove(&p->open, b);
}

/* A frame holds at most an eighth of the window, so that several are under way while the next one fills. */
static uint32_t messages_max(const struct producer *p)
{
    int64_t share = p->settings->window / 8;
    if (share < 64)
        share = 64;
    return share < p->limits.messages ? (uint32_t)share : p->limits.messages;
}

static size_t bytes_max(const struct producer *p)
{
    size_t aim = (size_t)p->settings->frame_bytes;
    return aim < p->limits.frame_bytes ? aim : p->limits.frame_bytes;
}

static bool is_full(const struct producer *p, const struct batch *b, size_t bytes_more)
{
    return b->count > 0 && (b->count >= messages_max(p) || batch_bytes(b) + bytes_more > bytes_max(p));
}

static int check_room(const struct producer *p, const struct shunt_message *m, size_t bytes,
                      struct shunt_error *err)
{
    if (m->body_bytes > p->limits.body_bytes) {
        return error_set(err, SHUNT_TOO_LARGE, "the body has %zu bytes, the broker takes %zu", m->body_bytes,
                         p->limits.body_bytes);
    }
    if ((m->number != 0) != p->settings->numbered) {
        return error_set(err, SHUNT_BAD_ARGUMENT,
                         m->number != 0 ? "a message has a number, but the handle no option `producer`"
                                        : "with the option `producer` each message needs a number");
    }
    bool first = p->messages == 0; /* one message may go alone, however large */
    if (p->messages >= p->settings->window ||
        (!first && p->bytes + (int64_t)bytes > p->settings->window_bytes))
        return error_set(err, SHUNT_BUSY, NULL);
    return 0;
}

/* The batch this message goes into, made if need be. */
static int open_batch(struct producer *p, const char *topic, size_t bytes, uint64_t number,
                      struct batch **ret, struct shunt_error *err)
{
    size_t topic_bytes = strlen(topic);
    struct batch **place;
    struct batch *b = find_open(p, topic, topic_bytes, &place);
    bool alone = number != 0;
    if (!b) { /* else the name was checked when the batch was opened */
        const char *why = NULL;
        int rc = name_check((struct slice){topic, topic_bytes}, &why);
        if (rc != 0)
            return error_set(err, rc, "topic \"%.110s\": %s", topic, why);
    }
    if (!b || alone || is_full(p, b, bytes)) {
        b = producer_get_batch(p, topic, topic_bytes);
        if (!b)
            return error_set(err, SHUNT_NO_MEMORY, NULL);
        b->number = number;
        list_append(&p->open, b);
        if (!alone)
            *place = b;
    }
    *ret = b;
    return 0;
}

int producer_add(struct producer *p, const char *topic, const struct shunt_message *m, struct promise promise,
                 bool *ret_full, struct shunt_error *err)
{
    size_t bytes = message_encoded_bytes_max(m);
    struct batch *b = NULL;
    int rc = check_room(p, m, bytes, err);
    if (rc != 0 || (rc = open_batch(p, topic, bytes, m->number, &b, err)) != 0)
        return rc;
    size_t before = batch_bytes(b);
    rc = batch_add(b, m, promise);
    if (rc != 0) {
        if (b->count == 0) {
            producer_leave_open(p, b);
            batch_free(b);
        }
        return error_set(err, rc, NULL);
    }
    p->messages++;
    p->bytes += (int64_t)(batch_bytes(b) - before);
    *ret_full = is_full(p, b, bytes);
    return 0;
}

/* ---- finishing ---- */

static void finish(struct producer *p, struct batch *b)
{
    p->bytes -= (int64_t)batch_bytes(b);
    list_append(&p->finished, b);
}

void producer_finish_failed(struct producer *p, struct batch *b, const struct shunt_error *error)
{
    b->accepted = 0;
    b->error = *error;
    finish(p, b);
}

/* The queue `b` leaves; its place in `unsent` moves on. */
static void leave_sealed(struct producer *p, struct batch *b)
{
    if (p->unsent == b) {
        p->unsent = b->next;
        p->unsent_offset = 0;
    }
    list_remove(&p->sealed, b);
}

void producer_answered(struct producer *p, struct batch *b, uint64_t accepted, uint64_t first_seq, int code,
                       const char *text)
{
    check(b->id != 0 && b->written);
    leave_sealed(p, b);
    b->accepted = accepted < b->count ? (uint32_t)accepted : b->count;
    b->first_seq = first_seq;
    if (b->accepted < b->count)
        error_set(&b->error, code != 0 ? code : SHUNT_INTERNAL, text ? "%s" : NULL, text);
    finish(p, b);
}

static void leave_finished(struct producer *p, struct batch *b)
{
    if (b->called == b->count) {
        list_remove(&p->finished, b);
        producer_recycle(p, b);
    }
}

static void call_back_failed(struct producer *p, struct batch *b, struct promise promise)
{
    struct shunt_error error = b->error;
    leave_finished(p, b);
    if (promise.callback)
        promise.callback(promise.context, 0, &error);
    else if (p->failure.code == 0)
        p->failure = error;
}

bool producer_call_back(struct producer *p)
{
    struct batch *b = p->finished.head;
    if (!b)
        return false;
    /* All state moves on before the call: it may come back here. */
    uint32_t i = b->called++;
    struct promise promise = b->promises[i];
    p->messages--;
    if (i >= b->accepted) {
        call_back_failed(p, b, promise);
        return true;
    }
    uint64_t seq = b->first_seq + i;
    leave_finished(p, b);
    if (promise.callback)
        promise.callback(promise.context, seq, NULL);
    return true;
}

void producer_fail_all(struct producer *p, const struct shunt_error *error)
{
    p->unsent = NULL;
    p->unsent_offset = 0;
    while (p->sealed.head) {
        struct batch *b = p->sealed.head;
        list_remove(&p->sealed, b);
        producer_finish_failed(p, b, error);
    }
    while (p->open.head) {
        struct batch *b = p->open.head;
        producer_leave_open(p, b);
        producer_finish_failed(p, b, error);
    }
}

static void call_nobody(void *context, uint64_t seq, const struct shunt_error *err)
{
    (void)context;
    (void)seq;
    (void)err;
}

/* ---- limits ---- */

static struct shunt_error expired(const struct producer *p, bool is_open)
{
    struct shunt_error error;
    error_set(&error, SHUNT_TIMEOUT,
              is_open ? "not sent within request-timeout (%lld ms): the message is not stored"
                      : "no answer within request-timeout (%lld ms): the message may be stored, now or later",
              (long long)p->settings->request_timeout_ms);
    error.may_retry = is_open; /* else it would be there twice */
    return error;
}

/* Promise `i` of `b` goes on in a batch of its own, which has failed. fails: NO_MEMORY. */
static int expire_one(struct producer *p, struct batch *b, uint32_t i, bool is_open)
{
    struct shunt_error error = expired(p, is_open);
    struct batch *failed = producer_get_batch(p, b->topic, b->topic_bytes);
    if (!failed || batch_add_raw(failed, slice_of(""), 0, b->promises[i]) != 0) {
        batch_free(failed);
        return SHUNT_NO_MEMORY;
    }
    if (is_open) {
        size_t before = batch_bytes(b);
        batch_remove(b, i);
        p->bytes -= (int64_t)(before - batch_bytes(b));
    } else {
        b->promises[i] = (struct promise){.callback = call_nobody, .until_us = INT64_MAX};
        p->messages++;
    }
    producer_finish_failed(p, failed, &error);
    return 0;
}

static int64_t expire_batch(struct producer *p, struct batch *b, bool is_open, int64_t now_us)
{
    int64_t next_us = INT64_MAX;
    for (uint32_t i = b->called; i < b->count;) {
        int64_t until_us = b->promises[i].until_us;
        if (until_us <= now_us && expire_one(p, b, i, is_open) == 0)
            continue; /* another is in its place, or it has no limit any more */
        next_us = until_us < next_us ? until_us : next_us;
        i++;
    }
    if (b->count == 0) {
        producer_leave_open(p, b);
        producer_recycle(p, b);
    }
    return next_us;
}

int64_t producer_expire(struct producer *p, int64_t now_us)
{
    int64_t next_us = INT64_MAX;
    for (struct batch *b = p->sealed.head; b; b = b->next) {
        int64_t until_us = expire_batch(p, b, false, now_us);
        next_us = until_us < next_us ? until_us : next_us;
    }
    for (struct batch *b = p->open.head, *next; b; b = next) {
        next = b->next;
        int64_t until_us = expire_batch(p, b, true, now_us);
        next_us = until_us < next_us ? until_us : next_us;
    }
    return next_us;
}

/* ---- withdrawing ---- */

static struct promise *find_promise(const struct batch_queue *q, shunt_published_cb *callback,
                                    const void *context, struct batch **ret_batch)
{
    for (struct batch *b = q->head; b; b = b->next) {
        for (uint32_t i = b->called; i < b->count; i++) {
            if (b->promises[i].callback == callback && b->promises[i].context == context) {
                *ret_batch = b;
                return &b->promises[i];
            }
        }
    }
    return NULL;
}

bool producer_withdraw(struct producer *p, shunt_published_cb *callback, const void *context)
{
    struct batch *b;
    struct promise *promise = find_promise(&p->open, callback, context, &b);
    if (promise) {
        size_t before = batch_bytes(b);
        batch_remove(b, (uint32_t)(promise - b->promises));
        p->messages--;
        p->bytes -= (int64_t)(before - batch_bytes(b));
        if (b->count == 0) {
            producer_leave_open(p, b);
            producer_recycle(p, b);
        }
        return true;
    }
    promise = find_promise(&p->sealed, callback, context, &b);
    if (!promise)
        promise = find_promise(&p->finished, callback, context, &b);
    if (promise)
        promise->callback = call_nobody;
    return false;
}
