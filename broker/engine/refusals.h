/* refusals: requests that were refused for want of a right: counted, and told to the log and the audit log, each user's want of a right
 * at once and then at most once in REFUSALS_TOLD_MS, with how many there were. */
#ifndef SHUNT_ENGINE_REFUSALS_H
#define SHUNT_ENGINE_REFUSALS_H

#include "base/slice.h"
#include "proto/words.h"

#include <stdint.h>

struct engine;
struct refusal;
struct step;

#define REFUSALS_TOLD_MS 1000
/* Users' wants of a right that are told in this time; further ones are only counted. */
#define REFUSALS_MAX 64
/* In the place of a right: to be an administrator. */
#define REFUSED_KINDS (RIGHTS + 1)

struct refusals {
    uint64_t count[REFUSED_KINDS];
    struct refusal *kept; /* REFUSALS_MAX of them, once there was one */
    uint32_t kept_count;
    int64_t due_ms; /* mono: when those that wait are to be told; INT64_MAX: none do */
};

/* What the step was refused. */
struct refusing {
    unsigned right;     /* an enum right, or RIGHTS: to be an administrator */
    struct slice topic; /* on which; empty: it is asked for on none */
    struct slice asked; /* the request's fields for people to read */
};

void refusals_init(struct refusals *r);
void refusals_done(struct refusals *r);
/* The step, whose session is asked, was refused: `st->refusing` says what. */
void refusals_note(struct engine *e, const struct step *st);
/* Tell what is due. */
void refusals_tell(struct engine *e);

#endif
