/* faults: what can fail beneath a ledger. A store in front of another one, whose n-th call fails, and with it
 * all that is asked of the same transaction after that, as the real one does; and the n-th allocation, in
 * programs that are linked with the --wrap options of meson.build.
 */
#ifndef SHUNT_TESTS_FAULTS_H
#define SHUNT_TESTS_FAULTS_H

#include "broker/store/store.h"

struct faults {
    struct store base; /* the store to use */
    struct store *inner;
    uint64_t calls; /* since it was armed */
    uint64_t fail_at;
    int err;
    int failed;     /* of the open transaction */
    bool counts;    /* nothing is to fail, and commits take place: it only counts */
    unsigned asked; /* of a transaction that had failed; closing a cursor does not count */
};

void faults_init(struct faults *f, struct store *inner);
/* From now on the n-th call for a transaction, from 1, fails with `err`; 0: none does. Nothing is ever
 * committed: a commit that does not fail ends the transaction and changes nothing. */
void faults_arm(struct faults *f, uint64_t n, int err);

/* The n-th allocation from now on fails, and no other; 0: none does. */
void no_memory_arm(uint64_t n);
/* Allocations since then. */
uint64_t no_memory_calls(void);

#endif
