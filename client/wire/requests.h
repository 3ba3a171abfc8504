/* requests: who waits for the reply to which request id. Ids count up for the life of the handle, across
 * connections, so that a publish that is sent again keeps its id. */
#ifndef SHUNT_CLIENT_WIRE_REQUESTS_H
#define SHUNT_CLIENT_WIRE_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum waiter_kind {
    WAITER_NONE,
    WAITER_HELLO,
    WAITER_PUBLISH,             /* struct batch */
    WAITER_RESOLVE,             /* struct resolution */
    WAITER_SUBSCRIBE,           /* struct shunt_consumer */
    WAITER_ABANDONED_SUBSCRIBE, /* its consumer gave up: end the subscription as soon as it has a number */
    WAITER_CALL,                /* struct call */
    WAITER_PING,                /* nobody: any byte is sign enough */
};

struct waiter {
    enum waiter_kind kind;
    void *who;
};

struct requests {
    struct waiter *ring; /* of id at id & (capacity - 1) */
    size_t capacity;
    uint64_t first; /* no id below waits; 0 before the first request */
    uint64_t next;
};

void requests_done(struct requests *t);
/* Take the next id. 0 without memory: no request has that id. */
uint64_t requests_add(struct requests *t, enum waiter_kind kind, void *who);
/* End the wait for `id`; a waiter of kind NONE if nobody waits for it. */
struct waiter requests_take(struct requests *t, uint64_t id);
/* Change who waits for `id`, which must be waited for. */
void requests_change(struct requests *t, uint64_t id, enum waiter_kind kind, void *who);
/* The lowest id from `id` on that is waited for; 0 if there is none. */
uint64_t requests_from(const struct requests *t, uint64_t id, struct waiter *ret);

#endif
