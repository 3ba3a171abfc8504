/* engine_private: what the engine's files share.
 *
 *   turn.c      one turn: what came in becomes steps, they are run, messages handed out; commit, release
 *   intake.c    items of the inbox become steps
 *   request.c   the table of requests;  request_*.c  what each reads, and does at its place
 *   steps.c     the list of steps, their order, and the loop that runs them
 *   collect.c   the batch that commands become, and what came of it;  answer.c  what is answered
 *   transaction.c  what is written, in as many transactions as there is room for
 *   outbox.c    what leaves with the turn
 *   producers.c which connection speaks for a producer
 *   room.c      how full the store is, and what a transaction may write
 *   session.c   one connection: its subscriptions, its end
 *   held.c      one whose client does not read: its requests are held (flow.h)
 *   line.c      one that has used its share: its requests wait for its turn (flow.h)
 *   silence.c   one that lets leases run out and says nothing
 *   divide.c    a request that is more than a share
 *   leases.c    when leases begin and end
 *   take_up.c   one that comes back and goes on with what it holds
 *   events.c    what is told for the log
 *   deliver.c   assignments and DELIVER frames
 *   figures.c   snapshots and statistics;  walk.c  the groups of a snapshot
 *   engine.c    life cycle, port and thread;  wall_clock.c  its times
 */
#ifndef SHUNT_ENGINE_PRIVATE_H
#define SHUNT_ENGINE_PRIVATE_H

#include "base/arena.h"
#include "base/ring.h"
#include "broker/core/dispatcher.h"
#include "broker/core/ledger.h"
#include "broker/core/view.h"
#include "broker/engine/divide.h"
#include "broker/engine/engine.h"
#include "broker/engine/request.h"
#include "broker/engine/rest.h"
#include "broker/engine/room.h"
#include "broker/engine/step.h"
#include "broker/engine/walk.h"
#include "broker/engine/wall_clock.h"
#include "proto/limits.h"
#include "proto/wire.h"

#include <pthread.h>

struct seat;
struct session;

/* What STATS shows: made at most once for a state of the ledger. */
struct totals {
    bool known;     /* in this turn */
    uint64_t index; /* of the ledger when they were made */
    uint64_t memory_bytes;
    struct sums sums;
};

/* What is to be told for the log, once it is durable. */
struct event_list {
    struct event *items;
    size_t count, capacity;
    uint64_t dead_without_event; /* for which there was no room */
    bool told_full;
};

/* ---- connections ---- */

struct subscription {
    uint64_t id; /* on the connection */
    struct session *session;
    struct member *member;
    /* The DELIVER frame being written, if open. */
    bool open;
    size_t frame, array;
    uint32_t count;
};

struct session {
    struct engine *engine;
    struct session *next, *previous;
    struct link *link;
    struct holder *holder; /* NULL before HELLO and after GOODBYE */
    bool greeted;
    struct flow flow;       /* what may go on for it */
    uint64_t planned_bytes; /* while assignments are planned */
    enum flow_ask ask;      /* what the net thread is to be asked to say */
    int64_t ask_ms;         /* it is to be asked whether all was read by now; 0: it is not */
    bool has_output;        /* is in the engine's list of sessions with output */
    size_t out_counted;     /* of `out`, in the engine's out_bytes */
    struct session *output_next;
    struct mpack_buffer out;
    struct inbox_item *held, **held_tail; /* what came while it was QUEUED, BLOCKED or LEAVING */
    struct division division;
    bool silence_told;       /* it has been told of as silent, and not of as heard again */
    int64_t silence_told_ms; /* when it last was; 0: never */
    bool has_producer;
    bool superseded; /* a newer connection speaks for the producer: nothing more is published on this one */
    uint8_t producer[PRODUCER_ID_BYTES];
    char client[CLIENT_NAME_BYTES_MAX + 1], host[CLIENT_NAME_BYTES_MAX + 1], build[CLIENT_NAME_BYTES_MAX + 1];
    struct subscription **subscriptions; /* in order of id */
    size_t subscriptions_count, subscriptions_capacity;
    uint64_t subscription_next;
};

