/* schema: how records are laid out in the store, beside their keys (schema_keys.h). docs/storage.md shows them field by field.
 *
 * All integers are big-endian. Every value, but the empty ones of index tables, ends (a message's: begins)
 * with an XXH3-64 checksum over table, key and the rest of the value, so that a flipped bit and a row in the
 * wrong place are both found.
 */
#ifndef SHUNT_CORE_SCHEMA_H
#define SHUNT_CORE_SCHEMA_H

#include "broker/core/schema_job.h"
#include "broker/core/schema_keys.h"
#include "broker/store/store.h"
#include "proto/limits.h"
#include "proto/policy.h"
#include "proto/words.h"
#include <stdbool.h>
#include <stdint.h>

/* ---- messages ---- */

/* [checksum 8][flags 1][published_ms 7][due_ms 8 if scheduled][expires_ms 8 if it has a time to live or a
 * deadline][deadline_ms 8, ttl_ends_ms 8 if it has a deadline][the publisher's bytes] */
struct message_head {
    int64_t published_ms;
    int64_t due_ms;      /* 0: not scheduled */
    int64_t expires_ms;  /* 0: never; the first of the two: */
    int64_t deadline_ms; /* 0: none. By the store's clock, as all times here */
    int64_t ttl_ends_ms; /* with a deadline: when its time to live is over; 0: it has none */
};
/* When the message could first be taken. */
static inline int64_t message_since_ms(const struct message_head *h)
{
    return h->due_ms ? h->due_ms : h->published_ms;
}
/* The time to live that it was published with; 0: none. (One stored before the time to live began when a
 * delay is over may expire before that.) */
int64_t message_ttl_ms(const struct message_head *h);
size_t message_head_bytes(const struct message_head *h);
/* Fill in a value of message_head_bytes() + body.size bytes. */
void message_encode(void *to, struct slice key, const struct message_head *h, struct slice message);
/* fails: CORRUPT; then *ret_message has no data, only the size that it seems to have. `verify` false skips the
 * checksum (for what only needs the head). */
int message_decode(struct slice key, struct slice value, bool verify, struct message_head *ret,
                   struct slice *ret_message);

/* ---- records ---- */

/* Bytes of a record being written, with room for the longest. */
#define RECORD_BYTES_MAX (64 * 1024)

/* Times after this one are shown so much earlier (shown.c). */
struct clock_shift {
    int64_t after_ms, ahead_ms;
};
#define CLOCK_SHIFTS_MAX 8

struct meta_record {
    uint64_t index; /* applied */
    int64_t time_ms;
    uint64_t random; /* generator's state */
    uint32_t topic_next, group_next;
    uint64_t job_next;
    uint64_t topics_max, groups_max, body_bytes_max;
    int64_t dedup_window_ms;
    uint8_t dedup_cursor[PRODUCER_ID_BYTES]; /* where the sweep of old producers goes on */
    int64_t dedup_swept_ms;
    int64_t dedup_away_ms; /* from the last batch before each restart to the first after it, in all */
    uint32_t shifts_count; /* 0: not stored, as by an older server */
    struct clock_shift shifts[CLOCK_SHIFTS_MAX]; /* in order; a time goes by the last that is before it */
    uint64_t audit_next;                         /* number of the next row of the audit log; from 1 */
    uint64_t audit_rows, audit_bytes;            /* those there are: the newest; their keys and values */
    int64_t audit_keep_ms;                       /* 0: no bound, as below */
    uint64_t audit_bytes_max;
};

struct topic_record {
    uint32_t id;
    uint32_t origin_group; /* of a DLQ: whose; 0 for others */
    bool dropped;          /* deleted by its user; a job clears it away */
    uint64_t head;         /* the next sequence number */
    uint64_t published;
    uint64_t stored, stored_bytes;
    int64_t created_ms;
    struct policy policy;
    char name[TOPIC_BYTES_MAX + 1];
};

struct group_counts {
    uint64_t published, ready, in_flight, delayed, dead;
    uint64_t acked, discarded, expired, purged; /* discarded: by its time to live; expired: by retention */
    uint64_t moved_away; /* dead letters sent to another topic; in a DLQ: what left it and went on */
    uint64_t suspects;   /* of the ready ones */
    uint64_t tracked;    /* rows in attempt */
    uint64_t expiries;   /* rows in expiry */
    uint64_t deliveries;
    uint64_t attempts[ATTEMPT_OUTCOMES];
    uint64_t dead_lettered[DEAD_REASONS];
    uint64_t redriven;                   /* came back from the DLQ */
    uint64_t unattended;                 /* of the dead ones: nobody has looked at them */
    uint64_t expired_unattended;         /* of the expired ones: nobody had */
    uint64_t slo_breaches;               /* of all dead ones ever: nobody had when the time for it was over */
    uint64_t outcomes[REDRIVE_OUTCOMES]; /* of redriven ones, the first of each; none is counted as pending */
    uint64_t ruled[RULE_ACTIONS];        /* what rules did */
};

