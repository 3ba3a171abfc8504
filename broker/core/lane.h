/* lane: the lines in which a group's messages wait to be handed out, and their places in the due table. */
#ifndef SHUNT_CORE_LANE_H
#define SHUNT_CORE_LANE_H

enum lane {
    LANE_NORMAL = 0,
    LANE_SUSPECT = 1, /* may have killed its consumer: goes to a connection that holds nothing else */
    LANES
};

/* Where a row of the due table is: one for each lane, one for what was handed out again and is in flight,
 * whose due time is 0, one for what has ended and whose history is kept, whose time is that of its end, one for dead
 * letters that a rule will act on then, by their numbers in the DLQ, and those of a group that is ordered, where some have a
 * key's hash where others have a time: the index by key; what waits until the cursor has passed it, whose time is 0; dead letters
 * that hold their keys, by key and by the time of their death; and their keys, each with how many of them there are in the number's
 * place; and of a group with fair turns, what waits for its turn, by key. The numbers are in the store: another lane gets the next free one. */
enum due_place {
    DUE_NORMAL = 0,
    DUE_SUSPECT = 1,
    DUE_HELD = 2,
    DUE_PAST = 3,
    DUE_RULED = 4,
    DUE_KEYED = 5,
    DUE_AHEAD = 6,
    DUE_BLOCKED = 7,       /* by key, and number of the message */
    DUE_BLOCKED_SINCE = 8, /* by death, and number of the message */
    DUE_BLOCKED_KEYS = 9,  /* by key, and how many there are of it */
    DUE_FAIR = 10          /* by key, and number of the message */
};

static inline enum due_place due_place_of(enum lane lane)
{
    static const enum due_place places[LANES] = {[LANE_NORMAL] = DUE_NORMAL, [LANE_SUSPECT] = DUE_SUSPECT};
    return places[lane];
}

#endif
