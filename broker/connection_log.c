/* connection_log: events of net as lines of the log. */
#include "broker/connection_log.h"

#include <stddef.h>

struct report_row {
    enum log_level level;
    const char *event;
};

static const struct report_row rows[] = {
    [NET_REFUSED] = {LOG_LEVEL_WARNING, "connection_refused"},
    [NET_NO_DESCRIPTORS] = {LOG_LEVEL_ERROR, "no_descriptors"},
    [NET_ACCEPT_FAILED] = {LOG_LEVEL_ERROR, "accept_failed"},
    [NET_BAD_FRAME] = {LOG_LEVEL_WARNING, "bad_frame"},
    [NET_TIMED_OUT] = {LOG_LEVEL_WARNING, "connection_timed_out"},
    [NET_EVICTED] = {LOG_LEVEL_WARNING, "connection_crowded_out"},
    [NET_TLS_FAILED] = {LOG_LEVEL_WARNING, "tls_failed"},
    [NET_CROWDED_OUT] = {LOG_LEVEL_WARNING, "tls_crowded_out"},
    [NET_NO_MEMORY] = {LOG_LEVEL_ERROR, "no_memory"},
    [NET_OPENED] = {LOG_LEVEL_DEBUG, "connection_opened"},
    [NET_CLOSED] = {LOG_LEVEL_DEBUG, "connection_closed"},
};

/* False: too many came before it. */
static bool may_write(struct connection_log *r, int64_t now_ms)
{
    struct log_line line;
    if (now_ms - r->window_ms >= CONNECTION_LOG_WINDOW_MS) {
        if (r->suppressed > 0) {
            log_begin(&line, r->log, LOG_LEVEL_WARNING, "lines_suppressed");
            log_number(&line, "count", (int64_t)r->suppressed);
            log_end(&line);
        }
        *r = (struct connection_log){.log = r->log, .window_ms = now_ms};
    }
    bool may = r->lines < CONNECTION_LOG_LINES_MAX;
    r->lines += may;
    r->suppressed += !may;
    return may;
}

void connection_log_net(struct connection_log *r, int64_t now_ms, enum net_event event, const char *peer,
                        const char *text)
{
    const struct report_row *row = &rows[event];
    struct log_line line;
    if (row->level > LOG_LEVEL_DEBUG && !may_write(r, now_ms))
        return;
    log_begin(&line, r->log, row->level, row->event);
    log_text(&line, "peer", *peer ? peer : NULL);
    log_text(&line, "why", *text ? text : NULL);
    log_end(&line);
}

void connection_log_consumer(struct connection_log *r, const struct consumer_notice *notice)
{
    struct log_line line;
    if (!may_write(r, notice->mono_ms))
        return;
    log_begin(&line, r->log, notice->silent ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
              notice->silent ? "consumer_silent" : "consumer_heard");
    log_text(&line, "client", *notice->client ? notice->client : NULL);
    log_text(&line, "host", *notice->host ? notice->host : NULL);
    log_text(&line, "peer", notice->peer);
    log_number(&line, "silent_ms", notice->silent_ms);
    if (notice->silent) {
        log_text(
            &line, "why",
            "a lease of it ran out and nothing came from it: it is handed nothing more until something does");
    }
    log_end(&line);
}

void connection_log_login(struct connection_log *r, const struct login_notice *notice)
{
    struct log_line line;
    if (!may_write(r, notice->mono_ms))
        return;
    log_begin(&line, r->log, LOG_LEVEL_WARNING, "login_failed");
    log_text(&line, "user", *notice->user ? notice->user : NULL);
    log_text(&line, "how", notice->how);
    log_text(&line, "client", *notice->client ? notice->client : NULL);
    log_text(&line, "peer", notice->peer);
    log_text(&line, "why", notice->why);
    log_end(&line);
}

void connection_log_limit(struct connection_log *r, const struct limit_notice *notice)
{
    struct log_line line;
    if (!may_write(r, notice->mono_ms))
        return;
    log_begin(&line, r->log, LOG_LEVEL_WARNING, "rate_limited");
    log_text(&line, "setting", notice->setting);
    log_text(&line, "user", *notice->user ? notice->user : NULL);
    log_text(&line, "client", *notice->client ? notice->client : NULL);
    log_text(&line, "peer", notice->peer);
    log_number(&line, "count", (int64_t)notice->count);
    if (notice->wait_ms)
        log_number(&line, "retry_after_ms", notice->wait_ms);
    log_end(&line);
}
