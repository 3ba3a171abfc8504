/* server_login: whether who connects must say who he is, and what is said to an operator of that. */
#include "broker/exit_code.h"
#include "broker/login/login.h"
#include "broker/net/address.h"
#include "broker/server_private.h"
#include "proto/errors.h"

#include <stdio.h>
#include <string.h>

#define INSECURE_TOLD_MS (60 * 60 * 1000)

/* The setting whose address other machines can reach; NULL: there is none. */
static const char *exposed_setting(const struct config *c)
{
    static const enum config_field fields[] = {CONFIG_listen, CONFIG_http};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *text = config_unless_off(c, fields[i]), *ignored;
        struct sockaddr_storage address;
        if (text && address_parse(text, &address, &ignored) && !address_is_loopback(&address))
            return config_rows[fields[i]].name;
    }
    return NULL;
}

int server_login_start(struct server *s, char *ret_why, size_t why_bytes)
{
    const int64_t *number = s->config.number;
    s->exposed = exposed_setting(&s->config);
    bool safe = s->exposed && !s->options->insecure;
    bool on = number[CONFIG_auth] == AUTO_ON || (number[CONFIG_auth] == AUTO_AUTO && safe);
    s->insecure = s->exposed && !on;
    if (number[CONFIG_auth] == AUTO_OFF && safe) {
        (void)snprintf(
            ret_why, why_bytes,
            "auth: off would let everybody in who can reach `%s` (%s): leave it at auto, serve this machine "
            "alone, or, if the network keeps strangers out, start with --insecure",
            s->exposed, s->config.text[config_find(s->exposed)]);
        return EXIT_CODE_CONFIG;
    }
    if (!on)
        return 0;
    struct login_settings settings = {.threads = (unsigned)number[CONFIG_login_threads],
                                      .queue_max = (uint64_t)number[CONFIG_login_queue]};
    int err = login_new(&settings, &s->login);
    (void)snprintf(ret_why, why_bytes, "cannot start the threads that verify passwords: %s", err_text(err));
    return err ? EXIT_CODE_SYSTEM : 0;
}

int server_login_check(struct server *s, char *ret_why, size_t why_bytes)
{
    if (!s->login || engine_has_administrator(s->engine))
        return 0;
    if (config_unless_off(&s->config, CONFIG_listen_unix)) {
        log_event(&s->log, LOG_LEVEL_WARNING, "no_administrator", "why",
                  "nobody can log in yet: make an administrator through the socket of listen-unix, with "
                  "`shunt user add`");
        return 0;
    }
    char because[SERVER_WHY_BYTES / 2] = "";
    if (s->exposed && s->config.number[CONFIG_auth] == AUTO_AUTO) {
        (void)snprintf(because, sizeof because, ", because other machines can reach `%s` (%.100s)",
                       s->exposed, s->config.text[config_find(s->exposed)]);
    }
    (void)snprintf(
        ret_why, why_bytes,
        "nobody could log in: authentication is on%s, and there is no administrator. Make one with "
        "`shuntd --init-admin NAME` and this server's other options, or set listen-unix and make one "
        "through it; or serve this machine alone; or, if the network keeps strangers out, start with "
        "--insecure",
        because);
    return EXIT_CODE_CONFIG;
}

void server_login_tell(struct server *s, int64_t now_ms)
{
    char text[ADDRESS_TEXT_BYTES_MAX];
    struct log_line line;
    if (!s->insecure || (s->insecure_told && now_ms - s->insecure_told_ms < INSECURE_TOLD_MS))
        return;
    s->insecure_told = true;
    s->insecure_told_ms = now_ms;
    bool listen = strcmp(s->exposed, config_rows[CONFIG_listen].name) == 0;
    log_begin(&line, &s->log, LOG_LEVEL_WARNING, "insecure");
    log_text(&line, s->exposed, address_format(text, listen ? &s->listen_address : &s->http_address));
    log_text(
        &line, "why",
        "--insecure: everyone who can reach this address can publish, consume and delete without logging in");
    log_end(&line);
}
