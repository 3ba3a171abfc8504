/* passed_on: what handlers write to their stderr, on its way to ours. It never waits for the reader of
 * that: a full pipe or a stopped terminal must halt neither leases nor the answer to SIGTERM. */
#ifndef SHUNT_CLIENT_WORKER_PASSED_ON_H
#define SHUNT_CLIENT_WORKER_PASSED_ON_H

#include <stddef.h>

/* So long is waited for room, for each piece, unless bytes are being lost already. */
#define PASSED_ON_WAIT_MS 20

/* Write to stderr what it takes. What it does not is lost, and a line says how much as soon as there is room
 * again. */
void passed_on_write(const char *bytes, size_t size);

#endif
