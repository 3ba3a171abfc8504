/* url: parse `shunt://HOST[:PORT][,HOST[:PORT]]…` and `shunts://…?ca=FILE`. What could mean two things is refused. */
#include "client/driving/url.h"
#include "client/wire/error.h"
#include "proto/limits.h"
#include "proto/units.h"
#include <arpa/inet.h>
#include <string.h>

#define SCHEME     "shunt://"
#define SCHEME_TLS "shunts://"

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
    *ret_why = "after ca=, cert= and key= stands a file's name";
    return size ? at : NULL;
}
_Static_assert(URL_FILE_BYTES_MAX == 1023, "read_value() says the limit in words");

/* `ca=FILE&cert=FILE&key=FILE`, each at most once. */
static bool read_query(const char *at, struct url_tls *ret, const char **ret_why)
{
    const struct {
        const char *name;
        char *value;
    } keys[] = {{"ca=", ret->ca}, {"cert=", ret->cert}, {"key=", ret->key}};
    for (bool more = true; more;) {
        size_t i = 0;
        while (i < 3 && strncmp(at, keys[i].name, strlen(keys[i].name)) != 0)
            i++;
        if (i == 3 || keys[i].value[0] != '\0') {
            *ret_why =
                "after ? stand ca=FILE, cert=FILE and key=FILE, with & between them, each at most once";
            return false;
        }
        at = read_value(at + strlen(keys[i].name), keys[i].value, ret_why);
        if (!at)
            return false;
        more = *at == '&';
        at += more;
    }
    *ret_why = "cert= and key= go together";
    return (ret->cert[0] != '\0') == (ret->key[0] != '\0');
}

int url_parse(const char *text, struct url_list *ret, struct shunt_error *err)
{
    struct url_list list = {.count = 0};
    const char *why = NULL;
    if (!text)
        text = "shunt://127.0.0.1";
    list.tls.wanted = strncmp(text, SCHEME_TLS, sizeof SCHEME_TLS - 1) == 0;
    if (!list.tls.wanted && strncmp(text, SCHEME, sizeof SCHEME - 1) != 0)
        return bad(err, text, "it begins with shunt://, or with shunts:// for TLS");
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
    if (*at == '?' && !list.tls.wanted)
        return bad(err, text, "ca=, cert= and key= are for TLS, with shunts://");
    if (*at == '?' && !read_query(at + 1, &list.tls, &why))
        return bad(err, text, why);
    if (*at != '\0' && *at != '?')
        return bad(err, text, "nothing may follow host and port");
    *ret = list;
    return 0;
}
