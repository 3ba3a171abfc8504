/* load: the names that a run gives its topics and groups. */
#include "bench/load.h"

#include <stdio.h>

const char *load_topic(const struct load *l, unsigned i, char *to)
{
    if (l->topics <= 1)
        return "bench";
    (void)snprintf(to, TOPIC_NAME_BYTES, "bench-%05u", i % l->topics);
    return to;
}

const char *load_group(const struct load *l, unsigned i, char *to)
{
    if (l->groups <= 1)
        return NULL;
    (void)snprintf(to, TOPIC_NAME_BYTES, "g%u", i % l->groups);
    return to;
}
