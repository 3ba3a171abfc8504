/* init_admin: makes the first administrator, in the store of a server that is stopped. */
#ifndef SHUNT_BROKER_INIT_ADMIN_H
#define SHUNT_BROKER_INIT_ADMIN_H

#include "broker/config.h"

/* Make the user `name`, who may do everything, in the store of the settings, which is made if it is not there. With `password_file` (a file, or `-` for
 * standard input) its first line is the password; without (NULL), a token is made and written to standard output. Returns an exit status. */
int init_admin_run(const struct config *config, const char *name, const char *password_file);

#endif
