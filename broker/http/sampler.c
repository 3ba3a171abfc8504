/* sampler: see sampler.h.
 *
 * Happy path: sampler_wait() puts the waiter on the list; the thread asks the engine outside the lock, writes
 * the pages that somebody waits for, takes the lock, puts them in place, and wakes all whom the answer
 * serves. A failed question wakes everybody, with a page in each format, which is short then: an engine that
 * gives no numbers proves no commit either, and nobody waits for a second question.
 */
#include "broker/http/sampler.h"

#include "base/clock.h"
#include "base/magic.h"
#include "broker/engine/engine.h"
#include "broker/http/http.h"
#include "broker/http/metrics.h"
#include "broker/http/process.h"
#include "proto/errors.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SAMPLER_MAGIC 0xaae0c64du
struct sampler {
    uint32_t magic;
    struct sampler_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;

    /* Under `lock`. */
    bool stopping;
    struct sample_wait *waiting;
    struct made {
        struct page *page; /* the latest; NULL before the first */
        int64_t mono_ms;   /* when it was made */
    } made[METRICS_FORMATS];
    bool committed;         /* a commit went through at … */
    int64_t commit_mono_ms; /* … this time */
    int last_err;           /* of the latest question */
    struct trail trail;

    /* The thread's own. */
    int64_t answered_mono_ms; /* when the engine last answered, or the start */
    int64_t trail_mono_ms;    /* when the trail gets its next point */
};

void page_unref(struct page *p)
{
    if (!p)
        return;
    unsigned refs = atomic_fetch_sub(&p->refs, 1);
    check(refs > 0);
    if (refs > 1)
        return;
    p->magic = 0;
    text_done(&p->text);
    free(p);
}

/* ---- the thread ---- */

static enum metrics_format format_of(enum sample_kind kind)
{
    return kind == SAMPLE_OPENMETRICS ? METRICS_OPENMETRICS : METRICS_PLAIN;
}

/* The page for this answer (`snapshot` may be NULL); NULL without memory. */
static struct page *make_page(struct sampler *s, enum metrics_format format, const struct snapshot *snapshot,
                              int64_t now_ms)
{
    struct page *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->magic = PAGE_MAGIC;
    atomic_init(&p->refs, 1);
    struct process_stats process;
    process_read(&process);
    struct metrics_view view = {
        .format = format,
        .snapshot = snapshot,
        .snapshot_age_ms = now_ms - s->answered_mono_ms,
        .ready = atomic_load(s->config.ready),
        .log_dropped = s->config.log_dropped ? atomic_load(s->config.log_dropped) : 0,
        .certificate_expires_ms =
            s->config.certificate_expires_ms ? atomic_load(s->config.certificate_expires_ms) : 0,
        .breaches = s->config.breaches,
        .process = &process,
        .version = s->config.version,
    };
    struct backup_times backups = {0};
    if (snapshot && s->config.backups) {
        s->config.backups(s->config.context, &backups);
        view.backups = &backups;
    }
    metrics_write(&p->text, &view);
    if (p->text.failed) {
        page_unref(p);
        return NULL;
    }
    return p;
}

/* What an answer is for: a bit for each kind. */
#define WANTED(kind) (1u << (kind))
#define WANTED_PAGES (WANTED(SAMPLE_PAGE) | WANTED(SAMPLE_OPENMETRICS))
#define WANTED_ALL   (WANTED_PAGES | WANTED(SAMPLE_HEALTH))

static unsigned wanted(const struct sampler *s)
{
    unsigned kinds = 0;
    for (const struct sample_wait *w = s->waiting; w; w = w->next)
        kinds |= WANTED(w->kind);
    return kinds;
}

/* Take from the list all who wait for one of these kinds. */
static struct sample_wait *take_served(struct sampler *s, unsigned kinds)
{
    struct sample_wait *served = NULL;
    struct sample_wait **at = &s->waiting;
    while (*at) {
        struct sample_wait *w = *at;
        if (!(kinds & WANTED(w->kind))) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->next = served;
        served = w;
    }
    return served;
}

