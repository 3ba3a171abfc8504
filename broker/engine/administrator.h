/* administrator: the first one, made by an engine that has no thread yet. */
#ifndef SHUNT_ENGINE_ADMINISTRATOR_H
#define SHUNT_ENGINE_ADMINISTRATOR_H

#include "base/slice.h"
#include <stdint.h>

struct engine;

struct administrator {
    struct slice name;
    struct slice verifier; /* of its password; empty: it gets a token */
    struct slice hash;     /* of that */
    struct slice peer;     /* who makes it, for the audit log */
};

/* Make it, and commit. It must not be there yet.
 * out:   `*ret_token` is the number of the token; 0: there is none.
 * fails: what the ledger says, with a sentence in `ret_why`; nothing is made then. */
int engine_make_administrator(struct engine *e, const struct administrator *a, uint64_t *ret_token,
                              const char **ret_why);

#endif
