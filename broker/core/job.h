/* job: work on many messages that goes on in the background, a page at a time, and after a restart; the ledger's own, as
 * state.h is.
 *
 * Files, each needing only those before it: redrive_pace (how many letters now), job_queue (those that are kept, and when each
 * is due), job (their phases), redrive (outcomes), job_held (redrives that
 * wait for another build), job_dead_step (of redrives and purges of dead letters), job_purge, job_drop,
 * job_turn (they take their turns, begin, and are changed by operators), job_dead (which letters, and that no two are about one).
 */
#ifndef SHUNT_CORE_JOB_H
#define SHUNT_CORE_JOB_H

#include "broker/core/state.h"

struct job {
    struct job_record r;
    bool runs; /* and has a slot: its place among those that run */
    uint32_t slot;
    bool dirty;
    struct job *dirty_next;
    uint64_t charged; /* the batch in which its record was counted as written */
};

/* ---- job_queue ---- */

int jobs_load(struct ledger *l, char *ret_why, size_t why_bytes);
int jobs_flush(struct ledger *l);
void jobs_free(struct ledger *l);
int64_t jobs_at(const struct ledger *l); /* when the next step is due */
/* Why one more, with that rate, may not begin; NULL: it may. */
const char *jobs_full(const struct ledger *l, uint32_t rate);
/* Take it over, among those that run if it is not over. fails: NO_MEMORY, CORRUPT; then it is freed */
int job_keep(struct ledger *l, struct job *j);
/* Its record changed: the next seal writes it. */
void job_dirty(struct ledger *l, struct job *j);
/* Its record changed, and it is due at another time or over: then it leaves those that run, and the oldest of those that are
 * over may be forgotten, itself included. */
int job_changed(struct ledger *l, struct job *j);
/* Those that are due now, in order of id, into `jobs_due`; returns how many. Put back when they had their
 * steps. */
uint32_t jobs_take_due(struct ledger *l);
int jobs_put_back(struct ledger *l, uint32_t count);
/* The group was dropped: the jobs on its dead letters end, whatever they wait for, and what they brought back is gone. */
void jobs_group_gone(struct ledger *l, uint32_t group);
/* One that is kept; NULL: none of that id. */
struct job *job_find(const struct ledger *l, uint64_t id);
/* The place in `kept` of the first with this id or a greater one. */
size_t job_position(const struct ledger *l, uint64_t id);

/* ---- job ---- */

const char *job_kind_name(enum job_kind kind); /* as JOB_SHOW says it */
/* One for a topic, and one group of it or (NULL) all: to be filled in and begun. NULL without memory. */
struct job *job_new(enum job_kind kind, const struct topic *t, const struct group *g);
/* True if one more job may begin; otherwise tells why not. */
bool job_may_begin(struct ledger *l, uint32_t rate);
/* Take it over, give it an id, and run its first step. `j` NULL: fails with NO_MEMORY. */
int job_begin(struct ledger *l, struct job *j);
/* The same, on so many messages, which is told. */
int job_begin_told(struct ledger *l, struct job *j, uint64_t count);
/* To another phase, which may follow on the one that it is in. */
void job_enter(struct ledger *l, struct job *j, enum job_phase phase);
/* The first key of `table` for `id` after the job's cursor, up to its last. NOT_FOUND: none. */
int job_next_row(struct ledger *l, enum store_table table, uint32_t id, const struct job_record *r,
                 uint64_t *ret_seq);
/* What a row costs of a page: it is looked at for each group. */
unsigned job_row_cost(struct ledger *l, const struct topic *t);
static inline void job_spend(unsigned *left, unsigned rows)
{
    *left -= rows < *left ? rows : *left;
}
int apply_job_cancel(struct ledger *l, uint64_t id);
int apply_job_pause(struct ledger *l, uint64_t id);
int apply_job_resume(struct ledger *l, uint64_t id);

/* ---- job_held ---- */

/* It is held from now on: tells so, because a consumer that it waits for may be there. */
void job_tell_held(struct ledger *l, const struct job *j);
int apply_build_seen(struct ledger *l, const struct build_command *c);

/* ---- steps of a page; each sets *ret_over when nothing is left ---- */

int job_dead_step(struct ledger *l, struct job *j, unsigned page, bool *ret_over);
int job_purge_step(struct ledger *l, struct job *j, unsigned page, bool *ret_over);
int job_drop_step(struct ledger *l, struct job *j, unsigned page, bool *ret_over);
/* Those that are due, in a tick. */
int jobs_step(struct ledger *l);
/* One of them, up to so many rows. */
int job_step(struct ledger *l, struct job *j, unsigned page);
#define JOB_PAGE_ROWS 512 /* worked on in one step; of a topic with many groups, fewer */
/* In a store of an older server there are letters without a cause: the job that gives them theirs begins in a tick,
 * if it does not run and may. */
bool job_of_causes_begins(const struct ledger *l);
int job_begin_causes(struct ledger *l);

/* ---- redrive ---- */

/* The phase that it begins in, or goes on in when it is held no more. */
enum job_phase redrive_begins(const struct job_record *r);
/* How many are to have been moved before there is something to wait for. */
uint64_t redrive_target(const struct job_record *r);
/* When its next letter may be moved; NEVER: something else has to happen first. */
int64_t redrive_at(const struct job_record *r);
/* How many may be moved now. */
uint64_t redrive_allowance(const struct ledger *l, const struct job_record *r);
/* With a rate: one may be moved at once, the next ones from a random time on. */
void redrive_paced(struct ledger *l, struct job_record *r);
/* So many of them were. */
void redrive_spend(struct ledger *l, struct job_record *r, uint64_t moved);

/* If nothing is out whose outcome it has to wait for, more may be. */
void redrive_goes_on(struct ledger *l, struct job *j);
/* A letter that had died of the cause comes back by the job whose step this is: notes in its row whose outcome it is, and
 * says when it comes back; 0: at once. */
int64_t redrive_moves(struct ledger *l, struct attempt_record *row, uint64_t cause);
/* A message of the group failed and is charged: of that, if its row names a redrive. */
int redrive_failed(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                   const struct history_record *last);
/* Of a message that is done. */
static inline enum redrive_outcome redrive_outcome_at_end(const struct attempt_record *row, bool acked)
{
    if (acked)
        return REDRIVE_ACKED;
    return row->outcome == REDRIVE_PENDING ? REDRIVE_GONE : row->outcome;
}
/* It died of the cause, or its end came in another way. */
int redrive_died(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row, uint64_t cause);
int redrive_ended(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
                  bool acked);

#endif
