/* deadline: by when a message that is published is to be handled: as --deadline says or, under `shunt work`, in the time that is left for the message
 * that is being handled. */
#ifndef SHUNT_CLI_DEADLINE_H
#define SHUNT_CLI_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;
struct shunt_message;

/* What `work` gives its commands: the deadline of their message, ms since 1970 by the clock of this machine. */
#define DEADLINE_VARIABLE "SHUNT_DEADLINE"

/* Put into the message what --deadline says or, without that option, what DEADLINE_VARIABLE does. Returns an exit code, after a complaint: EXIT_USAGE, or
 * EXIT_FAILED if the deadline has passed, because what nobody needs any more is not published. */
int deadline_compose(const struct call *call, struct shunt_message *message);

/* Whether a deadline that somebody gives is still ahead; otherwise why not, in `why`. */
bool deadline_is_ahead(int64_t deadline_ms, char *why, size_t why_bytes);

#endif
