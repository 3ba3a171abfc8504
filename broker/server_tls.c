/* server_tls: what the settings of TLS come to, at the start and with SIGHUP. */
#include "broker/exit_code.h"
#include "broker/net/tls.h"
#include "broker/server_private.h"
#include "proto/errors.h"

#include <stdio.h>
#include <time.h>

static int load(const struct config *config, struct tls_context **ret, char *ret_why, size_t why_bytes);
static void tell(struct server *s);

int server_tls_start(struct server *s, char *ret_why, size_t why_bytes)
{
    if (!config_unless_off(&s->config, CONFIG_tls_cert))
        return 0;
    int err = load(&s->config, &s->tls, ret_why, why_bytes);
    if (err)
        return err == SHUNT_NO_MEMORY ? EXIT_CODE_SYSTEM : EXIT_CODE_CONFIG;
    tell(s);
    return 0;
}

int server_tls_reload(struct server *s, const struct config *fresh, char *ret_why, size_t why_bytes)
{
    bool on = config_unless_off(fresh, CONFIG_tls_cert);
    struct tls_context *tls = NULL;
    bool was_on = s->tls;
    if (on != was_on) {
        (void)snprintf(ret_why, why_bytes, "tls-cert: a restart turns TLS %s, as clients must change, too",
                       on ? "on" : "off");
        return SHUNT_BAD_ARGUMENT;
    }
    if (!on)
        return 0;
    int err = load(fresh, &tls, ret_why, why_bytes);
    if (err)
        return err;
    net_tls_set(s->net, tls);
    if (s->http && config_http_is_tls(&s->config))
        http_tls_set(s->http, tls);
    tls_context_free(s->tls);
    s->tls = tls;
    tell(s);
    return 0;
}

static int load(const struct config *config, struct tls_context **ret, char *ret_why, size_t why_bytes)
{
    static const enum tls_client_auth auths[] = {[CLIENT_AUTH_OFF] = TLS_CLIENT_AUTH_OFF,
                                                 [CLIENT_AUTH_REQUEST] = TLS_CLIENT_AUTH_REQUEST,
                                                 [CLIENT_AUTH_REQUIRE] = TLS_CLIENT_AUTH_REQUIRE};
    struct tls_settings settings = {.cert = config->text[CONFIG_tls_cert],
                                    .key = config->text[CONFIG_tls_key],
                                    .client_ca = config_unless_off(config, CONFIG_tls_client_ca),
                                    .client_auth = auths[config->number[CONFIG_tls_client_auth]],
                                    .version_min =
                                        config->number[CONFIG_tls_min_version] == TLS_VERSION_12 ? 12 : 13};
    return tls_context_new(&settings, ret, ret_why, why_bytes);
}

static void tell(struct server *s)
{
    int64_t expires_ms = tls_context_expires_ms(s->tls);
    atomic_store(&s->certificate_expires_ms, expires_ms);
    time_t expires_s = (time_t)(expires_ms / 1000);
    bool expired = expires_s <= time(NULL);
    char text[32] = "";
    struct tm at;
    struct log_line line;
    if (gmtime_r(&expires_s, &at))
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &at);
    log_begin(&line, &s->log, expired ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
              expired ? "certificate_expired" : "certificate_loaded");
    log_text(&line, "file", s->config.text[CONFIG_tls_cert]);
    log_text(&line, "subject", tls_context_subject(s->tls));
    log_text(&line, "expires", text);
    log_end(&line);
}
