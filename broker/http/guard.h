/* guard: keeps web pages of other sites away from the API.
 *
 * A browser sends requests for any page, also to loopback. It names the page's site in `Origin`, and the name that it looked up in
 * `Host`: a page whose own name was made to lead here (DNS rebinding) has that name there. So both must name this server. */
#ifndef SHUNT_HTTP_GUARD_H
#define SHUNT_HTTP_GUARD_H

#include "broker/http/problem.h"

/* What the headers of one request say. All zero: nothing yet. */
#define GUARD_MAGIC 0x6d1f80c5u
struct guard {
    uint32_t magic;
    const char *hosts; /* names beside loopback, as in http-host */
    bool https;        /* the request came by TLS, so its page must have */
    const char *host;  /* of the header Host */
    unsigned hosts_seen;
    bool origin_differs, other_site;
    unsigned types; /* Content-Type headers … */
    bool json, lines,
        bytes;          /* … the last is application/json, application/x-ndjson, application/octet-stream */
    bool encoded;       /* there is a Content-Encoding */
    const char *origin; /* the first that differs */
};

struct MHD_Connection;

/* Read the headers of a request. They must live as long as the guard, which has its magic. */
void guard_read(struct guard *g, struct MHD_Connection *connection);
/* The same, one by one: guard_host() is given all of them before guard_header() is, which compares with Host. Values must live as long
 * as the guard. */
void guard_host(struct guard *g, const char *name, const char *value);
void guard_header(struct guard *g, const char *name, const char *value);

/* May it go on? fails: false, with the reason in `*ret`. */
bool guard_lets_in(const struct guard *g, struct problem *ret);
/* Is its body said to be JSON? */
bool guard_is_json(const struct guard *g, struct problem *ret);
/* Is it said to be of one of the three types? None of them can a form send, and a script of another site not without being allowed
 * to. */
bool guard_is_message(const struct guard *g, struct problem *ret);

/* True if `host` (with or without a port) is a loopback name or address, or stands in the list `hosts`. */
bool guard_host_is_ours(const char *host, const char *hosts);

#endif
