/* result: what applying a batch came to, as values. The ledger keeps them in the order in which they came about,
 * and the engine looks at them afterwards.
 */
#ifndef SHUNT_CORE_RESULT_H
#define SHUNT_CORE_RESULT_H

#include "broker/core/command.h"

struct loaded_message;

enum result_kind {
    RESULT_PUBLISHED,  /* the end of a PUBLISH */
    RESULT_HANDED_OUT, /* one message of an ASSIGN */
    RESULT_ASSIGNED,   /* the end of an ASSIGN, behind its messages */
    RESULT_TAKEN_UP,   /* one entry of a TAKE_UP is in flight again; the others are as they were */
    RESULT_REFUSED,    /* one entry of a RESOLVE had no effect */
    RESULT_DONE,       /* the end of a command about a topic, a group, dead letters, a job or the clock */
    RESULT_READY,      /* something became ready in the group */
    RESULT_REVOKED,    /* the message was in flight in the group and was taken away */
    RESULT_GROUP_GONE, /* the group was deleted, or its topic was */
    RESULT_DAMAGED, /* the message is in flight but its bytes are damaged: nobody gets it until CORRUPT is applied */
    RESULT_DIED,      /* for the log: the message became a dead letter of the group */
    RESULT_JOB_ENDED, /* for the log */
    RESULT_CAUSE,     /* for the log: a cause is new, or has regressed */
    RESULT_HELD,      /* a redrive waits from now on for a consumer of another build, which may be there */
    RESULT_OVERDUE,   /* nobody has looked at dead letters of the group that are as old as dlq-slo */
    RESULT_BREAKER,   /* for the log: the group's breaker has opened, or closed */
    RESULT_ATTENDED,  /* for the metrics: somebody looked at what nobody had looked at: a letter or a cause */
};

/* One message handed out. */
struct handout {
    uint64_t seq;
    uint64_t token;
    uint32_t attempts;   /* failed ones charged in this generation */
    uint32_t deliveries; /* in this generation, this one included */
    uint32_t generation;
    int64_t published_ms;
    int64_t lease_ms;
    int64_t remaining_ms;              /* until its deadline; 0: none is in force */
    struct slice message;              /* the publisher's bytes */
    const struct loaded_message *dead; /* from a DLQ: for view_delivered_dead(); otherwise NULL */
};

struct published_result {
    int err;
    int refusal; /* why the rest was not taken, or 0 */
    /* with err 0: these got the numbers from first_seq on; otherwise the message it is about */
    uint32_t accepted;
    uint64_t first_seq;
    const char *why; /* of err; a constant, or NULL */
    uint64_t rows;   /* ledger_rows() by then */
};

struct done_result {
    int err;
    const char *why; /* a constant, or NULL */
    uint64_t job;
    uint64_t count; /* of what the job is for */
    uint64_t rows;  /* ledger_rows() by then */
};

struct result {
    enum result_kind kind;
    uint32_t command; /* its place in the batch, of what a command asked for */
    union {
        struct published_result published;
        struct handout handed_out;
        uint32_t assigned; /* messages */
        struct {
            uint32_t entry;
            struct handout handout; /* of the message only the size: the consumer has it */
        } taken_up;
        struct {
            uint32_t entry;
            int err;
        } refused;
        struct done_result done;
        uint32_t ready; /* the group */
        struct {
            uint32_t group;
            uint64_t seq;
        } revoked;
        struct {
            uint32_t group;
            int err;                  /* UNKNOWN_TOPIC if its topic went, or UNKNOWN_GROUP */
            const char *topic, *name; /* what they were called; NULL without memory, and the batch failed */
        } group_gone;
        struct corrupt_command damaged; /* what CORRUPT is to say */
        struct {
            uint32_t group;
            enum dead_reason reason;
            uint64_t seq;
        } died;
        struct {
            const char *kind;          /* a constant */
            const char *topic, *group; /* group empty: all of the topic's */
            uint64_t job, done;
        } job_ended;
        struct {
            uint32_t group;
            enum cause_state state;
            uint64_t fingerprint, seq; /* of the message that died of it */
            const char *title;         /* NULL without memory, and the batch failed */
        } cause;
        struct {
            uint32_t group;
            uint64_t job;
        } held;
        struct {
            uint32_t group;
            uint64_t count, seq; /* of the first message; it died … */
            int64_t died_ms;     /* … then */
        } overdue;
        struct {
            uint32_t group;
            bool open;       /* it has opened, after so many … */
            uint32_t failed; /* … different messages had failed; or it has closed, and … */
            int64_t open_ms; /* … was open for so long */
        } breaker;
        int64_t attended_ms; /* how long the letter, or the first of the cause's, had been dead */
    };
};

#endif
