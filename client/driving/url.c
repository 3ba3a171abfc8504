/* url: parse `shunt://HOST[:PORT][,HOST[:PORT]]…`, `shunts://…?ca=FILE` and `shunt+unix:///PATH`. What could mean two things is refused. */
#include "client/driving/url.h"
#include "client/wire/error.h"
#include "proto/limits.h"
#include "proto/units.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define SCHEME      "shunt://"
#define SCHEME_TLS  "shunts://"
#define SCHEME_UNIX "shunt+unix://"

static int bad(struct shunt_error *err, const char *text, const char *why)
{
    return error_set(err, SHUNT_BAD_ARGUMENT, "url \"%.200s\": %s", text, why);
}

static bool is_name(const char *host)
{
    for (const char *p = host; *p != '\0'; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (!letter && *p != '.' && *p != '-' && *p != '_')
            return false;
    }
    return host[0] != '-' && host[0] != '.';
}

/* The host's end in `at`, or NULL. `ret` gets the host without brackets. */
static const char *read_host(const char *at, char ret[URL_HOST_BYTES_MAX + 1], const char **ret_why)
{
    bool bracketed = at[0] == '[';
    const char *begin = bracketed ? at + 1 : at;
    size_t len = strcspn(begin, bracketed ? "]" : ":/,?");
    const char *end = begin + len;
    if (len == 0 || len > URL_HOST_BYTES_MAX) {
        *ret_why = len == 0 ? "the host is missing" : "the host is too long";
        return NULL;
    }
    memcpy(ret, begin, len);
    ret[len] = '\0';
    if (bracketed) {
        struct in6_addr address;
        char plain[URL_HOST_BYTES_MAX + 1];
        memcpy(plain, ret, len + 1);
        plain[strcspn(plain, "%")] = '\0'; /* a zone may follow: fe80::1%eth0 */
        if (*end != ']' || inet_pton(AF_INET6, plain, &address) != 1) {
            *ret_why = "between [ and ] stands an IPv6 address";
            return NULL;
        }
        return end + 1;
    }
    if (!is_name(ret)) {
        *ret_why = "the host is not a name or address (an IPv6 address stands in [ ])";
        return NULL;
    }
    return end;
}

/* One host with its port; the end of it, or NULL. */
static const char *read_one(const char *at, struct url *ret, const char **ret_why)
{
    char digits[6];
    int64_t port = PORT_DEFAULT;
    at = read_host(at, ret->host, ret_why);
    if (at && *at == ':') {
        size_t len = strcspn(++at, "/,?");
        const char *why;
        memcpy(digits, at, len < sizeof digits ? len : 0);
        digits[len < sizeof digits ? len : 0] = '\0';
        if (!units_parse_count(digits, 1, 65535, &port, &why)) {
            *ret_why = "the port is a number from 1 to 65535";
            return NULL;
        }
        at += len;
    }
    ret->port = (uint16_t)port;
    return at;
}

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* A value of the query, without its %XX; its end, or NULL. */
static const char *read_value(const char *at, char ret[URL_FILE_BYTES_MAX + 1], const char **ret_why)
{
    size_t size = 0;
    for (; *at != '\0' && *at != '&'; at++) {
        char c = *at;
        if (c == '%') {
            int high = hex(at[1]), low = high < 0 ? -1 : hex(at[2]);
            c = low < 0 ? '\0' : (char)(high * 16 + low);
            at += 2;
        }
        if (c == '\0' || size == URL_FILE_BYTES_MAX) {
            *ret_why =
                c ? "a file's name is at most 1023 bytes long" : "after % stand two hex digits, and not 00";
            return NULL;
        }
        ret[size++] = c;
    }
    ret[size] = '\0';
    *ret_why = "after = stands a value";
    return size ? at : NULL;
}
_Static_assert(URL_FILE_BYTES_MAX == 1023, "read_value() says the limit in words");

/* What may stand behind `?`, and how long its value may be. */
struct url_key {
    const char *name;
    char *value;
    size_t bytes_max;
    bool tls; /* only with it */
};

enum { KEY_CA, KEY_CERT, KEY_KEY, KEY_USER, KEY_PASSWORD_FILE, KEY_TOKEN_FILE, KEY_INSECURE, KEYS };

