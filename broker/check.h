/* check: is a stopped store what it claims to be? */
#ifndef SHUNT_BROKER_CHECK_H
#define SHUNT_BROKER_CHECK_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

struct store;

/* Go through the whole store and write to `report` one line for each thing that is wrong, and a summary:
 * every message of every group in exactly one state, counters equal to what is counted, no index row without
 * what it points to, checksums, conservation.
 * in:    a store that nobody writes to; it may be open read-only.
 * out:   `*ret_problems` is how many things are wrong; 0 for a store in order.
 * fails: IO, NO_MEMORY: the check could not be finished. What is wrong in the store is a problem, not a
 * failure. */
int check_store(struct store *store, FILE *report, uint64_t *ret_problems);

/* Grows with every row that a check reads, so that a watchdog sees it going on: damaged pages can make LMDB
 * search for ever. */
extern atomic_uint_fast64_t check_rows_read;

#endif
