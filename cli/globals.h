/* globals: the options of every command. They may stand before the command or after it. */
#ifndef SHUNT_CLI_GLOBALS_H
#define SHUNT_CLI_GLOBALS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/options.h"

struct call;

extern const struct option_row global_rows[];
extern const size_t global_rows_count;

/* Fill in the call's url, form, quiet and timeout from those given before the command and after it, the later
 * winning. */
bool globals_apply(struct call *call, const struct options *before);

/* The broker: as given by --url (NULL: it was not), by the environment, or the one of this machine. */
const char *globals_url(const char *given);

/* --help and --version, given before or after (`after` may be NULL). */
bool globals_ask_help(const struct options *before, const struct options *after);
bool globals_ask_version(const struct options *before, const struct options *after);

#endif
