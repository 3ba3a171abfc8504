/* server_private: the running server, as server.c (starting), server_signals.c (reloading, stopping, watchdog),
 * server_tls.c, server_http.c and server_settings.c (what its settings come to) share it. Each needs only those behind it. */
#ifndef SHUNT_BROKER_SERVER_PRIVATE_H
#define SHUNT_BROKER_SERVER_PRIVATE_H

#include "base/magic.h"
#include "broker/check.h"
#include "broker/connection_log.h"
#include "broker/engine/engine.h"
#include "broker/event_log.h"
#include "broker/http/http.h"
#include "broker/net/net.h"
#include "broker/net/unix_socket.h"
#include "broker/on_breach.h"
#include "broker/options.h"
#include <sys/socket.h>

#define SERVER_WHY_BYTES 1024
#define SERVER_DESCRIPTORS_OWN                                                                               \
    50 /* open files beside connections: the store, what HTTP has beside its clients and loans, the log */

#define SERVER_DESCRIPTORS_LEAVING 64 /* with HTTPS: connections and pairs that are about to be closed */

enum server_signal { SIGNAL_TERM, SIGNAL_INT, SIGNAL_HUP, SIGNAL_COUNT };

#define SERVER_MAGIC 0x73687564u

struct server {
    uint32_t magic; /* SERVER_MAGIC while it runs */
    const struct options *options;
    struct config config;
    struct log log;
    struct connection_log connection_log; /* what net says */
    struct connection_log consumer_log;   /* what the engine says; its thread's own */
    struct connection_log https_log;      /* what HTTP says of TLS; its thread's own */
    struct event_log event_log;
    struct on_breach *on_breach; /* NULL: nobody is to be told */
    uv_timer_t tell_timer;
    bool tell_timer_made;
    uv_loop_t loop;
    uv_signal_t signals[SIGNAL_COUNT];
    unsigned signals_made; /* the first so many of them are open */
    uv_timer_t watchdog;
    uv_work_t watchdog_work;
    int64_t watchdog_ms; /* how often the service manager wants to hear from us; 0: never */
    bool watchdog_made, watchdog_busy;
    struct engine *engine;
    bool engine_runs;
    struct flow_totals totals;              /* of net and engine */
    struct tls_context *tls;                /* what clients are met with; NULL: plainly */
    _Atomic int64_t certificate_expires_ms; /* of it; 0: there is none */
    struct net *net;
    struct changes *changes; /* from before the engine runs; NULL: there is no API to follow them */
    struct http *http;       /* NULL if switched off */
    struct sockaddr_storage listen_address, http_address;
    struct login *login; /* NULL: nobody has to log in */
    const char *exposed; /* the setting whose address other machines can reach; NULL: none */
    bool insecure;       /* and everybody is let in there */
    bool insecure_told;
    int64_t insecure_told_ms;
    struct unix_socket unix_socket; /* while it is there */
    bool stopping;
};

/* The server that libuv, the engine or net gives back. */
static inline struct server *server_of(void *context)
{
    return magic_of(context, server, SERVER_MAGIC);
}

/* ---- server_settings.c ---- */
/* What the settings in force come to, without whom the engine is to call. */
struct engine_limits server_engine_limits(const struct server *s);
struct net_limits server_net_limits(const struct server *s);
struct http_handshakes server_http_handshakes(const struct server *s);
/* Raise the limit on open files as far as it goes, and warn if the settings want more. */
void server_raise_descriptors(struct server *s);
/* Hand the settings in force to those who use them. */
void server_apply_settings(struct server *s);

/* ---- server_listen.c ---- */
/* Sockets that listen and are not net's yet; -1: none. */
struct server_doors {
    int tcp, local;
};
/* Open those of the settings. Returns an exit status, with a sentence in `ret_why`; some may be open then. */
int server_listen(struct server *s, struct server_doors *ret, char *ret_why, size_t why_bytes);

/* ---- server_tls.c ---- */
/* Read the files of TLS, if it is on. Returns an exit status, with a sentence in `ret_why`. */
int server_tls_start(struct server *s, char *ret_why, size_t why_bytes);
/* Read them again, as the settings `fresh` name them, and meet with them who connects from now on.
 * fails: BAD_ARGUMENT, IO, NO_MEMORY, with a sentence; then nothing has changed. */
int server_tls_reload(struct server *s, const struct config *fresh, char *ret_why, size_t why_bytes);

/* ---- server_http.c ---- */
/* Before the engine, which has something to tell as soon as it runs: for those who follow it over HTTP. Returns an exit status, with a
 * sentence in `ret_why`. */
int server_changes_start(struct server *s, char *ret_why, size_t why_bytes);
/* When the engine runs; the same. */
int server_http_start(struct server *s, char *ret_why, size_t why_bytes);

/* ---- server_login.c ---- */
/* Whether there are logins; if so, what verifies them. Before the engine, which needs it. Returns an exit status, with a sentence in `ret_why`. */
int server_login_start(struct server *s, char *ret_why, size_t why_bytes);
/* With the engine: whether anybody could log in. The same. */
int server_login_check(struct server *s, char *ret_why, size_t why_bytes);
/* Say from time to time, by the monotonic clock, that everybody is let in. */
void server_login_tell(struct server *s, int64_t now_ms);

/* ---- server_signals.c ---- */
/* Ignore SIGPIPE and SIGXFSZ; watch SIGTERM, SIGINT, SIGHUP. Returns an exit status. */
int server_watch_signals(struct server *s);
void server_watchdog_start(struct server *s);

/* Stop in good order; the loop ends when that is done. */
void server_stop(struct server *s);

/* Take down what start() had made before it failed. The loop must run once more after this. */
void server_abandon(struct server *s);

#endif
