/* table: rows of text in aligned columns, for people. */
#ifndef SHUNT_CLI_TABLE_H
#define SHUNT_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table {
    const char *const *headings; /* one that begins with '>' heads a column of numbers, set to the right */
    size_t columns;
    char **cells;
    size_t count;
    size_t room;
    bool failed; /* without memory: the rest is dropped, and table_print() says so */
};

/* `headings` ends with NULL and must outlive the table; NULL for `columns` without any. */
void table_init(struct table *t, const char *const *headings);
void table_init_plain(struct table *t, size_t columns);
void table_done(struct table *t);

/* Add the next cell, row by row; `text` NULL shows as `-`. Control characters and bad UTF-8 are tamed. */
void table_cell(struct table *t, const char *text);
void table_cellf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same of at most `columns`: what is longer is cut. */
void table_cell_fit(struct table *t, const char *text, size_t columns);

/* Headings and rows, two spaces between columns, none at the end of a line. False without memory. */
bool table_print(const struct table *t, FILE *out);

#endif
