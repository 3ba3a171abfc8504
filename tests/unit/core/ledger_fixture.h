/* ledger_fixture: a ledger over a store in memory, driven by commands with times of the test's choosing. What
 * results say is written down line by line, each with its millisecond, and after every batch the store
 * is walked and compared with the ledger (ledger_audit.c).
 */
#ifndef SHUNT_TESTS_LEDGER_FIXTURE_H
#define SHUNT_TESTS_LEDGER_FIXTURE_H

#include "broker/core/ledger.h"
#include "broker/core/state.h"
#include "broker/core/view.h"

#include <criterion/criterion.h>

#define T0 1000000 /* the wall clock when a test's clock says 0 */

/* The latest delivery of a message to a group; the newest DELIVERIES_MAX are kept. */
#define DELIVERIES_MAX 1024
struct token {
    uint32_t group;
    uint64_t seq;
    uint64_t token;
};

struct fixture {
    struct store *store;
    struct ledger *l;
    int64_t now_ms; /* of the test's clock */
    char *trace;
    size_t trace_size;
    bool quiet;             /* nothing is written down */
    bool careless;          /* the store is not walked after each batch and start */
    struct batch_room room; /* of each batch */
    const struct actor *by; /* who asks for what fixture_run() is given */
    struct token tokens[DELIVERIES_MAX];
    size_t tokens_count;
    const struct command *applied;  /* the batch being applied */
    size_t applied_count;           /* of its commands */
    enum command_kind applied_last; /* the kind of the last command that was applied */
    struct mpack_buffer last_body;  /* of the last hand-out */
    struct mpack_buffer last_dead;  /* the map that came with it */
    int64_t last_lease_ms;

    /* What the last command was answered. */
    int err;
    const char *why;
    uint64_t job, count;
    uint64_t first_seq;
    uint32_t accepted;
    int refusal;
    uint32_t handed, assigned, stale;
    struct command damaged[64]; /* CORRUPT for what was found in the batch, which is applied behind it */
    uint32_t damaged_count;
    uint64_t handed_seqs[64]; /* the first ones handed out */
    unsigned readies;         /* calls of `ready` */
    bool changed;             /* it was committed */
    unsigned attended;        /* how often somebody looked at what nobody had looked at, ever … */
    int64_t attended_ms;      /* … and how long the last of it had been dead */
    unsigned causes; /* how often one was told to be new or to have regressed, and the last of them */
    uint64_t cause;
    enum cause_state cause_state;
    unsigned opened, closed;       /* breakers, ever */
    uint64_t held_jobs;            /* told to wait for another build */
    uint64_t overdue, overdue_seq; /* letters that were told last to be overdue, and the first of them */

    /* Called with each batch before it is applied. */
    void (*tap)(void *context, const struct batch *b);
    /* Called with what was found damaged by the batch that was tapped last, if anything was. */
    void (*told)(void *context, const struct damaged_command *found, size_t count);
    void *tap_context; /* of both */
};

/* As the engine does behind a batch. */
static inline void fixture_settle_damage(struct fixture *f, struct store_txn *t)
{
    const struct damaged_command *found;
    size_t count;
    cr_assert_eq(ledger_settle_damage(f->l, t, &found, &count), 0);
    if (f->told && count)
        f->told(f->tap_context, found, count);
}

/* With limits set: 100 topics, 10 groups, bodies of 1 MiB, a window of an hour. */
void fixture_init(struct fixture *f);
/* The same on an empty store, which the fixture takes. */
void fixture_init_on(struct fixture *f, struct store *store);
/* With a topic `t` with these settings and so many messages, of which the first `held` are in flight. */
void fixture_init_held(struct fixture *f, struct policy_change change, uint32_t published, uint32_t held);
/* If a program has it, it is told of each new fixture. */
extern void fixture_begun(struct fixture *f) __attribute__((weak));
void fixture_done(struct fixture *f);
void fixture_drop(struct fixture *f); /* the same without an audit, for a test that did damage */
/* The process ends, cleanly or not, and another opens the store; RECOVER is not sent. */
void fixture_reload(struct fixture *f);
void fixture_crash(struct fixture *f);
/* The clock goes on to that millisecond; nothing else happens. */
void fixture_at(struct fixture *f, int64_t ms);

/* Apply commands as one batch at the present time, seal, commit, audit. */
void fixture_apply(struct fixture *f, const struct command *c, size_t count);
void fixture_run(struct fixture *f, struct command c);
/* Compare what happened since the last time, line by line, and forget it. */
void fixture_expect(struct fixture *f, const char *trace);
void fixture_forget(struct fixture *f);

struct slice text(const char *s);
struct group *fixture_group(struct fixture *f, const char *topic, const char *group);
uint64_t fixture_token(const struct fixture *f, uint32_t group, uint64_t seq); /* 0: never handed out */

/* ---- commands, one batch each ---- */

/* Settings as pairs of field and value, ended by -1. */
struct policy_change settings(int field, ...);

