/* words: outcomes of attempts, reasons of dead letters, phases of jobs and rights, as stored, counted and sent. Numbers are stored: never reuse. */
#ifndef SHUNT_PROTO_WORDS_H
#define SHUNT_PROTO_WORDS_H

enum attempt_outcome {
    ATTEMPT_NACKED = 0,
    ATTEMPT_REJECTED = 1,
    ATTEMPT_RELEASED = 2,
    ATTEMPT_LEASE_EXPIRED = 3,
    ATTEMPT_UNSTARTED = 4,
    ATTEMPT_DISCONNECTED = 5,
    ATTEMPT_SUSPECTED = 6,
    ATTEMPT_BROKER_RESTART = 7,
    ATTEMPT_TTL_EXPIRED = 8,
    ATTEMPT_DEADLINE_EXCEEDED = 9,
    ATTEMPT_OUTAGE = 10,   /* it failed while the breaker of its group was open, or of what had opened it */
    ATTEMPT_RECALLED = 11, /* one of its key before it, which was out with it, failed */
    ATTEMPT_OUTCOMES
};

enum dead_reason {
    DEAD_REJECTED = 0,
    DEAD_MAX_ATTEMPTS = 1,
    DEAD_TTL_EXPIRED = 2,
    DEAD_CORRUPT = 3,
    DEAD_PREDECESSOR_DEAD = 4,
    DEAD_OPERATOR = 5,
    DEAD_DEADLINE_EXCEEDED = 6,
    DEAD_REASONS
};

/* What was done about a cause. */
enum cause_state {
    CAUSE_NEW = 0, /* nobody has looked */
    CAUSE_SEEN = 1,
    CAUSE_MUTED = 2,     /* known, and not to be told of */
    CAUSE_RESOLVED = 3,  /* it is not to happen again */
    CAUSE_REGRESSED = 4, /* it was resolved, and has happened again */
    CAUSE_STATES
};

/* Where a job is. */
enum job_phase {
    JOB_RUNNING = 0,
    JOB_PAUSED = 1,    /* by an operator, until it is resumed */
    JOB_HELD = 2,      /* a redrive: until a consumer of another build comes */
    JOB_CANARY = 3,    /* a redrive: the first few are out, and their outcomes decide */
    JOB_RAMP = 4,      /* a redrive: twice as many each time all outcomes are in */
    JOB_DONE = 5,      /* and what follows: over */
    JOB_CANCELLED = 6, /* by an operator */
    JOB_STOPPED = 7,   /* a redrive, by itself: too many failed again */
    JOB_PHASES
};

/* What became of a redriven message. */
enum redrive_outcome {
    REDRIVE_PENDING = 0,
    REDRIVE_ACKED = 1,
    REDRIVE_FAILED_SAME = 2,  /* it failed again, of the cause that it had died of */
    REDRIVE_FAILED_OTHER = 3, /* of another one */
    REDRIVE_GONE = 4,         /* purged, discarded or deleted before it had an outcome */
    REDRIVE_OUTCOMES
};

/* What a rule does with the dead letters that it matches. */
enum rule_action {
    RULE_MUTE = 0,    /* it counts as looked at */
    RULE_DISCARD = 1, /* its message is done */
    RULE_REDRIVE = 2, /* it comes back later, so many times */
    RULE_MOVE = 3,    /* it goes to another topic */
    RULE_ACTIONS
};

/* What the breaker of a group does. */
enum breaker_state {
    BREAKER_CLOSED = 0,    /* nothing */
    BREAKER_OPEN = 1,      /* nothing is handed out */
    BREAKER_HALF_OPEN = 2, /* one message is: the probe */
    BREAKER_RAMP = 3,      /* more and more are */
    BREAKER_STATES
};

/* What a user may be given on the topics of a pattern. Those that begin with DLQ_ are on their dead-letter queues, where no other
 * counts. A set of them has the bits RIGHT(NAME). */
enum right {
    RIGHT_PUBLISH = 0,
    RIGHT_CONSUME = 1,
    RIGHT_LOOK = 2,  /* list, peek, count */
    RIGHT_ADMIN = 3, /* create, change, pause, delete */
    RIGHT_DLQ_LOOK = 4,
    RIGHT_DLQ_CONSUME = 5,
    RIGHT_DLQ_REDRIVE = 6, /* bring back, edit, and what decides that: rules, the state of causes */
    RIGHT_DLQ_PURGE = 7,
    RIGHTS
};
#define RIGHT(NAME) (1u << RIGHT_##NAME)
#define RIGHTS_ALL  ((1u << RIGHTS) - 1)
#define RIGHTS_DLQ  (RIGHT(DLQ_LOOK) | RIGHT(DLQ_CONSUME) | RIGHT(DLQ_REDRIVE) | RIGHT(DLQ_PURGE))

/* What keys are weighed by. A sum of seconds in a second is a mean number: of messages that wait, or are in flight. */
enum key_measure {
    KEY_RATE,    /* of a topic: 1 for each message published */
    KEY_WAITING, /* of a group: seconds from when a message could first be handed out until it was, told then */
    KEY_IN_FLIGHT, /* seconds that it was in flight, told at its end */
    KEY_FAILURES,  /* 1 for each attempt that failed */
    KEY_MEASURES
};

#define ATTEMPT_OUTCOME_NAMES                                                                                \
    {                                                                                                        \
        "nacked", "rejected", "released", "lease_expired", "unstarted", "disconnected", "suspected",         \
            "broker_restart", "ttl_expired", "deadline_exceeded", "outage", "recalled"                       \
    }
#define DEAD_REASON_NAMES                                                                                    \
    {                                                                                                        \
        "rejected", "max_attempts", "ttl_expired", "corrupt", "predecessor_dead", "operator",                \
            "deadline_exceeded"                                                                              \
    }
#define BREAKER_STATE_NAMES                                                                                  \
    {                                                                                                        \
        "closed", "open", "half_open", "ramp"                                                                \
    }
#define KEY_MEASURE_NAMES                                                                                    \
    {                                                                                                        \
        "rate", "waiting", "in_flight", "failures"                                                           \
    }
#define CAUSE_STATE_NAMES                                                                                    \
    {                                                                                                        \
        "new", "seen", "muted", "resolved", "regressed"                                                      \
    }

#define JOB_PHASE_NAMES                                                                                      \
    {                                                                                                        \
        "running", "paused", "held", "canary", "ramp", "done", "cancelled", "stopped"                        \
    }
#define REDRIVE_OUTCOME_NAMES                                                                                \
    {                                                                                                        \
        "pending", "acked", "failed_same", "failed_other", "gone"                                            \
    }
#define RIGHT_NAMES                                                                                          \
    {                                                                                                        \
        "publish", "consume", "look", "admin", "dlq-look", "dlq-consume", "dlq-redrive", "dlq-purge"         \
    }
#define RULE_ACTION_NAMES                                                                                    \
    {                                                                                                        \
        "mute", "discard", "redrive", "move"                                                                 \
    }

#endif
