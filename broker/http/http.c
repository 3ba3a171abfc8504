/* http: see http.h.
 *
 * libmicrohttpd runs its own epoll thread here. Driving its epoll fd from a libuv loop was the other choice;
 * that loop would have had nothing else to do, and every time-out and wake-up that the library has already
 * would have to be carried over. What is bounded: connections (peers.h), the time one may idle
 * (IDLE_SECONDS_MAX, less where somebody else wants its place), the memory of a request (REQUEST_BYTES_MAX),
 * its body (BODY_BYTES_DISCARDED_MAX; of one for the API, API_BODY_BYTES_MAX or PUBLISH_BYTES_MAX, and API_BODIES_BYTES_MAX of all).
 * A client that does not read its answer keeps at most one page alive, one call (CALLS_MAX), or the messages of one (half of the connections).
 */
#include "broker/http/http.h"

#include "base/clock.h"
#include "base/container.h"
#include "base/magic.h"
#include "broker/http/accept.h"
#include "broker/http/api.h"
#include "broker/http/console.h"
#include "broker/http/head.h"
#include "broker/http/listen.h"
#include "broker/http/negotiate.h"
#include "broker/http/peers.h"
#include "broker/http/pump.h"
#include "broker/http/respond.h"
#include "broker/http/sampler.h"
#include "broker/http/watch.h"
#include "proto/credentials.h"
#include "proto/errors.h"
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_SECONDS_MAX  10
#define REQUEST_BYTES_MAX (16u * 1024)
#define STOP_ANSWER_MS_MAX                                                                                   \
    1000 /* a client has this long to read its last answer, and as long again with TLS */
#define BODY_BYTES_DISCARDED_MAX (16u * 1024)

#define PLAIN "text/plain; charset=utf-8"

/* Of each format of the metrics page. */
static const char *const page_types[METRICS_FORMATS] = {
    "text/plain; version=0.0.4; charset=utf-8",
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

#define HTTP_MAGIC 0xb969de44u
struct http {
    uint32_t magic;
    struct MHD_Daemon *daemon;
    struct acceptor *acceptor;
    struct pump *pump; /* NULL: clients speak plainly */
    struct sampler *sampler;
    struct api *api;
    struct peers peers;
    _Atomic bool ready;
    bool auth; /* what shows topics is for those who may see it */
    bool console;
    int port;
};

/* One request, from its first line to request_completed(). */
#define REQUEST_MAGIC 0xc3120232u
struct request {
    uint32_t magic;
    struct sample_wait wait;
    struct MHD_Connection *connection;
    size_t body_bytes;
    bool headed; /* its headers are here */
    bool whole;  /* and its body */
    bool waited;
    bool for_api;
    bool may_watch;          /* it was asked */
    struct watch *watch;     /* it is being asked */
    struct api_request *api; /* NULL of one for the API: there is no memory */
};

/* ---- answers ---- */

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, const char *allow,
                                   const char *text)
{
    char line[256];
    int size = snprintf(line, sizeof line, "%s\n", text);
    if (size >= (int)sizeof line)
        size = sizeof line - 1;
    return respond(connection, status, PLAIN, allow,
                   MHD_create_response_from_buffer((size_t)size, line, MHD_RESPMEM_MUST_COPY));
}

static void page_release(void *page)
{
    page_unref(magic_of(page, page, PAGE_MAGIC));
}

static enum MHD_Result answer_metrics(struct http *h, struct MHD_Connection *connection)
{
    enum metrics_format format = negotiate_asked(connection);
    struct page *page = sampler_page(h->sampler, sample_of(format));
    if (!page)
        return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, NULL, "no memory for the metrics");
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        page->text.size, page->text.data, page_release, page);
    if (!response)
        page_unref(page);
    return respond(connection, MHD_HTTP_OK, page_types[format], NULL, response);
}

static enum MHD_Result answer_health(struct http *h, struct MHD_Connection *connection)
{
    char why[200];
    if (sampler_healthy(h->sampler, why, sizeof why))
        return answer_text(connection, MHD_HTTP_OK, NULL, "ok");
    return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, NULL, why);
}

