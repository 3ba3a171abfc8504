/* auth: who a handle says that it is, and where it has that from. */
#ifndef SHUNT_CLIENT_DRIVING_AUTH_H
#define SHUNT_CLIENT_DRIVING_AUTH_H

#include "client/driving/url.h"
#include "client/wire/settings.h"

/* What the URL and the options say together: of a user and where its secret is, either may say it, and not both. The secret of a file is looked
 * at and forgotten. No secret goes to another machine without TLS, unless `insecure` says so.
 * fails: BAD_ARGUMENT, IO, with a sentence. */
int auth_read(const struct shunt_options *options, const struct url_list *hosts, struct auth *ret,
              struct shunt_error *err);

/* For a connection that is about to say hello: the secret is in `a`, from its file if it has one.
 * fails: BAD_ARGUMENT, IO. */
int auth_load(struct auth *a, struct shunt_error *err);
/* It has been said: what came from a file is wiped. */
void auth_unload(struct auth *a);

#endif
