#!/bin/bash
# LMDB 0.9.24: deleting most rows of a table can free no page at all.
#
# A leaf is merged with its neighbour only when it is less than a quarter full (FILL_THRESHOLD in mdb.c). One would
# guess from B-trees in textbooks that pages are kept at least half full. Deleting two of three rows evenly leaves
# each page a third full, and the table as large as before; only past three quarters do pages begin to merge.
set -euo pipefail
version=0.9.24-1

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "liblmdb0=$version" "liblmdb-dev=$version" >/dev/null
for package in ./*.deb; do
    dpkg-deb -x "$package" root
done
lib=$(dirname "$(find root -name 'liblmdb.so*' | head -n 1)")

cat >thin.c <<'C'
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 100000u

static void must(int rc)
{
    if (rc) {
        fprintf(stderr, "%s\n", mdb_strerror(rc));
        exit(2);
    }
}

/* Rows of 100 bytes under increasing numbers, of which one in so many stays; returns the table's leaf pages. */
static size_t leaves(unsigned keep_one_in, int delete_rest)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi table;
    MDB_stat stat;
    char value[100];
    memset(value, 'x', sizeof value);
    must(mdb_env_create(&env));
    must(mdb_env_set_mapsize(env, 256u << 20));
    (void)remove("data.mdb");
    (void)remove("lock.mdb");
    must(mdb_env_open(env, ".", MDB_NOSYNC, 0600));
    for (int pass = 0; pass < 1 + delete_rest; pass++) {
        must(mdb_txn_begin(env, NULL, 0, &txn));
        must(mdb_dbi_open(txn, NULL, 0, &table));
        for (uint32_t i = 0; i < ROWS; i++) {
            uint8_t name[4] = {(uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
            MDB_val key = {sizeof name, name}, data = {sizeof value, value};
            if (pass == 0)
                must(mdb_put(txn, table, &key, &data, MDB_APPEND));
            else if (i % keep_one_in != 0)
                must(mdb_del(txn, table, &key, NULL));
        }
        must(mdb_txn_commit(txn));
    }
    must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
    must(mdb_stat(txn, table, &stat));
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return stat.ms_leaf_pages;
}

int main(void)
{
    printf("version %s\n", mdb_version(NULL, NULL, NULL));
    printf("all rows: %zu leaf pages\n", leaves(1, 0));
    printf("one of 2 kept: %zu\n", leaves(2, 1));
    printf("one of 3 kept: %zu\n", leaves(3, 1));
    printf("one of 4 kept: %zu\n", leaves(4, 1));
    printf("one of 5 kept: %zu\n", leaves(5, 1));
    return 0;
}
C
cc -O1 -o thin thin.c -Iroot/usr/include "$lib/liblmdb.so.0"
LD_LIBRARY_PATH=$lib ./thin | tee seen

expected='version LMDB 0.9.24: (July 24, 2019)
all rows: 2858 leaf pages
one of 2 kept: 2858
one of 3 kept: 2858
one of 4 kept: 2857
one of 5 kept: 1429'
[[ $(<seen) == "$expected" ]] || {
    echo "lmdb-thin-pages: this is no longer what was found" >&2
    exit 1
}
