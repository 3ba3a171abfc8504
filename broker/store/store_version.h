/* store_version: the record that says which version of the tables' layout a store holds.
 *
 * Both stores write it when they are made, so that it is there before the first record it speaks for. It
 * stands in TABLE_META under the key "version": 4 bytes, big-endian. It is the store's own: nobody else
 * writes it.
 */
#ifndef SHUNT_STORE_STORE_VERSION_H
#define SHUNT_STORE_STORE_VERSION_H

#include "broker/store/store.h"

#define STORE_LAYOUT_VERSION 6u
/* The oldest that is taken over. Its rows are read as they are (docs/storage.md says what differs), so all that
 * is done at once is to write the version, after which an older program refuses the store. */
#define STORE_LAYOUT_VERSION_OLDEST 3u
#define STORE_VERSION_KEY           "version"
/* Beside it, and the store's own as well: which journal goes with the store (broker/journal). */
#define STORE_JOURNAL_KEY "journal"

/* Write this program's version.
 * fails: as store_put(). */
int store_version_write(struct store_txn *txn);

/* Read the version.
 * fails: CORRUPT if the record is missing or is no version; else as store_get(). */
int store_version_read(struct store_txn *txn, uint32_t *ret);

#endif
