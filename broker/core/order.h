/* order: messages of one key are handed out in the order of publishing, one at a time, in groups that want that (the setting
 * `order`; docs/ordering.md).
 *
 * A message is *parked* if it is ready and must wait for another one of its key. Which it waits for is told by two things:
 *
 *   - the group's key table, in memory: the messages that are out, with their keys;
 *   - the index, rows of `due` in the place DUE_KEYED under (group, hash of the key, number): each message that has a row in
 *     `attempt` and is not dead. A parked one has no other row in `due`.
 *
 * What lies at the cursor or behind it is in neither and comes after all that is before the cursor. One that is in the index and lies
 * ahead of the cursor (it was published with a delay, or died there) must wait until that has passed it: it is *ahead*, and parked in
 * another place of `due`, DUE_AHEAD. A message may go if none of its key is out and
 * the index has no earlier one. The invariant by which no parked one is forgotten: if the first in the index is parked, then one
 * of that key is out, or it is ahead. So what takes one out of the table or the index (place.c)
 * looks whether that lets another one go.
 *
 * Where the setting `on-dead` says so, a dead letter holds its key (order_dead.c): what comes after it waits until it has left, or
 * follows it, when its turn to be handed out comes. Then the first in the index may be parked, too, though none of its key is out.
 *
 * With the setting `key-run` one hand-out gives a consumer several of a key, a *run* (order_run.c). What is out of a key is out with one
 * consumer: the next ones go when all of the run are done.
 *
 * A group without the settings `order` and `fair` (fair.h) has no table, and each function below is behind a test of that pointer.
 */
#ifndef SHUNT_CORE_ORDER_H
#define SHUNT_CORE_ORDER_H

#include "broker/core/key_table.h"
#include "broker/core/state.h"

/* So many rows of an index are looked at or written at once when a group is ordered no longer. */
#define ORDER_UNDO_ROWS_MAX 1024

/* The hash by which a message's key is known: never 0, which means that it has none, or (an empty slice) cannot be read. */
uint64_t order_key(struct slice message);

/* ---- order.c ---- */

int order_load_key(struct ledger *l, const struct group *g, uint64_t seq, uint64_t *ret);
/* The same, which the table may know. in: the group has one */
int order_find_key(struct ledger *l, const struct group *g, uint64_t seq, uint64_t *ret);
int order_index_put(struct ledger *l, struct group *g, uint64_t seq, uint64_t key);
int order_index_delete(struct ledger *l, struct group *g, uint64_t seq, uint64_t key);
/* The first row of the key or, with `any`, of that key or one behind it, which *key becomes. *ret_seq 0: there is none. */
int order_index_first(struct ledger *l, const struct group *g, bool any, uint64_t *key, uint64_t *ret_seq);

/* in, for what follows: the group has a table. */

/* Its row in `attempt` is about to be written: put it into the index if it has a key and is not there. */
int order_join(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row);
/* It is out; for the first time, or with a row. */
int order_out(struct ledger *l, struct group *g, uint64_t seq, uint64_t key);
int order_held(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row);
/* It is not, if it was. Returns its key if none of that is out now and others may wait for that, else 0. */
uint64_t order_left(struct group *g, uint64_t seq, uint64_t key);

/* ---- order_dead.c ---- */

/* What is to be done with a message that could be handed out now. `key` 0: it has none. */
enum order_turn {
    TURN_NOW,
    TURN_WAITS,   /* for another one of its key */
    TURN_FOLLOWS, /* it is to die, because one of its key before it is dead */
};
/* `mark`: how many were out before the hand-out to this consumer began; what of the key is out since may have it with them, as a run. */
int order_turn_of(struct ledger *l, const struct group *g, uint32_t mark, uint64_t key, uint64_t seq,
                  enum order_turn *ret);
/* A dead letter of the group holds its key from now on. */
bool order_dead_hold(const struct group *g);
/* It has died, and holds its key if it has one: its row says so then, and is to be written. in: order_dead_hold() */
int order_dead_joins(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row);
/* It is dead no longer; in: its row has a key, and that stays, so that it may be put into the index again. */
int order_dead_leaves(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row);
/* The first dead letter that holds the key; 0: none does. */
int order_dead_first(struct ledger *l, const struct group *g, uint64_t key, uint64_t *ret_seq);
/* As order_turn_of(), by dead letters alone. */
int order_behind_dead(struct ledger *l, const struct group *g, uint64_t key, uint64_t seq,
                      enum order_turn *ret);
