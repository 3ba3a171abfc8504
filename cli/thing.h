/* thing: topics and groups as the tool shows them; both nouns, and whoever must know how much there is, use
 * it. */
#ifndef SHUNT_CLI_THING_H
#define SHUNT_CLI_THING_H

#include <stdint.h>

#include "cli/record.h"

struct call;

extern const struct record_field thing_group_fields[];
extern const struct record_field thing_topic_fields[];

/* Show one, as the form asks for. */
void thing_show_topic(const struct call *call, const struct shunt_value *topic);
void thing_show_group(const struct call *call, const struct shunt_value *group);
/* Show many. */
void thing_list_topics(const struct call *call, const struct shunt_value *topics);
void thing_list_groups(const struct call *call, const struct shunt_value *groups);

/* The sum of an integer member over a list of groups. */
uint64_t thing_sum(const struct shunt_value *groups, const char *key);

#endif
