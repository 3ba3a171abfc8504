/* catalog: topics and groups in memory, by id and by name.
 *
 * Ids only grow, so that the arrays by id stay in order by appending.
 */
#include "base/array.h"
#include "base/check.h"
#include "base/search.h"
#include "broker/core/group_queue.h"
#include "broker/core/state.h"
#include "proto/names.h"

#include <stdlib.h>
#include <string.h>

/* Puts the item behind the others; false without memory. */
#define APPEND(array, item)                                                                                  \
    (array_room(&(array), &(array##_capacity), (array##_count) + 1)                                          \
         ? ((array)[(array##_count)++] = (item), true)                                                       \
         : false)

/* ---- lookup ---- */

static int topic_order(const void *element, const void *key)
{
    uint32_t have = (*(struct topic *const *)element)->r.id, want = *(const uint32_t *)key;
    return have < want ? -1 : have > want;
}

size_t catalog_topic_position(const struct ledger *l, uint32_t id)
{
    return search_first(l->topics, l->topics_count, sizeof *l->topics, &id, topic_order);
}

struct topic *catalog_topic_by_id(const struct ledger *l, uint32_t id)
{
    size_t at = catalog_topic_position(l, id);
    return at < l->topics_count && l->topics[at]->r.id == id ? l->topics[at] : NULL;
}

static int group_order(const void *element, const void *key)
{
    uint32_t have = (*(struct group *const *)element)->r.id, want = *(const uint32_t *)key;
    return have < want ? -1 : have > want;
}

static size_t group_position(const struct ledger *l, uint32_t id)
{
    return search_first(l->groups, l->groups_count, sizeof *l->groups, &id, group_order);
}

struct group *catalog_group_by_id(const struct ledger *l, uint32_t id)
{
    size_t at = group_position(l, id);
    return at < l->groups_count && l->groups[at]->r.id == id ? l->groups[at] : NULL;
}

struct group *catalog_live_group(const struct ledger *l, uint32_t id)
{
    struct group *g = catalog_group_by_id(l, id);
    return g && !g->r.dropped ? g : NULL;
}

static int name_order(const void *element, const void *key)
{
    return slice_compare(slice_of((*(struct topic *const *)element)->r.name), *(const struct slice *)key);
}

/* Index of the first name >= `name`. */
static size_t name_position(const struct ledger *l, struct slice name)
{
    return search_first(l->names, l->names_count, sizeof *l->names, &name, name_order);
}

struct topic *ledger_topic(const struct ledger *l, struct slice name)
{
    size_t at = name_position(l, name);
    return at < l->names_count && slice_is(name, l->names[at]->r.name) ? l->names[at] : NULL;
}

struct topic *catalog_topic_after(const struct ledger *l, struct slice name)
{
    /* Names of DLQs stand together, for `:` is theirs alone: one step passes them all. */
    static const struct slice past_dlqs = {"dlq;", 4};
    size_t at = name.size ? name_position(l, name) : 0;
    if (name.size && at < l->names_count && slice_is(name, l->names[at]->r.name))
        at++;
    if (at < l->names_count && l->names[at]->r.origin_group)
        at = name_position(l, past_dlqs);
    return at < l->names_count ? l->names[at] : NULL;
}

struct group *catalog_find_group(const struct topic *t, struct slice name)
{
    for (size_t i = 0; i < t->groups_count; i++) {
        if (slice_is(name, t->groups[i]->r.name))
            return t->groups[i];
    }
    return NULL;
}

struct group *ledger_group(const struct ledger *l, struct slice topic, struct slice name, int *ret_err)
{
    struct topic *t = ledger_topic(l, topic);
    struct group *g = t ? catalog_find_group(t, name) : NULL;
    if (!g)
        *ret_err = t ? SHUNT_UNKNOWN_GROUP : SHUNT_UNKNOWN_TOPIC;
    return g;
}

/* ---- change ---- */

static bool add_name(struct ledger *l, struct topic *t)
{
    if (!array_room(&l->names, &l->names_capacity, l->names_count + 1))
        return false;
    size_t at = name_position(l, slice_of(t->r.name));
    array_insert(l->names, &l->names_count, at);
    l->names[at] = t;
    l->names_dlq += t->r.origin_group != 0;
    return true;
}

/* Not by doubling: most topics have one group, and there are many topics. */
static bool link_group(struct topic *t, struct group *g)
{
    struct group **groups = realloc(t->groups, (t->groups_count + 1) * sizeof *groups);
    if (!groups)
        return false;
    t->groups = groups;
    t->groups[t->groups_count++] = g;
    return true;
}

static void unlink_group(struct topic *t, const struct group *g)
{
    for (size_t i = 0; i < t->groups_count; i++) {
        if (t->groups[i] == g) {
            array_remove(t->groups, &t->groups_count, i);
            return;
        }
    }
}

/* Topics are deleted with their oldest group first, so the place is nearly always the first. */
static void link_dropped(struct group *g)
{
    struct group **link = &g->topic->dropped;
    while (*link && (*link)->r.id > g->r.id)
        link = &(*link)->dropped_next;
    g->dropped_next = *link;
    *link = g;
}

static void unlink_dropped(struct group *g)
{
    struct group **link = &g->topic->dropped;
    while (*link && *link != g)
        link = &(*link)->dropped_next;
    if (*link)
        *link = g->dropped_next;
}

struct topic *catalog_add_topic(struct ledger *l, struct slice name, uint32_t origin_group)
{
    struct topic *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    check(name.size <= TOPIC_BYTES_MAX);
    memcpy(t->r.name, name.data, name.size);
    t->r.id = l->meta.topic_next++;
    t->r.origin_group = origin_group;
    t->r.head = 1;
    t->r.created_ms = l->now_ms;
    if (!APPEND(l->topics, t)) {
        free(t);
        return NULL;
    }
    if (!add_name(l, t))
        return NULL; /* fatal for the caller, who stops; the catalog frees it */
    ledger_dirty_topic(l, t);
    return t;
}

struct group *catalog_add_group(struct ledger *l, struct topic *t, struct slice name)
{
    struct group *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    check(name.size <= NAME_BYTES_MAX);
    memcpy(g->r.name, name.data, name.size);
    g->r.id = l->meta.group_next++;
    g->r.topic = t->r.id;
    g->r.start = g->r.next = g->r.floor = t->r.head;
    g->r.created_ms = l->now_ms;
    g->r.due_mark_ms = l->now_ms;
    g->r.attended_below = g->r.slo_below = 1;
    g->r.causes_known = true;
    g->topic = t;
    if (!APPEND(l->groups, g)) {
        free(g);
        return NULL;
    }
    if (group_queue_join(l, g) || !link_group(t, g))
        return NULL; /* as above */
    ledger_dirty_group(l, g);
    return g;
}

void catalog_drop_topic(struct ledger *l, struct topic *t)
{
    size_t at = name_position(l, slice_of(t->r.name));
    check(at < l->names_count && l->names[at] == t);
    array_remove(l->names, &l->names_count, at);
    l->names_dlq -= t->r.origin_group != 0;
    t->r.dropped = true;
    ledger_dirty_topic(l, t);
}

void catalog_drop_group(struct ledger *l, struct group *g)
{
    unlink_group(g->topic, g);
    link_dropped(g);
    g->r.dropped = true;
    ledger_dirty_group(l, g);
}

int catalog_remove_topic(struct ledger *l, struct topic *t)
{
    check(!t->dropped);
    struct key key = key_id(t->r.id);
    int err = ledger_del(l, TABLE_TOPIC, key_slice(&key), NULL);
    if (err && err != SHUNT_NOT_FOUND)
        return err;
    array_remove(l->topics, &l->topics_count, catalog_topic_position(l, t->r.id));
    struct topic **at = &l->dirty_topics;
    while (*at && *at != t)
        at = &(*at)->dirty_next;
    if (*at)
        *at = t->dirty_next;
    free(t->groups);
    free(t);
    return 0;
}

int catalog_remove_group(struct ledger *l, struct group *g)
{
    struct key key = key_id(g->r.id);
    int err = ledger_del(l, TABLE_GROUP, key_slice(&key), NULL);
    if (err && err != SHUNT_NOT_FOUND)
        return err;
    array_remove(l->groups, &l->groups_count, group_position(l, g->r.id));
    unlink_dropped(g);
    group_queue_leave(l, g);
    sums_forget(l, g);
    struct group **dirty = &l->dirty_groups;
    while (*dirty && *dirty != g)
        dirty = &(*dirty)->dirty_next;
    if (*dirty)
        *dirty = g->dirty_next;
    bitmap_done(&g->bits);
    key_table_free(g->keys);
    free(g);
    return 0;
}

/* ---- settings ---- */

int64_t group_setting(const struct group *g, enum policy_field field)
{
    return policy_value(&g->r.policy, &g->topic->r.policy, field);
}

bool group_retains(const struct group *g)
{
    return g->dlq && g->r.counts.dead && group_setting(g, POLICY_dlq_retention_ms);
}

int64_t topic_setting(const struct topic *t, enum policy_field field)
{
    return policy_value(NULL, &t->r.policy, field);
}

int64_t ledger_group_lease_ms(const struct group *g)
{
    return group_setting(g, POLICY_lease_ms);
}

uint32_t ledger_group_id(const struct group *g)
{
    return g->r.id;
}

void ledger_group_names(const struct ledger *l, uint32_t group, struct slice *ret_topic,
                        struct slice *ret_group)
{
    const struct group *g = catalog_group_by_id(l, group);
    *ret_topic = *ret_group = (struct slice){"", 0};
    if (!g)
        return;
    *ret_topic = slice_of(g->topic->r.name);
    *ret_group = slice_of(g->r.name);
}

/* ---- load and flush ---- */

static int load_topics(struct ledger *l)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(l->txn, TABLE_TOPIC, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    while (!err) {
        struct topic *t = calloc(1, sizeof *t);
        err = t ? topic_decode(key, value, &t->r) : SHUNT_NO_MEMORY;
        if (!err && !APPEND(l->topics, t))
            err = SHUNT_NO_MEMORY;
        if (err) {
            free(t);
            break;
        }
        if (!t->r.dropped && !add_name(l, t))
            err = SHUNT_NO_MEMORY;
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static int load_group(struct ledger *l, struct slice key, struct slice value)
{
    struct group *g = calloc(1, sizeof *g);
    int err = g ? group_decode(key, value, &g->r) : SHUNT_NO_MEMORY;
    if (!err && !APPEND(l->groups, g))
        err = SHUNT_NO_MEMORY;
    if (err) {
        free(g);
        return err;
    }
    g->topic = catalog_topic_by_id(l, g->r.topic);
    g->dlq = g->r.dlq ? catalog_topic_by_id(l, g->r.dlq) : NULL;
    if (!g->topic || (g->r.dlq && !g->dlq))
        return SHUNT_CORRUPT;
    if (g->r.dropped)
        link_dropped(g);
    else if (!link_group(g->topic, g))
        return SHUNT_NO_MEMORY;
    sums_stale(l, g);
    int joined = group_queue_join(l, g);
    if (joined)
        return joined;
    /* The first tick looks at what is due and finds the true times. */
    group_queue_at(l, QUEUE_DUE, g, g->r.counts.delayed ? 0 : NEVER);
    group_queue_at(l, QUEUE_RETENTION, g, group_retains(g) ? 0 : NEVER);
    group_queue_at(l, QUEUE_PAST, g, g->r.past ? 0 : NEVER);
    group_queue_at(l, QUEUE_RULED, g, g->r.ruled_waiting ? 0 : NEVER);
    group_queue_at(l, QUEUE_TRIAGE, g, g->dlq && g->r.attended_below < g->dlq->r.head ? 0 : NEVER);
    l->causes_unknown += !g->r.causes_known && !g->r.dropped;
    return 0;
}

static int load_groups(struct ledger *l)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(l->txn, TABLE_GROUP, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    while (!err) {
        err = load_group(l, key, value);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (err != SHUNT_NOT_FOUND)
        return err;
    for (size_t i = 0; i < l->groups_count; i++) {
        struct group *g = l->groups[i];
        if (g->topic->r.origin_group) {
            g->origin = catalog_group_by_id(l, g->topic->r.origin_group);
            if (!g->origin)
                return SHUNT_CORRUPT;
        }
        err = bitmap_load(&g->bits, l->txn, g->r.id);
        if (err)
            return err;
    }
    return 0;
}

int catalog_load(struct ledger *l, char *ret_why, size_t why_bytes)
{
    int err = load_topics(l);
    if (err) {
        ledger_say(ret_why, why_bytes, "a row of the topic table cannot be read");
        return err;
    }
    err = load_groups(l);
    if (err)
        ledger_say(ret_why, why_bytes, "a row of the group or done table cannot be read");
    return err;
}

static int flush_group(struct ledger *l, struct group *g)
{
    struct key key = key_id(g->r.id);
    size_t size = group_encode(l->record, key_slice(&key), &g->r);
    int err = store_put(l->txn, TABLE_GROUP, key_slice(&key), (struct slice){l->record, size});
    if (!err)
        err = bitmap_flush(&g->bits, l->txn, g->r.id, g->r.floor);
    g->dirty = false;
    return err;
}

static int flush_topic(struct ledger *l, struct topic *t)
{
    struct key key = key_id(t->r.id);
    size_t size = topic_encode(l->record, key_slice(&key), &t->r);
    t->dirty = false;
    return store_put(l->txn, TABLE_TOPIC, key_slice(&key), (struct slice){l->record, size});
}

int catalog_flush(struct ledger *l)
{
    int err = 0;
    for (; !err && l->dirty_topics; l->dirty_topics = l->dirty_topics->dirty_next)
        err = flush_topic(l, l->dirty_topics);
    for (; !err && l->dirty_groups; l->dirty_groups = l->dirty_groups->dirty_next)
        err = flush_group(l, l->dirty_groups);
    return err;
}

void catalog_free(struct ledger *l)
{
    for (size_t i = 0; i < l->topics_count; i++) {
        free(l->topics[i]->groups);
        free(l->topics[i]);
    }
    for (size_t i = 0; i < l->groups_count; i++) {
        bitmap_done(&l->groups[i]->bits);
        key_table_free(l->groups[i]->keys);
        free(l->groups[i]);
    }
    free(l->topics);
    free(l->groups);
    free(l->names);
}
