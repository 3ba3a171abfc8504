/* backup_mark: see backup_mark.h. */
#include "broker/backup_mark.h"

#include "broker/store/store_file.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 24 /* more than a number has */

static const char *const names[] = {
    [BACKUP_SUCCEEDED] = "backup-succeeded", [BACKUP_FAILED] = "backup-failed"};
static const char *const new_names[] = {
    [BACKUP_SUCCEEDED] = "backup-succeeded.new", [BACKUP_FAILED] = "backup-failed.new"};

static int write_line(const char *path, int64_t wall_ms, char *ret_why, size_t why_bytes)
{
    char line[LINE_BYTES];
    int size = snprintf(line, sizeof line, "%" PRId64 "\n", wall_ms);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return store_file_failed("create", path, ret_why, why_bytes);
    int err = 0;
    if (write(fd, line, (size_t)size) != size || fsync(fd) != 0)
        err = store_file_failed("write", path, ret_why, why_bytes);
    if (close(fd) != 0 && !err)
        err = store_file_failed("write", path, ret_why, why_bytes);
    return err;
}

int backup_mark_write(const char *dir, enum backup_outcome outcome, int64_t wall_ms, char *ret_why,
                      size_t why_bytes)
{
    char path[STORE_PATH_BYTES], new_path[STORE_PATH_BYTES];
    int err = store_file_join(path, dir, names[outcome], ret_why, why_bytes);
    if (!err)
        err = store_file_join(new_path, dir, new_names[outcome], ret_why, why_bytes);
    if (!err)
        err = write_line(new_path, wall_ms, ret_why, why_bytes);
    if (!err && rename(new_path, path) != 0)
        err = store_file_failed("rename", new_path, ret_why, why_bytes);
    return err ? err : store_file_sync(dir, ret_why, why_bytes);
}

int64_t backup_mark_read(const char *dir, enum backup_outcome outcome)
{
    char path[STORE_PATH_BYTES], line[LINE_BYTES] = "";
    if (store_file_path(path, dir, names[outcome]) != 0)
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* whatever stands there */
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, line, sizeof line - 1);
    (void)close(fd); /* nothing of ours is left to write */
    size_t digits = strspn(line, "0123456789");
    if (size < 2 || digits == 0 || digits > 15 || (size_t)size != digits + 1 || line[digits] != '\n')
        return 0;
    return strtoll(line, NULL, 10);
}
