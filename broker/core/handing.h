/* handing: one assign command as it proceeds. handout.c hands out one message, a lane, or what lies at the cursor; handout_fair.c, as keys
 * take turns; and handout_assign.c says what comes first. */
#ifndef SHUNT_CORE_HANDING_H
#define SHUNT_CORE_HANDING_H

#include "broker/core/order.h"

/* One command takes no more than that out of the way; then the group asks to be looked at again. */
#define REMOVED_MAX 1024

struct handing {
    struct group *g;
    const struct assign_command *c;
    uint64_t until; /* the cursor goes no further: the head of the topic, or the end of a run */
    uint32_t count;
    uint64_t bytes;
    uint32_t removed; /* found unfit and taken out of the way */
    uint32_t looked;  /* at messages whose keys take turns, before one is chosen */
    bool full;        /* the credit is used up */
    bool damaged;     /* one of a run was: nothing is given behind it */
    bool caught_up;   /* what waited for the cursor waits for it no longer */
    bool out_of_room; /* of what the batch may write */
    uint32_t mark;    /* of a group that is ordered: how many were out before … */
    uint32_t run;     /* … and how many of a key may be, if its keys take no turns */
};

/* What became of the message under the cursor. */
enum fresh { FRESH_GIVEN, FRESH_OVER, FRESH_REMOVED };

/* ---- handout.c ---- */

bool handing_over(const struct ledger *l, struct handing *h);
/* The first in the lane that can be taken. fails: NOT_FOUND */
int handing_first_waiting(struct ledger *l, const struct handing *h, uint64_t *ret_seq);
/* Hand out one that waits, unless it is unfit, must wait for its key, or does not fit. */
int hand_waiting(struct ledger *l, struct handing *h, uint64_t seq);
int hand_lane(struct ledger *l, struct handing *h);
/* From the cursor, as much as there is credit for. */
int hand_cursor(struct ledger *l, struct handing *h);
/* The same in a group whose keys take no turns. In one that is ordered by key it may pass messages that waited for that: then the lane
 * has something again. */
int hand_first_time(struct ledger *l, struct handing *h);
/* Move `next` to `seq`, if that lies ahead; what lies between was never this group's, or is done, or has a row. Writes nothing,
 * so that the cursor's bytes stay. */
int handing_skip(struct ledger *l, struct group *g, uint64_t seq);
/* Whether the row under the cursor, which cannot be read, is where its key puts it. A damaged key may say any
 * number, and going there would pass over the messages that follow; so the next row has to agree. Moves the
 * cursor. */
bool handing_key_holds(struct store_cursor *cursor, const struct topic *t, uint64_t next, uint64_t seq);
/* The row after that of `seq`. Behind it may lie any number of rows whose bits are set (scheduled, or purged
 * in this group alone): where there are more than a few, the cursor goes past all of them at once. */
int handing_next_row(const struct group *g, struct store_cursor *cursor, uint64_t seq, struct slice *ret_key,
                     struct slice *ret_value);
/* Another one of its key comes before it. It gets rows, which a full store has no room for: there the cursor waits where it is
 * until that one is out of the way, and what lies behind waits with it. */
int handing_pass_over(struct ledger *l, struct handing *h, uint64_t seq, uint64_t key, enum order_turn turn,
                      enum fresh *ret);

/* ---- handout_fair.c ---- */

/* in, for both: the group has a table. */

/* Hand out as keys take turns. If nothing has to be chosen, because there is credit for all that is ready, it leaves that to the
 * others. */
int hand_fairly(struct ledger *l, struct handing *h);
/* The group is fair no longer: take some out of the turn index, into the lane. */
int hand_unfair(struct ledger *l, struct handing *h);

#endif
