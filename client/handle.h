/* handle: what a `struct shunt` is made of. */
#ifndef SHUNT_CLIENT_HANDLE_H
#define SHUNT_CLIENT_HANDLE_H

#include "client/core.h"
#include "client/loop.h"

struct shunt {
    struct settings settings;
    struct core core;
    struct loop loop;
    bool closing;
    struct client_worker_slot worker;
};

/* 0, CLOSED while the handle closes or in a process that was forked from its own, or the error that ended it.
 * Every public call that would queue something asks. */
int handle_usable(const struct shunt *s, struct shunt_error *err);

#endif
