/* body: bytes of messages for people, so that none of them can command a terminal. */
#ifndef SHUNT_CLI_BODY_H
#define SHUNT_CLI_BODY_H

#include <stddef.h>

struct shunt_value;

/* Text, indented. */
void body_print_text(const char *text, size_t bytes);

/* A body: JSON with a member a line, other text as it is, anything else as hex; at most the beginning. NIL: it is damaged. */
void body_print(const struct shunt_value *body);

#endif
