/* view: the ledger's state as the maps of PROTOCOL.md, for answers and deliveries. Reads only. */
#ifndef SHUNT_CORE_VIEW_H
#define SHUNT_CORE_VIEW_H

#include "broker/core/ledger.h"
#include "broker/core/schema.h"

struct loaded_message;

/* How many members a group has, which only the dispatcher knows. */
typedef uint64_t view_members_fn(void *context, uint32_t group);

struct view {
    struct ledger *ledger;
    struct store_txn *txn; /* any that sees what was applied */
    view_members_fn *members;
    void *members_context;
};

/* Each appends one msgpack value to `to`. fails: IO, CORRUPT, NO_MEMORY, and what is named. */
int view_topic(const struct view *v, struct topic *t, struct mpack_buffer *to);
int view_group(const struct view *v, struct group *g, struct mpack_buffer *to);
/* `[topic_info, …], more` : two values. */
int view_topics(const struct view *v, struct slice after, uint32_t limit, struct mpack_buffer *to);
int view_groups(const struct view *v, struct topic *t, struct mpack_buffer *to);
/* `[peeked, …], more, next`. fails: BAD_ARGUMENT for a DLQ */
int view_peek(const struct view *v, struct group *g, uint64_t after, uint32_t limit, bool bodies,
              struct mpack_buffer *to);
/* Which dead letters are listed: those that are as all that is given says. */
struct letter_filter {
    uint64_t cause;           /* 0: any */
    struct slice type, match; /* of the error: its type; what its message holds. Empty: any */
    const enum dead_reason *reason;
    int64_t since_ms;       /* died then or later */
    struct slice header[2]; /* a header and its value; an empty name: any */
    struct slice key;       /* empty: any */
};
/* `[dead, …], more, next`. `filter` NULL: all. */
int view_dead_list(const struct view *v, struct group *g, uint64_t after, uint32_t limit,
                   const struct letter_filter *filter, struct mpack_buffer *to);
/* `[cause, …]`, the most pressing first. */
int view_causes(const struct view *v, struct group *g, struct mpack_buffer *to);
/* fails: NOT_FOUND */
int view_cause(const struct view *v, struct group *g, uint64_t fingerprint, struct mpack_buffer *to);
/* fails: NOT_FOUND */
int view_dead(const struct view *v, struct group *g, struct slice id, struct mpack_buffer *to);
/* fails: NOT_FOUND */
int view_job(const struct view *v, uint64_t job, struct mpack_buffer *to);

/* The `dead` map that goes with what the group, one of a DLQ, is handed, before anything else is done to the letter. fails:
 * CORRUPT, IO */
int view_delivered_dead(const struct view *v, uint32_t group, const struct handout *h,
                        struct mpack_buffer *to);

/* Numbers of one group, for metrics. */
struct group_numbers {
    const char *topic, *group;
    const struct group_counts *counts;
    int64_t oldest_ready_ms, oldest_dead_ms; /* 0: none */
    bool paused;
    int64_t dlq_retention_ms; /* 0: dead letters are kept for ever */
    uint32_t id, topic_id;
};
/* Walk the groups of all topics that are no DLQ, topic by topic in order of id: begin with a zeroed cursor;
 * false after the last. Commands may be applied in between: what is there all the while is met once. Each
 * step counts in ledger_rows(). */
struct groups_cursor {
    uint32_t topic, group; /* ids: the next topic, or the one whose groups up to this were met */
};
bool view_next_group(const struct view *v, struct groups_cursor *cursor, struct group_numbers *ret);
uint64_t view_jobs_count(const struct ledger *l);   /* running */
uint64_t view_topics_count(const struct ledger *l); /* DLQs not counted */
/* Sums of the counts that STATS shows over all groups that are no DLQ's. Costs by the groups that changed
 * since the last time. */
struct sums {
    uint64_t groups;
    uint64_t conservation_error; /* published minus the sum of the states, DLQs' included: 0 unless there is a
                                    bug */
    uint64_t published, ready, in_flight, delayed, dead, acked, deliveries;
};
const struct sums *view_sums(struct ledger *l);
uint64_t group_conservation_error(const struct group_counts *n);

#endif
