/* rule: what is done with dead letters of a group by itself, and with which; the ledger's own, as state.h is.
 *
 * Rules are looked at when a message dies, in order of their numbers, and the first that matches decides. What it decides is
 * noted in the letter, which goes into the DLQ like any other; what takes it out of there again is a tick, when it is due. So
 * a rule costs a death a bounded amount, and no message is ever anywhere but in its group or in its DLQ.
 *
 *     dead_divert() ─► rules_decide(): which rule? ─► the letter, and if a rule will act on it: rule_wait()
 *     apply_tick()  ─► rules_tick(): due? is the rule still there, and on? ─► dead_remove()
 *     dead_settle() ─► rule_left(), also if somebody else takes the letter out
 *
 * A rule that redrives is told the outcomes as a redrive is: a message's row names either by its id. How often rules brought
 * a message back is in its row, over all rules, so that two of them cannot pass it to and fro for ever either.
 *
 * Files, each needing only those before it: rule (those that are kept), rule_decide (which, when, outcomes), then, above dead,
 * rule_turn (ticks and commands).
 */
#ifndef SHUNT_CORE_RULE_H
#define SHUNT_CORE_RULE_H

#include "broker/core/letter.h"
#include "broker/core/state.h"

struct rule {
    uint32_t number; /* its name, and its place among the group's */
    struct rule_record r;
    bool dirty;
    struct rule *dirty_next;
    uint64_t charged; /* the batch in which its record was counted as written */
    struct group *group;
};

/* ---- rule ---- */

/* The place of the first with this number or a greater one. */
size_t rule_position(const struct group *g, uint32_t number);
struct rule *rule_find(const struct group *g, uint32_t number); /* NULL: none */
struct rule *rule_of_id(const struct group *g, uint64_t id);    /* NULL: it is not there any more */
/* The one that will act on the letter; NULL: none will. */
const struct rule *rule_acting(const struct group *g, const struct dead_record *dead);
/* Why one more may not be; NULL: it may. */
const char *rules_full(const struct ledger *l, const struct group *g);
/* NULL without memory. */
struct rule *rule_insert(struct ledger *l, struct group *g, uint32_t number);
int rule_remove(struct ledger *l, struct rule *r);
/* Its record changed: the next seal writes it. */
void rule_dirty(struct ledger *l, struct rule *r);
int rules_load(struct ledger *l, char *ret_why, size_t why_bytes);
int rules_flush(struct ledger *l);
/* Out of memory with all of the group's, or of all groups. Rows are left. */
void rules_forget(struct ledger *l, struct group *g);
void rules_free(struct ledger *l);

/* ---- rule_decide ---- */

/* Whether its filter lets the letter through. */
int rule_matches(struct ledger *l, const struct letter_filter *f, const struct dead_letter *d, bool *ret);
/* A message of the group died, whose letter is about to be put into the DLQ: notes in it what the first rule that matches
 * decides. in: the group has rules */
int rules_decide(struct ledger *l, struct group *g, const struct attempt_record *row,
                 struct dead_record *dead);
/* A rule will act on the letter, which is in the DLQ now; and it has left, or the rule will not. */
int rule_wait(struct ledger *l, struct group *g, const struct dead_record *dead, uint64_t dead_seq);
int rule_left(struct ledger *l, struct group *g, const struct dead_record *dead, uint64_t dead_seq);
/* A letter that had died of the cause comes back, by the rule whose turn this is. */
void rule_moves(struct ledger *l, struct attempt_record *row, uint64_t cause);
/* What came of a message that it brought back. */
void rule_outcome(struct ledger *l, struct group *g, const struct attempt_record *row,
                  enum redrive_outcome outcome);

/* ---- rule_turn ---- */

int rules_tick(struct ledger *l);
int apply_rule_set(struct ledger *l, const struct rule_command *c);
int apply_rule_delete(struct ledger *l, const struct rule_command *c);

#endif
