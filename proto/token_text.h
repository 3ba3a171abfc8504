/* token_text: a token as its holder has it: `shunt_` and 56 characters of base64url, which are its number (8 bytes, big-endian) and
 * its secret. The server keeps SHA-256 of the secret alone. */
#ifndef SHUNT_PROTO_TOKEN_TEXT_H
#define SHUNT_PROTO_TOKEN_TEXT_H

#include "base/slice.h"
#include "proto/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_TEXT_PREFIX "shunt_"
#define TOKEN_TEXT_BYTES  (sizeof TOKEN_TEXT_PREFIX - 1 + (8 + TOKEN_SECRET_BYTES) * 4 / 3)

/* Terminated. What the caller does not need any more it wipes. */
void token_text_write(char to[TOKEN_TEXT_BYTES + 1], uint64_t id, const uint8_t secret[TOKEN_SECRET_BYTES]);
/* False if it is no token. */
bool token_text_read(struct slice text, uint64_t *ret_id, uint8_t ret_secret[TOKEN_SECRET_BYTES]);

#endif
