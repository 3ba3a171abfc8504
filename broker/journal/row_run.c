/* row_run: see row_run.h. */
#include "broker/journal/row_run.h"

int row_run_end(struct row_run *run, struct store_txn *txn)
{
    size_t count = run->count;
    run->count = 0;
    return store_put_run(txn, STUB_TABLE, run->rows, count);
}

int row_run_put(struct row_run *run, struct store_txn *txn, struct slice key, struct slice value)
{
    int err = run->count == ROW_RUN_MAX ? row_run_end(run, txn) : 0;
    if (!err)
        run->rows[run->count++] = (struct store_row){key, value};
    return err;
}

int row_run_put_stub(struct row_run *run, struct store_txn *txn, const uint8_t id[JOURNAL_ID_BYTES],
                     struct slice key, const struct stub *stub)
{
    int err = row_run_put(run, txn, key, (struct slice){NULL, STUB_BYTES});
    if (err)
        return err;
    uint8_t *bytes = run->stubs[run->count - 1];
    stub_write(bytes, id, key, stub);
    run->rows[run->count - 1].value.data = bytes;
    return 0;
}
