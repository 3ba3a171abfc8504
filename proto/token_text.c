/* token_text: see token_text.h. */
#include "proto/token_text.h"

#include "base/base64.h"
#include "base/big_endian.h"
#include <string.h>

#define PREFIX_BYTES (sizeof TOKEN_TEXT_PREFIX - 1)
#define TOKEN_BYTES  (8 + TOKEN_SECRET_BYTES)
_Static_assert(TOKEN_BYTES % 3 == 0, "base64 needs no padding");

/* Each `from` becomes `to`: base64url differs in two characters. */
static void exchange(char *text, size_t size, const char from[2], const char to[2])
{
    for (size_t i = 0; i < size; i++)
        text[i] = text[i] == from[0] ? to[0] : text[i] == from[1] ? to[1] : text[i];
}

void token_text_write(char to[TOKEN_TEXT_BYTES + 1], uint64_t id, const uint8_t secret[TOKEN_SECRET_BYTES])
{
    uint8_t bytes[TOKEN_BYTES];
    put_be64(bytes, id);
    memcpy(bytes + 8, secret, TOKEN_SECRET_BYTES);
    memcpy(to, TOKEN_TEXT_PREFIX, PREFIX_BYTES);
    base64_encode(to + PREFIX_BYTES, bytes, sizeof bytes);
    exchange(to + PREFIX_BYTES, TOKEN_TEXT_BYTES - PREFIX_BYTES, "+/", "-_");
    to[TOKEN_TEXT_BYTES] = 0;
    explicit_bzero(bytes, sizeof bytes);
}

bool token_text_read(struct slice text, uint64_t *ret_id, uint8_t ret_secret[TOKEN_SECRET_BYTES])
{
    char copy[TOKEN_TEXT_BYTES - PREFIX_BYTES];
    uint8_t bytes[TOKEN_BYTES];
    size_t size = 0;
    const char *at = text.data;
    if (text.size != TOKEN_TEXT_BYTES || memcmp(at, TOKEN_TEXT_PREFIX, PREFIX_BYTES) != 0)
        return false;
    memcpy(copy, at + PREFIX_BYTES, sizeof copy);
    bool right = !memchr(copy, '+', sizeof copy) && !memchr(copy, '/', sizeof copy);
    exchange(copy, sizeof copy, "-_", "+/");
    right = right && base64_decode(bytes, copy, sizeof copy, &size) && size == sizeof bytes;
    if (right) {
        *ret_id = get_be64(bytes);
        memcpy(ret_secret, bytes + 8, TOKEN_SECRET_BYTES);
    }
    explicit_bzero(copy, sizeof copy);
    explicit_bzero(bytes, sizeof bytes);
    return right;
}
