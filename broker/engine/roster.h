/* roster: the connections in order of their numbers, so that a listing goes on behind a number whose connection may be gone.
 *
 * A number is given once, in the order in which connections come, and never again while the server runs. One that
 * leaves makes a gap; gaps are closed when they are more than the others, so that it costs O(1) on the whole. */
#ifndef SHUNT_ENGINE_ROSTER_H
#define SHUNT_ENGINE_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

struct roster_entry {
    uint64_t number;
    struct session *session; /* NULL: it is gone */
};

struct roster {
    struct roster_entry *entries; /* in order of number */
    size_t count, capacity;
    size_t gaps;
    uint64_t last; /* the number that was given last */
};

/* Its number in *ret. False without memory. */
bool roster_add(struct roster *r, struct session *s, uint64_t *ret);
/* in: it is there. */
void roster_remove(struct roster *r, uint64_t number);
/* The position of the first entry, maybe a gap, with a greater number; `count` if there is none.
 * cost: O(log n) */
size_t roster_after(const struct roster *r, uint64_t number);
void roster_free(struct roster *r);

#endif
