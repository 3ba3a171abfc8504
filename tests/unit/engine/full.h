/* full: an engine on a small store on disk, and one client that fills it. Every request is answered before
 * the next is sent; an engine that dies fails the test.
 */
#ifndef SHUNT_TESTS_ENGINE_FULL_H
#define SHUNT_TESTS_ENGINE_FULL_H

#include "broker/engine/state.h"
#include "proto/wire.h"

struct held {
    uint64_t sub, seq, token;
};

struct full {
    struct engine *engine;
    struct flow_totals totals;
    struct link *link; /* has said hello */
    char dir[256];
    uint64_t map_bytes_max;
    int64_t now_ms;
    uint64_t random;
    /* The last answer. */
    int code;               /* 0: OK */
    uint64_t first;         /* its first field: of a publish, how many were accepted */
    int refusal;            /* of a publish, of the rest, … */
    int64_t retry_after_ms; /* … and how long to wait before it is sent */
    char text[256];         /* of an error */
    uint64_t sub;
    /* Deliveries that were not answered yet. */
    struct held *held;
    size_t held_count, held_capacity;
    uint64_t accepted; /* over all publishes */
};

/* On an empty store that may grow so far, with a topic `t` and groups `default`, `g1`, `g2`... */
void full_begin(struct full *f, uint64_t map_bytes_max, unsigned groups);
void full_end(struct full *f);
/* SIGKILL and a new start: what was not committed is gone, and so is the connection. */
void full_crash(struct full *f);
/* The connection is lost; another says hello. */
void full_reconnect(struct full *f);
/* Turns at later times, as long as something is due. */
void full_pass(struct full *f, int64_t ms);

uint64_t full_dice(struct full *f, uint64_t bound);
/* One PUBLISH; with `vary`, delay and time to live are random up to theirs. */
void full_publish(struct full *f, unsigned count, size_t body, int64_t delay_ms, int64_t ttl_ms, bool vary);
/* Publish until it is refused with NO_SPACE. */
void full_fill(struct full *f, unsigned count, size_t body, int64_t delay_ms, int64_t ttl_ms);
/* Subscribe to a group with so much credit; deliveries come with the turns that follow. */
void full_subscribe(struct full *f, const char *group, unsigned credit);
/* Answer the first so many that are held, with one RESOLVE for each run of one subscription. */
void full_resolve(struct full *f, size_t count, enum wire_outcome outcome, size_t stack_bytes);
void full_purge_topic(struct full *f);
void full_purge_dlq(struct full *f, const char *group);
void full_redrive(struct full *f, const char *group);
/* Make one of that name, the group in `t`; the answer's code. */
int full_create_topic(struct full *f, const char *name);
int full_create_group(struct full *f, const char *name);
/* What the ledger says of a group. */
struct group_counts full_counts(struct full *f, const char *group);

#endif
