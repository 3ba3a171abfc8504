/* rest: the counters of the topics that have no series of their own, summed so that they never go down.
 *
 * A sum over the topics that there are goes down when one of them is deleted, or gets series of its own, and
 * a monitoring system takes that for a restart and the whole sum for what was counted since. So what is told
 * is how much the counters have grown, since they were first asked for.
 */
#ifndef SHUNT_ENGINE_REST_H
#define SHUNT_ENGINE_REST_H

#include "broker/engine/snapshot.h"

struct rest {
    bool known;                   /* there were such topics */
    struct snapshot_group before; /* their sums when last asked for */
    struct snapshot_group told;   /* of it the counters alone */
};

/* Turn the sums in *now into what is told. `there`: there are such topics now; true for good once it was. */
void rest_tell(struct rest *r, struct snapshot_group *now, bool *there);

#endif
