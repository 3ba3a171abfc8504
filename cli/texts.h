/* texts: the values of an option that is given several times. */
#ifndef SHUNT_CLI_TEXTS_H
#define SHUNT_CLI_TEXTS_H

#include <stddef.h>

struct options;

#define TEXTS_MAX 65 /* more than any list may have: the library says how many it may */

/* How many there are, at most TEXTS_MAX; `to` gets them. */
size_t texts_of(const struct options *o, const char *name, const char *to[TEXTS_MAX]);

#endif
