/* backup_dir: see backup_dir.h. */
#include "broker/backup_dir.h"

#include "broker/store/store_lock.h"
#include "proto/errors.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHY_BYTES 512
#define WHY(...)  (void)snprintf(ret_why, why_bytes, __VA_ARGS__)

bool backup_dir_init(struct backup_dir *d, const char *to)
{
    size_t size = strlen(to);
    while (size > 1 && to[size - 1] == '/')
        size--;
    d->to = to;
    int length = snprintf(d->partial, sizeof d->partial, "%.*s.partial", (int)size, to);
    return size && length > 0 && (size_t)length < sizeof d->partial;
}

static int unlink_in(const struct backup_dir *d, const char *name, char *ret_why, size_t why_bytes)
{
    char path[STORE_PATH_BYTES];
    int err = store_file_join(path, d->partial, name, ret_why, why_bytes);
    if (!err && unlink(path) != 0 && errno != ENOENT)
        err = store_file_failed("remove", path, ret_why, why_bytes);
    return err;
}

/* What a copy consists of that has not got its name. The lock goes last. */
static int clear(const struct backup_dir *d, char *ret_why, size_t why_bytes)
{
    int err = store_file_clean(d->partial, ret_why, why_bytes);
    if (!err)
        err = unlink_in(d, STORE_DATA_NAME, ret_why, why_bytes);
    if (!err)
        err = unlink_in(d, STORE_READERS_NAME, ret_why, why_bytes);
    return err;
}

int backup_dir_check(const struct backup_dir *d, char *ret_why, size_t why_bytes)
{
    struct stat st;
    if (lstat(d->to, &st) == 0) {
        WHY("%s is there already: name a directory that is not", d->to);
        return SHUNT_BAD_ARGUMENT;
    }
    return errno == ENOENT ? 0 : store_file_failed("look at", d->to, ret_why, why_bytes);
}

int backup_dir_begin(const struct backup_dir *d, char *ret_why, size_t why_bytes)
{
    int fd = -1;
    int err = store_file_make_dir(d->partial, ret_why, why_bytes);
    if (!err && store_lock_take(d->partial, false, &fd, ret_why, why_bytes) != 0) {
        WHY("another backup is writing %s: wait until it has ended, or name another directory", d->partial);
        return SHUNT_STORE_LOCKED;
    }
    if (!err)
        err = clear(d, ret_why, why_bytes);
    store_lock_release(fd);
    return err;
}

void backup_dir_remove(const struct backup_dir *d)
{
    char why[WHY_BYTES];
    if (clear(d, why, sizeof why) == 0 && unlink_in(d, STORE_LOCK_NAME, why, sizeof why) == 0)
        (void)rmdir(d->partial); /* the next backup of this name removes it */
}

/* The directory in which `path` stands. */
static void parent_of(const char *path, char to[STORE_PATH_BYTES])
{
    (void)snprintf(to, STORE_PATH_BYTES, "%s", path);
    char *slash = strrchr(to, '/');
    if (!slash)
        (void)snprintf(to, STORE_PATH_BYTES, ".");
    else
        slash[slash == to] = '\0';
}

int backup_dir_end(const struct backup_dir *d, char *ret_why, size_t why_bytes)
{
    char data[STORE_PATH_BYTES], parent[STORE_PATH_BYTES];
    parent_of(d->to, parent);
    int err = unlink_in(d, STORE_READERS_NAME, ret_why, why_bytes);
    if (!err)
        err = unlink_in(d, STORE_LOCK_NAME, ret_why, why_bytes);
    if (!err)
        err = store_file_join(data, d->partial, STORE_DATA_NAME, ret_why, why_bytes);
    if (!err)
        err = store_file_sync(data, ret_why, why_bytes);
    if (!err)
        err = store_file_sync(d->partial, ret_why, why_bytes);
    if (!err && renameat2(AT_FDCWD, d->partial, AT_FDCWD, d->to, RENAME_NOREPLACE) != 0)
        err = store_file_failed("give the backup its name", d->to, ret_why, why_bytes);
    return err ? err : store_file_sync(parent, ret_why, why_bytes);
}
