/* model: what must be true of the broker, by the protocol alone.
 *
 * A second account of every (group, message), in plain arrays and written without looking at how the broker
 * keeps its own. It is fed with the bytes that the server was sent and has sent, connection by connection,
 * with virtual time, and with what the simulator breaks on purpose:
 *
 *   bytes in ──► model_read ──► requests that wait for their answer ─┐
 *   bytes out ─► model_answer, model_deliver ◄───────────────────────┘──► model_cell: the state of a message
 *                                                                            │
 *   ledger, after every turn ─────────────────────────────► model_walk ◄─────┘
 *
 * A cell is one message of one group. What it may be now is a set: one state where everything was told,
 * several where something was not (a connection lost with requests on the way, a commit that failed, the page
 * of a purge). A walk after each turn finds the one that the ledger has; if it is not in the set, the run
 * fails. So is the run failed by an answer or a delivery that no member of the set allows.
 *
 * Within a turn: first what time brings (leases, delays, times to live, jobs), then requests, then lost
 * connections, then deliveries. This order is the protocol's: nobody gets a message before the requests of
 * the turn have had their effect.
 */
#ifndef SHUNT_TESTS_SIM_MODEL_H
#define SHUNT_TESTS_SIM_MODEL_H

#include "proto/words.h"
#include "tests/sim/model_breaker.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In one turn it is found that a lease is over, in the next one that its holder has not answered; a question
 * about an earlier lease may come before that. */
#define MODEL_OVER_TURNS  3
#define MODEL_GROUPS_MAX  16 /* with their DLQs, in one run */
#define MODEL_CONNS_MAX   257
#define MODEL_SUBS_MAX    64
#define MODEL_STATES_MAX  48 /* that one cell may be in */
#define MODEL_RULES_MAX   6  /* of one group (operator.c) */
#define MODEL_RULINGS_MAX 24

#define MODEL_SPREAD_MS_MAX 500  /* of a redrive (operator.c) */
#define MODEL_DELAY_MS_MAX  2000 /* that publishers ask for (script.c) */

/* Not known: a message whose publish was never answered may have any. */
#define MODEL_UNKNOWN_TIME (-1)

struct engine;
struct sim;

enum model_state { MODEL_READY, MODEL_FLIGHT, MODEL_DELAYED, MODEL_DEAD, MODEL_DONE };

/* How a cell came to its end; several where it is not known. */
enum {
    MODEL_ACKED = 1,
    MODEL_DISCARDED = 2,
    MODEL_PURGED = 4,
    MODEL_REDRIVEN = 8, /* in a DLQ; elsewhere: a rule has moved it to another topic */
};
#define MODEL_WAYS 4

/* Expired messages. */
enum { MODEL_KEEP = 1, MODEL_DISCARD = 2 };

struct model_is {
    uint8_t state, how;
    bool suspect;
    uint32_t attempts, deliveries, generation;
    uint64_t token;         /* of the latest delivery: all there ever were */
    int64_t due_lo, due_hi; /* DELAYED, and DEAD with a rule: wall ms, between */
    int64_t expires, left;  /* wall ms, 0 never; DEAD: what was left of its time to live */
    int64_t deadline;       /* that is in force: wall ms, 0: none; DEAD: that was */
    int64_t ttl_ends;       /* with a deadline: when its time to live is over, 0 never */
    uint32_t ruled;         /* how often rules have brought it back since a person did */
    unsigned rule;          /* DEAD: the setting of the rule that will act on it; 0: none will */
    uint8_t reason;         /* DEAD */
    bool muted;             /* DEAD */
    uint8_t judged;         /* what its breaker made of its failure in this turn */
};

/* A rule on dead letters, as somebody has set it. */
struct model_rule {
    uint32_t number;
    unsigned setting; /* a number that no other setting of any rule has */
    bool disabled;
    unsigned action;
    int reason; /* of the letters that it is about; -1: any */
    uint32_t times;
    int64_t wait, wait_max;
    char to[64];
};

/* A group's rules, in order, as they may be in force. */
struct model_ruling {
    unsigned count;
    struct model_rule rules[MODEL_RULES_MAX];
};

