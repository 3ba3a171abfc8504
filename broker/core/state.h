/* state: the ledger's own structures, shared by the files that apply commands and no others.
 *
 * Files, each needing only those before it: sums, account and results (services), cost, catalog (topics and groups in memory), message, damage
 * (damage.h), history, due, order and order_dead (order.h), breaker (breaker.h), place (where a message is, and its moves), window, dedup, cause (what
 * dead letters died of), past (what is kept of messages that have ended), rule (rule.h), settle (the end of a message, and of a dead letter), dead
 * (divert, redrive), order_change, order_park, handout, publish, move (dead letters to other topics), resolve, recover, job (job.h), admin, identity
 * (identity_keep.h), audit, tick; ledger (load, apply, seal) is on top, beside views, which change nothing.
 * Each function returns 0, or a failure of the store, which is fatal; refusals are results.
 */
#ifndef SHUNT_CORE_STATE_H
#define SHUNT_CORE_STATE_H

#include "broker/core/bitmap.h"
#include "broker/core/cost.h"
#include "broker/core/damage.h"
#include "broker/core/deadline_heap.h"
#include "broker/core/fault_memo.h"
#include "broker/core/key_table.h"
#include "broker/core/ledger.h"
#include "broker/core/results.h"
#include "broker/core/view.h"

#define NEVER INT64_MAX

/* What ticks do for groups: before the time that a queue has for a group there is nothing to do. */
enum group_queue {
    QUEUE_DUE,       /* a row of its due table becomes ready */
    QUEUE_RETENTION, /* the retention of a dead letter of it runs out */
    QUEUE_TRIAGE,    /* its marks of unattended letters can move */
    QUEUE_PAST,      /* the history of a message that has ended is forgotten */
    QUEUE_RULED,     /* a rule acts on a dead letter of it */
    QUEUE_BREAKER,   /* a pause of its breaker is over */
    GROUP_QUEUES
};

#define JOBS_FINISHED_KEPT 100

struct topic {
    struct topic_record r;
    bool dirty;
    struct topic *dirty_next;
    struct group **groups; /* in order of id; dropped ones are not here */
    size_t groups_count;
    struct group *dropped; /* those of it that a job clears away, the youngest first */
    uint64_t charged;      /* the batch in which its record was counted as written */
    uint64_t charged_seq;  /* of the message that was counted as deleted last in that batch */
};

struct group {
    struct group_record r;
    bool dirty;
    struct group *dirty_next;
    struct bitmap bits;
    struct topic *topic;
    struct group *dropped_next; /* in the topic's list of those */
    struct topic *dlq;          /* NULL in a DLQ's own groups */
    struct group *origin;       /* in a DLQ's groups: whose dead letters these are */
    bool stale; /* it has changed since it was added up, and is in the ledger's list of those */
    struct group *stale_next;
    struct sums summed;    /* what it adds to the ledger's sums */
    struct cause **causes; /* of its dead letters, in order of fingerprint */
    size_t causes_count, causes_capacity, rules_count;
    struct rule **rules;     /* on its dead letters, in order of number */
    struct key_table *keys;  /* of what is out, if it is ordered by key or fair; else NULL (order.h) */
    struct breaker *breaker; /* NULL: it never had to do (breaker.h) */
    bool watched;            /* it is to be told what happens to messages */
    bool queued;             /* it has a … */
    uint32_t slot;           /* … in the ledger's queues */
    uint64_t charged;        /* the batch in which its record was counted as written */
    uint64_t told_ready;     /* the round of results in which it was told that something became ready */
    uint64_t charged_chunk;  /* of the bitmap: the one that was counted last in that batch */
};

struct message_view;

struct ledger {
    struct meta_record meta;
    uint64_t rows;           /* looked at: ledger_rows() */
    struct cost_meter meter; /* of what the batch writes */
    bool changed; /* something was written; set with what is dirty, and by the few who write nothing else */

    struct topic **topics; /* in order of id */
    size_t topics_count, topics_capacity;
    struct topic **names; /* those not dropped, in order of name */
    size_t names_count, names_capacity;
    size_t names_dlq;      /* how many of them are DLQs */
    struct group **groups; /* in order of id */
    size_t groups_count, groups_capacity;

    struct topic *dirty_topics; /* to be written by the next seal */
    struct group *dirty_groups;
    struct cause *dirty_causes;
    struct rule *dirty_rules;
    struct breaker *dirty_breakers;
    struct fault_memo faults;
    size_t causes_count;   /* of all groups */
    size_t causes_shared;  /* of them CAUSE_OTHERS: each is of a group that has more than may be kept */
    size_t causes_unknown; /* groups with letters that are counted by none */
    size_t rules_count;    /* of all groups */

