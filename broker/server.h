/* server: a running shuntd: the store, the engine, the sockets, HTTP, and the signals that stop or reload
 * them. */
#ifndef SHUNT_BROKER_SERVER_H
#define SHUNT_BROKER_SERVER_H

#include "broker/options.h"

/* Run until a signal ends it. Returns the exit status; what went wrong has been logged.
 * owns: takes what `config` holds. */
int server_run(const struct options *options, struct config *config);

/* Verify the store in options->check_dir; the report goes to stdout. Returns the exit status. */
int server_check(const struct options *options, const struct config *config);

#endif
