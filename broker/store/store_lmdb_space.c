/* The LMDB store's space: how full it is, growing the map, allocating the file ahead.
 *
 * Pages in use are not counted by walking the freelist but from the other side: LMDB keeps, for each tree,
 * the number of its pages in the tree's root record, so the sum over all trees (two of them LMDB's own) and
 * the two meta pages is exact and costs one look at a few records that are in memory. All other pages of the
 * map are free: in the freelist or never used.
 *
 * Two things can run out, and both are kept far enough ahead that accepted work never meets them. The map is
 * address space: it doubles as soon as its end comes near, long before the high-water mark at which
 * publishing is refused. The disk: the file is allocated beyond its last page, so that a full disk is met
 * here, where it is harmless, and not in a commit. Then `free_bytes` counts only what is set aside, and the
 * caller's high-water mark does the rest. Until then `unasked_bytes` tells how much of what is free the disk
 * has not given yet: what a transaction may need of that is asked for before it is begun.
 */
#include "base/check.h"
#include "base/magic.h"
#include "broker/store/store_file.h"
#include "broker/store/store_lmdb.h"

#include <stdlib.h>
#include <unistd.h>

/* The map grows while less than this, or than half of it, lies beyond the last page ever used. */
#define MAP_AHEAD_BYTES_MIN (512ull << 20)
/* The file is allocated as far again as to the last page ever used, at least so far; but beyond that page no further than
 * STORE_AHEAD_BYTES or a tenth, unless it is asked for; and never further than the map. */
#define FILE_AHEAD_BYTES_MIN (6ull << 20)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t greatest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* ---- how full ---- */

static int count_pages(struct lmdb_store *s, MDB_txn *txn, uint64_t *ret)
{
    uint64_t pages = 2;
    for (int i = -1; i < TREE_COUNT; i++) {
        MDB_stat stat;
        if (i >= 0 && s->trees[i] == TREE_ABSENT)
            continue;
        /* LMDB numbers its freelist's tree 0; its mdb_stat tool asks so too. */
        int rc = mdb_stat(txn, i < 0 ? 0 : s->trees[i], &stat);
        if (rc != 0)
            return lmdb_error(rc);
        pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    }
    *ret = pages;
    return 0;
}

/* Pages that the last transaction freed. LMDB notes them under its number in the tree of free pages, which
 * can be read as any other in a read transaction. */
static uint64_t freed_last(MDB_txn *txn)
{
    size_t id = mdb_txn_id(txn), count = 0;
    MDB_val key = {sizeof id, &id}, list;
    MDB_cursor *cursor;
    if (mdb_cursor_open(txn, 0, &cursor) != 0)
        return 0;
    if (mdb_cursor_get(cursor, &key, &list, MDB_SET) == 0 && list.mv_size >= sizeof count)
        memcpy(&count, list.mv_data, sizeof count);
    mdb_cursor_close(cursor);
    return count;
}

#define READER_LOOK_MAGIC 0x6f6c6474u

/* What reader_line() looks for. */
struct reader_look {
    uint32_t magic;
    long self;     /* this process */
    size_t oldest; /* transaction of a reader in another one; 0: none */
};

/* LMDB tells of its readers in lines alone: process, thread, transaction (`-`: it is idle). */
static int reader_line(const char *line, void *context)
{
    struct reader_look *look = magic_of(context, reader_look, READER_LOOK_MAGIC);
    char *at;
    long process = strtol(line, &at, 10);
    (void)strtoul(at, &at, 16);
    size_t id = strtoul(at, NULL, 10);
    if (process > 0 && process != look->self && id && (!look->oldest || id < look->oldest))
        look->oldest = id;
    return 0;
}

