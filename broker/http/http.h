/* http: what the operator's machines ask: /metrics, /healthz, /readyz.
 *
 * Three threads: one accepts (accept.h); libmicrohttpd's own polls the sockets and never waits for the
 * engine; the sampler's asks the engine, one question at a time (sampler.h). A request that needs a fresh
 * answer is suspended until there is one.
 */
#ifndef SHUNT_HTTP_HTTP_H
#define SHUNT_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct http;

struct http_config {
    const char *listen;                  /* ADDR:PORT or [ADDR6]:PORT; port 0 takes any free one */
    uint32_t metrics_topics;             /* topics with series of their own; all others are summed in one */
    const char *version;                 /* for shunt_build_info; lives as long as the http */
    const _Atomic uint64_t *log_dropped; /* log lines that were not written; NULL: nobody counts */
};

/* Listen and serve, not ready yet. The engine must outlive it.
 * fails: BAD_ARGUMENT (not an address), IO (taken, not permitted), NO_MEMORY; `ret_why` gets one sentence. */
int http_start(const struct http_config *config, struct engine *engine, struct http **ret, char *ret_why,
               size_t why_bytes);

/* Stop serving and free it; call before the engine is freed. Takes NULL. Blocks for at most one question to
 * the engine (SNAPSHOT_TIMEOUT_MS in sampler.h). */
void http_stop(struct http *h);

/* The port it listens on. */
int http_port(const struct http *h);

/* What /readyz says; any thread. */
void http_set_ready(struct http *h, bool ready);

#endif
