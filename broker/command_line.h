/* command_line: a program and its arguments, as one writes them in a setting. There is no shell in it. */
#ifndef SHUNT_BROKER_COMMAND_LINE_H
#define SHUNT_BROKER_COMMAND_LINE_H

#include <stddef.h>

#define COMMAND_LINE_WORDS_MAX 64

/* Divide `text`, in place, into words: they stand between blanks; in "…" blanks are part of a word, and \" and \\ stand
 * for " and \. `words` gets them and a NULL behind them. Returns how many there are; 0 if it is no command line, with the
 * reason in *ret_why. */
size_t command_line_split(char *text, char *words[COMMAND_LINE_WORDS_MAX + 1], const char **ret_why);

#endif
