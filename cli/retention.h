/* retention: a new `dlq-retention` takes dead letters that are older, at once: that is told and asked, as by
 * the other commands that destroy. */
#ifndef SHUNT_CLI_RETENTION_H
#define SHUNT_CLI_RETENTION_H

struct call;

/* At most so many are looked at to count them; "or more" is told then. */
#define RETENTION_COUNT_MAX 10000

/* Before settings are changed, with the command's options: EXIT_OK if nothing goes, or the answer is yes;
 * else the exit code, told. `group` NULL: those of the topic's groups that have no retention of their own.
 * Needs a connection. */
int retention_confirm(struct call *call, const char *topic, const char *group);

#endif
