/* head: how the headers of a request frame it, and whether they show anything to log in by. Read before anything else of it is. */
#ifndef SHUNT_HTTP_HEAD_H
#define SHUNT_HTTP_HEAD_H

#include "broker/http/problem.h"
#include <stddef.h>

/* All zero: no header was seen. */
#define HEAD_MAGIC 0x27b4e9d1u
struct head {
    uint32_t magic;
    unsigned lengths, encodings, logins; /* headers Content-Length, Transfer-Encoding, Authorization */
    const char *length, *encoding;       /* the first of each; NULL: none, or without a value */
};

struct MHD_Connection;

/* Read the headers of a request. They must live as long as `h`, which has its magic. */
void head_read(struct head *h, struct MHD_Connection *connection);
/* The same, one by one. */
void head_header(struct head *h, const char *name, const char *value);

/* Is there one way alone to read it? A proxy in front that took the other one would see another request behind it than we do.
 * fails: false, with the reason in `*ret`. */
bool head_is_sound(const struct head *h, struct problem *ret);
/* Does a body follow? */
bool head_has_body(const struct head *h);

#endif