/* Of a group with fair turns (fair.h). */
struct fair_record {
    uint64_t listed; /* messages in the turn index */
    uint64_t keys;   /* of which some are there, or in the run */
    uint64_t last;   /* the hash of the key that was handed one last */
    uint64_t run;    /* of the key of which alone are all that have no row, from `next` on … */
    uint64_t upto;   /* … up to this number; both 0: there is no run */
};

struct group_record {
    uint32_t id;
    uint32_t topic;
    uint32_t dlq; /* its DLQ's topic; 0 in a DLQ's own groups */
    bool dropped, paused;
    uint64_t start;      /* the first sequence number that is its business */
    uint64_t next;       /* the first never handed out */
    uint64_t floor;      /* below it every bit is set */
    int64_t due_mark_ms; /* rows of the due table up to it are ready, later ones delayed */
    int64_t created_ms;
    struct policy policy;
    struct group_counts counts;
    char name[NAME_BYTES_MAX + 1];
    uint64_t dead_bytes;     /* of the stored messages that are its dead letters */
    bool dead_bytes_old;     /* not stored: the row is of an older server, which did not count them */
    bool causes_known;       /* each of its dead letters is counted by a cause */
    uint64_t attended_below; /* somebody has looked at all its dead letters with lower numbers in the DLQ */
    uint64_t slo_below;      /* those with lower numbers were held against dlq-slo */
    bool unattended_old;     /* not stored: this row, or one of its causes', is of an older server, which did
                                not count what nobody has looked at */
    uint64_t past;           /* messages that have ended, and whose history is kept */
    uint64_t ruled_waiting;  /* dead letters that a rule will act on */
    uint64_t indexed;        /* messages in the index by key */
    uint64_t parked;         /* of those, ready ones that wait behind another message of their key */
    uint64_t blocking, blocked; /* dead letters that hold their keys, and those keys */
    uint64_t followed;          /* keys below it were looked at since the setting changed; 0: all were */
    struct fair_record fair;
};

enum attempt_state { ATTEMPT_WAITING = 0, ATTEMPT_HELD = 1, ATTEMPT_DEAD = 2 };

struct attempt_record {
    enum attempt_state state;
    bool suspect;
    bool has_expiry; /* there is a row in expiry */
    uint32_t generation;
    uint32_t attempts; /* charged, in this generation */
    uint32_t attempts_total;
    uint32_t deliveries;       /* in this generation */
    uint64_t deliveries_total; /* the token of the latest delivery */
    int64_t due_ms;            /* waiting: place in the due table; dead, and holding its key: when it died */
    /* 0: never; the first of the two that follow; dead: suspended, and without the deadline */
    int64_t expires_ms;
    int64_t deadline_ms; /* 0: none is in force; dead: the one that was */
    int64_t ttl_ends_ms; /* with a deadline: when its time to live is over; 0: it has none */
    int64_t ttl_left_ms; /* dead: what was left of it; 0: it had none */
    uint32_t rows;       /* in history */
    uint32_t row_next;   /* number of the next row, from 1 */
    uint64_t dead_seq;   /* dead: sequence number in the DLQ */
    uint64_t back_job;   /* not dead: jobs below it began before it last came back; 0: it never was away */
    int64_t since_ms;    /* not dead: since when it can be taken; 0: since it was published or due */
    uint64_t job;        /* not dead: the redrive or rule, by its id, that is told its outcome; 0: none */
    uint64_t job_cause;  /* of which it had died then */
    enum redrive_outcome outcome; /* that the job knows of */
    uint32_t ruled;               /* how often rules have brought it back since a person did */
    uint64_t edit; /* the number of its edit: the group gets what the edit table has; 0: as published */
    uint64_t key;  /* hash of its key, if an ordered group has it in the index or, dead, holds by it; or 0 */
    bool parked;   /* waiting, in no lane: for one of its key or, if `due_ms` is not 0, for the cursor */
    uint64_t turn; /* waiting, in no lane but in the turn index of a fair group: the hash of its key there */
    bool on_file;  /* not stored: it was read from a row */
};

