/* link: one connection to a message server, whichever server that is. The load is the same code for all of
 * them; a driver says how one server is spoken to.
 *
 * A link either publishes or consumes. It is driven by one thread: wait until its descriptor is readable,
 * then call process(), which reads, calls back and writes.
 */
#ifndef SHUNT_BENCH_LINK_H
#define SHUNT_BENCH_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHY_BYTES 300

enum link_verdict { LINK_ACK, LINK_NACK, LINK_REJECT };

/* Every callback is made from inside process(). */
struct link_events {
    void *context;
    /* A message is durable as far as the server says so, or (ok false) refused or lost. Publishing more from
     * here is allowed, and leaves with the same write. */
    void (*confirmed)(void *context, void *promise, bool ok);
    /* A message came; the body is lent for the call. */
    enum link_verdict (*arrived)(void *context, const void *body, size_t bytes);
    /* The server has confirmed the end of `count` deliveries. */
    void (*resolved)(void *context, uint32_t count, bool ok);
};

struct link_role {
    const char *address; /* as the driver's server gives it */
    const char *topic;
    const char *group; /* NULL: the server's default */
    bool consumes;
    uint32_t window; /* of messages: published and not confirmed, or received and not resolved */
    struct link_events events;
};

struct outgoing {
    const char *topic;
    const void *body;
    size_t bytes;
    int64_t delay_ms;
    const char *key; /* NULL: none */
    void *promise;   /* comes back in confirmed() */
};

struct link;

struct link_driver {
    const char *name;
    const char *durability; /* when it confirms: one sentence for people */
    /* Connect, and subscribe if it consumes; waits. NULL: `why` says why not. */
    struct link *(*open)(const struct link_role *role, char *why);
    void (*close)(struct link *l);
    int (*fd)(const struct link *l);
    /* Queue one message. False: not now (the link's own window is full). */
    bool (*publish)(struct link *l, const struct outgoing *m);
    /* False: the link is broken; `why` says how. */
    bool (*process)(struct link *l, char *why);
};

extern const struct link_driver link_shunt;

#endif
