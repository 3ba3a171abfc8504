/* call: one request whose reply somebody waits for: everything but publishing, subscribing and resolving. */
#ifndef SHUNT_CLIENT_WIRE_CALL_H
#define SHUNT_CLIENT_WIRE_CALL_H

#include "client/shunt.h"
#include "client/wire/input.h"
#include "client/wire/notice.h"
#include "proto/request.h"

enum call_state { CALL_NEW, CALL_QUEUED, CALL_SENT, CALL_ENDED };

#define CALL_MAGIC 0xa8fefea9u
struct call {
    uint32_t magic;
    struct call *next;
    struct call *prev;
    enum call_state state;
    unsigned op;
    uint32_t fields;
    struct mpack_buffer request; /* the fields, encoded */
    bool repeatable;             /* reads only: a lost connection just means to ask again */
    bool bound;                  /* it speaks of this connection, and is never sent on another */
    struct notice *notice;       /* nobody waits: the core ends and frees it; NULL: somebody does */
    int64_t until_us;            /* somebody waits for its end; INT64_MAX: without end */
    unsigned tries;              /* that it was sent */
    int64_t after_us;            /* QUEUED: not before; 0: at once */
    uint64_t id;
    struct shunt_error error; /* ENDED: code 0 if the answer is OK. QUEUED: why it is tried again, if it is */
    struct block *block;      /* keeps `reply` */
    struct mpack_reader reply; /* stands behind op and id */
    uint32_t reply_fields;
};

struct call_list {
    struct call *head;
    struct call *tail;
    size_t count;
};

void call_begin(struct call *c, const struct request_form *form, const union request_fields *fields,
                bool repeatable);
void call_done(struct call *c); /* it must not be queued or sent */
/* One that nobody waits for; it takes the notice. NULL without memory, and the notice is freed. */
struct call *call_new(const struct request_form *form, const union request_fields *fields, bool repeatable,
                      struct notice *notice);
/* Its notice goes into `told` with this error (code 0: none), the rest of it is freed. */
void call_tell(struct call *c, const struct shunt_error *error, struct notice_list *told);

#endif
