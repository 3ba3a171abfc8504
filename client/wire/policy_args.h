/* policy_args: settings of topics and groups, from options as people write them to a change of them. */
#ifndef SHUNT_CLIENT_WIRE_POLICY_ARGS_H
#define SHUNT_CLIENT_WIRE_POLICY_ARGS_H

#include "client/shunt.h"
#include "proto/policy.h"

/* `of_group`: refuse settings that only a topic has. `*ret` is part of the change after a failure.
 * fails: BAD_ARGUMENT, the text names the setting. */
int policy_args_read(const struct shunt_options *settings, bool of_group, struct policy_change *ret,
                     struct shunt_error *err);

#endif
