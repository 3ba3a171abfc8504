/* target: see target.h. libmicrohttpd would decode `%2F` before it is known where a segment ends, and pass over a `%` that
 * stands for nothing. */
#include "broker/http/target.h"

#include "base/utf8.h"
#include <stdlib.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decode in place what lies from `at` to `end`. */
static bool decode(char *at, const char *end, bool query, struct slice *ret)
{
    char *to = at;
    *ret = (struct slice){at, 0};
    while (at < end) {
        char c = *at++;
        if (c == '%') {
            int high = end - at >= 2 ? hex(at[0]) : -1, low = end - at >= 2 ? hex(at[1]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return false;
            c = (char)(high << 4 | low);
            at += 2;
        } else if (c == '+' && query) {
            c = ' ';
        }
        *to++ = c;
    }
    ret->size = (size_t)(to - (const char *)ret->data);
    return utf8_valid(ret->data, ret->size);
}

static bool read_path(struct target *t, char *at, const char **ret_why)
{
    while (*at) {
        at++; /* the slash */
        size_t size = strcspn(at, "/");
        *ret_why = "a segment of the path is empty: it has two slashes in a row, or one at its end";
        if (!size)
            return false;
        *ret_why = "the path has too many segments";
        if (t->segments_count == TARGET_SEGMENTS_MAX)
            return false;
        *ret_why = "the path is not UTF-8 in percent-encoding";
        if (!decode(at, at + size, false, &t->segments[t->segments_count++]))
            return false;
        at += size;
    }
    return true;
}

static bool read_query(struct target *t, char *at, const char **ret_why)
{
    while (at && *at) {
        size_t size = strcspn(at, "&"), name = strcspn(at, "=&");
        char *next = at[size] ? at + size + 1 : NULL;
        *ret_why = "the query has too many parameters";
        if (t->pairs_count == TARGET_PAIRS_MAX)
            return false;
        struct target_pair *pair = &t->pairs[t->pairs_count++];
        *ret_why = "the query is not NAME=VALUE&NAME=VALUE, as UTF-8 in percent-encoding";
        if (!name || name == size || !decode(at, at + name, true, &pair->name) ||
            !decode(at + name + 1, at + size, true, &pair->value))
            return false;
        at = next;
    }
    return true;
}

bool target_read(const char *raw, struct target *ret, const char **ret_why)
{
    *ret = (struct target){0};
    *ret_why = "no memory";
    ret->bytes = strdup(raw);
    if (!ret->bytes)
        return false;
    char *query = strchr(ret->bytes, '?');
    if (query)
        *query++ = '\0';
    return read_path(ret, ret->bytes, ret_why) && read_query(ret, query, ret_why);
}

void target_done(struct target *t)
{
    free(t->bytes);
    *t = (struct target){0};
}
