/* outside: the calls, wrapped. */
#include "tests/unit/store/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

static enum outside kind;
static unsigned calls, fail_from, fail_times;
static int fail_code;
static const char *failed;
static uint64_t set_aside;

void outside_arm(enum outside what, unsigned n, unsigned times, int code)
{
    kind = what;
    calls = 0;
    fail_from = n;
    fail_times = times;
    fail_code = code;
    failed = NULL;
    set_aside = 0;
}

unsigned outside_calls(void)
{
    return calls;
}

const char *outside_failed(void)
{
    return failed;
}

uint64_t outside_set_aside(void)
{
    return set_aside;
}

static int due(enum outside what, const char *name)
{
    if (what != kind)
        return 0;
    calls++;
    if (!fail_from || calls < fail_from || calls >= fail_from + fail_times)
        return 0;
    failed = failed ? failed : name;
    return fail_code;
}

/* ---- LMDB ---- */

#define LMDB(name, parameters, arguments)                                                                    \
    int __real_##name parameters;                                                                            \
    int __wrap_##name parameters;                                                                            \
    int __wrap_##name parameters                                                                             \
    {                                                                                                        \
        int code = due(OUTSIDE_LMDB, #name);                                                                 \
        return code ? code : __real_##name arguments;                                                        \
    }

LMDB(mdb_env_create, (MDB_env * *env), (env))
LMDB(mdb_env_set_userctx, (MDB_env * env, void *context), (env, context))
LMDB(mdb_env_set_assert, (MDB_env * env, MDB_assert_func *f), (env, f))
LMDB(mdb_env_set_maxdbs, (MDB_env * env, MDB_dbi most), (env, most))
LMDB(mdb_env_set_maxreaders, (MDB_env * env, unsigned most), (env, most))
LMDB(mdb_env_set_mapsize, (MDB_env * env, size_t bytes), (env, bytes))
LMDB(mdb_env_open, (MDB_env * env, const char *path, unsigned flags, mdb_mode_t mode),
     (env, path, flags, mode))
LMDB(mdb_env_info, (MDB_env * env, MDB_envinfo *ret), (env, ret))
LMDB(mdb_env_stat, (MDB_env * env, MDB_stat *ret), (env, ret))
LMDB(mdb_env_get_fd, (MDB_env * env, mdb_filehandle_t *ret), (env, ret))
LMDB(mdb_txn_begin, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **ret),
     (env, parent, flags, ret))
LMDB(mdb_dbi_open, (MDB_txn * txn, const char *name, unsigned flags, MDB_dbi *ret), (txn, name, flags, ret))
LMDB(mdb_stat, (MDB_txn * txn, MDB_dbi dbi, MDB_stat *ret), (txn, dbi, ret))
LMDB(mdb_get, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *ret), (txn, dbi, key, ret))
LMDB(mdb_put, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *value, unsigned flags),
     (txn, dbi, key, value, flags))
LMDB(mdb_del, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *value), (txn, dbi, key, value))
LMDB(mdb_cursor_open, (MDB_txn * txn, MDB_dbi dbi, MDB_cursor **ret), (txn, dbi, ret))
LMDB(mdb_cursor_get, (MDB_cursor * c, MDB_val *key, MDB_val *value, MDB_cursor_op op), (c, key, value, op))
LMDB(mdb_cursor_put, (MDB_cursor * c, MDB_val *key, MDB_val *value, unsigned flags), (c, key, value, flags))
LMDB(mdb_cursor_del, (MDB_cursor * c, unsigned flags), (c, flags))

/* A commit that fails ends the transaction as one that does not. */
int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn)
{
    int code = due(OUTSIDE_LMDB, "mdb_txn_commit");
    if (!code)
        return __real_mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return code;
}

/* ---- the system ---- */

#define SYSTEM(type, name, parameters, arguments)                                                            \
    type __real_##name parameters;                                                                           \
    type __wrap_##name parameters;                                                                           \
    type __wrap_##name parameters                                                                            \
    {                                                                                                        \
        int code = due(OUTSIDE_SYSTEM, #name);                                                               \
        if (!code)                                                                                           \
            return __real_##name arguments;                                                                  \
        errno = code;                                                                                        \
        return -1;                                                                                           \
    }

SYSTEM(int, stat64, (const char *path, struct stat *ret), (path, ret))
SYSTEM(int, fstat64, (int fd, struct stat *ret), (fd, ret))
SYSTEM(ssize_t, pread64, (int fd, void *to, size_t size, off_t at), (fd, to, size, at))
SYSTEM(int, flock, (int fd, int operation), (fd, operation))
SYSTEM(int, ftruncate64, (int fd, off_t size), (fd, size))

int __real_fallocate64(int fd, int mode, off_t at, off_t size);
int __wrap_fallocate64(int fd, int mode, off_t at, off_t size);
int __wrap_fallocate64(int fd, int mode, off_t at, off_t size)
{
    int code = due(OUTSIDE_SYSTEM, "fallocate64");
    set_aside += (uint64_t)size;
    if (!code)
        return __real_fallocate64(fd, mode, at, size);
    errno = code;
    return -1;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    int code = due(OUTSIDE_SYSTEM, "open");
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (!code)
        return __real_open64(path, flags, mode);
    errno = code;
    return -1;
}

/* ---- the heap ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    return due(OUTSIDE_HEAP, "malloc") ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return due(OUTSIDE_HEAP, "calloc") ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return due(OUTSIDE_HEAP, "realloc") ? NULL : __real_realloc(old, size);
}
