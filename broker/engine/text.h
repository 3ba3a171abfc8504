/* text: sentences for answers. All of them live as long as the turn; "" without memory. */
#ifndef SHUNT_ENGINE_TEXT_H
#define SHUNT_ENGINE_TEXT_H

#include "base/slice.h"

struct engine;

/* printf-like; what is longer than 511 bytes is cut. */
const char *engine_text(struct engine *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A name for a text: quoted, cut to `most` bytes and made harmless, because a client may send any bytes. */
const char *engine_name(struct engine *e, struct slice name, size_t most);
/* Which topic or group an error is about that says it is not there, or is there already, and what to do: NULL
 * for other errors, whose reasons say more. */
const char *engine_about(struct engine *e, int err, struct slice topic, struct slice group, const char *hint);
#define HINT_MISSING "; check the name, or create it"
#define HINT_DELETED ", which was deleted"
/* Why JOB_SHOW and JOB_CANCEL do not find it. */
const char *engine_no_job(struct engine *e, uint64_t job);
/* A user, role or token that a command speaks of is not there. */
struct command;
const char *engine_no_identity(struct engine *e, const struct command *c);
const char *engine_no_user(struct engine *e, struct slice name);
/* A group has no rule of that number. */
const char *engine_no_rule(struct engine *e, uint32_t rule, struct slice topic, struct slice group);

#endif