struct model_cell {
    bool mine; /* the group has business with it */
    struct model_is now;
    unsigned set; /* place + 1 in model.sets; 0: `now` is all */
    /* FLIGHT: */
    uint32_t conn;
    uint64_t sub;
    int64_t ends_lo, ends_hi; /* of the lease: mono ms, between */
    unsigned over;            /* turns that ended after that, and that had handled all that its holder sent */
    enum model_mark started;
    uint64_t bytes, order;  /* order: of its delivery */
    bool counts;            /* its breaker knows that it is out: it was not taken up */
    int64_t out_lo, out_hi; /* when it was handed out: mono ms, between */
    int64_t lease;
    enum model_mark charged; /* if its lease ends in this turn */
    enum model_mark begun;   /* as its connection ended: it was started */
    uint64_t link;           /* of a dead one: its number in the DLQ; in a DLQ: that of its origin */
};

struct model_set {
    unsigned count;
    struct model_is is[MODEL_STATES_MAX];
};

/* A message as its topic knows it. */
struct model_message {
    bool claimed; /* an answer says who published it */
    bool damaged;
    uint64_t producer, sequence;
    int64_t due, expires, ttl; /* MODEL_UNKNOWN_TIME for what is not claimed, as of those that follow */
    int64_t deadline, ttl_ends;
    uint64_t key;    /* a digest of it; 0: none, or not known */
    bool copy;       /* a rule put it here */
    unsigned copies; /* that there are of it in other topics; between these, as far as cells tell: */
    unsigned moved_lo, moved_hi;
};

enum model_exists { MODEL_NO, MODEL_MAYBE, MODEL_YES, MODEL_GONE };

/* Others, with messages out, were handed out so often while this key had none out and waited. */
struct model_passed {
    uint64_t key;
    unsigned count; /* 0: this place is free */
};
#define MODEL_PASSED_MAX 8

struct model_group {
    char topic[160], name[40];
    unsigned exists; /* enum model_exists */
    bool fresh;      /* not yet walked: what it begins with is not known */
    bool is_dlq;
    unsigned other;    /* the DLQ's place, or its origin's */
    unsigned messages; /* place of the messages of its topic: the first of the topic's groups */
    bool paused, paused_maybe;
    bool ordered;    /* by key, … */
    int64_t on_dead; /* … what a dead one does to its key, … */
    int64_t run;     /* … and how many of one may be out; 0: as if it were 1 */
    bool fair;       /* its keys take turns; what was passed over of those: */
    struct model_passed passed[MODEL_PASSED_MAX];
    bool purging, purging_dead, redriving; /* a job may be at work */
    /* Which rules may have been in force in this turn; from `rulings_now` on: which may be now. */
    struct model_ruling rulings[MODEL_RULINGS_MAX];
    unsigned rulings_count, rulings_now;
    bool ruled;                        /* it has, or had, rules; so has that of a DLQ */
    int64_t spread;                    /* over which it brings messages back, at most */
    bool keeps;                        /* it may have been asked to keep deadlines */
    uint32_t attempts_lo, attempts_hi; /* max_attempts, between */
    uint32_t attempts_next; /* from the next turn on: in this one, requests may have come before the change */
    struct model_breaker breaker;
    bool ended_now;
    bool closed; /* somebody was told that it is gone */
    int64_t lease, backoff_min, backoff_max;
    unsigned when_expired;    /* MODEL_KEEP, MODEL_DISCARD; both where it is not known */
    struct model_cell *cells; /* by sequence number */
    size_t cells_count, cells_capacity;
    struct model_message *list; /* by sequence number; only in the topic's first group */
    size_t list_count, list_capacity;
    size_t walked;                                     /* messages that the ledger had at the last walk */
    uint64_t unclaimed;                                /* publishes without an answer, since the last walk */
    uint64_t done_lo[MODEL_WAYS], done_hi[MODEL_WAYS]; /* how many ended in each way, between */
    uint64_t published;
};

/* One request that came in whole, and whether it waits for an answer. */
struct model_frame {
    unsigned op;
    uint64_t id;
    int64_t came;    /* mono ms */
    int64_t timeout; /* ms that its caller waits; -1: for ever */
    uint8_t *bytes;  /* its fields */
    size_t size;
};

struct model_sub {
    uint64_t id;
    unsigned group;
    bool stands;
    uint64_t messages, bytes; /* credit */
};

