/* unix_socket: the socket at a path of this machine by which local programs connect. Its file is for the server's user alone
 * (mode 0600), and its directory must be one in which nobody else can put another in its place. */
#ifndef SHUNT_NET_UNIX_SOCKET_H
#define SHUNT_NET_UNIX_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define UNIX_SOCKET_PATH_BYTES_MAX 107 /* as long as sockaddr_un takes it, with the terminator after it */
#define UNIX_SOCKET_WHY_BYTES      512

struct unix_socket {
    char path[UNIX_SOCKET_PATH_BYTES_MAX + 1]; /* empty: there is none */
    dev_t device;                              /* of the file, so that nobody else's is removed */
    ino_t inode;
};

/* Is it a path that a socket may have: absolute, and short enough? False: `*ret_why` is a static sentence. */
bool unix_socket_path_is_valid(const char *path, const char **ret_why);

/* Make a socket that listens at `path`, which is valid, non-blocking and close-on-exec. A socket that a server left there and
 * nobody listens at any more is replaced.
 * out:   `*ret_fd` is the caller's; `ret` is for unix_socket_remove().
 * fails: a positive errno, with a sentence in `ret_why`: EADDRINUSE somebody listens there, EEXIST something else is there, EPERM the
 * directory lets others in, and what socket(2), bind(2) and stat(2) say. */
int unix_socket_listen(const char *path, int *ret_fd, struct unix_socket *ret, char *ret_why,
                       size_t why_bytes);

/* Remove the file, if it is still the one that was made. Takes a zeroed one. */
void unix_socket_remove(struct unix_socket *s);

/* User and process at the other end of an accepted socket. False: the kernel does not say. */
bool unix_socket_peer(int fd, uid_t *ret_uid, pid_t *ret_pid);

#endif
