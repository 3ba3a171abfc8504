/* admin: creating, changing and deleting topics and groups, and starting jobs on their messages. */
#include "base/check.h"
#include "broker/core/breaker.h"
#include "broker/core/cause.h"
#include "broker/core/group_queue.h"
#include "broker/core/job.h"
#include "broker/core/order.h"
#include "broker/core/rule.h"
#include "proto/names.h"

#include <stdlib.h>
#include <string.h>

static const struct slice default_group = {"default", 7};

/* ---- settings ---- */

static int change_policy(struct policy *p, const struct policy_change *change, bool of_topic,
                         const char **ret_why)
{
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        const struct policy_row *row = &policy_rows[i];
        bool given = (change->set.given | change->reset) >> i & 1;
        if (given && !of_topic && row->scope == SCOPE_TOPIC) {
            *ret_why = "this setting is of a topic, not of a group";
            return SHUNT_BAD_ARGUMENT;
        }
        if ((change->set.given >> i & 1) &&
            (change->set.value[i] < row->min || change->set.value[i] > row->max)) {
            *ret_why = "a setting is out of range";
            return SHUNT_BAD_ARGUMENT;
        }
    }
    p->given &= ~change->reset;
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        if (change->set.given >> i & 1) {
            p->given |= 1u << i;
            p->value[i] = change->set.value[i];
        }
    }
    return 0;
}

/* In a group of a dead-letter queue there is nothing to order, and nobody's turn. */
static int check_order(const struct topic *t, const struct policy *own, const char **ret_why)
{
    if (t->r.origin_group && policy_value(own, &t->r.policy, POLICY_fair) != FAIR_NONE) {
        *ret_why =
            "in the groups of a dead-letter queue keys take no turns; set fair on the group whose dead "
            "letters these are";
        return SHUNT_BAD_ARGUMENT;
    }
    if (!t->r.origin_group || policy_value(own, &t->r.policy, POLICY_order) == ORDER_NONE)
        return 0;
    *ret_why = "the groups of a dead-letter queue are not ordered by key; set order on the group whose dead "
               "letters these are";
    return SHUNT_BAD_ARGUMENT;
}

/* The bounds of waits must not cross, for a group or a topic with its defaults. */
static int check_bounds(const struct policy *own, const struct policy *topic, const char **ret_why)
{
    *ret_why = NULL;
    if (policy_value(own, topic, POLICY_backoff_min_ms) > policy_value(own, topic, POLICY_backoff_max_ms))
        *ret_why = "backoff_min_ms is larger than backoff_max_ms";
    else if (policy_value(own, topic, POLICY_breaker_pause_min_ms) >
             policy_value(own, topic, POLICY_breaker_pause_max_ms))
        *ret_why = "breaker_pause_min_ms is larger than breaker_pause_max_ms";
    return *ret_why ? SHUNT_BAD_ARGUMENT : 0;
}

static int settings_changed(struct ledger *l, struct group *g)
{
    group_settings_changed(l, g);
    breaker_settings(l, g);
    ledger_tell_ready(l, g); /* of one that is not ordered any more, more can be handed out */
    if (g->r.blocking)
        order_dead_settings(l, g);
    return order_settings(l, g);
}

/* ---- making ---- */

/* A group, its DLQ, and the DLQ's own group. */
static int add_group(struct ledger *l, struct topic *t, struct slice name, struct group **ret)
{
    char dlq_name[TOPIC_BYTES_MAX + 1];
    struct group *g = catalog_add_group(l, t, name);
    l->rows += 3 * CHANGED_ROW;
    if (!g)
        return SHUNT_NO_MEMORY;
    size_t size = name_dlq(dlq_name, slice_of(t->r.name), name);
    g->dlq = catalog_add_topic(l, (struct slice){dlq_name, size}, g->r.id);
    if (!g->dlq)
        return SHUNT_NO_MEMORY;
    g->r.dlq = g->dlq->r.id;
    struct group *reader = catalog_add_group(l, g->dlq, default_group);
    if (!reader)
        return SHUNT_NO_MEMORY;
    reader->origin = g;
    *ret = g;
    return order_settings(l, g);
}

static int check_new_topic(const struct ledger *l, const struct topic_command *c, const char **ret_why)
{
    int err = name_check(c->topic, ret_why);
    for (uint32_t i = 0; !err && i < c->groups_count; i++) {
        err = name_check(c->groups[i], ret_why);
        for (uint32_t k = 0; !err && k < i; k++) {
            if (slice_equal(c->groups[i], c->groups[k])) {
                *ret_why = "a group is named twice";
                err = SHUNT_GROUP_EXISTS;
            }
        }
    }
    if (err)
        return err;
    if (ledger_topic(l, c->topic))
        return SHUNT_TOPIC_EXISTS;
    if (l->names_count - l->names_dlq >= l->meta.topics_max) {
        *ret_why = "the limit max-topics is reached";
        return SHUNT_TOO_MANY;
    }
    if ((*ret_why = catalog_full(l, 2 * (uint64_t)(c->groups_count ? c->groups_count : 1))))
        return SHUNT_TOO_MANY;
    if (c->groups_count > l->meta.groups_max) {
        *ret_why = "the limit max-groups is reached";
        return SHUNT_TOO_MANY;
    }
    return ledger_is_full(l) ? SHUNT_NO_SPACE : 0;
}

