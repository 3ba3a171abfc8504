/* schema_keys: keys of the store's tables. */
#include "broker/core/codec.h"
#include "broker/core/schema.h"

struct key key_id(uint32_t id)
{
    struct key k = {.size = 4};
    put_be32(k.bytes, id);
    return k;
}

struct key key_id_seq(uint32_t id, uint64_t seq)
{
    struct key k = {.size = 12};
    put_be32(k.bytes, id);
    put_be64(k.bytes + 4, seq);
    return k;
}

struct key key_history(uint32_t group, uint64_t seq, uint32_t row)
{
    struct key k = {.size = 16};
    put_be32(k.bytes, group);
    put_be64(k.bytes + 4, seq);
    put_be32(k.bytes + 12, row);
    return k;
}

struct key key_due(uint32_t group, enum due_place place, int64_t due_ms, uint64_t seq)
{
    struct key k = {.size = 21};
    put_be32(k.bytes, group);
    k.bytes[4] = (uint8_t)place;
    put_be64(k.bytes + 5, (uint64_t)due_ms);
    put_be64(k.bytes + 13, seq);
    return k;
}

bool attempt_is_ahead(const struct attempt_record *row)
{
    return row->parked && row->due_ms;
}

struct key attempt_due_key(uint32_t group, uint64_t seq, const struct attempt_record *row)
{
    if (row->state == ATTEMPT_HELD)
        return key_due(group, DUE_HELD, 0, seq);
    if (row->state == ATTEMPT_DEAD)
        return key_due(group, DUE_BLOCKED, (int64_t)row->key, seq);
    if (attempt_is_ahead(row))
        return key_due(group, DUE_AHEAD, 0, seq);
    if (row->turn)
        return key_due(group, DUE_FAIR, (int64_t)row->turn, seq);
    if (row->parked)
        return key_due(group, DUE_KEYED, (int64_t)row->key, seq);
    return key_due(group, due_place_of(row->suspect ? LANE_SUSPECT : LANE_NORMAL), row->due_ms, seq);
}

struct key key_expiry(int64_t expires_ms, uint32_t group, uint64_t seq)
{
    struct key k = {.size = 20};
    put_be64(k.bytes, (uint64_t)expires_ms);
    put_be32(k.bytes + 8, group);
    put_be64(k.bytes + 12, seq);
    return k;
}

struct key key_job(uint64_t job)
{
    struct key k = {.size = 8};
    put_be64(k.bytes, job);
    return k;
}

struct key key_audit(uint64_t id)
{
    return key_job(id);
}

struct key key_identity(uint64_t id)
{
    return key_job(id);
}

struct key key_dedup(struct slice producer, uint64_t chunk)
{
    struct key k = {.size = 24};
    memcpy(k.bytes, producer.data, PRODUCER_ID_BYTES);
    put_be64(k.bytes + PRODUCER_ID_BYTES, chunk);
    return k;
}

bool key_read_id(struct slice key, uint32_t *ret_id)
{
    if (key.size != 4)
        return false;
    *ret_id = get_be32(key.data);
    return true;
}

bool key_read_id_seq(struct slice key, uint32_t *ret_id, uint64_t *ret_seq)
{
    const uint8_t *p = key.data;
    if (key.size != 12)
        return false;
    *ret_id = get_be32(p);
    *ret_seq = get_be64(p + 4);
    return true;
}

bool key_read_history(struct slice key, uint32_t *ret_group, uint64_t *ret_seq, uint32_t *ret_row)
{
    const uint8_t *p = key.data;
    if (key.size != 16)
        return false;
    *ret_group = get_be32(p);
    *ret_seq = get_be64(p + 4);
    *ret_row = get_be32(p + 12);
    return true;
}

bool key_read_due(struct slice key, uint32_t *ret_group, uint8_t *ret_place, int64_t *ret_due_ms,
                  uint64_t *ret_seq)
{
    const uint8_t *p = key.data;
    if (key.size != 21)
        return false;
    *ret_group = get_be32(p);
    *ret_place = p[4];
    *ret_due_ms = (int64_t)get_be64(p + 5);
    *ret_seq = get_be64(p + 13);
    return true;
}

bool key_read_expiry(struct slice key, int64_t *ret_expires_ms, uint32_t *ret_group, uint64_t *ret_seq)
{
    const uint8_t *p = key.data;
    if (key.size != 20)
        return false;
    *ret_expires_ms = (int64_t)get_be64(p);
    *ret_group = get_be32(p + 8);
    *ret_seq = get_be64(p + 12);
    return true;
}

bool key_read_job(struct slice key, uint64_t *ret_job)
{
    if (key.size != 8)
        return false;
    *ret_job = get_be64(key.data);
    return true;
}

bool key_read_audit(struct slice key, uint64_t *ret_id)
{
    return key_read_job(key, ret_id);
}

bool key_read_identity(struct slice key, uint64_t *ret_id)
{
    return key_read_job(key, ret_id);
}

bool key_read_dedup(struct slice key, struct slice *ret_producer, uint64_t *ret_chunk)
{
    const uint8_t *p = key.data;
    if (key.size != PRODUCER_ID_BYTES + 8)
        return false;
    *ret_producer = (struct slice){p, PRODUCER_ID_BYTES};
    *ret_chunk = get_be64(p + PRODUCER_ID_BYTES);
    return true;
}