void topic_create(struct fixture *f, const char *topic, struct policy_change change);
void topic_create_groups(struct fixture *f, const char *topic, const char *groups); /* separated by spaces */
void topic_update(struct fixture *f, const char *topic, struct policy_change change);
void topic_delete(struct fixture *f, const char *topic);
void topic_purge(struct fixture *f, const char *topic, const char *group); /* NULL: all */
void group_create(struct fixture *f, const char *topic, const char *group, bool from_now);
void group_update(struct fixture *f, const char *topic, const char *group, struct policy_change change);
void group_delete(struct fixture *f, const char *topic, const char *group);
void group_pause(struct fixture *f, const char *topic, const char *group, bool paused);

/* `count` messages with the body "m". */
void publish(struct fixture *f, const char *topic, uint32_t count);
void publish_timed(struct fixture *f, const char *topic, int64_t delay_ms, int64_t ttl_ms);
void publish_as(struct fixture *f, const char *topic, const char *producer, uint64_t sequence,
                uint64_t forget_below, uint32_t count, int refusal);
/* `c` without its messages. */
void publish_part(struct fixture *f, struct publish_command c);
/* Write one message's array. */
void write_message(struct mpack_buffer *to, const char *body, int64_t delay_ms, int64_t ttl_ms);

void assign(struct fixture *f, const char *topic, const char *group, uint32_t messages);
void assign_lane(struct fixture *f, const char *topic, const char *group, enum lane lane, uint32_t messages);
void take_up(struct fixture *f, const char *topic, const char *group, uint64_t seq, uint64_t token);
void ack(struct fixture *f, const char *topic, const char *group, uint64_t seq);
void nack(struct fixture *f, const char *topic, const char *group, uint64_t seq, int64_t delay_ms);
/* Any outcome but ack, with an error of its name. */
void fail(struct fixture *f, const char *topic, const char *group, uint64_t seq,
          enum attempt_outcome outcome);
void resolve(struct fixture *f, const char *topic, const char *group, struct resolution r);
void tick(struct fixture *f, int64_t ms); /* at that millisecond */
void tick_until_quiet(struct fixture *f); /* as long as one is due at the present time */
void recover(struct fixture *f);
void recover_waiting(struct fixture *f, int64_t wait_ms); /* for those who held what was in flight */
void redrive(struct fixture *f, const char *topic, const char *group, uint64_t count, uint32_t rate);
void redrive_ids(struct fixture *f, const char *topic, const char *group,
                 const char *ids); /* separated by spaces */
void redrive_ids_at(struct fixture *f, const char *topic, const char *group, const char *ids, uint32_t rate);
/* The letters with the numbers 2 * pair + 1 and 2 * pair + 2. */
void redrive_pair(struct fixture *f, const char *topic, const char *group, unsigned pair, uint32_t rate);
void redrive_as(struct fixture *f, const struct dead_command *c);
/* Give the dead letter that body (NULL: its own again), which somebody saw with that edit (0: as it was published). */
void edit(struct fixture *f, const char *topic, const char *group, const char *id, uint64_t seen,
          const char *body);
void build_seen(struct fixture *f, const char *topic, const char *group, const char *build);
void job_pause(struct fixture *f, uint64_t job);
void job_resume(struct fixture *f, uint64_t job);
void job_cancel(struct fixture *f, uint64_t job);
/* Fingerprint of the nth cause of the group. */
uint64_t cause_of(struct fixture *f, const char *topic, const char *group, size_t nth);
void attend(struct fixture *f, const char *topic, const char *group, uint64_t cause, const char *ids);
/* And says that it is kim's. */
void cause_update(struct fixture *f, const char *topic, const char *group, uint64_t cause,
                  enum cause_state state);
void rule_set(struct fixture *f, const struct rule_command *c);
void rule_delete(struct fixture *f, const char *topic, const char *group, uint32_t number);
void clock_set(struct fixture *f, int64_t machine_ms);
struct job_record job_of(struct fixture *f, uint64_t job); /* as it is stored */
bool job_is_over(struct fixture *f, uint64_t job);
void dlq_purge(struct fixture *f, const char *topic, const char *group, uint64_t count);
void dlq_purge_ids(struct fixture *f, const char *topic, const char *group, const char *ids);

/* ---- what is there ---- */

/* "ready", "in_flight", "delayed", "dead" or "gone", by the ledger. */
const char *state_of(struct fixture *f, const char *topic, const char *group, uint64_t seq);
/* Its attempt row; all zero if it has none. */
struct attempt_record row_of(struct fixture *f, const char *topic, const char *group, uint64_t seq);
/* One line into the trace: state, due time, attempts, deliveries, generation, totals. */
void show(struct fixture *f, const char *topic, const char *group, uint64_t seq);
/* One line of the group's counters that are not 0. */
void show_counts(struct fixture *f, const char *topic, const char *group);
uint64_t rows_in(struct fixture *f, enum store_table table);
uint64_t stored_in(struct fixture *f, const char *topic); /* message rows */
void expect_state(struct fixture *f, const char *topic, const char *group, uint64_t seq, const char *state);
/* Damage byte `at` of a message's row. */
void flip_message_byte(struct fixture *f, const char *topic, uint64_t seq, size_t at);

/* ---- audit ---- */

/* Walk the whole store: every (group, message) in exactly one state, counters and conservation by scan, no
 * row without what it belongs to, and the ledger's memory equal to what is stored. */
void ledger_audit(struct ledger *l, struct store *s);
uint64_t state_hash(struct store *s);

#endif
