/* plant: bugs that the rig must find. None is in the broker. For some, the disk is brought after a crash into
 * the state that a broker with that bug would have left behind, by applying the record of batches through a
 * filter; for others, calls between the broker's parts are changed on their way (plant_live.c).
 */
#ifndef SHUNT_TESTS_SIM_PLANT_H
#define SHUNT_TESTS_SIM_PLANT_H

#include <stdbool.h>
#include <stdint.h>

enum plant {
    PLANT_NONE,
    PLANT_CONFIRM_EARLY, /* answers go out before the commit: the last commit is lost */
    PLANT_SPLIT_DIVERT,  /* leaving the group and entering the DLQ are two transactions: the second is lost */
    PLANT_VOLATILE_COUNT, /* attempts are kept in memory only */
    PLANT_LOST_ACK,       /* acks are not made durable */
    PLANT_NO_CHECKSUM,    /* a damaged message looks like a good one */
    /* While it runs (plant_live.c); only the model sees these. */
    PLANT_OVER_CREDIT,       /* one message more than the credit */
    PLANT_EARLY_RETRY,       /* after half of the delay that a nack asked for */
    PLANT_LATE_ANSWER,       /* an answer has effect after the end of its lease */
    PLANT_SHORT_EXTENSION,   /* an extended lease ends early: the message has two holders */
    PLANT_CHARGE_BYSTANDERS, /* each of several started messages is charged for a lost connection */
    PLANT_NO_SUSPECTS,       /* none of them becomes a suspect */
    PLANT_NO_PAUSE,          /* a paused group hands out messages */
    PLANT_UNHEEDED_END,      /* who sends nothing more keeps what it holds, and gets more */
    PLANT_FORGIVEN_END,      /* what it holds goes back as after a goodbye */
    PLANT_UNTOLD_ROOM,       /* the engine is not told that there is room again for all together */
    PLANT_FED_SILENT,        /* who lets a lease run out and says nothing is handed more */
    PLANT_OLD_TOKEN, /* what is taken up again keeps its token, so that an answer to the old delivery counts */
    PLANT_CHARGE_PREFETCH, /* without marks, each delivery whose lease runs out is charged */
    /* While it runs; what is stored tells. */
    PLANT_LOST_OUTCOME, /* how a redriven message ended is not counted for its redrive */
    /* Of rules on dead letters. */
    PLANT_VOLATILE_RULE,    /* they are kept in memory only */
    PLANT_FORGOTTEN_RULING, /* so is how often rules have brought a message back */
    PLANT_EARLY_RULE,       /* one acts after half of its wait */
    PLANT_MOVED_TWICE,      /* what it moves is in the other topic twice */
    /* Of groups that are ordered by key. */
    PLANT_ORDER_TWO,      /* two connections have messages of one key at once */
    PLANT_ORDER_RESTART,  /* what was out at a restart holds its key no longer */
    PLANT_ORDER_REDRIVE,  /* neither does what came back from the DLQ, once it fails again … */
    PLANT_ORDER_LEASE,    /* … nor what lost its lease */
    PLANT_ORDER_STUCK,    /* nothing lets go of what waits behind another one */
    PLANT_DEAD_FORGOTTEN, /* a dead letter does not hold its key, as if nobody had set that */
    PLANT_DEAD_STUCK,     /* what waits for a dead letter waits on when that was purged, dropped or moved */
    PLANT_RUN_KEPT,       /* when one of a run fails, those behind it are left where they are */
    /* Of groups whose keys take turns. */
    PLANT_FAIR_STARVE, /* the key with most in a row goes first as long as it has any */
    PLANT_FAIR_FORGET, /* after a restart, keys that come to wait are not known to */
    /* Of breakers (plant_breaker.c). */
    PLANT_BREAKER_CHARGES,   /* failures are charged while it is open or half open */
    PLANT_BREAKER_PARDONS,   /* those of its ramp are not */
    PLANT_BREAKER_FLOODS,    /* it lets out as many as there is credit for */
    PLANT_BREAKER_STUCK,     /* no pause ends */
    PLANT_BREAKER_FORGOTTEN, /* it is kept in memory only */
    PLANT_BREAKER_POISON,    /* one message that fails again and again takes many places */
    /* Of deadlines. */
    PLANT_LATE_DEADLINE, /* they count half a second too late */
    PLANT_CHARGED_LATE,  /* who has no time left for a message is charged */
    PLANT_KEPT_DEADLINE, /* a redrive drops none */
    /* Of what is found damaged. */
    PLANT_UNTOLD_DAMAGE, /* no command says so */
    /* Of time-outs of requests. */
    PLANT_LATE_BEGIN, /* one whose caller has given up is begun all the same */
    /* Of the journal (plant_journal.c); each run then has one. */
    PLANT_JOURNAL_EARLY_REPLY, /* answers go out before the record is flushed */
    PLANT_JOURNAL_ROUND_EARLY, /* records are written over before the store behind has them */
    PLANT_JOURNAL_AWAY_EARLY,  /* … and before it has the messages that they keep */
    PLANT_JOURNAL_SKIP_LAST,   /* the start reads all records but the last */
    PLANT_JOURNAL_DROP_FROZEN, /* a frozen generation goes before the store behind has it */
    PLANT_JOURNAL_OLD_ROUND,   /* a record of an earlier round is taken for a new one */
    PLANT_JOURNAL_BAD_MIDDLE,  /* a record that is not whole is taken for the end, whatever is behind it */
    PLANTS
};

struct sim;
struct journal_file_ops;

static inline bool plant_is_of_rules(enum plant plant)
{
    return plant >= PLANT_VOLATILE_RULE && plant <= PLANT_MOVED_TWICE;
}

static inline bool plant_is_of_turns(enum plant plant)
{
    return plant == PLANT_FAIR_STARVE || plant == PLANT_FAIR_FORGET;
}

static inline bool plant_is_of_breakers(enum plant plant)
{
    return plant >= PLANT_BREAKER_CHARGES && plant <= PLANT_BREAKER_POISON;
}

static inline bool plant_is_of_order(enum plant plant)
{
    return plant >= PLANT_ORDER_TWO && plant <= PLANT_RUN_KEPT;
}

static inline bool plant_is_of_dead(enum plant plant)
{
    return plant == PLANT_DEAD_FORGOTTEN || plant == PLANT_DEAD_STUCK;
}

/* By its name; PLANTS if there is none such. */
enum plant plant_find(const char *name);
const char *plant_name(enum plant plant);
/* A run begins: its bug is in all that the broker does from here on. */
void plant_begin(const struct sim *s);
bool plant_is(enum plant plant);
/* What a journal's file does, with the bug in it. */
const struct journal_file_ops *plant_file(const struct journal_file_ops *ops);
/* After a crash: leave the disk as that bug would have left it. */
void plant_crash(struct sim *s);

#endif
