/* schema_job: what is stored of jobs and of rules on dead letters, which share their filter. */
#ifndef SHUNT_CORE_SCHEMA_JOB_H
#define SHUNT_CORE_SCHEMA_JOB_H

#include "proto/limits.h"
#include "proto/words.h"
#include <stdbool.h>
#include <stdint.h>

enum job_kind { JOB_REDRIVE = 1, JOB_PURGE_DLQ = 2, JOB_PURGE = 3, JOB_DROP = 4, JOB_CAUSES = 5 };

/* A text of a filter, with room for the longest. */
struct filter_text {
    uint32_t size; /* 0: any */
    uint8_t bytes[FILTER_TEXT_BYTES_MAX];
};

/* A letter_filter as it is stored. */
struct filter_record {
    uint64_t cause;
    bool has_reason;
    enum dead_reason reason;
    int64_t since_ms;
    struct filter_text type, match, header, value, key;
};

/* A rule on the dead letters of a group. */
struct rule_record {
    uint64_t id; /* from the numbers of jobs: of this rule as it was set, and of no other */
    bool disabled;
    enum rule_action action;
    struct filter_record filter;  /* since_ms is 0 */
    uint32_t times;               /* redrive: so often, of one message … */
    int64_t wait_ms, wait_max_ms; /* … after a random time up to the first, which doubles up to the second */
    int64_t set_ms;
    uint64_t matched;  /* letters that it decided on; of those … */
    uint64_t done;     /* … it did what it says with so many, … */
    uint64_t waiting;  /* … will with so many, … */
    uint64_t given_up; /* … and let so many lie, which rules had brought back as often as they may */
    uint64_t outcomes[REDRIVE_OUTCOMES]; /* of those that it redrove */
    char to[NAME_BYTES_MAX + 1];         /* move: the topic */
};

/* The latest outcomes of a redrive, counted in slices: a new one takes the place of the oldest. */
#define RECENT_SLICES 10
#define RECENT_SLICE  (REDRIVE_RECENT / RECENT_SLICES) /* outcomes */

struct job_record {
    uint64_t id;
    enum job_kind kind;
    enum job_phase phase;
    uint32_t topic, group; /* group 0: all of the topic's */
    uint64_t cursor;       /* everything up to it has been looked at */
    uint64_t last;         /* nothing after it is looked at */
    uint64_t total, done;
    uint32_t rate;
    int64_t begun_ms, ended_ms;
    uint32_t ids_count; /* redrive and purge of chosen ones */
    uint64_t ids[IDS_MAX];
    char topic_name[TOPIC_BYTES_MAX + 1], group_name[NAME_BYTES_MAX + 1];
    enum job_phase before; /* paused: in which it goes on; stopped: in which it was */
    uint64_t allowed;      /* with a rate: how many thousandths of a message it might move… */
    int64_t allowed_ms;    /* … then */
    struct filter_record filter;
    int64_t spread_ms;
    uint32_t canary;
    bool has_max_fail;
    uint32_t max_fail;  /* thousandths of the outcomes that are in */
    uint64_t round;     /* the ramp: how many are out at a time… */
    uint64_t round_end; /* … and how many will have been moved then */
    uint64_t outcomes[REDRIVE_OUTCOMES];
    /* Stopped: by this message, and whether it failed of the same cause; how many had failed then, of how many. */
    uint64_t stopped_seq;
    bool stopped_same;
    uint64_t stopped_failed, stopped_known;
    char to[NAME_BYTES_MAX + 1]; /* the topic that the letters are moved to; empty: back to their group */
    /* it pauses because the next one cannot be moved: why, a code of errors.h; 0: it does not */
    uint32_t refusal;
    bool held; /* it was to begin when a consumer of another build came than those that failed… */
    char build[CLIENT_NAME_BYTES_MAX + 1]; /* …or, if it is not empty, of this one */
    bool keep_deadline;                    /* what comes back keeps its deadline */
    bool stopped_recent;           /* the latest ones were too many that failed, and not those of all */
    uint8_t recent[RECENT_SLICES]; /* with max_fail, while it runs: how many failed of those in each slice */
};

/* It does nothing more. */
static inline bool job_over(const struct job_record *r)
{
    return r->phase >= JOB_DONE;
}

#endif
