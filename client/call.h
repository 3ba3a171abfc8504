/* call: one request whose reply somebody waits for: everything but publishing, subscribing and resolving. */
#ifndef SHUNT_CLIENT_CALL_H
#define SHUNT_CLIENT_CALL_H

#include "client/input.h"
#include "client/internal.h"

enum call_state { CALL_NEW, CALL_QUEUED, CALL_SENT, CALL_ENDED };

struct call {
    struct call *next;
    struct call *prev;
    enum call_state state;
    unsigned op;
    uint32_t fields;
    struct mpack_buffer request; /* the fields, encoded */
    bool repeatable;             /* reads only: a lost connection just means to ask again */
    uint64_t id;
    struct shunt_error error;  /* ENDED: code 0 if the answer is OK */
    struct block *block;       /* keeps `reply` */
    struct mpack_reader reply; /* stands behind op and id */
    uint32_t reply_fields;
};

void call_begin(struct call *c, unsigned op, uint32_t fields, bool repeatable);
void call_done(struct call *c); /* it must not be queued or sent */

/* Queue it, wait for the answer, and read it from c->reply if 0 is returned; call_done() in any case.
 * fails: what the broker says; UNREACHABLE, TIMEOUT, DISCONNECTED, CLOSED, NO_MEMORY. */
int call_run(struct shunt *s, struct call *c, int64_t timeout_ms, struct shunt_error *err);
/* The same for a request whose answer has no fields of interest: runs and frees it. */
int call_finish(struct shunt *s, struct call *c, int64_t timeout_ms, struct shunt_error *err);
/* The same for an answer of one uint; ret may be NULL. */
int call_finish_uint(struct shunt *s, struct call *c, int64_t timeout_ms, uint64_t *ret,
                     struct shunt_error *err);

#endif
