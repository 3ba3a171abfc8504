/* settings_read: the options of shunt_open(), parsed and with their defaults. */
#ifndef SHUNT_CLIENT_DRIVING_SETTINGS_READ_H
#define SHUNT_CLIENT_DRIVING_SETTINGS_READ_H

#include "client/shunt.h"
#include "client/wire/settings.h"

/* fails: BAD_ARGUMENT, the text names the option. */
int settings_read(const struct shunt_options *options, struct settings *ret, struct shunt_error *err);

#endif
