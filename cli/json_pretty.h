/* json_pretty: JSON for people. */
#ifndef SHUNT_CLI_JSON_PRETTY_H
#define SHUNT_CLI_JSON_PRETTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* If the text is one JSON object or array, at most JSON_DEPTH_MAX deep, write it with a member a line. Strings and numbers
 * stay as they are, byte by byte, and members keep their order. False if it is not; then a part may have been written. */
bool json_pretty(const char *text, size_t bytes, FILE *out);

#endif
