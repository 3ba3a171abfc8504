/* The LMDB store: open, create, check, close; and the table by which it is called.
 *
 * Order matters. The lock comes first, before anything in the directory is touched. Then what LMDB would
 * misread is refused: an empty file, which it takes for a new store; something that is no store. After it is
 * mapped, and before any page but the two meta pages is read, the file must be as long as its last page says,
 * for reading beyond the end kills the process.
 */
#include "base/check.h"
#include "broker/store/store_file.h"
#include "broker/store/store_lmdb.h"
#include "broker/store/store_lock.h"
#include "broker/store/store_version.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READERS_MAX        126
#define READERS_FILE_BYTES 8192 /* LMDB's table for so many: a header and 64 bytes each */
#define MAP_BYTES_MIN      (256u << 10)
#define CREATE_MAP_BYTES   (1u << 20)
#define EXIT_STORE_DAMAGED 65 /* as shuntd(8) has it */
#define SAY_SECONDS        2  /* that a last line may take */

#define WHY(...) (void)snprintf(ret_why, why_bytes, __VA_ARGS__)

/* As docs/storage.md has them. NULL: the tree that LMDB lists the named ones in. */
static const char *const tree_names[TREE_COUNT] = {
    [TREE_STATE] = NULL,        [TREE_MESSAGE] = "message", [TREE_ATTEMPT] = "attempt",
    [TREE_HISTORY] = "history", [TREE_DUE] = "due",         [TREE_EXPIRY] = "expiry",
    [TREE_DEAD] = "dead",       [TREE_AUDIT] = "audit",     [TREE_EDIT] = "edit",
};

/* The version that brought the tree; 0: all that are read have it. */
static const uint32_t tree_since[TREE_COUNT] = {[TREE_AUDIT] = 6, [TREE_EDIT] = 6};

/* The sentence for an LMDB call that failed, and its code. */
static int failed(int rc, const char *doing, const char *dir, char *ret_why, size_t why_bytes)
{
    int err = lmdb_error(rc);
    const char *advice =
        err == SHUNT_CORRUPT ? "restore it from a backup" : "check the disk and its permissions";
    WHY("cannot %s the store in %s: %s: %s", doing, dir, mdb_strerror(rc), advice);
    return err;
}

/* LMDB found a malformed page. It would call abort() next, and going on would spread the damage, so the process
 * ends here, at once and without cleaning up. No caller is left to report it: hence this one line that a store
 * writes. */
static void damaged(MDB_env *env, const char *message)
{
    const char *dir = mdb_env_get_userctx(env);
    (void)signal(SIGALRM, SIG_DFL); /* it ends the process if nobody reads standard error */
    (void)alarm(SAY_SECONDS);
    (void)dprintf(
        STDERR_FILENO,
        "shunt: the store in %s is damaged (%s): restore it from a backup, or look with shuntd --check\n",
        dir ? dir : "?", message);
    _exit(EXIT_STORE_DAMAGED);
}

/* A size that LMDB takes for a map: whole pages, and room for the tables at least. */
static uint64_t pages_of(uint64_t bytes)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (bytes < MAP_BYTES_MIN ? MAP_BYTES_MIN : bytes) / page * page;
}

/* LMDB writes its table of readers through a mapping of a file with holes, and to fill a hole on a full disk
 * kills the process: so the file is set aside first. Returns 0 or an errno. */
static int readers_allocate(const char *dir)
{
    char path[STORE_PATH_BYTES];
    if (store_file_path(path, dir, STORE_READERS_NAME) != 0)
        return ENAMETOOLONG;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int err = store_file_allocate(fd, 0, READERS_FILE_BYTES);
    (void)close(fd); /* nothing was written */
    return err == 0 ? 0 : err == SHUNT_NO_SPACE ? ENOSPC : EIO;
}

/* Reading ahead is left on: a backlog larger than memory is read in the order in which it was written. */
static int env_open(struct lmdb_store *s, const char *dir, uint64_t map_bytes, unsigned flags)
{
    int rc = mdb_env_create(&s->env);
    if (rc != 0) {
        s->env = NULL;
        return rc;
    }
    rc = mdb_env_set_userctx(s->env, s->dir);
    if (rc == 0)
        rc = mdb_env_set_assert(s->env, damaged);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(s->env, TREE_COUNT);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(s->env, READERS_MAX);
    if (rc == 0)
        rc = mdb_env_set_mapsize(s->env, map_bytes);
    if (rc == 0 && !(flags & MDB_NOLOCK))
        rc = readers_allocate(dir);
    if (rc == 0)
        rc = mdb_env_open(s->env, dir, flags | MDB_NOTLS, 0600);
    return rc;
}

