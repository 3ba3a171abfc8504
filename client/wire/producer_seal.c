/* producer_seal: which bytes of the producer go out next, and what happens to them when the connection is
 * lost. */
#include "base/check.h"
#include "base/list.h"
#include "client/wire/error.h"
#include "client/wire/producer.h"

static void lost_for_good(struct producer *p, struct requests *requests, struct batch *b)
{
    struct shunt_error error;
    error_set(&error, SHUNT_DISCONNECTED, NULL);
    (void)requests_take(requests, b->id); /* nobody will answer */
    list_remove(&p->sealed, b);
    producer_finish_failed(p, b, &error);
}

void producer_lost(struct producer *p, struct requests *requests)
{
    struct batch *next;
    for (struct batch *b = p->sealed.head; b; b = next) {
        next = b->next;
        b->written = false;
        b->repeated |= b->begun;
        if (b->sequence == 0 && b->begun) /* sent again it could be stored twice */
            lost_for_good(p, requests, b);
    }
    p->unsent = p->sealed.head;
    p->unsent_offset = 0;
}

bool producer_has_unwritten(const struct producer *p)
{
    return p->unsent || p->open.head;
}

static size_t frames_max(const struct producer *p)
{
    size_t kept = p->limits.dedup_frames - 1;
    size_t most = p->open.count * PRODUCER_FRAMES_EACH;
    most = most > PRODUCER_FRAMES_MAX ? most : PRODUCER_FRAMES_MAX;
    return kept < most ? kept : most;
}

/* The program's numbers rise as they please, and may be repeated after a failure. */
static bool in_window(const struct producer *p)
{
    uint64_t lowest = UINT64_MAX, next = p->open.head ? p->open.head->number : 0;
    for (const struct batch *b = p->sealed.head; b; b = b->next)
        lowest = b->sequence < lowest ? b->sequence : lowest;
    return next < lowest || next - lowest < p->limits.dedup_frames - 1;
}

/* The server counts its answers by numbers, from the highest one back: also those that were answered before
 * the first one that was not. */
static bool may_seal(const struct producer *p)
{
    const struct batch *first = p->sealed.head;
    if (p->settings->numbered && !in_window(p))
        return false;
    if (first && first->sequence != 0 && !p->settings->numbered &&
        p->next_sequence - first->sequence >= p->limits.dedup_frames - 1)
        return false;
    return p->sealed.count < frames_max(p);
}

bool producer_may_write(const struct producer *p)
{
    return p->unsent || (p->open.head && may_seal(p));
}

void producer_written(struct producer *p, size_t size)
{
    struct batch *b = p->unsent;
    check(b && size <= b->bytes.size - b->begin - p->unsent_offset);
    b->begun = true;
    p->unsent_offset += size;
    if (p->unsent_offset == b->bytes.size - b->begin) {
        b->written = true;
        p->unsent = b->next;
        p->unsent_offset = 0;
    }
}

static bool fits(const struct producer *p, const struct batch *b)
{
    return b->body_bytes_max <= p->limits.body_bytes && b->count <= p->limits.messages &&
           batch_bytes(b) + BATCH_HEAD_BYTES_MAX <= p->limits.frame_bytes;
}

/* Give one message of a batch that does not fit to `*to`, or to a batch of its own that failed. */
static int move_message(struct producer *p, struct batch *from, uint32_t i, struct slice message,
                        size_t body_bytes, struct batch **to)
{
    bool too_large =
        body_bytes > p->limits.body_bytes || message.size + BATCH_HEAD_BYTES_MAX > p->limits.frame_bytes;
    struct batch *b = too_large ? NULL : *to;
    if (!b || b->count >= p->limits.messages ||
        batch_bytes(b) + message.size + BATCH_HEAD_BYTES_MAX > p->limits.frame_bytes)
        b = producer_get_batch(p, from->topic, from->topic_bytes);
    if (!b)
        return SHUNT_NO_MEMORY;
    if (batch_add_raw(b, message, body_bytes, from->promises[i]) != 0) {
        if (b->count == 0)
            batch_free(b);
        return SHUNT_NO_MEMORY;
    }
    if (too_large) {
        struct shunt_error error;
        error_set(&error, SHUNT_TOO_LARGE, "the body has %zu bytes, the broker takes %zu, and frames of %zu",
                  body_bytes, p->limits.body_bytes, p->limits.frame_bytes);
        producer_finish_failed(p, b, &error);
    } else if (b != *to) {
        list_insert_before(&p->open, b, from);
        *to = b;
    }
    return 0;
}

/* Make batches that fit out of one that does not: only messages that are too large themselves fail. The
 * server's limits are known with the first HELLO, and what was queued before that was checked against the
 * protocol's. fails: NO_MEMORY; what was moved is moved, the rest stays. */
static int divide(struct producer *p, struct batch *from)
{
    struct mpack_reader r;
    struct batch *to = NULL;
    uint32_t moved = 0;
    int rc = 0;
    mpack_read_init(&r, from->bytes.data + BATCH_HEAD_BYTES_MAX, batch_bytes(from));
    while (rc == 0 && moved < from->count) {
        struct mpack_reader inside = r;
        (void)mpack_read_array(&inside); /* its header is our own */
        size_t body_bytes = mpack_read_bin(&inside).size;
        rc = move_message(p, from, moved, mpack_read_any(&r), body_bytes, &to);
        if (rc == 0)
            moved++;
    }
    if (moved == from->count) {
        producer_leave_open(p, from);
        producer_recycle(p, from);
        return 0;
    }
    for (; moved > 0; moved--)
        batch_remove(from, 0);
    return rc;
}

static struct batch *seal_next(struct producer *p, struct requests *requests)
{
    if (!may_seal(p))
        return NULL;
    while (p->open.head && !fits(p, p->open.head)) {
        if (divide(p, p->open.head) != 0)
            return NULL; /* no memory now: the next turn tries again */
    }
    struct batch *b = p->open.head;
    if (!b)
        return NULL;
    uint64_t id = requests_add(requests, WAITER_PUBLISH, b);
    if (id == 0)
        return NULL;
    producer_leave_open(p, b);
    list_append(&p->sealed, b);
    if (p->settings->numbered) {
        batch_seal(b, id, b->number, 0); /* another process may ask for any answer again */
        return b;
    }
    uint64_t sequence = p->settings->idempotent ? p->next_sequence++ : 0;
    batch_seal(b, id, sequence, p->sealed.head == b ? sequence : p->sealed.head->sequence);
    return b;
}

struct batch *producer_next(struct producer *p, struct requests *requests, const struct batch *after)
{
    struct batch *b = after ? after->next : p->unsent;
    if (b)
        return b;
    b = seal_next(p, requests);
    if (!p->unsent)
        p->unsent = b;
    return b;
}