static void wake_all(struct sample_wait *list)
{
    while (list) {
        struct sample_wait *next = list->next; /* woken, `list` may be gone */
        list->wake(list);
        list = next;
    }
}

/* The answer is there: put the pages in place of the old ones, and wake whom it serves. Returns with the lock
 * held. */
static void put(struct sampler *s, struct page *pages[METRICS_FORMATS], unsigned kinds, int64_t now_ms,
                int err)
{
    (void)pthread_mutex_lock(&s->lock); /* not held by this thread: cannot fail */
    for (enum sample_kind k = SAMPLE_PAGE; k <= SAMPLE_OPENMETRICS; k++) {
        if (!(kinds & WANTED(k)))
            continue;
        struct made *made = &s->made[format_of(k)];
        struct page *old = made->page;
        *made = (struct made){.page = pages[format_of(k)], .mono_ms = now_ms};
        pages[format_of(k)] = old;
    }
    s->last_err = err;
    if (err == 0 && kinds & WANTED(SAMPLE_HEALTH)) {
        s->committed = true;
        s->commit_mono_ms = now_ms;
    }
    struct sample_wait *served = take_served(s, kinds);
    (void)pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < METRICS_FORMATS; i++)
        page_unref(pages[i]);
    wake_all(served);
    (void)pthread_mutex_lock(&s->lock);
}

/* One question. Called with the lock held, which is open while the engine thinks. */
static void ask(struct sampler *s)
{
    unsigned kinds = wanted(s);
    bool commit = kinds & WANTED(SAMPLE_HEALTH);
    uint32_t topics_max = kinds & WANTED_PAGES ? s->config.topics_max : SNAPSHOT_NO_GROUPS;
    (void)pthread_mutex_unlock(&s->lock); /* held by this thread: cannot fail */
    struct snapshot *snapshot = NULL;
    int err = engine_snapshot(s->config.engine, topics_max, commit, SNAPSHOT_TIMEOUT_MS, &snapshot);
    int64_t now_ms = s->config.mono_ms();
    if (err == 0)
        s->answered_mono_ms = now_ms;
    else
        kinds = WANTED_ALL;
    struct page *pages[METRICS_FORMATS] = {NULL};
    for (enum sample_kind k = SAMPLE_PAGE; k <= SAMPLE_OPENMETRICS; k++) {
        if (kinds & WANTED(k))
            pages[format_of(k)] = make_page(s, format_of(k), err == 0 ? snapshot : NULL, now_ms);
    }
    if (err == 0)
        snapshot_free(snapshot);
    put(s, pages, kinds, now_ms, err);
}

/* Another point of the trail. Called with the lock held, which is open while the engine thinks. */
static void follow(struct sampler *s)
{
    struct snapshot *snapshot = NULL;
    (void)pthread_mutex_unlock(&s->lock);
    int err = engine_snapshot(s->config.engine, SNAPSHOT_UNATTENDED, false, SNAPSHOT_TIMEOUT_MS, &snapshot);
    (void)pthread_mutex_lock(&s->lock);
    trail_note(&s->trail, err ? NULL : snapshot, err ? clock_wall_ms() : snapshot->wall_ms);
    if (!err)
        snapshot_free(snapshot);
    s->trail_mono_ms = clock_mono_ms() + TRAIL_EVERY_MS;
}

/* Until somebody asks, or the trail's next point is due. */
static void rest(struct sampler *s)
{
    struct timespec until = {.tv_sec = s->trail_mono_ms / 1000, .tv_nsec = s->trail_mono_ms % 1000 * 1000000};
    if (s->config.follows)
        (void)pthread_cond_timedwait(&s->changed, &s->lock, &until); /* what has come is looked at anyway */
    else
        (void)pthread_cond_wait(&s->changed, &s->lock);
}

static void *run(void *context)
{
    struct sampler *s = magic_of(context, sampler, SAMPLER_MAGIC);
    (void)pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        if (s->waiting)
            ask(s);
        else if (s->config.follows && clock_mono_ms() >= s->trail_mono_ms)
            follow(s);
        else
            rest(s);
    }
    struct sample_wait *rest = take_served(s, WANTED_ALL);
    (void)pthread_mutex_unlock(&s->lock);
    wake_all(rest);
    return NULL;
}

