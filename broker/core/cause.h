/* cause: what dead letters died of, and who has looked at them; the ledger's own, as state.h is. */
#ifndef SHUNT_CORE_CAUSE_H
#define SHUNT_CORE_CAUSE_H

#include "broker/core/state.h"

struct cause {
    uint64_t fingerprint;
    struct cause_record r;
    bool dirty;
    struct cause *dirty_next;
    uint64_t charged; /* the batch in which its record was counted as written */
    struct group *group;
};

/* NULL: none. */
struct cause *cause_find(const struct group *g, uint64_t fingerprint);
/* A message of the group, which died at `died_ms` with `last` as its last attempt (zero: it had none), is counted
 * by its cause, which is made if it is new: *ret_cause is what its dead letter names. */
int cause_count(struct ledger *l, struct group *g, uint64_t seq, enum dead_reason reason, int64_t died_ms,
                const struct history_record *last, uint64_t *ret_cause);
/* A letter of it is no longer in the DLQ. */
void cause_letter_left(struct ledger *l, struct group *g, uint64_t cause);
/* Somebody has looked at the letter: itself, its cause with it, or the cause is muted. */
bool cause_attended(const struct group *g, const struct dead_record *dead, uint64_t dead_seq);
/* Its record changed: the next seal writes it. */
void cause_dirty(struct ledger *l, struct cause *c);
int causes_load(struct ledger *l, char *ret_why, size_t why_bytes);
int causes_flush(struct ledger *l);
/* Out of memory with all of the group's, or of all groups. */
void causes_forget(struct ledger *l, struct group *g);
void causes_free(struct ledger *l);

/* ---- triage ---- */

/* Letters may be attended that were not: the mark of the group may move. */
static inline void triage_look_again(struct ledger *l, const struct group *g)
{
    group_queue_at(&l->triage_when, g, l->now_ms);
}
/* Move the marks of those groups. */
int triage_tick(struct ledger *l);
/* A page of the job that gives letters of an older server their causes. */
int triage_step(struct ledger *l, struct job_record *j, unsigned page, bool *ret_over);
/* The group is about to be dropped: its causes go out of memory, and their rows with the group's. */
void triage_forget(struct ledger *l, struct group *g);

int apply_attend(struct ledger *l, const struct attend_command *c);
int apply_cause_update(struct ledger *l, const struct cause_command *c);

#endif