static void env_close(struct lmdb_store *s)
{
    if (s->env)
        mdb_env_close(s->env);
    s->env = NULL;
}

/* Open (or make) the first `count` trees of a store of `version`. All are of LMDB's plain kind; it looks for itself
 * where a tree has a name. */
static int trees_open(struct lmdb_store *s, int count, uint32_t version, bool create)
{
    MDB_txn *txn;
    unsigned flags = 0;
    int rc = mdb_txn_begin(s->env, NULL, create ? 0 : MDB_RDONLY, &txn);
    if (rc != 0)
        return rc;
    for (int i = 0; i < count && rc == 0; i++) {
        s->trees[i] = TREE_ABSENT;
        if (version >= tree_since[i])
            rc = mdb_dbi_open(txn, tree_names[i], create ? MDB_CREATE : 0, &s->trees[i]);
    }
    if (rc == 0)
        rc = mdb_dbi_flags(txn, s->trees[TREE_STATE], &flags);
    if (rc == 0 && flags != 0)
        rc = MDB_INCOMPATIBLE;
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

static int write_version(struct lmdb_store *s)
{
    struct store_txn *t;
    int err = lmdb_begin(&s->base, true, &t);
    if (err)
        return err;
    err = store_version_write(t);
    int commit_err = lmdb_commit(t);
    return err ? err : commit_err;
}

/* ---- creating ---- */

static int create_in(struct lmdb_store *s, const char *dir, char *ret_why, size_t why_bytes)
{
    int rc = env_open(s, dir, CREATE_MAP_BYTES, 0);
    if (rc == 0)
        rc = trees_open(s, TREE_COUNT, STORE_LAYOUT_VERSION, true);
    if (rc != 0)
        return failed(rc, "create", dir, ret_why, why_bytes);
    int err = write_version(s);
    if (err)
        WHY("cannot create the store in %s: %s: check the disk and its permissions", dir, err_text(err));
    return err;
}

static int create(struct lmdb_store *s, char *ret_why, size_t why_bytes)
{
    char dir[STORE_PATH_BYTES];
    int err = store_file_create_begin(s->dir, dir, ret_why, why_bytes);
    if (err)
        return err;
    err = create_in(s, dir, ret_why, why_bytes);
    env_close(s);
    return err ? err : store_file_create_end(s->dir, ret_why, why_bytes);
}

/* ---- checking ---- */

static int check_length(struct lmdb_store *s, char *ret_why, size_t why_bytes)
{
    MDB_stat stat;
    MDB_envinfo info;
    uint64_t size;
    int rc = mdb_env_info(s->env, &info);
    if (rc == 0)
        rc = mdb_env_stat(s->env, &stat);
    if (rc != 0)
        return failed(rc, "look at", s->dir, ret_why, why_bytes);
    int err = store_file_size(s->dir, &size, ret_why, why_bytes); /* last: beside a writer it grows */
    if (err)
        return err;
    s->page_bytes = stat.ms_psize;
    s->map_bytes = info.me_mapsize;
    uint64_t pages = info.me_last_pgno + 1;
    if (size / s->page_bytes < pages && !s->cut) {
        WHY("the store %s/%s is cut short: it has %llu bytes and needs %llu: restore it from a backup",
            s->dir, STORE_DATA_NAME, (unsigned long long)size, (unsigned long long)(pages * s->page_bytes));
        return SHUNT_STORE_TRUNCATED;
    }
    return 0;
}

static int refuse_version(struct lmdb_store *s, uint32_t version, char *ret_why, size_t why_bytes)
{
    WHY("the store in %s was written by %s shunt: it has version %u, this program reads versions %u to %u: "
        "install the %s one",
        s->dir, version < STORE_LAYOUT_VERSION ? "an older" : "a newer", version, STORE_LAYOUT_VERSION_OLDEST,
        STORE_LAYOUT_VERSION, version < STORE_LAYOUT_VERSION ? "older" : "newer");
    return SHUNT_STORE_VERSION;
}

/* Of a store that has no version where this program has its own: version 1 had a tree for each table, version
 * 2 a named one for the small tables. 0: neither. */
static uint32_t old_version(struct lmdb_store *s)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn) != 0)
        return 0;
    uint32_t version = mdb_dbi_open(txn, "state", 0, &dbi) == 0   ? 2
                       : mdb_dbi_open(txn, "dedup", 0, &dbi) == 0 ? 1
                                                                  : 0;
    mdb_txn_abort(txn);
    return version;
}

