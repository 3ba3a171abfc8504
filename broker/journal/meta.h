/* meta: what the store behind says of its journal: the row `journal` of META. It is written in the transaction that makes it so. */
#ifndef SHUNT_JOURNAL_META_H
#define SHUNT_JOURNAL_META_H

#include "broker/journal/journal.h"
#include "broker/store/store.h"

struct journal_meta {
    uint8_t id[JOURNAL_ID_BYTES];
    struct journal_place from; /* the first record that the store behind does not have */
    /* the first one that is needed: values lie in those before `from` (stub.h) */
    struct journal_place oldest;
    uint64_t kept_bytes; /* what putting those values into the store behind takes there, at most */
};

/* fails: NOT_FOUND (there is no journal), CORRUPT, as store_get() */
int journal_meta_read(struct store_txn *txn, struct journal_meta *ret);
int journal_meta_write(struct store_txn *txn, const struct journal_meta *m);
int journal_meta_delete(struct store_txn *txn);

#endif
