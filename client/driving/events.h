/* events: what happens to the connection, kept until it may be told. */
#ifndef SHUNT_CLIENT_DRIVING_EVENTS_H
#define SHUNT_CLIENT_DRIVING_EVENTS_H

#include "client/driving/url.h"

/* Of more than this that nobody has been told of, the latest takes the place of the one before. */
#define EVENTS_MAX 8

struct happened {
    enum shunt_event_kind kind;
    struct url where;
    struct shunt_error error; /* code 0: none */
    int64_t wait_ms;
};

struct events {
    shunt_event_cb *callback; /* NULL: nothing is kept */
    void *context;
    size_t count;
    struct happened kept[EVENTS_MAX]; /* oldest first */
};

void events_add(struct events *e, enum shunt_event_kind kind, const struct url *where,
                const struct shunt_error *error, int64_t wait_ms);
/* Tell the oldest; false if there is none. */
bool events_call_back(struct events *e);

#endif
