/* child: a server that the load generator started, in a directory of its own that goes away with it. It is
 * ended by its process id, also when the generator dies. */
#ifndef SHUNT_BENCH_CHILD_H
#define SHUNT_BENCH_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "bench/directory.h"
#include "bench/link.h"

#define CHILD_PATH_BYTES (DIRECTORY_BYTES + 8)

#define CHILD_WORDS_MAX 31

/* All zero is none. */
struct child {
    pid_t pid;
    char dir[DIRECTORY_BYTES];
    char log[CHILD_PATH_BYTES]; /* its standard output and error */
};

/* Make a directory of its own in `parent`. */
bool child_directory(struct child *c, const char *parent, char *why);
/* Run argv[0] (looked up in PATH); at most CHILD_WORDS_MAX words, ended by NULL. */
bool child_start(struct child *c, const char *const argv[], char *why);
/* Wait until a line of its log contains `mark`; `ret_line` (may be NULL) gets the line. False: it ended, or
 * `seconds` went by; `why` has the end of its log. */
bool child_wait_for(struct child *c, const char *mark, unsigned seconds, char *ret_line, size_t line_bytes,
                    char *why);
bool child_alive(struct child *c);
/* SIGTERM and wait, or with `kill` SIGKILL. The directory stays. */
void child_stop(struct child *c, bool kill);
/* Stop it and remove its directory. Takes one that never started. */
void child_done(struct child *c);

#endif
