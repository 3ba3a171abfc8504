/* table_fit: which columns of a table are shown, and how wide. */
#ifndef SHUNT_CLI_TABLE_FIT_H
#define SHUNT_CLI_TABLE_FIT_H

#include <stdbool.h>
#include <stddef.h>

struct table;

#define TABLE_GAP 2 /* columns between two columns of a table */

struct table_column {
    const char *heading; /* its text alone */
    bool right, cut;
    unsigned rank; /* how soon it is left out; 0: never */
    size_t width;
    bool hidden;
};

/* Fill `ret`, which has a place for each column. False: it does not fit; then nothing is hidden. */
bool table_fit(const struct table *t, size_t columns, struct table_column *ret);

#endif
