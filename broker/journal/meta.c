/* meta: see meta.h. */
#include "broker/journal/meta.h"
#include "base/big_endian.h"
#include "base/slice.h"
#include "broker/store/store_version.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Id, place, and a checksum over what is before it; that of a server which left no values in the journal ends there. */
enum { AT_FROM = JOURNAL_ID_BYTES, AT_OLDEST = AT_FROM + 16, AT_KEPT = AT_OLDEST + 16, AT_END = AT_KEPT + 8 };
#define SUM_BYTES       8
#define META_BYTES      (AT_END + SUM_BYTES)
#define META_BYTES_BARE (AT_OLDEST + SUM_BYTES)

static struct journal_place get_place(const uint8_t *at)
{
    return (struct journal_place){.number = get_be64(at), .at = get_be64(at + 8)};
}

static void put_place(uint8_t *at, struct journal_place place)
{
    put_be64(at, place.number);
    put_be64(at + 8, place.at);
}

int journal_meta_read(struct store_txn *txn, struct journal_meta *ret)
{
    struct slice value;
    int err = store_get(txn, TABLE_META, slice_of(STORE_JOURNAL_KEY), &value);
    if (err)
        return err;
    const uint8_t *bytes = value.data;
    if ((value.size != META_BYTES && value.size != META_BYTES_BARE) ||
        get_be64(bytes + value.size - SUM_BYTES) != XXH3_64bits(bytes, value.size - SUM_BYTES))
        return SHUNT_CORRUPT;
    memcpy(ret->id, bytes, sizeof ret->id);
    ret->from = ret->oldest = get_place(bytes + AT_FROM);
    ret->kept_bytes = 0;
    if (value.size == META_BYTES) {
        ret->oldest = get_place(bytes + AT_OLDEST);
        ret->kept_bytes = get_be64(bytes + AT_KEPT);
    }
    return ret->oldest.number <= ret->from.number ? 0 : SHUNT_CORRUPT;
}

int journal_meta_write(struct store_txn *txn, const struct journal_meta *m)
{
    uint8_t bytes[META_BYTES];
    memcpy(bytes, m->id, sizeof m->id);
    put_place(bytes + AT_FROM, m->from);
    put_place(bytes + AT_OLDEST, m->oldest);
    put_be64(bytes + AT_KEPT, m->kept_bytes);
    put_be64(bytes + AT_END, XXH3_64bits(bytes, AT_END));
    return store_put(txn, TABLE_META, slice_of(STORE_JOURNAL_KEY), (struct slice){bytes, sizeof bytes});
}

int journal_meta_delete(struct store_txn *txn)
{
    return store_del(txn, TABLE_META, slice_of(STORE_JOURNAL_KEY), NULL);
}
