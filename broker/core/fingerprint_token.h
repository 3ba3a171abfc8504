/* fingerprint_token: what a token of a message is: pure looks at bytes. */
#ifndef SHUNT_CORE_FINGERPRINT_TOKEN_H
#define SHUNT_CORE_FINGERPRINT_TOKEN_H

#include "base/slice.h"

enum byte_class {
    DIGIT = 1,
    UPPER = 2,
    LOWER = 4,
    HEX = 8,    /* a to f, A to F */
    HIGH = 16,  /* of UTF-8, or of nothing */
    TOKEN = 32, /* goes on with a token, beside letters and digits */
    QUOTE = 64,
    BRACKET = 128,
    LETTER = UPPER | LOWER,
    WORD = LETTER | DIGIT
};

extern const uint8_t byte_classes[256];

static inline unsigned byte_class(char c)
{
    return byte_classes[(uint8_t)c];
}

/* Longer tokens whose letters look drawn at random are ids. */
#define RANDOM_BYTES_MIN 16
#define UUID_BYTES       36

bool token_is_path(struct slice s, size_t slashes);
bool token_is_email(struct slice s);
/* IPv6, the address of a network card: groups of up to four hexadecimal digits, colons between. */
bool token_is_groups(struct slice s);
bool token_is_random(struct slice s);
bool token_is_uuid(const char *at, size_t left);

/* Letters only: `ms`, `bytes`, `UTC`; `th`. */
bool word_is_unit(struct slice s);
/* ... that may also stand behind a blank, where `m` and `s` may be anything. */
bool word_is_long_unit(struct slice s);
/* `Nov`, `November`, `Sat`. */
bool word_is_of_date(struct slice s);
/* The number behind it says what happened, and not to which: `status 503`, `exit 1`. */
bool word_is_before_code(struct slice s);

#endif