    struct job **jobs; /* running ones, by slot */
    size_t jobs_count, jobs_capacity;
    size_t jobs_rated;     /* how many of them have a rate */
    struct job **jobs_due; /* scratch for a tick */
    size_t jobs_due_capacity;
    struct job **kept; /* in order of id: all that run, and those that are over and kept */
    size_t kept_count, kept_capacity;
    struct job *dirty_jobs;
    struct job *redriving;          /* the redrive whose step this is */
    struct rule *ruling;            /* the rule that acts on a letter */
    struct slice moved_to;          /* the name of the copy of the letter that is being moved */
    struct deadline_heap jobs_when; /* by slot: when it is due, wall ms */

    struct user **users; /* in order of name */
    size_t users_count, users_capacity;
    struct role **roles; /* in order of name; the built-in one is not among them */
    size_t roles_count, roles_capacity;
    size_t tokens_count;      /* of all users */
    int64_t tokens_expire_ms; /* no token that a tick has left expires before this; NEVER: none does */
    uint64_t identities;      /* ledger_identities() */

    struct sums sums; /* but for those that are stale */
    struct group *stale_groups;

    struct group **slots; /* all groups, in any order */
    size_t slots_count, slots_capacity;
    struct group **taken; /* scratch for a tick */
    size_t taken_capacity;
    struct deadline_heap queues[GROUP_QUEUES]; /* by slot */
    int64_t expiry_at_ms;                      /* nothing expires before this */
    /* Until then no tick comes for what waits for room. One that comes all the same looks: memory must decide nothing. */
    int64_t expiry_retry_ms, ruled_retry_ms;
    int64_t audit_oldest_ms; /* of the audit log's oldest row, if it has any */

    uint8_t *record;             /* RECORD_BYTES_MAX of scratch */
    struct mpack_buffer scratch; /* a dead letter's map on its way out */

    /* The batch being applied. */
    struct store_txn *txn;
    int64_t now_ms;
    size_t command, applied, entries; /* the one being applied; ledger_applied() */
    uint64_t batch;                   /* its index */
    struct batch_room room;
    uint64_t publish_max; /* of room.publish_bytes */
    uint64_t meter_max;   /* of room.bytes */
    bool out_of_room;     /* the command was not applied, or not all of it */
    struct damages damage;
    struct results results; /* of it, or of the last one */
};

/* ---- catalog ---- */

struct topic *catalog_topic_by_id(const struct ledger *l, uint32_t id);
/* Of the first topic with this id or a greater one; all of them: there is none. */
size_t catalog_topic_position(const struct ledger *l, uint32_t id);
struct group *catalog_group_by_id(const struct ledger *l, uint32_t id); /* dropped ones too */
/* A group that commands may use: not dropped; otherwise NULL. */
struct group *catalog_live_group(const struct ledger *l, uint32_t id);
/* The first that is no DLQ, in order of name, whose name is greater (an empty one: the first); NULL: none. */
struct topic *catalog_topic_after(const struct ledger *l, struct slice name);
/* Make it, in memory and dirty. NULL without memory. */
struct topic *catalog_add_topic(struct ledger *l, struct slice name, uint32_t origin_group);
struct group *catalog_add_group(struct ledger *l, struct topic *t, struct slice name);
/* Take the name away and keep the rest for the job that clears it. */
void catalog_drop_topic(struct ledger *l, struct topic *t);
void catalog_drop_group(struct ledger *l, struct group *g);
/* Delete the row and free it. */
int catalog_remove_topic(struct ledger *l, struct topic *t);
int catalog_remove_group(struct ledger *l, struct group *g);
int catalog_load(struct ledger *l, char *ret_why, size_t why_bytes);
int catalog_flush(struct ledger *l);
void catalog_free(struct ledger *l);
struct group *catalog_find_group(const struct topic *t, struct slice name); /* NULL: none */

int64_t group_setting(const struct group *g, enum policy_field field);
int64_t topic_setting(const struct topic *t, enum policy_field field);
bool group_is_ordered(const struct group *g); /* by key */
/* It has dead letters that will leave when they have been kept long enough. */
bool group_retains(const struct group *g);

/* ---- place ---- */

enum where {
    WHERE_GONE,    /* done, or never its business */
    WHERE_FRESH,   /* ready, never handed out: at or after `next` */
    WHERE_FLIGHT,  /* in flight for the first time */
    WHERE_TRACKED, /* has a row in attempt */
};

