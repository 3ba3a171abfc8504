/* text: one growing buffer that is only appended to. Numbers do not depend on the locale. */
#ifndef SHUNT_HTTP_TEXT_H
#define SHUNT_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty text. `failed` after an allocation failed; later writes do nothing. Not
 * NUL-terminated. */
struct text {
    char *data;
    size_t size;
    size_t capacity;
    bool failed;
};

void text_done(struct text *t); /* frees the bytes; takes an empty one */
void text_add(struct text *t, const char *string);
void text_add_bytes(struct text *t, const char *bytes, size_t size);
void text_add_u64(struct text *t, uint64_t value);

/* A number as Prometheus reads it: at most nine decimals, no exponent, without trailing zeros; `NaN`, `+Inf`,
 * `-Inf`. Beyond what an uint64_t holds it becomes an infinity. */
void text_add_decimal(struct text *t, double value);

/* Milliseconds as seconds, exactly: 1500 is `1.5`. */
void text_add_ms_as_seconds(struct text *t, int64_t ms);

/* `name="value"`, the value escaped as text format 0.0.4 wants it: backslash, quote and newline. Bytes that
 * are not UTF-8 become `?`, for one bad name must not make a whole scrape unreadable. */
void text_add_label(struct text *t, const char *name, const char *value);

/* A JSON string in its quotes; each byte that is not UTF-8 becomes U+FFFD. */
void text_add_json(struct text *t, const char *string);
/* The same of a part of a string, without quotes. */
void text_add_json_part(struct text *t, const char *bytes, size_t size);

#endif
