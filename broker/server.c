/* server: starting everything in order, and running it.
 *
 * Order of starting: the address (the likeliest to fail, and failing there leaves no trace), the store, the
 * engine, the sockets, HTTP; then the line `event=listening`, and only then is anybody accepted. It is taken
 * down the other way round.
 */
#include "broker/server.h"

#include "base/clock.h"
#include "broker/damage_guard.h"
#include "broker/exit_code.h"
#include "broker/http/changes.h"
#include "broker/log_writer.h"
#include "broker/login/login.h"
#include "broker/net/address.h"
#include "broker/net/tls.h"
#include "broker/notify.h"
#include "broker/reload.h"
#include "broker/server_private.h"
#include "broker/server_store.h"
#include "broker/store/store.h"
#include "proto/errors.h"
#include "proto/units.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int begin(struct server *s);
static int start(struct server *s);
static int start_engine(struct server *s);
static int start_on_breach(struct server *s);
static int start_net(struct server *s, struct server_doors *doors);
static int announce(struct server *s);
static int cannot_start(struct server *s, int exit_code, const char *why);
static void on_engine_notify(void *context);
static void on_engine_fatal(void *context, int err, const char *text);
static void on_engine_consumer(void *context, const struct consumer_notice *notice);
static void on_engine_refused(void *context, const struct login_notice *notice);
static void on_engine_limited(void *context, const struct limit_notice *notice);
static void on_engine_told(void *context, const struct event *event);
static void on_tell_timer(uv_timer_t *timer);
static void on_net_report(void *context, enum net_event event, const char *peer, const char *text);
static void port_post(void *context, struct inbox_item *item);
static bool port_full(void *context, const struct link *link);
static struct outbox_item *port_take(void *context);
static bool port_serve(void *context);

int server_run(const struct options *options, struct config *config)
{
    struct server s = {
        .magic = SERVER_MAGIC, .options = options, .config = *config, .log = {.fd = STDERR_FILENO}};
    *config = (struct config){0};
    atomic_store(&s.log.level, (int)s.config.number[CONFIG_log_level]);
    s.connection_log.log = &s.log;
    event_log_init(&s.event_log, &s.log);
    s.connection_log.window_ms = -CONNECTION_LOG_WINDOW_MS;
    s.consumer_log = s.https_log = s.connection_log;
    int exit_code = begin(&s);
    if (exit_code == 0) {
        exit_code = start(&s);
        if (exit_code == 0)
            exit_code = announce(&s);
        if (exit_code)
            server_abandon(&s);
        (void)uv_run(&s.loop, UV_RUN_DEFAULT); /* 0: every handle is closed */
        http_stop(s.http);
        engine_free(s.engine);
        login_free(s.login);
        changes_free(s.changes);
        on_breach_stop(s.on_breach);
        tls_context_free(s.tls);
        unix_socket_remove(&s.unix_socket);
        (void)uv_loop_close(&s.loop); /* nothing is left in it */
    }
    event_log_due(&s.event_log, 0, true);
    event_log_done(&s.event_log);
    if (exit_code == 0)
        log_event(&s.log, LOG_LEVEL_INFO, "stopped", NULL, NULL);
    log_writer_stop(s.log.writer, LOG_FLUSH_MS);
    config_done(&s.config);
    s.magic = 0;
    return exit_code;
}

int server_check(const struct options *options, const struct config *config)
{
    char why[SERVER_WHY_BYTES] = "";
    struct store *store = NULL;
    damage_guard(options->check_dir);
    int err = server_store_open(config, options->check_dir, true, &store, why, sizeof why);
    if (err) {
        (void)fprintf(stderr, "shuntd: %s\n", why);
        return exit_code_of(err);
    }
    uint64_t problems = 0;
    err = check_store(store, stdout, &problems);
    store_close(store);
    if (err == 0 && fflush(stdout) != 0)
        err = SHUNT_IO;
    if (err) {
        (void)fprintf(stderr, "shuntd: the check of %s could not be finished: %s\n", options->check_dir,
                      err_text(err));
        return exit_code_of(err);
    }
    return problems == 0 ? EXIT_CODE_OK : EXIT_CODE_PROBLEMS;
}

/* What everything else needs: a log for which nobody waits, and the loop. */
static int begin(struct server *s)
{
    if (log_writer_start(s->log.fd, &s->log.writer) != 0)
        return cannot_start(s, EXIT_CODE_SYSTEM, "cannot start the log's thread");
    if (uv_loop_init(&s->loop) != 0)
        return cannot_start(s, EXIT_CODE_SYSTEM, "cannot create the event loop");
    (void)uv_timer_init(&s->loop, &s->tell_timer); /* always 0 */
    s->tell_timer.data = s;
    s->tell_timer_made = true;
    (void)uv_timer_start(&s->tell_timer, on_tell_timer, EVENT_LOG_WINDOW_MS,
                         EVENT_LOG_WINDOW_MS); /* not closing */
    return 0;
}

