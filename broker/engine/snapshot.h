/* snapshot: the numbers of one engine after one commit, for metrics and health; many groups' are of several
 * turns (walk.h). */
#ifndef SHUNT_ENGINE_SNAPSHOT_H
#define SHUNT_ENGINE_SNAPSHOT_H

#include "broker/engine/histogram.h"
#include "broker/flow/quota.h"
#include "proto/limits.h"
#include "proto/words.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot_group {
    char topic[NAME_BYTES_MAX + 1];
    char group[NAME_BYTES_MAX + 1];
    uint64_t published, ready, in_flight, delayed, dead;
    uint64_t acked, expired, discarded, purged, moved;
    uint64_t deliveries; /* hand-outs since the group was made */
    uint64_t attempts[ATTEMPT_OUTCOMES];
    uint64_t dead_lettered[DEAD_REASONS];
    uint64_t redriven;
    uint64_t outcomes[REDRIVE_OUTCOMES]; /* of redriven ones, the first of each; none is counted as pending */
    uint64_t rule_actions[RULE_ACTIONS]; /* what rules did with dead letters */
    uint64_t unattended;                 /* dead letters that nobody has looked at */
    uint64_t expired_unattended, slo_breaches;
    uint64_t causes[CAUSE_STATES];
    uint64_t consumers;
    uint64_t paused;       /* 1 or 0; of several groups, how many are */
    uint64_t blocked_keys; /* that dead letters hold */
    /* wall time of death of the one that has held its key for longest; 0: none does */
    int64_t oldest_blocked_ms;
    uint64_t breaker; /* enum breaker_state; of several groups, how many are not closed */
    uint64_t breaker_trips;
    int64_t hot_key_milli[KEY_MEASURES]; /* of the whole the hottest key, at least; 0: no key is known */
    int64_t oldest_ready_ms;             /* wall time since when it has been ready; 0: nothing is */
    int64_t oldest_dead_ms;              /* wall time of death; 0: the DLQ is empty */
    int64_t oldest_in_flight_ms;         /* wall time of hand-out; 0: nothing is in flight */
    int64_t oldest_unattended_ms;        /* wall time of death; 0: there is none */
    int64_t next_expiry_ms;              /* wall time at which retention drops the oldest; 0: it drops none */
    int64_t dlq_retention_ms; /* how long a dead letter is kept; 0: for ever, or not of one group */
    int64_t dlq_slo_ms;       /* the setting dlq-slo; 0: none, or not of one group */
    /* how far published is from the sum of the states; 0 unless there is a bug */
    uint64_t conservation_error;
};

/* A connection of which a lease ran out, and from which nothing has come since: it is handed nothing. */
struct snapshot_silent {
    char client[CLIENT_NAME_BYTES_MAX + 1], host[CLIENT_NAME_BYTES_MAX + 1], peer[64];
    int64_t silent_ms; /* since something last came */
};
#define SNAPSHOT_SILENT_MAX 16

struct snapshot {
    int64_t wall_ms;
    int64_t clock_error_ms; /* how far it is ahead of the machine's clock */
    uint64_t applied_index;
    uint64_t sockets, connections, subscriptions; /* open; of them, having said HELLO */
    uint64_t in_flight, in_flight_max;            /* messages, in all; the most there may be, 0: no limit */
    uint64_t waiting_bytes;                       /* to be sent, on all connections */
    uint64_t silent;                              /* connections */
    struct snapshot_silent silents[SNAPSHOT_SILENT_MAX];
    uint32_t silents_count;
    uint64_t topics, groups;                              /* DLQs not counted */
    uint64_t jobs;                                        /* running */
    bool full;                                            /* publishing is refused */
    uint64_t store_map_left_bytes, store_disk_left_bytes; /* until it is; UINT64_MAX: nobody can tell */
    uint64_t store_used_bytes, store_free_bytes, store_map_bytes, store_map_bytes_max, store_allocated_bytes;
    struct histogram commit_seconds;
    struct histogram commit_messages; /* messages published, delivered or resolved in one commit */
    struct histogram attend_seconds;  /* between death and being looked at */
    uint64_t commits;
    uint64_t logins, logins_failed; /* by password, token or certificate */
    uint64_t logins_waiting;        /* passwords that wait to be verified */
    uint64_t requests_expired;      /* their time was over before their turn came */
    uint64_t limited[QUOTA_OWNERS]
                    [QUOTA_LIMITS]; /* refused because an address or a user has reached what it may have */
    uint64_t
        refused[RIGHTS + 1]; /* requests, for want of each right; the last: not asked by an administrator */
    /* The groups of the first `topics_max` topics by id, then, if there are more, all others summed in
     * `rest`. */
    struct snapshot_group *rows;
    size_t rows_count;
    bool has_rest;
    /* names empty; oldest_* are the oldest of them; counters as rest.h has them */
    struct snapshot_group rest;
};

/* For topics_max of engine_snapshot(): without any group, as proof of life. */
#define SNAPSHOT_NO_GROUPS UINT32_MAX
/* The same: of all topics, the groups that have dead letters at which nobody has looked, and nothing of the rest. */
#define SNAPSHOT_UNATTENDED (UINT32_MAX - 1)

void snapshot_free(struct snapshot *s); /* takes NULL */

#endif
