/* trail: since when nobody had looked at the dead letters of each group, minute by minute of the last hour, for the line that a page
 * draws of it. In memory alone: a start of the server begins it again. Pure; sampler.c fills it. */
#ifndef SHUNT_HTTP_TRAIL_H
#define SHUNT_HTTP_TRAIL_H

#include "broker/engine/snapshot.h"
#include "broker/http/text.h"

#define TRAIL_EVERY_MS   60000
#define TRAIL_POINTS     60
#define TRAIL_GROUPS_MAX 1000 /* that are followed at a time: about half a kilobyte each */

struct trail_group {
    char topic[NAME_BYTES_MAX + 1], group[NAME_BYTES_MAX + 1];
    uint32_t age_s[TRAIL_POINTS]; /* of the oldest letter, by place; 0: there was none */
};

/* All zero: nothing yet. */
struct trail {
    struct trail_group **groups; /* in the order of topic and group */
    size_t groups_count, groups_capacity;
    uint64_t points;          /* ever */
    bool known[TRAIL_POINTS]; /* by place: whether the engine answered then */
    int64_t wall_ms;          /* of the newest */
    uint64_t left_out;        /* groups of the newest for which there was no place */
};

/* Add a point: those groups of the snapshot that have letters nobody has looked at; NULL: the engine did not answer. A group for
 * which there is no place, or no memory, is left out until one is followed no longer: when it had no such letter for an hour. */
void trail_note(struct trail *t, const struct snapshot *s, int64_t wall_ms);

/* As JSON: the answer of GET /api/v1/unattended. */
void trail_write(const struct trail *t, struct text *to);

void trail_done(struct trail *t);

#endif
