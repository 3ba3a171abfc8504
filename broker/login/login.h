/* login: verifies passwords for the engine, off its thread, and remembers for a while which were right.
 *
 *     login_password ──→ remembered: RIGHT at once
 *                    ──→ throttle ──→ BUSY, or a ticket ──→ pool ──→ answer(ticket) ──→ login_end: RIGHT or WRONG
 *
 * Everything but the pool's threads is the engine's thread's. The user's number, and what verifies his password, are given to it:
 * it knows no ledger. Nothing that it keeps, tells or logs is a password: what is remembered is a hash that is keyed with random
 * bytes of this process.
 */
#ifndef SHUNT_LOGIN_LOGIN_H
#define SHUNT_LOGIN_LOGIN_H

#include "base/slice.h"
#include <stdbool.h>
#include <stdint.h>

#define LOGIN_PASSWORD_BYTES_MAX 1024
#define LOGIN_REMEMBERED         1024             /* passwords that were right; the oldest make room */
#define LOGIN_REMEMBER_MS        (10 * 60 * 1000) /* for so long */

/* Nobody's, for names that no user has: of the parameters that `shunt user passwd` takes, so that it takes as long. Nobody knows a password that
 * is right for it, and none would let anybody in. */
#define LOGIN_NOBODYS_VERIFIER                                                                               \
    "$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

struct login;
struct login_ticket;

struct login_settings {
    unsigned threads;
    uint64_t queue_max;
};

/* fails: NO_MEMORY, IO (no thread, or no random bytes). */
int login_new(const struct login_settings *settings, struct login **ret);
/* Before the first attempt: `answer` is called on a thread of the pool when a ticket can be given to login_end(). */
void login_bind(struct login *l, void (*answer)(void *owner, struct login_ticket *ticket), void *owner);
/* Ends the threads: no call of `answer` comes from now on, nor after it. Tickets that wait are answered within the call. */
void login_stop(struct login *l);
/* After login_stop(), and when all tickets have ended. Takes NULL. */
void login_free(struct login *l);

struct login_attempt {
    struct slice peer;     /* address of the connection, as `127.0.0.1:1234` */
    struct slice name;     /* as it was given: there may be no such user */
    struct slice password; /* at most LOGIN_PASSWORD_BYTES_MAX */
    /* PHC string of the user; empty: there is no such user, or no password: then none is right */
    struct slice verifier;
    uint64_t user, changed; /* of the user: what was remembered of another state of it counts no more */
    int64_t now_ms;         /* mono */
    void *context;
};

enum login_verdict { LOGIN_RIGHT, LOGIN_WRONG, LOGIN_LATER, LOGIN_BUSY };

/* RIGHT: it is remembered. LATER: `answer` comes with a ticket of this context. BUSY: it is refused unseen; `*ret_retry_ms` is how long to
 * wait, 0: not known. Whether there is such a user changes nothing about the time that it takes. */
enum login_verdict login_password(struct login *l, const struct login_attempt *a, int64_t *ret_retry_ms);

/* The context that a ticket was made for. */
void *login_context(const struct login_ticket *ticket);
/* Takes the ticket. RIGHT or WRONG; also for an attempt whose connection is gone, so that its failure counts. */
enum login_verdict login_end(struct login *l, struct login_ticket *ticket, int64_t now_ms);

/* Takes a ticket that nobody will look at any more. Takes NULL. */
void login_drop(struct login_ticket *ticket);

/* Attempts that wait or are being verified. Any thread. */
uint64_t login_waiting(struct login *l);

/* For tests, with 0 threads: verify the next attempt that is due. False: there is none. */
bool login_run(struct login *l, int64_t now_ms);

#endif
