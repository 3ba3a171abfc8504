/* take_up: deliveries of an earlier connection that a consumer still works on, and goes on with. */
#ifndef SHUNT_ENGINE_TAKE_UP_H
#define SHUNT_ENGINE_TAKE_UP_H

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct handout;
struct kept;
struct mpack_buffer;
struct mpack_reader;
struct session;
struct step;

/* False: it is refused, for the reason in *ret_why. A malformed one leaves the reader failed. */
bool kept_read(struct session *s, struct mpack_reader *r, struct kept *ret, const char **ret_why);
/* Add the command that takes up what the SUBSCRIBE names. False: there is nothing to take up. */
bool kept_take_up(struct engine *e, struct step *st);
void kept_taken_up(struct engine *e, struct step *st, uint32_t entry, const struct handout *h);
void kept_write(const struct kept *kept, struct mpack_buffer *out); /* the array of their new tokens */

#endif
