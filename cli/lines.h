/* lines: bytes that come in pieces, taken out line by line, with a bound on a line. */
#ifndef SHUNT_CLI_LINES_H
#define SHUNT_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* Without the newline. An answer with all texts of a failure at their longest, each byte escaped, is half of it. */
#define LINE_BYTES_MAX (256u * 1024)

struct lines {
    char *bytes;
    size_t begin; /* of what was not taken yet */
    size_t seen;  /* before this there is no newline */
    size_t count;
    size_t capacity;
    bool too_long; /* a line has no end within LINE_BYTES_MAX: nothing more is taken */
    bool failed;   /* without memory */
    bool ended;    /* nothing more comes */
};

void lines_done(struct lines *l);

/* May more be added? Not after a line that is too long. */
bool lines_takes(const struct lines *l);
void lines_add(struct lines *l, const char *bytes, size_t count);
void lines_end(struct lines *l);

/* The next whole line without its newline, which lives until the next lines_add(); false if there is none. */
bool lines_next(struct lines *l, const char **ret, size_t *ret_count);

#endif