struct engine {
    struct engine_config config;
    struct store *store;
    struct ledger *ledger;
    struct dispatcher *dispatcher;
    struct wall_clock clock;
    uint64_t recovered; /* messages in flight at the start */
    bool threaded;
    pthread_t thread;

    /* The port; under `mutex`. */
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* on the monotonic clock */
    struct inbox_item *inbox, **inbox_tail;
    struct outbox_item *outbox, **outbox_tail;
    bool stopping, stopped;
    bool reload;
    struct engine_config reload_config;

    /* The engine thread's own. */
    struct inbox_item *backlog, **backlog_tail; /* taken from the inbox, not yet handled */
    struct inbox_item *handled;                 /* of this turn; its batches point into them */
    struct session *sessions;
    struct session *gone;    /* to be freed at the end of the turn */
    struct seat *seats;      /* of producers, a table of uthash */
    struct ring empty_seats; /* those whose connection has gone */
    size_t empty_seats_count;
    struct ring line;           /* of sessions that wait for their turn, by flow.line */
    struct session *publishing; /* a PUBLISH in parts */
    struct session *outputs;    /* with something to send */
    size_t out_bytes;           /* what they have, as last counted */
    struct store_txn *txn;      /* open during a turn once something needed it */
    bool urgent;                /* more than patient acks came in, or something was handed out: commit now */
    int64_t open_until_ms;      /* mono; else the turn waits for company until then; 0: no such ack came in */
    struct steps steps;
    struct arena arena; /* of one turn */
    struct assignment *assignments;
    bool ticked;                /* in this turn */
    int64_t tick_not_before_ms; /* mono: the last one had things to do, and no room for any */
    bool force_commit;
    int64_t disk_ask_ms;         /* mono: when a full disk is asked for more again */
    struct room room;            /* how full the store is, and what the transaction may write */
    bool more;                   /* to be handed out; the turn's budget was used up */
    bool packing;                /* the store is full, and has thin pages left to look at */
    int64_t wall_ms, mono_ms;    /* of this turn */
    struct share_turn turn;      /* its number, and the rows looked at for requests */
    uint64_t rows_seen;          /* ledger_rows() when the last publish of a batch was told */
    uint64_t taken_bytes;        /* of the requests handled */
    uint64_t turn_messages;      /* published, delivered, resolved */
    uint64_t turn_bytes;         /* handed out */
    uint64_t to_deliver;         /* messages: so many more may be handed out */
    uint64_t planned_bytes;      /* while assignments are planned */
    uint64_t largest_bytes;      /* of requests in one transaction */
    struct snapshot_wait *waits; /* for a snapshot, in order */
    struct group_walk walk;      /* for the one in front of them */
    uint64_t commit_us;          /* the commits of this turn took */
    int64_t clock_error_ms;      /* when it was last put right */
    struct totals totals;
    struct event_list events;
    struct rest rest;

    /* Figures. */
    uint64_t connections, subscriptions, commits;
    int64_t begun_mono_ms;
    struct histogram commit_seconds, commit_messages;
};

/* ---- turn.c ---- */

/* Take over what the inbox holds; under `mutex`. */
void turn_take_inbox(struct engine *e);
/* What came in may be committed up to so many ms later; 0: it is urgent. */
void turn_allow_wait(struct engine *e, int64_t ms);
/* One turn at these times. Returns when the next is due (mono ms) if nothing comes in before. */
int64_t engine_turn(struct engine *e, int64_t wall_ms, int64_t mono_ms);
/* Handle an item, and free it with the turn; or its connection keeps what is left of it. */
void turn_take(struct engine *e, struct inbox_item *item);
/* More requests may be taken into this turn, by their bytes. */
bool turn_has_room(const struct engine *e);
/* Apply RECOVER and LIMITS; the first thing an engine does. */
void engine_recover(struct engine *e);
/* Tell every connection that the server stops, in one last turn. */
void engine_farewell(struct engine *e);