struct model_conn {
    bool marks, closing;
    bool came;               /* frames, since the last turn */
    int64_t heard;           /* mono ms of the last turn that may have handled some */
    bool silent;             /* a lease ended, and nothing has come since */
    enum model_mark charged; /* and one that ended so was */
    bool closed;             /* lost: it was the server that closed it, for want of room */
    bool admin;              /* asks for what changes groups */
    bool lost, gone;         /* lost: the server was told; gone: and has dealt with it */
    bool ended;              /* the server was told that nothing more comes */
    bool ended_asked;        /* … and had not answered all then */
    uint64_t producer;
    struct model_frame *frames;
    size_t frames_first, frames_count, frames_capacity;
    struct model_sub subs[MODEL_SUBS_MAX];
    unsigned subs_count;
    uint8_t *out; /* what the server sent in this turn */
    size_t out_size, out_capacity;
};

struct model_place {
    unsigned group;
    uint64_t seq;
};

struct model_figures {
    uint64_t cells;                    /* that there were */
    uint64_t stale;                    /* answers that were refused as such */
    uint64_t suspects;                 /* handed out */
    uint64_t taken_up;                 /* after a lost connection */
    uint64_t ends_holding, ends_asked; /* of a client's sending side, with messages or requests under way */
    uint64_t walks;
    uint64_t ruled[RULE_ACTIONS];               /* what rules have done in the groups that there are */
    uint64_t opened, probed, ramped, ramped_up; /* breakers; ramped_up: closed by acks */
    uint64_t expired, in_time;                  /* requests with a time-out */
};

struct model {
    struct sim *sim;
    int64_t wall, mono;         /* of this turn, ms */
    int64_t began;              /* mono: when its first step was made */
    int64_t left;               /* mono ms: when what it says left, after its commit */
    bool turned;                /* since the broker's last start */
    bool admin_lost;            /* a request that changes groups will not be answered */
    unsigned steps;             /* of this turn: it may wait for company */
    bool dying;                 /* this turn's outcome is unknown */
    bool starting;              /* it is down, or tries to start, for the first time at `down_wall` */
    int64_t down_wall, up_wall; /* wall ms; up_wall: when the last start recovered */
    struct model_group groups[MODEL_GROUPS_MAX];
    unsigned groups_count;
    struct model_conn *conns; /* by number */
    uint32_t conns_count;
    uint64_t deliveries;
    struct model_place *live; /* cells that are not done */
    size_t live_count, live_capacity;
    struct model_set *sets; /* of this turn */
    unsigned sets_count, sets_capacity;
    uint64_t *settings; /* of rules, from 1 on: the ledger's id; 0: not known yet */
    size_t settings_count, settings_capacity;
    struct model_figures figures;
};

/* ---- what the simulator tells it (model.c) ---- */

void model_begin(struct sim *s);
void model_done(struct sim *s);
/* Whole frames reach the server; the connection's end reaches it. */
void model_came(struct sim *s, uint32_t conn, const void *frames, size_t size);
void model_lost(struct sim *s, uint32_t conn, bool closed);
/* What it sent is over: once all of it is answered, it is judged as if it were lost, and closed. */
void model_ended(struct sim *s, uint32_t conn);
/* The server sends, in the turn that is being made. */
void model_sent(struct sim *s, uint32_t conn, const void *bytes, size_t size);
void model_damaged(struct sim *s, const char *topic, uint64_t seq);
/* A turn begins, or goes on, at these times; it ended well, or nobody knows how. */
void model_turn(struct sim *s, int64_t wall_ms, int64_t mono_ms);
void model_turned(struct sim *s, struct engine *e, bool all);
void model_died(struct sim *s);
/* The broker is down, is about to be up again, and is. */
void model_restart(struct sim *s);
void model_starting(struct sim *s);
void model_started(struct sim *s, struct engine *e);
/* The end: all that can be done is done. */
void model_end(struct sim *s, struct engine *e);

/* ---- between the model's files ---- */

struct mpack_reader;
struct slice;

_Noreturn void model_fail(struct model *m, const struct model_group *g, uint64_t seq, const char *what);

/* model.c */
void *model_grow(void *array, size_t *capacity, size_t wanted, size_t each);
struct model_conn *model_conn(struct model *m, uint32_t number);
struct model_sub *model_sub(struct model_conn *c, uint64_t id);
/* NULL: none such. */
struct model_group *model_group(struct model *m, struct slice topic, struct slice name);
struct model_group *model_group_add(struct model *m, struct slice topic, struct slice name);

