/* verifier: see verifier.h. */
#include "proto/verifier.h"

#include <string.h>

/* What is left to be read. */
struct rest {
    const char *at, *end;
};

static bool take(struct rest *r, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(r->end - r->at) < size || memcmp(r->at, word, size) != 0)
        return false;
    r->at += size;
    return true;
}

/* A decimal number without zeros in front, of at most `max`; others say too much. */
static bool take_number(struct rest *r, uint32_t max, uint32_t *ret)
{
    const char *begin = r->at;
    uint64_t number = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9' && number <= max; r->at++)
        number = number * 10 + (uint64_t)(*r->at - '0');
    *ret = (uint32_t)number;
    return r->at > begin && *begin != '0' && number <= max;
}

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* Base64 without padding, of so many bytes; bits that count for nothing are the decoder's business. */
static bool take_base64(struct rest *r, uint32_t bytes_min, uint32_t bytes_max, struct slice *ret)
{
    const char *begin = r->at;
    while (r->at < r->end && is_base64(*r->at))
        r->at++;
    size_t size = (size_t)(r->at - begin);
    *ret = (struct slice){begin, size};
    return size % 4 != 1 && size * 3 / 4 >= bytes_min && size * 3 / 4 <= bytes_max;
}

bool verifier_parse(struct slice text, struct verifier *ret, const char **ret_why)
{
    struct rest r = {text.data, (const char *)text.data + text.size};
    struct verifier v = {0};
    *ret_why = "a password is set as the PHC string of Argon2id: $argon2id$v=19$m=65536,t=3,p=1$SALT$HASH";
    if (!take(&r, "$argon2id$v=19$m="))
        return false;
    if (!take_number(&r, VERIFIER_MEMORY_KIB_MAX, &v.memory_kib) || v.memory_kib < VERIFIER_MEMORY_KIB_MIN) {
        *ret_why = "Argon2id has m from 19456 to 262144 KiB here";
        return false;
    }
    if (!take(&r, ",t="))
        return false;
    if (!take_number(&r, VERIFIER_PASSES_MAX, &v.passes) || v.passes < VERIFIER_PASSES_MIN) {
        *ret_why = "Argon2id has t from 2 to 10 here";
        return false;
    }
    if (!take(&r, ",p="))
        return false;
    if (!take_number(&r, VERIFIER_LANES_MAX, &v.lanes)) {
        *ret_why = "Argon2id has p from 1 to 4 here";
        return false;
    }
    if (!take(&r, "$"))
        return false;
    if (!take_base64(&r, VERIFIER_SALT_BYTES_MIN, VERIFIER_SALT_BYTES_MAX, &v.salt)) {
        *ret_why = "the salt of a password has 16 to 64 bytes, in base64 without padding";
        return false;
    }
    if (!take(&r, "$"))
        return false;
    if (!take_base64(&r, VERIFIER_HASH_BYTES, VERIFIER_HASH_BYTES, &v.hash) || r.at != r.end) {
        *ret_why = "the hash of a password has 32 bytes, in base64 without padding";
        return false;
    }
    if (ret)
        *ret = v;
    return true;
}

bool verifier_is_valid(struct slice text, const char **ret_why)
{
    return verifier_parse(text, NULL, ret_why);
}
