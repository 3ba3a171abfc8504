/* words: outcomes of attempts and reasons of dead letters, as stored, counted and sent. Numbers are stored: never reuse. */
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
    ATTEMPT_OUTCOMES
};

enum dead_reason {
    DEAD_REJECTED = 0,
    DEAD_MAX_ATTEMPTS = 1,
    DEAD_TTL_EXPIRED = 2,
    DEAD_CORRUPT = 3,
    DEAD_PREDECESSOR_DEAD = 4,
    DEAD_OPERATOR = 5,
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

#define ATTEMPT_OUTCOME_NAMES                                                                                            \
    {                                                                                                                    \
        "nacked", "rejected", "released", "lease_expired", "unstarted", "disconnected", "suspected", "broker_restart",   \
            "ttl_expired"                                                                                                \
    }
#define DEAD_REASON_NAMES                                                                                                \
    {                                                                                                                    \
        "rejected", "max_attempts", "ttl_expired", "corrupt", "predecessor_dead", "operator"                             \
    }
#define CAUSE_STATE_NAMES                                                                                                \
    {                                                                                                                    \
        "new", "seen", "muted", "resolved", "regressed"                                                                  \
    }

#endif
