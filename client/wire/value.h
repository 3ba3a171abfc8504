/* value: a tree made of one msgpack value that was validated. */
#ifndef SHUNT_CLIENT_WIRE_VALUE_H
#define SHUNT_CLIENT_WIRE_VALUE_H

#include "client/shunt.h"
#include "proto/mpack.h"

/* Build the tree of the one value in `bytes` (validated with mpack_check()), everything copied, in one
 * allocation. Floats become NIL. fails: NO_MEMORY, PROTOCOL. */
int value_build(struct slice bytes, struct shunt_value **ret);

#endif