/* Nothing is dead that must hold its key no longer. */
bool order_dead_undone(const struct group *g);
/* When the letter died that has held its key for longest, wall ms; 0: there is none. */
int64_t order_blocked_since(struct ledger *l, const struct group *g);

/* ---- place.c ---- */

/* Its row, as the index by key says it is. */
int place_find_indexed(struct ledger *l, const struct group *g, uint64_t seq, uint64_t key,
                       struct attempt_record *ret);
/* It is done: out of the index, if its row (NULL: it never had one) has a key, and of what is out; so the next one of its key may
 * go. in: the group is ordered, or the row has a key. */
int place_out_of_order(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row);
/* Unless one of the key is out, the first of those that wait for their turn may go. in: the group has a table. */
int place_let_go(struct ledger *l, struct group *g, uint64_t key);

/* ---- order_change.c ---- */

/* The setting `on-dead` may have changed. From then on hand-outs take from keys what must hold them no longer, and let those go that
 * may follow a dead one now. */
void order_dead_settings(struct ledger *l, struct group *g);
int order_dead_undo(struct ledger *l, struct group *g);
int order_dead_follow(struct ledger *l, struct group *g);

/* ---- order_run.c: with the setting `key-run`, several of a key are out with one consumer ---- */

/* How many may be. */
uint32_t order_run_max(const struct group *g);
/* The next of the key behind that number may be in a run with it: it waits for its key alone. *ret_seq 0: there is none. */
int order_run_next(struct ledger *l, const struct group *g, uint64_t key, uint64_t seq, uint64_t *ret_seq);
/* That message was out and has come to rest. If it comes again, or is dead and holds its key, those of its key that are out and come
 * after it are taken back, uncharged, to come again behind it. */
int order_recall(struct ledger *l, struct group *g, uint64_t key, uint64_t seq);
/* What that writes at most, while the message is still out. */
uint64_t order_recall_cost(const struct group *g, uint64_t seq);

/* ---- view_key.c ---- */

/* A key that dead letters hold. */
struct blocked_key {
    uint64_t key;           /* its hash */
    uint64_t letters;       /* that hold it */
    uint64_t seq, dead_seq; /* of the first of them: its message, and its number in the DLQ */
    int64_t since_ms;       /* when that died */
    uint64_t waiting; /* messages behind it that were passed over and are not dead; as many as were counted */
};
/* The one behind that hash (0: the first), whose waiting ones are counted up to `most`. Reads as views do. fails: NOT_FOUND: there is
 * no more; CORRUPT, IO */
int order_blocked_next(struct ledger *l, const struct group *g, uint64_t after, uint64_t most,
                       struct blocked_key *ret);
/* How many messages wait behind dead letters of their keys. No more than so many rows are looked at: a figure as large says `at
 * least`. */
#define BLOCKED_ROWS_MAX 1000
int order_blocked_messages(struct ledger *l, const struct group *g, uint64_t *ret);
/* Which message one of that key that is ready waits for: one that is out, or else the first before it that waits, or is dead and holds the
 * key. 0: for none. */
int order_waits_for(struct ledger *l, const struct group *g, uint64_t seq, uint64_t key, uint64_t *ret);

/* ---- order_park.c ---- */

/* After loading: the tables of all groups that need one. fails: CORRUPT (`ret_why`), IO, NO_MEMORY */
int orders_load(struct ledger *l, char *ret_why, size_t why_bytes);
/* What memory knew of the keys that are out is gone, as after a restart: of a message that is damaged by now nothing says which its
 * key was. */
int orders_anew(struct ledger *l);
/* The setting may have changed: make the table, of what is out now, or free it. */
int order_settings(struct ledger *l, struct group *g);
/* It may not go, or lies ahead of the cursor: park it. in: it is FRESH, or TRACKED and waits; `row` only for the latter, and scratch
 * for the other. */
int order_park(struct ledger *l, struct group *g, uint64_t seq, enum where where, struct attempt_record *row,
               uint64_t key);
/* The cursor has moved: those that were ahead of it, and are not any more, are as all others. *ret_any becomes true if there are
 * such. */
int order_catch_up(struct ledger *l, struct group *g, bool *ret_any);
/* The group is not ordered any more: take some out of the index, and let those go that are parked. Without any the table goes. */
int order_undo(struct ledger *l, struct group *g);

#endif
