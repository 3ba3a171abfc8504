/* record: an LD_PRELOAD library that writes down what a server does to the files under one directory, and the
 * bytes on its connections.
 *
 * RECORD_LOG is the log, which grows; RECORD_ROOT the directory, an absolute path. Each entry is written in
 * one piece, under a mutex: a write before it is made, a sync before and after, an answer together with being
 * sent. So the log's order is one in which the outside could have seen it.
 *
 * RECORD_PLANT plants a lie, to see that it is found out: `nosync` makes fdatasync() and fsync() of files do
 * nothing, as MDB_NOSYNC would; `nometasync` the same for O_DSYNC; `nodirsync` for fsync() of directories;
 * `deaf` keeps it from the server that a sync failed.
 *
 * RECORD_LOSE=N lets the N-th sync of a journal's record fail, as Linux does it: the pages count as written from then on, and each
 * other descriptor of the file is told once, at its next sync.
 */
#undef _FILE_OFFSET_BITS /* open() and open64() are two functions here */
#include "tests/crash/record_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORTED        __attribute__((visibility("default")))
#define DESCRIPTORS_MAX RECORD_DESCRIPTORS_MAX
#define PARTS_MAX       1024 /* of one call, as the system has it */

enum what { OTHER, ROOTED, CONNECTION };

static struct {
    enum what what;
    bool dsync, is_journal;
    bool has_record; /* of the journal: what was written last is a record */
    bool told;       /* that a sync of the file was lost */
    uint64_t id;     /* inode, or number of the connection */
} descriptors[DESCRIPTORS_MAX];

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static char root[PATH_MAX];
static size_t root_bytes;
static uint64_t connection_last;
static unsigned long lose; /* so many syncs of records until one fails; 0: none does */
static atomic_bool lost;   /* one has */
static bool plant_nosync, plant_nometasync, plant_nodirsync, plant_deaf;

/* An entry whose data are in parts. */
static void put_parts(struct record r, const void *text, const struct iovec *data, int count)
{
    struct iovec parts[2 + PARTS_MAX] = {{&r, sizeof r}, {(void *)(uintptr_t)text, r.text_bytes}};
    for (int i = 0; i < count; i++) {
        parts[2 + i] = data[i];
        r.data_bytes += data[i].iov_len;
    }
    size_t whole = sizeof r + r.text_bytes + r.data_bytes;
    if (count > PARTS_MAX || syscall(SYS_writev, log_fd, parts, 2 + count) != (long)whole)
        abort(); /* a log with a gap would prove nothing */
}

static void put(struct record r, const void *text, const void *data)
{
    struct iovec part = {(void *)(uintptr_t)data, r.data_bytes};
    r.data_bytes = 0;
    put_parts(r, text, &part, 1);
}

static void put_locked(struct record r, const void *text, const void *data)
{
    if (log_fd < 0)
        return;
    (void)pthread_mutex_lock(&mutex);
    put(r, text, data);
    (void)pthread_mutex_unlock(&mutex);
}

static uint64_t inode_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *log_path = getenv("RECORD_LOG"), *where = getenv("RECORD_ROOT"),
               *plant = getenv("RECORD_PLANT");
    struct stat st;
    if (!log_path || !where || stat(where, &st) != 0)
        return;
    root_bytes = (size_t)snprintf(root, sizeof root, "%s/", where);
    lose = getenv("RECORD_LOSE") ? strtoul(getenv("RECORD_LOSE"), NULL, 10) : 0;
    plant_nosync = plant && strcmp(plant, "nosync") == 0;
    plant_nometasync = plant && strcmp(plant, "nometasync") == 0;
    plant_nodirsync = plant && strcmp(plant, "nodirsync") == 0;
    plant_deaf = plant && strcmp(plant, "deaf") == 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTORS_MAX); /* out of the way of the server's own */
    if (log_fd < 0)
        log_fd = fd;
    else
        (void)close(fd);
    connection_last = (uint64_t)getpid() << 32;
    put((struct record){.kind = RECORD_LIFE, .id = st.st_ino}, NULL, NULL);
}

/* The path from the root, or NULL for what lies outside. */
static const char *rooted(const char *path)
{
    if (log_fd < 0 || strncmp(path, root, root_bytes) != 0)
        return NULL;
    return path + root_bytes;
}

static bool is_rooted(int fd)
{
    return log_fd >= 0 && fd >= 0 && fd < DESCRIPTORS_MAX && descriptors[fd].what == ROOTED;
}

static bool is_connection(int fd)
{
    return log_fd >= 0 && fd >= 0 && fd < DESCRIPTORS_MAX && descriptors[fd].what == CONNECTION;
}

