/* negotiate: see negotiate.h. A wildcard is no wish for OpenMetrics: who sends one takes what has always
 * come. */
#include "broker/http/negotiate.h"

#include "base/magic.h"
#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define Q_MAX 1000u

struct word {
    const char *at;
    size_t size;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct word trimmed(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    while (at < end && is_blank(end[-1]))
        end--;
    return (struct word){at, (size_t)(end - at)};
}

/* What stands before the next `separator` that is not quoted; `*at` is moved behind it, to NULL at the end.
 */
static struct word next_word(const char **at, const char *end, char separator)
{
    const char *begin = *at, *p = begin;
    bool quoted = false;
    for (; p < end && (quoted || *p != separator); p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (quoted && *p == '\\' && p + 1 < end)
            p++;
    }
    *at = p < end ? p + 1 : NULL;
    return trimmed(begin, p);
}

static bool is(struct word w, const char *text)
{
    return w.size == strlen(text) && strncasecmp(w.at, text, w.size) == 0;
}

/* A weight, as 1, 0.5 or 0.125, in thousandths. False if it is none. */
static bool read_q(struct word w, unsigned *ret)
{
    if (w.size == 0 || w.size > 5 || (w.at[0] != '0' && w.at[0] != '1') || (w.size > 1 && w.at[1] != '.'))
        return false;
    unsigned q = w.at[0] == '1' ? Q_MAX : 0, worth = Q_MAX;
    for (size_t i = 2; i < w.size; i++) {
        if (w.at[i] < '0' || w.at[i] > '9')
            return false;
        worth /= 10;
        q += worth * (unsigned)(w.at[i] - '0');
    }
    *ret = q;
    return q <= Q_MAX;
}

/* The parameters of a range. False if they make it none of ours: another version, or a weight that is none.
 */
static bool read_parameters(const char *at, const char *end, const char *version, unsigned *ret_q)
{
    *ret_q = Q_MAX;
    while (at) {
        struct word parameter = next_word(&at, end, ';');
        const char *value_at = parameter.at, *value_end = parameter.at + parameter.size;
        struct word name = next_word(&value_at, value_end, '=');
        struct word value = value_at ? trimmed(value_at, value_end) : (struct word){value_end, 0};
        if (value.size >= 2 && value.at[0] == '"' && value.at[value.size - 1] == '"')
            value = (struct word){value.at + 1, value.size - 2};
        if (is(name, "q") && !read_q(value, ret_q))
            return false;
        if (is(name, "version") && !is(value, version))
            return false;
    }
    return true;
}

static void read_range(struct negotiation *n, struct word range)
{
    static const char *const plain[] = {"*/*", "text/*", "text/plain"}; /* the later, the closer */
    const char *at = range.at, *end = range.at + range.size;
    struct word type = next_word(&at, end, ';');
    unsigned q;
    if (is(type, "application/openmetrics-text") && read_parameters(at, end, "1.0.0", &q) &&
        q > n->openmetrics_q)
        n->openmetrics_q = q;
    for (unsigned i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (is(type, plain[i]) && read_parameters(at, end, "0.0.4", &q) && i + 1 >= n->plain_rank) {
            n->plain_q = i + 1 == n->plain_rank && q < n->plain_q ? n->plain_q : q;
            n->plain_rank = i + 1;
        }
    }
}

void negotiate_read(struct negotiation *n, const char *accept)
{
    const char *end = accept + strlen(accept);
    while (accept)
        read_range(n, next_word(&accept, end, ','));
}

enum metrics_format negotiate_format(const struct negotiation *n)
{
    return n->openmetrics_q != 0 && n->openmetrics_q >= n->plain_q ? METRICS_OPENMETRICS : METRICS_PLAIN;
}

bool negotiate_gzip(const char *accept_encoding)
{
    const char *at = accept_encoding, *end = at ? at + strlen(at) : NULL;
    bool named = false, takes = false;
    while (at) {
        struct word range = next_word(&at, end, ',');
        const char *range_at = range.at, *range_end = range.at + range.size;
        struct word coding = next_word(&range_at, range_end, ';');
        bool names = is(coding, "gzip") || is(coding, "x-gzip");
        unsigned q;
        if ((!names && (named || !is(coding, "*"))) || !read_parameters(range_at, range_end, "", &q))
            continue;
        takes = q != 0;
        named |= names; /* a wildcard is for what is not named */
    }
    return takes;
}

static enum MHD_Result read_accept(void *negotiation, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    if (value && strcasecmp(name, MHD_HTTP_HEADER_ACCEPT) == 0)
        negotiate_read(magic_of(negotiation, negotiation, NEGOTIATION_MAGIC), value);
    return MHD_YES;
}

enum metrics_format negotiate_asked(struct MHD_Connection *connection)
{
    struct negotiation n = {.magic = NEGOTIATION_MAGIC};
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, read_accept, &n); /* how many there are */
    return negotiate_format(&n);
}
