/* address: `ADDR:PORT` as people write it, and the socket that listens there. ADDR is an IPv4 address, an
 * IPv6 address in brackets, or `localhost` (127.0.0.1); names are not looked up. PORT 0 lets the system
 * choose. */
#ifndef SHUNT_NET_ADDRESS_H
#define SHUNT_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_BYTES_MAX 64

/* fails: false; `*ret_why` is a static sentence. */
bool address_parse(const char *text, struct sockaddr_storage *ret, const char **ret_why);

/* Write `127.0.0.1:7480` or `[::1]:7480` into `to` (ADDRESS_TEXT_BYTES_MAX bytes); returns `to`. */
char *address_format(char *to, const struct sockaddr_storage *address);

/* True if only this machine can reach it. */
bool address_is_loopback(const struct sockaddr_storage *address);

/* The port, in host order. */
int address_port(const struct sockaddr_storage *address);
void address_port_set(struct sockaddr_storage *address, int port);

/* Make a socket that listens, non-blocking and close-on-exec.
 * out:   `*ret_fd` is the caller's; `*ret_bound` is the address with the real port.
 * fails: a positive errno: EADDRINUSE the port is taken, EACCES it is not allowed, EADDRNOTAVAIL not an
 * address of this machine, EMFILE and others of socket(2). */
int address_listen(const struct sockaddr_storage *address, int *ret_fd, struct sockaddr_storage *ret_bound);

#endif
