/* notices: see notices.h. */
#include "broker/notices.h"

#include "base/check.h"
#include <string.h>

static struct notice *find(struct notices *n, const struct notice *of)
{
    for (size_t i = 0; i < n->count; i++) {
        if (!strcmp(n->all[i].topic, of->topic) && !strcmp(n->all[i].group, of->group))
            return &n->all[i];
    }
    return NULL;
}

/* Forget those that have rested. */
static void compact(struct notices *n, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < n->count; i++) {
        if (n->all[i].count || n->all[i].due_ms > now_ms)
            n->all[kept++] = n->all[i];
    }
    n->count = kept;
}

void notices_add(struct notices *n, const struct notice *more, int64_t now_ms)
{
    struct notice *to = more->topic[0] ? find(n, more) : &n->all[NOTICES_MAX];
    if (!to && n->count == NOTICES_MAX)
        compact(n, now_ms);
    if (!to && n->count == NOTICES_MAX)
        to = &n->all[NOTICES_MAX]; /* which has no names */
    if (!to) {
        to = &n->all[n->count++];
        *to = *more;
        to->count = 0;
        to->failures = 0;
        to->due_ms = now_ms;
    }
    if (!to->count) {
        to->seq = more->seq;
        to->died_ms = more->died_ms;
    }
    to->count += more->count;
}

bool notices_due(struct notices *n, int64_t now_ms, struct notice *ret, int64_t *ret_due_ms)
{
    const struct notice *first = n->all[NOTICES_MAX].count ? &n->all[NOTICES_MAX] : NULL;
    compact(n, now_ms);
    for (size_t i = 0; i < n->count; i++) {
        if (n->all[i].count && (!first || n->all[i].due_ms < first->due_ms))
            first = &n->all[i];
    }
    *ret_due_ms = first ? first->due_ms : INT64_MAX;
    if (*ret_due_ms > now_ms)
        return false;
    *ret = *first;
    return true;
}

static struct notice *tried_one(struct notices *n, const struct notice *tried)
{
    struct notice *at = tried->topic[0] ? find(n, tried) : &n->all[NOTICES_MAX];
    check(at && at->count >= tried->count); /* it waits, and what waits is not forgotten */
    return at;
}

static void rest(struct notice *at, uint64_t count, int64_t now_ms)
{
    at->count -= count;
    at->failures = 0;
    at->due_ms = now_ms + NOTICE_REST_MS;
}

void notices_told(struct notices *n, const struct notice *tried, int64_t now_ms)
{
    rest(tried_one(n, tried), tried->count, now_ms);
}

int64_t notices_failed(struct notices *n, const struct notice *tried, uint64_t random, int64_t now_ms)
{
    struct notice *at = tried_one(n, tried);
    if (++at->failures == NOTICE_TRIES_MAX) {
        rest(at, tried->count, now_ms);
        return 0;
    }
    uint64_t most = (uint64_t)NOTICE_BACKOFF_MS << (at->failures - 1);
    if (most > NOTICE_BACKOFF_MAX_MS)
        most = NOTICE_BACKOFF_MAX_MS;
    at->due_ms = now_ms + 1 + (int64_t)(random % most);
    return at->due_ms;
}

uint64_t notices_left(const struct notices *n)
{
    uint64_t left = n->all[NOTICES_MAX].count;
    for (size_t i = 0; i < n->count; i++)
        left += n->all[i].count;
    return left;
}
