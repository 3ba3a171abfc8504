/* config: the table, and setting one value. config_file.c reads the file. */
#include "broker/config.h"

#include "base/check.h"
#include "broker/command_line.h"
#include "broker/log_line.h"
#include "broker/net/address.h"
#include "broker/net/unix_socket.h"
#include "proto/errors.h"
#include "proto/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct config_row config_rows[CONFIG_COUNT] = {
#define CONFIG(field, name, unit, least, most, initial, reload, text)                                        \
    {name, VALUE_##unit, least, most, initial, reload, text},
#include "broker/config.def"
#undef CONFIG
};

static const char *check_tls(const struct config *c);
static bool parse(const struct config_row *row, const char *value, int64_t *ret, const char **ret_why);
static bool parse_word(enum config_unit unit, const char *value, int64_t *ret, const char **ret_why);
static bool parse_number(enum config_unit unit, const char *value, int64_t *ret, const char **ret_why);
static bool parse_text(const struct config_row *row, const char *value, const char **ret_why);
static bool parse_command(const char *value, const char **ret_why);
static bool parse_url(const char *value, const char **ret_why);
static bool in_bounds(const struct config_row *row, int64_t number);

int config_init(struct config *c)
{
    *c = (struct config){0};
    for (int i = 0; i < CONFIG_COUNT; i++) {
        char why[CONFIG_WHY_BYTES];
        int err = config_set(c, (enum config_field)i, config_rows[i].initial, why, sizeof why);
        check(err != SHUNT_BAD_ARGUMENT);
        if (err) {
            config_done(c);
            return err;
        }
    }
    return 0;
}

void config_done(struct config *c)
{
    for (int i = 0; i < CONFIG_COUNT; i++) {
        free(c->text[i]);
        c->text[i] = NULL;
    }
}

int config_find(const char *name)
{
    for (int i = 0; i < CONFIG_COUNT; i++) {
        if (strcmp(config_rows[i].name, name) == 0)
            return i;
    }
    return -1;
}

int config_set(struct config *c, enum config_field field, const char *value, char *ret_why, size_t why_bytes)
{
    const struct config_row *row = &config_rows[field];
    int64_t number = 0;
    const char *why = NULL;
    if (!parse(row, value, &number, &why)) {
        if (row->least[0] != '\0') {
            (void)snprintf(ret_why, why_bytes, "%s: %s (from %s to %s)", row->name, why, row->least,
                           row->most);
        } else {
            (void)snprintf(ret_why, why_bytes, "%s: %s", row->name, why);
        }
        return SHUNT_BAD_ARGUMENT;
    }
    char *copy = strdup(value);
    if (!copy) {
        (void)snprintf(ret_why, why_bytes, "%s: %s", row->name, err_text(SHUNT_NO_MEMORY));
        return SHUNT_NO_MEMORY;
    }
    free(c->text[field]);
    c->text[field] = copy;
    c->number[field] = number;
    return 0;
}

int config_check(const struct config *c, char *ret_why, size_t why_bytes)
{
    if (c->number[CONFIG_map_bytes] > c->number[CONFIG_map_bytes_max]) {
        (void)snprintf(ret_why, why_bytes, "map-size (%s) is more than map-size-max (%s)",
                       c->text[CONFIG_map_bytes], c->text[CONFIG_map_bytes_max]);
        return SHUNT_BAD_ARGUMENT;
    }
    const char *why = check_tls(c);
    if (why)
        (void)snprintf(ret_why, why_bytes, "%s", why);
    return why ? SHUNT_BAD_ARGUMENT : 0;
}

/* What is wrong with those of TLS together; NULL: nothing. */
static const char *check_tls(const struct config *c)
{
    bool cert = config_unless_off(c, CONFIG_tls_cert), key = config_unless_off(c, CONFIG_tls_key);
    bool ca = config_unless_off(c, CONFIG_tls_client_ca);
    bool asks = c->number[CONFIG_tls_client_auth] != CLIENT_AUTH_OFF;
    bool https = c->number[CONFIG_http_tls] == AUTO_ON && !config_http_is_off(c);
    if (cert && !key)
        return "tls-cert needs tls-key, the file with its private key";
    if (key && !cert)
        return "tls-key needs tls-cert, the file with its certificate";
    if (https && !cert)
        return "http-tls: on needs tls-cert, the file with the certificate that clients are shown";
    if (asks && !cert)
        return "tls-client-auth needs tls-cert: without TLS nobody can show a certificate";
    if (asks && !ca)
        return "tls-client-auth needs tls-client-ca, the authorities whose clients are let in";
    if (ca && !asks)
        return "tls-client-ca does nothing without tls-client-auth request or require";
    return NULL;
}

bool config_http_is_off(const struct config *c)
{
    return !config_unless_off(c, CONFIG_http);
}

bool config_http_is_tls(const struct config *c)
{
    return !config_http_is_off(c) && config_unless_off(c, CONFIG_tls_cert) &&
           c->number[CONFIG_http_tls] != AUTO_OFF;
}

const char *config_unless_off(const struct config *c, enum config_field field)
{
    return strcmp(c->text[field], "off") == 0 ? NULL : c->text[field];
}

