/* notices: which groups' overdue dead letters are to be told to somebody outside, and when. Pure: the time and chance are
 * given to it. One for each way of telling.
 *
 * Of one group there is at most one notice, so that what comes while it waits is told together. A notice
 *
 *   waits ──told──→ rests ──its time is over──→ is forgotten
 *     │ ↑             └──more came──→ waits, until then
 *     │ └──failed──┐
 *     └────────────┴──failed NOTICE_TRIES_MAX times──→ rests
 */
#ifndef SHUNT_BROKER_NOTICES_H
#define SHUNT_BROKER_NOTICES_H

#include "proto/limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTICES_MAX      64    /* groups; those beyond share one notice */
#define NOTICE_REST_MS   10000 /* between two of one group */
#define NOTICE_TRIES_MAX 8     /* then it is given up */
#define NOTICE_BACKOFF_MS                                                                                    \
    1000 /* the longest wait after the first failure; it doubles with each further one … */
#define NOTICE_BACKOFF_MAX_MS 300000 /* … up to this */

struct notice {
    char topic[TOPIC_BYTES_MAX + 1], group[NAME_BYTES_MAX + 1]; /* empty: of further groups */
    uint64_t count;                                             /* dead letters; 0: it rests */
    uint64_t seq;                                               /* of the first message; it died … */
    int64_t died_ms;                                            /* … then */
    unsigned failures;
    int64_t due_ms; /* monotonic: when it is to be tried, or has rested */
};

struct notices {
    struct notice all[NOTICES_MAX + 1]; /* the last: further groups */
    size_t count;                       /* of the others */
};

/* More letters of the group are overdue. */
void notices_add(struct notices *n, const struct notice *more, int64_t now_ms);
/* Copy the one to be tried now; false: there is none, and *ret_due_ms (INT64_MAX: never) is when there will be. */
bool notices_due(struct notices *n, int64_t now_ms, struct notice *ret, int64_t *ret_due_ms);
/* That one was told. */
void notices_told(struct notices *n, const struct notice *tried, int64_t now_ms);
/* It was not. Returns when it is tried again; 0: it is given up. `random`: any number. */
int64_t notices_failed(struct notices *n, const struct notice *tried, uint64_t random, int64_t now_ms);
/* Dead letters that were not told. */
uint64_t notices_left(const struct notices *n);

#endif
