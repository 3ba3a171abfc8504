/* server_store: see server_store.h. */
#include "broker/server_store.h"
#include "broker/journal/store_journal.h"
#include "broker/store/store_file.h"

/* The part of its disk that the journal's file may have, or the least that the setting can ask for. */
#define DISK_PART           10
#define JOURNAL_BYTES_LEAST (128ull << 20)

static uint64_t journal_bytes_for(const char *dir, uint64_t wanted)
{
    uint64_t disk;
    if (store_file_disk_bytes(dir, &disk) != 0)
        return wanted;
    uint64_t most = disk / DISK_PART < JOURNAL_BYTES_LEAST ? JOURNAL_BYTES_LEAST : disk / DISK_PART;
    return wanted < most ? wanted : most;
}

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
    journal.bytes = journal_bytes_for(dir, journal.bytes);
    return err ? err : store_journal_open(&journal, ret, ret_why, why_bytes);
}
