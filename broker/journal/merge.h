/* merge: what is done beside the engine, by a thread of its own, or step by step by who has none: a frozen generation is put into the store behind; what the oldest records keep goes there; the journal's file is made longer.
 *
 * One thing of each kind at a time. The one that asks owns generation and store again when merge_ended() says so; until then the store behind may
 * only be read by others, and of the journal's file they leave alone what is beyond its length. */
#ifndef SHUNT_JOURNAL_MERGE_H
#define SHUNT_JOURNAL_MERGE_H

#include "broker/journal/away.h"
#include "broker/journal/generation.h"

#include <pthread.h>

#define MERGE_MAGIC 0x6d657267u

enum merge_kind { MERGE_GENERATION, MERGE_AWAY, MERGE_FILE, MERGE_KINDS };

struct merge_job {
    bool asked, done;
    int err;
};

struct merge {
    uint32_t magic;
    bool threaded;
    bool started, stop;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t asked, ended;
    struct merge_job jobs[MERGE_KINDS];
    /* of MERGE_GENERATION */
    const struct generation *generation;
    struct store *store;
    struct journal_meta meta; /* what it is to be then, and was made */
    uint64_t stubs;           /* that it made */
    /* of MERGE_AWAY, and `store` */
    struct away away;
    /* of MERGE_FILE */
    struct journal_file *file;
    uint64_t from, to;
    bool written;
};

/* Not `threaded`: what is asked is done by merge_step(), or when it is waited for. fails: NO_MEMORY, IO: no thread */
int merge_start(struct merge *m, bool threaded);
/* What is asked is ended first by the thread; what merge_step() has not done is not done. */
void merge_stop(struct merge *m);

void merge_ask_generation(struct merge *m, const struct generation *g, struct store *store,
                          const struct journal_meta *meta);
void merge_ask_away(struct merge *m, const struct away *away, struct store *store);
void merge_ask_file(struct merge *m, struct journal_file *file, uint64_t from, uint64_t to, bool written);
/* Do what comes next, as the thread would, which there is not. False: nothing was asked. */
bool merge_step(struct merge *m);
/* True if something of the kind is asked and not yet taken. */
bool merge_busy(const struct merge *m, enum merge_kind kind);
/* If what was asked is over, take its result; with `wait`, wait for that. False: nothing is over. */
bool merge_ended(struct merge *m, enum merge_kind kind, bool wait, int *ret_err);

#endif
