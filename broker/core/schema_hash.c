/* schema_hash: the whole store as one number. */
#include "broker/core/schema.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

int schema_state_hash(struct store_txn *txn, uint64_t *ret)
{
    uint64_t hash = 0;
    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        struct store_cursor *cursor;
        struct slice key, value;
        int err = store_cursor_open(txn, (enum store_table)table, &cursor);
        if (err)
            return err;
        err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
        while (!err) {
            hash = XXH3_64bits_withSeed(key.data, key.size, hash + table);
            hash = XXH3_64bits_withSeed(value.data, value.size, hash);
            err = store_cursor_next(cursor, &key, &value);
        }
        store_cursor_close(cursor);
        if (err != SHUNT_NOT_FOUND)
            return err;
    }
    *ret = hash;
    return 0;
}
