/* hello: the first exchange on each connection. */
#ifndef SHUNT_CLIENT_WIRE_HELLO_H
#define SHUNT_CLIENT_WIRE_HELLO_H

#include "client/wire/core.h"

/* fails: NO_MEMORY. */
int hello_write(struct core *core);
/* READY, with the limits the server told. fails: PROTOCOL, VERSION_MISMATCH. */
int hello_answered(struct core *core, struct mpack_reader *reply, struct shunt_error *err);
/* Returns the code to close the connection with; what no later attempt can change is also the core's `fatal`.
 */
int hello_refused(struct core *core, const struct shunt_error *error, struct shunt_error *err);

#endif
