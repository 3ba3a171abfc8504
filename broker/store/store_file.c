/* store_file: see store_file.h.
 *
 * A store is created beside its place and renamed into it, since a crash within LMDB's very first commit can
 * leave a file that will not open: each step is durable before the next, so that data.mdb is either absent or
 * whole.
 */
#include "broker/store/store_file.h"

#include "proto/errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* LMDB's first page: a header of 16 bytes, then this number in the machine's own byte order. */
#define MAGIC_OFFSET 16
#define MAGIC        0xBEEFC0DEu
/* Two meta pages come first; pages are as large as the machine's, at least this. */
#define META_BYTES_MIN (2 * 4096)

#define WHY(...) (void)snprintf(ret_why, why_bytes, __VA_ARGS__)

int store_file_error(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SHUNT_NO_SPACE;
    case EROFS:
    case EACCES:
    case EPERM:
        return SHUNT_STORE_READ_ONLY;
    case ENOENT:
        return SHUNT_NOT_FOUND;
    case ENOMEM:
        return SHUNT_NO_MEMORY;
    default:
        return SHUNT_IO;
    }
}

int store_file_path(char *to, const char *dir, const char *name)
{
    int length = snprintf(to, STORE_PATH_BYTES, "%s/%s", dir, name);
    return length < 0 || length >= STORE_PATH_BYTES ? SHUNT_BAD_ARGUMENT : 0;
}

int store_file_join(char *to, const char *dir, const char *name, char *ret_why, size_t why_bytes)
{
    int err = store_file_path(to, dir, name);
    if (err)
        WHY("the path of the data directory is too long: choose a shorter one with --data");
    return err;
}

int store_file_failed(const char *doing, const char *path, char *ret_why, size_t why_bytes)
{
    int number = errno;
    WHY("cannot %s %s: %s: check that the path is right, writable and on a disk with space", doing, path,
        strerror(number));
    return store_file_error(number);
}

int store_file_sync(const char *path, char *ret_why, size_t why_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return store_file_failed("open", path, ret_why, why_bytes);
    int err = fsync(fd) != 0 ? store_file_failed("fsync", path, ret_why, why_bytes) : 0;
    (void)close(fd); /* nothing of ours is left to write */
    return err;
}

int store_file_make_dir(const char *dir, char *ret_why, size_t why_bytes)
{
    if (mkdir(dir, 0700) == 0) {
        char parent[STORE_PATH_BYTES];
        int err = store_file_join(parent, dir, "..", ret_why, why_bytes);
        return err ? err : store_file_sync(parent, ret_why, why_bytes);
    }
    if (errno != EEXIST)
        return store_file_failed("create the data directory", dir, ret_why, why_bytes);
    struct stat st;
    if (stat(dir, &st) != 0)
        return store_file_failed("look at the data directory", dir, ret_why, why_bytes);
    if (!S_ISDIR(st.st_mode)) {
        WHY("%s is not a directory: choose another one with --data", dir);
        return SHUNT_IO;
    }
    return 0;
}

int store_file_size(const char *dir, uint64_t *ret_bytes, char *ret_why, size_t why_bytes)
{
    char path[STORE_PATH_BYTES];
    int err = store_file_join(path, dir, STORE_DATA_NAME, ret_why, why_bytes);
    if (err)
        return err;
    struct stat st;
    if (stat(path, &st) != 0) {
        if (errno != ENOENT)
            return store_file_failed("look at", path, ret_why, why_bytes);
        WHY("there is no store in %s (no file %s): check the path", dir, path);
        return SHUNT_NOT_FOUND;
    }
    if (!S_ISREG(st.st_mode)) {
        WHY("%s is not a plain file: choose another directory with --data", path);
        return SHUNT_IO;
    }
    *ret_bytes = (uint64_t)st.st_size;
    return 0;
}

