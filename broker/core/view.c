/* view: topics, groups and jobs as maps, and the numbers for metrics. */
#include "broker/core/breaker.h"
#include "broker/core/cause.h"
#include "broker/core/due.h"
#include "broker/core/order.h"
#include "broker/core/view_page.h"
#include "broker/core/view_put.h"

#include <string.h>

static void put_text(struct mpack_buffer *to, const char *key, const char *value)
{
    mpack_write_cstr(to, key);
    mpack_write_cstr(to, value);
}

static int written(const struct mpack_buffer *to)
{
    return to->failed ? SHUNT_NO_MEMORY : 0;
}

/* ---- oldest ---- */

/* Since when it can be taken: `since_ms` or, where that is not known, since its delay was over, it was
 * published or, a dead letter, it died; not before the group was made. */
static int note_age(struct ledger *l, const struct group *g, uint64_t seq, int64_t since_ms,
                    int64_t *oldest_ms)
{
    int err = 0;
    if (!since_ms) {
        struct loaded_message m;
        err = message_load(l, g->topic, seq, false, &m);
        ledger_looked(l, 0);
        since_ms = m.is_dead ? m.dead.died_ms : message_since_ms(&m.head);
    }
    if (since_ms && since_ms < g->r.created_ms)
        since_ms = g->r.created_ms;
    if (!err && since_ms && (!*oldest_ms || since_ms < *oldest_ms))
        *oldest_ms = since_ms;
    return err;
}

