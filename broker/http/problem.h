/* problem: what is said of a call that fails, as application/problem+json (RFC 9457). */
#ifndef SHUNT_HTTP_PROBLEM_H
#define SHUNT_HTTP_PROBLEM_H

#include "broker/http/text.h"
#include "proto/errors.h"
#include "proto/mpack.h"

enum problem_code {
    PROBLEM_NONE,
#define OF_ERROR(NAME, status, hint)
#define OF_HTTP(NAME, status, retry, title, hint) PROBLEM_##NAME,
#include "broker/http/problem.def"
#undef OF_ERROR
#undef OF_HTTP
};

#define PROBLEM_DETAIL_BYTES 512

/* One of `code` and `err`, the protocol's error. All zero: nothing is wrong. */
struct problem {
    enum problem_code code;
    int err;
    char detail[PROBLEM_DETAIL_BYTES]; /* what is wrong with this request, as UTF-8; may be empty */
    int64_t retry_after_ms;            /* how long the server wants to be left alone; 0: it does not say */
    uint64_t accepted,
        first_seq; /* of a publish: so many messages were stored all the same, from this one on */
};

/* Set what is wrong, unless something is already; returns false. What does not fit is cut. */
bool problem_is(struct problem *p, enum problem_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool problem_is_error(struct problem *p, int err, const char *detail);

static inline bool problem_is_none(const struct problem *p)
{
    return !p->code && !p->err;
}

/* What follows the text of an ERROR: how long the client is asked to wait. */
void problem_read_wait(struct problem *p, struct mpack_reader *r);

/* The status of the answer. */
unsigned problem_status(const struct problem *p);
/* True if the same request may succeed later. */
bool problem_may_pass(const struct problem *p);
void problem_write(const struct problem *p, struct text *to);

#endif