static int start(struct server *s)
{
    server_raise_descriptors(s);
    struct server_doors doors = {.tcp = -1, .local = -1};
    int exit_code = server_watch_signals(s);
    if (exit_code)
        return cannot_start(s, exit_code, "cannot watch signals");
    char why[SERVER_WHY_BYTES] = "";
    exit_code = server_tls_start(s, why, sizeof why);
    if (!exit_code)
        exit_code = server_login_start(s, why, sizeof why);
    if (exit_code)
        return cannot_start(s, exit_code, why);
    exit_code = server_listen(s, &doors, why, sizeof why);
    if (!exit_code)
        exit_code = server_changes_start(s, why, sizeof why);
    exit_code = exit_code ? cannot_start(s, exit_code, why) : start_on_breach(s);
    if (!exit_code)
        exit_code = start_engine(s);
    if (!exit_code)
        exit_code = start_net(s, &doors);
    if (doors.tcp >= 0)
        (void)close(doors.tcp); /* nothing was accepted */
    if (doors.local >= 0)
        (void)close(doors.local); /* nothing was accepted */
    if (exit_code)
        return exit_code;
    exit_code = server_http_start(s, why, sizeof why);
    return exit_code ? cannot_start(s, exit_code, why) : 0;
}

/* Before the engine, which may have something to tell at once. */
static int start_on_breach(struct server *s)
{
    struct on_breach_config config = {.command = config_unless_off(&s->config, CONFIG_on_breach_command),
                                      .url = config_unless_off(&s->config, CONFIG_on_breach_url),
                                      .timeout_ms = s->config.number[CONFIG_on_breach_ms],
                                      .log = &s->log};
    char why[SERVER_WHY_BYTES] = "cannot start a thread for on-breach";
    int err = on_breach_start(&config, &s->on_breach, why, sizeof why);
    if (!err)
        return 0;
    return cannot_start(s, err == SHUNT_BAD_ARGUMENT ? EXIT_CODE_CONFIG : EXIT_CODE_SYSTEM, why);
}

static int start_engine(struct server *s)
{
    char why[SERVER_WHY_BYTES] = "";
    struct store *store = NULL;
    int err = server_store_open(&s->config, s->config.text[CONFIG_data], false, &store, why, sizeof why);
    if (err)
        return cannot_start(s, exit_code_of(err), why);
    struct engine_config config = {.limits = server_engine_limits(s),
                                   .login = s->login,
                                   .totals = &s->totals,
                                   .notify = on_engine_notify,
                                   .fatal = on_engine_fatal,
                                   .consumer = on_engine_consumer,
                                   .refused = on_engine_refused,
                                   .limited = on_engine_limited,
                                   .told = on_engine_told,
                                   .context = s};
    err = engine_new(&config, store, &s->engine, why, sizeof why);
    if (err) {
        store_close(store);
        return cannot_start(s, exit_code_of(err), why);
    }
    int exit_code = server_login_check(s, why, sizeof why);
    return exit_code ? cannot_start(s, exit_code, why) : 0;
}

/* The engine's thread starts last: it may call on_engine_notify() at once, which needs the sockets' object.
 */
static int start_net(struct server *s, struct server_doors *doors)
{
    struct net_config config = {.loop = &s->loop,
                                .listen_fd = doors->tcp,
                                .unix_fd = doors->local,
                                .tls = s->tls,
                                .limits = server_net_limits(s),
                                .port = {s, port_post, port_full, port_take, port_serve},
                                .totals = &s->totals,
                                .report = on_net_report,
                                .context = s};
    if (net_new(&config, &s->net) != 0)
        return cannot_start(s, EXIT_CODE_SYSTEM, "cannot watch the listening socket");
    *doors = (struct server_doors){.tcp = -1, .local = -1};
    int err = engine_start(s->engine);
    if (err)
        return cannot_start(s, EXIT_CODE_SYSTEM, "cannot start the engine's thread");
    s->engine_runs = true;
    return 0;
}

static void tell_recovered(struct server *s)
{
    char wait[32];
    uint64_t in_flight = engine_recovered(s->engine);
    struct log_line line;
    if (!in_flight)
        return;
    log_begin(&line, &s->log, LOG_LEVEL_INFO, "recovered");
    log_number(&line, "in_flight", (int64_t)in_flight);
    log_text(&line, "resume_wait", units_format_duration(wait, s->config.number[CONFIG_resume_wait_ms]));
    log_end(&line);
}

