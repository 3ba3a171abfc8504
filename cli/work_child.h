/* work_child: one run of the command of `work`: a process with a body on its standard input, its outputs
 * watched, its end judged; or one that stands, and is given one input after the other. Knows nothing of a broker.
 *
 *   child_start ──→ RUNNING ──(process ended, outputs read)──→ ENDED ──→ child_judge
 *                      └─(time is up: SIGTERM, then SIGKILL to its group)─↗
 *
 * A deadline is the end: SIGTERM comes CHILD_LEAD_MS_MAX before it, or a tenth of the time that there is, and SIGKILL at it.
 */
#ifndef SHUNT_CLI_WORK_CHILD_H
#define SHUNT_CLI_WORK_CHILD_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/capture.h"
#include "cli/guard.h"
#include "cli/lines.h"

#define CHILD_POLLS       4
#define CHILD_GRACE_MS    5000 /* between SIGTERM and SIGKILL */
#define CHILD_LEAD_MS_MAX 1000 /* between SIGTERM and a deadline, at most */
#define CHILD_READ_BYTES  (16u * 1024)

struct child_spec {
    const char *path; /* of the program */
    char *const *arguments;
    char *const *environment;
    const void *body; /* lent until the child has ended */
    size_t body_bytes;
    int64_t timeout_ms; /* 0: none */
    int64_t left_ms;    /* until the deadline of what it does; 0: there is none */
    int64_t grace_ms;
    struct lines
        *lines; /* it stands: its input stays open for child_give(), and what it writes to its standard
                            output comes here; NULL: it runs on `body` alone */
    bool leave; /* what it left running when it ended may run on */
    const struct confine *confine; /* NULL: it may do what we may */
    struct sink *out;              /* where its standard output and error go on to; NULL: nowhere */
    struct sink *err;
};

struct child {
    struct guard guard; /* its line is readable when the command has ended */
    int input_fd;       /* these three are -1 when closed */
    int output_fd;
    int error_fd;
    const char *body;
    size_t body_left;
    size_t given; /* bytes written of it, if the child stands */
    struct lines *lines;
    struct capture output;
    struct capture error;
    int64_t timeout_ms;
    int64_t grace_ms;
    int64_t signal_at_ms; /* when the next signal is due; CLOCK_NEVER: none */
    int64_t late_at_ms;   /* when a deadline is so near that it must end; CLOCK_NEVER: there is none */
    int64_t until_ms;     /* that deadline */
    bool timed_out;
    bool late;          /* it was ended for its deadline */
    bool stopped;       /* we ended it because the worker is being stopped */
    bool signaled;      /* SIGTERM was sent for one of the three; SIGKILL is next */
    bool dead;          /* what it left in its pipes is still to be read */
    size_t output_left; /* read of it so far */
    size_t error_left;
    bool errors_ready; /* at the last look there was something to read */
    bool ended;
    bool unread; /* it stood, and died before it read a byte of what was given last */
    int status;  /* of waitpid(), once ended */
};

/* Start the process, as the leader of a group of its own, under a guard. Returns 0 or errno; on failure there
 * is nothing to clean up. */
int child_start(struct child *c, const struct child_spec *spec);
/* Free what is left; kills the command and all that it started if it still runs. */
void child_done(struct child *c);

/* Write these bytes, lent until they are read or the child has ended, to a child that stands and has been given
 * all of the last ones. Writes what is possible at once. */
void child_give(struct child *c, const char *bytes, size_t count);
/* Has a child that stands read nothing yet of what was given last? True too after its end, if that was so. */
bool child_has_not_read(const struct child *c);
/* Nothing more is given to a child that stands: its input ends. It has `grace_ms` to leave, then SIGTERM. */
void child_let_leave(struct child *c);
/* Read what it has said on standard error so far, as far as the sink takes it, and begin a new post-mortem
 * with what comes from now on. */
void child_forget_errors(struct child *c, int64_t now_ms);

/* What to poll for; fills in CHILD_POLLS rows. An output is not read while its sink is full. */
void child_poll(const struct child *c, struct pollfd *to, int64_t now_ms);
/* Do what these rows are ready for, without waiting, and read at most CHILD_READ_BYTES of each output;
 * `ended` may become true. */
void child_pump(struct child *c, const struct pollfd *ready, int64_t now_ms);
/* When child_pump() or child_tick() must be called again, whatever the rows say. */
int64_t child_wake_ms(const struct child *c, int64_t now_ms);
/* Send the signal that is due, unless it has ended by itself, which the rows tell. */
void child_tick(struct child *c, const struct pollfd *ready, int64_t now_ms);
/* SIGKILL to the command and all that it started. */
void child_kill(const struct child *c);
/* End it at that time, if its time limit does not come first: as part of a stop, not as a time-out. */
void child_stop_at(struct child *c, int64_t at_ms);
/* What it does now has that long; negative: no deadline. */
void child_limit(struct child *c, int64_t left_ms, int64_t now_ms);
/* Did an ended child die of a stop: of ours, or of SIGTERM, SIGINT or SIGHUP from outside (or did it exit
 * with 128 and the signal's number, as shells and runtimes do that handle it)? A time-out is none, nor is a deadline. */
bool child_was_stopped(const struct child *c);

#define JUDGEMENT_TYPE_BYTES 129 /* a type of 128 */

enum verdict { VERDICT_ACK, VERDICT_REJECT, VERDICT_NACK };

/* Strings are the caller's to free with judgement_done(); NULL where there is nothing to say. */
struct judgement {
    enum verdict verdict;
    char type[JUDGEMENT_TYPE_BYTES];
    char *message;
    char *stack;
};
/* Judge an ended child: 0 acks, 65 rejects, all else nacks. The type is never empty then. */
void child_judge(struct child *c, struct judgement *ret);
void judgement_done(struct judgement *j);

#endif
