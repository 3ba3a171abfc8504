/* child: runs a program and waits for it, with bounds on its time and on what is kept of what it writes. */
#ifndef SHUNT_BROKER_CHILD_H
#define SHUNT_BROKER_CHILD_H

#include "base/slice.h"
#include <stdbool.h>
#include <stdint.h>

#define CHILD_TEXT_BYTES 256

struct child_command {
    char *const *words; /* the program, looked for in PATH, and its arguments; NULL ends them */
    char *const *environment;
    struct slice input; /* what it reads from its standard input */
    int64_t timeout_ms; /* then its process group is killed */
    int stop_fd;        /* becomes readable: it is killed at once */
};

enum child_end { CHILD_EXITED, CHILD_SIGNALLED, CHILD_TIMED_OUT, CHILD_STOPPED, CHILD_NOT_STARTED };

struct child_result {
    enum child_end end;
    int status; /* exit status, signal, or (not started) an errno */
    /* The beginning of what it wrote, as one line of clean text. The rest is read and forgotten. */
    char out[CHILD_TEXT_BYTES], err[CHILD_TEXT_BYTES];
};

/* Blocks. The program leads a process group of its own; whatever is left of the group when it ends is killed. It inherits
 * no descriptors, and no signal is ignored or blocked in it. */
void child_run(const struct child_command *c, struct child_result *ret);

/* Can the program be found and run? */
bool child_can_run(const char *program);

#endif
