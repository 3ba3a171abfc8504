/* gate_demand: what a request needs, by its row of proto/need.def and its fields alone. Nothing is looked up: that is gate.h. */
#ifndef SHUNT_ENGINE_GATE_DEMAND_H
#define SHUNT_ENGINE_GATE_DEMAND_H

#include "proto/request.h"

#include <stdbool.h>

/* What something is asked for on: the second column of need.def. */
enum demand_on { ON_NOTHING, ON_TOPIC, ON_SOME, ON_EVERY, ON_JOB, ON_SELF, ON_USERS };

struct demand {
    enum demand_on on;
    uint32_t rights;    /* RIGHT() bits: all of them; ON_SOME: one of them */
    struct slice topic; /* ON_TOPIC; lent as the request's */
};

/* The request's own, what its fields add, and what a rule adds that is there already: two rights on its topic, and the target of each. */
#define DEMANDS_MAX 6
struct demands {
    uint32_t count;
    struct demand items[DEMANDS_MAX];
};

/* What the request needs, its fields and its topic having been read. ON_NOTHING is left out; `ret` may be empty then. */
void demands_of(enum wire_need need, unsigned op, struct slice topic, const union request_fields *fields,
                struct demands *ret);
/* One more: these rights on that topic, or those of `need` if it is a dead-letter queue. Empty names are passed over. */
void demands_add(struct demands *to, enum wire_need need, struct slice topic);
/* What is to send dead letters of `topic` to `target`, where others may read them; nothing, if that is empty. */
void demands_add_target(struct demands *to, struct slice topic, struct slice target);
/* The rights that are missing, of those that there are on what it is asked for on; 0: none. */
uint32_t demand_missing(const struct demand *d, uint32_t rights);
/* Whether rights on the topic called so are those on its dead letters. */
bool demand_is_of_dlq(struct slice topic);

#endif