int apply_topic_create(struct ledger *l, const struct topic_command *c)
{
    const char *why = NULL;
    struct policy policy = {0};
    int refusal = check_new_topic(l, c, &why);
    if (!refusal)
        refusal = change_policy(&policy, &c->change, true, &why);
    if (!refusal)
        refusal = check_bounds(NULL, &policy, &why);
    if (refusal) {
        ledger_tell_done(l, refusal, why, 0, 0);
        return 0;
    }
    struct topic *t = catalog_add_topic(l, c->topic, 0);
    if (!t)
        return SHUNT_NO_MEMORY;
    t->r.policy = policy;
    const struct slice *names = c->groups_count ? c->groups : &default_group;
    for (uint32_t i = 0; i < (c->groups_count ? c->groups_count : 1); i++) {
        struct group *g;
        int err = add_group(l, t, names[i], &g);
        if (err)
            return err;
    }
    ledger_tell_done(l, 0, NULL, 0, 0);
    return 0;
}

/* The topic a command names, if it is one that users change; otherwise tells why not. */
static struct topic *changeable(struct ledger *l, struct slice name)
{
    struct topic *t = ledger_topic(l, name);
    if (t && !t->r.origin_group)
        return t;
    ledger_tell_done(l, t ? SHUNT_RESERVED : SHUNT_UNKNOWN_TOPIC, NULL, 0, 0);
    return NULL;
}

/* The same for a group. A DLQ's own groups may be paused and changed like any. */
static struct group *changeable_group(struct ledger *l, struct slice topic, struct slice name)
{
    int err = 0;
    struct group *g = ledger_group(l, topic, name, &err);
    if (!g)
        ledger_tell_done(l, err, NULL, 0, 0);
    return g;
}

int apply_topic_update(struct ledger *l, const struct topic_command *c)
{
    const char *why = NULL;
    struct topic *t = changeable(l, c->topic);
    if (!t)
        return 0;
    struct policy policy = t->r.policy;
    int refusal = change_policy(&policy, &c->change, true, &why);
    if (!refusal)
        refusal = check_bounds(NULL, &policy, &why);
    for (size_t i = 0; !refusal && i < t->groups_count; i++)
        refusal = check_bounds(&t->groups[i]->r.policy, &policy, &why);
    if (!refusal) {
        t->r.policy = policy;
        ledger_dirty_topic(l, t);
    }
    int err = 0;
    for (size_t i = 0; !refusal && !err && i < t->groups_count; i++)
        err = settings_changed(l, t->groups[i]);
    ledger_tell_done(l, refusal, why, 0, 0);
    return err;
}

