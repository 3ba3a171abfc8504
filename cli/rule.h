/* rule: what the commands of the noun share. */
#ifndef SHUNT_CLI_RULE_H
#define SHUNT_CLI_RULE_H

#include <stdint.h>

#include "cli/dlq_filter.h"

struct call;

/* What a rule with this action does to a letter: `brings it back`. Of one that a newer broker knows, the word itself. */
const char *rule_does(const char *action);

/* Which letters that lie there now a rule of this number (0: behind the last) would match, by cause. `filter` NULL: that of the
 * rule that has the number. Connected. Returns an exit code. */
int rule_test(struct call *call, uint32_t number, const struct dlq_filter *filter);

#endif
