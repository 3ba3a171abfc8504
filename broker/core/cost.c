/* cost: see cost.h. */
#include "broker/core/cost.h"

#include "broker/core/codec.h"
#include "broker/core/state.h"

/* Which run a key belongs to, and its place there. Never 0. */
static uint64_t run_of(enum store_table table, struct slice key, uint64_t *ret_seq)
{
    static const uint64_t mix = 0x9e3779b97f4a7c15ull;
    const uint8_t *p = key.data;
    uint64_t id = table + 1;
    *ret_seq = 0;
    switch (key.size) {
    case 8: /* audit; jobs are at places of their own */
        if (table != TABLE_AUDIT)
            return 0;
        *ret_seq = get_be64(p);
        break;
    case 12: /* message, dead, attempt, done */
        id += (uint64_t)get_be32(p) << 8;
        *ret_seq = get_be64(p + 4);
        break;
    case 16: /* history: rows of neighbours are neighbours */
        id += (uint64_t)get_be32(p) << 8;
        *ret_seq = table == TABLE_HISTORY ? get_be64(p + 4) : 0;
        id += table == TABLE_HISTORY ? 0 : get_be64(p + 4) * mix;
        break;
    case 20: /* expiry */
        id += ((uint64_t)get_be32(p + 8) << 8) + get_be64(p) * mix;
        *ret_seq = get_be64(p + 12);
        break;
    case 21: /* due */
        id += ((uint64_t)get_be32(p) << 8) + ((uint64_t)p[4] << 4) + get_be64(p + 5) * mix;
        *ret_seq = get_be64(p + 13);
        break;
    case 24: /* dedup: a producer's chunks */
        id += get_be64(p) * mix;
        *ret_seq = get_be64(p + 16);
        break;
    default:
        return 0;
    }
    return id;
}

void cost_write(struct cost_meter *m, enum store_table table, struct slice key, size_t bytes)
{
    uint64_t seq, id;
    if (m->off)
        return;
    id = run_of(table, key, &seq);
    if (id)
        cost_at(m, id, seq, key.size + bytes);
    else
        m->bytes += cost_row(key.size + bytes);
}

/* ---- before it is written ---- */

/* Rows as they are stored, key and value. */
#define ATTEMPT_ROW_BYTES 120
#define DUE_ROW_BYTES     21
#define EXPIRY_ROW_BYTES  20
#define DEDUP_ROW_BYTES   320

/* Of a bitmap, that the messages of one frame lie in. */
#define CHUNKS_MAX (FRAME_MESSAGES_MAX / CHUNK_BITS + 1)

uint64_t cost_timed_message(struct cost_publishing *p, size_t bytes, int64_t due_ms, int64_t expires_ms)
{
    uint64_t cost = cost_next(bytes);
    if (due_ms) {
        cost += p->groups * (cost_next(ATTEMPT_ROW_BYTES) + cost_next(DUE_ROW_BYTES));
        if (!p->due_ms) /* the run of rows in attempt, the chunks of the bitmap */
            cost += p->groups * (COST_PLACE_BYTES + CHUNKS_MAX * cost_row(CHUNK_BYTES));
        if (p->due_ms != due_ms)
            cost += p->groups * COST_PLACE_BYTES;
        p->due_ms = due_ms;
        cost += p->ordered * cost_row(DUE_ROW_BYTES);
    }
    if (expires_ms) {
        cost += p->groups * cost_next(EXPIRY_ROW_BYTES);
        if (p->expires_ms != expires_ms)
            cost += p->groups * COST_PLACE_BYTES;
        p->expires_ms = expires_ms;
    }
    return cost;
}
