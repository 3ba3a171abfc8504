/* dispatcher_model: what the dispatcher must do, in plain arrays that are searched from one end to the other.
 */
#ifndef SHUNT_TESTS_DISPATCHER_MODEL_H
#define SHUNT_TESTS_DISPATCHER_MODEL_H

#include "broker/core/dispatcher.h"

enum { GROUPS = 5, SEQS = 120, HOLDERS = 8, MEMBERS = 24, LEASES = GROUPS * SEQS, PENDING = 4 };

enum where { NOWHERE, READY, SUSPECT, HELD };

struct model_holder {
    struct holder *holder; /* NULL: the slot is free */
    bool marks, held_back, silent, charged;
    int64_t heard_ms;
};

struct model_member {
    struct member *member;
    int holder;
    uint32_t group, messages;
    uint64_t bytes;
    int64_t answered_ms; /* its oldest delivery; -1: never, or the next one's lease was set since */
};

struct model_lease {
    int member;
    uint64_t seq, token;
    int64_t deadline_ms, leased_ms, started_ms;
    uint64_t turn; /* when the deadline was set */
    enum lane lane;
};

struct model_pending {
    struct assignment a;
    int member; /* -1: it is gone */
};

struct model {
    struct dispatcher *d;
    uint32_t random;
    int64_t now_ms;
    uint64_t turn, token;
    enum where where[GROUPS][SEQS];
    bool paused[GROUPS];
    struct model_holder holders[HOLDERS];
    struct model_member members[MEMBERS];
    struct model_lease leases[LEASES]; /* in order of delivery */
    int lease_count;
    struct model_pending pending[PENDING];
    int pending_count;
    /* What the next calls of `end` must say, in order. */
    struct lease_end expected[LEASES];
    int expected_count, expected_at;
    uint64_t closed;
};

/* A number below `sides`. */
uint32_t model_roll(struct model *o, uint32_t sides);
uint64_t model_count(const struct model *o, uint32_t group, enum where where);
void model_ready(void *context, uint32_t group, struct group_ready *ret);
void model_forget(struct model *o, int at); /* a lease */
/* The oldest one that its member holds. */
bool model_is_oldest(const struct model *o, int at);
/* A lease must be reported to have ended so. It is kept; the caller forgets it. */
void model_expect_end(struct model *o, const struct model_lease *l, enum attempt_outcome outcome);
void model_compare_end(void *context, const struct lease_end *end);
void model_ends_done(struct model *o); /* none is missing */
int model_member(const struct model *o, const struct member *m);
/* Take an assignment, if there is one, and judge it. */
bool model_take(struct model *o);
/* Apply the assignments taken. */
void model_apply(struct model *o);
/* Take and apply until there is nothing more. */
void model_run(struct model *o);

#endif
