/* fair: keys take turns, in groups that want that (the setting `fair`; docs/fairness.md): the next message is one of the key that has
 * the fewest in flight, of all keys that have any waiting; among equals the next one by hash after the key that was handed one last.
 *
 * Whose turn it is must follow from what is stored. What waits is known by two things:
 *
 *   - The *turn index*, rows of `due` in the place DUE_FAIR under (group, hash of the key, number): ready messages that have a row in
 *     `attempt`, which says `turn`. They stand there instead of in a lane.
 *   - The *run*: from the cursor to `upto` lie messages of one key alone that have no rows. All else that was there was listed in the
 *     turn index when the cursor's look passed it (handout_fair.c). So a key with a huge backlog has next to no rows, and what is
 *     behind it is found.
 *
 * What is in lanes, or lies at or behind `upto`, is not known yet; a hand-out looks at a bounded number of those before it chooses. The
 * key table (key_table.h) has what is out, and of the keys that have something out, which have more waiting; so memory has nothing of a
 * message that waits, nor of a key that only waits.
 *
 * A group that is ordered by key has no run: there messages are listed, or parked behind others of their key, and the cursor goes on.
 * Messages without a key are of one key together. A group without the setting has nothing listed, but for a while after a change.
 */
#ifndef SHUNT_CORE_FAIR_H
#define SHUNT_CORE_FAIR_H

#include "broker/core/state.h"

/* So many messages are looked at, at most, by one hand-out before it chooses, and so many are taken out of the turn index at once when a
 * group is fair no longer. */
#define FAIR_LOOK_MAX 1024
/* So many keys that have something out are passed over, at most, in the search for one that has nothing out. */
#define FAIR_SEEK_MAX 256

bool group_is_fair(const struct group *g);

/* The key of messages without one. */
#define FAIR_NO_KEY 1u

static inline uint64_t fair_key(uint64_t key)
{
    return key ? key : FAIR_NO_KEY;
}

/* One of the key is about to get its row in the turn index, or its row has gone. */
int fair_listed(struct ledger *l, struct group *g, uint64_t key);
int fair_unlisted(struct ledger *l, struct group *g, uint64_t key);
/* The first message of the key in the turn index; 0: there is none. */
int fair_first(struct ledger *l, const struct group *g, uint64_t key, uint64_t *ret_seq);
/* One of the key is out: the table says whether others wait. */
int fair_out(struct ledger *l, struct group *g, uint64_t key);
/* The run is of this key; 0: there is none. */
int fair_run(struct ledger *l, struct group *g, uint64_t key);
/* place.c: from a lane or the cursor into the turn index. in: it is ready, not out, and has left its place; the group is fair */
int place_turn(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row, uint64_t key);
/* Whose turn it is; 0: nothing is known to wait. */
int fair_choose(struct ledger *l, struct group *g, uint64_t *ret_key);

#endif
