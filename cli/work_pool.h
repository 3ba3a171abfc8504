/* work_pool: the messages in hand and the commands that run on them.
 *
 *            shunt_next                    ended
 *   FREE ──────────────────→ BUSY ──────────────────→ resolved ──→ FREE
 *          child_start         │ extended at half of the lease
 *                              ├ ended by a stop of the worker: released
 *                              └ killed by a second signal: released
 *
 * With `standing` a slot's command outlives its message (work_stream.h): it is started when a message comes and no
 * command is idle, answers, and is given the next one. If it ends and the message that it held is not to blame, the slot
 * keeps the message, and gives it to a new command.
 */
#ifndef SHUNT_CLI_WORK_POOL_H
#define SHUNT_CLI_WORK_POOL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/work_child.h"
#include "cli/work_stream.h"

struct call;
struct shunt_consumer;
struct shunt_delivery;
struct shunt_error;
struct sink;
struct work_env;

/* So much time for the output of commands; a lease is far longer. */
#define WORK_TURN_MS 50

struct work_slot {
    struct shunt_delivery *delivery; /* NULL: free */
    struct child child;
    struct stream stream;         /* if the child stands */
    struct work_env *environment; /* of a child that does not; lives as long as it */
    int64_t lease_ms;
    int64_t extend_at_ms;
    int64_t judge_at_ms; /* ended by a signal that may be meant for us too: the verdict waits for that; 0: it
                            does not */
};

#define WORK_POOL_MAGIC 0xd77c8cecu
struct work_pool {
    uint32_t magic;
    struct call *call;
    struct sink *out; /* ours, for what the commands say */
    struct sink *err;
    struct shunt_consumer *consumer;
    const char *program;
    char *const *arguments;
    int64_t timeout_ms;
    bool standing;                 /* commands stand, and answer with lines */
    int64_t start_ms;              /* of a standing command: how long it may take to begin with a message */
    bool leave;                    /* what commands left running may run on */
    const struct confine *confine; /* NULL: commands may do what we may */
    struct work_slot *slots;
    size_t slots_count;
    size_t next; /* where the next turn begins to pump */
    size_t busy;
    size_t unanswered; /* answers of ours that are not confirmed */
    bool stopping;     /* what dies of a signal to stop has not failed: release it */
    bool abandon;      /* what ends from now on was killed by us: release it */
    bool output_lost;  /* our stdout is gone */
    bool cannot_run;   /* the program could not be started, or is of no use */
    /* Of standing commands, in a row: that ended without an answer, or without having read a message. */
    unsigned fruitless;
    unsigned unborn;
    int64_t spawn_at_ms; /* not before */
    /* Answers that took effect; the others come again and must not count twice. */
    uint64_t acked;
    uint64_t nacked;
    uint64_t rejected;
    uint64_t released;
    uint64_t late; /* their deadline left no time */
};

/* False without memory. `slots_count` is at least 1. */
bool work_pool_init(struct work_pool *p, size_t slots_count);
void work_pool_done(struct work_pool *p);

/* Can it take one more message now? */
bool work_pool_takes(const struct work_pool *p);
/* Does anything run, or wait to? */
bool work_pool_is_active(const struct work_pool *p);
/* No more messages come: standing commands may end, those that have a message after that. */
void work_pool_leave(struct work_pool *p);

/* Run the command on `delivery`, which the pool takes. Needs a free slot. */
void work_pool_start(struct work_pool *p, struct shunt_delivery *delivery);

/* CHILD_POLLS rows for each slot, and the time by which work_pool_turn() must be called. */
int64_t work_pool_poll(const struct work_pool *p, struct pollfd *rows);
/* Extend, signal, pump, and resolve what has ended. However much the commands say, it returns after about
 * WORK_TURN_MS, so that leases are extended in time; the next turn goes on with the commands that had to
 * wait. */
void work_pool_turn(struct work_pool *p, const struct pollfd *rows);

/* Is this process the guard of one of the commands? */
bool work_pool_has_guard(const struct work_pool *p, pid_t pid);

/* The worker is being stopped, and its commands may get the same signal: a command that dies of it has not
 * failed. Commands that still run at `end_at_ms` (CLOCK_NEVER: never) are ended, uncharged. */
void work_pool_stop(struct work_pool *p, int64_t end_at_ms);
/* Kill all commands; their messages go back uncharged. */
void work_pool_kill(struct work_pool *p);

#endif
