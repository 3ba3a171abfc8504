/* columns: how wide a text is on a terminal, and how wide the terminal is.
 *
 * Widths are those of the C library for UTF-8: none for what is set over the character before it, two for ideographs and most
 * pictures. Where its table for UTF-8 is not installed, each character counts as one column. */
#ifndef SHUNT_CLI_COLUMNS_H
#define SHUNT_CLI_COLUMNS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define COLUMNS_DEFAULT   80 /* of a terminal that does not say */
#define COLUMNS_UNLIMITED SIZE_MAX

/* Columns that the first `size` bytes of `text` take; a byte that is no UTF-8 takes one. */
size_t columns_of(const char *text, size_t size);
/* Bytes of the longest prefix that takes at most `columns`. What is set over its last character belongs to it. */
size_t columns_fit(const char *text, size_t size, size_t columns);

/* Columns of the terminal that `out` is, now: what it says of itself, else the variable COLUMNS, else COLUMNS_DEFAULT.
 * COLUMNS_UNLIMITED if it is none. */
size_t columns_of_terminal(FILE *out);

#endif
