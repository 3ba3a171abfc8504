/* fingerprint_eight: looks at eight bytes at a time. A flag is the highest bit of a byte. */
#ifndef SHUNT_CORE_FINGERPRINT_EIGHT_H
#define SHUNT_CORE_FINGERPRINT_EIGHT_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define EIGHT(byte)       (UINT64_C(0x0101010101010101) * (byte))
#define EIGHT_FLAGS       EIGHT(0x80)
#define EIGHT_ONLY(index) (UINT64_C(0xff) << 8 * (index)) /* all bits of one byte */

/* The first byte is the lowest one. */
static inline uint64_t eight_bytes(const char *at)
{
    uint64_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return le64toh(bytes);
}

/* Flags of those that are less than `limit`, which is at most 128. */
static inline uint64_t eight_below(uint64_t bytes, unsigned limit)
{
    return ~(((bytes & ~EIGHT_FLAGS) + EIGHT(0x80 - limit)) | bytes) & EIGHT_FLAGS;
}

static inline uint64_t eight_digits(uint64_t bytes)
{
    return eight_below(bytes ^ EIGHT('0'), 10);
}

static inline uint64_t eight_hex(uint64_t bytes)
{
    uint64_t letters = (bytes | EIGHT(0x20)) ^ EIGHT(0x60); /* 1 to 6 */
    return eight_digits(bytes) | (eight_below(letters, 7) & ~eight_below(letters, 1));
}

#endif
