/* auth: see auth.h. */
#include "client/driving/auth.h"

#include "base/secret.h"
#include "client/driving/secret_file.h"
#include "client/wire/error.h"
#include "client/wire/options.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static int copy(const char *what, const char *from, char *to, size_t bytes, struct shunt_error *err)
{
    size_t size = strlen(from);
    if (size == 0 || size >= bytes)
        return error_set(err, SHUNT_BAD_ARGUMENT, "%s: it has 1 to %zu bytes", what, bytes - 1);
    memcpy(to, from, size + 1);
    return 0;
}

/* One of the four ways to name the secret; `to->mechanism` is not NONE if there was one before. */
static int take(const char *what, enum mechanism mechanism, const char *file, const char *secret,
                struct auth *to, struct shunt_error *err)
{
    if (!file && !secret)
        return 0;
    if (to->mechanism != MECHANISM_NONE)
        return error_set(err, SHUNT_BAD_ARGUMENT, "%s: a password or a token is named already", what);
    to->mechanism = mechanism;
    return file ? copy(what, file, to->file, sizeof to->file, err)
                : copy(what, secret, to->secret, sizeof to->secret, err);
}

static bool is_loopback(const char *host)
{
    struct in_addr in;
    struct in6_addr in6;
    if (inet_pton(AF_INET, host, &in) == 1)
        return ntohl(in.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &in6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&in6);
    return strcmp(host, "localhost") == 0;
}

/* Everybody on the way reads what is sent plainly. */
static int refuse_plain(const struct url_list *hosts, struct shunt_error *err)
{
    for (size_t i = 0; i < hosts->count && !hosts->tls.wanted; i++) {
        const struct url *host = &hosts->hosts[i];
        if (!url_is_local(host) && !is_loopback(host->host)) {
            return error_set(err, SHUNT_BAD_ARGUMENT,
                             "the password or token would go to %.255s without encryption: connect with "
                             "shunts://, or say insecure=yes",
                             host->host);
        }
    }
    return 0;
}

/* Empty is none. */
static const char *unless_empty(const char *text)
{
    return text[0] ? text : NULL;
}

int auth_read(const struct shunt_options *options, const struct url_list *hosts, struct auth *ret,
              struct shunt_error *err)
{
    struct auth a = {.mechanism = MECHANISM_NONE};
    const struct url_auth *url = &hosts->auth;
    const char *user = options_get(options, "user");
    bool insecure = url->insecure;
    int rc = options_yes(options, "insecure", &insecure, err);
    if (rc == 0 && user && url->user[0])
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "option user: the url names a user already");
    if (rc != 0 ||
        (rc = take("password-file of the url", MECHANISM_PASSWORD, unless_empty(url->password_file), NULL, &a,
                   err)) != 0 ||
        (rc = take("token-file of the url", MECHANISM_TOKEN, unless_empty(url->token_file), NULL, &a, err)) !=
            0 ||
        (rc = take("option password-file", MECHANISM_PASSWORD, options_get(options, "password-file"), NULL,
                   &a, err)) != 0 ||
        (rc = take("option token-file", MECHANISM_TOKEN, options_get(options, "token-file"), NULL, &a,
                   err)) != 0 ||
        (rc = take("option password", MECHANISM_PASSWORD, NULL, options_get(options, "password"), &a, err)) !=
            0 ||
        (rc = take("option token", MECHANISM_TOKEN, NULL, options_get(options, "token"), &a, err)) != 0)
        return rc;
    user = user ? user : unless_empty(url->user);
    bool named = user;
    if ((a.mechanism == MECHANISM_PASSWORD) != named)
        return error_set(err, SHUNT_BAD_ARGUMENT, "user and password go together");
    if (user && (rc = copy("user", user, a.user, sizeof a.user, err)) != 0)
        return rc;
    if (a.mechanism != MECHANISM_NONE && !insecure && (rc = refuse_plain(hosts, err)) != 0)
        return rc;
    rc = auth_load(&a, err);
    auth_unload(&a);
    if (rc == 0)
        *ret = a;
    secret_wipe(&a, sizeof a);
    return rc;
}

int auth_load(struct auth *a, struct shunt_error *err)
{
    return a->file[0] ? secret_file_read(a->file, a->secret, sizeof a->secret, err) : 0;
}

void auth_unload(struct auth *a)
{
    if (a->file[0])
        secret_wipe(a->secret, sizeof a->secret);
}
