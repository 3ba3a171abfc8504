/* topic_pattern: which topics a grant speaks of: the characters of topic names, and `*` for any number of any characters, also
 * for none. `orders.*` fits orders.eu and orders.eu.west, and not orders. */
#ifndef SHUNT_CORE_TOPIC_PATTERN_H
#define SHUNT_CORE_TOPIC_PATTERN_H

#include "base/slice.h"

/* It has 1 to NAME_BYTES_MAX bytes, of [A-Za-z0-9._-*], and like a name does not begin with a dot. */
bool topic_pattern_is_valid(struct slice pattern);

/* The whole of `topic`, any bytes, is as the pattern says, which is valid. The time that it takes grows with the sum of their
 * lengths, whatever they are. */
bool topic_pattern_matches(struct slice pattern, struct slice topic);

#endif
