/* server_http: what the settings of HTTP come to, and what HTTP asks of the server. */
#include "broker/backup_mark.h"
#include "broker/exit_code.h"
#include "broker/http/changes.h"
#include "broker/log_writer.h"
#include "broker/net/address.h"
#include "broker/server_private.h"
#include "proto/errors.h"

#include "base/clock.h"
#include <stdio.h>

static bool api_is_on(const struct server *s);
static void on_report(void *context, enum http_event event, const char *peer, const char *why);
static int connect_to_self(void *context, const char *peer, const char *names);
static void read_backups(void *context, struct backup_times *ret);

int server_changes_start(struct server *s, char *ret_why, size_t why_bytes)
{
    const char *ignored;
    bool off = config_http_is_off(&s->config), console = s->config.number[CONFIG_console] == AUTO_ON;
    if (off && console) {
        (void)snprintf(ret_why, why_bytes, "console: on needs http, and http is off");
        return EXIT_CODE_CONFIG;
    }
    if (off)
        return 0;
    if (!address_parse(s->config.text[CONFIG_http], &s->http_address, &ignored)) {
        (void)snprintf(ret_why, why_bytes, "http: not an address");
        return EXIT_CODE_CONFIG;
    }
    bool api = api_is_on(s);
    if (!api && console) {
        (void)snprintf(
            ret_why, why_bytes, "console: on needs the admin API, which api: %s does not serve at %s",
            s->config.number[CONFIG_api] == AUTO_OFF ? "off" : "auto", s->config.text[CONFIG_http]);
        return EXIT_CODE_CONFIG;
    }
    if (!api)
        return 0;
    s->changes = changes_new();
    (void)snprintf(ret_why, why_bytes, "no memory or descriptor for what changes");
    return s->changes ? 0 : EXIT_CODE_SYSTEM;
}

int server_http_start(struct server *s, char *ret_why, size_t why_bytes)
{
    if (config_http_is_off(&s->config))
        return 0;
    bool is_tls = config_http_is_tls(&s->config);
    struct http_config config = {.listen = s->config.text[CONFIG_http],
                                 .connections_max = (uint32_t)s->config.number[CONFIG_http_connections],
                                 .leases_max = (uint32_t)s->config.number[CONFIG_http_leases],
                                 .metrics_topics = (uint32_t)s->config.number[CONFIG_metrics_topics],
                                 .version = SHUNT_VERSION,
                                 .log_dropped = log_writer_dropped(s->log.writer),
                                 .changes = s->changes,
                                 .breaches = on_breach_counts(s->on_breach),
                                 .certificate_expires_ms = &s->certificate_expires_ms,
                                 .auth = s->login,
                                 .console = s->changes && s->config.number[CONFIG_console] != AUTO_OFF,
                                 .hosts = s->config.text[CONFIG_http_hosts],
                                 .tls = is_tls ? s->tls : NULL,
                                 .handshakes = server_http_handshakes(s),
                                 .report = on_report,
                                 .connect = connect_to_self,
                                 .backups = read_backups,
                                 .context = s};
    int err = http_start(&config, s->engine, &s->http, ret_why, why_bytes);
    if (err)
        return err == SHUNT_IO ? EXIT_CODE_ADDRESS_TAKEN : exit_code_of(err);
    address_port_set(&s->http_address, http_port(s->http));
    return 0;
}

/* With `auto`: programs of this machine can reach `listen` as well. Metrics are often served to other machines, and that must not
 * hand them the queues; nor must a plain port be a way around the certificates that `listen` asks for. */
static bool api_is_on(const struct server *s)
{
    int64_t api = s->config.number[CONFIG_api];
    bool asks = s->config.number[CONFIG_tls_client_auth] == CLIENT_AUTH_REQUIRE;
    bool is_way_round = asks && !config_http_is_tls(&s->config);
    return api == AUTO_ON || (api == AUTO_AUTO && address_is_loopback(&s->http_address) && !is_way_round);
}

/* ---- on threads of HTTP's ---- */

static void on_report(void *context, enum http_event event, const char *peer, const char *why)
{
    static const enum net_event events[] = {[HTTP_TLS_FAILED] = NET_TLS_FAILED,
                                            [HTTP_CROWDED_OUT] = NET_CROWDED_OUT,
                                            [HTTP_TIMED_OUT] = NET_TIMED_OUT,
                                            [HTTP_NO_DESCRIPTORS] = NET_NO_DESCRIPTORS,
                                            [HTTP_NO_MEMORY] = NET_NO_MEMORY};
    struct server *s = server_of(context);
    connection_log_net(&s->https_log, clock_mono_ms(), events[event], peer, why);
}

static int connect_to_self(void *context, const char *peer, const char *names)
{
    struct server *s = server_of(context);
    return net_connect(s->net, peer, names);
}

static void read_backups(void *context, struct backup_times *ret)
{
    const struct server *s = server_of(context);
    ret->succeeded_ms = backup_mark_read(s->config.text[CONFIG_data], BACKUP_SUCCEEDED);
    ret->failed_ms = backup_mark_read(s->config.text[CONFIG_data], BACKUP_FAILED);
}
