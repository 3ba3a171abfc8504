/* store_version: see store_version.h. */
#include "broker/store/store_version.h"

static const struct slice version_key = {STORE_VERSION_KEY, sizeof STORE_VERSION_KEY - 1};

int store_version_write(struct store_txn *txn)
{
    uint8_t bytes[4] = {(uint8_t)(STORE_LAYOUT_VERSION >> 24), (uint8_t)(STORE_LAYOUT_VERSION >> 16),
                        (uint8_t)(STORE_LAYOUT_VERSION >> 8), (uint8_t)STORE_LAYOUT_VERSION};
    return store_put(txn, TABLE_META, version_key, (struct slice){bytes, sizeof bytes});
}

int store_version_read(struct store_txn *txn, uint32_t *ret)
{
    struct slice value;
    int err = store_get(txn, TABLE_META, version_key, &value);
    if (err == SHUNT_NOT_FOUND || (!err && value.size != 4))
        return SHUNT_CORRUPT;
    if (err)
        return err;
    const uint8_t *b = value.data;
    *ret = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    return *ret == 0 ? SHUNT_CORRUPT : 0;
}
