/* history: what clients of a broker asked, were told and received, event by event, and whether it can be
 * true.
 *
 * Any rig writes one: the simulator into memory, others as JSON lines (docs/reliability.md has the format;
 * history_json.c reads and writes it). history_judge.c knows no broker, only its promises.
 */
#ifndef SHUNT_TESTS_HISTORY_HISTORY_H
#define SHUNT_TESTS_HISTORY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Row: name, and the fields that its line must have. */
enum history_kind {
    HISTORY_CLIENT, /* a connection stands: client, marks */
    HISTORY_LOST,   /* a connection ended, or may have: client */
    HISTORY_GROUP, /* a group exists from here on: topic, group, max_attempts (the least it ever has); ordered, if it is by key
                          from the beginning; holds, if a dead one holds its key; runs, if several of one may be out; spares,
                          if it has a breaker, so that failures may not be charged */
    HISTORY_PUBLISH,   /* asked: op, topic, body; ttl if the message has a time to live; key if it has one */
    HISTORY_PUBLISHED, /* answered: op, seq */
    HISTORY_REFUSED,   /* answered with an error: op */
    HISTORY_DELIVER,   /* received: client, topic, group, seq, token, attempts, deliveries, generation, body;
                          lease_ms and sent_us, and sent_by_us */
    HISTORY_STARTED,   /* a mark may have gone out: client, topic, group, seq, token */
    HISTORY_KEEP, /* may be asked to be taken up again, as started: client (the new one), topic, group, seq,
                     token */
    HISTORY_RESOLVE,  /* asked: op, client, topic, group, seq, token, outcome */
    HISTORY_RESOLVED, /* answered: op, result */
    HISTORY_REDRIVE,  /* asked: topic, group */
    HISTORY_REMOVE,   /* asked for something that takes messages away: topic, group */
    HISTORY_MOVE,     /* asked for something that puts copies of dead letters into this topic: topic */
    HISTORY_SETTLE,   /* a dead letter was acked in its DLQ, or may have been: topic, group, seq of origin */
    HISTORY_DAMAGE,   /* a stored message was damaged on purpose: topic, seq */
    HISTORY_RESTART,  /* the broker ended, or may have */
    HISTORY_DEAD, /* found in the DLQ at the end: topic, group, seq, attempts, deliveries, generation, reason,
                     body */
    HISTORY_COUNTS, /* of a group at the end: topic, group, counts */
    HISTORY_END,    /* the rig has drained what could be drained: result */
    HISTORY_KINDS
};

enum history_outcome {
    HISTORY_ACK,
    HISTORY_NACK,
    HISTORY_REJECT,
    HISTORY_RELEASE,
    HISTORY_EXTEND,
    HISTORY_LATE
};
enum history_result { HISTORY_OK, HISTORY_STALE, HISTORY_ERROR };

enum history_count {
    COUNT_PUBLISHED,
    COUNT_READY,
    COUNT_IN_FLIGHT,
    COUNT_DELAYED,
    COUNT_DEAD,
    COUNT_ACKED,
    COUNT_EXPIRED,
    COUNT_DISCARDED,
    COUNT_PURGED,
    COUNT_REDRIVEN,
    COUNT_MOVED,
    HISTORY_COUNTERS
};

/* Reasons are those of proto/words.h. */
struct history_event {
    int64_t t_us; /* any clock that all writers share; lines are judged in its order */
    enum history_kind kind;
    uint32_t client, topic, group; /* topic and group: history_name() */
    uint32_t attempts, deliveries, generation;
    bool marks, ttl, ordered, holds, runs, spares;
    uint8_t outcome, result, reason;
    uint32_t max_attempts;
    uint64_t op; /* pairs a question with its answer */
    uint64_t seq, token;
    uint64_t body; /* a digest; 0: cannot be read */
    uint64_t key;  /* a digest; 0: none */
    int64_t lease_ms;
    int64_t sent_us; /* when the broker sent it, by the monotonic clock, or the earliest that it can have; 0:
                        unknown */
    int64_t sent_by_us; /* the latest that it can have; 0: at sent_us */
    uint64_t counts[HISTORY_COUNTERS];
};

struct history {
    struct history_event *events;
    size_t count, capacity;
    char **names;
    size_t names_count, names_capacity;
};

void history_done(struct history *h);
/* The number of a name, from 1. */
uint32_t history_name(struct history *h, const char *name);
/* The same for a name that may not be there: 0. */
uint32_t history_find_name(const struct history *h, const char *name);
const char *history_name_of(const struct history *h, uint32_t number); /* "" for 0 */
/* A new event of that kind, all else zero; lives until the next one. Ends the process without memory. */
struct history_event *history_note(struct history *h, enum history_kind kind, int64_t t_us);

/* One JSON line for each event. */
void history_write(const struct history *h, FILE *to);
/* Append the lines of a file. False: a line is not one of a history; `ret_why` says which. */
bool history_read(struct history *h, FILE *from, char *ret_why, size_t why_bytes);

struct history_verdict {
    uint64_t problems;
    /* Lines that say what is wrong, the first ones; always terminated. */
    char text[4096];
    size_t text_bytes;
    /* How much was seen. */
    uint64_t confirmed, deliveries, acked, unknown, stale, dead, redelivered, lost, restarts;
    uint64_t passed; /* messages that went from one holder to another though nobody gave them up: their leases
                        had run out */
    uint64_t in_order; /* messages that came after one of their key that was published earlier was done */
    uint64_t late;     /* deliveries that were answered when another holder had the message, in vain */
};

/* Sorts the events by time, stably, and judges them. */
void history_judge(struct history *h, struct history_verdict *ret);

#endif