/* Where a message is for a group; if TRACKED, its row. */
int place_find(struct ledger *l, const struct group *g, uint64_t seq, enum where *ret,
               struct attempt_record *ret_row);
/* Take it out of the state it is in: counters, due row; sets its bit. `row` only for TRACKED. */
int place_leave(struct ledger *l, struct group *g, uint64_t seq, enum where where,
                const struct attempt_record *row);
/* Put it into a state. Each writes the attempt row. `due_ms` <= the group's mark means ready. */
int place_wait(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row, int64_t due_ms);
int place_hold(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row);
int place_dead(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
               uint64_t dead_seq);

/* Write the row anew of a message that stays where it is. */
int place_write(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row);

/* True if the group still has business with the message. */
int place_needs(struct ledger *l, const struct group *g, uint64_t seq, bool *ret);
/* The row that a message gets when it becomes TRACKED; `where` is FRESH or FLIGHT. */
int place_track(struct ledger *l, const struct group *g, uint64_t seq, enum where where,
                struct attempt_record *ret);
/* Rows of the expiry table; deleting one that is not there is no failure. */
int expiry_put(struct ledger *l, struct group *g, uint64_t seq, int64_t expires_ms);
int expiry_delete(struct ledger *l, struct group *g, uint64_t seq, int64_t expires_ms);

/* ---- window ---- */

/* Numbers from `floor` to `next`; past that, old first flights get rows. Far more than consumers that go on
 * leave between the oldest message that they hold and the newest. */
#define WINDOW_MAX (256ull * CHUNK_BITS)
/* Make it shorter if it is too long, before so many messages are handed out. */
int window_shorten(struct ledger *l, struct group *g, uint32_t messages);

/* ---- messages ---- */

struct loaded_message {
    struct message_head head;
    struct slice message; /* lives until the next write to its table */
    size_t bytes;         /* of the message, also if it is corrupt, unless the row is missing: then 0 */
    bool corrupt;         /* the row is missing or damaged: no message, head zero */
    /* In a DLQ: */
    bool is_dead;
    struct dead_record dead;
    int64_t ttl_ms; /* that it was published with; 0: none */
};

/* Parse a row of a topic; all but what it is in a DLQ. */
static inline void message_take(struct slice key, struct slice value, bool verify, struct loaded_message *ret)
{
    ret->corrupt = message_decode(key, value, verify, &ret->head, &ret->message) != 0;
    ret->bytes = ret->message.size;
    if (ret->corrupt) {
        ret->head = (struct message_head){0};
        ret->message = (struct slice){0};
    }
}
/* The same, verified: it is damaged, too, if that is stored of it; and if it is found so only now, that is noted (damage.h). */
static inline int message_verify(struct ledger *l, struct slice key, struct slice row,
                                 struct loaded_message *ret)
{
    message_take(key, row, true, ret);
    return ret->corrupt || l->damage.any ? damage_look(l, key, ret) : 0;
}
/* Load a message of a topic or, through its reference, of a DLQ. `verify` the checksum. */
int message_load(struct ledger *l, const struct topic *t, uint64_t seq, bool verify,
                 struct loaded_message *ret);

/* Delete a message's row and its account in the topic. */
int message_delete(struct ledger *l, struct topic *t, uint64_t seq);
/* What its row takes of the topic: 0 if it is lost. */
int message_bytes(struct ledger *l, const struct topic *t, uint64_t seq, uint64_t *ret);

/* ---- settle ---- */

/* The end: deletes its rows, or keeps its history; counts it, and deletes the message when no group needs it any
 * more. `row` NULL: it never had one. `known`: what the caller knows of its end, to be kept with that history: the
 * consumer that acked it, or its death; NULL: nothing. */
int place_done(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
               enum done_how how, const struct ended_record *known);
/* From whatever state to done; revokes a lease. */
int place_forget(struct ledger *l, struct group *g, uint64_t seq, enum done_how how);
/* The last group of a DLQ is through with a dead letter. */
int dead_settle(struct ledger *l, struct topic *dlq, uint64_t dead_seq, enum done_how how);

/* ---- dead ---- */

/* Divert: the message (already left its state) becomes a dead letter. In a DLQ's own group it is only
 * delayed. `last`: the attempt that it died of, as history_add() got it; NULL: history_last() knows. */
