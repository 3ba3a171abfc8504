/* guard: see guard.h. */
#include "broker/http/guard.h"

#include "base/magic.h"
#include "base/slice.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- Host ---- */

/* The name in `NAME`, `NAME:PORT` or `[ADDRESS]:PORT`, without brackets; `data` NULL: it is none of these. */
static struct slice name_of(const char *host)
{
    struct slice none = {0};
    bool brackets = host[0] == '[';
    const char *begin = host + brackets, *end = begin + strcspn(begin, brackets ? "]" : ":");
    const char *port = end + brackets;
    if (end == begin || (brackets && *end != ']'))
        return none;
    if (*port == ':')
        port += 1 + strspn(port + 1, "0123456789");
    return *port ? none : (struct slice){begin, (size_t)(end - begin)};
}

static bool is_loopback(struct slice name, bool brackets)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr in;
    struct in6_addr in6;
    if (name.size >= sizeof text)
        return false;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    if (brackets)
        return inet_pton(AF_INET6, text, &in6) == 1 && IN6_IS_ADDR_LOOPBACK(&in6);
    if (inet_pton(AF_INET, text, &in) == 1)
        return ntohl(in.s_addr) >> 24 == 127;
    return strcasecmp(text, "localhost") == 0;
}

bool guard_host_is_ours(const char *host, const char *hosts)
{
    struct slice name = name_of(host);
    if (!name.data)
        return false;
    if (is_loopback(name, host[0] == '['))
        return true;
    for (const char *at = hosts; at && *at; at += strspn(at, ", ")) {
        size_t size = strcspn(at, ", ");
        if (size == name.size && strncasecmp(at, name.data, size) == 0)
            return true;
        at += size;
    }
    return false;
}

void guard_host(struct guard *g, const char *name, const char *value)
{
    if (!value || strcasecmp(name, "Host") != 0)
        return;
    g->host = value;
    g->hosts_seen++;
}

/* ---- the others ---- */

/* `SCHEME://HOST[:PORT]` of a browser, which leaves the scheme's own port out in both headers. A page that came plainly may be
 * anybody's on the way, and the browser would show our client's certificate for it; in front of plain HTTP may be a proxy that speaks TLS. */
static bool origin_is_host(const struct guard *g, const char *origin)
{
    const char *at = strncasecmp(origin, "https://", 8) == 0               ? origin + 8
                     : !g->https && strncasecmp(origin, "http://", 7) == 0 ? origin + 7
                                                                           : NULL;
    return at && g->host && strcasecmp(at, g->host) == 0;
}

static bool type_is(const char *type, const char *wanted)
{
    size_t size = strlen(wanted);
    return strncasecmp(type, wanted, size) == 0 && (type[size] == '\0' || strchr("; \t", type[size]));
}

void guard_header(struct guard *g, const char *name, const char *value)
{
    if (!value)
        value = "";
    if (strcasecmp(name, "Origin") == 0 && !g->origin_differs && !origin_is_host(g, value)) {
        g->origin_differs = true;
        g->origin = value;
    } else if (strcasecmp(name, "Sec-Fetch-Site") == 0) {
        g->other_site |= strcasecmp(value, "same-origin") != 0 && strcasecmp(value, "none") != 0;
    } else if (strcasecmp(name, "Content-Type") == 0) {
        g->types++;
        g->json = type_is(value, "application/json");
        g->lines = type_is(value, "application/x-ndjson");
        g->bytes = type_is(value, "application/octet-stream");
    } else if (strcasecmp(name, "Content-Encoding") == 0) {
        g->encoded = true;
    }
}

static enum MHD_Result read_host(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    guard_host(magic_of(context, guard, GUARD_MAGIC), name, value);
    return MHD_YES;
}

static enum MHD_Result read_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    guard_header(magic_of(context, guard, GUARD_MAGIC), name, value);
    return MHD_YES;
}

void guard_read(struct guard *g, struct MHD_Connection *connection)
{
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, read_host, g);   /* how many … */
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, read_header, g); /* … does not matter */
}

bool guard_lets_in(const struct guard *g, struct problem *ret)
{
    if (g->hosts_seen != 1)
        return problem_is(ret, PROBLEM_WRONG_HOST, "there are %u Host headers", g->hosts_seen);
    if (!guard_host_is_ours(g->host, g->hosts)) {
        return problem_is(ret, PROBLEM_WRONG_HOST,
                          "`%.256s` is no loopback address, and does not stand in http-host", g->host);
    }
    if (g->origin_differs) {
        return problem_is(ret, PROBLEM_CROSS_SITE, "Origin is `%.128s`, and Host is `%.128s`", g->origin,
                          g->host);
    }
    if (g->other_site)
        return problem_is(ret, PROBLEM_CROSS_SITE, "Sec-Fetch-Site is neither same-origin nor none");
    return true;
}

static bool type_is_taken(const struct guard *g, bool taken, enum problem_code code, struct problem *ret)
{
    if (g->types == 1 && taken && !g->encoded)
        return true;
    return problem_is(ret, code, "%s",
                      g->encoded     ? "the body has a Content-Encoding"
                      : g->types > 1 ? "there are several Content-Type headers"
                      : g->types     ? "Content-Type is another one"
                                     : "there is no Content-Type");
}

bool guard_is_json(const struct guard *g, struct problem *ret)
{
    return type_is_taken(g, g->json, PROBLEM_NOT_JSON, ret);
}

bool guard_is_message(const struct guard *g, struct problem *ret)
{
    return type_is_taken(g, g->json || g->lines || g->bytes, PROBLEM_NOT_A_MESSAGE, ret);
}
