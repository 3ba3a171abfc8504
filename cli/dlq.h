/* dlq: reading the dead letters of a group, page by page, and the commands of the noun. */
#ifndef SHUNT_CLI_DLQ_H
#define SHUNT_CLI_DLQ_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/dlq_filter.h"

#define DLQ_PREFIX     "dlq:"
#define DLQ_NAME_BYTES 256 /* names of topics and groups have at most 100 */

struct call;
struct shunt_value;

/* A walk over the dead letters of the topic and group of the command line. */
struct dlq_walk {
    const struct dlq_filter *filter; /* NULL: all */
    uint64_t limit;                  /* of letters */
    uint64_t after;                  /* begins behind this number; then stands where the next walk goes on */
    uint64_t seen;                   /* letters */
    bool more;                       /* there may be others */
};

/* Call `row` for each. It returns an exit code; one that is not EXIT_OK ends the walk and is returned. */
typedef int dlq_row(void *context, const struct shunt_value *dead);
int dlq_walk(struct call *call, struct dlq_walk *w, dlq_row *row, void *context);

/* Tell the broker that somebody was shown the cause, or the letter (the other is NULL), unless --unattended. What prevents
 * it fails nothing. */
void dlq_attend(const struct call *call, const char *cause, const char *id);

/* If the first word is an id, put the topic that it names before it; its group too, if it is a dead letter's own id.
 * Returns EXIT_OK, or EXIT_USAGE after saying that there are fewer than `words_min` words then, or ids of two topics. */
int dlq_take_topic(struct call *call, size_t words_min);
/* `dlq list` without a topic. */
int dlq_list_queues(struct call *call);

/* The commands. */
int dlq_run_causes(struct call *call);
int dlq_run_cause(struct call *call);
int dlq_run_list(struct call *call);
int dlq_run_show(struct call *call);
int dlq_run_edit(struct call *call);
/* Give the letter the body that --body-file has or, without it, that the user makes of it in an editor; or with --undo its own
 * again. `tells`: on standard output or as a note, too. Returns an exit code: EXIT_NOTHING if the body stays what it is. */
int dlq_edit_letter(struct call *call, const char *id, bool tells);
int dlq_run_export(struct call *call);
int dlq_run_redrive(struct call *call);
/* How many of the oldest `limit` letters that the filter names died of each cause. Returns an exit code. */
int dlq_dry_run(struct call *call, const struct dlq_filter *filter, uint64_t limit);
int dlq_run_purge(struct call *call);

#endif
