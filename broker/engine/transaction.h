/* transaction: what the turn writes to the store. */
#ifndef SHUNT_ENGINE_TRANSACTION_H
#define SHUNT_ENGINE_TRANSACTION_H

#include "broker/core/view.h"

struct command;
struct engine;

/* Between transactions: what the next one may write, and what the store's fullness forbids. */
void transaction_look_at_room(struct engine *e);
/* The open transaction, opened if need be. */
struct store_txn *transaction_open(struct engine *e);
/* What the ledger is as the open transaction sees it. */
struct view transaction_view(struct engine *e);
/* What came in may be committed up to so many ms later; 0: it is urgent. */
void transaction_allow_wait(struct engine *e, int64_t ms);
/* Apply commands as far as the transaction may write. Returns how many are done; at least one, or entries of a
 * RESOLVE, unless the transaction was not a new one. If not all are, transaction_cut() follows. */
size_t transaction_apply(struct engine *e, struct command *commands, size_t count);
/* Commit what was applied, because `next` does not fit: of a RESOLVE, the entries that were applied are taken out. */
void transaction_cut(struct engine *e, struct command *next);
/* Between transactions, in a full store: one step of packing its pages. True: more may follow. */
bool transaction_pack(struct engine *e);
/* Commit what was applied; nobody is told yet. */
void transaction_commit(struct engine *e);
/* Leave a transaction that was only read from. */
void transaction_abort(struct engine *e);

#endif