/* From the oldest stored message on: all that are there now are its own. */
static int begin_at_oldest(struct ledger *l, struct group *g)
{
    struct store_cursor *cursor;
    struct topic *t = g->topic;
    struct key from = key_id_seq(t->r.id, 0);
    struct slice key, value;
    uint32_t id;
    uint64_t seq;
    int err = store_cursor_open(l->txn, t->r.origin_group ? TABLE_DEAD : TABLE_MESSAGE, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    if (!err && key_read_id_seq(key, &id, &seq) && id == t->r.id) {
        g->r.start = g->r.next = g->r.floor = seq;
        g->r.counts.published = g->r.counts.ready = t->r.stored;
        ledger_tell_ready(l, g);
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int apply_group_create(struct ledger *l, const struct group_command *c)
{
    const char *why = NULL;
    struct policy policy = {0};
    struct topic *t = ledger_topic(l, c->topic);
    int refusal = t ? name_check(c->group, &why) : SHUNT_UNKNOWN_TOPIC;
    if (!refusal && catalog_find_group(t, c->group))
        refusal = SHUNT_GROUP_EXISTS;
    if (!refusal && t->groups_count >= l->meta.groups_max) {
        why = "the limit max-groups is reached";
        refusal = SHUNT_TOO_MANY;
    }
    if (!refusal && (why = catalog_full(l, t->r.origin_group ? 1 : 2)))
        refusal = SHUNT_TOO_MANY;
    if (!refusal)
        refusal = change_policy(&policy, &c->change, false, &why);
    if (!refusal)
        refusal = check_bounds(&policy, &t->r.policy, &why);
    if (!refusal)
        refusal = check_order(t, &policy, &why);
    if (!refusal && ledger_is_full(l))
        refusal = SHUNT_NO_SPACE;
    if (refusal) {
        ledger_tell_done(l, refusal, why, 0, 0);
        return 0;
    }
    struct group *g;
    int err = 0;
    if (t->r.origin_group) { /* one more reader of a DLQ; it has no DLQ of its own */
        g = catalog_add_group(l, t, c->group);
        if (!g)
            return SHUNT_NO_MEMORY;
        g->origin = t->groups[0]->origin;
    } else {
        err = add_group(l, t, c->group, &g);
    }
    if (!err) {
        g->r.policy = policy;
        err = order_settings(l, g);
    }
    if (!err && !c->from_now)
        err = begin_at_oldest(l, g);
    if (!err)
        ledger_tell_done(l, 0, NULL, 0, 0);
    return err;
}

int apply_group_update(struct ledger *l, const struct group_command *c)
{
    const char *why = NULL;
    struct group *g = changeable_group(l, c->topic, c->group);
    if (!g)
        return 0;
    struct policy policy = g->r.policy;
    int refusal = change_policy(&policy, &c->change, false, &why);
    if (!refusal)
        refusal = check_bounds(&policy, &g->topic->r.policy, &why);
    if (!refusal)
        refusal = check_order(g->topic, &policy, &why);
    if (!refusal) {
        g->r.policy = policy;
        ledger_dirty_group(l, g);
    }
    int err = refusal ? 0 : settings_changed(l, g);
    ledger_tell_done(l, refusal, why, 0, 0);
    return err;
}

int apply_group_pause(struct ledger *l, const struct group_command *c)
{
    struct group *g = changeable_group(l, c->topic, c->group);
    if (!g)
        return 0;
    if (g->r.paused != c->paused) {
        g->r.paused = c->paused;
        ledger_dirty_group(l, g);
        ledger_tell_ready(l, g);
    }
    ledger_tell_done(l, 0, NULL, 0, 0);
    return 0;
}

/* ---- deleting ---- */

static void tell_gone(struct ledger *l, const struct group *g, int err)
{
    struct result *gone = result_add(l, RESULT_GROUP_GONE);
    gone->group_gone.group = g->r.id;
    gone->group_gone.err = err;
    gone->group_gone.topic = result_copy(l, g->topic->r.name, strlen(g->topic->r.name) + 1);
    gone->group_gone.name = result_copy(l, g->r.name, strlen(g->r.name) + 1);
}

/* One that has no DLQ. */
static void drop_reader(struct ledger *l, struct group *g, int err)
{
    l->rows += CHANGED_ROW;
    tell_gone(l, g, err);
    triage_forget(l, g);
    rules_forget(l, g);
    breaker_forget(l, g);
    catalog_drop_group(l, g);
}

/* Out of sight at once: its DLQ, the DLQ's readers, itself. */
static void drop_group(struct ledger *l, struct group *g, int err)
{
    struct topic *dlq = g->dlq;
    check(dlq);
    while (dlq->groups_count)
        drop_reader(l, dlq->groups[0], SHUNT_UNKNOWN_TOPIC);
    catalog_drop_topic(l, dlq);
    drop_reader(l, g, err);
    jobs_group_gone(l, g->r.id);
}

int apply_topic_delete(struct ledger *l, const struct topic_command *c)
{
    struct topic *t = changeable(l, c->topic);
    if (!t || !job_may_begin(l, 0))
        return 0;
    struct job *j = job_new(JOB_DROP, t, NULL);
    while (t->groups_count)
        drop_group(l, t->groups[0], SHUNT_UNKNOWN_TOPIC);
    catalog_drop_topic(l, t);
    return job_begin_told(l, j, t->r.stored);
}

int apply_group_delete(struct ledger *l, const struct group_command *c)
{
    struct group *g = changeable_group(l, c->topic, c->group);
    if (!g)
        return 0;
    bool first = g->origin && g == g->topic->groups[0];
    if (first || g->topic->groups_count == 1) {
        ledger_tell_done(l, SHUNT_LAST_GROUP,
                         first
                             ? "a dead-letter queue its first one: pause it, or delete the group whose dead "
                               "letters these are"
                             : NULL,
                         0, 0);
        return 0;
    }
    if (!job_may_begin(l, 0))
        return 0;
    struct job *j = job_new(JOB_DROP, g->topic, g);
    uint64_t count = g->r.counts.ready + g->r.counts.in_flight + g->r.counts.delayed + g->r.counts.dead;
    if (g->origin)
        drop_reader(l, g, SHUNT_UNKNOWN_GROUP);
    else
        drop_group(l, g, SHUNT_UNKNOWN_GROUP);
    return job_begin_told(l, j, count);
}

int apply_topic_purge(struct ledger *l, const struct purge_command *c)
{
    struct topic *t = ledger_topic(l, c->topic);
    struct group *g = t && c->group.size ? catalog_find_group(t, c->group) : NULL;
    uint64_t count = 0;
    if (!t || (c->group.size && !g)) {
        ledger_tell_done(l, t ? SHUNT_UNKNOWN_GROUP : SHUNT_UNKNOWN_TOPIC, NULL, 0, 0);
        return 0;
    }
    for (size_t i = 0; i < t->groups_count; i++) {
        if (!g || t->groups[i] == g)
            count += t->groups[i]->r.counts.ready + t->groups[i]->r.counts.delayed;
    }
    if (!count) {
        ledger_tell_done(l, 0, NULL, 0, 0);
        return 0;
    }
    return job_may_begin(l, 0) ? job_begin_told(l, job_new(JOB_PURGE, t, g), count) : 0;
}
