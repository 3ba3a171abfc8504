/* crash_symbols: from an address in a module to function, file and line.
 *
 * With libdw at build time, and there when the program runs, from the debug information of the module or its separate file found by build id;
 * else, and where there is none, the module and the offset in it. Reads files, never the network. The
 * program's own file is the one that runs, wherever it is now; a library's that was replaced meanwhile is
 * known by its build id, and names nothing. (Without build ids, which linkers write by default on most
 * systems, nobody can tell.)
 */
#ifndef SHUNT_CLIENT_WORKER_CRASH_SYMBOLS_H
#define SHUNT_CLIENT_WORKER_CRASH_SYMBOLS_H

#include "client/worker/crash_capture.h"

#include <stdbool.h>

struct crash_symbols;

/* One line of a stack. Strings are lent for the call; NULL where it is not known. */
struct crash_line {
    const char *function;
    const char *file;
    int line;
    const char *module; /* path */
    uint64_t offset;    /* of the address in the module's file */
    bool replaced;      /* the module's file is another one by now */
};

typedef void crash_line_cb(void *context, const struct crash_line *line);

/* Loads libdw if it is not loaded. NULL without memory, or without libdw: takes nothing away from crash_symbols_lines(). */
struct crash_symbols *crash_symbols_new(void);
void crash_symbols_free(struct crash_symbols *s); /* takes NULL */

/* Call `callback` for the functions at this frame, inlined ones first, at least once. */
void crash_symbols_lines(struct crash_symbols *s, const struct crash_frame *frame, crash_line_cb *callback,
                         void *context);

#endif
