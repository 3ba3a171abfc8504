/* view_error: why an attempt failed, said by the broker where its consumer could not: a lease that ran out, a
 * connection that was lost, a time to live that passed. Made when it is looked at, from what the history has,
 * so that it takes no room there. */
#ifndef SHUNT_CORE_VIEW_ERROR_H
#define SHUNT_CORE_VIEW_ERROR_H

#include "broker/core/schema.h"

/* Two names, a duration and the words between them. */
#define VIEW_ERROR_BYTES (2 * CLIENT_NAME_BYTES_MAX + 200)

struct view_error {
    struct slice type, message; /* of the history row, of `text`, or static */
    size_t size;
    char text[VIEW_ERROR_BYTES];
};

/* What a row of the history has to say. Both are empty where nothing failed and nobody said anything
 * (released, unstarted, a restart of the broker); otherwise the type never is: without one it is the outcome.
 * in: `ttl_ms`: the time to live that its message had. `h` must outlive *ret. */
void view_error_of(const struct history_record *h, int64_t ttl_ms, struct view_error *ret);

/* The same for a dead letter that has no history, by its reason. */
void view_error_of_reason(enum dead_reason reason, struct view_error *ret);

#endif
