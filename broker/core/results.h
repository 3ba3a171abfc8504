/* results: where the ledger keeps what a batch came to. */
#ifndef SHUNT_CORE_RESULTS_H
#define SHUNT_CORE_RESULTS_H

#include "base/arena.h"
#include "broker/core/result.h"

struct ledger;

struct results {
    struct result *items;
    size_t count, capacity;
    size_t kept;        /* the first `kept` point to nothing in the store any more */
    size_t handed_out;  /* of the others, those whose message lies there */
    struct arena arena; /* copies of messages and names */
    struct result lost; /* for which there was no memory */
    bool no_memory;
    uint64_t round; /* grows with each batch and each ASSIGN */
};

void results_begin(struct ledger *l); /* a batch begins */
void results_free(struct results *r);

/* A new result of the command being applied, whose fields the caller fills in before it asks for the next. Without
 * memory it is lost, and the batch fails when it is over. */
struct result *result_add(struct ledger *l, enum result_kind kind);
/* A copy that lives as long as the results; NULL without memory, and the batch fails. */
void *result_copy(struct ledger *l, const void *what, size_t size);

/* Copy the messages that were handed out: a write to the table that they lie in is about to move them. */
void results_keep(struct ledger *l);

/* Something became ready in the group. */
void ledger_tell_ready(struct ledger *l, struct group *g);
/* The end of a command about topics, groups, dead letters, jobs or the clock. */
void ledger_tell_done(struct ledger *l, int err, const char *why, uint64_t job, uint64_t count);

#endif
