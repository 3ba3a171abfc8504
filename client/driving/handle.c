/* handle: what every call asks of a handle first. */
#include "client/driving/handle.h"

#include "base/check.h"
#include "client/driving/fork_count.h"
#include "client/wire/error.h"

bool handle_is_copy(const struct shunt *s)
{
    return s->forks != fork_count();
}

bool handle_is_parting(const struct shunt *s)
{
    return s->core.goodbye || s->core.leaving || s->core.left;
}

int handle_usable(const struct shunt *s, struct shunt_error *err)
{
    check(s && s->magic == HANDLE_MAGIC);
    if (s->closing || handle_is_parting(s))
        return error_set(err, SHUNT_CLOSED, NULL);
    if (handle_is_copy(s)) {
        return error_set(err, SHUNT_CLOSED,
                         "the handle belongs to the process that this one was forked from; open another one");
    }
    if (s->core.fatal.code != 0)
        return error_set(err, s->core.fatal.code, "%s", s->core.fatal.text);
    return 0;
}

void handle_call_back(struct shunt *s)
{
    while (!handle_is_copy(s) && (events_call_back(&s->loop.events) || core_call_back(&s->core)))
        continue;
}

struct client_worker_slot *client_worker_slot(struct shunt *s)
{
    return &s->worker;
}
