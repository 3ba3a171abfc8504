/* fingerprint: see fingerprint.h. */
#include "broker/core/fingerprint.h"

#include <xxhash.h>

#include "base/check.h"
#include "base/utf8.h"
#include "proto/limits.h"

/* A text in the making; what does not fit is left out. */
struct text {
    size_t size, max;
    char *bytes;
};

static void put(struct text *t, const void *bytes, size_t size)
{
    size_t room = t->max - t->size;
    size_t fits = size <= room ? size : room;
    memcpy(t->bytes + t->size, bytes, fits);
    t->size += fits;
}

static void put_words(struct text *t, const char *words)
{
    put(t, words, strlen(words));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The first line, with a mark for each number. */
static void put_message(struct text *t, struct slice message)
{
    const char *at = message.data;
    const char *end = at + utf8_prefix(at, message.size, ERROR_MESSAGE_BYTES_MAX);
    while (at < end && *at != '\n') {
        size_t step = utf8_step(at, (size_t)(end - at));
        if (is_digit(*at)) {
            while (at < end && is_digit(*at))
                at++;
            put(t, "#", 1);
        } else {
            put(t, step ? at : "?", step ? step : 1);
            at += step ? step : 1;
        }
    }
}

/* What the error is called where there is one, or what ended the message. */
static struct slice name_of(const struct fault *f)
{
    static const char *const reasons[DEAD_REASONS] = DEAD_REASON_NAMES;
    static const char *const outcomes[ATTEMPT_OUTCOMES] = ATTEMPT_OUTCOME_NAMES;
    check((unsigned)f->reason < DEAD_REASONS && (unsigned)f->outcome < ATTEMPT_OUTCOMES);
    if (f->reason != DEAD_REJECTED && f->reason != DEAD_MAX_ATTEMPTS)
        return slice_of(reasons[f->reason]);
    struct slice type = {f->type.data, utf8_prefix(f->type.data, f->type.size, ERROR_TYPE_BYTES_MAX)};
    return f->type.size || f->message.size ? type : slice_of(outcomes[f->outcome]);
}

static void write(struct text *t, const struct fault *f)
{
    struct slice name = name_of(f);
    put_message(t, name);
    if (f->reason != DEAD_REJECTED && f->reason != DEAD_MAX_ATTEMPTS)
        return;
    if (name.size && f->message.size)
        put_words(t, ": ");
    put_message(t, f->message);
}

uint64_t fingerprint_of(const struct fault *f)
{
    char bytes[FINGERPRINT_TITLE_BYTES];
    struct text t = {.bytes = bytes, .max = sizeof bytes};
    if (f->given.size)
        put(&t, f->given.data, f->given.size);
    else
        write(&t, f);
    uint64_t hash = XXH3_64bits_withSeed(bytes, t.size, FINGERPRINT_VERSION);
    return hash ? hash : 1;
}

size_t fingerprint_title(const struct fault *f, char *to, size_t max)
{
    struct text t = {.bytes = to, .max = max};
    if (f->given.size)
        put_message(&t, f->given);
    else
        write(&t, f);
    return t.size;
}

void fingerprint_write(char to[FINGERPRINT_DIGITS + 1], uint64_t fingerprint)
{
    for (size_t i = 0; i < FINGERPRINT_DIGITS; i++)
        to[i] = "0123456789abcdef"[fingerprint >> (60 - 4 * i) & 15];
    to[FINGERPRINT_DIGITS] = '\0';
}

static int digit_value(char c)
{
    return is_digit(c)            ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool fingerprint_read(struct slice text, uint64_t *ret)
{
    const char *at = text.data;
    uint64_t value = 0;
    if (text.size != FINGERPRINT_DIGITS)
        return false;
    for (size_t i = 0; i < FINGERPRINT_DIGITS; i++) {
        int digit = digit_value(at[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (unsigned)digit;
    }
    *ret = value;
    return value != 0;
}
