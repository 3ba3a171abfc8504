/* checker: what the parts of the store's check share.
 *
 * The tables are read one after the other, each from one end to the other, and what a row points to is looked
 * up. Memory holds the catalogue (topics, groups, drop jobs) and one chunk of bits for each group, and no
 * more, whatever the backlog. Each thing that is wrong is reported by the table in which it is seen, as one
 * of these:
 *
 *     checksum      a row cannot be read: its checksum is wrong or its contents are malformed
 *     orphan        a row whose owner, or what it points to, is not there or does not know it
 *     missing       a row that another one says is there
 *     state         a message in two states, or outside its topic's or group's bounds
 *     counter       a counter that differs from what is counted
 *     conservation  the messages published are not the sum of all states
 *     catalogue     topics, groups and jobs that do not fit each other
 */
#ifndef SHUNT_BROKER_CHECKER_H
#define SHUNT_BROKER_CHECKER_H

#include "broker/core/schema.h"
#include "broker/store/store.h"
#include <stdio.h>

#define PROBLEMS_SHOWN_MAX 100

enum problem {
    PROBLEM_CHECKSUM,
    PROBLEM_ORPHAN,
    PROBLEM_MISSING,
    PROBLEM_STATE,
    PROBLEM_COUNTER,
    PROBLEM_CONSERVATION,
    PROBLEM_CATALOGUE,
};

struct checked_topic {
    struct topic_record r; /* of an unreadable one only the id */
    bool readable;
    bool clearing;        /* a group of it was dropped, and a job clears away what only that one needed */
    uint64_t rows, bytes; /* counted: messages, or dead letters of a DLQ */
    size_t first, count;  /* its groups are checker.by_topic[first .. first + count) */
};

/* What is counted for a group. */
struct tally {
    uint64_t fresh;                      /* stored, never handed out and without a row */
    uint64_t set_bits;                   /* within [floor, next) */
    uint64_t flights;                    /* stored, in flight for the first time */
    uint64_t ready, delayed, held, dead; /* rows in attempt */
    uint64_t suspects, tracked, expiries, past;
    uint64_t letters, dead_bytes; /* in its DLQ, whose message is stored; what those take */
    uint64_t unattended;          /* letters that nobody has looked at */
    uint64_t ruled;               /* letters that a rule will act on */
    uint64_t indexed;             /* in the index by key */
    uint64_t parked;              /* ready, behind another one of their key */
    uint64_t listed;              /* in the turn index */
    uint64_t blocking;            /* dead, and hold their keys */
    uint64_t blocked, blocked_by; /* keys that are held, and by how many in all, as their own rows say */
};

struct checked_cause {
    uint64_t fingerprint;
    bool readable, has_example;
    uint64_t dead, counted;                  /* letters in the DLQ: as it says, and found */
    uint64_t unattended, unattended_counted; /* of those, that nobody has looked at */
    uint64_t attended_below;                 /* somebody has at all its letters below, and if it is … */
    bool muted;                              /* … at all */
};

struct checked_group {
    struct group_record r; /* of an unreadable one only the id */
    bool readable;
    bool blind;                        /* some of its bits cannot be read */
    struct checked_topic *topic, *dlq; /* NULL if not there; dlq also in a DLQ's own groups */
    struct tally tally;
    struct checked_cause *causes; /* in order of fingerprint */
    size_t cause_count, cause_room;
    bool unattended_old; /* rows of an older server do not say what nobody has looked at */
    /* The chunk of bits last looked at. */
    uint64_t chunk;
    bool chunk_loaded;
    uint64_t words[CHUNK_BYTES / 8];
};

/* A job that clears away a topic, or (group not 0) one group of it. */
struct checked_drop {
    uint32_t topic, group;
};

/* The producer whose rows are being read. */
struct checked_producer {
    uint8_t id[PRODUCER_ID_BYTES];
    bool there, readable;
    uint64_t base, newest;
};