static bool parse(const struct config_row *row, const char *value, int64_t *ret, const char **ret_why)
{
    switch (row->unit) {
    case VALUE_ADDRESS:
    case VALUE_ADDRESS_OR_OFF:
    case VALUE_PATH:
    case VALUE_HOSTS:
    case VALUE_COMMAND:
    case VALUE_URL:
    case VALUE_PATH_OR_OFF:
    case VALUE_SOCKET_OR_OFF:
        return parse_text(row, value, ret_why);
    case VALUE_AUTO:
    case VALUE_CLIENT_AUTH:
    case VALUE_TLS_VERSION:
        return parse_word(row->unit, value, ret, ret_why);
    case VALUE_LEVEL:
        *ret = log_level_find(value);
        *ret_why = "must be debug, info, warning or error";
        return *ret >= 0;
    case VALUE_SIZE:
    case VALUE_DURATION:
    case VALUE_COUNT:
        break;
    }
    if (!parse_number(row->unit, value, ret, ret_why))
        return false;
    *ret_why = "out of range";
    return in_bounds(row, *ret);
}

static bool parse_number(enum config_unit unit, const char *value, int64_t *ret, const char **ret_why)
{
    if (unit == VALUE_SIZE)
        return units_parse_size(value, INT64_MAX, ret, ret_why);
    if (unit == VALUE_DURATION)
        return units_parse_duration(value, INT64_MAX, ret, ret_why);
    return units_parse_count(value, 0, INT64_MAX, ret, ret_why);
}

/* One of a few words; `*ret` is its place among them. */
static bool parse_word(enum config_unit unit, const char *value, int64_t *ret, const char **ret_why)
{
    static const char *const switches[] = {[AUTO_AUTO] = "auto", [AUTO_ON] = "on", [AUTO_OFF] = "off", NULL};
    static const char *const auths[] = {[CLIENT_AUTH_OFF] = "off",
                                        [CLIENT_AUTH_REQUEST] = "request",
                                        [CLIENT_AUTH_REQUIRE] = "require",
                                        NULL};
    static const char *const versions[] = {[TLS_VERSION_12] = "1.2", [TLS_VERSION_13] = "1.3", NULL};
    const char *const *words = unit == VALUE_AUTO ? switches : unit == VALUE_CLIENT_AUTH ? auths : versions;
    for (*ret = 0; words[*ret]; ++*ret) {
        if (strcmp(value, words[*ret]) == 0)
            return true;
    }
    *ret_why = unit == VALUE_AUTO          ? "must be auto, on or off"
               : unit == VALUE_CLIENT_AUTH ? "must be off, request or require"
                                           : "must be 1.2 or 1.3";
    return false;
}

static bool parse_command(const char *value, const char **ret_why)
{
    char copy[CONFIG_TEXT_BYTES_MAX], *words[COMMAND_LINE_WORDS_MAX + 1];
    (void)snprintf(copy, sizeof copy, "%s", value); /* it fits: it was looked at */
    return command_line_split(copy, words, ret_why) > 0;
}

static bool parse_url(const char *value, const char **ret_why)
{
    size_t scheme = strncmp(value, "http://", 7) == 0 ? 7 : strncmp(value, "https://", 8) == 0 ? 8 : 0;
    *ret_why = "must begin with http:// or https://, and a host";
    if (!scheme || !value[scheme] || value[scheme] == '/')
        return false;
    *ret_why = "is longer than 2047 bytes";
    if (strlen(value) >= CONFIG_URL_BYTES_MAX)
        return false;
    *ret_why = "holds a character that a URL writes as %XX";
    for (const char *at = value; *at; at++) {
        if (*at <= ' ' || *at > '~' || *at == '"' || *at == '\\')
            return false;
    }
    return true;
}
_Static_assert(CONFIG_URL_BYTES_MAX == 2048, "parse_url() says the limit in words");

static bool parse_text(const struct config_row *row, const char *value, const char **ret_why)
{
    *ret_why = "too long";
    if (strlen(value) >= CONFIG_TEXT_BYTES_MAX)
        return false;
    if (row->unit == VALUE_HOSTS) {
        *ret_why = "must be names or addresses without ports, with commas between them";
        return strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:, ") ==
               strlen(value);
    }
    if (row->unit == VALUE_PATH || row->unit == VALUE_PATH_OR_OFF) {
        *ret_why = "must not be empty";
        return value[0] != '\0';
    }
    struct sockaddr_storage ignored;
    if (row->unit != VALUE_ADDRESS && strcmp(value, "off") == 0)
        return true;
    if (row->unit == VALUE_COMMAND)
        return parse_command(value, ret_why);
    if (row->unit == VALUE_URL)
        return parse_url(value, ret_why);
    if (row->unit == VALUE_SOCKET_OR_OFF)
        return unix_socket_path_is_valid(value, ret_why);
    return address_parse(value, &ignored, ret_why);
}

static bool in_bounds(const struct config_row *row, int64_t number)
{
    int64_t least = 0, most = 0;
    const char *why;
    bool least_ok = parse_number(row->unit, row->least, &least, &why);
    bool most_ok = parse_number(row->unit, row->most, &most, &why);
    check(least_ok && most_ok); /* the table is ours */
    return number >= least && number <= most;
}
