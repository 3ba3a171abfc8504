/* merge: see merge.h. */
#include "broker/journal/merge.h"
#include "base/check.h"
#include "base/magic.h"
#include "proto/errors.h"

static int work(struct merge *m, enum merge_kind kind)
{
    switch (kind) {
    case MERGE_GENERATION:
        return generation_merge(m->generation, m->store, &m->meta, &m->stubs);
    case MERGE_AWAY:
        return away_put(m->store, &m->away);
    case MERGE_FILE:
        return journal_extend_file(m->file, m->from, m->to, m->written);
    case MERGE_KINDS:
        break;
    }
    check(false);
    return 0;
}

/* The kind that is to be done next; MERGE_KINDS: none. The file comes first: a commit may wait for it. */
static enum merge_kind next(const struct merge *m)
{
    enum merge_kind kind = MERGE_KINDS;
    while (kind > 0 && !(m->jobs[kind - 1].asked && !m->jobs[kind - 1].done))
        kind--;
    return kind > 0 ? kind - 1 : MERGE_KINDS;
}

static void *run(void *context)
{
    struct merge *m = magic_of(context, merge, MERGE_MAGIC);
    (void)pthread_mutex_lock(&m->mutex);
    for (;;) {
        enum merge_kind kind = next(m);
        if (kind == MERGE_KINDS && m->stop)
            break;
        if (kind == MERGE_KINDS) {
            (void)pthread_cond_wait(&m->asked, &m->mutex);
            continue;
        }
        (void)pthread_mutex_unlock(&m->mutex);
        int err = work(m, kind);
        (void)pthread_mutex_lock(&m->mutex);
        m->jobs[kind].err = err;
        m->jobs[kind].done = true;
        (void)pthread_cond_broadcast(&m->ended);
    }
    (void)pthread_mutex_unlock(&m->mutex);
    return NULL;
}

int merge_start(struct merge *m, bool threaded)
{
    *m = (struct merge){.magic = MERGE_MAGIC, .threaded = threaded};
    if (!threaded)
        return 0;
    if (pthread_mutex_init(&m->mutex, NULL) != 0)
        return SHUNT_NO_MEMORY;
    if (pthread_cond_init(&m->asked, NULL) != 0 || pthread_cond_init(&m->ended, NULL) != 0)
        return SHUNT_NO_MEMORY;
    if (pthread_create(&m->thread, NULL, run, m) != 0)
        return SHUNT_IO;
    m->started = true;
    return 0;
}

void merge_stop(struct merge *m)
{
    if (!m->started)
        return;
    (void)pthread_mutex_lock(&m->mutex);
    m->stop = true;
    (void)pthread_cond_signal(&m->asked);
    (void)pthread_mutex_unlock(&m->mutex);
    (void)pthread_join(m->thread, NULL);
    (void)pthread_cond_destroy(&m->asked);
    (void)pthread_cond_destroy(&m->ended);
    (void)pthread_mutex_destroy(&m->mutex);
    m->started = false;
}

static void ask(struct merge *m, enum merge_kind kind)
{
    if (!m->threaded) {
        m->jobs[kind] = (struct merge_job){.asked = true};
        return;
    }
    (void)pthread_mutex_lock(&m->mutex);
    m->jobs[kind] = (struct merge_job){.asked = true};
    (void)pthread_cond_signal(&m->asked);
    (void)pthread_mutex_unlock(&m->mutex);
}

void merge_ask_generation(struct merge *m, const struct generation *g, struct store *store,
                          const struct journal_meta *meta)
{
    check(!merge_busy(m, MERGE_GENERATION) && !merge_busy(m, MERGE_AWAY));
    m->generation = g;
    m->store = store;
    m->meta = *meta;
    ask(m, MERGE_GENERATION);
}

void merge_ask_away(struct merge *m, const struct away *away, struct store *store)
{
    check(!merge_busy(m, MERGE_GENERATION) && !merge_busy(m, MERGE_AWAY));
    m->away = *away;
    m->store = store;
    ask(m, MERGE_AWAY);
}

void merge_ask_file(struct merge *m, struct journal_file *file, uint64_t from, uint64_t to, bool written)
{
    check(!merge_busy(m, MERGE_FILE));
    m->file = file;
    m->from = from;
    m->to = to;
    m->written = written;
    ask(m, MERGE_FILE);
}

static void do_one(struct merge *m, enum merge_kind kind)
{
    m->jobs[kind].err = work(m, kind);
    m->jobs[kind].done = true;
}

bool merge_step(struct merge *m)
{
    enum merge_kind kind = m->threaded ? MERGE_KINDS : next(m);
    if (kind != MERGE_KINDS)
        do_one(m, kind);
    return kind != MERGE_KINDS;
}

/* Only who asks changes `asked`. */
bool merge_busy(const struct merge *m, enum merge_kind kind)
{
    return m->jobs[kind].asked;
}

bool merge_ended(struct merge *m, enum merge_kind kind, bool wait, int *ret_err)
{
    struct merge_job *job = &m->jobs[kind];
    if (!job->asked)
        return false;
    if (m->threaded)
        (void)pthread_mutex_lock(&m->mutex);
    while (wait && !job->done && m->threaded)
        (void)pthread_cond_wait(&m->ended, &m->mutex);
    if (wait && !job->done)
        do_one(m, kind);
    bool over = job->done;
    *ret_err = job->err;
    if (over)
        *job = (struct merge_job){0};
    if (m->threaded)
        (void)pthread_mutex_unlock(&m->mutex);
    return over;
}