/* ---- events.c ---- */

/* A command was applied, and answered. */
void events_act(struct engine *e, const struct step *st);
/* Whether publishes are refused has been looked at. */
void events_space(struct engine *e, const struct store_usage *usage);
/* All of it is durable: tell. */
void events_tell(struct engine *e);
void events_done(struct engine *e);
/* At the start: if the clock is off, the log says so, because times then look wrong. */
void events_clock(struct engine *e);
/* Told by the ledger. */
void events_died(struct engine *e, uint32_t group, uint64_t seq, enum dead_reason reason);
void events_job_ended(struct engine *e, const struct result *r);

/* ---- transaction.c ---- */

/* Between transactions: what the next one may write, and what the store's fullness forbids. */
void turn_look_at_room(struct engine *e);
/* The open transaction, opened if need be. */
struct store_txn *turn_txn(struct engine *e);
/* Apply commands as far as the transaction may write. Returns how many are done; at least one, or entries of a
 * RESOLVE, unless the transaction was not a new one. If not all are, turn_cut() follows. */
size_t turn_apply(struct engine *e, struct command *commands, size_t count);
/* Commit what was applied, because `next` does not fit: of a RESOLVE, the entries that were applied are taken out. */
void turn_cut(struct engine *e, struct command *next);
bool turn_pack(struct engine *e); /* between them, in a full store: one step; true: more may follow */
/* Commit what was applied; nobody is told yet. */
void turn_commit(struct engine *e);
_Noreturn void engine_die(struct engine *e, int err, const char *what);

/* ---- steps.c ---- */

/* Add a step of that kind, which is filled in by the caller; it may move with the next one. */
struct step *steps_add(struct engine *e, enum step_kind kind, struct session *s);
/* The list has no more than this; then it is run. That bounds its memory, and shows what the replies come to.
 */
size_t steps_most(const struct engine *e);
/* Run all of them, in order: apply them, and write the answers. */
void steps_run(struct engine *e);
void steps_free(struct steps *list);

/* ---- collect.c ---- */

/* Add a command to the batch; `st`: the step that it is for, NULL: nobody waits for it. */
void collect_command(struct engine *e, const struct command *c, struct step *st);
/* Where the ledger tells what comes of it. */
/* Apply the batch, and answer the steps that its commands are of. */
void collect_apply(struct engine *e);

/* ---- answer.c ---- */

/* Write what came of it: its error, or OK with the fields that it is answered with. */
void step_answer(const struct step *st);

/* ---- intake.c ---- */

/* What came in becomes steps, as far as there is room for it in this turn. */
void intake_take(struct engine *e);
/* The turn is over: free what was taken. */
void intake_free(struct engine *e);

/* ---- outbox.c ---- */

/* Hand over the output of this turn. True if there was any. */
bool outbox_fill(struct engine *e);

/* ---- leases.c ---- */

/* Leases that ended without the consumer's answer, as commands. */
struct ended {
    struct lease_end end;
    struct session *session; /* for its name: the holder may be freed by now */
};
struct ends {
    struct engine *engine;
    struct ended *items;
    size_t count, capacity;
};
void ends_note(void *context, const struct lease_end *end); /* a dispatcher_end_fn */
void ends_batch(struct ends *ends);                         /* as commands */
/* After the requests of the turn: end those that are over, and ask about those that may be. */
void leases_end(struct engine *e);
/* What the turn told leaves now. */
void leases_settle(struct engine *e);

/* ---- session.c ---- */

