/* stub: see stub.h. */
#include "broker/journal/stub.h"
#include "base/big_endian.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { AT_NUMBER = 8, AT_PLACE = 14, AT_BYTES = 20 };

static void put_six(uint8_t *to, uint64_t value)
{
    put_be32(to, (uint32_t)(value >> 16));
    to[4] = (uint8_t)(value >> 8);
    to[5] = (uint8_t)value;
}

static uint64_t get_six(const uint8_t *from)
{
    return (uint64_t)get_be32(from) << 16 | (uint64_t)from[4] << 8 | from[5];
}

static uint64_t checksum(const uint8_t *stub, const uint8_t *id, struct slice key)
{
    uint64_t seed = XXH3_64bits_withSeed(key.data, key.size, get_be64(id) ^ get_be64(id + 8));
    return XXH3_64bits_withSeed(stub + AT_NUMBER, STUB_BYTES - AT_NUMBER, seed);
}

void stub_write(uint8_t to[STUB_BYTES], const uint8_t id[JOURNAL_ID_BYTES], struct slice key,
                const struct stub *s)
{
    put_six(to + AT_NUMBER, s->number);
    put_six(to + AT_PLACE, s->at);
    put_be32(to + AT_BYTES, s->bytes);
    put_be64(to, checksum(to, id, key));
}

bool stub_read(const uint8_t id[JOURNAL_ID_BYTES], struct slice key, struct slice value, struct stub *ret)
{
    const uint8_t *bytes = value.data;
    if (value.size != STUB_BYTES || get_be64(bytes) != checksum(bytes, id, key))
        return false;
    *ret = (struct stub){.number = get_six(bytes + AT_NUMBER),
                         .at = get_six(bytes + AT_PLACE),
                         .bytes = get_be32(bytes + AT_BYTES)};
    return true;
}
