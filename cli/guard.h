/* guard: a process between the worker and one command, so that nothing of the command outlives the worker or
 * its own attempt, however either ends.
 *
 *   worker ──line──→ guard ──→ command (leader of a process group) ──→ what it starts
 *
 * The guard is what orphans among its descendants are given to, so it finds all of them, those in a session
 * of their own too. When the line closes (the worker ended, even of SIGKILL) it kills them at once. When the
 * command has ended it ends what the command left behind, and only then tells the worker. If the guard itself
 * is killed, the kernel kills the command. What runs as another user (setuid programs) can refuse to be
 * killed; nobody waits for that for long.
 */
#ifndef SHUNT_CLI_GUARD_H
#define SHUNT_CLI_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

/* What a command left running gets SIGTERM, and SIGKILL so much later. */
#define GUARD_LEFTOVER_MS 1000
/* How long after a SIGKILL something may still be there before nobody waits for it any longer. */
#define GUARD_KILL_MS 2000

struct confine;

struct guard_spec {
    const char *path; /* of the program */
    char *const *arguments;
    char *const *environment;
    const int *streams; /* its standard input, output and error: three descriptors above 2, closed on exec */
    bool leave;         /* what the command left running may run on after it */
    const struct confine *confine; /* NULL: it may do what we may */
};

struct guard {
    pid_t pid;     /* of the guard; the caller waits for it */
    pid_t command; /* and its process group */
    int line;      /* readable when the command has ended; the caller's to close */
};

/* Start guard and command. Returns 0 or errno, that of a failed exec too; then there is nothing to clean up.
 */
int guard_start(struct guard *g, const struct guard_spec *spec);

/* Send a signal to the command's process group, as long as the command has not ended. */
void guard_signal(const struct guard *g, int signal);

/* The line is readable: true, and the command's status of waitpid(); false if the guard was killed. Reaps the
 * guard, and kills what is left of the group in that case; *ret_status is the guard's own then. */
bool guard_take_end(struct guard *g, int *ret_status);

/* The worker is done with it, whatever runs: kill all of it, wait for that, close. */
void guard_close(struct guard *g);

#endif
