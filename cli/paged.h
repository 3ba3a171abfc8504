/* paged: a listing that comes page by page, as a table, or as JSON. */
#ifndef SHUNT_CLI_PAGED_H
#define SHUNT_CLI_PAGED_H

#include <stddef.h>

struct call;
struct record_field;
struct shunt_error;
struct shunt_value;
struct table;

struct paged {
    const char *const *headings;
    const struct record_field *fields;
    void (*row)(struct table *t, const struct shunt_value *row); /* its cells */
    /* Ask for the page behind `last` (NULL: the first). */
    int (*page)(struct call *call, const struct shunt_value *last, struct shunt_value **ret,
                struct shunt_error *err);
    const char *none; /* what is said if there is nothing */
};

/* Connect, and list all. Returns the exit code. */
int paged_list(struct call *call, const struct paged *p);
/* The texts of a list, separated by `between`; `to` holds `room` bytes, and what does not fit is left out with an ellipsis. NULL: it
 * is empty. */
const char *paged_texts(const struct shunt_value *list, const char *between, char *to, size_t room);

#endif