/* The trees that it lacks, and the version, in one transaction. */
static int upgrade(struct lmdb_store *s, uint32_t version)
{
    struct store_txn *t;
    int err = lmdb_begin(&s->base, true, &t);
    if (err)
        return err;
    MDB_txn *mdb = ((struct lmdb_txn *)t)->mdb;
    for (int i = 0; !err && i < TREE_COUNT; i++) {
        if (version < tree_since[i])
            err = lmdb_error(mdb_dbi_open(mdb, tree_names[i], MDB_CREATE, &s->trees[i]));
    }
    if (!err)
        err = store_version_write(t);
    if (!err)
        return lmdb_commit(t);
    lmdb_abort(t);
    return err;
}

/* From now on no older program opens it. A crash leaves it as it was, or upgraded. */
static int take_over(struct lmdb_store *s, uint32_t version, char *ret_why, size_t why_bytes)
{
    int err = upgrade(s, version);
    if (err) {
        WHY("cannot upgrade the store in %s from version %u to %u: %s: check the disk and its permissions",
            s->dir, version, STORE_LAYOUT_VERSION, err_text(err));
    }
    return err;
}

static int check_version(struct lmdb_store *s, uint32_t *ret, char *ret_why, size_t why_bytes)
{
    struct store_txn *t;
    uint32_t version = 0;
    int rc = trees_open(s, TREE_STATE + 1, STORE_LAYOUT_VERSION, false);
    if (rc != 0)
        return failed(rc, "read", s->dir, ret_why, why_bytes);
    int err = lmdb_begin(&s->base, false, &t);
    if (!err) {
        err = store_version_read(t, &version);
        lmdb_abort(t);
    }
    uint32_t old = err == SHUNT_CORRUPT ? old_version(s) : 0;
    if (old)
        return refuse_version(s, old, ret_why, why_bytes);
    if (err) {
        WHY("%s/%s is an LMDB file but no shunt store (%s): choose another directory with --data", s->dir,
            STORE_DATA_NAME, err == SHUNT_CORRUPT ? "it has no version record" : err_text(err));
        return err;
    }
    if (version < STORE_LAYOUT_VERSION_OLDEST || version > STORE_LAYOUT_VERSION)
        return refuse_version(s, version, ret_why, why_bytes);
    *ret = s->read_only ? version : STORE_LAYOUT_VERSION;
    return *ret == version ? 0 : take_over(s, version, ret_why, why_bytes);
}

/* ---- opening ---- */

static int open_existing(struct lmdb_store *s, uint64_t map_bytes, char *ret_why, size_t why_bytes)
{
    int err = store_file_check(s->dir, ret_why, why_bytes);
    if (err)
        return err;
    /* Without LMDB's own lock file a read-only medium can be opened too; ours keeps writers out. Beside a writer it is needed. */
    int rc = env_open(s, s->dir, map_bytes,
                      s->beside      ? MDB_RDONLY
                      : s->read_only ? MDB_RDONLY | MDB_NOLOCK
                                     : 0);
    if (rc == MDB_VERSION_MISMATCH) {
        WHY("the store in %s was written by another version of LMDB: install the shunt that wrote it",
            s->dir);
        return SHUNT_STORE_VERSION;
    }
    if (rc != 0)
        return failed(rc, "open", s->dir, ret_why, why_bytes);
    err = check_length(s, ret_why, why_bytes);
    uint32_t version = 0;
    if (!err)
        err = check_version(s, &version, ret_why, why_bytes);
    if (err)
        return err;
    rc = trees_open(s, TREE_COUNT, version, false);
    if (rc == 0)
        return 0;
    WHY("the store in %s lacks a table (%s): restore it from a backup", s->dir, mdb_strerror(rc));
    return rc == MDB_NOTFOUND ? SHUNT_CORRUPT : lmdb_error(rc);
}

