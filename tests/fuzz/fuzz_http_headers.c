/* fuzz_http_headers: any bytes as the headers of a request, one `NAME: VALUE` a line: who is let in, how long a caller waits and which
 * format it wants; against what a second reading, which knows only the rules, makes of the same lines. */
#include "broker/http/call_timeout.h"
#include "broker/http/guard.h"
#include "broker/http/negotiate.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <strings.h>

#define BYTES_MAX    2048 /* of an input */
#define HEADERS_MOST 64

struct header {
    char *name, *value;
};

/* Takes `text` apart, which its strings point into. */
static size_t headers_of(char *text, struct header *ret)
{
    size_t count = 0;
    char *next = NULL;
    for (char *line = text; line && count < HEADERS_MOST; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon = '\0';
        ret[count++] = (struct header){line, colon + 1 + strspn(colon + 1, " \t")};
    }
    return count;
}

/* The only one of that name; NULL: there is none, or more than one. */
static const char *only(const struct header *headers, size_t count, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(headers[i].name, name) != 0)
            continue;
        if (found)
            return NULL;
        found = headers[i].value;
    }
    return found;
}

/* A request that is let in has one Host, and each Origin is that with a scheme before it; it comes from no other site. */
static void try_guard(const struct header *headers, size_t count, bool https)
{
    struct guard g = {.hosts = "one.example, two.example", .https = https};
    struct problem problem;
    for (size_t i = 0; i < count; i++)
        guard_host(&g, headers[i].name, headers[i].value);
    for (size_t i = 0; i < count; i++)
        guard_header(&g, headers[i].name, headers[i].value);
    const char *host = only(headers, count, "Host"), *type = only(headers, count, "Content-Type");
    if (!guard_lets_in(&g, &problem))
        return;
    MUST(host && guard_host_is_ours(host, g.hosts));
    MUST(strncasecmp(host, "one.example", 11) == 0 || strncasecmp(host, "two.example", 11) == 0 ||
         strncasecmp(host, "localhost", 9) == 0 || strncmp(host, "127.", 4) == 0 || host[0] == '[');
    for (size_t i = 0; i < count; i++) {
        const char *value = headers[i].value;
        if (strcasecmp(headers[i].name, "Origin") == 0) {
            MUST(strlen(value) > strlen(host) && strcasecmp(value + strlen(value) - strlen(host), host) == 0);
            MUST(strncasecmp(value, "https://", 8) == 0 || (!https && strncasecmp(value, "http://", 7) == 0));
        } else if (strcasecmp(headers[i].name, "Sec-Fetch-Site") == 0) {
            MUST(strcasecmp(value, "none") == 0 || strcasecmp(value, "same-origin") == 0);
        }
    }
    if (guard_is_json(&g, &problem))
        MUST(type && strncasecmp(type, "application/json", 16) == 0 && guard_is_message(&g, &problem));
}

static void try_timeout(const struct header *headers, size_t count)
{
    struct call_timeout t = {.since_ms = 0};
    struct problem problem;
    for (size_t i = 0; i < count; i++)
        call_timeout_header(&t, headers[i].name, headers[i].value);
    const char *value = only(headers, count, CALL_TIMEOUT_HEADER);
    if (!call_timeout_is_good(&t, true, &problem) || !t.seen)
        return;
    MUST(value && t.ms && t.ms <= CALL_TIMEOUT_MS_MAX);
    MUST(value[strspn(value, "0123456789")] == '\0' && strtoull(value, NULL, 10) == t.ms);
    MUST(!call_timeout_is_good(&t, false, &problem));
}

static void try_formats(const struct header *headers, size_t count)
{
    struct negotiation n = {0};
    bool named = false;
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(headers[i].name, "Accept") == 0) {
            negotiate_read(&n, headers[i].value);
            named |= strcasestr(headers[i].value, "openmetrics") != NULL;
        } else if (strcasecmp(headers[i].name, "Accept-Encoding") == 0) {
            MUST(!negotiate_gzip(headers[i].value) || strcasestr(headers[i].value, "gzip") ||
                 strchr(headers[i].value, '*'));
        }
    }
    MUST(n.openmetrics_q <= 1000 && n.plain_q <= 1000 && n.plain_rank <= 3);
    MUST(named || negotiate_format(&n) == METRICS_PLAIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[BYTES_MAX + 1];
    struct header headers[HEADERS_MOST];
    if (size > BYTES_MAX || size == 0)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    size_t count = headers_of(text, headers);
    try_guard(headers, count, data[0] & 1);
    try_timeout(headers, count);
    try_formats(headers, count);
    return 0;
}
