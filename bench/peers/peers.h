/* peers: what a user would pick instead, each as Debian packages it, and how it is started so that it fsyncs
 * before it confirms, where it can. */
#ifndef SHUNT_BENCH_PEERS_H
#define SHUNT_BENCH_PEERS_H

#include "bench/child.h"
#include "bench/link.h"

extern const struct link_driver link_redis, link_beanstalk, link_nats, link_rabbit;

#define ADDRESS_BYTES 64

struct peer {
    const struct link_driver *driver;
    const char *package; /* Debian's */
    const char *program; /* "{dir}" in words is the server's directory */
    const char *const *words;
    bool durable; /* fsyncs before it confirms */
};

extern const struct peer peers[];
extern const size_t peers_count;

/* Is its program here? */
bool peer_is_there(const struct peer *p);
/* Start it in a new directory in `parent`, on a free port of the loopback interface, and wait until it
 * answers; `ret_address` (ADDRESS_BYTES) gets where. child_done() ends it. */
bool peer_start(const struct peer *p, struct child *c, const char *parent, char *ret_address, char *why);

#endif
