/* cause_share: deaths by build and by host; see the header. */
#include "broker/core/cause_share.h"
#include "base/utf8.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* A name as it is kept. */
struct tame {
    char bytes[CAUSE_SHARE_BYTES_MAX];
    size_t size;
};

static struct tame tame(struct slice name)
{
    struct tame t = {.size = name.size};
    if (t.size > sizeof t.bytes)
        t.size = utf8_prefix(name.data, t.size, sizeof t.bytes);
    utf8_clean(t.bytes, name.data, t.size);
    return t;
}

/* Which of them it is; their count: none. */
static uint32_t find(const struct cause_shares *s, const char *name, size_t size)
{
    uint32_t i = 0;
    while (i < s->count && (memcmp(s->all[i].name, name, size) || s->all[i].name[size]))
        i++;
    return i;
}

/* The place for another name: that of the one unseen for longest, if there is no other. */
static struct cause_share *place(struct cause_shares *s)
{
    struct cause_share *oldest = &s->all[0];
    if (s->count < CAUSE_SHARES_MAX)
        return &s->all[s->count++];
    for (uint32_t i = 1; i < s->count; i++) {
        if (s->all[i].last_ms < oldest->last_ms)
            oldest = &s->all[i];
    }
    return oldest;
}

static uint32_t find_past(const struct cause_record *r, uint64_t hash)
{
    uint32_t i = 0;
    while (i < r->past_builds_count && r->past_builds[i] != hash)
        i++;
    return i;
}

static void remove_past(struct cause_record *r, uint32_t at)
{
    r->past_builds_count--;
    memmove(r->past_builds + at, r->past_builds + at + 1,
            (r->past_builds_count - at) * sizeof *r->past_builds);
}

/* `name` takes the place of `gone`, which becomes the latest of the past ones; if there are as many as may be, the oldest makes room. */
static void replace_build(struct cause_record *r, struct tame name, const char *gone)
{
    uint32_t at = find_past(r, XXH3_64bits(name.bytes, name.size));
    if (at < r->past_builds_count)
        remove_past(r, at);
    if (r->past_builds_count == CAUSE_PAST_BUILDS_MAX)
        remove_past(r, 0);
    r->past_builds[r->past_builds_count++] = XXH3_64bits(gone, strlen(gone));
}

/* The share of that name, which may be a new one. `past`: the record that remembers the name whose place it takes then; NULL: none does. */
static struct cause_share *tame_share(struct cause_shares *s, struct tame t, struct cause_record *past)
{
    uint32_t known = find(s, t.bytes, t.size);
    if (known < s->count)
        return &s->all[known];
    struct cause_share *share = place(s);
    if (past && share->name[0])
        replace_build(past, t, share->name);
    *share = (struct cause_share){0};
    memcpy(share->name, t.bytes, t.size);
    return share;
}

static void count(struct cause_shares *s, struct slice name, int64_t now_ms, struct cause_record *past)
{
    if (!name.size)
        return;
    /* Most names are tame as they are, and known: those cost no copy. */
    uint32_t known = name.size <= CAUSE_SHARE_BYTES_MAX ? find(s, name.data, name.size) : s->count;
    struct cause_share *share = known < s->count ? &s->all[known] : tame_share(s, tame(name), past);
    share->count++;
    share->last_ms = share->last_ms > now_ms ? share->last_ms : now_ms;
}

void cause_count_build(struct cause_record *r, struct slice name, int64_t now_ms)
{
    count(&r->builds, name, now_ms, r);
}

void cause_count_host(struct cause_record *r, struct slice name, int64_t now_ms)
{
    count(&r->hosts, name, now_ms, NULL);
}

bool cause_has_build(const struct cause_record *r, struct slice name)
{
    struct tame t = tame(name);
    return find(&r->builds, t.bytes, t.size) < r->builds.count ||
           find_past(r, XXH3_64bits(t.bytes, t.size)) < r->past_builds_count;
}
