/* work_broker: `work` at its start, when the broker may come up later than the worker, and at its end. */
#ifndef SHUNT_CLI_WORK_BROKER_H
#define SHUNT_CLI_WORK_BROKER_H

#include <stdbool.h>
#include <stdint.h>

struct call;
struct shunt_options;
struct shunt_value;

/* Open the handle with `options` and connect. While the broker cannot be reached, try on with the library's
 * back-off and say so once: for ever, or for `patience_ms` (0 or more). `signal_fd` (signals_open()) ends the
 * waiting. Returns EXIT_OK with *ret_connected, or not if a signal came; else the exit code after telling
 * why: what waiting does not mend (a bad address, refused credentials, another protocol) at once,
 * EXIT_UNREACHABLE when the time is over. */
int work_broker_await(struct call *call, const struct shunt_options *options, int signal_fd,
                      int64_t patience_ms, bool *ret_connected);

/* What the broker says of the group, for work_broker_tell_dead() when the connection is closed; NULL if it does not answer. */
struct shunt_value *work_broker_group(struct call *call);
/* How many dead letters it has, if any. Frees `group`, which may be NULL. */
void work_broker_tell_dead(struct call *call, struct shunt_value *group);

#endif
