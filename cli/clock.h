/* clock: the time, of both kinds, in milliseconds. */
#ifndef SHUNT_CLI_CLOCK_H
#define SHUNT_CLI_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

int64_t clock_mono_ms(void); /* for deadlines */
int64_t clock_wall_ms(void); /* for ages */

/* A poll() timeout that ends at `at_mono_ms`: -1 for CLOCK_NEVER, 0 when it has passed. */
int clock_poll_ms(int64_t at_mono_ms);

/* `after_ms` from now; a negative one is CLOCK_NEVER. */
int64_t clock_deadline(int64_t after_ms);

#endif