static int open_locked(struct lmdb_store *s, const struct store_lmdb_options *o, char *ret_why,
                       size_t why_bytes)
{
    uint64_t size;
    int err = o->read_only ? 0 : store_file_clean(s->dir, ret_why, why_bytes);
    if (err)
        return err;
    err = store_file_size(s->dir, &size, ret_why, why_bytes);
    if (err == SHUNT_NOT_FOUND && o->create && !o->read_only)
        err = create(s, ret_why, why_bytes);
    if (!err)
        err = open_existing(s, pages_of(o->map_bytes), ret_why, why_bytes);
    return err;
}

/* What the file already has set aside: all of it, as a rule. A hole in it that a full disk cannot fill is not
 * counted on. */
static int space_init(struct lmdb_store *s, char *ret_why, size_t why_bytes)
{
    int fd;
    uint64_t length;
    uint64_t allocated;
    int rc = mdb_env_get_fd(s->env, &fd);
    if (rc != 0)
        return failed(rc, "look at", s->dir, ret_why, why_bytes);
    int err = store_file_extent(fd, &length, &allocated);
    if (!err && store_file_allocate(fd, 0, length) == 0)
        s->allocated_to = length;
    /* On a full disk the store still opens: what is in it must be able to leave. */
    if (!err)
        err = lmdb_maintain(&s->base);
    if (err == SHUNT_NO_SPACE)
        err = 0;
    if (err)
        WHY("cannot make room in %s/%s: %s: check the disk", s->dir, STORE_DATA_NAME, err_text(err));
    return err;
}

/* Of one half made, too. */
static void lmdb_close(struct store *base)
{
    struct lmdb_store *s = lmdb_store_of(base);
    check(!s->writing);
    check(!s->readers);
    env_close(s);
    store_lock_release(s->lock_fd);
    free(s);
}

static const struct store_ops lmdb_ops = {
    .begin = lmdb_begin,
    .commit = lmdb_commit,
    .abort = lmdb_abort,
    .get = lmdb_get,
    .put = lmdb_put,
    .reserve = lmdb_reserve,
    .put_run = lmdb_put_run,
    .del = lmdb_del,
    .cursor_open = lmdb_cursor_open,
    .cursor_close = lmdb_cursor_close,
    .cursor_seek = lmdb_cursor_seek,
    .cursor_next = lmdb_cursor_next,
    .cursor_prev = lmdb_cursor_prev,
    .cursor_del = lmdb_cursor_del,
    .usage = lmdb_usage,
    .disk_free = lmdb_disk_free,
    .count = lmdb_count,
    .maintain = lmdb_maintain,
    .set_aside = lmdb_set_aside,
    .pack = lmdb_pack,
    .close = lmdb_close,
};

static struct lmdb_store *store_new(const struct store_lmdb_options *o)
{
    size_t dir_bytes = strlen(o->dir) + 1;
    struct lmdb_store *s = calloc(1, sizeof *s + dir_bytes);
    if (!s)
        return NULL;
    s->base.ops = &lmdb_ops;
    s->lock_fd = -1;
    s->read_only = o->read_only;
    s->beside = o->beside;
    s->cut = o->cut;
    s->map_bytes_max = pages_of(o->map_bytes_max);
    s->pack.deleted_rows = UINT64_MAX / 2; /* nobody knows how thin its pages are */
    memcpy(s->dir, o->dir, dir_bytes);
    return s;
}

int store_lmdb_open(const struct store_lmdb_options *o, struct store **ret, char *ret_why, size_t why_bytes)
{
    struct lmdb_store *s = store_new(o);
    if (!s) {
        WHY("no memory to open the store in %s: try again", o->dir);
        return SHUNT_NO_MEMORY;
    }
    uint64_t size;
    bool may_create = o->create && !o->read_only;
    int err = may_create ? store_file_make_dir(o->dir, ret_why, why_bytes)
                         : store_file_size(o->dir, &size, ret_why, why_bytes);
    if (!err && !o->beside)
        err = store_lock_take(o->dir, o->read_only, &s->lock_fd, ret_why, why_bytes);
    if (!err)
        err = open_locked(s, o, ret_why, why_bytes);
    if (!err && !o->read_only)
        err = space_init(s, ret_why, why_bytes);
    if (err) {
        lmdb_close(&s->base);
        return err;
    }
    *ret = &s->base;
    return 0;
}