/* The audit log, as far as it was read. */
struct checked_audit {
    uint64_t next, rows, bytes; /* the number that comes next in order, 0: any */
    int64_t time_ms;            /* of the last row */
};

/* Names of rows that were met, in the order of their numbers. */
struct checked_names {
    char (*all)[NAME_BYTES_MAX + 1];
    size_t count, room;
};

struct checker {
    struct store_txn *txn;
    FILE *report;
    uint64_t problems, messages;
    uint64_t rows[TABLE_COUNT]; /* found by scan() */
    uint64_t scanned;           /* bit i: the whole of table i */
    struct meta_record meta;
    bool meta_there, meta_readable;
    struct checked_topic *topics; /* in order of id */
    size_t topic_count, topic_room;
    struct checked_group *groups; /* in order of id */
    size_t group_count, group_room;
    bool all_readable;               /* every topic and group */
    struct checked_group **by_topic; /* in order of topic, then id; unreadable ones left out */
    struct checked_drop *drops;
    size_t drop_count, drop_room;
    struct checked_producer producer;
    struct checked_audit audit;
    struct checked_names roles, users; /* as far as they can be read */
};

/* ---- checker.c ---- */

/* One thing is wrong. The format's text says where, then what; it is one line without its end. */
void problem(struct checker *c, enum problem kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Called for each row of a table; what it returns, if not 0, ends the scan. */
typedef int row_fn(struct checker *c, struct slice key, struct slice value);
/* fails: IO, NO_MEMORY, CORRUPT (the store itself is damaged) */
int scan(struct checker *c, enum store_table table, row_fn *row);
/* fails: as scan(). `ret` (may be NULL) is set if the row is there. */
int look_up(struct checker *c, enum store_table table, struct key key, bool *ret_found, struct slice *ret);
/* fails: as scan(). */
enum found { ABSENT, FOUND, UNREADABLE };
int look_up_attempt(struct checker *c, uint32_t group, uint64_t seq, enum found *ret,
                    struct attempt_record *ret_row);

struct checked_topic *topic_of(const struct checker *c, uint32_t id); /* NULL: not there */
struct checked_group *group_of(const struct checker *c, uint32_t id); /* NULL: not there */
/* True if its rows can be judged: it is there, can be read, and was not dropped. */
static inline bool group_judged(const struct checked_group *g)
{
    return g && g->readable && !g->r.dropped && g->topic && g->topic->readable;
}
static inline bool group_reads_dlq(const struct checked_group *g)
{
    return g->topic->r.origin_group != 0;
}
/* Whether the message needs no more attention from the group's cursor. fails: as scan(). */
int bit_of(struct checker *c, struct checked_group *g, uint64_t seq, bool *ret);

struct checked_cause *checked_cause_of(const struct checked_group *g,
                                       uint64_t fingerprint); /* NULL: not there */

/* For reports: "orders", "orders/default"; the number of one that cannot be read. */
struct name {
    char text[TOPIC_BYTES_MAX + NAME_BYTES_MAX + 32];
};
struct name topic_name(const struct checked_topic *t);
struct name group_name(const struct checked_group *g);

/* ---- the parts; each fails as scan() does ---- */

int check_catalogue(struct checker *c);  /* meta, topic, group, job, dedup; must be the first */
int check_bits(struct checker *c);       /* done; must be the second */
int check_causes(struct checker *c);     /* cause; before the letters that name them */
int check_rules(struct checker *c);      /* rule */
int check_messages(struct checker *c);   /* message, dead */
int check_audit(struct checker *c);      /* audit */
int check_identities(struct checker *c); /* user, role, token */
int check_attempts(struct checker *c);   /* attempt, history */
int check_edits(struct checker *c);      /* edit */
int check_indexes(struct checker *c);    /* due, expiry */
void check_counters(struct checker *c);  /* after all others */

#endif
