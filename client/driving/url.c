/* url: parse `shunt://HOST[:PORT][,HOST[:PORT]]…`. What could mean two things is refused. */
#include "client/driving/url.h"
#include "client/wire/error.h"
#include "proto/limits.h"
#include "proto/units.h"
#include <arpa/inet.h>
#include <string.h>

#define SCHEME "shunt://"

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
    size_t len = strcspn(begin, bracketed ? "]" : ":/,");
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
        size_t len = strcspn(++at, "/,");
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

int url_parse(const char *text, struct url_list *ret, struct shunt_error *err)
{
    struct url_list list = {.count = 0};
    const char *why = NULL;
    if (!text)
        text = "shunt://127.0.0.1";
    if (strncmp(text, SCHEME, sizeof SCHEME - 1) != 0)
        return bad(err, text, "it begins with shunt://");
    const char *at = text + sizeof SCHEME - 1;
    for (bool more = true; more; at += more) {
        if (list.count == URL_HOSTS_MAX)
            return bad(err, text, "at most 16 hosts");
        at = read_one(at, &list.hosts[list.count++], &why);
        if (!at)
            return bad(err, text, why);
        more = *at == ',';
    }
    if (strcmp(at, "") != 0 && strcmp(at, "/") != 0)
        return bad(err, text, "nothing may follow host and port");
    *ret = list;
    return 0;
}
