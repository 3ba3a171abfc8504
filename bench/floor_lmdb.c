/* floor_lmdb: the store without the server: big-endian numbers as keys, appended, as many to a commit as the
 * server was seen to commit. */
#include "bench/floor.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/clock.h"
#include "bench/directory.h"
#include "bench/link.h"

#define MAP_BYTES  (32ull << 30)
#define FILL_BYTES (256ull << 20) /* what FLOOR_TAKE finds at first, at most */
#define FILL_COUNT 500000
#define GROWTH_MAX (2ull << 30) /* appending ends when so much was written */

struct ground {
    char dir[DIRECTORY_BYTES];
    MDB_env *env;
    MDB_dbi dbi;
    uint32_t bytes;
    uint8_t *record;
    uint64_t next;  /* number of the next record to append */
    uint64_t first; /* of the oldest */
};

static MDB_val key_of(uint64_t number, uint64_t *space)
{
    *space = __builtin_bswap64(number);
    return (MDB_val){sizeof *space, space};
}

static int append(struct ground *g, MDB_txn *txn, uint32_t count)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        uint64_t space;
        MDB_val key = key_of(g->next++, &space), value = {g->bytes, g->record};
        rc = mdb_put(txn, g->dbi, &key, &value, MDB_APPEND);
    }
    return rc;
}

static int take(struct ground *g, MDB_txn *txn, uint32_t count)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn, g->dbi, &cursor);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; rc == 0 && i < count && g->first < g->next; i++) {
        MDB_val key, value;
        rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
        if (rc == 0)
            rc = mdb_cursor_del(cursor, 0);
        g->first++;
    }
    mdb_cursor_close(cursor);
    return rc;
}

static int commit(struct ground *g, enum floor_work work, uint32_t batch, struct histogram *latency)
{
    MDB_txn *txn;
    uint64_t begin_ns = clock_ns();
    int rc = mdb_txn_begin(g->env, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    if (work != FLOOR_TAKE)
        rc = append(g, txn, batch);
    if (rc == 0 && work != FLOOR_APPEND)
        rc = take(g, txn, batch);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    rc = mdb_txn_commit(txn);
    if (latency)
        histogram_record(latency, clock_ns() - begin_ns);
    return rc;
}

static int open_ground(struct ground *g)
{
    MDB_txn *txn;
    int rc = mdb_env_create(&g->env);
    if (rc == 0)
        rc = mdb_env_set_mapsize(g->env, MAP_BYTES);
    if (rc == 0)
        rc = mdb_env_open(g->env, g->dir, MDB_NOTLS, 0600);
    if (rc == 0)
        rc = mdb_txn_begin(g->env, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    rc = mdb_dbi_open(txn, NULL, 0, &g->dbi);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

/* What is there before the clock starts: for PASS a little, so that there is something to delete. */
static int fill(struct ground *g, enum floor_work work, uint32_t batch)
{
    uint64_t wanted = work == FLOOR_APPEND ? 0 : work == FLOOR_PASS ? batch : FILL_BYTES / g->bytes;
    int rc = 0;
    if (wanted > FILL_COUNT)
        wanted = FILL_COUNT;
    while (rc == 0 && g->next < wanted)
        rc = commit(g, FLOOR_APPEND, wanted - g->next < 4096 ? (uint32_t)(wanted - g->next) : 4096, NULL);
    return rc;
}

static int run(struct ground *g, enum floor_work work, uint32_t batch, double seconds, double *ret_rate,
               struct histogram *latency)
{
    int rc = fill(g, work, batch);
    uint64_t span_ns = (uint64_t)(seconds * (double)NS_PER_S), commits = 0;
    uint64_t now_ns = clock_ns(), begin_ns = now_ns, warm_ns = now_ns + (work == FLOOR_TAKE ? 0 : span_ns);
    while (rc == 0 && (commits == 0 || now_ns < begin_ns + span_ns)) {
        bool counts = commits > 0 || now_ns >= warm_ns || g->next * g->bytes > GROWTH_MAX / 2;
        if (work == FLOOR_TAKE ? g->next - g->first < batch : g->next * g->bytes > GROWTH_MAX)
            break;
        if (counts && commits == 0)
            begin_ns = now_ns;
        rc = commit(g, work, batch, counts ? latency : NULL);
        commits += counts;
        now_ns = clock_ns();
    }
    if (rc == 0 && now_ns > begin_ns)
        *ret_rate = (double)commits * batch * (double)NS_PER_S / (double)(now_ns - begin_ns);
    return rc;
}

bool floor_lmdb(const char *dir, enum floor_work work, uint32_t bytes, uint32_t batch, double seconds,
                double *ret_rate, struct histogram *ret_commit, char *why)
{
    struct ground g = {.bytes = bytes, .record = calloc(1, bytes)};
    if (!g.record || !directory_make(dir, g.dir, why)) {
        free(g.record);
        return false;
    }
    int rc = open_ground(&g);
    if (rc == 0)
        rc = run(&g, work, batch ? batch : 1, seconds, ret_rate, ret_commit);
    if (rc != 0)
        (void)snprintf(why, WHY_BYTES, "LMDB in %.100s: %s", g.dir, mdb_strerror(rc));
    if (g.env)
        mdb_env_close(g.env);
    free(g.record);
    directory_remove(g.dir);
    return rc == 0;
}
