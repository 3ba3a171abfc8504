/* outbox: what connections are to be sent: collected in their outputs during a turn, and handed to the net thread once it is
 * durable. */
#ifndef SHUNT_ENGINE_OUTBOX_H
#define SHUNT_ENGINE_OUTBOX_H

#include "broker/flow/flow.h"
#include "proto/mpack.h"

struct engine;
struct session;

/* Where to write; puts the session on the list of those with output. */
struct mpack_buffer *session_out(struct session *s);
/* What was written to its output counts from now on. */
void session_count_output(struct session *s);
/* The limits on what waits to be sent, and the sum that does. */
struct flow_limits engine_limits(const struct engine *e);
size_t engine_waiting(const struct engine *e);
/* Of that, the session's own. */
size_t session_waiting(const struct session *s);

/* Hand over the output of this turn. True if there was any. */
bool outbox_fill(struct engine *e);

#endif