/* ---- names ---- */

EXPORTED int open64(const char *path, int flags, ...);
EXPORTED int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    const char *name = rooted(path);
    bool creates = name && (flags & O_CREAT) && access(path, F_OK) != 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd < 0 || fd >= DESCRIPTORS_MAX)
        return fd;
    descriptors[fd].what = name ? ROOTED : OTHER;
    if (!name)
        return fd;
    descriptors[fd].dsync = (flags & O_DSYNC) != 0;
    descriptors[fd].is_journal = strcmp(name, "data/journal") == 0;
    descriptors[fd].has_record = false;
    descriptors[fd].told = lost;
    descriptors[fd].id = inode_of(fd);
    if (creates) {
        put_locked((struct record){.kind = RECORD_CREATE,
                                   .id = descriptors[fd].id,
                                   .text_bytes = (uint32_t)strlen(name) + 1},
                   name, NULL);
    } else if (flags & O_TRUNC) {
        put_locked((struct record){.kind = RECORD_SIZE, .id = descriptors[fd].id}, NULL, NULL);
    }
    return fd;
}

EXPORTED int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open64(path, flags, mode);
}

EXPORTED int mkdir(const char *path, mode_t mode)
{
    int rc = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    const char *name = rooted(path);
    struct stat st;
    if (rc == 0 && name && stat(path, &st) == 0) {
        put_locked(
            (struct record){.kind = RECORD_MKDIR, .id = st.st_ino, .text_bytes = (uint32_t)strlen(name) + 1},
            name, NULL);
    }
    return rc;
}

EXPORTED int rename(const char *from, const char *to)
{
    char names[2 * PATH_MAX];
    const char *from_name = rooted(from), *to_name = rooted(to);
    struct stat st;
    if (from_name && to_name && stat(from, &st) == 0) {
        size_t size = strlen(from_name) + 1;
        memcpy(names, from_name, size);
        memcpy(names + size, to_name, strlen(to_name) + 1);
        size += strlen(to_name) + 1;
        put_locked((struct record){.kind = RECORD_RENAME, .id = st.st_ino, .text_bytes = (uint32_t)size},
                   names, NULL);
    }
    return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

static int forget(const char *path, enum record_kind kind, int flags)
{
    const char *name = rooted(path);
    if (name && access(path, F_OK) == 0)
        put_locked((struct record){.kind = kind, .text_bytes = (uint32_t)strlen(name) + 1}, name, NULL);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, flags);
}

EXPORTED int unlink(const char *path)
{
    return forget(path, RECORD_UNLINK, 0);
}

EXPORTED int rmdir(const char *path)
{
    return forget(path, RECORD_RMDIR, AT_REMOVEDIR);
}

/* ---- contents ---- */

static void about_to_write(int fd, const void *bytes, size_t size, uint64_t at)
{
    put_locked((struct record){.kind = RECORD_WRITE, .id = descriptors[fd].id, .at = at, .data_bytes = size},
               NULL, bytes);
}

static void has_written(int fd, uint64_t at, ssize_t size)
{
    if (size > 0 && descriptors[fd].dsync && !plant_nometasync) {
        put_locked(
            (struct record){
                .kind = RECORD_WRITTEN, .id = descriptors[fd].id, .at = at, .size = (uint64_t)size},
            NULL, NULL);
    }
}

EXPORTED ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t at)
{
    if (is_rooted(fd))
        about_to_write(fd, bytes, size, (uint64_t)at);
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, size, at);
    if (is_rooted(fd))
        has_written(fd, (uint64_t)at, done);
    return done;
}

EXPORTED ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    return pwrite64(fd, bytes, size, at);
}

/* As docs/storage.md has it. */
static bool is_journal_record(const struct iovec *parts)
{
    return parts[0].iov_len >= 64 && memcmp((const char *)parts[0].iov_base + 8, "shuntrec", 8) == 0;
}

EXPORTED ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at)
{
    if (is_rooted(fd)) { /* one write, whatever it is made of */
        descriptors[fd].has_record = is_journal_record(parts);
        (void)pthread_mutex_lock(&mutex);
        put_parts((struct record){.kind = RECORD_WRITE, .id = descriptors[fd].id, .at = (uint64_t)at}, NULL,
                  parts, count);
        (void)pthread_mutex_unlock(&mutex);
    }
    ssize_t done = syscall(SYS_pwritev, fd, parts, count, at, 0);
    if (is_rooted(fd))
        has_written(fd, (uint64_t)at, done);
    return done;
}

