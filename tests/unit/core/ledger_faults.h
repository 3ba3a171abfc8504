/* ledger_faults: a batch tried with each thing in turn failing that can fail beneath it. Whatever it is, the
 * failure comes out, nothing more is asked of the transaction, and a ledger loaded afterwards is what it was
 * before.
 */
#ifndef SHUNT_TESTS_LEDGER_FAULTS_H
#define SHUNT_TESTS_LEDGER_FAULTS_H

#include "tests/unit/core/faults.h"
#include "tests/unit/core/ledger_fixture.h"

/* Try a batch on the fixture's store; neither the store nor the fixture's ledger is changed. Returns how many
 * failures there were. At most about `most` places fail with each error, spread over all there are; 0: all.
 */
uint64_t faults_try(struct fixture *f, const struct batch *b, unsigned most);

/* The same for reading: `read` is called with each of its calls failing in turn, and must return the error.
 */
typedef int faults_read_fn(struct fixture *f, struct store_txn *txn, void *context);
uint64_t faults_try_reading(struct fixture *f, faults_read_fn *read, void *context);

#endif
