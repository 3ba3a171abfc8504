/* snapshot_wait: see snapshot_wait.h. */
#include "broker/engine/snapshot_wait.h"
#include "base/clock.h"
#include "proto/errors.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct snapshot_wait *snapshot_wait_new(uint32_t topics_max, bool commit)
{
    struct snapshot_wait *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->refs = 2;
    w->topics_max = topics_max;
    w->commit = commit;
    (void)pthread_mutex_init(&w->mutex, NULL);
    clock_cond_init(&w->answered);
    return w;
}

static void unref(struct snapshot_wait *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    bool last = --w->refs == 0;
    (void)pthread_mutex_unlock(&w->mutex);
    if (!last)
        return;
    snapshot_free(w->snapshot);
    (void)pthread_cond_destroy(&w->answered);
    (void)pthread_mutex_destroy(&w->mutex);
    free(w);
}

int snapshot_wait_for(struct snapshot_wait *w, int64_t timeout_ms, struct snapshot **ret)
{
    struct timespec deadline = clock_until(timeout_ms);
    (void)pthread_mutex_lock(&w->mutex);
    int late = 0;
    while (!w->done && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&w->answered, &w->mutex, &deadline);
    int err = w->done ? w->err : SHUNT_TIMEOUT;
    if (!err) {
        *ret = w->snapshot;
        w->snapshot = NULL;
    }
    (void)pthread_mutex_unlock(&w->mutex);
    unref(w);
    return err;
}

bool snapshot_wait_given_up(struct snapshot_wait *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    bool alone = w->refs == 1;
    (void)pthread_mutex_unlock(&w->mutex);
    return alone;
}

void snapshot_wait_answer(struct snapshot_wait *w, struct snapshot *s, int err)
{
    (void)pthread_mutex_lock(&w->mutex);
    w->snapshot = s;
    w->err = err;
    w->done = true;
    (void)pthread_cond_signal(&w->answered);
    (void)pthread_mutex_unlock(&w->mutex);
    unref(w);
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    free(s->rows);
    free(s);
}