EXPORTED ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    return pwritev64(fd, parts, count, at);
}

static void record_sent(int fd, const struct iovec *parts, int count, ssize_t done)
{
    for (int i = 0; i < count && done > 0; i++) {
        size_t size = parts[i].iov_len < (size_t)done ? parts[i].iov_len : (size_t)done;
        put((struct record){.kind = RECORD_SENT, .id = descriptors[fd].id, .data_bytes = size}, NULL,
            parts[i].iov_base);
        done -= (ssize_t)size;
    }
}

EXPORTED ssize_t writev(int fd, const struct iovec *parts, int count)
{
    ssize_t done;
    if (is_connection(fd)) { /* sockets do not block: nobody waits long for the mutex */
        (void)pthread_mutex_lock(&mutex);
        done = syscall(SYS_writev, fd, parts, count);
        record_sent(fd, parts, count, done);
        (void)pthread_mutex_unlock(&mutex);
        return done;
    }
    uint64_t at = 0, begin_at = 0;
    if (is_rooted(fd)) {
        begin_at = at = (uint64_t)lseek(fd, 0, SEEK_CUR);
        for (int i = 0; i < count; i++) {
            about_to_write(fd, parts[i].iov_base, parts[i].iov_len, at);
            at += parts[i].iov_len;
        }
    }
    done = syscall(SYS_writev, fd, parts, count);
    if (is_rooted(fd))
        has_written(fd, begin_at, done);
    return done;
}

EXPORTED ssize_t write(int fd, const void *bytes, size_t size)
{
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    if (is_connection(fd) || is_rooted(fd))
        return writev(fd, &part, 1);
    return syscall(SYS_write, fd, bytes, size);
}

EXPORTED int ftruncate64(int fd, off_t size)
{
    if (is_rooted(fd)) {
        put_locked((struct record){.kind = RECORD_SIZE, .id = descriptors[fd].id, .at = (uint64_t)size}, NULL,
                   NULL);
    }
    return (int)syscall(SYS_ftruncate, fd, size);
}

EXPORTED int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

EXPORTED int fallocate64(int fd, int mode, off_t at, off_t size)
{
    int rc = (int)syscall(SYS_fallocate, fd, mode, at, size);
    if (rc == 0 && is_rooted(fd)) {
        put_locked((struct record){.kind = RECORD_SIZE,
                                   .id = descriptors[fd].id,
                                   .at = (uint64_t)at + (uint64_t)size,
                                   .size = 1},
                   NULL, NULL);
    }
    return rc;
}

static int sync_with(long call, int fd)
{
    if (!is_rooted(fd))
        return (int)syscall(call, fd);
    struct stat st;
    bool is_dir = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    if (is_dir ? plant_nodirsync : plant_nosync)
        return 0;
    struct record r = {.kind = RECORD_SYNC_BEGIN, .id = descriptors[fd].id, .at = (uint64_t)fd};
    put_locked(r, NULL, NULL);
    /* Records are written through one descriptor, by one thread at a time. */
    if (descriptors[fd].is_journal &&
        (lost ? !descriptors[fd].told : descriptors[fd].has_record && lose && --lose == 0)) {
        lost = true;
        descriptors[fd].told = true;
        r.kind = RECORD_SYNC_LOST;
        put_locked(r, NULL, NULL);
        errno = EIO;
        return -1;
    }
    int rc = (int)syscall(call, fd);
    r.kind = RECORD_SYNC_END;
    if (rc == 0)
        put_locked(r, NULL, NULL);
    return plant_deaf ? 0 : rc;
}

EXPORTED int fdatasync(int fd)
{
    return sync_with(SYS_fdatasync, fd);
}

EXPORTED int fsync(int fd)
{
    return sync_with(SYS_fsync, fd);
}

/* ---- connections ---- */

EXPORTED int accept4(int fd, __SOCKADDR_ARG address, socklen_t *address_bytes, int flags)
{
    int got = (int)syscall(SYS_accept4, fd, address.__sockaddr__, address_bytes, flags);
    if (got >= 0 && got < DESCRIPTORS_MAX) {
        descriptors[got].what = CONNECTION;
        descriptors[got].id = ++connection_last; /* one thread accepts */
    }
    return got;
}

EXPORTED ssize_t read(int fd, void *to, size_t size)
{
    ssize_t got = syscall(SYS_read, fd, to, size);
    if (got > 0 && is_connection(fd)) {
        put_locked(
            (struct record){.kind = RECORD_RECEIVED, .id = descriptors[fd].id, .data_bytes = (uint64_t)got},
            NULL, to);
    }
    return got;
}
