/* export_needed: whether a message is anybody's still. A page that was not written, or lies in another's place, may be an old one, and
 * has messages that everybody was done with since; they are not to come back.
 */
#include "broker/export_rows.h"

#include "broker/core/schema.h"
#include "broker/store/store.h"
#include "proto/errors.h"

/* What cannot be read is taken for the message's not being done. */
static bool is_needed(struct store_txn *txn, const struct group_record *g, uint64_t seq)
{
    uint64_t words[CHUNK_BITS / 64];
    struct slice value;
    if (seq < g->start)
        return false;
    if (seq >= g->next)
        return true;
    struct key key = key_id_seq(g->id, seq / CHUNK_BITS);
    if (seq >= g->floor) {
        bool read = store_get(txn, TABLE_DONE, key_slice(&key), &value) == 0 &&
                    chunk_decode(key_slice(&key), value, words) == 0;
        if (!read || !(words[seq % CHUNK_BITS / 64] >> (seq % 64) & 1))
            return true;
    }
    key = key_id_seq(g->id, seq); /* a row there is of a message that waits, is out again, or is dead */
    return store_get(txn, TABLE_ATTEMPT, key_slice(&key), &value) != SHUNT_NOT_FOUND;
}

bool export_needed(struct store_txn *txn, const struct group_record *groups, size_t count, uint32_t topic,
                   uint64_t seq)
{
    size_t known = 0;
    bool needed = false;
    for (size_t i = 0; i < count && !needed; i++) {
        if (groups[i].topic == topic && !groups[i].dropped) {
            known++;
            needed = is_needed(txn, &groups[i], seq);
        }
    }
    return needed || !known;
}
