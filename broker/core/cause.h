/* cause: what dead letters died of, and who has looked at them; the ledger's own, as state.h is. */
#ifndef SHUNT_CORE_CAUSE_H
#define SHUNT_CORE_CAUSE_H

#include "broker/core/group_queue.h"
#include "broker/core/state.h"

struct job;

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
 * by its cause, which is made if it is new: the one that its dead letter names. */
int cause_count(struct ledger *l, struct group *g, uint64_t seq, enum dead_reason reason, int64_t died_ms,
                const struct history_record *last, struct cause **ret);
/* The one that would count it: as cause_count() says, but nothing changes. */
uint64_t cause_would_be(struct ledger *l, const struct group *g, enum dead_reason reason,
                        const struct history_record *last);
/* Somebody has looked at the letter: itself, its cause with it, or the cause is muted. Once it is so it stays so. */
bool cause_attended(const struct group *g, const struct dead_record *dead, uint64_t dead_seq);
/* What becomes of a letter, for those of its cause that nobody has looked at; each returns whether nobody had. The
 * group's are counted by unattended_add() and unattended_end(). One that came was counted by cause_count() before. */
bool cause_letter_came(struct cause *c, const struct dead_record *dead, uint64_t dead_seq);
bool cause_letter_attended(struct ledger *l, struct group *g, struct dead_record *dead, uint64_t dead_seq);
bool cause_letter_left(struct ledger *l, struct group *g, const struct dead_record *dead, uint64_t dead_seq);
/* Its record changed: the next seal writes it. */
void cause_dirty(struct ledger *l, struct cause *c);
int causes_load(struct ledger *l, char *ret_why, size_t why_bytes);
int causes_flush(struct ledger *l);
/* Out of memory with all of the group's, or of all groups. */
void causes_forget(struct ledger *l, struct group *g);
void causes_free(struct ledger *l);

/* ---- unattended ---- */

/* Letters may be attended that were not, or may be overdue: the marks of the group may move. */
static inline void unattended_look_again(struct ledger *l, const struct group *g)
{
    group_queue_at(l, QUEUE_TRIAGE, g, l->now_ms);
}
/* A letter that nobody has looked at was put into the DLQ. */
void unattended_add(struct ledger *l, struct group *g, int64_t died_ms);
/* One that is muted was: the marks go past it, as they do in a ledger that was loaded anew. */
void unattended_pass(struct ledger *l, struct group *g, uint64_t dead_seq, int64_t died_ms);
/* Nobody had looked at the letter until now: that is over, because … */
enum unattended_end {
    END_LOOKED,  /* somebody looked at it, or sent it away */
    END_EXPIRED, /* retention drops it */
    END_RULED,   /* a rule acts on it */
    END_CAUSED,  /* it belongs to a cause that somebody has looked at, which was not known */
};
void unattended_end(struct ledger *l, struct group *g, const struct dead_record *dead, uint64_t dead_seq,
                    enum unattended_end how);
/* The same for all those letters of a cause: somebody has looked at the cause. */
void unattended_end_all(struct ledger *l, struct cause *c);
/* Move the marks of those groups. */
int unattended_tick(struct ledger *l);
/* When the oldest letter that nobody has looked at died; 0: there is none. `txn`: any that sees what was applied. */
int unattended_oldest(struct ledger *l, struct store_txn *txn, const struct group *g, int64_t *ret_died_ms);
/* After loading: count the letters of those groups whose rows do not say. */
int unattended_count_old(struct ledger *l);

/* ---- triage ---- */

/* A page of the job that gives letters of an older server their causes. */
int triage_step(struct ledger *l, struct job *j, unsigned page, bool *ret_over);
/* The group whose dead letters an operator speaks of; otherwise NULL, and it was told why not. */
struct group *triaged_group(struct ledger *l, struct slice topic, struct slice name);
/* The group is about to be dropped: its causes go out of memory, and their rows with the group's. */
void triage_forget(struct ledger *l, struct group *g);

int apply_attend(struct ledger *l, const struct attend_command *c);
int apply_cause_update(struct ledger *l, const struct cause_command *c);

#endif