struct history_record {
    uint32_t generation;
    enum attempt_outcome outcome;
    bool charged;
    int64_t leased_ms, started_ms, ended_ms;
    struct slice client, host, build, error_type, error_message, error_stack;
    struct slice fingerprint; /* the consumer's own; not stored: a letter names its cause */
    uint64_t job;             /* the redrive that had brought the message back; 0: none, or not known */
};

/* How a message is done. The numbers are in the store. */
enum done_how {
    DONE_ACKED = 0,
    DONE_EXPIRED = 1,   /* a dead letter, by the retention of its DLQ */
    DONE_DISCARDED = 2, /* its time to live had passed, or a rule says so of its dead letter */
    DONE_PURGED = 3,
    DONE_REDRIVEN = 4, /* a dead letter in the groups that read its DLQ; the message goes on */
    DONE_MOVED = 5,    /* a dead letter, which was sent to another topic as a new message */
    DONE_HOWS
};

/* What is kept of a message that failed, beside its attempts, once it is done. */
struct ended_record {
    enum done_how how;
    int64_t ended_ms, published_ms; /* published 0: its row was damaged */
    uint32_t generation;
    uint32_t attempts, attempts_total;
    uint32_t deliveries;
    uint64_t deliveries_total;
    int64_t died_ms; /* it ended as a dead letter, with that reason and cause; 0: it did not */
    enum dead_reason reason;
    uint64_t cause;
    uint64_t dead_seq;
    bool attended;
    struct slice client, host, build; /* who acked it; empty: nobody, or it did not say */
    struct slice moved_to;            /* moved: the name of the new message */
    uint64_t job;                     /* the redrive that had brought it back last, and … */
    enum redrive_outcome outcome;     /* … what that was told; 0: none had, or it died again */
    uint32_t rule;                    /* a rule of this number ended it; 0: none did */
};

struct dead_record {
    uint32_t origin_group;
    uint64_t origin_seq;
    enum dead_reason reason;
    int64_t died_ms;
    uint64_t cause; /* by which it is counted; 0: by none yet, as an older server left it */
    bool attended;  /* somebody has looked at it, or a rule has muted it */
    uint64_t rule;  /* the id of the rule that acts on it… */
    int64_t due_ms; /* … then; 0: none will */
    uint64_t edit;  /* as in the attempt row of its message */
};

#define CAUSE_EXAMPLE_ROW 1u /* of its key */
/* The cause that those share which came when there were too many. */
#define CAUSE_OTHERS 1u

/* So many of a cause's deaths were on this host, or by this build. */
struct cause_share {
    char name[CAUSE_SHARE_BYTES_MAX + 1];
    uint64_t count;
    int64_t last_ms;
};

struct cause_shares {
    uint32_t count;
    struct cause_share all[CAUSE_SHARES_MAX];
};

#define HOUR_MS 3600000ll
struct cause_record {
    enum cause_state state;
    enum dead_reason reason; /* of the first death */
    int64_t state_ms;        /* since when */
    uint64_t count;          /* of deaths, ever */
    uint64_t dead;           /* in the DLQ now */
    int64_t first_ms, last_ms;
    uint64_t attended_below; /* somebody has looked at all letters of it with lower numbers in the DLQ… */
    int64_t attended_ms;     /* … then; 0: nobody has */
    uint64_t unattended;     /* of `dead`: nobody has looked at them … */
    int64_t waiting_ms;      /* … and the first of them died then, though it may be gone */
    bool unattended_old;     /* not stored: the row is of an older server, which did not count them */
    uint32_t samples_count;
    uint64_t samples[CAUSE_SAMPLES_MAX]; /* messages' numbers: the first, and then the newest ones in order */
    struct cause_shares builds, hosts;
    int64_t hour;                /* since 1970, of the last death */
    uint32_t hours[CAUSE_HOURS]; /* deaths by hour; that hour's at `hour` modulo CAUSE_HOURS */
    char title[CAUSE_TITLE_BYTES_MAX + 1];
    char owner[CAUSE_OWNER_BYTES_MAX + 1];
    char note[CAUSE_NOTE_BYTES_MAX + 1];
    /* Builds that others took the place of in `builds`, the latest last: their names' XXH3-64. */
    uint32_t past_builds_count;
    uint64_t past_builds[CAUSE_PAST_BUILDS_MAX];
};