/* While that reader is there, no entry from its transaction on leaves the tree of free pages: so each is counted once. */
static uint64_t pinned(struct lmdb_store *s, MDB_txn *txn, size_t oldest)
{
    struct lmdb_pinned *p = &s->pinned;
    MDB_cursor *cursor;
    if (oldest != p->oldest)
        *p = (struct lmdb_pinned){.oldest = oldest, .counted = oldest ? oldest - 1 : 0};
    if (!oldest || mdb_cursor_open(txn, 0, &cursor) != 0)
        return p->pages;
    size_t id = p->counted + 1, count;
    MDB_val key = {sizeof id, &id}, list;
    int rc = mdb_cursor_get(cursor, &key, &list, MDB_SET_RANGE);
    for (; rc == 0; rc = mdb_cursor_get(cursor, &key, &list, MDB_NEXT)) {
        memcpy(&id, key.mv_data, sizeof id);
        memcpy(&count, list.mv_data, sizeof count);
        p->pages += count;
        p->counted = id;
    }
    mdb_cursor_close(cursor);
    return p->pages;
}

/* LMDB's table has as many places as were ever taken at a time, so its length does not tell whether one is another process's. */
static uint64_t pinned_pages(struct lmdb_store *s, MDB_txn *txn, bool *ret_beside)
{
    struct reader_look look = {.magic = READER_LOOK_MAGIC, .self = (long)getpid()};
    int dead;
    (void)mdb_reader_check(s->env, &dead);             /* if it fails, those that died still count */
    (void)mdb_reader_list(s->env, reader_line, &look); /* reader_line() never stops it */
    *ret_beside = look.oldest != 0;
    return pinned(s, txn, look.oldest);
}

void lmdb_usage(struct store *base, struct store_usage *ret)
{
    struct lmdb_store *s = lmdb_store_of(base);
    struct store_txn *own = NULL;
    uint64_t pages = 0, freed = 0, kept = 0;
    uint64_t length = 0;
    bool beside = false;
    int fd;
    /* If even a read cannot begin, the last answer is as good as any: the caller's next write will fail for
     * the cause. */
    *ret = s->usage_last;
    if (!s->writing && lmdb_begin(base, false, &own) != 0)
        return;
    MDB_txn *txn = own ? ((struct lmdb_txn *)own)->mdb : s->writer.mdb;
    int err = count_pages(s, txn, &pages);
    if (!err)
        kept = pinned_pages(s, txn, &beside);
    if (own) {
        freed = kept ? 0 : freed_last(txn); /* what a reader keeps has it already */
        lmdb_abort(own);
    }
    if (err || mdb_env_get_fd(s->env, &fd) != 0 || store_file_extent(fd, &length, &ret->allocated_bytes) != 0)
        return;
    uint64_t within = s->disk_full ? least(s->map_bytes, s->allocated_to) : s->map_bytes;
    ret->map_bytes = s->map_bytes;
    ret->map_bytes_max = s->map_bytes_max;
    ret->read_beside = beside;
    ret->used_bytes = (pages + kept) * s->page_bytes;
    ret->free_bytes = within > ret->used_bytes ? within - ret->used_bytes : 0;
    ret->usable_bytes = less(ret->free_bytes, freed * s->page_bytes);
    uint64_t aside = less(less(least(within, s->allocated_to), ret->used_bytes), freed * s->page_bytes);
    ret->unasked_bytes = less(ret->usable_bytes, aside);
    ret->disk_full = s->disk_full;
    s->usage_last = *ret;
}

uint64_t lmdb_disk_free(struct store *base)
{
    uint64_t bytes;
    int fd;
    return mdb_env_get_fd(lmdb_store_of(base)->env, &fd) == 0 && store_file_disk_free(fd, &bytes) == 0
               ? bytes
               : UINT64_MAX;
}

/* ---- growing ---- */

/* Where the last page ever used ends. */
static uint64_t used_end(struct lmdb_store *s)
{
    MDB_envinfo info;
    return mdb_env_info(s->env, &info) == 0 ? (info.me_last_pgno + 1) * s->page_bytes : s->map_bytes;
}

static uint64_t map_bytes_wanted(const struct lmdb_store *s, uint64_t end)
{
    uint64_t bytes = s->map_bytes;
    while (bytes < s->map_bytes_max && bytes - least(bytes, end) < greatest(bytes / 2, MAP_AHEAD_BYTES_MIN))
        bytes = bytes <= s->map_bytes_max / 2 ? bytes * 2 : s->map_bytes_max;
    return bytes / s->page_bytes * s->page_bytes;
}

