/* base64: bytes as text and back (RFC 4648, section 4). */
#ifndef SHUNT_BASE_BASE64_H
#define SHUNT_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* What `size` bytes become; at most SIZE_MAX / 4 of them. */
#define base64_size(size) (((size) + 2) / 3 * 4)

/* Write base64_size(size) characters, with padding and without a terminator. Bytes may be encoded piece by piece if all pieces
 * but the last are a multiple of three. */
void base64_encode(char *to, const void *bytes, size_t size);

/* Decode `text` into `to`, which holds size / 4 * 3 bytes. False if it is not base64 with its padding, or if bits that count for
 * nothing are set. */
bool base64_decode(void *to, const char *text, size_t size, size_t *ret_size);

#endif
