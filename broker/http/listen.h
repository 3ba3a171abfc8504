/* listen: a listening socket for an address as people write it. */
#ifndef SHUNT_HTTP_LISTEN_H
#define SHUNT_HTTP_LISTEN_H

#include <stddef.h>

/* Listen on ADDR:PORT or [ADDR6]:PORT. The caller closes *ret_fd.
 * fails: BAD_ARGUMENT (not an address), IO (taken, not permitted); `ret_why` gets one sentence. */
int listen_open(const char *address, int *ret_fd, int *ret_port, char *ret_why, size_t why_bytes);

#endif
