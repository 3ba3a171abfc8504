/* notice: somebody who does not wait for a call, and is told how it ended. It is made together with the call, so
 * that telling needs no memory.
 *
 *   it waits with a call or a consumer ── the end is known ──> it is in the core's list ──> called back and freed */
#ifndef SHUNT_CLIENT_WIRE_NOTICE_H
#define SHUNT_CLIENT_WIRE_NOTICE_H

#include "client/shunt.h"

struct notice {
    struct notice *next;
    struct notice *prev;
    shunt_done_cb *callback; /* may be NULL */
    void *context;
    int64_t until_us;         /* the end is known by then; INT64_MAX: some day */
    struct shunt_error error; /* code 0 if it went well */
};

struct notice_list {
    struct notice *head;
    struct notice *tail;
    size_t count;
};

/* NULL without memory. */
struct notice *notice_new(shunt_done_cb *callback, void *context, int64_t until_us);
/* Tell the oldest, and free it; false if there is none. */
bool notice_call_back(struct notice_list *list);
void notice_free_all(struct notice_list *list);

#endif
