/* index: a history in the orders that judging needs. Private to the judge. */
#ifndef SHUNT_TESTS_HISTORY_INDEX_H
#define SHUNT_TESTS_HISTORY_INDEX_H

#include "tests/history/history.h"

/* A question and its answer (NULL: there was none, so it is unknown). */
struct asked {
    const struct history_event *ask, *answer;
};

/* One delivery as it was received, and how it ended. */
struct delivered {
    const struct history_event *e;
    bool started;                           /* a mark may have gone out, or the client sends none */
    bool acked, rejected, nacked, released; /* confirmed */
    bool maybe_acked;                       /* asked, no answer */
    bool maybe_charged;                     /* asked to nack or reject, and not refused */
    bool maybe_rejected;                    /* asked to reject, and not refused */
    bool extended;                          /* asked to, and not refused */
    bool asked_end;                         /* any question that may have ended it */
    unsigned kept;        /* so often it was asked for again, with a handler at work on it */
    unsigned ends;        /* confirmed answers that end a delivery */
    int64_t effective_us; /* when the latest question with a confirmed answer was asked; 0: none */
    int64_t asked_end_us; /* the first question that may have ended it */
    int64_t refused_us;   /* when the latest question that was refused as stale was asked; 0: none */
};

struct index {
    struct history *h;
    struct history_verdict *verdict;
    struct asked *publishes; /* by topic, place, op; those without a place last */
    size_t publishes_count;
    struct asked *bodies;         /* the same by body */
    struct delivered *deliveries; /* by topic, group, seq, generation, deliveries, time */
    size_t deliveries_count;
    const struct history_event *
        *sorted[HISTORY_KINDS]; /* of some kinds: by topic, group, seq or client, time */
    size_t counts[HISTORY_KINDS];
    bool unmarked_clients; /* some send no marks */
};

void index_make(struct index *x, struct history *h, struct history_verdict *verdict);
void index_done(struct index *x);

/* The publish whose confirmed place that is, or that has this body; NULL: none. */
const struct asked *index_at(const struct index *x, uint32_t topic, uint64_t seq);
const struct asked *index_body(const struct index *x, uint64_t body);
/* Whether there is an event of that kind for (topic, group, seq); a seq of 0 matches any. */
bool index_has(const struct index *x, enum history_kind kind, uint32_t topic, uint32_t group, uint64_t seq);
/* Whether the group has a breaker: a nack may not be charged. */
bool index_spares(const struct index *x, uint32_t topic, uint32_t group);
/* Whether the client may have lost what it held between two times, or the broker was restarted. */
bool index_lost_between(const struct index *x, uint32_t client, int64_t from_us, int64_t to_us);
/* The deliveries of one message: the first, and how many. */
const struct delivered *index_deliveries(const struct index *x, uint32_t topic, uint32_t group, uint64_t seq,
                                         size_t *ret_count);

/* Something is wrong. */
void index_problem(struct index *x, const struct history_event *e, const char *what);
bool index_is_dlq(const struct index *x, uint32_t topic);

/* The parts of judging. */
void judge_messages(struct index *x);
void judge_order(struct index *x);
void judge_end(struct index *x);

#endif
