/* accept: takes connections from the listening socket and hands them to libmicrohttpd, which would loop
 * without end where accept() keeps failing for want of descriptors. Here it rests instead: peers wait in the
 * kernel's queue. So do those past the limit on connections. */
#ifndef SHUNT_HTTP_ACCEPT_H
#define SHUNT_HTTP_ACCEPT_H

#include <stddef.h>

#define ACCEPT_REST_MS 100 /* after a failure */

struct MHD_Daemon;
struct acceptor;

/* Start its thread. `connections_max` is the daemon's own limit. Takes `fd` in any case; the daemon must
 * outlive it. fails: IO, NO_MEMORY. */
int acceptor_start(struct MHD_Daemon *daemon, int fd, unsigned connections_max, struct acceptor **ret);

/* Stop, close the listening socket, and free it. Takes NULL. */
void acceptor_stop(struct acceptor *a);

#endif
