/* view_overview: every group in a few numbers, for who looks at all of them. Touches nothing.
 *
 * Of a thousand topics most have nothing to tell, so what is 0, false or nil is left out. */
#include "broker/core/breaker.h"
#include "broker/core/view_page.h"
#include "broker/core/view_put.h"

/* A map of as many keys as it gets. */
struct row {
    const struct view *v;
    struct mpack_buffer *to;
    size_t map;
    uint32_t keys;
};

static void add_uint(struct row *r, const char *key, uint64_t value)
{
    if (!value)
        return;
    put_uint(r->to, key, value);
    r->keys++;
}

static void add_text(struct row *r, const char *key, const char *text)
{
    put_key(r->to, key);
    mpack_write_cstr(r->to, text);
    r->keys++;
}

/* `shown_ms`: as it is shown; 0: none. */
static void add_time(struct row *r, const char *key, int64_t shown_ms)
{
    if (!shown_ms)
        return;
    put_key(r->to, key);
    mpack_write_int(r->to, shown_ms);
    r->keys++;
}

static void add_breaker(struct row *r, const struct group *g)
{
    static const char *const names[BREAKER_STATES] = BREAKER_STATE_NAMES;
    if (!g->breaker || !breaker_is_on(g) || g->breaker->r.state == BREAKER_CLOSED)
        return;
    add_text(r, "breaker", names[g->breaker->r.state]);
    add_time(r, "breaker_until", ledger_shown_ms(r->v->ledger, g->breaker->r.until_ms));
}

static void add_dead(struct row *r, const struct group_numbers *n)
{
    add_uint(r, "dead", n->counts->dead);
    add_uint(r, "unattended", n->counts->unattended);
    add_uint(r, "slo_breaches", n->counts->slo_breaches);
    add_uint(r, "causes_new", n->causes[CAUSE_NEW] + n->causes[CAUSE_REGRESSED]);
    add_time(r, "oldest_dead", n->oldest_dead_ms);
    add_time(r, "oldest_unattended", n->oldest_unattended_ms);
    if (n->oldest_unattended_ms)
        add_uint(r, "dlq_slo_ms", (uint64_t)n->dlq_slo_ms);
}

static void add_live(struct row *r, const struct group *g, const struct group_numbers *n)
{
    add_uint(r, "published", n->counts->published);
    add_uint(r, "acked", n->counts->acked);
    add_uint(r, "ready", n->counts->ready);
    add_uint(r, "in_flight", n->counts->in_flight);
    add_uint(r, "delayed", n->counts->delayed);
    add_uint(r, "blocked_keys", n->blocked_keys);
    add_uint(r, "consumers", r->v->members ? r->v->members(r->v->context, n->id) : 0);
    add_time(r, "oldest_ready", n->oldest_ready_ms);
    add_time(r, "oldest_blocked", n->oldest_blocked_ms);
    add_breaker(r, g);
    if (n->paused) {
        put_key(r->to, "paused");
        mpack_write_bool(r->to, true);
        r->keys++;
    }
}

/* `live`: also what is of messages that are not dead. */
static void add_group(const struct view *v, struct group *g, bool live, struct mpack_buffer *to)
{
    struct row r = {.v = v, .to = to, .map = mpack_write_map_open(to)};
    struct group_numbers n;
    view_group_numbers(v, g, &n);
    add_text(&r, "topic", n.topic);
    add_text(&r, "group", n.group);
    if (live)
        add_live(&r, g, &n);
    add_dead(&r, &n);
    mpack_patch_map(to, r.map, r.keys);
    ledger_looked(v->ledger, 0);
}

int view_overview(const struct view *v, struct slice after, uint32_t limit, struct mpack_buffer *to)
{
    struct page p = page_begin(v->ledger, to, limit);
    const char *last = NULL;
    struct topic *t = view_topic_after(v, &p, after, true);
    for (; t && !page_is_full(&p); t = view_topic_after(v, &p, slice_of(last), true)) {
        last = t->r.name;
        bool live = view_sees(v, slice_of(last), false);
        for (size_t i = 0; i < t->groups_count; i++)
            add_group(v, t->groups[i], live, to);
        p.count += (uint32_t)t->groups_count;
    }
    (void)page_end(&p, t != NULL);
    if (last)
        mpack_write_cstr(to, last);
    else
        mpack_write_nil(to);
    return to->failed ? SHUNT_NO_MEMORY : 0;
}
