/* server_store: see server_store.h. */
#include "broker/server_store.h"
#include "broker/journal/store_journal.h"

int server_store_open(const struct config *config, const char *dir, bool read_only, struct store **ret,
                      char *ret_why, size_t why_bytes)
{
    struct store_lmdb_options lmdb = {.dir = dir,
                                      .map_bytes = (uint64_t)config->number[CONFIG_map_bytes],
                                      .map_bytes_max = (uint64_t)config->number[CONFIG_map_bytes_max],
                                      .create = !read_only,
                                      .read_only = read_only};
    struct store_journal_options journal = {.dir = dir,
                                            .bytes = (uint64_t)config->number[CONFIG_journal_bytes],
                                            .ready_bytes = (uint64_t)config->number[CONFIG_journal_ready],
                                            .memory_bytes = (uint64_t)config->number[CONFIG_journal_memory],
                                            .create = config->number[CONFIG_journal] == AUTO_ON,
                                            .end = config->number[CONFIG_journal] == AUTO_OFF && !read_only,
                                            .read_only = read_only,
                                            .threaded = true};
    int err = store_lmdb_open(&lmdb, &journal.behind, ret_why, why_bytes);
    return err ? err : store_journal_open(&journal, ret, ret_why, why_bytes);
}
