/* disk_open: the transactions and cursors of a store that are open, for a crash to forget them; the store in memory knows its own. */
#ifndef SHUNT_TESTS_SIM_DISK_OPEN_H
#define SHUNT_TESTS_SIM_DISK_OPEN_H

#include "broker/store/store.h"

#include <stddef.h>

struct disk_open {
    const struct store_ops *own; /* the store's */
    void **txns, **cursors;
    size_t txns_count, txns_capacity, cursors_count, cursors_capacity;
};

/* In `ops`, which the store is called by from here on, what opens and closes is noted. */
void disk_open_track(struct disk_open *o, const struct store_ops *own, struct store_ops *ops);
/* The transaction is about to be committed. */
void disk_open_ended(struct disk_open *o, const struct store_txn *txn);
void disk_open_forget(struct disk_open *o);
void disk_open_done(struct disk_open *o);

#endif
