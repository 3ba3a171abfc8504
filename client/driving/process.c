/* process: a handle in an event loop of the program's. */
#include "base/clock.h"
#include "client/driving/handle.h"
#include "client/driving/hooks.h"

int shunt_fd(const struct shunt *s)
{
    struct shunt *own = (struct shunt *)(uintptr_t)s; /* handles are never constant: shunt_open() made it */
    if (!own->loop.watched) {
        own->loop.watched = true;
        loop_wake(own); /* something may be queued already */
    }
    return s->loop.epoll_fd;
}

struct processing {
    struct shunt *s;
    bool outer;
};

static void processing_end(struct processing *p)
{
    if (p->outer)
        p->s->loop.processing = false;
    loop_rest(p->s);
}

int shunt_process(struct shunt *s, struct shunt_error *err)
{
    /* Also when an exception leaves a callback. */
    __attribute__((cleanup(processing_end), unused)) struct processing processing = {s, !s->loop.processing};
    s->loop.processing = true;
    int64_t now_us = clock_mono_us();
    loop_advance(s, now_us);
    loop_wait(s, 0);
    handle_call_back(s);
    loop_send(s, now_us);
    handle_call_back(s); /* the write may have let a marked message through */
    return s->core.fatal.code != 0 || handle_is_copy(s) ? handle_usable(s, err) : 0;
}

void client_send(struct shunt *s)
{
    int64_t now_us = clock_mono_us();
    loop_advance(s, now_us);
    loop_send(s, now_us);
    loop_rest(s);
}
