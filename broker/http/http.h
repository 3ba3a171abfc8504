/* http: what the operator's machines ask: /metrics, /healthz, /readyz, and the admin API; and the web page by which people do.
 *
 * Six threads, with TLS seven: one accepts (accept.h); one speaks TLS with the clients and plainly with libmicrohttpd (pump.h); libmicrohttpd's own polls the sockets and never waits for the
 * engine; the sampler's asks the engine, one question at a time (sampler.h); the calls' sends it the requests of the API (calls.h);
 * the streams' wakes those that follow what changes (stream.h); the loans' holds the messages that clients lease (loans.h). A request that needs an answer of the engine is suspended until there is one.
 */
#ifndef SHUNT_HTTP_HTTP_H
#define SHUNT_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct changes;
struct engine;
struct http;
struct tls_context;

/* Ways to tell somebody of overdue dead letters, and what came of each try. */
enum breach_way { BREACH_COMMAND, BREACH_URL, BREACH_WAYS };
enum breach_try { BREACH_TOLD, BREACH_FAILED, BREACH_GIVEN_UP, BREACH_TRIES };
#define BREACH_WAY_NAMES                                                                                     \
    {                                                                                                        \
        "command", "url"                                                                                     \
    }
#define BREACH_TRY_NAMES                                                                                     \
    {                                                                                                        \
        "told", "failed", "given_up"                                                                         \
    }
struct breach_counts {
    _Atomic uint64_t tries[BREACH_WAYS][BREACH_TRIES];
};

/* What is told of clients that speak TLS, or should. */
enum http_event { HTTP_TLS_FAILED, HTTP_CROWDED_OUT, HTTP_TIMED_OUT, HTTP_NO_DESCRIPTORS, HTTP_NO_MEMORY };

/* Bounds on clients whose handshake is not done, the silent ones among them. */
struct http_handshakes {
    unsigned most; /* one more ends the oldest */
    int64_t ms;    /* how long one may take */
};

/* When backups of the store ended, by the wall clock (ms); 0: none did. */
struct backup_times {
    int64_t succeeded_ms, failed_ms;
};

struct http_config {
    const char *listen;       /* ADDR:PORT or [ADDR6]:PORT; port 0 takes any free one */
    uint32_t connections_max; /* served at once; 0: PEERS_DEFAULT */
    uint32_t leases_max;      /* lease calls with messages that are not answered; 0: LOANS_DEFAULT */
    uint32_t metrics_topics;  /* topics with series of their own; all others are summed in one */
    const char *version;      /* for shunt_build_info; lives as long as the http */
    const _Atomic uint64_t *log_dropped;           /* log lines that were not written; NULL: nobody counts */
    const struct breach_counts *breaches;          /* NULL: nobody is told */
    const _Atomic int64_t *certificate_expires_ms; /* by the wall clock, 0: there is none; NULL: the same */
    struct changes
        *changes; /* what followers of the admin API get; outlives the http; NULL: the API is not served */
    bool auth;    /* who asks for more than health must log in */
    bool console; /* the web page is served, which needs the API */
    const char *hosts; /* names of this server beside loopback, for the API; lives as long as the http */
    struct tls_context *tls; /* lent until http_tls_set() or the end; NULL: clients speak plainly */
    struct http_handshakes handshakes;
    /* On a thread of HTTP's; NULL: nobody is told. */
    void (*report)(void *context, enum http_event event, const char *peer, const char *why);
    /* The other end of a new connection to this server, as net_connect() makes it; -1: there is none. Any thread, while it is
     * ready. */
    int (*connect)(void *context, const char *peer, const char *names);
    void (*backups)(void *context, struct backup_times *ret); /* as in sampler.h */
    void *context;
};

/* Listen and serve, not ready yet. The engine must outlive it.
 * fails: BAD_ARGUMENT (not an address), IO (taken, not permitted), NO_MEMORY; `ret_why` gets one sentence. */
int http_start(const struct http_config *config, struct engine *engine, struct http **ret, char *ret_why,
               size_t why_bytes);

/* Stop serving and free it; call before the engine is freed. Takes NULL. Blocks for at most one question to
 * the engine (SNAPSHOT_TIMEOUT_MS in sampler.h). */
void http_stop(struct http *h);

/* HTTPS: clients that come from now on are met with `tls`, lent as in the configuration, and not NULL, as that was not. */
void http_tls_set(struct http *h, struct tls_context *tls);
/* From now on; of HTTP nothing. */
void http_handshakes_set(struct http *h, const struct http_handshakes *handshakes);

/* The port it listens on. */
int http_port(const struct http *h);

/* What /readyz says, and whether calls of the API are taken; any thread. When it is not ready any more, `connect` is not called
 * again; calls that wait for their answer still get it. */
void http_set_ready(struct http *h, bool ready);

#endif
