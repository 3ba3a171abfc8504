/* crash_report: how a child ended, in words an operator can use.
 *
 *   type     SIGSEGV …, `timeout`, `exit 7`; the class of an exception that exit() or abort() ended
 *   message  SIGSEGV at 0x10 (address not mapped) in parse_item
 *            SIGABRT in parse_item: the line it wrote to stderr that says what failed (client/worker/diagnosis.h)
 *            no verdict after 30s
 *            that line, or: the handler called exit(7)
 *   stack    parse_item at src/parse.c:12     one line for each function, innermost first
 *            stderr:                          and the end of what it wrote there
 *
 * The type is `channel_closed` if the child has closed the descriptor on which its verdict was to come, and
 * `exec` if it has become another program.
 */
#ifndef SHUNT_CLIENT_WORKER_CRASH_REPORT_H
#define SHUNT_CLIENT_WORKER_CRASH_REPORT_H

#include "client/worker/crash_capture.h"
#include "client/worker/verdict.h"

/* How much of a child's stderr is kept. */
#define CRASH_STDERR_BYTES 4096

struct crash_evidence {
    const void *raw; /* what came through the report pipe, complete or not */
    size_t raw_bytes;
    const char *errors; /* the end of its stderr, of at most CRASH_STDERR_BYTES */
    size_t errors_bytes;
    struct shunt_diagnosis *said; /* all of its stderr */
};

/* It ended by itself: `status` is that of waitpid(), -1 if somebody else took it. */
void crash_report_ended(struct shunt_verdict *v, int status, const struct crash_evidence *evidence);
/* It gave no verdict within `timeout_ms`, was asked where it is, and killed. */
void crash_report_timeout(struct shunt_verdict *v, int64_t timeout_ms, const struct crash_evidence *evidence);

/* It handled its job, but its verdict cannot be had: it has closed the descriptor for it. */
void crash_report_unheard(struct shunt_verdict *v, const struct crash_evidence *evidence);
/* It has become another program, called that. */
void crash_report_exec(struct shunt_verdict *v, const char *program, const struct crash_evidence *evidence);
/* It returned `outcome` and gave the verdict `v`: what it did not say of a failure is taken from its stderr.
 */
void crash_report_returned(struct shunt_verdict *v, int outcome, const struct crash_evidence *evidence);

/* True if a report is there whole, so that nothing more is to be waited for. */
bool crash_raw_complete(const void *raw, size_t raw_bytes);

/* "SIGSEGV"; `to` holds at least 32 bytes; returns `to`. */
char *crash_signal_name(char *to, int signal_number);

#endif