/* model_cell.c: what a cell may be */
struct model_cell *model_cell(struct model *m, struct model_group *g, uint64_t seq);     /* NULL: none */
struct model_cell *model_cell_add(struct model *m, struct model_group *g, uint64_t seq); /* to be filled in */
/* The broker is up: now it is known when what was in flight becomes ready. */
void model_waits(struct model *m, struct model_group *g, uint64_t seq);
/* A dead one is back: attempts from 0, a new generation. */
void model_revive(const struct model *m, struct model_is *is, const struct model_message *message);
/* It is a message that nobody has told of: what a publish, a divert or a new group may have made. */
void model_newborn(struct model *m, struct model_group *g, struct model_cell *c);

/* model_set.c: the set of its states */
const struct model_is *model_states(const struct model *m, const struct model_cell *c, unsigned *ret_count);
bool model_may_be(const struct model *m, const struct model_cell *c, enum model_state state);
bool model_must_be(const struct model *m, const struct model_cell *c, enum model_state state);
/* In flight with this token, in some state that it may be in. */
bool model_holds(const struct model *m, const struct model_cell *c, uint64_t token);
/* It may be this as well. */
void model_also(struct model *m, struct model_cell *c, const struct model_is *is);
/* It is one of those that `keep` says. Returns how many are left. */
typedef bool model_keep_fn(const struct model_is *is, const void *context);
unsigned model_only(struct model *m, struct model_cell *c, model_keep_fn *keep, const void *context);
/* Into the set, unless it is there. */
void model_put(struct model *m, struct model_set *to, const struct model_is *is);
/* It is one of those that are in this set, unless that is empty. Returns how many they are. */
unsigned model_settle(struct model *m, struct model_cell *c, const struct model_set *s);

/* What may happen to a cell. */
enum model_event {
    EVENT_ACKED,
    EVENT_NACKED,
    EVENT_REJECTED,
    EVENT_RECALLED,  /* one of its key before it, which was out with it, failed */
    EVENT_RELEASED,  /* and unstarted: back at once, uncharged */
    EVENT_RESTARTED, /* back, uncharged, when those who held it have had their time to come back */
    EVENT_LEASE_OVER,
    EVENT_DISCONNECTED,
    EVENT_SUSPECTED,
    EVENT_LATE,   /* its deadline leaves no time for it, says its holder */
    EVENT_CLOSED, /* the server closed the only one that was started, for want of room */
    EVENT_DUE,
    EVENT_TTL,
    EVENT_CORRUPT,
    EVENT_FOLLOWED, /* one of its key before it is dead, and it follows it */
    EVENT_WORN_OUT, /* max_attempts was lowered below what it has failed */
    EVENT_PURGED,
    EVENT_DEAD_PURGED,
    EVENT_REDRIVEN,
    EVENT_SETTLED, /* acked in its DLQ */
    EVENT_RULED,   /* a rule acts on it, or finds that it will not */
    EVENT_DELIVERED,
    EVENT_TAKEN_UP, /* by a consumer that has it from an earlier connection */
};
/* `sure`: it has happened to each state that it can happen to; otherwise both are possible. `delay`: of a
 * nack, or -1. False: it cannot happen to any. */
bool model_event(struct model *m, struct model_group *g, struct model_cell *c, enum model_event event,
                 int64_t delay, bool sure);

/* An answer: the event, and in a DLQ what happens to the origin. */
bool model_resolve(struct model *m, struct model_group *g, struct model_cell *c, enum model_event event,
                   int64_t delay, bool sure);

/* model_read.c: requests */
void model_read(struct model *m, struct model_conn *c, const void *frames, size_t size);
void model_frame_drop(struct model_conn *c);
struct model_entry {
    uint64_t seq, token, outcome;
    int64_t delay;
};
bool model_read_entry(struct mpack_reader *r, struct model_entry *ret);
/* A request that was not answered: it may have had its effect. */
void model_maybe(struct model *m, uint32_t number, const struct model_frame *f);
void model_marks(struct model *m, uint32_t number, const struct model_frame *f, enum model_mark mark);
struct model_group *model_named(struct model *m, struct mpack_reader *r);

