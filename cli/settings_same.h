/* settings_same: is what somebody wants to create there already, as they want it? */
#ifndef SHUNT_CLI_SETTINGS_SAME_H
#define SHUNT_CLI_SETTINGS_SAME_H

#include <stdbool.h>
#include <stddef.h>

struct call;
struct shunt_value;

/* Are the settings that the command line names in force? `policy` is what the broker shows. False: `why` names the first that is
 * not: `max-attempts is 5, not 3`. */
bool settings_same(const struct call *call, const struct shunt_value *policy, char *why, size_t room);

#endif
