/* schema_keys: the keys of the store's tables. docs/storage.md shows them. */
#ifndef SHUNT_CORE_SCHEMA_KEYS_H
#define SHUNT_CORE_SCHEMA_KEYS_H

#include "base/slice.h"
#include "broker/core/lane.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key {
    uint8_t bytes[32];
    size_t size;
};

static inline struct slice key_slice(const struct key *k)
{
    return (struct slice){k->bytes, k->size};
}

struct key key_id(uint32_t id);                   /* topic, group */
struct key key_id_seq(uint32_t id, uint64_t seq); /* message, dead, attempt; done with a chunk number; cause
                                                     with a fingerprint; rule with its number */
struct key key_history(uint32_t group, uint64_t seq, uint32_t row); /* a cause's example: fingerprint, 1 */
#define HISTORY_ROW_END   0u /* the row that says how the message ended; a message that has not has none */
#define HISTORY_ROW_FIRST 1u /* the first attempt's, unless room was made there */
struct key key_due(uint32_t group, enum due_place place, int64_t due_ms, uint64_t seq);
struct key key_expiry(int64_t expires_ms, uint32_t group, uint64_t seq);
struct key key_job(uint64_t job);
struct key key_dedup(struct slice producer, uint64_t chunk); /* a producer's own row: its id alone */
struct key key_audit(uint64_t id);
struct key key_identity(uint64_t id); /* user, role, token */

/* Parse back; false if the size is not that of such a key. */
bool key_read_id(struct slice key, uint32_t *ret_id);
bool key_read_id_seq(struct slice key, uint32_t *ret_id, uint64_t *ret_seq);
bool key_read_history(struct slice key, uint32_t *ret_group, uint64_t *ret_seq, uint32_t *ret_row);
bool key_read_due(struct slice key, uint32_t *ret_group, uint8_t *ret_place, int64_t *ret_due_ms,
                  uint64_t *ret_seq);
bool key_read_expiry(struct slice key, int64_t *ret_expires_ms, uint32_t *ret_group, uint64_t *ret_seq);
bool key_read_job(struct slice key, uint64_t *ret_job);
bool key_read_dedup(struct slice key, struct slice *ret_producer, uint64_t *ret_chunk);
bool key_read_audit(struct slice key, uint64_t *ret_id);
bool key_read_identity(struct slice key, uint64_t *ret_id);

struct attempt_record;
/* Its row in the due table, while it waits, is in flight again, or is dead and holds its key; and whether it waits for the cursor. */
struct key attempt_due_key(uint32_t group, uint64_t seq, const struct attempt_record *row);
bool attempt_is_ahead(const struct attempt_record *row);

#endif
