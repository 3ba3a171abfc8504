/* load: the names that a run gives its topics, groups and keys. */
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

const char *load_key(const struct load *l, uint64_t i, char *to)
{
    if (!l->keys)
        return NULL;
    uint64_t mixed = (i + 1) * 0x9e3779b97f4a7c15ull >> 20;
    (void)snprintf(to, KEY_TEXT_BYTES, "k%llu", (unsigned long long)(l->first_key + mixed % l->keys));
    return to;
}
