/* confine: what a command of `shunt work --confine` may do: no sockets, files to read alone except in one directory, a bound of memory.
 *
 *   confine_prepare, in the worker   what the kernel has is asked for, and the rules are made
 *   confine_enter, in the command's process, before exec()
 *
 * By Landlock (files, other processes' memory), seccomp (sockets, and what Landlock is too old for or does not know) and a resource limit. All of it
 * holds for what the command starts as well, and nobody can leave it. Where the kernel lacks one of them, preparing fails.
 */
#ifndef SHUNT_CLI_CONFINE_H
#define SHUNT_CLI_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

struct sock_filter;

struct confine {
    int ruleset_fd;             /* Landlock's */
    struct sock_filter *filter; /* seccomp's */
    unsigned short filter_rows;
    int64_t memory_bytes; /* of each process; 0: no bound */
};

#define CONFINE_WHY_BYTES 256

/* `writable` NULL: no directory can be written. `memory_bytes` 0: no bound. False, and why not. */
bool confine_prepare(struct confine *c, const char *writable, int64_t memory_bytes,
                     char ret_why[CONFINE_WHY_BYTES]);
void confine_done(struct confine *c); /* also of one that was never prepared, if it is zeroed */

/* Allocates nothing, and asks for nothing that its own rules forbid. False, and errno. */
bool confine_enter(const struct confine *c);

#endif
