/* secret_file: see secret_file.h. */
#include "client/driving/secret_file.h"

#include "base/secret.h"
#include "client/wire/error.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(int code, const char *path, const char *why, struct shunt_error *err)
{
    return error_set(err, code, "%.300s: %s", path, why);
}

/* Where a file descriptor of a regular file, which others cannot read, was opened; anything else could keep us waiting. */
static int open_closed(const char *path, int *ret_fd, struct shunt_error *err)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail(SHUNT_IO, path, strerror(errno), err);
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) {
        mode_t open_to = about.st_uid == 0 ? S_IWGRP | S_IRWXO : S_IRWXG | S_IRWXO;
        if (!(about.st_mode & open_to)) {
            *ret_fd = fd;
            return 0;
        }
        (void)close(fd); /* only read from */
        return fail(SHUNT_BAD_ARGUMENT, path,
                    "the secret can be read or changed by others: chmod 600 it, and make a new one if "
                    "somebody may have read it",
                    err);
    }
    (void)close(fd); /* as above */
    return fail(SHUNT_BAD_ARGUMENT, path, "not a file", err);
}

int secret_file_read(const char *path, char *to, size_t bytes, struct shunt_error *err)
{
    int fd = -1;
    int rc = open_closed(path, &fd, err);
    if (rc != 0)
        return rc;
    size_t size = 0;
    ssize_t got = 1;
    while (size < bytes && got > 0) {
        got = read(fd, to + size, bytes - size);
        size += got > 0 ? (size_t)got : 0;
    }
    int error_no = errno;
    (void)close(fd); /* only read from */
    const char *end = memchr(to, '\n', size);
    size_t line = end ? (size_t)(end - to) : size;
    line -= line > 0 && to[line - 1] == '\r';
    if (got < 0)
        rc = fail(SHUNT_IO, path, strerror(error_no), err);
    else if (line == bytes)
        rc = fail(SHUNT_BAD_ARGUMENT, path, "the secret in it is too long", err);
    else if (line == 0 || memchr(to, '\0', line))
        rc = fail(SHUNT_BAD_ARGUMENT, path, "its first line must be the secret", err);
    if (rc == 0)
        secret_wipe(to + line, bytes - line);
    else
        secret_wipe(to, bytes);
    return rc;
}