int dead_divert(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                enum dead_reason reason, const struct history_record *last);
/* Write the row of a letter anew, which had `bytes` bytes; `to` is scratch. */
#define DEAD_ROW_BYTES_MAX 64
int dead_rewrite(struct ledger *l, struct topic *dlq, uint64_t dead_seq, size_t bytes,
                 const struct dead_record *dead, uint8_t to[DEAD_ROW_BYTES_MAX]);
/* Remove a dead letter from its DLQ: back to its group (DONE_REDRIVEN) or to done. False in *ret_found if it
 * is not there. */
int dead_remove(struct ledger *l, struct topic *dlq, uint64_t dead_seq, enum done_how how, bool *ret_found);
/* After loading: count the bytes of the dead letters of those groups whose rows do not say. */
int dead_count_old(struct ledger *l);
/* What falls due with dead letters does so at whole seconds, so that one tick takes many, and none earlier or
 * later for a restart. */
static inline int64_t whole_second(int64_t ms)
{
    return (ms + 999) / 1000 * 1000;
}
/* When the retention of a dead letter of the group runs out; NEVER without one. */
int64_t dead_leaves_at(const struct group *g, int64_t died_ms);
/* Find the dead letter that `id` names: `dlq:TOPIC:GROUP/SEQ`, `TOPIC/SEQ` of the origin, or a number. 0:
 * none. */
int dead_lookup(struct ledger *l, const struct group *g, struct slice id, uint64_t *ret_dead_seq);

/* ---- dedup ---- */

/* What is remembered of the command's producer, and the answer that its number got before.
 * fails: NOT_FOUND (never answered: to be published), DEDUP_WINDOW (too far back to tell), CORRUPT, IO. */
int dedup_look(struct ledger *l, const struct publish_command *c, struct dedup_record *ret,
               struct dedup_answer *ret_answer);
/* Keep the answer to the number that dedup_look() did not find, and forget what need not be kept any more. */
int dedup_remember(struct ledger *l, const struct publish_command *c, struct dedup_record *r,
                   const struct dedup_answer *answer);
/* Forget producers that have been silent for longer than the window. */
int dedup_sweep(struct ledger *l);
int64_t dedup_sweep_at(const struct ledger *l);
/* The broker was away, for a time that no clock may tell: it does not count against the producers. */
void dedup_came_back(struct ledger *l);

/* ---- the rest ---- */

/* A time to live passed before delivery: to the DLQ or away, by policy. `row` only for TRACKED. */
int expire_message(struct ledger *l, struct group *g, uint64_t seq, enum where where,
                   struct attempt_record *row);
int apply_publish(struct ledger *l, const struct publish_command *c);
/* Store `m`, which lies outside the store, as if somebody had published it now; if the batch has room for `more` bytes of pages
 * behind it. *ret_refusal, with nothing changed: TOPIC_FULL, NO_SPACE, UNAVAILABLE (the next batch has more room). */
int publish_one(struct ledger *l, struct topic *t, const struct message_view *m, uint64_t more,
                int *ret_refusal, uint64_t *ret_seq);

/* ---- move ---- */

/* Why letters of the group cannot be moved to that topic (NULL: there is none of the name), or 0. */
int move_refused(const struct group *g, const struct topic *to, const char **ret_why);
/* Send a dead letter to another topic: it becomes a new message there, with all that it was published with (its deadline only if that is to be kept), at once,
 * and ends here as DONE_MOVED. *ret_refusal, with nothing changed: as move_refused() and publish_one() say; NOT_FOUND; CORRUPT. */
int dead_move(struct ledger *l, struct topic *dlq, uint64_t dead_seq, struct slice to, bool keep_deadline,
              int *ret_refusal);
int apply_assign(struct ledger *l, const struct assign_command *c);
int apply_take_up(struct ledger *l, const struct take_up_command *c);
int apply_corrupt(struct ledger *l, const struct corrupt_command *c);
int apply_resolve(struct ledger *l, const struct resolve_command *c);
int apply_tick(struct ledger *l);
int apply_recover(struct ledger *l, const struct recover_command *c);
int apply_topic_create(struct ledger *l, const struct topic_command *c);
int apply_topic_update(struct ledger *l, const struct topic_command *c);
int apply_topic_delete(struct ledger *l, const struct topic_command *c);
int apply_topic_purge(struct ledger *l, const struct purge_command *c);
int apply_group_create(struct ledger *l, const struct group_command *c);
int apply_group_update(struct ledger *l, const struct group_command *c);
int apply_group_delete(struct ledger *l, const struct group_command *c);
int apply_group_pause(struct ledger *l, const struct group_command *c);
int apply_dead(struct ledger *l, const struct dead_command *c, enum job_kind kind);

