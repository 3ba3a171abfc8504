/* catalog: topics and groups as the tool shows them. The commands of both nouns use it, and those that say
 * how much they will touch. */
#ifndef SHUNT_CLI_CATALOG_H
#define SHUNT_CLI_CATALOG_H

#include <stdint.h>

#include "cli/record.h"

struct call;

extern const struct record_field catalog_group_fields[];
extern const struct record_field catalog_topic_fields[];

/* Show one, in the form that -o asks for. */
void catalog_show_topic(const struct call *call, const struct shunt_value *topic);
void catalog_show_group(const struct call *call, const struct shunt_value *group);
/* Show many. */
void catalog_list_topics(const struct call *call, const struct shunt_value *topics);
void catalog_list_groups(const struct call *call, const struct shunt_value *groups);

/* The sum of an integer member over a list of groups. */
uint64_t catalog_sum(const struct shunt_value *groups, const char *key);

#endif
