/* settings: the settings of topics and groups as options, as the client library lists them. */
#ifndef SHUNT_CLI_SETTINGS_H
#define SHUNT_CLI_SETTINGS_H

#include <stddef.h>

#include "cli/command.h"

struct call;
struct option_row;
struct shunt_options;

/* Static storage, made at the first call. */
const struct option_row *settings_rows(enum command_settings which, size_t *ret_count);

/* The settings given on the command line; the caller frees. NULL without memory. *ret_count (may be NULL) is
 * how many. */
struct shunt_options *settings_take(const struct call *call, size_t *ret_count);

#endif