/* An act of an operator that succeeded; or requests that were refused. */
struct audit_record {
    int64_t time_ms;
    /* which act: the number of the request; with AUDIT_REFUSED: it was refused for want of a right */
    uint32_t request;
    uint64_t job, count; /* as it was answered; 0: none */
    struct slice topic, group, client, host, peer, reason, asked;
    struct slice user; /* empty: nobody had to log in */
};
#define AUDIT_REFUSED 0x80000000u
/* What a row takes, at most. */
#define AUDIT_ROW_BYTES_MAX                                                                                  \
    (128 + TOPIC_BYTES_MAX + 2 * NAME_BYTES_MAX + 2 * CLIENT_NAME_BYTES_MAX + AUDIT_PEER_BYTES_MAX +         \
     AUDIT_REASON_BYTES_MAX + AUDIT_ASKED_BYTES_MAX)

struct dedup_answer {
    uint64_t sequence;
    uint64_t first_seq;
    uint32_t accepted;
    uint32_t refusal;
};

/* Answers to frames i * DEDUP_CHUNK_FRAMES and the following ones are chunk i: at least one, in order. */
#define DEDUP_CHUNK_FRAMES 8u
_Static_assert(DEDUP_FRAMES_MAX % DEDUP_CHUNK_FRAMES == 0, "the window of answers is a number of chunks");
struct dedup_chunk_record {
    uint32_t count;
    struct dedup_answer answers[DEDUP_CHUNK_FRAMES];
};
struct dedup_record {
    int64_t last_ms; /* in time that the broker was there */
    uint64_t base;   /* lower numbers are refused */
    struct dedup_chunk_record latest;
};

/* Each _encode writes the whole value for `key` to `to` (RECORD_BYTES_MAX bytes) and returns its size; each
 * _decode fails with CORRUPT for a bad checksum or impossible contents. Slices in a decoded record point into
 * `value`. */
size_t meta_encode(uint8_t *to, struct slice key, const struct meta_record *r);
int meta_decode(struct slice key, struct slice value, struct meta_record *ret);
size_t topic_encode(uint8_t *to, struct slice key, const struct topic_record *r);
int topic_decode(struct slice key, struct slice value, struct topic_record *ret);
size_t group_encode(uint8_t *to, struct slice key, const struct group_record *r);
int group_decode(struct slice key, struct slice value, struct group_record *ret);
size_t attempt_encode(uint8_t *to, struct slice key, const struct attempt_record *r);
int attempt_decode(struct slice key, struct slice value, struct attempt_record *ret);
size_t history_encode(uint8_t *to, struct slice key, const struct history_record *r);
int history_decode(struct slice key, struct slice value, struct history_record *ret);
size_t ended_encode(uint8_t *to, struct slice key, const struct ended_record *r); /* row HISTORY_ROW_END */
int ended_decode(struct slice key, struct slice value, struct ended_record *ret);
size_t dead_encode(uint8_t *to, struct slice key, const struct dead_record *r);
int dead_decode(struct slice key, struct slice value, struct dead_record *ret);
size_t cause_encode(uint8_t *to, struct slice key, const struct cause_record *r);
int cause_decode(struct slice key, struct slice value, struct cause_record *ret);
/* A cause's example is a row of the attempt ledger under another key. */
size_t example_encode(uint8_t *to, struct slice key, const struct history_record *r);
int example_decode(struct slice key, struct slice value, struct history_record *ret);
size_t job_encode(uint8_t *to, struct slice key, const struct job_record *r);
int job_decode(struct slice key, struct slice value, struct job_record *ret);
size_t rule_encode(uint8_t *to, struct slice key, const struct rule_record *r);
int rule_decode(struct slice key, struct slice value, struct rule_record *ret);
size_t dedup_encode(uint8_t *to, struct slice key, const struct dedup_record *r);
int dedup_decode(struct slice key, struct slice value, struct dedup_record *ret);
size_t dedup_chunk_encode(uint8_t *to, struct slice key, const struct dedup_chunk_record *r);
int dedup_chunk_decode(struct slice key, struct slice value, struct dedup_chunk_record *ret);
size_t audit_encode(uint8_t *to, struct slice key, const struct audit_record *r);
int audit_decode(struct slice key, struct slice value, struct audit_record *ret);

/* A chunk of a group's bitmap: bit i of chunk n is sequence number n * CHUNK_BITS + i. */
#define CHUNK_BITS  4096u
#define CHUNK_BYTES (CHUNK_BITS / 8)
size_t chunk_encode(uint8_t *to, struct slice key, const uint64_t *words);
int chunk_decode(struct slice key, struct slice value, uint64_t *ret_words);

/* The key of the ledger's own record in meta. (The store keeps "version" there.) */
#define META_KEY_LEDGER "ledger"

/* A hash over every row of every table, for comparing two stores. */
int schema_state_hash(struct store_txn *txn, uint64_t *ret);

#endif
