/* row_run: messages, or stubs for them, that are put into the store behind many at a time, in the order of their keys: so the store can fill its pages
 * (store_put_run()). */
#ifndef SHUNT_JOURNAL_ROW_RUN_H
#define SHUNT_JOURNAL_ROW_RUN_H

#include "broker/journal/stub.h"

#define ROW_RUN_MAX 2048u /* rows; enough to fill the pages of a run, whatever stands behind it */

struct row_run {
    size_t count; /* 0 before the first one is put */
    struct store_row rows[ROW_RUN_MAX];
    uint8_t stubs[ROW_RUN_MAX][STUB_BYTES];
};

/* Put a row of STUB_TABLE, whose key is greater than the one before; its bytes stay where they are until row_run_end(). fails: as store_put() */
int row_run_put(struct row_run *run, struct store_txn *txn, struct slice key, struct slice value);
/* The same with a stub in the place of the value. */
int row_run_put_stub(struct row_run *run, struct store_txn *txn, const uint8_t id[JOURNAL_ID_BYTES],
                     struct slice key, const struct stub *stub);
/* All that were put are in the transaction. fails: as store_put() */
int row_run_end(struct row_run *run, struct store_txn *txn);

#endif
