/* listen: see listen.h. The socket is made here and not by libmicrohttpd, which cannot say why it could not.
 */
#include "broker/http/listen.h"

#include "proto/errors.h"
#include "proto/units.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_BYTES_MAX 256
#define BACKLOG        64

/* Split `host:port`; the brackets of an IPv6 address go. The port stays where it is. */
static const char *split(const char *address, char host[HOST_BYTES_MAX])
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || colon[1] == '\0')
        return NULL;
    const char *begin = address;
    size_t size = (size_t)(colon - address);
    if (begin[0] == '[' && size > 2 && colon[-1] == ']') {
        begin++;
        size -= 2;
    } else if (memchr(begin, ':', size)) {
        return NULL;
    }
    if (size >= HOST_BYTES_MAX)
        return NULL;
    memcpy(host, begin, size);
    host[size] = '\0';
    return colon + 1;
}

static int open_one(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int yes = 1;
    /* Without these two a restart waits for old connections to time out, or [::] takes IPv4 too: neither is
     * fatal. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (info->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    (void)close(fd); /* never used */
    errno = saved;
    return -1;
}

static int port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } name = {0};
    socklen_t size = sizeof name;
    if (getsockname(fd, &name.any, &size) != 0)
        return 0;
    return ntohs(name.any.sa_family == AF_INET6 ? name.in6.sin6_port : name.in.sin_port);
}

int listen_open(const char *address, int *ret_fd, int *ret_port, char *ret_why, size_t why_bytes)
{
    char host[HOST_BYTES_MAX];
    const char *port = split(address, host);
    const char *why = "";
    int64_t number;
    /* getaddrinfo() would take 99999 for 34463. */
    if (port && !units_parse_count(port, 0, 65535, &number, &why))
        port = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *info = NULL;
    int failed = port ? getaddrinfo(host, port, &hints, &info) : 0;
    if (failed)
        why = gai_strerror(failed);
    if (!port || failed) {
        (void)snprintf(ret_why, why_bytes, "http: `%s` is not ADDR:PORT%s%s", address, *why ? ": " : "", why);
        return SHUNT_BAD_ARGUMENT;
    }
    int fd = open_one(info);
    if (fd < 0 && errno == EADDRINUSE) {
        (void)snprintf(
            ret_why, why_bytes,
            "http: %s is taken by another process: stop that process, or choose another address with --http",
            address);
    } else if (fd < 0) {
        (void)snprintf(ret_why, why_bytes, "http: cannot listen on %s: %s", address, strerror(errno));
    }
    freeaddrinfo(info);
    if (fd < 0)
        return SHUNT_IO;
    *ret_fd = fd;
    *ret_port = port_of(fd);
    return 0;
}