/* model_answer.c, model_admin.c, model_publish.c: answers */
void model_answers(struct model *m, uint32_t number);
/* Requests that get no answer where they succeed: marks, and those with the number 0. */
bool model_is_silent(const struct model_frame *f);
void model_silent(struct model *m, uint32_t number, bool sure); /* those that stand first */
void model_admin(struct model *m, const struct model_frame *f, int err);
bool model_is_admin(unsigned op);
void model_published(struct model *m, struct model_conn *c, const struct model_frame *f,
                     struct mpack_reader *reply);
void model_published_maybe(struct model *m, const struct model_frame *f);
struct model_message *model_message(struct model *m, struct model_group *g, uint64_t seq);
void model_message_add(struct model *m, struct model_group *g, uint64_t seq);

/* model_rules.c */
void model_rule_changed(struct model *m, struct model_group *g, unsigned op, struct mpack_reader *r,
                        bool sure);
/* Of those that may be in force now it is this one. */
void model_rules_settle(struct model_group *g, unsigned ruling);
/* Whether the ledger's id (0: none) may be that of the setting. */
bool model_is_setting(const struct model *m, unsigned setting, uint64_t id);
/* It dies: with what any rules that may be in force decide. */
void model_die(struct model *m, const struct model_group *g, struct model_set *to, struct model_is is,
               enum dead_reason reason);
/* What a rule makes of a dead one whose time has come. False: it cannot have. */
bool model_rule_acts(struct model *m, const struct model_group *g, struct model_set *to, struct model_is is,
                     const struct model_message *message);
void model_rules(struct model *m);

/* model_ruled.c: of the rules that may be in force, those that the ledger has; what a message is a copy of, as it says itself
 * (NULL: of nothing, or it is gone already); and each letter that went to another topic is there once, for each group whose
 * letter it was: what was purged or deleted at once was not seen. */
struct group;
struct store_txn;
void model_find_rules(struct model *m, struct model_group *g, const struct group *found);
struct model_message *model_copied(struct model *m, struct store_txn *txn, const struct group *g,
                                   uint64_t seq);
void model_compare_copies(struct model *m);

/* model_keep.c: what SUBSCRIBE takes up again; `reply` NULL: nobody was told whether it has */
void model_taken_up(struct model *m, uint32_t number, struct model_group *g, uint64_t sub, int64_t came,
                    struct mpack_reader *asked, struct mpack_reader *reply);

/* model_order.c: in a group that is ordered by key it is the turn of this one. */
void model_check_turn(struct model *m, struct model_group *g, uint64_t seq, uint32_t conn, uint64_t sub);
/* That one was out and has come to rest: those of its run behind it are taken back. */
void model_recall(struct model *m, struct model_group *g, uint64_t seq, bool sure);
/* One before it is out, perhaps of its run. */
bool model_may_be_recalled(struct model *m, struct model_group *g, uint64_t seq);
/* It may be dead by now because an earlier one of its key is. */
bool model_may_follow(struct model *m, struct model_group *g, uint64_t seq);

/* model_fair.c: in a group whose keys take turns, it passed no key over that has nothing out, or not often. */
void model_check_fair(struct model *m, struct model_group *g, uint64_t seq);

/* model_breaker.c: this has happened to a message, or may have. */
void model_breaker_told(struct model *m, struct model_group *g, const struct model_cell *c,
                        enum model_event event);

/* model_deliver.c */
void model_deliveries(struct model *m, uint32_t number);

/* All that was given to the engine has been handled, as far as this connection goes. */
bool model_is_handled(const struct sim *s, uint32_t number);

/* model_time.c: what comes about without a request */
void model_pass_time(struct model *m);
void model_end_leases(struct model *m); /* after the requests of the turn */
void model_conn_ends(struct model *m, uint32_t number, bool sure);
void model_give_back(struct model *m, uint32_t number, uint64_t sub, bool sure); /* sub 0: all */
/* The oldest delivery of a subscription without marks was answered: the next one's lease begins again. */
void model_next_begins(struct model *m, uint32_t number, uint64_t sub, int64_t came, bool sure);
enum model_mark model_is_oldest(struct model *m, const struct model_cell *c); /* of its subscription */
void model_heard(struct model *m, uint32_t number, bool handled);
void model_jobs(struct model *m);
void model_handouts(struct model *m); /* what a hand-out finds unfit */

/* model_walk.c */
void model_walk(struct model *m, struct engine *e, bool all);

#endif
