/* raw: a client that writes its frames by hand: what the protocol allows and a library would not do, and now
 * and then what it does not allow.
 */
#ifndef SHUNT_TESTS_SIM_RAW_H
#define SHUNT_TESTS_SIM_RAW_H

#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include "tests/sim/sim.h"

#define RAW_ASKED_MAX 256
#define RAW_SUBS_MAX  8
#define RAW_HELD_MAX  256
#define RAW_OPS_MAX   16 /* in one frame */

/* One request under way. */
struct asked_request {
    uint64_t id;
    unsigned op;
    unsigned place; /* number + 1; 0: none */
    unsigned sub;   /* place in raw.subs */
    bool limited;   /* by a time-out */
    uint64_t ops[RAW_OPS_MAX];
    unsigned ops_count;
};

struct raw_sub {
    bool used, stands, dlq;
    uint64_t id;
    unsigned place;
    uint32_t topic_name, group_name;
};

struct raw_held {
    bool limited; /* it has a deadline */
    unsigned sub;
    uint64_t seq, token, origin; /* origin: only from a DLQ */
    bool started, answered;      /* answered: kept, to be answered again */
};

struct raw {
    struct client client;
    bool is_operator, marks, greeted, leaving;
    struct mpack_buffer in;
    size_t in_read;
    uint64_t received; /* on this connection */
    uint64_t request_next;
    struct asked_request asked[RAW_ASKED_MAX];
    unsigned asked_first, asked_count;
    struct raw_sub subs[RAW_SUBS_MAX];
    struct raw_held held[RAW_HELD_MAX];
    unsigned held_count;
    unsigned hostile; /* garbage was sent: anything may be answered */
    bool redriven;    /* at the end */
};

static inline struct raw *raw_of(struct client *c)
{
    return (struct raw *)c;
}

/* raw_client.c: a frame being written, and the client that waits for its answer; NULL: no room for more. */
struct asked_request *raw_ask(struct raw *r, struct mpack_buffer *frame, size_t *ret_offset, unsigned op,
                              uint32_t fields);
void raw_send(struct raw *r, struct mpack_buffer *frame, size_t offset);

/* raw_consume.c */
void raw_consume(struct raw *r);
void raw_delivered(struct raw *r, struct mpack_reader *reply);
void raw_resolved(struct raw *r, const struct asked_request *a, struct mpack_reader *reply, int err);
void raw_subscribed(struct raw *r, const struct asked_request *a, struct mpack_reader *reply, int err);
void raw_sub_ended(struct raw *r, unsigned sub);
void raw_closed(struct raw *r, uint64_t id);

/* operator.c */
void operator_act(struct raw *r);
bool operator_idle(const struct raw *r);
void operator_answered(struct raw *r, const struct asked_request *a, int err);

#endif