static enum MHD_Result answer_ready(struct http *h, struct MHD_Connection *connection)
{
    if (atomic_load(&h->ready))
        return answer_text(connection, MHD_HTTP_OK, NULL, "ok");
    return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, NULL, "not ready: starting or stopping");
}

/* ---- requests ---- */

struct route {
    const char *path;
    enum MHD_Result (*answer)(struct http *h, struct MHD_Connection *connection);
    bool watches;          /* shows what all topics do */
    bool samples;          /* wants an answer of the engine first … */
    enum sample_kind kind; /* … of this kind */
};

static const struct route routes[] = {
    {"/metrics", answer_metrics, true, true, SAMPLE_PAGE},
    {"/healthz", answer_health, false, true, SAMPLE_HEALTH},
    {"/readyz", answer_ready, false, false, SAMPLE_PAGE},
};

static const struct route *route_find(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    }
    return NULL;
}

static void request_wake(struct sample_wait *w)
{
    struct request *r = container_of(w, struct request, wait);
    MHD_resume_connection(magic_of(r, request, REQUEST_MAGIC)->connection);
}

/* Ask who that is, and what he may see; it comes here once more with the answer. False: it was answered, or waits. */
static bool may_watch(struct http *h, struct request *r, enum MHD_Result *ret)
{
    struct problem problem = {0};
    *ret = MHD_YES;
    if (!h->auth || r->may_watch)
        return true;
    if (!r->watch) {
        r->watch = watch_begin(api_calls(h->api), r->connection, false, &problem);
    } else {
        r->may_watch = watch_end(r->watch, NULL, &problem);
        r->watch = NULL;
    }
    if (!problem_is_none(&problem))
        *ret = respond_problem(r->connection, &problem, NULL);
    return r->may_watch;
}

/* The request is here whole: answer it, or suspend it until the sampler wakes it; then it comes here once
 * more. */
