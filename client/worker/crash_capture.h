/* crash_capture: the child's side of telling where a handler crashed or hangs.
 *
 * Signal handlers on their own stack write a raw report to a pipe; nothing in it is interpreted here, because
 * the process that writes it is broken. What they call is async-signal-safe, or was called once before (the
 * unwinder).
 *
 *   report: head, frame*, last        head and frames are the structs below, in memory order; `last` is a
 * frame whose `address` is CRASH_LAST. The head comes in a write of its own: if the stack is too damaged to
 * unwind, it has arrived all the same.
 */
#ifndef SHUNT_CLIENT_WORKER_CRASH_CAPTURE_H
#define SHUNT_CLIENT_WORKER_CRASH_CAPTURE_H

#include <stdint.h>
#include <sys/types.h>

#define CRASH_FRAMES_MAX   48
#define CRASH_MAGIC        0x43524153u
#define CRASH_LAST         UINT64_MAX
#define CRASH_MODULE_BYTES 240
#define CRASH_BUILD_BYTES  20          /* a longer build id is cut */
#define CRASH_STACK_BYTES  (64 * 1024) /* of the alternate signal stack */

struct crash_head {
    uint32_t magic;
    int32_t signal;
    int32_t code;     /* si_code */
    int32_t sender;   /* si_pid, if a process sent it */
    uint64_t address; /* si_addr */
};

struct crash_frame {
    uint64_t address;     /* of the instruction, or the last byte of the call */
    uint64_t bias;        /* the module's load address minus the one in its file */
    uint32_t build_bytes; /* 0 if the module has no build id */
    uint8_t build[CRASH_BUILD_BYTES];
    char module[CRASH_MODULE_BYTES]; /* path; "" for the program itself, "?" if it is in none */
};

struct crash_raw {
    struct crash_head head;
    struct crash_frame frames[CRASH_FRAMES_MAX + 1]; /* with the last one */
};

_Static_assert(sizeof(struct crash_raw) ==
                   sizeof(struct crash_head) + (CRASH_FRAMES_MAX + 1) * sizeof(struct crash_frame),
               "a report is read as it is written, without gaps");

/* The signal with which the parent asks a child that is out of time where it is. */
int crash_ask_signal(void);

/* Report crashes, and where this thread is when asked, to `fd`. A crash then takes its default action; one
 * who was asked waits to be killed. Also unblocks the signals concerned. The alternate stack is that of the
 * calling thread. */
void crash_capture_install(int fd);

/* Leave the frames of the caller, and of those who called it, out of reports from this thread: they are the
 * same for all. */
#define crash_capture_from_here() crash_capture_floor(__builtin_frame_address(0))
void crash_capture_floor(const void *frame);

#endif