/* Move the map to a larger one, unless a read transaction is open: then the next call does it. There is time, for
 * the map grows long before it is full and readers are short. */
static int map_grow(struct lmdb_store *s, uint64_t end)
{
    uint64_t bytes = map_bytes_wanted(s, end);
    if (bytes <= s->map_bytes)
        return 0;
    int rc = 0;
    if (!s->readers) {
        rc = mdb_env_set_mapsize(s->env, bytes);
        if (rc == 0)
            s->map_bytes = bytes;
        else if (mdb_env_set_mapsize(s->env, s->map_bytes) != 0)
            s->broken = true;
    }
    if (s->broken)
        return SHUNT_IO;
    return rc != 0 ? SHUNT_NO_SPACE : 0; /* no address space, or a limit on it */
}

/* How much is to be set aside beyond the last page ever used. */
static uint64_t ahead_due(const struct lmdb_store *s, uint64_t end)
{
    uint64_t by_use = least(greatest(FILE_AHEAD_BYTES_MIN, end), greatest(STORE_AHEAD_BYTES, end / 10));
    return greatest(by_use, least(s->ahead_bytes, STORE_AHEAD_BYTES));
}

/* Set aside so much of the file; if there is not that much, as much as there is. */
static int file_grow(struct lmdb_store *s, uint64_t end, uint64_t ahead)
{
    if (!s->disk_full && s->allocated_to >= least(s->map_bytes, end + ahead))
        return 0;
    int fd;
    if (mdb_env_get_fd(s->env, &fd) != 0)
        return SHUNT_IO;
    /* A quarter more, so that this is not done again at once. */
    uint64_t to = least(s->map_bytes, end + ahead + ahead / 4);
    int err = store_file_allocate(fd, s->allocated_to, to);
    s->disk_full = err == SHUNT_NO_SPACE;
    for (uint64_t part = ahead; err == SHUNT_NO_SPACE && part >= s->page_bytes; part /= 2) {
        to = least(s->map_bytes, end + part);
        if (to <= s->allocated_to || store_file_allocate(fd, s->allocated_to, to) == 0) {
            s->allocated_to = greatest(s->allocated_to, to);
            return SHUNT_NO_SPACE;
        }
    }
    if (!err)
        s->allocated_to = greatest(s->allocated_to, to);
    return err;
}

uint64_t store_lmdb_ahead(struct store *base, uint64_t *ret_end)
{
    struct lmdb_store *s = lmdb_store_of(base);
    uint64_t end = used_end(s), length = 0, ignored, disk = lmdb_disk_free(base);
    int fd;
    *ret_end = end;
    if (mdb_env_get_fd(s->env, &fd) != 0 || store_file_extent(fd, &length, &ignored) != 0)
        return 0;
    uint64_t within_file = length > end ? length - end : 0;
    uint64_t within_map = s->map_bytes_max > end ? s->map_bytes_max - end : 0;
    return disk > within_map ? within_map : least(within_map, within_file + disk);
}

int lmdb_maintain(struct store *base)
{
    struct lmdb_store *s = lmdb_store_of(base);
    check(!s->writing);
    if (s->read_only)
        return 0;
    if (s->broken)
        return SHUNT_IO;
    uint64_t end = used_end(s);
    int err = map_grow(s, end);
    int file_err = file_grow(s, end, ahead_due(s, end));
    return err ? err : file_err;
}

int lmdb_set_aside(struct store *base, uint64_t bytes)
{
    struct lmdb_store *s = lmdb_store_of(base);
    check(!s->writing);
    if (s->read_only)
        return 0;
    if (s->broken)
        return SHUNT_IO;
    s->ahead_bytes = greatest(s->ahead_bytes, bytes);
    uint64_t end = used_end(s);
    return file_grow(s, end, greatest(bytes, ahead_due(s, end)));
}
