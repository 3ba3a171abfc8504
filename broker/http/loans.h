/* loans: all loans (loan.h), the thread that looks after them, and the lock that is theirs. It never waits for one alone. */
#ifndef SHUNT_HTTP_LOANS_H
#define SHUNT_HTTP_LOANS_H

#include "broker/http/calls.h"
#include "broker/http/loan.h"

#define LOANS_DEFAULT 128 /* at once: the setting http-leases */

struct loans_limits {
    unsigned loans; /* at once, of which … */
    unsigned calls; /* … so many belong to lease calls that wait, or whose answer is being sent */
};

struct loans;

/* Start its thread. fails: IO, NO_MEMORY. */
int loans_start(const struct calls_config *config, const struct loans_limits *limits, struct loans **ret);
/* As it was started with. */
struct loans_limits loans_limits(const struct loans *c);
/* From now on none begins, or they do again. When this returns, connect() is not called any more. */
void loans_open(struct loans *c, bool open);
/* End all, with SHUTTING_DOWN for each call that waits, and the thread. */
void loans_stop(struct loans *c);
void loans_free(struct loans *c); /* no lease call refers to one; takes NULL */

enum loans_full { LOANS_HAVE_ROOM, LOANS_NO_CALL, LOANS_NO_LOAN };

/* Begin one for a client at `peer`, with the names of its certificate or NULL, both copied. fails: TOO_MANY (`*ret_full` says of what), SHUTTING_DOWN, NO_MEMORY; `wake` is not called then. */
int loans_ask(struct loans *c, const struct loan_ask *ask, const char *peer, const char *names,
              struct loan **ret, enum loans_full *ret_full);
/* After `wake`: the messages, an OK frame's payload that is the caller's to free; empty: there are none, `*ret` says why not if
 * something went wrong. */
struct mpack_buffer loans_take(struct loans *c, struct loan *l, struct problem *ret);
/* The lease call is over; `sent`: its client has got the messages. The loan is not the caller's any more. */
void loans_call_done(struct loans *c, struct loan *l, bool sent);

/* Answer a message. False: `token` names none of this group that is held now by a client with these credentials (if clients must log in); `wake` is
 * not called then. */
bool loans_resolve(struct loans *c, const struct login_header *login, struct slice topic, struct slice group,
                   const char *token, struct wire_entry *with, struct loan_answer *answer);

#endif