/* Ready: tell the log and the service manager, then let clients in. They may connect before, and wait in the
 * kernel. */
static int announce(struct server *s)
{
    char listen_text[ADDRESS_TEXT_BYTES_MAX], http_text[ADDRESS_TEXT_BYTES_MAX] = "off";
    address_format(listen_text, &s->listen_address);
    if (s->http) {
        address_format(http_text, &s->http_address);
        http_set_ready(s->http, true);
    }
    tell_recovered(s);
    server_login_tell(s, (int64_t)(uv_hrtime() / 1000000));
    if (net_start(s->net) != 0)
        return cannot_start(s, EXIT_CODE_SYSTEM, "cannot watch the listening socket");
    struct log_line line;
    log_begin_always(&line, &s->log, LOG_LEVEL_INFO, "listening"); /* who started it waits for this line */
    log_text(&line, "listen", listen_text);
    log_text(&line, "unix", s->config.text[CONFIG_listen_unix]);
    log_text(&line, "http", http_text);
    log_text(&line, "tls", s->tls ? "on" : "off");
    log_text(&line, "http_tls", s->http && config_http_is_tls(&s->config) ? "on" : "off");
    log_text(&line, "auth", s->login ? "on" : "off");
    log_text(&line, "data", s->config.text[CONFIG_data]);
    log_text(&line, "version", SHUNT_VERSION);
    log_end(&line);
    notify_send("READY=1");
    server_watchdog_start(s);
    return 0;
}

static int cannot_start(struct server *s, int exit_code, const char *why)
{
    log_event(&s->log, LOG_LEVEL_ERROR, "cannot_start", "why", why);
    return exit_code;
}

static void on_engine_notify(void *context)
{
    struct server *s = server_of(context);
    net_notify(s->net);
}

/* On the thread that runs the turn. Nothing may be committed or confirmed after this: no clean-up, no exit handlers. */
static void on_engine_fatal(void *context, int err, const char *text)
{
    struct server *s = server_of(context);
    struct log_line line;
    log_begin(&line, &s->log, LOG_LEVEL_ERROR, "fatal");
    log_text(&line, "error", err_name(err));
    log_text(&line, "why", text);
    log_end(&line);
    log_flush(&s->log);
    _exit(err == SHUNT_CORRUPT ? EXIT_CODE_DATA : EXIT_CODE_IO);
}

/* On the thread that runs the turn. */
static void on_engine_consumer(void *context, const struct consumer_notice *notice)
{
    struct server *s = server_of(context);
    connection_log_consumer(&s->consumer_log, notice);
}

/* On the thread that runs the turn. */
static void on_engine_refused(void *context, const struct login_notice *notice)
{
    struct server *s = server_of(context);
    connection_log_login(&s->consumer_log, notice);
}

/* On the thread that runs the turn. */
static void on_engine_limited(void *context, const struct limit_notice *notice)
{
    struct server *s = server_of(context);
    connection_log_limit(&s->consumer_log, notice);
}

/* On the thread that runs the turn. */
static void on_engine_told(void *context, const struct event *event)
{
    struct server *s = server_of(context);
    int64_t now_ms = (int64_t)(uv_hrtime() / 1000000);
    event_log_write(&s->event_log, event, now_ms);
    if (s->changes)
        changes_tell(s->changes, event, now_ms, clock_wall_ms());
    if (event->kind == EVENT_OVERDUE && s->on_breach)
        on_breach_add(s->on_breach, event);
}

static void on_tell_timer(uv_timer_t *timer)
{
    struct server *s = server_of(timer->data);
    int64_t now_ms = (int64_t)(uv_hrtime() / 1000000);
    event_log_due(&s->event_log, now_ms, false);
    server_login_tell(s, now_ms);
}

static void on_net_report(void *context, enum net_event event, const char *peer, const char *text)
{
    struct server *s = server_of(context);
    connection_log_net(&s->connection_log, (int64_t)uv_now(&s->loop), event, peer, text);
}

static void port_post(void *context, struct inbox_item *item)
{
    struct server *s = server_of(context);
    engine_post(s->engine, item);
}

static bool port_full(void *context, const struct link *link)
{
    const struct server *s = server_of(context);
    return engine_inbox_full(s->engine, link);
}

static struct outbox_item *port_take(void *context)
{
    struct server *s = server_of(context);
    return engine_take(s->engine);
}

static bool port_serve(void *context)
{
    struct server *s = server_of(context);
    return engine_serve(s->engine);
}