static enum MHD_Result request_serve(struct http *h, struct request *r, const char *path, const char *method)
{
    const struct route *route = route_find(path);
    bool console = h->console && console_is_meant(path);
    if (!route && !console) {
        return answer_text(r->connection, MHD_HTTP_NOT_FOUND, NULL,
                           h->console
                               ? "not found: there are /console/, /metrics, /healthz, /readyz and /api/v1"
                               : "not found: there are /metrics, /healthz, /readyz and /api/v1");
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_text(r->connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD", "method not allowed");
    if (console)
        return console_answer(r->connection, path);
    enum MHD_Result waits;
    if (route->watches && !may_watch(h, r, &waits))
        return waits;
    enum sample_kind kind = route->kind;
    if (route->samples && kind == SAMPLE_PAGE)
        kind = sample_of(negotiate_asked(r->connection));
    if (route->samples && !r->waited && !sampler_fresh(h->sampler, kind)) {
        r->waited = true;
        r->wait.kind = kind;
        r->wait.wake = request_wake;
        MHD_suspend_connection(r->connection);
        sampler_wait(h->sampler, &r->wait);
        return MHD_YES;
    }
    return route->answer(h, r->connection);
}

/* The first line is here; its target as it came, before it is decoded. */
static void *request_begun(void *context, const char *target, struct MHD_Connection *connection)
{
    struct http *h = magic_of(context, http, HTTP_MAGIC);
    struct request *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct request){.magic = REQUEST_MAGIC, .connection = connection, .for_api = api_is_meant(target)};
    if (r->for_api)
        r->api = api_request_new(h->api, connection, target);
    peers_begun(&h->peers, connection_peer(connection), clock_mono_ms());
    return r;
}

/* What is wrong with it before its body is looked at. Where clients must log in, the body of one that shows nothing
 * to log in by is not read: otherwise anybody could keep a place, and memory, by sending one slowly. */
static void look_at_head(struct http *h, const struct request *r, const char *path, struct problem *ret)
{
    struct head head = {.magic = HEAD_MAGIC};
    const struct route *route = route_find(path);
    const struct peer *peer = connection_peer(r->connection);
    head_read(&head, r->connection);
    bool shows = head.logins || (peer && peer->names), asked = r->for_api || (route && route->watches);
    if (head_is_sound(&head, ret) && h->auth && asked && !shows && head_has_body(&head))
        (void)problem_is_error(ret, SHUNT_UNAUTHENTICATED, CREDENTIALS_WANTED);
}

static enum MHD_Result request_headed(struct http *h, struct request *r, const char *path, const char *method)
{
    struct problem problem = {0};
    r->headed = true; /* a body may follow */
    look_at_head(h, r, path, &problem);
    if (problem_is_none(&problem) && (!r->api || api_request_headers(r->api, method, &problem)))
        return MHD_YES;
    peers_asking(&h->peers, connection_peer(r->connection), true, clock_mono_ms());
    return respond_last(r->connection, &problem);
}

static enum MHD_Result request_handle(void *context, struct MHD_Connection *connection, const char *path,
                                      const char *method, const char *version, const char *body,
                                      size_t *body_bytes, void **state)
{
    (void)version;
    struct http *h = magic_of(context, http, HTTP_MAGIC);
    struct request *r = *state ? magic_of(*state, request, REQUEST_MAGIC) : NULL;
    if (!r || (r->for_api && !r->api))
        return MHD_NO; /* without memory: the connection is closed */
    check(r->connection == connection);
    if (!r->headed)
        return request_headed(h, r, path, method);
    size_t size = *body_bytes;
    *body_bytes = 0;
    if (size) {
        peers_came(&h->peers, connection_peer(connection), size);
    } else if (!r->whole) {
        r->whole = true;
        peers_asking(&h->peers, connection_peer(connection), true, clock_mono_ms());
    }
    if (size && r->api)
        return api_request_body(r->api, body, size);
    r->body_bytes += size;
    if (size) /* no other request of ours has one: it is thrown away */
        return r->body_bytes <= BODY_BYTES_DISCARDED_MAX ? MHD_YES : MHD_NO;
    return r->api ? api_request_whole(r->api) : request_serve(h, r, path, method);
}

static void request_completed(void *context, struct MHD_Connection *connection, void **state,
                              enum MHD_RequestTerminationCode why)
{
    struct http *h = magic_of(context, http, HTTP_MAGIC);
    peers_asking(&h->peers, connection_peer(connection), false, clock_mono_ms());
    if (!*state)
        return;
    struct request *r = magic_of(*state, request, REQUEST_MAGIC);
    watch_free(r->watch);
    api_request_free(r->api, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    r->magic = 0;
    free(r);
    *state = NULL;
}

static void connection_changed(void *context, struct MHD_Connection *connection, void **ret_peer,
                               enum MHD_ConnectionNotificationCode what)
{
    struct http *h = magic_of(context, http, HTTP_MAGIC);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        peers_end(&h->peers, *ret_peer ? magic_of(*ret_peer, peer, PEER_MAGIC) : NULL);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *ret_peer = info ? peers_begin(&h->peers, info->connect_fd, clock_mono_ms()) : NULL;
}

/* ---- public ---- */

static bool let_in(void *context, int fd, const struct sockaddr *from, socklen_t from_bytes, char *names)
{
    struct http *h = magic_of(context, http, HTTP_MAGIC);
    return acceptor_let_in(h->daemon, &h->peers, fd, from, from_bytes, names);
}

static int start_pump(struct http *h, const struct http_config *config)
{
    const struct pump_config pump = {.tls = config->tls,
                                     .handshakes = config->handshakes,
                                     .served = h->peers.most,
                                     .let_in = let_in,
                                     .let_in_context = h,
                                     .report = config->report,
                                     .report_context = config->context};
    return config->tls ? pump_start(&pump, &h->pump) : 0;
}

/* Start the threads. Signals are for the main thread: none of these shall catch one. Takes `fd`. */
static int start_threads(struct http *h, const struct http_config *config,
                         const struct sampler_config *sampling, struct api_config *api, int fd)
{
    sigset_t all, before;
    (void)sigfillset(&all); /* the set is valid, so none of these three fails */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = sampler_start(sampling, &h->sampler);
    api->sampler = h->sampler;
    if (!err)
        err = api_start(api, &h->api);
    if (!err) {
        h->daemon = MHD_start_daemon(
            MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL,
            request_handle, h, MHD_OPTION_CONNECTION_LIMIT, h->peers.most + PEERS_LEAVING_MAX,
            MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            (size_t)REQUEST_BYTES_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
            request_begun, h, MHD_OPTION_NOTIFY_COMPLETED, request_completed, h, MHD_OPTION_NOTIFY_CONNECTION,
            connection_changed, h, MHD_OPTION_END);
    }
    if (h->daemon)
        err = start_pump(h, config);
    if (h->daemon && !err)
        err = acceptor_start(h->daemon, fd, &h->peers, h->pump, &h->acceptor);
    else
        (void)close(fd); /* nobody has connected yet */
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

int http_start(const struct http_config *config, struct engine *engine, struct http **ret, char *ret_why,
               size_t why_bytes)
{
    int fd = -1;
    struct http *h = calloc(1, sizeof *h);
    if (!h) {
        (void)snprintf(ret_why, why_bytes, "http: %s", err_text(SHUNT_NO_MEMORY));
        return SHUNT_NO_MEMORY;
    }
    h->magic = HTTP_MAGIC;
    h->auth = config->auth;
    h->console = config->console;
    unsigned connections = config->connections_max ? config->connections_max : PEERS_DEFAULT;
    int err = peers_init(&h->peers, connections);
    if (err)
        (void)snprintf(ret_why, why_bytes, "http: %s", err_text(err));
    if (!err)
        err = listen_open(config->listen, &fd, &h->port, ret_why, why_bytes);
    if (err)
        goto fail;
    const struct sampler_config sampling = {.engine = engine,
                                            .topics_max = config->metrics_topics,
                                            .follows = config->changes,
                                            .version = config->version,
                                            .log_dropped = config->log_dropped,
                                            .breaches = config->breaches,
                                            .certificate_expires_ms = config->certificate_expires_ms,
                                            .ready = &h->ready,
                                            .backups = config->backups,
                                            .context = config->context};
    struct api_config api = {.hosts = config->hosts,
                             .https = config->tls,
                             .calls = {config->auth, config->connect, config->context},
                             .loans = {.loans = config->leases_max ? config->leases_max : LOANS_DEFAULT,
                                       .calls = connections / 2}, /* those that wait keep their places */
                             .changes = config->changes,
                             .peers = &h->peers};
    err = start_threads(h, config, &sampling, &api, fd);
    if (err == 0 && !h->daemon)
        err = SHUNT_IO;
    if (err) {
        (void)snprintf(ret_why, why_bytes, "http: cannot start its threads: %s", err_text(err));
        goto fail;
    }
    *ret = h;
    return 0;

fail:
    http_stop(h);
    return err;
}

void http_stop(struct http *h)
{
    if (!h)
        return;
    acceptor_stop(h->acceptor);
    if (h->pump)
        pump_close_door(h->pump);
    /* These two before the daemon: they wake all that are suspended, and libmicrohttpd must not be stopped while one is. */
    if (h->sampler)
        sampler_stop(h->sampler);
    if (h->api)
        api_stop(h->api);
    if (h->daemon) {
        /* What they woke is answered by its thread, and it closes those it has not answered without a word. */
        peers_wait(&h->peers, STOP_ANSWER_MS_MAX);
        MHD_stop_daemon(h->daemon);
    }
    pump_stop(h->pump, STOP_ANSWER_MS_MAX); /* what the daemon has said is still to be sent */
    sampler_free(h->sampler);
    api_free(h->api);
    peers_done(&h->peers);
    h->magic = 0;
    free(h);
}

void http_tls_set(struct http *h, struct tls_context *tls)
{
    check(h->pump && tls);
    pump_tls_set(h->pump, tls);
}

void http_handshakes_set(struct http *h, const struct http_handshakes *handshakes)
{
    if (h->pump)
        pump_handshakes_set(h->pump, handshakes);
}

int http_port(const struct http *h)
{
    return h->port;
}

void http_set_ready(struct http *h, bool ready)
{
    atomic_store(&h->ready, ready);
    api_ready(h->api, ready);
}
