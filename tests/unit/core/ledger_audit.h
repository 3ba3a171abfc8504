/* ledger_audit: what the parts of the walk over a store share. */
#ifndef SHUNT_TESTS_LEDGER_AUDIT_H
#define SHUNT_TESTS_LEDGER_AUDIT_H

#include "tests/unit/core/ledger_fixture.h"

struct audit {
    struct ledger *l;
    struct store_txn *t;
};

bool audit_get(struct audit *a, enum store_table table, struct key key, struct slice *ret);
bool audit_there(struct audit *a, enum store_table table, struct key key);
/* Users and roles in memory are as their rows, in order of name, and tokens as many as each user has. */
void audit_identities(struct audit *a);
/* Each letter is counted by the cause that it names; the mark is as far as it can be, or about to move. */
void audit_causes(struct audit *a, const struct group *g);
/* Both rows of an edit, if there is one, can be read and are of that edit: returns how many. */
uint64_t audit_edit(struct audit *a, const struct group *g, uint64_t seq, const struct attempt_record *row,
                    bool *damaged);
/* Each letter that a rule decided on was acted on, waits, was given up, or has left meanwhile. */
void audit_rules(const struct group *g);

/* Of a message with a row that is not dead: if it has a key it is in the index, and if it is parked something will let it go.
 * Returns how many rows it has in due because of that, beside the one that says where it waits. */
uint64_t audit_key(struct audit *a, const struct group *g, uint64_t seq, const struct attempt_record *row);
/* Of a dead one: if it holds its key, the rows are there that say so. Returns how many of its own. */
uint64_t audit_blocking(struct audit *a, const struct group *g, uint64_t seq,
                        const struct attempt_record *row);
/* The rows of the group's keys that are held: as many as it counts, and letters as it counts. */
void audit_blocked(struct audit *a, const struct group *g);
/* Of one that is out, in a group that is ordered: it is in the table, with its key. Returns how many entries it has there. */
uint64_t audit_out(struct audit *a, const struct group *g, uint64_t seq);

/* The keys that wait in a group with fair turns are counted, the table knows those that have something out, and the run is of one key. */
void audit_turns(struct audit *a, const struct group *g);

/* What has no outcome yet for a redrive is what rows say of it, and each letter that it moved has one. */
void audit_outcomes(struct audit *a);

#endif
