/* fingerprint_token: see fingerprint_token.h. */
#include "broker/core/fingerprint_token.h"

#include "broker/core/fingerprint_eight.h"

/* clang-format off */
#define D DIGIT | HEX
#define X UPPER | HEX
#define U UPPER
#define x LOWER | HEX
#define l LOWER
#define T TOKEN
#define Q QUOTE
#define B BRACKET
#define H HIGH
#define HIGHS H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H
const uint8_t byte_classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /*  ! " # $ % & '  ( ) * + , - . / */
    0, 0, Q, 0, T, T, T, Q, B, B, T, T, 0, T, T, T,
    /* 0 to 9 : ; < = > ? */
    D, D, D, D, D, D, D, D, D, D, T, 0, 0, 0, 0, 0,
    /* @ A to O */
    T, X, X, X, X, X, X, U, U, U, U, U, U, U, U, U,
    /* P to Z [ \ ] ^ _ */
    U, U, U, U, U, U, U, U, U, U, U, B, T, B, 0, T,
    /* ` a to o */
    Q, x, x, x, x, x, x, l, l, l, l, l, l, l, l, l,
    /* p to z { | } ~ DEL */
    l, l, l, l, l, l, l, l, l, l, l, B, 0, B, T, 0,
    HIGHS, HIGHS, HIGHS, HIGHS, HIGHS, HIGHS, HIGHS, HIGHS};
#undef D
#undef X
#undef U
#undef x
#undef l
#undef T
#undef Q
#undef B
#undef H
#undef HIGHS
/* clang-format on */

/* ---- tokens ---- */

/* `pay.c`, `pay.c:12:3`: a name with an ending. */
static bool has_extension(const char *at, const char *end)
{
    const char *dot = memchr(at, '.', (size_t)(end - at));
    if (!dot || dot == at)
        return false;
    const char *p = dot + 1;
    while (p < end && byte_class(*p) & WORD)
        p++;
    return p - dot > 1 && p - dot <= 6 && (p == end || *p == ':' || *p == '.');
}

bool token_is_path(struct slice s, size_t slashes)
{
    const char *at = s.data;
    if (s.size < 2)
        return false;
    if (at[0] == '\\' && at[1] == '\\')
        return true;
    if (s.size > 2 && at[1] == ':' && at[2] == '\\')
        return true;
    if (slashes == 0)
        return false;
    if (at[0] == '/' || slashes > 1 || (at[0] == '.' && (at[1] == '/' || at[1] == '.')) || at[0] == '~')
        return true;
    const char *slash = memchr(at, '/', s.size);
    return slash && has_extension(slash + 1, at + s.size);
}

bool token_is_email(struct slice s)
{
    const char *at = s.data;
    const char *sign = memchr(at, '@', s.size);
    if (!sign || sign == at)
        return false;
    const char *host = sign + 1;
    size_t left = s.size - (size_t)(host - at);
    return left > 2 && byte_class(host[0]) & WORD && memchr(host, '.', left) && !memchr(host, '/', left);
}

bool token_is_groups(struct slice s)
{
    const char *at = s.data;
    size_t colons = 0, group = 0;
    bool digits = false, letters = false; /* a time has none */
    for (size_t i = 0; i < s.size; i++) {
        unsigned class = byte_class(at[i]);
        digits |= (class & DIGIT) != 0;
        letters |= (class & LETTER) != 0;
        if (class & HEX)
            group++;
        else if (at[i] == ':' || (at[i] == '-' && i % 3 == 2))
            colons++, group = 0;
        else
            return false;
        if (group > 4)
            return false;
    }
    return digits && colons > 1 && (letters || at[0] == ':'); /* `::1` */
}

/* Small letters, capitals and digits change places about two times of three in what was drawn at random, and
 * one time of three in `camelCase`. */
