/* silence: consumers that let a lease run out and are not heard from. */
#ifndef SHUNT_ENGINE_SILENCE_H
#define SHUNT_ENGINE_SILENCE_H

#include <stdint.h>

struct engine;
struct mpack_buffer;
struct session;
struct snapshot_silent;

void silence_begins(struct session *s); /* a lease of it ran out */
void silence_heard(struct session *s);  /* something came from it */
/* Those of whom nothing has come for longest first; returns how many. */
uint32_t silence_list(const struct engine *e, struct snapshot_silent *to, uint32_t most);
void silence_write(const struct engine *e, struct mpack_buffer *out); /* an array of maps, for STATS */

#endif
