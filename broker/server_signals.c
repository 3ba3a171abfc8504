/* server_signals: what reaches a running server from outside: stop, stop now, reload, are you alive.
 *
 *   running ──SIGTERM or SIGINT──→ stopping ──all sent, or stop-timeout──→ exit 0
 *                                     └──a second signal, or the engine does not end──→ exit 80 at once
 * Whenever it ends, what was confirmed is on disk: only answers can be lost.
 */
#include "broker/exit_code.h"
#include "broker/login/login.h"
#include "broker/notify.h"
#include "broker/reload.h"
#include "broker/server_private.h"
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* On top of stop-timeout, for steps that do not watch the time, such as a commit that the disk does not finish. */
#define STOP_GRACE_MS 2000

static void on_signal(uv_signal_t *handle, int number);
static void on_drained(void *context);
static void reload(struct server *s);
static void close_handles(struct server *s);
static void arm_quit(int64_t ms);
static void quit(int number);
static void on_watchdog(uv_timer_t *timer);
static void watchdog_ask(uv_work_t *work);
static void watchdog_answered(uv_work_t *work, int status);

int server_watch_signals(struct server *s)
{
    static const int numbers[SIGNAL_COUNT] = {SIGTERM, SIGINT, SIGHUP};
    (void)signal(SIGPIPE, SIG_IGN); /* these two fail only for numbers that do not exist */
    (void)signal(SIGXFSZ, SIG_IGN);
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        if (uv_signal_init(&s->loop, &s->signals[i]) != 0)
            return EXIT_CODE_SYSTEM;
        s->signals[i].data = s;
        s->signals_made++;
        if (uv_signal_start(&s->signals[i], on_signal, numbers[i]) != 0)
            return EXIT_CODE_SYSTEM;
    }
    return 0;
}

/* The service manager hears from us when this loop and the engine's both turn. */
void server_watchdog_start(struct server *s)
{
    s->watchdog_ms = notify_watchdog_ms();
    if (s->watchdog_ms == 0)
        return;
    (void)uv_timer_init(&s->loop, &s->watchdog); /* always 0 */
    s->watchdog.data = s->watchdog_work.data = s;
    s->watchdog_made = true;
    uint64_t ms = (uint64_t)s->watchdog_ms / 3 + 1;
    (void)uv_timer_start(&s->watchdog, on_watchdog, 0, ms); /* fails only on a closing handle */
}

void server_stop(struct server *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    int64_t stop_ms = s->config.number[CONFIG_stop_ms];
    close_handles(s);
    arm_quit(stop_ms + STOP_GRACE_MS); /* from here on a signal means now */
    log_event(&s->log, LOG_LEVEL_INFO, "stopping", NULL, NULL);
    notify_send("STOPPING=1");
    if (s->http)
        http_set_ready(s->http, false);
    unix_socket_remove(
        &s->unix_socket); /* before it is closed, as long as nothing else can have its number */
    net_stop_accepting(s->net);
    uint64_t begun_ns = uv_hrtime();
    engine_stop(s->engine);
    s->engine_runs = false;
    if (s->login)
        login_stop(s->login);
    int64_t left_ms = stop_ms - (int64_t)((uv_hrtime() - begun_ns) / 1000000);
    uv_update_time(&s->loop); /* engine_stop() blocked it */
    net_drain(s->net, left_ms > 0 ? left_ms : 0, on_drained, s);
}

void server_abandon(struct server *s)
{
    if (s->engine_runs)
        engine_stop(s->engine);
    s->engine_runs = false;
    if (s->login)
        login_stop(s->login);
    close_handles(s);
    net_free(s->net);
    s->net = NULL;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *s = server_of(handle->data);
    if (number == SIGHUP)
        reload(s);
    else
        server_stop(s);
}

static void on_drained(void *context)
{
    struct server *s = server_of(context);
    net_free(s->net);
    s->net = NULL;
}

static void reload(struct server *s)
{
    notify_reloading();
    char why[CONFIG_WHY_BYTES] = "";
    struct config fresh;
    struct log_line line;
    int err = options_config(s->options, &fresh, why, sizeof why);
    if (!err && (err = server_tls_reload(s, &fresh, why, sizeof why)) != 0)
        config_done(&fresh);
    if (err) {
        log_begin(&line, &s->log, LOG_LEVEL_ERROR, "reload_failed");
        log_text(&line, "why", why);
    } else {
        unsigned changed = reload_merge(&s->config, &fresh, &s->log);
        config_done(&fresh);
        server_apply_settings(s);
        log_begin(&line, &s->log, LOG_LEVEL_INFO, "reloaded");
        log_number(&line, "changed", changed);
    }
    log_end(&line);
    notify_send("READY=1");
}

static void close_handles(struct server *s)
{
    for (; s->signals_made > 0; s->signals_made--)
        uv_close((uv_handle_t *)&s->signals[s->signals_made - 1], NULL);
    if (s->watchdog_made)
        uv_close((uv_handle_t *)&s->watchdog, NULL);
    s->watchdog_made = false;
    if (s->tell_timer_made)
        uv_close((uv_handle_t *)&s->tell_timer, NULL);
    s->tell_timer_made = false;
}

/* Let SIGTERM, SIGINT and the alarm end the process themselves: this thread may be waiting for the engine. */
static void arm_quit(int64_t ms)
{
    struct sigaction action = {.sa_handler = quit};
    struct itimerval timer = {.it_value = {ms / 1000, ms % 1000 * 1000}};
    (void)sigaction(SIGTERM, &action, NULL); /* these fail only for numbers that do not exist */
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)signal(SIGHUP, SIG_IGN);
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

/* In a signal's context: only poll(), write() and _exit(). */
static void quit(int number)
{
    static const char second[] = "level=warning event=quit why=\"a second signal\"\n";
    static const char late[] = "level=warning event=quit why=\"the stop took too long\"\n";
    log_urgent(number == SIGALRM ? late : second);
    _exit(EXIT_CODE_CUT_SHORT);
}

static void on_watchdog(uv_timer_t *timer)
{
    struct server *s = server_of(timer->data);
    if (s->watchdog_busy || s->stopping)
        return;
    s->watchdog_busy = uv_queue_work(&s->loop, &s->watchdog_work, watchdog_ask, watchdog_answered) == 0;
}

/* On a thread of libuv's pool, because the answer may take as long as a commit. */
static void watchdog_ask(uv_work_t *work)
{
    const struct server *s = server_of(work->data);
    struct snapshot *snapshot = NULL;
    if (engine_snapshot(s->engine, SNAPSHOT_NO_GROUPS, false, s->watchdog_ms / 3, &snapshot) == 0) {
        snapshot_free(snapshot);
        notify_send("WATCHDOG=1");
    }
}

static void watchdog_answered(uv_work_t *work, int status)
{
    (void)status; /* work is never cancelled */
    struct server *s = server_of(work->data);
    s->watchdog_busy = false;
}