/* The first ready row of a lane from `from_ms` on. */
static int oldest_waiting(struct ledger *l, const struct group *g, enum due_place place, int64_t from_ms,
                          int64_t *oldest_ms)
{
    struct store_cursor *cursor;
    struct key from = key_due(g->r.id, place, from_ms, 0);
    struct slice key, value;
    uint32_t group;
    uint8_t in;
    int64_t due_ms;
    uint64_t seq;
    int err = store_cursor_open(l->txn, TABLE_DUE, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    bool ready = !err && key_read_due(key, &group, &in, &due_ms, &seq) && group == g->r.id && in == place &&
                 due_ms <= g->r.due_mark_ms;
    store_cursor_close(cursor);
    ledger_looked(l, 0);
    if (!ready)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    enum where where;
    struct attempt_record row = {0};
    err = place_find(l, g, seq, &where, &row);
    if (err)
        return err == SHUNT_CORRUPT ? 0 : err; /* its consumer will be told */
    err = note_age(l, g, seq, row.since_ms, oldest_ms);
    /* What came back to the front stands in order of number; what waited for a time, behind it, in order of
     * that. (A damaged tree may answer with the front again.) */
    return !err && due_ms == 0 && from_ms == 0 ? oldest_waiting(l, g, place, 1, oldest_ms) : err;
}

/* So many keys' first messages are looked at, at most, for the oldest of those that wait for their turn. */
#define AGE_KEYS_MAX 1024

/* The first of each key that takes turns. */
static int oldest_in_turn(struct ledger *l, const struct group *g, int64_t *oldest_ms)
{
    int64_t key = 0;
    uint64_t seq = 0;
    int err = 0;
    for (unsigned keys = 0; !err && g->r.fair.listed && keys < AGE_KEYS_MAX; keys++) {
        enum where where;
        struct attempt_record row = {0};
        err = due_first(l, g, DUE_FAIR, &key, &seq);
        ledger_looked(l, 0);
        if (!err)
            err = place_find(l, g, seq, &where, &row);
        if (!err)
            err = note_age(l, g, seq, row.since_ms, oldest_ms);
        seq = UINT64_MAX; /* the next key */
    }
    return err == SHUNT_NOT_FOUND || err == SHUNT_CORRUPT ? 0 : err; /* as above */
}

/* The first row at or after *seq whose bit is clear; NOT_FOUND if there is none. Between clear bits without a
 * row may lie any number of rows with a bit: after as many as a page may cost, the next row stands for the
 * one sought, because it is the older one. */
static int find_fresh(struct ledger *l, const struct group *g, struct store_cursor *cursor, uint64_t *seq)
{
    uint64_t most = l->rows + LOOK_ROWS_MAX;
    for (;;) {
        struct slice key, value;
        uint32_t id;
        uint64_t clear = bitmap_next_clear(&g->bits, *seq);
        struct key from = key_id_seq(g->topic->r.id, clear);
        ledger_looked(l, (size_t)(clear - *seq) / 8);
        int err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
        if (err)
            return err;
        if (!key_read_id_seq(key, &id, seq) || id != g->topic->r.id)
            return SHUNT_NOT_FOUND;
        if (!bitmap_get(&g->bits, *seq) || l->rows >= most)
            return 0;
    }
}

/* The first message at the cursor that has no bit. */
static int oldest_fresh(struct ledger *l, const struct group *g, int64_t *oldest_ms)
{
    struct store_cursor *cursor;
    uint64_t seq = g->r.next;
    int err = store_cursor_open(l->txn, g->topic->r.origin_group ? TABLE_DEAD : TABLE_MESSAGE, &cursor);
    if (err)
        return err;
    err = find_fresh(l, g, cursor, &seq);
    bool there = !err;
    store_cursor_close(cursor);
    if (!there)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    return note_age(l, g, seq, 0, oldest_ms);
}

static int oldest_ready(const struct view *v, const struct group *g, int64_t *ret_ms)
{
    struct ledger *l = v->ledger;
    *ret_ms = 0;
    if (!g->r.counts.ready)
        return 0;
    l->txn = v->txn;
    int err = 0;
    for (enum lane lane = 0; !err && lane < LANES; lane++)
        err = oldest_waiting(l, g, due_place_of(lane), 0, ret_ms);
    if (!err)
        err = oldest_in_turn(l, g, ret_ms);
    return err ? err : oldest_fresh(l, g, ret_ms);
}

static int oldest_dead(const struct view *v, const struct group *g, int64_t *ret_ms)
{
    struct store_cursor *cursor;
    struct slice key, value;
    struct dead_record dead;
    uint32_t id;
    uint64_t seq;
    *ret_ms = 0;
    if (!g->dlq || !g->r.counts.dead)
        return 0;
    ledger_looked(v->ledger, 0);
    struct key from = key_id_seq(g->dlq->r.id, 0);
    int err = store_cursor_open(v->txn, TABLE_DEAD, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    if (!err && key_read_id_seq(key, &id, &seq) && id == g->dlq->r.id) {
        err = dead_decode(key, value, &dead);
        if (!err)
            *ret_ms = dead.died_ms;
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* ---- maps ---- */

static void put_policy(struct mpack_buffer *to, const struct policy *own, const struct policy *topic,
                       bool of_topic)
{
    uint32_t count = 0;
    mpack_write_cstr(to, "policy");
    size_t map = mpack_write_map_open(to);
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        if (!of_topic && policy_rows[i].scope == SCOPE_TOPIC)
            continue;
        mpack_write_cstr(to, policy_rows[i].field);
        mpack_write_int(to, policy_value(own, topic, (enum policy_field)i));
        count++;
    }
    mpack_patch_map(to, map, count);
}

#define BREAKER_FIELDS 4
static void put_breaker(struct ledger *l, const struct group *g, struct mpack_buffer *to)
{
    static const char *const names[BREAKER_STATES] = BREAKER_STATE_NAMES;
    static const struct breaker_record none = {.state = BREAKER_CLOSED};
    const struct breaker_record *r = g->breaker ? &g->breaker->r : &none;
    put_text(to, "breaker", breaker_is_on(g) ? names[r->state] : "off");
    put_time(l, to, "breaker_since", r->since_ms);
    put_time(l, to, "breaker_until", r->until_ms);
    put_uint(to, "breaker_trips", r->trips);
}

int view_group(const struct view *v, struct group *g, struct mpack_buffer *to)
{
    const struct group_counts *n = &g->r.counts;
    uint64_t blocked = 0;
    v->ledger->txn = v->txn;
    int err = order_blocked_messages(v->ledger, g, &blocked);
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {{"ready", n->ready},
                  {"in_flight", n->in_flight},
                  {"delayed", n->delayed},
                  {"dead", n->dead},
                  {"unattended", n->unattended},
                  {"acked", n->acked},
                  {"expired", n->expired},
                  {"expired_unattended", n->expired_unattended},
                  {"slo_breaches", n->slo_breaches},
                  {"discarded", n->discarded},
                  {"purged", n->purged},
                  {"moved", g->origin ? 0 : n->moved_away},
                  {"redriven", g->origin ? n->moved_away : n->redriven},
                  {"published", n->published},
                  {"deliveries", n->deliveries},
                  {"parked", group_is_ordered(g) ? g->r.parked : 0},
                  {"blocked_keys", order_dead_hold(g) ? g->r.blocked : 0},
                  {"blocked_messages", blocked},
                  {"consumers", v->members ? v->members(v->context, g->r.id) : 0}};
    int64_t ready_ms, dead_ms, unattended_ms;
    ledger_looked(v->ledger, 0);
    if (!err)
        err = oldest_ready(v, g, &ready_ms);
    if (!err)
        err = oldest_dead(v, g, &dead_ms);
    if (!err)
        err = unattended_oldest(v->ledger, v->txn, g, &unattended_ms);
    if (err)
        return err;
    size_t map = mpack_write_map_open(to);
    put_text(to, "topic", g->topic->r.name);
    put_text(to, "group", g->r.name);
    mpack_write_cstr(to, "paused");
    mpack_write_bool(to, g->r.paused);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        put_uint(to, counts[i].key, counts[i].value);
    put_time(v->ledger, to, "oldest_ready", ready_ms);
    put_time(v->ledger, to, "oldest_dead", dead_ms);
    put_time(v->ledger, to, "oldest_unattended", unattended_ms);
    put_time(v->ledger, to, "oldest_blocked", order_blocked_since(v->ledger, g));
    put_breaker(v->ledger, g, to);
    put_text(to, "dlq", g->dlq ? g->dlq->r.name : NULL);
    put_policy(to, &g->r.policy, &g->topic->r.policy, false);
    mpack_write_cstr(to, "own");
    mpack_write_array(to, (uint32_t)__builtin_popcount(g->r.policy.given));
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        if (g->r.policy.given >> i & 1)
            mpack_write_cstr(to, policy_rows[i].field);
    }
    mpack_patch_map(to, map, 3 + (uint32_t)(sizeof counts / sizeof *counts) + 7 + BREAKER_FIELDS);
    return written(to);
}

int view_groups(const struct view *v, struct topic *t, struct mpack_buffer *to)
{
    mpack_write_array(to, (uint32_t)t->groups_count);
    for (size_t i = 0; i < t->groups_count; i++) {
        int err = view_group(v, t->groups[i], to);
        if (err)
            return err;
    }
    return written(to);
}

int view_topic(const struct view *v, struct topic *t, struct mpack_buffer *to)
{
    mpack_write_map(to, 7);
    put_text(to, "topic", t->r.name);
    put_time(v->ledger, to, "created", t->r.created_ms);
    put_uint(to, "messages", t->r.stored);
    put_uint(to, "bytes", t->r.stored_bytes);
    put_uint(to, "published", t->r.published);
    put_policy(to, NULL, &t->r.policy, true);
    mpack_write_cstr(to, "groups");
    return view_groups(v, t, to);
}

struct topic *view_topic_after(const struct view *v, struct page *p, struct slice after, bool or_its_letters)
{
    struct topic *t = catalog_topic_after(v->ledger, after);
    while (t && !view_sees(v, slice_of(t->r.name), false) &&
           !(or_its_letters && view_sees(v, slice_of(t->r.name), true))) {
        ledger_looked(v->ledger, 0);
        p->cost_max++; /* a page goes on behind its last row: so it has one, if there is any */
        t = catalog_topic_after(v->ledger, slice_of(t->r.name));
    }
    return t;
}

int view_topics(const struct view *v, struct slice after, uint32_t limit, struct mpack_buffer *to)
{
    struct page p = page_begin(v->ledger, to, limit);
    struct topic *t = view_topic_after(v, &p, after, false);
    for (; t && !page_is_full(&p); t = view_topic_after(v, &p, slice_of(t->r.name), false)) {
        p.count++;
        int err = view_topic(v, t, to);
        if (err)
            return err;
    }
    return page_end(&p, t != NULL);
}

/* ---- numbers ---- */

void view_group_numbers(const struct view *v, struct group *g, struct group_numbers *ret)
{
    *ret = (struct group_numbers){.topic = g->topic->r.name,
                                  .group = g->r.name,
                                  .counts = &g->r.counts,
                                  .id = g->r.id,
                                  .topic_id = g->topic->r.id,
                                  .paused = g->r.paused,
                                  .breaker = g->breaker ? g->breaker->r.state : BREAKER_CLOSED,
                                  .breaker_trips = g->breaker ? g->breaker->r.trips : 0,
                                  .dlq_retention_ms = group_setting(g, POLICY_dlq_retention_ms),
                                  .dlq_slo_ms = group_setting(g, POLICY_dlq_slo_ms)};
    v->ledger->txn = v->txn;
    if (oldest_ready(v, g, &ret->oldest_ready_ms))
        ret->oldest_ready_ms = 0;
    if (oldest_dead(v, g, &ret->oldest_dead_ms))
        ret->oldest_dead_ms = 0;
    if (unattended_oldest(v->ledger, v->txn, g, &ret->oldest_unattended_ms))
        ret->oldest_unattended_ms = 0;
    ret->blocked_keys = order_dead_hold(g) ? g->r.blocked : 0;
    ret->oldest_blocked_ms = order_blocked_since(v->ledger, g);
    if (ret->oldest_dead_ms && ret->dlq_retention_ms)
        ret->next_expiry_ms = dead_leaves_at(g, ret->oldest_dead_ms);
    for (size_t i = 0; i < g->causes_count; i++)
        ret->causes[g->causes[i]->r.state]++;
    ledger_looked(v->ledger, g->causes_count * 256); /* as bytes: 16 causes a row */
    int64_t *const times[] = {&ret->oldest_ready_ms, &ret->oldest_dead_ms, &ret->oldest_unattended_ms,
                              &ret->oldest_blocked_ms, &ret->next_expiry_ms};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        *times[i] = ledger_shown_ms(v->ledger, *times[i]);
}

/* The topic's group with the least id beyond this one; NULL if there is none. */
static struct group *group_after(const struct topic *t, uint32_t id)
{
    struct group *next = NULL;
    for (size_t i = 0; i < t->groups_count; i++) {
        if (t->groups[i]->r.id > id && (!next || t->groups[i]->r.id < next->r.id))
            next = t->groups[i];
    }
    return next;
}

bool view_next_group(const struct view *v, struct groups_cursor *cursor, struct group_numbers *ret)
{
    struct ledger *l = v->ledger;
    size_t at = catalog_topic_position(l, cursor->topic);
    for (; at < l->topics_count; at++) {
        const struct topic *t = l->topics[at];
        ledger_looked(l, 0);
        if (t->r.id != cursor->topic)
            *cursor = (struct groups_cursor){.topic = t->r.id};
        struct group *g = t->r.dropped || t->r.origin_group ? NULL : group_after(t, cursor->group);
        if (!g)
            continue;
        cursor->group = g->r.id;
        view_group_numbers(v, g, ret);
        return true;
    }
    return false;
}

uint64_t view_jobs_count(const struct ledger *l)
{
    return l->jobs_count;
}

uint64_t view_causes_count(const struct ledger *l)
{
    return l->causes_count;
}

uint64_t view_causes_shared(const struct ledger *l)
{
    return l->causes_shared;
}

uint64_t view_topics_count(const struct ledger *l)
{
    return l->names_count - l->names_dlq;
}

/* ---- producers ---- */

int view_producer(const struct view *v, struct slice producer, struct mpack_buffer *to)
{
    struct dedup_record r = {.base = 0};
    struct slice value = {0};
    int err = store_get(v->txn, TABLE_DEDUP, producer, &value);
    ledger_looked(v->ledger, value.size);
    if (!err)
        err = dedup_decode(producer, value, &r);
    if (err && err != SHUNT_NOT_FOUND)
        return err;
    mpack_write_uint(to, r.latest.count ? r.latest.answers[r.latest.count - 1].sequence : 0);
    return written(to);
}
