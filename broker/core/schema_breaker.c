/* schema_breaker: see schema_breaker.h. */
#include "broker/core/schema_breaker.h"
#include "broker/core/schema_record.h"

static bool is_message(const struct breaker_entry *e, enum breaker_state state)
{
    return e->seq ? state == BREAKER_CLOSED || !e->key : state == BREAKER_CLOSED && !e->key;
}

static void breaker_fields(struct codec *c, struct breaker_record *r)
{
    unsigned state = r->state;
    codec_choice(c, &state, BREAKER_STATES);
    r->state = (enum breaker_state)state;
    codec_i64(c, &r->since_ms);
    codec_i64(c, &r->until_ms);
    codec_i64(c, &r->well_ms);
    codec_u32(c, &r->pauses);
    codec_u32(c, &r->limit);
    codec_u64(c, &r->trips);
    codec_u32(c, &r->count);
    if (r->count > BREAKER_WINDOW_MAX || r->limit > BREAKER_WINDOW_MAX)
        c->failed = true;
    for (uint32_t i = 0; !c->failed && i < r->count; i++) {
        codec_u64(c, &r->entries[i].seq);
        codec_u64(c, &r->entries[i].key);
        c->failed |= !is_message(&r->entries[i], r->state);
    }
}

RECORD(breaker, TABLE_BREAKER)