bool token_is_random(struct slice s)
{
    const char *at = s.data;
    size_t changes = 0;
    unsigned seen = 0;
    if (s.size < RANDOM_BYTES_MIN)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        unsigned class = byte_class(at[i]) & WORD;
        changes += i > 0 && class && class != (byte_class(at[i - 1]) & WORD);
        seen |= class;
    }
    return changes * 2 >= s.size || (changes * 5 >= s.size * 2 && seen & DIGIT);
}

bool token_is_uuid(const char *at, size_t left)
{
    static const uint64_t in_second = EIGHT_ONLY(0) | EIGHT_ONLY(5), in_third = EIGHT_ONLY(2) | EIGHT_ONLY(7);
    if (left < UUID_BYTES)
        return false;
    uint64_t second = eight_bytes(at + 8), third = eight_bytes(at + 16);
    if (((second ^ EIGHT('-')) & in_second) || ((third ^ EIGHT('-')) & in_third))
        return false;
    second ^= EIGHT('-' ^ '0') & in_second;
    third ^= EIGHT('-' ^ '0') & in_third;
    uint64_t hex = eight_hex(eight_bytes(at)) & eight_hex(second) & eight_hex(third) &
                   eight_hex(eight_bytes(at + 24)) & eight_hex(eight_bytes(at + UUID_BYTES - 8));
    return hex == EIGHT_FLAGS && (left == UUID_BYTES || !(byte_class(at[UUID_BYTES]) & WORD));
}

/* ---- words ---- */

#define WORD_BYTES_MAX 9 /* of those in the tables */

static bool is_one_of(struct slice s, const char *const *words, size_t count)
{
    if (s.size == 0 || s.size > WORD_BYTES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (words[i][0] == *(const char *)s.data && slice_is(s, words[i]))
            return true;
    }
    return false;
}
#define is_in(s, table) is_one_of((s), (table), sizeof table / sizeof *table)

bool word_is_unit(struct slice s)
{
    static const char *const units[] = {"s",  "m",  "h",  "d",  "w",  "y",  "k",  "e",  "E",
                                        "x",  "K",  "M",  "G",  "T",  "B",  "Z",  "T",  "ns",
                                        "us", "st", "nd", "rd", "th", "Hz", "Mb", "kb", "MHz"};
    return is_in(s, units) || word_is_long_unit(s);
}

bool word_is_long_unit(struct slice s)
{
    static const char *const units[] = {
        "ms",   "ns",    "us",  "sec",  "secs", "second", "seconds", "min",    "mins", "minute", "minutes",
        "hour", "hours", "day", "days", "week", "weeks",  "B",       "kB",     "KB",   "MB",     "GB",
        "TB",   "KiB",   "MiB", "GiB",  "TiB",  "byte",   "bytes",   "millis", "am",   "pm",     "AM",
        "PM",   "UTC",   "GMT", "CET",  "CEST", "EST",    "EDT",     "PST",    "PDT",  "BST"};
    return is_in(s, units);
}

bool word_is_of_date(struct slice s)
{
    static const char *const names[] = {"January",  "February", "March",    "April",     "May",
                                        "June",     "July",     "August",   "September", "October",
                                        "November", "December", "Monday",   "Tuesday",   "Wednesday",
                                        "Thursday", "Friday",   "Saturday", "Sunday"};
    if (s.size < 3 || s.size > WORD_BYTES_MAX || !(byte_class(*(const char *)s.data) & UPPER))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (memcmp(s.data, names[i], 3) == 0)
            return s.size == 3 || slice_is(s, names[i]);
    }
    return false;
}

/* How they end stands in fingerprint_alike.c, too. */
bool word_is_before_code(struct slice s)
{
    static const char *const words[] = {"status", "code", "errno", "exit", "signal", "http", "response"};
    char small[WORD_BYTES_MAX];
    if (s.size < 4 || s.size > 8)
        return false;
    for (size_t i = 0; i < s.size; i++)
        small[i] = (char)(((const char *)s.data)[i] | 0x20);
    struct slice lower = {small, s.size};
    return is_in(lower, words);
}
