/* sim: one run. A real engine on a disk that can fail, and clients on pipes that can break, in one thread and
 * in virtual time, everything by one seed.
 *
 *   script ── clients ── pipes ── server (reader, inbox, engine, outbox) ── disk
 *                 │                       │                                  │
 *              history                  model                             record
 *
 * A run goes in rounds: clients act, some bytes move, the engine turns, time passes, and now and then
 * something goes wrong. After each of the engine's turns everything is looked at (audit.c). At the end faults
 * stop, everything is drained, and the history is judged.
 */
#ifndef SHUNT_TESTS_SIM_SIM_H
#define SHUNT_TESTS_SIM_SIM_H

#include "proto/mpack.h"
#include "tests/history/history.h"
#include "tests/sim/dice.h"
#include "tests/sim/disk.h"
#include "tests/sim/plant.h"

#include <setjmp.h>

#define CLIENTS_MAX 12
#define CONNS_MAX   256 /* in one run */
#define GROUPS_MAX  7   /* one client can read them all */

struct engine;
struct link;
struct model;
struct server;
struct sim;

/* ---- pipes (pipe.c) ---- */

struct pipe {
    struct mpack_buffer bytes;
    size_t read;
    int64_t stalled_until_us;
};

size_t pipe_size(const struct pipe *p);
void pipe_put(struct pipe *p, const void *bytes, size_t size);
const uint8_t *pipe_peek(const struct pipe *p);
void pipe_take(struct pipe *p, size_t size);
void pipe_done(struct pipe *p);

/* ---- clients ---- */

struct client;
struct conn;

/* What a scripted client does; each gets the world's time from the sim. */
struct client_ops {
    /* Do something, if the dice say so. */
    void (*act)(struct client *c);
    /* Bytes have come. */
    void (*received)(struct client *c, const void *bytes, size_t size);
    /* The connection is gone. */
    void (*broken)(struct client *c);
    /* True when nothing is left that only this client can bring to an end. */
    bool (*idle)(const struct client *c);
    void (*free)(struct client *c);
};

/* Every client begins with this. */
struct client {
    const struct client_ops *ops;
    struct sim *sim;
    struct conn *conn; /* NULL: offline */
    int64_t connect_at_us;
    unsigned number;
};

struct client *raw_client_new(struct sim *s, unsigned number);
struct client *core_client_new(struct sim *s, unsigned number);
struct client *operator_new(struct sim *s, unsigned number);

/* ---- topics and groups that the script has made ---- */

struct place {
    char topic[64], group[32];
    bool confirmed; /* its creation was answered */
    bool asked;     /* its creation is under way */
    bool deleted;   /* its end was asked for … */
    bool gone;      /* … and answered */
    bool paused;    /* asked for, and no end of it answered */
    bool from_now;
    uint32_t topic_name, group_name; /* in the history */
};

/* ---- the world ---- */

struct plan {
    unsigned rounds, clients, topics;
    unsigned break_percent;   /* a connection breaks in a round */
    unsigned crash_percent;   /* the broker is killed in a round, of 1000 */
    unsigned fault_percent;   /* a disk fault is armed in a round, of 1000 */
    unsigned stall_percent;   /* a pipe stalls */
    unsigned jump_percent;    /* the wall clock jumps, of 1000 */
    unsigned damage_percent;  /* a stored message is damaged, of 1000 */
    unsigned hostile_percent; /* a raw client sends garbage, of 1000 */
    unsigned end_percent;     /* a client sends nothing more and reads on, of 1000 */
    unsigned deaf_percent;    /* a client reads nothing for a while, of 1000 */
    unsigned fragment_max;    /* bytes that move at once */
    uint64_t unsent_bytes_max;
    uint64_t unsent_total_max; /* of all connections together */
    uint64_t full_bytes;       /* of the map, from which publishing is refused; 0: never */
    bool look_at_all;          /* after each turn, not now and then */
    bool dlq_consumers, ttl, admin, rules;
    bool journal;        /* one stands before the store */
    bool ordered;        /* groups are ordered by key, … */
    unsigned on_dead;    /* … and a dead letter does that to its key */
    unsigned follow_max; /* how many follow one */
    bool fair;           /* keys take turns */
    unsigned key_run;    /* how many of a key are out at once */
    bool within;         /* some requests have time-outs, and the engine lets them lie now and then */
    bool breaker;        /* groups have one, of these settings: */
    int64_t breaker_window, breaker_threshold, breaker_pause_ms;
    int64_t lease_ms, backoff_ms, resume_wait_ms;
    unsigned max_attempts;
};

/* A client that works through what is left at the end has credit for so many messages; others have less. */
#define SIM_CREDIT_MAX 50

struct sim_figures {
    uint64_t rounds, turns, crashes, commit_faults, deaths, breaks, stalls, jumps, damages, hostile,
        full_turns;
    uint64_t published, refused_full;
    uint64_t kept;              /* deliveries that a client went on with after a lost connection */
    uint64_t deaf;              /* clients that read nothing for long */
    uint64_t bound, room_told;  /* the total of unsent bytes stopped all hand-out; let it go on */
    uint64_t queued;            /* turns that left requests for later ones */
    uint64_t thinned, pokes;    /* closed to make room; turns that nothing asked for */
    uint64_t ends, ends_inside; /* of a client's sending side; inside a frame */
    uint64_t walks, stale, suspects, ends_holding, ends_asked; /* of the model */
    uint64_t muted, discarded, brought_back, moved;            /* letters, by rules */
    uint64_t opened, probed, ramped, ramped_up;                /* breakers */
    uint64_t expired, in_time; /* requests with a time-out: refused for it, and done */
};

