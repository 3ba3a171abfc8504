/* fingerprint_line: looks at a line of a stack, part by part. Nothing here fails; what is not found is NULL. */
#ifndef SHUNT_CORE_FINGERPRINT_LINE_H
#define SHUNT_CORE_FINGERPRINT_LINE_H

#include "broker/core/fingerprint_token.h"

static inline struct slice between(const char *begin, const char *end)
{
    return (struct slice){begin, end > begin ? (size_t)(end - begin) : 0};
}

static inline const char *begin_of(struct slice s)
{
    return s.data;
}

static inline const char *end_of(struct slice s)
{
    return s.size ? begin_of(s) + s.size : begin_of(s); /* there may be no bytes at all */
}

/* Nearly always the first byte says no. */
static inline bool begins_with(struct slice s, const char *with, size_t size)
{
    return s.size >= size && *begin_of(s) == with[0] && memcmp(s.data, with, size) == 0;
}
#define begins(s, literal) begins_with((s), (literal), sizeof literal - 1)

static inline struct slice behind(struct slice s, size_t count)
{
    return (struct slice){begin_of(s) + count, s.size - count};
}

/* Behind `with`, if it begins so. */
static inline bool skip_words(struct slice *s, const char *with, size_t size)
{
    bool found = begins_with(*s, with, size);
    if (found)
        *s = behind(*s, size);
    return found;
}
#define skip(s, literal) skip_words((s), (literal), sizeof literal - 1)

static inline void skip_blanks(struct slice *s)
{
    while (s->size && *begin_of(*s) == ' ')
        *s = behind(*s, 1);
}

static inline const char *find(struct slice s, char c)
{
    return s.size ? memchr(s.data, c, s.size) : NULL;
}

static inline const char *find_last(struct slice s, char c)
{
    return s.size ? memrchr(s.data, c, s.size) : NULL;
}

/* For a few bytes in a line, memmem() takes longer to begin than this takes. */
static inline const char *find_bytes(struct slice s, const char *words, size_t size)
{
    const char *end = end_of(s);
    for (const char *at = begin_of(s); at && (size_t)(end - at) >= size; at++) {
        at = memchr(at, words[0], (size_t)(end - at) - size + 1);
        if (!at || memcmp(at, words, size) == 0)
            return at;
    }
    return NULL;
}
#define find_words(s, literal) find_bytes((s), (literal), sizeof literal - 1)

/* Behind the last of these bytes; all, if there is none. */
static inline struct slice behind_last(struct slice s, char c)
{
    const char *at = find_last(s, c);
    return at ? between(at + 1, end_of(s)) : s;
}

/* Before the first of these bytes; all, if there is none. */
static inline struct slice before(struct slice s, char c)
{
    const char *at = find(s, c);
    return at ? between(s.data, at) : s;
}

static inline char last_of(struct slice s)
{
    return s.size ? end_of(s)[-1] : '\0';
}

/* How many bytes of these classes it begins with. */
static inline size_t count_class(struct slice s, unsigned class)
{
    size_t n = 0;
    while (n < s.size && byte_class(begin_of(s)[n]) & class)
        n++;
    return n;
}

/* Take the numbers of line and column from behind a path: `:12:3`; false if it has none. */
static inline bool cut_line_numbers(struct slice *s)
{
    bool found = false;
    for (;;) {
        size_t n = s->size;
        const char *at = s->data;
        while (n > 0 && byte_class(at[n - 1]) & DIGIT)
            n--;
        if (n == s->size || n < 2 || at[n - 1] != ':')
            return found;
        s->size = n - 1;
        found = true;
    }
}

#endif
