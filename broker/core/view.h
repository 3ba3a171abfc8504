/* view: the ledger's state as the maps of PROTOCOL.md, for answers and deliveries. Reads only. */
#ifndef SHUNT_CORE_VIEW_H
#define SHUNT_CORE_VIEW_H

#include "broker/core/ledger.h"
#include "broker/core/schema.h"

struct loaded_message;

/* How many members a group has, which only the dispatcher knows. */
typedef uint64_t view_members_fn(void *context, uint32_t group);

/* The consumer that holds a message in flight, which the dispatcher knows too. The texts are lent until the next turn. */
struct view_holder {
    uint64_t connection;                      /* its number */
    const char *client, *host, *build, *peer; /* the peer's address */
    int64_t leased_ms, started_ms, until_ms;  /* started 0: its handler has not begun */
    bool silent;
};
/* False: nobody that it knows. */
typedef bool view_holder_fn(void *context, uint32_t group, uint64_t seq, struct view_holder *ret);

/* Whether the one who looks may see what is of the topic; `dead`: of its dead letters. Topic empty: what is of none, or of all. */
typedef bool view_sees_fn(const void *viewer, struct slice topic, bool dead);

struct view {
    struct ledger *ledger;
    struct store_txn *txn; /* any that sees what was applied */
    view_members_fn *members;
    view_holder_fn *holder;
    void *context;      /* of both */
    view_sees_fn *sees; /* NULL: everything */
    const void *viewer;
};

static inline bool view_sees(const struct view *v, struct slice topic, bool dead)
{
    return !v->sees || v->sees(v->viewer, topic, dead);
}

/* Each appends one msgpack value to `to`. fails: IO, CORRUPT, NO_MEMORY, and what is named. */
int view_topic(const struct view *v, struct topic *t, struct mpack_buffer *to);
int view_group(const struct view *v, struct group *g, struct mpack_buffer *to);
/* `[topic_info, …], more` : two values. Those that may be seen. */
int view_topics(const struct view *v, struct slice after, uint32_t limit, struct mpack_buffer *to);
int view_groups(const struct view *v, struct topic *t, struct mpack_buffer *to);
/* `[glance, …], more, next`: the groups of the topics behind `after` that may be seen, in the order of the topics' names. A page holds
 * whole topics, and ends before the next one when it has `limit` groups. */
int view_overview(const struct view *v, struct slice after, uint32_t limit, struct mpack_buffer *to);
/* `[peeked, …], more, next`. fails: BAD_ARGUMENT for a DLQ */
int view_peek(const struct view *v, struct group *g, uint64_t after, uint32_t limit, bool bodies,
              struct mpack_buffer *to);
/* The messages of the group that are in flight, each with its holder, in order of number: `[held, …], more, next`. */
int view_holders(const struct view *v, struct group *g, uint64_t after, uint32_t limit,
                 struct mpack_buffer *to);
/* The keys that dead letters hold, those first behind which most messages wait, at most `limit`: a `keys` map. No more than
 * BLOCKED_ROWS_MAX rows are looked at. */
int view_blocked_keys(const struct view *v, struct group *g, uint32_t limit, struct mpack_buffer *to);
/* `[dead, …], more, next`. `filter` NULL: all. */
int view_dead_list(const struct view *v, struct group *g, uint64_t after, uint32_t limit,
                   const struct letter_filter *filter, struct mpack_buffer *to);
/* Where a message is for each group of its topic (`only` NULL), or for one, how it came there, and what comes next. `t` may be a
 * DLQ: then it is the message that the letter stands for, in the group that failed. fails: NOT_FOUND (no such letter) */
int view_why(const struct view *v, struct topic *t, uint64_t seq, struct group *only,
             struct mpack_buffer *to);
/* `[cause, …]`, the most pressing first. */
int view_causes(const struct view *v, struct group *g, struct mpack_buffer *to);
/* fails: NOT_FOUND */
int view_cause(const struct view *v, struct group *g, uint64_t fingerprint, struct mpack_buffer *to);
/* `original`: with the body that it was published with. fails: NOT_FOUND */
int view_dead(const struct view *v, struct group *g, struct slice id, bool original, struct mpack_buffer *to);
/* Complete an edit of a letter with what its message has beside the body; `rest` lives until the next write. fails: NOT_FOUND,
 * BAD_ARGUMENT (a DLQ's own group); CORRUPT if the message is damaged, too */
int view_edited(const struct view *v, struct group *g, struct edit_command *c);
/* Which acts are listed: those that are as all that is given says. Times as they are shown. */
struct act_filter {
    int64_t since_ms, until_ms; /* then or later; before then. 0: any */
    struct slice topic;         /* empty: any */
    uint32_t request;           /* 0: any; AUDIT_REFUSED: what was refused */
};
/* What the act that such a request asks for is called. Static storage. */
typedef const char *view_act_fn(uint32_t request);
/* Whether it is about dead letters. */
typedef bool view_act_dead_fn(uint32_t request);
/* `[act, …], more, next`, from the one after `after` on: those that may be seen. */
int view_audit(const struct view *v, uint64_t after, uint32_t limit, const struct act_filter *filter,
               view_act_fn *act, view_act_dead_fn *dead, struct mpack_buffer *to);
