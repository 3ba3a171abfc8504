/* What comes from people and clients about users: verifiers, tokens, grants, names. What is read is written as it was. */
#include "proto/grant_text.h"
#include "proto/names.h"
#include "proto/token_text.h"
#include "proto/verifier.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void try_grant(struct slice text)
{
    char again[GRANT_TEXT_BYTES_MAX + 1];
    struct slice pattern, same;
    uint32_t rights, same_rights;
    if (!grant_text_read(text, &pattern, &rights))
        return;
    MUST(rights && rights <= RIGHTS_ALL && pattern.size <= text.size);
    if (pattern.size > NAME_BYTES_MAX || memchr(pattern.data, 0, pattern.size))
        return;
    size_t size = grant_text_write(again, pattern, rights);
    MUST(grant_text_read((struct slice){again, size}, &same, &same_rights));
    MUST(same_rights == rights && slice_equal(same, pattern));
}

static void try_token(struct slice text)
{
    uint8_t secret[TOKEN_SECRET_BYTES];
    char again[TOKEN_TEXT_BYTES + 1];
    uint64_t id;
    if (!token_text_read(text, &id, secret))
        return;
    token_text_write(again, id, secret);
    MUST(slice_is(text, again));
}

static void try_verifier(struct slice text)
{
    struct verifier v;
    const char *why = NULL;
    if (!verifier_parse(text, &v, &why)) {
        MUST(why);
        return;
    }
    MUST(v.memory_kib >= VERIFIER_MEMORY_KIB_MIN && v.memory_kib <= VERIFIER_MEMORY_KIB_MAX);
    MUST(v.passes >= VERIFIER_PASSES_MIN && v.passes <= VERIFIER_PASSES_MAX && v.lanes >= 1 &&
         v.lanes <= VERIFIER_LANES_MAX);
    MUST((const char *)v.hash.data + v.hash.size == (const char *)text.data + text.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {data, size};
    try_grant(text);
    try_token(text);
    try_verifier(text);
    MUST(!name_is_user(text) || size <= NAME_BYTES_MAX);
    MUST(!name_is_of_certificate(text) || size <= CERTIFICATE_NAME_BYTES_MAX);
    return 0;
}