struct session *session_new(struct engine *e, struct link *link);
void session_lost(struct engine *e, struct session *s, bool closed);
void session_free(struct engine *e, struct session *s);
/* The connection ends in that way: judge what it holds, end its subscriptions. */
void session_leave(struct session *s, enum holder_end how);
void inbox_free(struct inbox_item *item); /* a whole list; takes NULL */
struct subscription *session_subscription(const struct session *s, uint64_t id);
void session_drop_subscription(struct session *s, struct subscription *sub);
/* The group is gone: so are its subscriptions, and their clients are told. */
void subscriptions_end(struct engine *e, const struct result *gone); /* RESULT_GROUP_GONE */

/* ---- held.c ---- */

/* The limits on what waits, and the sum that does. */
struct flow_limits engine_limits(const struct engine *e);
size_t engine_waiting(const struct engine *e);
/* What was written to its output counts from now on. */
void session_count_output(struct session *s);
/* So many bytes may still be assigned to it, beside what was planned. */
uint64_t session_room(const struct session *s);
/* What its next request has to wait for: its own bytes to be read, or others' too as its answer may be long.
 */
enum flow_ask session_must_wait(const struct session *s, const struct request *request, size_t bytes);
/* If too much waits for it: nothing more is assigned to it until the net thread says that it was read. */
void session_look_at_output(struct session *s);
void session_drained(struct session *s); /* it says so */
/* Its request waits: keep an item until session_drained() puts it in front of the backlog. Takes the item. */
void session_block(struct session *s, struct inbox_item *item, enum flow_ask ask);
/* Keep an item behind those that are held already. Takes it. */
void session_hold(struct session *s, struct inbox_item *item);
void session_release(struct session *s, struct inbox_item *item); /* it is about to be handled */
void session_forget_held(struct session *s);
/* Nothing more is taken of it, nor assigned: it is closed when its output is sent. */
void session_close(struct session *s);

/* ---- silence.c ---- */

void silence_begins(struct session *s); /* a lease of it ran out */
void silence_heard(struct session *s);  /* something came from it */
/* Those of whom nothing has come for longest first; returns how many. */
uint32_t silence_list(const struct engine *e, struct snapshot_silent *to, uint32_t most);
void silence_write(const struct engine *e, struct mpack_buffer *out); /* an array of maps, for STATS */

/* ---- take_up.c ---- */

/* False: it is refused, for the reason in *ret_why. A malformed one leaves the reader failed. */
bool kept_read(struct session *s, struct mpack_reader *r, struct kept *ret, const char **ret_why);
/* Add the command that takes up what the SUBSCRIBE names. False: there is nothing to take up. */
bool kept_take_up(struct engine *e, struct step *st);
void kept_taken_up(struct engine *e, struct step *st, uint32_t entry, const struct handout *h);
void kept_write(const struct kept *kept, struct mpack_buffer *out); /* the array of their new tokens */

/* ---- line.c ---- */

/* A request waits for a later turn; `weighs`: what it costs shows only when it has run. */
bool share_is_used_up(const struct session *s, bool weighs);
uint64_t share_left(const struct session *s); /* for it in this turn, at least DIVIDE_ROWS_MIN */
/* What was done for it is as much work as looking at so many rows. */
static inline void share_count(struct session *s, uint64_t rows)
{
    flow_count(&s->engine->turn, &s->flow.share, rows);
}
/* It stands in the line, with this item, until its turn comes. Takes the item. */
void line_join(struct session *s, struct inbox_item *item);
/* Let those in the line go on. */
void line_go_on(struct engine *e);

/* ---- producers.c ---- */

#define EMPTY_SEATS_MAX 16384            /* kept at most, or what a flood of ids costs */
#define EMPTY_SEAT_MS   (20 * 60 * 1000) /* how long one is kept: longer than hello-timeout may be */

/* It said hello for its producer. False without memory. */
bool producer_seat(struct session *s);
void producer_leave(struct session *s); /* it is gone */
void producers_free(struct engine *e);

/* ---- reply.c ---- */

