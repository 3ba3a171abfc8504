/* store_lock: see store_lock.h. The lock is flock()'s: unlike fcntl()'s classic one it is not lost when the
 * process closes another descriptor of the same file, and it can be taken on a file open for reading alone.
 */
#include "broker/store/store_lock.h"

#include "broker/store/store_file.h"
#include "proto/errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define WHY(...) (void)snprintf(ret_why, why_bytes, __VA_ARGS__)

/* Open the lock file, for writing if that can be. */
static int lock_open(const char *path, bool read_only, int *ret_fd)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int number = errno;
    if (fd < 0 && read_only && store_file_error(number) == SHUNT_STORE_READ_ONLY) {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT) {
            *ret_fd = -1;
            return 0;
        }
        number = errno;
    }
    if (fd < 0) {
        errno = number;
        return store_file_error(number);
    }
    *ret_fd = fd;
    return 0;
}

/* The process that holds the lock, as its file says; 0 if it does not say. */
static long lock_holder(int fd)
{
    char text[32] = {0};
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    return got > 0 ? strtol(text, NULL, 10) : 0;
}

/* The process id is for people: a lock without it is still a lock, so a full disk or a read-only file is no
 * failure. */
static void lock_sign(int fd)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, text, (size_t)length, 0);
}

int store_lock_take(const char *dir, bool read_only, int *ret_fd, char *ret_why, size_t why_bytes)
{
    char path[STORE_PATH_BYTES];
    if (store_file_path(path, dir, STORE_LOCK_NAME) != 0) {
        WHY("the path of the data directory is too long: choose a shorter one with --data");
        return SHUNT_BAD_ARGUMENT;
    }
    int fd = -1;
    int err = lock_open(path, read_only, &fd);
    if (err) {
        WHY("cannot write the lock file %s: %s: make the data directory writable or choose another with "
            "--data",
            path, strerror(errno));
        return err;
    }
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        err = errno == EWOULDBLOCK ? SHUNT_STORE_LOCKED : SHUNT_IO;
        long holder = lock_holder(fd);
        if (err == SHUNT_IO) {
            WHY("cannot lock %s: %s: choose a data directory on a local disk", path, strerror(errno));
        } else if (holder > 0) {
            WHY("data directory %s is in use by process %ld (lock file %s): stop it or choose another --data",
                dir, holder, path);
        } else {
            WHY("data directory %s is in use by another process (lock file %s): stop it or choose another "
                "--data",
                dir, path);
        }
        (void)close(fd);
        return err;
    }
    if (fd >= 0)
        lock_sign(fd);
    *ret_fd = fd;
    return 0;
}

void store_lock_release(int fd)
{
    if (fd < 0)
        return;
    (void)!ftruncate(fd, 0); /* only so that the file does not name a process that has gone */
    (void)close(fd);
}
