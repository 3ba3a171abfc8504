/* fake_engine: see fake_engine.h. */
#include "fake_engine.h"

#include "broker/engine/engine.h"
#include "proto/errors.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int answer_err;
static bool gate_closed;
static unsigned questions, commits, topics, together, together_max;

void fake_answer(int err)
{
    pthread_mutex_lock(&lock);
    answer_err = err;
    pthread_mutex_unlock(&lock);
}

void fake_gate(bool closed)
{
    pthread_mutex_lock(&lock);
    gate_closed = closed;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void fake_wait_until_asked(void)
{
    pthread_mutex_lock(&lock);
    while (together == 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static unsigned read_locked(const unsigned *value)
{
    pthread_mutex_lock(&lock);
    unsigned now = *value;
    pthread_mutex_unlock(&lock);
    return now;
}

unsigned fake_questions(void)
{
    return read_locked(&questions);
}

unsigned fake_commits(void)
{
    return read_locked(&commits);
}

unsigned fake_topics_max(void)
{
    return read_locked(&topics);
}

unsigned fake_together_max(void)
{
    return read_locked(&together_max);
}

struct snapshot *fake_snapshot(size_t rows, bool rest)
{
    struct snapshot *s = calloc(1, sizeof *s);
    s->wall_ms = 1700000000000;
    s->rows = calloc(rows ? rows : 1, sizeof *s->rows);
    s->rows_count = rows;
    for (size_t i = 0; i < rows; i++) {
        struct snapshot_group *g = &s->rows[i];
        snprintf(g->topic, sizeof g->topic, "topic%zu", i / 2);
        snprintf(g->group, sizeof g->group, "group%zu", i % 2);
        g->published = 100 + i;
        g->ready = 1;
        g->in_flight = 2;
        g->delayed = 3;
        g->dead = i % 2;
        g->oldest_ready_ms = s->wall_ms - 1500;
        g->oldest_dead_ms = g->dead ? s->wall_ms - 60000 : 0;
    }
    s->has_rest = rest;
    s->rest.published = 77;
    return s;
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    free(s->rows);
    free(s);
}

int engine_snapshot(struct engine *e, uint32_t topics_max, bool commit, int64_t timeout_ms,
                    struct snapshot **ret)
{
    (void)e;
    (void)timeout_ms;
    pthread_mutex_lock(&lock);
    questions++;
    topics = topics_max;
    commits += commit;
    together++;
    if (together > together_max)
        together_max = together;
    pthread_cond_broadcast(&changed);
    while (gate_closed)
        pthread_cond_wait(&changed, &lock);
    together--;
    int err = answer_err;
    pthread_mutex_unlock(&lock);
    if (err == 0)
        *ret = fake_snapshot(2, false);
    return err;
}
