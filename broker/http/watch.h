/* watch: whether a client over HTTP may see what all topics do, as the metrics and the stream of changes show it. It is asked as every call is: by a
 * connection of its own, whose HELLO asks for it (FEATURE_WATCH). */
#ifndef SHUNT_HTTP_WATCH_H
#define SHUNT_HTTP_WATCH_H

#include "broker/http/calls.h"
#include "broker/http/problem.h"
#include <microhttpd.h>

struct watch;

/* Ask, and suspend the connection until the answer is there. `until`: until when it may is asked, too, which counts as a request of its
 * address and user; without, nothing does, so that a page of metrics is never refused by a rate. NULL: `ret` says why not, and it is not suspended. */
struct watch *watch_begin(struct calls *calls, struct MHD_Connection *connection, bool until,
                          struct problem *ret);
/* The answer; takes it. False: it may not, and `ret` says why. `ret_until_ms` (NULL: it was not asked): wall: it may until then, when its token
 * expires; CLOCK_NEVER: for as long as nothing changes. */
bool watch_end(struct watch *w, int64_t *ret_until_ms, struct problem *ret);
/* Nobody wants to know any more; not while the connection is suspended. Takes NULL. */
void watch_free(struct watch *w);

#endif