int store_file_check(const char *dir, char *ret_why, size_t why_bytes)
{
    uint64_t size;
    char path[STORE_PATH_BYTES];
    int err = store_file_size(dir, &size, ret_why, why_bytes);
    if (!err)
        err = store_file_join(path, dir, STORE_DATA_NAME, ret_why, why_bytes);
    if (err)
        return err;
    if (size == 0) {
        WHY("the store %s is empty (0 bytes): restore it from a backup; to start with nothing, remove the "
            "file",
            path);
        return SHUNT_STORE_TRUNCATED;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return store_file_failed("open", path, ret_why, why_bytes);
    uint32_t magic = 0;
    ssize_t got = pread(fd, &magic, sizeof magic, MAGIC_OFFSET);
    if (got < 0)
        err = store_file_failed("read", path, ret_why, why_bytes);
    (void)close(fd); /* only read from */
    if (err)
        return err;
    if (got != sizeof magic || magic != MAGIC) {
        WHY("%s is not a store (or its beginning is overwritten): restore it from a backup, or choose "
            "another "
            "directory with --data",
            path);
        return SHUNT_CORRUPT;
    }
    if (size < META_BYTES_MIN) {
        WHY("the store %s is cut short: it has %llu bytes, the smallest store has %d: restore it from a "
            "backup",
            path, (unsigned long long)size, META_BYTES_MIN);
        return SHUNT_STORE_TRUNCATED;
    }
    return 0;
}

int store_file_clean(const char *dir, char *ret_why, size_t why_bytes)
{
    static const char *const names[] = {STORE_NEW_NAME "/" STORE_DATA_NAME,
                                        STORE_NEW_NAME "/" STORE_READERS_NAME};
    char path[STORE_PATH_BYTES];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int err = store_file_join(path, dir, names[i], ret_why, why_bytes);
        if (err)
            return err;
        if (unlink(path) != 0 && errno != ENOENT)
            return store_file_failed("remove", path, ret_why, why_bytes);
    }
    int err = store_file_join(path, dir, STORE_NEW_NAME, ret_why, why_bytes);
    if (!err && rmdir(path) != 0 && errno != ENOENT)
        return store_file_failed("remove", path, ret_why, why_bytes);
    return err;
}

int store_file_create_begin(const char *dir, char *to, char *ret_why, size_t why_bytes)
{
    int err = store_file_clean(dir, ret_why, why_bytes);
    if (!err)
        err = store_file_join(to, dir, STORE_NEW_NAME, ret_why, why_bytes);
    if (!err && mkdir(to, 0700) != 0)
        err = store_file_failed("create", to, ret_why, why_bytes);
    return err;
}

int store_file_create_end(const char *dir, char *ret_why, size_t why_bytes)
{
    char made[STORE_PATH_BYTES];
    char parent[STORE_PATH_BYTES];
    char place[STORE_PATH_BYTES];
    int err = store_file_join(made, dir, STORE_NEW_NAME "/" STORE_DATA_NAME, ret_why, why_bytes);
    if (!err)
        err = store_file_join(parent, dir, STORE_NEW_NAME, ret_why, why_bytes);
    if (!err)
        err = store_file_join(place, dir, STORE_DATA_NAME, ret_why, why_bytes);
    if (!err)
        err = store_file_sync(made, ret_why, why_bytes);
    if (!err)
        err = store_file_sync(parent, ret_why, why_bytes);
    if (!err && rename(made, place) != 0)
        err = store_file_failed("rename the new store to", place, ret_why, why_bytes);
    if (!err)
        err = store_file_sync(dir, ret_why, why_bytes);
    return err ? err : store_file_clean(dir, ret_why, why_bytes);
}

int store_file_allocate(int fd, uint64_t from_bytes, uint64_t to_bytes)
{
    int rc;
    if (from_bytes >= to_bytes)
        return 0;
    do
        rc = fallocate(fd, 0, (off_t)from_bytes, (off_t)(to_bytes - from_bytes));
    while (rc != 0 && errno == EINTR);
    if (rc == 0 || errno == EOPNOTSUPP || errno == ENOSYS)
        return 0;
    return store_file_error(errno) == SHUNT_NO_SPACE ? SHUNT_NO_SPACE : SHUNT_IO;
}

int store_file_disk_free(int fd, uint64_t *ret)
{
    struct statvfs st;
    if (fstatvfs(fd, &st) != 0)
        return SHUNT_IO;
    *ret = (uint64_t)st.f_bavail * st.f_frsize;
    return 0;
}

int store_file_disk_bytes(const char *dir, uint64_t *ret)
{
    struct statvfs st;
    if (statvfs(dir, &st) != 0)
        return SHUNT_IO;
    *ret = (uint64_t)st.f_blocks * st.f_frsize;
    return 0;
}

int store_file_extent(int fd, uint64_t *ret_length, uint64_t *ret_allocated)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return SHUNT_IO;
    *ret_length = (uint64_t)st.st_size;
    *ret_allocated = (uint64_t)st.st_blocks * 512; /* st_blocks counts in 512 bytes whatever the block size */
    return 0;
}
