/* server_store: the store in a directory, with its journal if there is one or is to be one. */
#ifndef SHUNT_BROKER_SERVER_STORE_H
#define SHUNT_BROKER_SERVER_STORE_H

#include "broker/config.h"
#include "broker/store/store.h"

/* With `read_only` nothing is written, and what only the journal has is seen all the same. fails: as store_lmdb_open() and
 * store_journal_open(); `ret_why` (at least 512 bytes) gets one sentence. */
int server_store_open(const struct config *config, const char *dir, bool read_only, struct store **ret,
                      char *ret_why, size_t why_bytes);

#endif
