/* policy_args: settings of topics and groups, from options as people write them to the wire's policy map. */
#ifndef SHUNT_CLIENT_WIRE_POLICY_ARGS_H
#define SHUNT_CLIENT_WIRE_POLICY_ARGS_H

#include "client/shunt.h"
#include "proto/mpack.h"

/* Append the map. `of_group`: refuse settings that only a topic has.
 * fails: BAD_ARGUMENT, the text names the setting. */
int policy_args_write(struct mpack_buffer *b, const struct shunt_options *settings, bool of_group,
                      struct shunt_error *err);

#endif
