/* quota: what one address, or one user, has of the limits that are set for each of them: its connections, and its rates (bucket.h).
 *
 * A quota is there while a connection holds it, and afterwards until its buckets are full again, because otherwise connecting anew
 * would fill them. Of those that nobody holds at most QUOTA_IDLE_MAX are kept; then the one that was left first makes room. So the
 * memory is bounded by the connections and that number, and a connection looks its quota up once.
 *
 * One thread. The time is given to it. */
#ifndef SHUNT_FLOW_QUOTA_H
#define SHUNT_FLOW_QUOTA_H

#include "base/ring.h"
#include "base/slice.h"
#include "broker/flow/bucket.h"

#include <stddef.h>

#define QUOTA_IDLE_MAX  16384
#define QUOTA_KEY_BYTES 64 /* at most */

/* Whose they are. */
enum quota_of { QUOTA_ADDRESS, QUOTA_USER, QUOTA_OWNERS };

enum quota_rate { QUOTA_MESSAGES, QUOTA_BYTES, QUOTA_REQUESTS, QUOTA_RATES };
/* In the place of a rate: the number of connections. */
#define QUOTA_CONNECTIONS QUOTA_RATES
#define QUOTA_LIMITS      (QUOTA_RATES + 1)

/* What metrics call them, of addresses and then of users. */
#define QUOTA_LABELS                                                                                         \
    {                                                                                                        \
        "address_publish_rate", "address_publish_bytes", "address_request_rate", "address_connections",      \
            "user_publish_rate", "user_publish_bytes", "user_request_rate", "user_connections"               \
    }

/* For each of a kind; 0: no limit. */
struct quota_limits {
    uint64_t connections;
    uint64_t rates[QUOTA_RATES]; /* a second */
};

struct quota {
    struct quota *next; /* of the same place in the table */
    struct ring idle;   /* nobody holds it */
    uint64_t hash;
    uint64_t connections; /* that hold it */
    uint64_t leaving;     /* of them, those that are one too many and being told so */
    struct bucket buckets[QUOTA_RATES];
    struct {
        int64_t told_ms; /* mono: when its owner was told of refusals by this limit; 0: never */
        uint64_t count;  /* of those since */
    } refused[QUOTA_LIMITS];
    uint32_t size;
    char key[QUOTA_KEY_BYTES];
};

/* Zeroed with the seed: empty. */
struct quota_table {
    uint64_t seed;         /* nobody outside can tell who shares a place with whom */
    struct quota **places; /* NULL before the first */
    struct ring idle;      /* by quota.idle; the one that was left first is first */
    size_t idle_count;
    size_t count;
};

void quota_table_init(struct quota_table *t, uint64_t seed);
void quota_table_done(struct quota_table *t); /* whether or not connections hold some */

/* A connection holds the quota of that key, which is made if it is not there. NULL: no memory. */
struct quota *quota_hold(struct quota_table *t, struct slice key, int64_t now_ms);
/* It no longer does. Takes NULL. */
void quota_drop(struct quota_table *t, struct quota *q, int64_t now_ms);

#endif
