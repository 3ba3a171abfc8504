/* fault_memo: one place for each hash. */
#include "broker/core/fault_memo.h"

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t hash_of(const struct fault *f)
{
    uint64_t hash = XXH3_64bits_withSeed(f->stack.data, f->stack.size, f->reason);
    hash = XXH3_64bits_withSeed(f->message.data, f->message.size, hash);
    return XXH3_64bits_withSeed(f->type.data, f->type.size, hash);
}

static bool is_same_text(struct slice a, struct slice b)
{
    return a.size == b.size && (!a.size || !memcmp(a.data, b.data, a.size));
}

static bool is_same(const struct fault *a, const struct fault *b)
{
    return a->reason == b->reason && a->outcome == b->outcome && is_same_text(a->message, b->message) &&
           is_same_text(a->stack, b->stack) && is_same_text(a->type, b->type) &&
           is_same_text(a->given, b->given);
}

static struct slice keep(char **at, struct slice text)
{
    struct slice kept = {*at, text.size};
    if (text.size)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return kept;
}

static void remember(struct fault_memo_entry *e, const struct fault *f, uint64_t fingerprint)
{
    size_t size = f->type.size + f->message.size + f->stack.size + f->given.size;
    e->fingerprint = 0;
    if (size > FAULT_MEMO_BYTES_MAX)
        return;
    char *at = e->bytes;
    e->fault = *f;
    e->fault.type = keep(&at, f->type);
    e->fault.message = keep(&at, f->message);
    e->fault.stack = keep(&at, f->stack);
    e->fault.given = keep(&at, f->given);
    e->fingerprint = fingerprint;
}

uint64_t fault_memo_fingerprint(struct fault_memo *m, const struct fault *f)
{
    struct fault_memo_entry *e = &m->entries[hash_of(f) % FAULT_MEMO_ENTRIES];
    if (e->fingerprint && is_same(&e->fault, f))
        return e->fingerprint;
    uint64_t fingerprint = fingerprint_of(f);
    remember(e, f, fingerprint);
    return fingerprint;
}
