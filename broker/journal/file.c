/* file: the journal's file on disk. */
#include "broker/journal/file.h"

#include "base/check.h"
#include "base/container.h"
#include "broker/store/store_file.h"
#include "proto/errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_NAME "journal"

struct disk_file {
    struct journal_file base;
    int fd;
    void *map; /* NULL: none */
    size_t map_bytes;
    char path[]; /* to open it again */
};

static int fd_of(struct journal_file *f)
{
    return container_of(f, struct disk_file, base)->fd;
}

static int disk_size(struct journal_file *f, uint64_t *ret)
{
    uint64_t allocated;
    return store_file_extent(fd_of(f), ret, &allocated);
}

static int disk_read(struct journal_file *f, uint64_t at, void *to, size_t bytes)
{
    for (uint8_t *here = to; bytes;) {
        ssize_t got = pread(fd_of(f), here, bytes, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? store_file_error(errno) : SHUNT_CORRUPT;
        here += got;
        at += (size_t)got;
        bytes -= (size_t)got;
    }
    return 0;
}

static int disk_write(struct journal_file *f, uint64_t at, const struct iovec *parts, int count)
{
    struct iovec left[JOURNAL_FILE_PARTS_MAX], *first = left;
    check(count <= JOURNAL_FILE_PARTS_MAX);
    memcpy(left, parts, (size_t)count * sizeof *left);
    for (;;) {
        for (; count && first->iov_len == 0; count--)
            first++;
        if (!count)
            return 0;
        ssize_t put = pwritev(fd_of(f), first, count, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? store_file_error(errno) : SHUNT_IO;
        at += (size_t)put;
        for (struct iovec *part = first; put > 0; part++) {
            size_t some = (size_t)put < part->iov_len ? (size_t)put : part->iov_len;
            part->iov_base = (uint8_t *)part->iov_base + some;
            part->iov_len -= some;
            put -= (ssize_t)some;
        }
    }
}

static int disk_flush(struct journal_file *f)
{
    return fdatasync(fd_of(f)) == 0 ? 0 : store_file_error(errno);
}

static int disk_allocate(struct journal_file *f, uint64_t from, uint64_t to, bool *ret_done)
{
    uint64_t length, allocated;
    int err = store_file_allocate(fd_of(f), from, to);
    if (!err)
        err = store_file_extent(fd_of(f), &length, &allocated);
    *ret_done = !err && length >= to && allocated >= to;
    return err;
}

static int disk_truncate(struct journal_file *f, uint64_t bytes)
{
    return ftruncate(fd_of(f), (off_t)bytes) == 0 ? 0 : store_file_error(errno);
}

static const uint8_t *disk_map(struct journal_file *f, uint64_t bytes)
{
    struct disk_file *d = container_of(f, struct disk_file, base);
    check(!d->map);
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, d->fd, 0);
    if (map == MAP_FAILED)
        return NULL;
    d->map = map;
    d->map_bytes = bytes;
    return map;
}

static void disk_close(struct journal_file *f)
{
    struct disk_file *d = container_of(f, struct disk_file, base);
    if (d->map)
        (void)munmap(d->map, d->map_bytes);
    (void)close(d->fd); /* what had to be durable was flushed */
    free(d);
}

static int disk_again(struct journal_file *f, struct journal_file **ret);

static const struct journal_file_ops disk_ops = {
    .size = disk_size,
    .read = disk_read,
    .write = disk_write,
    .flush = disk_flush,
    .allocate = disk_allocate,
    .truncate = disk_truncate,
    .map = disk_map,
    .again = disk_again,
    .close = disk_close,
};

/* fails: as open() does, with errno. */
static int disk_open(const char *path, int flags, struct journal_file **ret)
{
    size_t length = strlen(path) + 1;
    struct disk_file *d = malloc(sizeof *d + length);
    if (!d)
        return SHUNT_NO_MEMORY;
    d->base.ops = &disk_ops;
    d->map = NULL;
    memcpy(d->path, path, length);
    d->fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (d->fd < 0) {
        int number = errno;
        free(d);
        errno = number;
        return store_file_error(number);
    }
    *ret = &d->base;
    return 0;
}

static int disk_again(struct journal_file *f, struct journal_file **ret)
{
    return disk_open(container_of(f, struct disk_file, base)->path, O_RDWR, ret);
}

int journal_file_open(const char *dir, bool create, bool read_only, struct journal_file **ret, char *ret_why,
                      size_t why_bytes)
{
    char path[STORE_PATH_BYTES];
    struct journal_file *f;
    int flags = read_only ? O_RDONLY : create ? O_RDWR | O_CREAT : O_RDWR;
    int err = store_file_join(path, dir, JOURNAL_NAME, ret_why, why_bytes);
    if (err)
        return err;
    errno = ENOMEM; /* unless open() says something else */
    err = disk_open(path, flags, &f);
    if (err) {
        (void)store_file_failed("open", path, ret_why, why_bytes);
        return err;
    }
    struct stat st;
    if (fstat(fd_of(f), &st) != 0) {
        err = store_file_failed("look at", path, ret_why, why_bytes);
    } else if (!S_ISREG(st.st_mode)) {
        (void)snprintf(ret_why, why_bytes, "%s is not a plain file: choose another directory with --data",
                       path);
        err = SHUNT_IO;
    } else if (create && !read_only) {
        err = store_file_sync(dir, ret_why, why_bytes); /* it may be new */
    }
    if (err) {
        disk_close(f);
        return err;
    }
    *ret = f;
    return 0;
}

int journal_file_remove(const char *dir, char *ret_why, size_t why_bytes)
{
    char path[STORE_PATH_BYTES];
    int err = store_file_join(path, dir, JOURNAL_NAME, ret_why, why_bytes);
    if (err)
        return err;
    if (unlink(path) != 0)
        return errno == ENOENT ? 0 : store_file_failed("remove", path, ret_why, why_bytes);
    return store_file_sync(dir, ret_why, why_bytes);
}
