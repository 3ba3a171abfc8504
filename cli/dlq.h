/* dlq: reading the dead letters of a group, page by page. */
#ifndef SHUNT_CLI_DLQ_H
#define SHUNT_CLI_DLQ_H

#include <stdbool.h>
#include <stdint.h>

struct call;
struct shunt_value;

/* Call `row` for each of at most `limit` dead letters after number `after`. It returns an exit code; one that
 * is not EXIT_OK ends the walk and is returned. *ret_more: there are others; *ret_last: the number of the
 * last one. Both may be NULL. */
typedef int dlq_row(void *context, const struct shunt_value *dead);
int dlq_walk(struct call *call, uint64_t after, uint64_t limit, dlq_row *row, void *context, bool *ret_more,
             uint64_t *ret_last);

/* The commands that have files of their own. */
int dlq_run_export(struct call *call);
int dlq_run_redrive(struct call *call);
int dlq_run_purge(struct call *call);

#endif
