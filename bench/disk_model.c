/* disk_model: preloaded into a server, lets each flush take the time that the model says (disk_model.h). The
 * calls themselves are made first, and their results are what the server gets; one that fails takes no time.
 */
#undef _FILE_OFFSET_BITS /* pwrite() and pwrite64() are two functions here */
#include "bench/disk_model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench/clock.h"

#define EXPORTED __attribute__((visibility("default")))

static struct disk_model *model; /* NULL: none is asked for */

/* A server that runs without the model when one was asked for would show figures of memory: better none. */
_Noreturn static void refuse(const char *path)
{
    (void)dprintf(2, "disk model: cannot use %s (%s)\n", path, strerror(errno));
    _exit(127);
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv(DISK_MODEL_VARIABLE);
    if (!path)
        return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *model, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED || ((struct disk_model *)map)->is.magic != DISK_MODEL_MAGIC)
        refuse(path);
    (void)close(fd); /* the mapping stays */
    model = map;
}

/* ---- the disk ---- */

/* The kernel may wake a thread as late as its slack says, and saves energy so; here the time is what counts. */
static void wait_until(uint64_t at_ns)
{
    struct timespec at = {(time_t)(at_ns / NS_PER_S), (long)(at_ns % NS_PER_S)};
    int slack_ns = prctl(PR_GET_TIMERSLACK);
    (void)prctl(PR_SET_TIMERSLACK, 1ul);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
    if (slack_ns > 0)
        (void)prctl(PR_SET_TIMERSLACK, (unsigned long)slack_ns);
    atomic_fetch_add(&model->late_ns, clock_ns() - at_ns);
}

static void flush(uint64_t bytes)
{
    uint64_t now_ns = clock_ns(), idle_ns = model->idle_ns, end_ns;
    uint64_t takes_ns = model->is.flush_ns + (uint64_t)((double)bytes * 1e9 / (double)model->is.bytes_per_s);
    do {
        end_ns = (idle_ns > now_ns ? idle_ns : now_ns) + takes_ns;
    } while (!atomic_compare_exchange_weak(&model->idle_ns, &idle_ns, end_ns));
    atomic_fetch_add(&model->flushes, 1);
    atomic_fetch_add(&model->flushed_bytes, bytes);
    atomic_fetch_add(&model->busy_ns, takes_ns);
    wait_until(end_ns);
}

static struct disk_model_file *file_of(uint64_t inode)
{
    uint64_t at = inode * 0x9e3779b97f4a7c15u;
    for (unsigned tries = 0; tries < DISK_MODEL_FILES - 1; tries++) {
        struct disk_model_file *f = &model->files[(at + tries) % (DISK_MODEL_FILES - 1)];
        uint64_t its = 0;
        if (f->inode == inode || atomic_compare_exchange_strong(&f->inode, &its, inode) || its == inode)
            return f;
    }
    return &model->files[DISK_MODEL_FILES - 1];
}

static bool is_on_disk(int fd, struct stat *ret)
{
    return model && fstat(fd, ret) == 0 && ret->st_dev == model->is.device;
}

/* After a write. `flushes`: the call itself asked for it. */
static ssize_t written(int fd, ssize_t done, bool flushes)
{
    struct stat st;
    int error = errno; /* stays as the call left it */
    if (done > 0 && is_on_disk(fd, &st) && S_ISREG(st.st_mode)) {
        atomic_fetch_add(&model->written_bytes, (uint64_t)done);
        if (flushes || (fcntl(fd, F_GETFL) & O_DSYNC) != 0) /* O_SYNC has this bit, too */
            flush((uint64_t)done);
        else
            atomic_fetch_add(&file_of(st.st_ino)->unflushed_bytes, (uint64_t)done);
    }
    errno = error;
    return done;
}

/* After a flush of a file or a directory. */
static int flushed(int fd, int rc)
{
    struct stat st;
    int error = errno;
    if (rc == 0 && is_on_disk(fd, &st))
        flush(atomic_exchange(&file_of(st.st_ino)->unflushed_bytes, 0));
    errno = error;
    return rc;
}

static void flush_all(void)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < DISK_MODEL_FILES; i++) {
        if (model->files[i].unflushed_bytes > 0)
            bytes += atomic_exchange(&model->files[i].unflushed_bytes, 0);
    }
    flush(bytes);
}

/* ---- the calls ---- */

EXPORTED ssize_t write(int fd, const void *bytes, size_t size)
{
    return written(fd, syscall(SYS_write, fd, bytes, size), false);
}

EXPORTED ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return written(fd, syscall(SYS_writev, fd, parts, count), false);
}

EXPORTED ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    return written(fd, syscall(SYS_pwrite64, fd, bytes, size, at), false);
}

EXPORTED ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    return pwrite64(fd, bytes, size, at);
}

/* The kernel takes an offset in two words; on a machine of 64 bits the second is not looked at. */
_Static_assert(sizeof(long) == 8, "offsets are one word");

EXPORTED ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    return written(fd, syscall(SYS_pwritev, fd, parts, count, at, 0l), false);
}

EXPORTED ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    return pwritev64(fd, parts, count, at);
}

EXPORTED ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t at, int flags)
{
    return written(fd, syscall(SYS_pwritev2, fd, parts, count, at, 0l, flags),
                   (flags & (RWF_DSYNC | RWF_SYNC)) != 0);
}

EXPORTED ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
    return pwritev64v2(fd, parts, count, at, flags);
}

EXPORTED int fsync(int fd)
{
    return flushed(fd, (int)syscall(SYS_fsync, fd));
}

EXPORTED int fdatasync(int fd)
{
    return flushed(fd, (int)syscall(SYS_fdatasync, fd));
}

EXPORTED int sync_file_range(int fd, off64_t at, off64_t size, unsigned flags)
{
    int rc = (int)syscall(SYS_sync_file_range, fd, at, size, flags);
    return flags & (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER) ? flushed(fd, rc) : rc;
}

EXPORTED int msync(void *at, size_t size, int flags)
{
    int rc = (int)syscall(SYS_msync, at, size, flags);
    if (rc == 0 && model && flags & MS_SYNC) {
        atomic_fetch_add(&model->written_bytes, size);
        flush(size);
    }
    return rc;
}

EXPORTED int syncfs(int fd)
{
    struct stat st;
    int rc = (int)syscall(SYS_syncfs, fd);
    if (rc == 0 && is_on_disk(fd, &st))
        flush_all();
    return rc;
}

EXPORTED void sync(void)
{
    (void)syscall(SYS_sync); /* cannot fail */
    if (model)
        flush_all();
}
