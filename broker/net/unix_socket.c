/* unix_socket: making and removing it. */
#include "broker/net/unix_socket.h"

#include "base/check.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_BACKLOG 1024
#define SOCKET_MODE    (S_IRUSR | S_IWUSR)

static int look_at_directory(const char *path, char *ret_why, size_t why_bytes);
static int make_room(const char *path, const struct sockaddr_un *address, char *ret_why, size_t why_bytes);
static int fail(int err, const char *path, const char *why, char *ret_why, size_t why_bytes);

bool unix_socket_path_is_valid(const char *path, const char **ret_why)
{
    *ret_why = "must begin with / and have at most 107 bytes";
    size_t len = strlen(path);
    return path[0] == '/' && path[len - 1] != '/' && len <= UNIX_SOCKET_PATH_BYTES_MAX;
}
_Static_assert(sizeof(struct sockaddr_un) - offsetof(struct sockaddr_un, sun_path) ==
                       UNIX_SOCKET_PATH_BYTES_MAX + 1 &&
                   UNIX_SOCKET_PATH_BYTES_MAX == 107,
               "the limit is the system's, and said in words");

int unix_socket_listen(const char *path, int *ret_fd, struct unix_socket *ret, char *ret_why,
                       size_t why_bytes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    check(len <= UNIX_SOCKET_PATH_BYTES_MAX);
    memcpy(address.sun_path, path, len + 1);
    int err = look_at_directory(path, ret_why, why_bytes);
    if (!err)
        err = make_room(path, &address, ret_why, why_bytes);
    if (err)
        return err;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(errno, path, strerror(errno), ret_why, why_bytes);
    /* The mode of the unbound socket is what bind() gives the file, so it is never open to others, not even for a moment. */
    struct stat made;
    if (fchmod(fd, SOCKET_MODE) == 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, LISTEN_BACKLOG) == 0 && lstat(path, &made) == 0) {
        *ret_fd = fd;
        *ret = (struct unix_socket){.device = made.st_dev, .inode = made.st_ino};
        memcpy(ret->path, path, len + 1);
        return 0;
    }
    err = errno;
    (void)close(fd); /* nothing was sent through it */
    return fail(err, path, strerror(err), ret_why, why_bytes);
}

void unix_socket_remove(struct unix_socket *s)
{
    struct stat there;
    if (s->path[0] && lstat(s->path, &there) == 0 && there.st_dev == s->device && there.st_ino == s->inode)
        (void)unlink(s->path); /* what is left is replaced at the next start */
    *s = (struct unix_socket){0};
}

bool unix_socket_peer(int fd, uid_t *ret_uid, pid_t *ret_pid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    *ret_uid = peer.uid;
    *ret_pid = peer.pid;
    return true;
}

/* A user who can write to the directory could put a socket of his own there, and be told what is meant for the server. */
static int look_at_directory(const char *path, char *ret_why, size_t why_bytes)
{
    char directory[UNIX_SOCKET_PATH_BYTES_MAX + 1];
    size_t len = (size_t)(strrchr(path, '/') - path);
    struct stat about;
    memcpy(directory, path, len ? len : 1);
    directory[len ? len : 1] = '\0';
    if (stat(directory, &about) != 0) {
        int err = errno;
        char why[128];
        (void)snprintf(why, sizeof why, "its directory: %.100s", strerror(err));
        return fail(err, path, why, ret_why, why_bytes);
    }
    bool ours = about.st_uid == 0 || about.st_uid == geteuid();
    if (ours && !(about.st_mode & (S_IWGRP | S_IWOTH)))
        return 0;
    return fail(EPERM, path,
                "other users can write to its directory: choose one that only the server's user can write to",
                ret_why, why_bytes);
}

/* Remove what a server left there that did not end by itself. */
static int make_room(const char *path, const struct sockaddr_un *address, char *ret_why, size_t why_bytes)
{
    struct stat there;
    if (lstat(path, &there) != 0)
        return errno == ENOENT ? 0 : fail(errno, path, strerror(errno), ret_why, why_bytes);
    if (!S_ISSOCK(there.st_mode))
        return fail(EEXIST, path, "something that is no socket is there", ret_why, why_bytes);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(errno, path, strerror(errno), ret_why, why_bytes);
    int err = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
    (void)close(fd); /* nothing was sent through it */
    if (err != ECONNREFUSED)
        return fail(EADDRINUSE, path, "another process listens there", ret_why, why_bytes);
    return unlink(path) == 0 ? 0 : fail(errno, path, strerror(errno), ret_why, why_bytes);
}

static int fail(int err, const char *path, const char *why, char *ret_why, size_t why_bytes)
{
    (void)snprintf(ret_why, why_bytes, "cannot listen at %s: %s", path, why);
    return err;
}
