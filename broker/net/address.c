/* address: parsing, printing and listening. Only numeric addresses, so that starting never waits for a
 * resolver. */
#include "broker/net/address.h"

#include "proto/units.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LISTEN_BACKLOG 1024

static bool parse_host(const char *host, in_port_t port, struct sockaddr_storage *ret);
static bool fail(const char **ret_why, const char *why);

bool address_parse(const char *text, struct sockaddr_storage *ret, const char **ret_why)
{
    const char *colon = strrchr(text, ':');
    if (!colon)
        return fail(ret_why, "an address is written ADDR:PORT, as in 127.0.0.1:7480");
    int64_t port;
    const char *ignored;
    if (!units_parse_count(colon + 1, 0, 65535, &port, &ignored))
        return fail(ret_why, "the port must be a number from 0 to 65535");

    char host[ADDRESS_TEXT_BYTES_MAX];
    size_t len = (size_t)(colon - text);
    if (len == 0) {
        return fail(ret_why,
                    "the address before the port is missing: 127.0.0.1 for this machine, 0.0.0.0 for all");
    }
    if (len >= sizeof host)
        return fail(ret_why, "the address is too long");
    memcpy(host, text, len);
    host[len] = '\0';
    if (!parse_host(host, htons((in_port_t)port), ret))
        return fail(ret_why, "not an IPv4 address, an IPv6 address in brackets, or localhost");
    return true;
}

char *address_format(char *to, const struct sockaddr_storage *address)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host); /* on failure the text stays "?" */
        (void)snprintf(to, ADDRESS_TEXT_BYTES_MAX, "[%s]:%d", host, address_port(address));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        (void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        (void)snprintf(to, ADDRESS_TEXT_BYTES_MAX, "%s:%d", host, address_port(address));
    }
    return to;
}

bool address_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
            return in6->sin6_addr.s6_addr[12] == 127;
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    }
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    return ntohl(in->sin_addr.s_addr) >> 24 == 127;
}

int address_port(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

void address_port_set(struct sockaddr_storage *address, int port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons((in_port_t)port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons((in_port_t)port);
}

int address_listen(const struct sockaddr_storage *address, int *ret_fd, struct sockaddr_storage *ret_bound)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int on = 1;
    socklen_t len = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    struct sockaddr_storage bound = {0};
    socklen_t bound_len = sizeof bound;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, (const struct sockaddr *)address, len) == 0 && listen(fd, LISTEN_BACKLOG) == 0 &&
        getsockname(fd, (struct sockaddr *)&bound, &bound_len) == 0) {
        *ret_fd = fd;
        *ret_bound = bound;
        return 0;
    }
    int err = errno;
    (void)close(fd); /* nothing was sent through it */
    return err;
}

static bool parse_host(const char *host, in_port_t port, struct sockaddr_storage *ret)
{
    struct sockaddr_storage made = {0};
    size_t len = strlen(host);
    if (host[0] == '[' && host[len - 1] == ']') {
        char inner[ADDRESS_TEXT_BYTES_MAX];
        memcpy(inner, host + 1, len - 2);
        inner[len - 2] = '\0';
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&made;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = port;
        if (inet_pton(AF_INET6, inner, &in6->sin6_addr) != 1)
            return false;
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)&made;
        in->sin_family = AF_INET;
        in->sin_port = port;
        if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &in->sin_addr) != 1)
            return false;
    }
    *ret = made;
    return true;
}

static bool fail(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}