/* ---- public ---- */

int sampler_start(const struct sampler_config *config, struct sampler **ret)
{
    struct sampler *s = calloc(1, sizeof *s);
    if (!s)
        return SHUNT_NO_MEMORY;
    s->magic = SAMPLER_MAGIC;
    s->config = *config;
    if (!s->config.mono_ms)
        s->config.mono_ms = clock_mono_ms;
    s->answered_mono_ms = s->config.mono_ms();
    pthread_condattr_t by_mono;
    (void)pthread_mutex_init(&s->lock, NULL); /* with these attributes none of them fails on Linux */
    (void)pthread_condattr_init(&by_mono);
    (void)pthread_condattr_setclock(&by_mono, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&s->changed, &by_mono);
    (void)pthread_condattr_destroy(&by_mono);
    if (pthread_create(&s->thread, NULL, run, s) != 0) {
        s->stopping = true;
        sampler_free(s);
        return SHUNT_IO;
    }
    *ret = s;
    return 0;
}

void sampler_stop(struct sampler *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->stopping = true;
    (void)pthread_cond_signal(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL); /* fails only for a thread that is not there */
}

void sampler_free(struct sampler *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < METRICS_FORMATS; i++)
        page_unref(s->made[i].page);
    trail_done(&s->trail);
    (void)pthread_cond_destroy(&s->changed); /* nobody waits any more */
    (void)pthread_mutex_destroy(&s->lock);
    s->magic = 0;
    free(s);
}

bool sampler_fresh(struct sampler *s, enum sample_kind kind)
{
    (void)pthread_mutex_lock(&s->lock);
    int64_t now_ms = s->config.mono_ms();
    bool fresh = s->stopping;
    const struct made *made = &s->made[format_of(kind)];
    if (kind == SAMPLE_HEALTH)
        fresh |= s->committed && now_ms - s->commit_mono_ms <= HEALTH_FRESH_MS;
    else
        fresh |= made->page && now_ms - made->mono_ms <= PAGE_FRESH_MS;
    (void)pthread_mutex_unlock(&s->lock);
    return fresh;
}

void sampler_wait(struct sampler *s, struct sample_wait *w)
{
    check(w->wake && w->kind <= SAMPLE_HEALTH);
    (void)pthread_mutex_lock(&s->lock);
    bool stopping = s->stopping;
    if (!stopping) {
        w->next = s->waiting;
        s->waiting = w;
        (void)pthread_cond_signal(&s->changed);
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (stopping)
        w->wake(w);
}

struct page *sampler_page(struct sampler *s, enum sample_kind kind)
{
    (void)pthread_mutex_lock(&s->lock);
    struct page *p = s->made[format_of(kind)].page;
    if (p)
        (void)atomic_fetch_add(&p->refs, 1); /* the old count is of no use */
    (void)pthread_mutex_unlock(&s->lock);
    return p;
}

void sampler_trail(struct sampler *s, struct text *to)
{
    (void)pthread_mutex_lock(&s->lock);
    trail_write(&s->trail, to);
    (void)pthread_mutex_unlock(&s->lock);
}

bool sampler_healthy(struct sampler *s, char *ret_why, size_t why_bytes)
{
    (void)pthread_mutex_lock(&s->lock);
    bool healthy = s->committed && s->config.mono_ms() - s->commit_mono_ms <= HEALTH_FRESH_MS;
    int err = s->last_err;
    (void)pthread_mutex_unlock(&s->lock);
    if (!healthy && err == SHUNT_TIMEOUT) {
        (void)snprintf(ret_why, why_bytes, "the engine did not commit within %d ms", SNAPSHOT_TIMEOUT_MS);
    } else if (!healthy) {
        (void)snprintf(ret_why, why_bytes, "no commit went through within %d ms: %s", HEALTH_FRESH_MS,
                       err_text(err));
    }
    return healthy;
}
