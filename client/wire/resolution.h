/* resolution: acks, nacks and the like that travel in one RESOLVE frame, and the callbacks that wait for their
 * answers. Resolutions are never sent twice: after a lost connection their tokens mean nothing, and those that
 * were sent may have taken effect. */
#ifndef SHUNT_CLIENT_WIRE_RESOLUTION_H
#define SHUNT_CLIENT_WIRE_RESOLUTION_H

#include "client/shunt.h"
#include "proto/mpack.h"

struct resolver {
    shunt_resolved_cb *callback; /* may be NULL */
    void *context;
    int64_t until_us; /* it is called by then; INT64_MAX: some day */
    int code;         /* 0, or why it had no effect */
};

#define RESOLUTION_MAGIC 0xe30bd217u
struct resolution {
    uint32_t magic; /* from resolution_new() to the pool */
    struct resolution *next;
    struct resolution *prev;
    struct mpack_buffer entries;
    struct resolver *resolvers;
    size_t capacity;
    uint32_t count;
    uint32_t called;
    uint64_t id;              /* of the request, once it is in the output */
    uint64_t begins_at;       /* place in the output where its frame begins */
    struct shunt_error error; /* of the whole frame, code 0 if it was answered */
};

struct resolution_list {
    struct resolution *head;
    struct resolution *tail;
    size_t count;
};

/* All resolutions of a connection: those being sent or answered, and those to call back for. */
struct resolutions {
    struct resolution_list sent; /* oldest first */
    struct resolution_list finished;
    struct resolution *pool;
    size_t pool_count;
    size_t pending; /* resolvers not called back */
};

void resolutions_done(struct resolutions *all);
/* An empty one; NULL without memory. */
struct resolution *resolution_new(struct resolutions *all);
/* For one that holds nothing. */
void resolution_drop(struct resolutions *all, struct resolution *r);

struct resolve_entry {
    uint64_t seq;
    uint64_t token;
    enum shunt_outcome outcome;
    /* NACK: or SHUNT_BACKOFF; EXTEND; ACK: how long the answer may take beyond its commit */
    int64_t delay_ms;
    const struct shunt_failure *failure;
};

/* fails: NO_MEMORY, as before. */
int resolution_add(struct resolutions *all, struct resolution *r, const struct resolve_entry *entry,
                   struct resolver resolver);

/* Move the one entry of `from`, with the callback that waits for it, to the end of `to`, under another token;
 * `from` is dropped. fails: NO_MEMORY (nothing has changed). */
int resolution_move(struct resolutions *all, struct resolution *from, struct resolution *to, uint64_t token);

void resolution_sent(struct resolutions *all, struct resolution *r);
/* The answer to a sent one: `refused` stands before the array [index, code, …]. fails: PROTOCOL. */
int resolution_answered(struct resolutions *all, struct resolution *r, struct mpack_reader *refused);
/* It ends with this error, sent or not. */
void resolution_failed(struct resolutions *all, struct resolution *r, bool was_sent,
                       const struct shunt_error *error);
/* The connection is gone: DISCONNECTED for those of which a byte below `output_sent` was given to the socket,
 * STALE for the others. */
void resolutions_lost(struct resolutions *all, uint64_t output_sent);
/* The resolvers of `r` (may be NULL) and what follows it, whose time has passed, are told TIMEOUT. Returns when the next one
 * passes; not later than `now_us` if there was no memory. */
int64_t resolutions_expire(struct resolutions *all, struct resolution *r, int64_t now_us);
/* Call one resolver back; false if there is none. */
bool resolutions_call_back(struct resolutions *all);
/* Call nobody back for `context` any more. `open` (may be NULL) is one that is not sent. */
void resolutions_detach(struct resolutions *all, struct resolution *open, shunt_resolved_cb *callback,
                        const void *context);

#endif