struct sim {
    uint64_t seed;
    struct dice dice;
    struct plan plan;
    enum plant plant;
    int64_t mono_us, wall_us_ahead; /* wall = mono + ahead */
    struct disk disk;
    struct server *server;
    struct model *model; /* NULL: switched off */
    bool no_model;
    struct history history;
    struct conn *conns[CONNS_MAX];
    unsigned conns_count;
    struct client *clients[CLIENTS_MAX];
    unsigned clients_count;
    struct place places[GROUPS_MAX];
    unsigned places_count;
    uint64_t op_next;
    uint64_t body_next;
    bool draining;
    bool verbose;
    struct sim_figures figures;
    uint64_t trace; /* hash over everything that happened */
    jmp_buf failed;
    char why[4096]; /* of the failure */
};

/* How to run it: `calm`: nothing goes wrong; `no_model`: only the audit and the history judge. */
struct sim_how {
    bool calm, no_model;
};
/* Run one seed. True if nothing was wrong; otherwise `why` says what was. */
bool sim_run(struct sim *s, uint64_t seed, enum plant plant, const struct sim_how *how, FILE *history_to);
void sim_done(struct sim *s);

/* The run is over: something is wrong. */
_Noreturn void sim_fail(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Into the hash of the trace. */
void sim_trace(struct sim *s, const void *bytes, size_t size);
void sim_trace_number(struct sim *s, uint64_t number);
int64_t sim_wall_us(const struct sim *s);
/* An event at the present time. */
struct history_event *sim_event(struct sim *s, enum history_kind kind);
/* A digest of a message as published and as delivered. */
uint64_t sim_digest(const void *bytes, size_t size);
/* The same of a message, without what changes when it is moved to another topic: its delay, and where it came from. */
uint64_t sim_message_digest(struct slice message);
uint64_t sim_key_digest(struct slice message); /* 0: it has none */
/* A confirmed, undeleted place by the dice; NULL: there is none. */
struct place *sim_place(struct sim *s);
/* A body. No two are alike: the history knows a message by its body. Returns the size. */
#define SIM_BODY_BYTES_MAX 20000
#define SIM_KEYS           4 /* that messages have */
size_t sim_body(struct sim *s, uint8_t *body);
/* A message by the dice, as the array of PROTOCOL.md, appended to `to`; ret_ttl: it has a time to live. */
void sim_message(struct sim *s, struct mpack_buffer *to, bool *ret_ttl);

/* ---- connections (server.c) ---- */

/* NULL: the server is down, or there are too many. */
struct conn *conn_open(struct sim *s, struct client *owner);
uint32_t conn_number(const struct conn *c);
struct pipe *conn_to_server(struct conn *c);
/* The client closes, or the network breaks it: what is on its way may still arrive at the server. */
void conn_break(struct conn *c);
/* The client sends nothing more, and reads on to the end. */
void conn_end_sending(struct conn *c);
bool conn_is_ended(const struct conn *c);
/* No bytes are on their way. */
bool conn_is_quiet(const struct conn *c);
/* When the broker sent the bytes that `taken` bytes from the beginning of the connection belong to (us). */
int64_t conn_sent_us(const struct conn *c, uint64_t offset);
/* Where the bytes that were sent together with those at `offset` end. */
uint64_t conn_sent_end(const struct conn *c, uint64_t offset);

/* ---- the server (server.c) ---- */

bool server_start(struct sim *s); /* false: it died on the way */
void server_kill(struct sim *s);
void server_free(struct sim *s);
bool server_is_up(const struct sim *s);
/* Move bytes, by the dice, and turn the engine if there is a reason to. */
void server_round(struct sim *s);
/* When the engine wants to be called without anything coming in. */
int64_t server_due_us(const struct sim *s);
bool server_damage(struct sim *s);
/* What `shuntd --check` would say of the disk; fails the run if something is wrong. Only while nothing is
 * open. */
void server_check(struct sim *s);
/* Nothing ready, in flight or delayed in any group, and no job running. */
bool server_is_drained(struct sim *s);
uint64_t server_jobs_begun(const struct sim *s);  /* ever: the highest number of a job */
uint64_t server_paused_job(const struct sim *s);  /* a job that waits to be resumed; 0: none */
uint64_t server_waiting_job(const struct sim *s); /* a redrive that waits for outcomes; 0: none */
/* Something waits in the group, and dead letters hold keys. */
bool server_is_blocked(const struct sim *s, const char *topic, const char *group);
/* Dead letters and counts, as events. */
void server_report(struct sim *s);
/* A turn waits for company: its transaction is open, and nothing else can begin one. */
bool server_turn_is_open(const struct sim *s);

/* ---- audit.c ---- */

/* Walk everything; fails the run if something is wrong. */
void audit(struct sim *s, struct engine *e);

#endif
