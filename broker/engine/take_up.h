/* take_up: deliveries of an earlier connection that a consumer still works on, and goes on with. */
#ifndef SHUNT_ENGINE_TAKE_UP_H
#define SHUNT_ENGINE_TAKE_UP_H

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct handout;
struct kept;
struct mpack_buffer;
struct session;
struct step;
struct wire_list;

/* The deliveries that a SUBSCRIBE names. */
void kept_make(struct session *s, const struct wire_list *list, struct kept *ret);
/* Add the command that takes up what the SUBSCRIBE names. False: there is nothing to take up. */
bool kept_take_up(struct engine *e, struct step *st);
void kept_taken_up(struct engine *e, struct step *st, uint32_t entry, const struct handout *h);
void kept_write(const struct kept *kept, struct mpack_buffer *out); /* the array of their new tokens */

#endif