/* One `NAME=VALUE`; its end, or NULL. */
static const char *read_pair(const char *at, const struct url_key keys[KEYS], bool tls, const char **ret_why)
{
    char value[URL_FILE_BYTES_MAX + 1];
    size_t i = 0;
    while (i < KEYS && strncmp(at, keys[i].name, strlen(keys[i].name)) != 0)
        i++;
    *ret_why =
        "after ? stand ca=FILE, cert=FILE, key=FILE, user=NAME, password-file=FILE, token-file=FILE and "
        "insecure=yes, with & between them, each at most once";
    if (i == KEYS || keys[i].value[0] != '\0')
        return NULL;
    *ret_why = "ca=, cert= and key= are for TLS, with shunts://";
    if (keys[i].tls && !tls)
        return NULL;
    at = read_value(at + strlen(keys[i].name), value, ret_why);
    if (!at)
        return NULL;
    *ret_why = "a user's name is at most 100 bytes long, and insecure= is yes or left out";
    if (strlen(value) > keys[i].bytes_max || (i == KEY_INSECURE && strcmp(value, "yes") != 0))
        return NULL;
    memcpy(keys[i].value, value, strlen(value) + 1);
    return at;
}
_Static_assert(NAME_BYTES_MAX == 100, "read_pair() says the limit in words");

static bool read_query(const char *at, struct url_list *ret, const char **ret_why)
{
    char insecure[4] = "";
    const struct url_key keys[KEYS] = {
        [KEY_CA] = {"ca=", ret->tls.ca, URL_FILE_BYTES_MAX, true},
        [KEY_CERT] = {"cert=", ret->tls.cert, URL_FILE_BYTES_MAX, true},
        [KEY_KEY] = {"key=", ret->tls.key, URL_FILE_BYTES_MAX, true},
        [KEY_USER] = {"user=", ret->auth.user, NAME_BYTES_MAX, false},
        [KEY_PASSWORD_FILE] = {"password-file=", ret->auth.password_file, URL_FILE_BYTES_MAX, false},
        [KEY_TOKEN_FILE] = {"token-file=", ret->auth.token_file, URL_FILE_BYTES_MAX, false},
        [KEY_INSECURE] = {"insecure=", insecure, 3, false},
    };
    for (bool more = true; more;) {
        at = read_pair(at, keys, ret->tls.wanted, ret_why);
        if (!at)
            return false;
        more = *at == '&';
        at += more;
    }
    ret->auth.insecure = insecure[0] != '\0';
    *ret_why = "cert= and key= go together";
    return (ret->tls.cert[0] != '\0') == (ret->tls.key[0] != '\0');
}

/* The path of `shunt+unix:///PATH`, which is all of it. */
static bool read_path(const char *at, struct url *ret, const char **ret_why)
{
    char path[URL_FILE_BYTES_MAX + 1];
    *ret_why = "after shunt+unix:// stands the path of a socket, which begins with /";
    if (*at != '/')
        return false;
    *ret_why = "the path of a socket holds no ?, & or # (write %3F, %26 or %23)";
    if (at[strcspn(at, "?&#")] != '\0')
        return false;
    if (!read_value(at, path, ret_why))
        return false;
    size_t size = strlen(path);
    *ret_why = "the path of a socket has at most 107 bytes, and does not end with /";
    if (size > URL_PATH_BYTES_MAX || path[size - 1] == '/')
        return false;
    memcpy(ret->host, path, size + 1);
    ret->port = 0;
    return true;
}
_Static_assert(URL_PATH_BYTES_MAX == 107 && URL_PATH_BYTES_MAX <= URL_HOST_BYTES_MAX,
               "read_path() says the limit in words, and a host's place holds it");

char *url_text(char *to, const struct url *url)
{
    if (url_is_local(url))
        (void)snprintf(to, URL_TEXT_BYTES, "%s", url->host);
    else
        (void)snprintf(to, URL_TEXT_BYTES, "%s port %u", url->host, (unsigned)url->port);
    return to;
}

int url_parse(const char *text, struct url_list *ret, struct shunt_error *err)
{
    struct url_list list = {.count = 0};
    const char *why = NULL;
    if (!text)
        text = "shunt://127.0.0.1";
    if (strncmp(text, SCHEME_UNIX, sizeof SCHEME_UNIX - 1) == 0) {
        list.count = 1;
        if (!read_path(text + sizeof SCHEME_UNIX - 1, &list.hosts[0], &why))
            return bad(err, text, why);
        *ret = list;
        return 0;
    }
    list.tls.wanted = strncmp(text, SCHEME_TLS, sizeof SCHEME_TLS - 1) == 0;
    if (!list.tls.wanted && strncmp(text, SCHEME, sizeof SCHEME - 1) != 0)
        return bad(err, text, "it begins with shunt://, with shunts:// for TLS, or with shunt+unix://");
    const char *at = text + (list.tls.wanted ? sizeof SCHEME_TLS : sizeof SCHEME) - 1;
    for (bool more = true; more; at += more) {
        if (list.count == URL_HOSTS_MAX)
            return bad(err, text, "at most 16 hosts");
        at = read_one(at, &list.hosts[list.count++], &why);
        if (!at)
            return bad(err, text, why);
        more = *at == ',';
    }
    at += *at == '/';
    if (*at == '?' && !read_query(at + 1, &list, &why))
        return bad(err, text, why);
    if (*at != '\0' && *at != '?')
        return bad(err, text, "nothing may follow host and port");
    *ret = list;
    return 0;
}