/* Where to write; puts the session on the list of those with output. */
struct mpack_buffer *session_out(struct session *s);
void reply_ok(struct session *s, uint64_t request_id);
/* An OK with fields: returns the buffer to write them to, and the frame's offset for frame_end(). */
struct mpack_buffer *reply_begin(struct session *s, uint64_t request_id, uint32_t fields, size_t *ret_frame);
void reply_error(struct session *s, uint64_t request_id, int err, const char *why);
/* Answer with ERROR PROTOCOL and close. */
void reply_broken(struct session *s, uint64_t request_id, const char *why);
void reply_closed(struct session *s, uint64_t sub, int err, const char *why);
/* A name for a text: quoted, cut to `most` bytes and made harmless, because a client may send any bytes. Lives
 * as long as the turn's texts. */
const char *engine_name(struct engine *e, struct slice name, size_t most);
/* Which topic or group an error is about that says it is not there, or is there already, and what to do: NULL
 * for other errors, whose reasons say more. */
const char *engine_about(struct engine *e, int err, struct slice topic, struct slice group, const char *hint);
#define HINT_MISSING "; check the name, or create it"
#define HINT_DELETED ", which was deleted"
/* reply_error() with that. */
void reply_missing(struct session *s, uint64_t request_id, int err, struct slice topic, struct slice group);
/* An OK whose fields a view appends to `out`; answer_end() makes it an ERROR if that failed. */
struct answer {
    struct mpack_buffer *out;
    size_t frame, before;
};
struct answer answer_begin(struct session *s, uint64_t request_id, uint32_t fields);
void answer_end(struct session *s, uint64_t request_id, const struct answer *a, int err, const char *why);
/* Text of the turn, printf-like. */
const char *engine_text(struct engine *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Why JOB_SHOW and JOB_CANCEL do not find it. */
const char *engine_no_job(struct engine *e, uint64_t job);

/* Whether a field that has a default was left out: nothing follows, or nil, which is taken. */
bool request_left_out(struct mpack_reader *r);
/* An integer that is 0 when it was left out. */
uint64_t request_uint_or_0(struct mpack_reader *r);
/* The rows a listing asks for, within limits; left out: the default. */
uint32_t request_limit(struct mpack_reader *r);

/* ---- requests: by request.def ---- */

request_fn request_nothing, request_hello, request_publish, request_subscribe, request_credit,
    request_unsubscribe, request_resolve, request_started, request_topic, request_topic_list,
    request_topic_create, request_topic_update, request_topic_delete, request_topic_purge, request_group,
    request_group_create, request_group_update, request_group_delete, request_group_pause, request_peek,
    request_dlq_list, request_dlq_show, request_dlq_redrive, request_dlq_purge, request_job,
    request_job_cancel;
step_fn act_hello, act_goodbye, act_subscribe, act_credit, act_unsubscribe, mark_started, run_publish,
    run_resolve, run_clock_set, look_topic, look_topics, look_group, look_groups, look_peek, look_dead_list,
    look_dead, look_job, look_stats;
/* The group that the step is about; NULL: there is none, and that was answered. */
struct group *look_find_group(const struct engine *e, struct step *st);

/* ---- deliver.c ---- */

void deliver_ready(void *context, uint32_t group, struct group_ready *ret); /* a dispatcher_ready_fn */
void deliver_begin(struct engine *e);                                       /* a turn's handing out */
/* Add steps that hand out what is ready, up to what one batch takes. False: there are none, or the turn has
 * handed out enough. */
bool deliver_plan(struct engine *e);
/* After they ran: stop giving to connections whose clients do not read. */
void deliver_look_at_outputs(struct engine *e);
/* What such a step handed out: one message; and that it was the last. */
void deliver_message(struct engine *e, const struct assignment *a, const struct handout *h);
void deliver_assigned(struct engine *e, const struct assignment *a, uint32_t count);

/* ---- figures.c ---- */

struct view engine_view(struct engine *e);
void histogram_add(struct histogram *h, const double *bounds, size_t bounds_count, double value);
uint64_t figures_memory_bytes(void);

#endif
