/* journal: a store with a journal, whose thread puts generations into LMDB while the engine's thread, here the main one, reads and writes. */
#include "broker/journal/store_journal.h"
#include "broker/store/store_lmdb.h"
#include "tests/tsan/net_side.h"

#include "base/big_endian.h"

#include <ftw.h>
#include <string.h>
#include <unistd.h>

enum { KEYS = 3000, TRANSACTIONS = 5000, STEPS = 30, MERGES_MIN = 10, OVERLAPS_MIN = 10 };

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

static struct store *open_small(const char *dir)
{
    char why[512] = "";
    struct store_lmdb_options lmdb = {
        .dir = dir, .map_bytes = 1 << 20, .map_bytes_max = 1 << 30, .create = true};
    struct store_journal_options o = {
        .dir = dir, .bytes = 64u << 20, .memory_bytes = 256u << 10, .create = true, .threaded = true};
    MUST(store_lmdb_open(&lmdb, &o.behind, why, sizeof why) == 0);
    struct store *s = NULL;
    MUST((o.file = journal_file_memory(o.bytes)) && store_journal_open(&o, &s, why, sizeof why) == 0);
    return s;
}

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Puts, deletes and reads, each of a key at random, and a walk. */
static void one_transaction(struct store *s, uint64_t *random)
{
    struct store_txn *txn;
    struct store_cursor *c;
    struct slice k, v;
    uint8_t key[8], value[64] = {0};
    MUST(store_begin(s, true, &txn) == 0);
    for (unsigned i = 0; i < STEPS; i++) {
        put_be64(key, next_random(random) % KEYS + 1);
        struct slice at = {key, sizeof key};
        int err = i % 3 == 0   ? store_put(txn, TABLE_DUE, at, (struct slice){value, sizeof value})
                  : i % 3 == 1 ? store_del(txn, TABLE_DUE, at, NULL)
                               : store_get(txn, TABLE_DUE, at, &v);
        MUST(err == 0 || err == SHUNT_NOT_FOUND);
    }
    MUST(store_cursor_open(txn, TABLE_DUE, &c) == 0);
    int err = store_cursor_seek(c, (struct slice){key, sizeof key}, &k, &v);
    for (unsigned i = 0; i < STEPS && !err; i++)
        err = i % 4 ? store_cursor_next(c, &k, &v) : store_cursor_prev(c, &k, &v);
    MUST(err == 0 || err == SHUNT_NOT_FOUND);
    store_cursor_close(c);
    MUST(store_commit(txn) == 0);
}

int main(void)
{
    const char *base = getenv("TMPDIR");
    char dir[4096];
    struct store_journal_state state;
    struct store_usage usage;
    uint64_t random = 1;
    unsigned overlaps = 0;
    MUST((size_t)snprintf(dir, sizeof dir, "%s/shunt-tsan-XXXXXX", base ? base : "/tmp") < sizeof dir);
    MUST(mkdtemp(dir));
    struct store *s = open_small(dir);
    for (unsigned i = 0; i < TRANSACTIONS; i++) {
        one_transaction(s, &random);
        MUST(store_maintain(s) == 0);
        store_usage(s, &usage);
        MUST(store_disk_free(s) > 0 && store_journal_state(s, &state));
        overlaps += state.frozen_bytes > 0;
    }
    printf("%llu merges, %u transactions beside them\n", (unsigned long long)state.merges, overlaps);
    MUST(state.merges >= MERGES_MIN && overlaps >= OVERLAPS_MIN);
    store_close(s);
    MUST(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
    return 0;
}
