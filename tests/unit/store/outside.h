/* outside: what a store calls outside of itself, each call of which can be made to fail: LMDB, the system and
 * the heap. For programs that are linked with outside.c and the --wrap options of meson.build.
 */
#ifndef SHUNT_TESTS_OUTSIDE_H
#define SHUNT_TESTS_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>

enum outside { OUTSIDE_LMDB, OUTSIDE_SYSTEM, OUTSIDE_HEAP };

/* From now on the n-th call of that kind, from 1, fails with `code` (LMDB's own, or an errno), and so do the
 * `times - 1` after it. 0: none does. */
void outside_arm(enum outside what, unsigned n, unsigned times, int code);
/* Calls of that kind since then. */
unsigned outside_calls(void);
/* The name of the call that failed first; NULL: none did. */
const char *outside_failed(void);
/* Bytes of files that were asked to be set aside since then. */
uint64_t outside_set_aside(void);

#endif
