/* child: one standing child process, as its parent and as itself sees it. For child_pool.c alone.
 *
 *   parent                                            child
 *     socket   job: struct child_job, bytes   ---->
 *              verdict: struct child_verdict  <----   (the first one, with outcome CHILD_READY, has no texts)
 *     crash    raw report (crash_capture.h)   <----   pipe
 *     errors   stderr                         <----   pipe
 *     page     struct child_page              <----   shared memory
 * Both are the same program on the same machine, so numbers go as they are in memory.
 *
 * A handler may fork, and a copy of the child has all of these. So a verdict carries the number of its job,
 * only the process that was forked here sends one or reports a crash, and that this process has ended is
 * learned from the kernel alone: the end of a stream says nothing while a copy holds it open.
 */
#ifndef SHUNT_CLIENT_WORKER_CHILD_H
#define SHUNT_CLIENT_WORKER_CHILD_H

#include "client/worker/child_pool.h"
#include "client/worker/crash_report.h"
#include "client/worker/diagnosis.h"

#include <stdatomic.h>
#include <sys/types.h>

enum child_state { CHILD_ABSENT, CHILD_STARTING, CHILD_IDLE, CHILD_BUSY, CHILD_ASKED, CHILD_DOOMED };

#define CHILD_READY (-1)

/* Before the bytes of a job. The number is no other job's of this child; 0 is none. */
struct child_job {
    uint64_t number;
    uint64_t size;
};

#define CHILD_NAME_BYTES 16 /* of a process, with the end: the kernel's bound */

/* What must reach the parent even if the handler has closed every descriptor. */
struct child_page {
    atomic_bool unheard;         /* a verdict could not be sent */
    char name[CHILD_NAME_BYTES]; /* of the process when it took its job */
};

/* Followed by the texts, not terminated; CHILD_NO_TEXT as a length says there is none. */
#define CHILD_NO_TEXT UINT32_MAX
struct child_verdict {
    uint64_t number; /* of the job; 0 with CHILD_READY */
    int32_t outcome;
    uint32_t leaving; /* 1: it takes no further job, and ends */
    uint32_t type_bytes, message_bytes, stack_bytes, fingerprint_bytes;
    int64_t delay_ms;
};

#define CHILD_VERDICT_BYTES_MAX                                                                              \
    (sizeof(struct child_verdict) + ERROR_TYPE_BYTES_MAX + ERROR_MESSAGE_BYTES_MAX + ERROR_STACK_BYTES_MAX + \
     ERROR_FINGERPRINT_BYTES_MAX)

/* Descriptors are -1 where there is none. */
struct child {
    enum child_state state;
    pid_t pid;
    int pid_fd; /* readable when the process ended; -1 also on kernels without: then it is asked for now and
                   then */
    int socket;
    int crash;
    int errors;
    struct child_page *page;

    void *job;
    struct child_job head; /* of the job, or of the last one */
    bool has_job;
    bool ready;          /* it has said so: it got through its start */
    bool timed_out;      /* its job took too long */
    bool babbled;        /* what it sent cannot be a verdict */
    bool unheard;        /* it closed its socket and went on */
    bool became;         /* it has called exec(): it is `program` now, or was */
    bool killed;         /* by us; nothing but the kernel can keep it */
    bool release;        /* its job is given back, whatever its end looks like */
    int64_t deadline_ms; /* mono; what happens then depends on the state; -1 is none; ABSENT: when to spawn */

    char *out; /* the job still to be sent, after its head */
    size_t out_sent, out_bytes;

    size_t in_bytes;
    size_t raw_bytes;
    size_t tail_bytes;
    char in[CHILD_VERDICT_BYTES_MAX];
    struct crash_raw raw;
    char tail[CRASH_STDERR_BYTES];
    struct shunt_diagnosis said; /* on stderr, since it has its job */
    char program[CHILD_NAME_BYTES];
};

/* What a spawn needs to know of its surroundings. */
struct child_spawn {
    const struct child_pool_settings *settings;
    const struct child *all; /* the child closes what belongs to them */
    uint32_t all_count;
    int poll_fd;
};

/* Fork. Returns in the parent only. out: STARTING, descriptors open and not blocking. fails: IO. */
int child_spawn(struct child *c, const struct child_spawn *spawn, struct shunt_error *err);
/* Reap it if it has ended, and kill what is left of its process group: true, and its status (-1 if somebody
 * else took it). Never waits. */
bool child_reap(const struct child *c, int *ret_status);
/* Kill it, and what it has started in its process group. */
void child_kill(const struct child *c);
/* Ask its thread where it is: it will report. */
void child_ask(const struct child *c);
/* Close its descriptors, free what was to be sent; leaves it ABSENT without a deadline. */
void child_close(struct child *c);

/* Each reads or writes what is possible now. child_read_errors() forwards to our own stderr and keeps the
 * end. The first two return false when the other side is gone, child_read_crash() true when a report is there
 * whole. */
bool child_send(struct child *c);
bool child_read_verdict(struct child *c);
bool child_read_errors(struct child *c);
bool child_read_crash(struct child *c, bool *ret_whole);

/* Look whether it has become another program (child_exec.c), and note it. */
bool child_look_at_exec(struct child *c);

/* A verdict is there whole: take it out. `*ret_outcome` is CHILD_READY or what the handler returned;
 * `*ret_leaving`: the child takes no further job. Returns 0 (not yet), 1 (taken), -1 (what came cannot be a
 * verdict on the job that it has). */
int child_take_verdict(struct child *c, int *ret_outcome, bool *ret_leaving, struct shunt_verdict *v);

/* The child's whole life after fork(), which all signals are blocked for; never returns. */
_Noreturn void child_run(const struct child_pool_settings *settings, int socket, int crash,
                         struct child_page *page);

#endif
