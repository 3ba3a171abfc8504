/* sampler: asks the engine for its numbers, on a thread of its own, one question at a time.
 *
 * However many scrapers there are, the engine hears at most one question at once and no second one for a page
 * in the same format within PAGE_FRESH_MS. A health check looks at no group. An engine
 * that does not answer costs SNAPSHOT_TIMEOUT_MS; the page then says so. Once a minute it asks of itself, for the trail (trail.h).
 */
#ifndef SHUNT_HTTP_SAMPLER_H
#define SHUNT_HTTP_SAMPLER_H

#include "broker/http/metrics.h"
#include "broker/http/text.h"
#include "broker/http/trail.h"
#include <stdatomic.h>

struct engine;

#define SNAPSHOT_TIMEOUT_MS 2000
#define PAGE_FRESH_MS       1000 /* a page this old is served without asking */
#define HEALTH_FRESH_MS     5000 /* a commit this long ago proves that the engine lives */

enum sample_kind {
    SAMPLE_PAGE,        /* the metrics page */
    SAMPLE_OPENMETRICS, /* the same as OpenMetrics */
    SAMPLE_HEALTH,      /* proof that a commit goes through */
};

/* The page in this format. */
static inline enum sample_kind sample_of(enum metrics_format format)
{
    return format == METRICS_OPENMETRICS ? SAMPLE_OPENMETRICS : SAMPLE_PAGE;
}

/* Somebody who waits. Lives with the caller, from sampler_wait() until `wake`. */
struct sample_wait {
    struct sample_wait *next;
    enum sample_kind kind;
    void (*wake)(struct sample_wait *w); /* once, on the sampler's thread or inside sampler_wait() */
};

/* A page, shared by those who send it. */
#define PAGE_MAGIC 0xac959dc7u
struct page {
    uint32_t magic;
    _Atomic unsigned refs;
    struct text text;
};

void page_unref(struct page *p); /* takes NULL; frees with the last */

struct sampler_config {
    struct engine *engine;
    uint32_t topics_max;
    bool follows; /* keep a trail of unattended dead letters */
    const char *version;
    const _Atomic bool *ready;
    const _Atomic uint64_t *log_dropped;           /* NULL: nobody counts */
    const struct breach_counts *breaches;          /* as above */
    const _Atomic int64_t *certificate_expires_ms; /* as above */
    /* When backups ended; NULL: nobody knows. It reads files of the store's disk, so it is asked only if the engine has answered. */
    void (*backups)(void *context, struct backup_times *ret);
    void *context;
    int64_t (*mono_ms)(void); /* the clock; NULL is the monotonic one */
};

struct sampler;

/* fails: NO_MEMORY, IO (no thread). */
int sampler_start(const struct sampler_config *config, struct sampler **ret);
/* Answer everybody who waits and end the thread. Later questions are answered at once with what is there.
 * Blocks for at most one question to the engine. */
void sampler_stop(struct sampler *s);
void sampler_free(struct sampler *s); /* after sampler_stop(); takes NULL */

/* True if there is no need to wait. */
bool sampler_fresh(struct sampler *s, enum sample_kind kind);
/* Have `w` woken when there is a new answer, good or bad. */
void sampler_wait(struct sampler *s, struct sample_wait *w);

/* The latest page of a kind that is one, with a reference for the caller; NULL before the first and without
 * memory. */
struct page *sampler_page(struct sampler *s, enum sample_kind kind);
/* Append the trail, as JSON. */
void sampler_trail(struct sampler *s, struct text *to);
/* True if a commit went through within HEALTH_FRESH_MS; else `ret_why` gets a sentence. */
bool sampler_healthy(struct sampler *s, char *ret_why, size_t why_bytes);

#endif
