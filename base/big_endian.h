/* big_endian: integers in bytes, the most significant one first, so that their order is that of the numbers. */
#ifndef SHUNT_BASE_BIG_ENDIAN_H
#define SHUNT_BASE_BIG_ENDIAN_H

#include <stdint.h>
#include <string.h>

static inline void put_be32(uint8_t *to, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(to, &v, 4);
}

static inline void put_be64(uint8_t *to, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(to, &v, 8);
}

static inline uint32_t get_be32(const uint8_t *from)
{
    uint32_t v;
    memcpy(&v, from, 4);
    return __builtin_bswap32(v);
}

static inline uint64_t get_be64(const uint8_t *from)
{
    uint64_t v;
    memcpy(&v, from, 8);
    return __builtin_bswap64(v);
}

#endif
