/* fixture: a store of either kind in a directory of its own, for tests that must hold for both. */
#ifndef SHUNT_TESTS_STORE_FIXTURE_H
#define SHUNT_TESTS_STORE_FIXTURE_H

#include "broker/store/store.h"

#define WHY_BYTES 512

/* With a journal before it: in memory or on disk and without a thread (store_journal_step()), or on disk with one. */
enum fixture_kind {
    FIXTURE_MEMORY,
    FIXTURE_LMDB,
    FIXTURE_JOURNAL_MEMORY,
    FIXTURE_JOURNAL_STEPPED,
    FIXTURE_JOURNAL
};

struct fixture {
    enum fixture_kind kind;
    struct store *store;
    char dir[64]; /* empty for a store in memory */
};

void fixture_open(struct fixture *f, enum fixture_kind kind, uint64_t map_bytes_max);
void fixture_close(struct fixture *f);

/* A new, empty directory's path, and the end of one with all in it. */
void fixture_make_dir(char *to, size_t bytes);
void fixture_remove_dir(const char *dir);

/* A suite whose tests each have an empty directory `dir`, and `why`, room for a sentence. */
#define DIR_SUITE(suite)                                                                                     \
    static char dir[64];                                                                                     \
    static char why[WHY_BYTES];                                                                              \
    static void suite##_suite_begin(void)                                                                    \
    {                                                                                                        \
        fixture_make_dir(dir, sizeof dir);                                                                   \
    }                                                                                                        \
    static void suite##_suite_end(void)                                                                      \
    {                                                                                                        \
        fixture_remove_dir(dir);                                                                             \
    }                                                                                                        \
    TestSuite(suite, .init = suite##_suite_begin, .fini = suite##_suite_end)

/* store_lmdb_open() with the usual options. */
int fixture_open_lmdb(const char *dir, uint64_t map_bytes_max, struct store **ret, char *ret_why);

/* The same in small: 1 MiB that may grow to 64. */
int fixture_open_as(const char *dir, bool create, bool read_only, struct store **ret, char *ret_why);
struct store *fixture_open_well(const char *dir, char *ret_why); /* made if it is not there */
/* Whether or not for reading alone it does not open, and the sentence names the directory and has that word. */
void fixture_expect_refused(const char *dir, int want, const char *word, char *ret_why);
/* An LMDB file with one pair in that tree, or in the one without a name. */
void fixture_make_lmdb_file(const char *dir, const char *tree, unsigned flags);

/* A transaction that must begin, or end, well. */
struct store_txn *begin_write(struct store *s);
struct store_txn *begin_read(struct store *s);
void commit(struct store_txn *t);

/* Keys and values as C strings; put, and check what is there: NULL for nothing. */
void put_text(struct store_txn *t, enum store_table table, const char *key, const char *value);
void expect_text(struct store_txn *t, enum store_table table, const char *key, const char *value);
/* How many pairs a walk over the table finds. */
uint64_t walk(struct store_txn *t, enum store_table table);
/* The whole table as "k=v k=v", in order. Static storage. */
const char *dump(struct store_txn *t, enum store_table table);

/* Test(memory_SUITE, name) and Test(lmdb_SUITE, name) on the body that follows. */
#define BOTH(suite, name)                                                                                    \
    static void suite##_##name(struct fixture *f);                                                           \
    Test(memory_##suite, name)                                                                               \
    {                                                                                                        \
        struct fixture f;                                                                                    \
        fixture_open(&f, FIXTURE_MEMORY, 1ull << 30);                                                        \
        suite##_##name(&f);                                                                                  \
        fixture_close(&f);                                                                                   \
    }                                                                                                        \
    Test(lmdb_##suite, name)                                                                                 \
    {                                                                                                        \
        struct fixture f;                                                                                    \
        fixture_open(&f, FIXTURE_LMDB, 1ull << 30);                                                          \
        suite##_##name(&f);                                                                                  \
        fixture_close(&f);                                                                                   \
    }                                                                                                        \
    static void suite##_##name(struct fixture *f)

/* The same, and Test(journal_memory_SUITE, name) and Test(journal_SUITE, name). */
#define EACH(suite, name)                                                                                    \
    static void suite##_##name(struct fixture *f);                                                           \
    Test(journal_memory_##suite, name)                                                                       \
    {                                                                                                        \
        struct fixture f;                                                                                    \
        fixture_open(&f, FIXTURE_JOURNAL_MEMORY, 1ull << 30);                                                \
        suite##_##name(&f);                                                                                  \
        fixture_close(&f);                                                                                   \
    }                                                                                                        \
    Test(journal_##suite, name)                                                                              \
    {                                                                                                        \
        struct fixture f;                                                                                    \
        fixture_open(&f, FIXTURE_JOURNAL, 1ull << 30);                                                       \
        suite##_##name(&f);                                                                                  \
        fixture_close(&f);                                                                                   \
    }                                                                                                        \
    BOTH(suite, name)

#endif
