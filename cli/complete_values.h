/* complete_values: what an argument can be, by the name that --help gives it. */
#ifndef SHUNT_CLI_COMPLETE_VALUES_H
#define SHUNT_CLI_COMPLETE_VALUES_H

#include <stdbool.h>
#include <stddef.h>

struct complete;

/* Offer the values of an argument called `name` (`len` bytes, such as TOPIC or table|json). Of names that only the broker
 * knows it is asked, for at most COMPLETE_ASK_MS; if it does not answer, this process ends without a word. */
void complete_values(const struct complete *c, const char *name, size_t len);

#define COMPLETE_ASK_MS   300
#define COMPLETE_ROWS_MAX 1000 /* so many names of one kind are offered at most */

#endif
