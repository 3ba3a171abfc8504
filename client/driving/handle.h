/* handle: what a `struct shunt` is made of. */
#ifndef SHUNT_CLIENT_DRIVING_HANDLE_H
#define SHUNT_CLIENT_DRIVING_HANDLE_H

#include "client/driving/hooks.h"
#include "client/driving/loop.h"
#include "client/wire/core.h"

#define HANDLE_MAGIC 0x94c25321u
struct shunt {
    uint32_t magic;
    struct settings settings;
    struct core core;
    struct loop loop;
    bool closing;
    unsigned forks;                          /* fork_count() of the process that it belongs to */
    char reason[AUDIT_REASON_BYTES_MAX + 1]; /* of the acts that follow; empty: none */
    struct client_worker_slot worker;
};

/* True in a process that was forked from the one it belongs to: nothing of it may be sent there, read there
 * or called back. */
bool handle_is_copy(const struct shunt *s);
/* It has said goodbye, or will as soon as all is answered: nothing new begins. */
bool handle_is_parting(const struct shunt *s);
/* Call back for all that has ended or arrived; stops at once in a copy, also if a callback made it one. */
void handle_call_back(struct shunt *s);
/* 0, CLOSED while the handle closes or in a process that was forked from its own, or the error that ended it.
 * Every public call that would queue something asks. */
int handle_usable(const struct shunt *s, struct shunt_error *err);

#endif
