/* table: rows of text in aligned columns, for people. On a terminal no line is longer than it is wide. */
#ifndef SHUNT_CLI_TABLE_H
#define SHUNT_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What may stand before a heading's text, in any order:
 *   `>`  it heads numbers, which are set to the right
 *   `~`  what is below it may be cut where the terminal is too narrow, with an ellipsis: prose, never an id or a number
 *   `-`  the column is left out if cutting is not enough; of several such, first the one with most `-`, then the one to the right
 * A table that is too wide even then is written as a block of lines for each row, whole. */
struct table {
    const char *const *headings;
    size_t columns;
    char **cells;
    size_t count;
    size_t room;
    bool failed; /* without memory: the rest is dropped, and table_print() says so */
};

/* `headings` ends with NULL and must outlive the table. */
void table_init(struct table *t, const char *const *headings);
/* Without headings: two columns, names and what is said of each. That is not cut, but goes on in a further line. */
void table_init_plain(struct table *t);
void table_done(struct table *t);

/* Add the next cell, row by row; `text` NULL shows as `-`. Control characters and bad UTF-8 are tamed. */
void table_cell(struct table *t, const char *text);
void table_cellf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Headings and rows, two spaces between columns, none at the end of a line; as wide as `out` is, if that is a terminal. False
 * without memory. */
bool table_print(const struct table *t, FILE *out);
/* The same, `columns` wide. */
bool table_print_within(const struct table *t, FILE *out, size_t columns);

#endif