/* The highest number of a producer's that was answered and is not forgotten, 0 if there is none. */
int view_producer(const struct view *v, struct slice producer, struct mpack_buffer *to);
/* `[rule, …]`, in order of number. */
int view_rules(const struct view *v, struct group *g, struct mpack_buffer *to);
/* `[match, …], more, next`: of so many letters in the DLQ, from the one after `after` on, those that a rule with the number
 * (0: behind the last) and the filter would match, by cause. `filter` NULL: that of the rule which has the number. fails:
 * NOT_FOUND */
int view_rule_test(const struct view *v, struct group *g, uint32_t number, const struct letter_filter *filter,
                   uint64_t after, uint32_t limit, struct mpack_buffer *to);
/* `[user, …], more`, in order of name, from the one behind `after` on; `only` not empty: that one. fails: NOT_FOUND */
int view_users(const struct view *v, struct slice after, uint32_t limit, struct slice only,
               struct mpack_buffer *to);
/* `[role, …], more`, as users; the built-in one is among them. */
int view_roles(const struct view *v, struct slice after, uint32_t limit, struct mpack_buffer *to);
/* `[token, …], more, next`, in order of number; `only` not empty: of that user. fails: NOT_FOUND (no such user) */
int view_tokens(const struct view *v, uint64_t after, uint32_t limit, struct slice only,
                struct mpack_buffer *to);
struct user;
/* A `who` map. `u` NULL: somebody who may do everything. `token` 0: none; `expires_ms` of it, by the store's time. */
int view_who(const struct view *v, const char *how, const struct user *u, uint64_t token, int64_t expires_ms,
             struct mpack_buffer *to);
/* fails: NOT_FOUND */
int view_job(const struct view *v, uint64_t job, struct mpack_buffer *to);
/* `[job, …], more`: those that run and the finished ones that are kept, in order of id, from after one on. */
int view_jobs(const struct view *v, uint64_t after, uint32_t limit, struct mpack_buffer *to);

/* The `dead` map that goes with what the group, one of a DLQ, is handed, before anything else is done to the letter; with
 * `history`, all that view_dead() tells but the body. fails: CORRUPT, IO */
int view_delivered_dead(const struct view *v, uint32_t group, const struct handout *h, bool history,
                        struct mpack_buffer *to);

/* Numbers of one group, for metrics. */
struct group_numbers {
    const char *topic, *group;
    const struct group_counts *counts;
    int64_t oldest_ready_ms, oldest_dead_ms, oldest_unattended_ms; /* 0: none */
    uint64_t blocked_keys;                                         /* that dead letters hold… */
    int64_t oldest_blocked_ms; /* … and when the one died that has for longest; 0: none */
    bool paused;
    enum breaker_state breaker;
    uint64_t breaker_trips;
    int64_t dlq_retention_ms; /* 0: dead letters are kept for ever */
    int64_t next_expiry_ms;   /* when it drops the oldest one; 0: it drops none */
    int64_t dlq_slo_ms;       /* 0: none */
    uint64_t causes[CAUSE_STATES];
    uint32_t id, topic_id;
};
/* What they are now. What cannot be read is left out; reading it for a consumer will say why. Counts in ledger_rows(). */
void view_group_numbers(const struct view *v, struct group *g, struct group_numbers *ret);
/* Walk the groups of all topics that are no DLQ, topic by topic in order of id: begin with a zeroed cursor;
 * false after the last. Commands may be applied in between: what is there all the while is met once. Each
 * step counts in ledger_rows(). */
struct groups_cursor {
    uint32_t topic, group; /* ids: the next topic, or the one whose groups up to this were met */
};
bool view_next_group(const struct view *v, struct groups_cursor *cursor, struct group_numbers *ret);
uint64_t view_jobs_count(const struct ledger *l);   /* running */
uint64_t view_topics_count(const struct ledger *l); /* DLQs not counted */
uint64_t view_causes_count(const struct ledger *l); /* of dead letters, of all groups */
/* Groups whose letters have died of more than may be kept: the rest shares one cause. */
uint64_t view_causes_shared(const struct ledger *l);
/* Sums of the counts that STATS shows over all groups that are no DLQ's. Costs by the groups that changed
 * since the last time. */
struct sums {
    uint64_t groups;
    uint64_t conservation_error; /* published minus the sum of the states, DLQs' included: 0 unless there is a
                                    bug */
    uint64_t published, ready, in_flight, delayed, dead, unattended, acked, deliveries;
    uint64_t breakers_open; /* groups whose breaker is not closed */
};
const struct sums *view_sums(struct ledger *l);
/* The same of what may be seen, without the conservation error: `dead` and `unattended` of topics whose dead letters may. Costs by all
 * topics, each of which counts in ledger_rows(). */
struct seen_sums {
    struct sums sums;
    uint64_t topics, causes;
};
void view_sums_seen(const struct view *v, struct seen_sums *ret);
uint64_t group_conservation_error(const struct group_counts *n);

#endif
