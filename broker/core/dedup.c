/* dedup: exactly once in effect. A producer numbers its frames, and the answers to its latest ones are kept
 * in the same transaction as the messages: a number that was answered gets that answer again.
 *
 * A producer has a row of its own with its newest chunk of answers, which is what nearly every frame changes.
 * When a higher chunk begins, the chunk goes to a row of its own behind it, until all its numbers are
 * forgotten:
 *
 *     producer            base, numbers 16 to 21
 *     producer | 0        numbers 5 to 7
 *     producer | 1        numbers 8 to 15
 *
 * So a frame costs one row of at most 8 answers, and one in 8 frames a row more to write and one to delete.
 */
#include "base/check.h"
#include "broker/core/state.h"

#include <string.h>

static uint64_t chunk_of(uint64_t sequence)
{
    return sequence / DEDUP_CHUNK_FRAMES;
}

static uint64_t newest_chunk(const struct dedup_record *r)
{
    return chunk_of(r->latest.answers[0].sequence);
}

/* Time in which the broker was there. */
static int64_t present_ms(const struct ledger *l)
{
    return l->now_ms - l->meta.dedup_away_ms;
}

/* ---- looking ---- */

static int load_producer(struct ledger *l, struct slice producer, struct dedup_record *ret)
{
    struct slice value;
    int err = store_get(l->txn, TABLE_DEDUP, producer, &value);
    if (!err)
        return dedup_decode(producer, value, ret);
    ret->base = 0;
    ret->latest.count = 0;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static int load_chunk(struct ledger *l, struct key key, struct dedup_chunk_record *ret)
{
    struct slice value;
    int err = store_get(l->txn, TABLE_DEDUP, key_slice(&key), &value);
    return err ? err : dedup_chunk_decode(key_slice(&key), value, ret);
}

static int find_answer(const struct dedup_chunk_record *r, uint64_t sequence, struct dedup_answer *ret)
{
    for (uint32_t i = r->count; i-- > 0 && r->answers[i].sequence >= sequence;) {
        if (r->answers[i].sequence == sequence) {
            *ret = r->answers[i];
            return 0;
        }
    }
    return SHUNT_NOT_FOUND;
}

int dedup_look(struct ledger *l, const struct publish_command *c, struct dedup_record *ret,
               struct dedup_answer *ret_answer)
{
    struct dedup_chunk_record chunk;
    int err = load_producer(l, c->producer, ret);
    if (err)
        return err;
    if (c->sequence < ret->base)
        return SHUNT_DEDUP_WINDOW;
    if (ret->latest.count == 0 || chunk_of(c->sequence) >= newest_chunk(ret))
        return find_answer(&ret->latest, c->sequence, ret_answer);
    err = load_chunk(l, key_dedup(c->producer, chunk_of(c->sequence)), &chunk);
    return err ? err : find_answer(&chunk, c->sequence, ret_answer);
}

/* ---- remembering ---- */

/* There is room: chunk and answer are of the same few numbers, and this one was not found; or it was, as the
 * answer to the first part of its frame. */
static void insert(struct dedup_chunk_record *r, const struct dedup_answer *answer)
{
    for (uint32_t i = 0; i < r->count; i++) {
        if (r->answers[i].sequence == answer->sequence) {
            r->answers[i] = *answer;
            return;
        }
    }
    check(r->count < DEDUP_CHUNK_FRAMES);
    uint32_t at = r->count++;
    for (; at > 0 && r->answers[at - 1].sequence > answer->sequence; at--)
        r->answers[at] = r->answers[at - 1];
    r->answers[at] = *answer;
}

static int store_chunk(struct ledger *l, struct key key, const struct dedup_chunk_record *r)
{
    size_t size = dedup_chunk_encode(l->record, key_slice(&key), r);
    return ledger_put(l, TABLE_DEDUP, key_slice(&key), (struct slice){l->record, size});
}

/* A frame that comes after later ones. */
static int insert_behind(struct ledger *l, struct slice producer, const struct dedup_answer *answer)
{
    struct key key = key_dedup(producer, chunk_of(answer->sequence));
    struct dedup_chunk_record chunk = {.count = 0};
    int err = load_chunk(l, key, &chunk);
    if (err && err != SHUNT_NOT_FOUND)
        return err;
    insert(&chunk, answer);
    return store_chunk(l, key, &chunk);
}

/* Rows of chunks that lie wholly before `base`: no more than a window has, however far the numbers jump, because
 * the old base is at most a window before the newest number. */
static int delete_chunks(struct ledger *l, struct slice producer, const struct dedup_record *r, uint64_t base)
{
    uint64_t newest = newest_chunk(r), chunk = chunk_of(r->base), end = chunk_of(base);
    if (end > newest)
        end = newest;
    for (; chunk < end; chunk++) {
        struct key key = key_dedup(producer, chunk);
        int err = ledger_del(l, TABLE_DEDUP, key_slice(&key), NULL);
        if (err && err != SHUNT_NOT_FOUND)
            return err;
    }
    return 0;
}

/* Answers below `base`; those of a chunk that goes on beyond it stay with it. */
static int forget(struct ledger *l, struct slice producer, struct dedup_record *r, uint64_t base)
{
    struct dedup_chunk_record *latest = &r->latest;
    uint32_t gone = 0;
    int err = latest->count ? delete_chunks(l, producer, r, base) : 0;
    while (gone < latest->count && latest->answers[gone].sequence < base)
        gone++;
    latest->count -= gone;
    memmove(latest->answers, latest->answers + gone, latest->count * sizeof *latest->answers);
    r->base = base;
    return err;
}

/* What need not be kept once this frame is answered: what its client says, and what leaves the window. */
static uint64_t base_after(const struct publish_command *c)
{
    uint64_t said = c->forget_below < c->sequence ? c->forget_below : c->sequence;
    uint64_t first = c->sequence >= DEDUP_FRAMES_MAX ? c->sequence - (DEDUP_FRAMES_MAX - 1) : 0;
    return said > first ? said : first;
}

int dedup_remember(struct ledger *l, const struct publish_command *c, struct dedup_record *r,
                   const struct dedup_answer *answer)
{
    uint64_t base = base_after(c);
    int err = base > r->base ? forget(l, c->producer, r, base) : 0;
    if (!err && r->latest.count && chunk_of(answer->sequence) < newest_chunk(r)) {
        err = insert_behind(l, c->producer, answer);
    } else if (!err) {
        if (r->latest.count && chunk_of(answer->sequence) > newest_chunk(r)) {
            err = store_chunk(l, key_dedup(c->producer, newest_chunk(r)), &r->latest);
            r->latest.count = 0;
        }
        insert(&r->latest, answer);
    }
    if (err)
        return err;
    r->last_ms = present_ms(l);
    size_t size = dedup_encode(l->record, c->producer, r);
    return ledger_put(l, TABLE_DEDUP, c->producer, (struct slice){l->record, size});
}

/* ---- the sweep ---- */

void dedup_came_back(struct ledger *l)
{
    if (l->meta.index)
        l->meta.dedup_away_ms += l->now_ms - l->meta.time_ms;
}

int64_t dedup_sweep_at(const struct ledger *l)
{
    return l->meta.dedup_swept_ms + l->meta.dedup_window_ms / 16 + 1000;
}

#define SWEEP_ROWS                                                                                           \
    256 /* then to the end of the producer that it has come to, for answers do not outlive their base */

/* Delete the producer at the cursor, or step over it. Then the cursor is at the next. */
static int sweep_producer(struct ledger *l, struct store_cursor *cursor, bool keep, struct slice *key,
                          struct slice *value, unsigned *rows)
{
    uint8_t after[PRODUCER_ID_BYTES + 9];
    memset(after, 0xff, sizeof after);
    memcpy(after, key->data, PRODUCER_ID_BYTES);
    ++*rows;
    if (keep)
        return store_cursor_seek(cursor, (struct slice){after, sizeof after}, key, value);
    for (;; ++*rows) {
        int err = ledger_cursor_del(l, cursor, TABLE_DEDUP, *key, value->size);
        if (!err)
            err = store_cursor_next(cursor, key, value);
        if (err || key->size == PRODUCER_ID_BYTES || memcmp(key->data, after, PRODUCER_ID_BYTES) != 0)
            return err;
    }
}

static int sweep_from_cursor(struct ledger *l, struct store_cursor *cursor)
{
    struct slice key, value;
    unsigned rows = 0;
    int err =
        store_cursor_seek(cursor, (struct slice){l->meta.dedup_cursor, PRODUCER_ID_BYTES}, &key, &value);
    while (!err) {
        struct dedup_record r;
        if (key.size != PRODUCER_ID_BYTES)
            return SHUNT_CORRUPT; /* answers without their producer */
        memcpy(l->meta.dedup_cursor, key.data, PRODUCER_ID_BYTES);
        if (rows >= SWEEP_ROWS || !ledger_has_room(l, COST_MOVE_BYTES))
            return 0;
        err = dedup_decode(key, value, &r);
        if (!err) {
            err = sweep_producer(l, cursor, r.last_ms + l->meta.dedup_window_ms >= present_ms(l), &key,
                                 &value, &rows);
        }
    }
    return err;
}

int dedup_sweep(struct ledger *l)
{
    struct store_cursor *cursor;
    int err = store_cursor_open(l->txn, TABLE_DEDUP, &cursor);
    if (err)
        return err;
    err = sweep_from_cursor(l, cursor);
    store_cursor_close(cursor);
    if (err == SHUNT_NOT_FOUND) {
        /* Once round: begin again after a while. */
        memset(l->meta.dedup_cursor, 0, PRODUCER_ID_BYTES);
        l->meta.dedup_swept_ms = l->now_ms;
        err = 0;
    }
    return err;
}
