/* fuzz_fingerprint: any bytes as the report of a failure: [reason][outcome][type] NUL [message] NUL [stack]. What is remembered
 * of reports must not tell. */
#include "base/utf8.h"
#include "broker/core/fault_memo.h"
#include "broker/core/fingerprint_alike.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static struct slice take(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *nul = *at < end ? memchr(*at, 0, (size_t)(end - *at)) : NULL;
    struct slice s = {*at, (size_t)((nul ? nul : end) - *at)};
    *at = nul ? nul + 1 : end;
    return s;
}

/* As the attempt ledger keeps it; the caller frees. */
static struct slice kept(struct slice s, size_t max, bool end)
{
    const char *from = s.data;
    size_t begin = end && s.size ? utf8_suffix(from, s.size, max) : 0;
    size_t size = end ? s.size - begin : utf8_prefix(from, s.size, max);
    char *to = malloc(size + 1);
    MUST(to);
    utf8_clean(to, from + begin, size);
    return (struct slice){to, size};
}

static void try_title(const struct fault *f, size_t max)
{
    char *title = malloc(max + 1);
    MUST(title);
    title[max] = '~';
    size_t size = fingerprint_title(f, title, max);
    MUST(size <= max && title[max] == '~' && utf8_valid(title, size));
    MUST(!memchr(title, '\n', size));
    free(title);
}

/* The message or the stack with other values, and what is remembered of this and earlier inputs, come to the same. */
static void try_memo(const struct fault *f, uint64_t fingerprint)
{
    static struct fault_memo memo;
    struct alike room;
    struct fault alike = *f;
    alike.message = fingerprint_alike(f, &room);
    MUST(alike.message.size == f->message.size);
    MUST(fingerprint_of(&alike) == fingerprint);
    MUST(fault_memo_fingerprint(&memo, f) == fingerprint);
    MUST(fault_memo_fingerprint(&memo, &alike) == fingerprint);
    alike.message = f->message;
    static bool counts[ALIKE_BYTES_MAX];
    struct fault_use use = {.counts = counts};
    if (f->stack.size > sizeof counts)
        return;
    memset(counts, false, sizeof counts);
    MUST(fingerprint_of_noting(f, &use) == fingerprint);
    alike.stack = fingerprint_alike_stack(f->stack, &use, &room);
    MUST(alike.stack.size == f->stack.size);
    MUST(fingerprint_of(&alike) == fingerprint);
    MUST(fault_memo_fingerprint(&memo, &alike) == fingerprint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const uint8_t *at = data + 2, *end = data + size;
    struct fault f = {.reason = (enum dead_reason)(data[0] % DEAD_REASONS),
                      .outcome = (enum attempt_outcome)(data[1] % ATTEMPT_OUTCOMES)};
    f.type = take(&at, end);
    f.message = take(&at, end);
    f.stack = (struct slice){at, (size_t)(end - at)};
    uint64_t fingerprint = fingerprint_of(&f);
    MUST(fingerprint != 0 && fingerprint == fingerprint_of(&f));

    struct fault stored = f;
    stored.type = kept(f.type, ERROR_TYPE_BYTES_MAX, false);
    stored.message = kept(f.message, ERROR_MESSAGE_BYTES_MAX, false);
    stored.stack = kept(f.stack, ERROR_STACK_BYTES_MAX, true);
    MUST(fingerprint_of(&stored) == fingerprint);
    free((void *)(uintptr_t)stored.type.data);
    free((void *)(uintptr_t)stored.message.data);
    free((void *)(uintptr_t)stored.stack.data);
    try_memo(&f, fingerprint);

    char digits[FINGERPRINT_DIGITS + 1];
    uint64_t back = 0;
    fingerprint_write(digits, fingerprint);
    MUST(fingerprint_read((struct slice){digits, FINGERPRINT_DIGITS}, &back) && back == fingerprint);
    try_title(&f, FINGERPRINT_TITLE_BYTES);
    try_title(&f, size % 50);
    return 0;
}