/* ---- audit ---- */

/* Note a command that brought its actor, and succeeded, in the audit log. */
int audit_note(struct ledger *l, const struct command *c);
int apply_refusal(struct ledger *l, const struct refusal_command *c);
int64_t audit_at(const struct ledger *l); /* when the log's oldest row is to go; NEVER: not yet */
int audit_tick(struct ledger *l);
int audit_load(struct ledger *l, char *ret_why, size_t why_bytes);

/* ---- shown ---- */

#define CLOCK_MS_MAX 253402300799999 /* the end of the year 9999 */
int apply_clock(struct ledger *l, int64_t machine_ms);

/* ---- sums ---- */

void sums_stale(struct ledger *l, struct group *g);  /* its counts may have changed */
void sums_forget(struct ledger *l, struct group *g); /* it is about to be freed */

#define LOOK_ROWS_MAX 10000 /* that a view or an operator's command may cost before it ends its page */
#define CHANGED_ROW   8 /* what a row that is changed, moved or deleted counts, against one that is looked at */
/* What a message with a delay or a time to live counts, for each group: rows at places of their own. The
 * ledger leaves out what can be seen of the request: one group, if it is the message that has them and not
 * its topic. */
#define TIMED_ROWS 16
/* A row of so many bytes was read. */
static inline void ledger_looked(struct ledger *l, size_t bytes)
{
    l->rows += 1 + bytes / 4096;
}

/* Whether so much more may be written in this batch. */
static inline bool ledger_has_room(const struct ledger *l, uint64_t bytes)
{
    return l->meter.bytes + bytes <= l->meter_max || (l->room.first && !l->meter.bytes);
}

/* The same for what a tick does: it leaves half of the room to the jobs, which may be what makes room. */
static inline bool ledger_has_half_room(const struct ledger *l, uint64_t bytes)
{
    return ledger_has_room(l, l->meter.bytes + bytes);
}

/* What is new and stays is not taken past the first mark. */
static inline bool ledger_is_full(const struct ledger *l)
{
    return l->room.fullness >= STORE_FULL;
}

/* What taking one message of the topic, or one letter of the queue, away from all its groups writes at most. */
static inline uint64_t ledger_remove_cost(const struct topic *t)
{
    return COST_END_BYTES + t->groups_count * 7 * (uint64_t)COST_PLACE_BYTES;
}

/* All that apply writes goes through these, so that it is counted. */
static inline int ledger_put(struct ledger *l, enum store_table table, struct slice key, struct slice value)
{
    cost_write(&l->meter, table, key, value.size);
    return store_put(l->txn, table, key, value);
}
/* Of a row of no more than some hundred bytes. */
static inline int ledger_del(struct ledger *l, enum store_table table, struct slice key, size_t *ret_size)
{
    cost_write(&l->meter, table, key, 128);
    return store_del(l->txn, table, key, ret_size);
}
/* The row under the cursor, which the caller has in hand. */
static inline int ledger_cursor_del(struct ledger *l, struct store_cursor *cursor, enum store_table table,
                                    struct slice key, size_t bytes)
{
    cost_write(&l->meter, table, key, bytes);
    return store_cursor_del(cursor);
}

/* ---- account ---- */

/* Copy a sentence to where the caller of ledger_new() will read it. */
void ledger_say(char *to, size_t room, const char *text);
/* Uniform in [0, bound), from the ledger's own generator. */
uint64_t ledger_random(struct ledger *l, uint64_t bound);
/* A wait: uniform in [floor_ms, bound], where bound is min(most_ms, least_ms * 2^tries); at least 1; bound if floor_ms is above it. */
int64_t ledger_back_off_ms(struct ledger *l, int64_t floor_ms, int64_t least_ms, int64_t most_ms,
                           uint32_t tries);
/* Its record changed: the next seal writes it. Counted once in a batch; a seal comes between batches. */
void ledger_charge_topic(struct ledger *l, struct topic *t);
void ledger_charge_group(struct ledger *l, struct group *g);
static inline void ledger_dirty_topic(struct ledger *l, struct topic *t)
{
    if (t->charged != l->batch)
        ledger_charge_topic(l, t);
}
static inline void ledger_dirty_group(struct ledger *l, struct group *g)
{
    if (g->charged != l->batch)
        ledger_charge_group(l, g);
}
/* Something of the group becomes due then. */
void ledger_due_at(struct ledger *l, struct group *g, int64_t due_ms);

#endif
