/* ledger_model_commands: what each command does to the model. */
#include "proto/message.h"
#include "tests/unit/core/ledger_model.h"

#include <criterion/criterion.h>

static void do_publish(struct model *m, const struct publish_command *c)
{
    struct model_topic *t = model_find_topic(m, c->topic);
    struct mpack_reader r;
    struct message_view v;
    const char *why;
    mpack_read_init(&r, c->messages.data, c->messages.size);
    for (uint32_t i = 0; t && i < c->count; i++) {
        cr_assert_eq(message_read(&r, BODY_BYTES_MAX, &v, &why), 0);
        model_append(m, t,
                     (struct model_message){.published_ms = m->now_ms,
                                            .due_ms = v.delay_ms ? m->now_ms + v.delay_ms : 0,
                                            .expires_ms = v.ttl_ms ? m->now_ms + v.delay_ms + v.ttl_ms : 0,
                                            .size = v.whole.size});
    }
}

/* The next of a lane, by time and number; 0: none. */
static uint64_t next_waiting(const struct model_group *g, bool suspect)
{
    uint64_t best = 0;
    for (uint64_t seq = 1; seq < g->topic->head; seq++) {
        const struct model_state *s = &g->states[seq];
        if (s->place == MODEL_READY && s->tracked && s->suspect == suspect &&
            (!best || s->due_ms < g->states[best].due_ms))
            best = seq;
    }
    return best;
}

static uint64_t next_fresh(const struct model_group *g)
{
    for (uint64_t seq = 1; seq < g->topic->head; seq++) {
        if (g->states[seq].place == MODEL_READY && !g->states[seq].tracked)
            return seq;
    }
    return 0;
}

/* What the group would be handed next; takes what is unfit out of the way. 0: nothing. */
static uint64_t next_fit(struct model *m, struct model_group *g, enum lane lane)
{
    for (;;) {
        uint64_t seq = next_waiting(g, lane == LANE_SUSPECT);
        if (!seq && lane == LANE_NORMAL)
            seq = next_fresh(g);
        if (!seq)
            return 0;
        struct model_state *s = &g->states[seq];
        int64_t due_ms = g->topic->messages[seq].due_ms;
        if (s->expires_ms && s->expires_ms <= m->now_ms)
            model_expire(m, g, seq);
        else if (!g->topic->origin && s->attempts >= model_setting(m, g, POLICY_max_attempts))
            model_divert(m, g, seq);
        else if (!s->tracked && due_ms > m->now_ms)
            model_wait_until(s, due_ms);
        else
            return seq;
    }
}

static void do_assign(struct model *m, const struct assign_command *c)
{
    struct model_group *g = model_group_by_id(m, c->group);
    uint64_t bytes = 0;
    while (g && !g->paused && m->handed_count < c->messages) {
        uint64_t seq = next_fit(m, g, c->lane);
        if (!seq)
            return;
        uint64_t size = g->topic->messages[seq].size;
        if (bytes + size > c->bytes && !(m->handed_count == 0 && c->oversize_first))
            return;
        struct model_state *s = &g->states[seq];
        bytes += size;
        s->place = MODEL_FLIGHT;
        s->deliveries++;
        s->token++;
        s->due_ms = 0;
        g->deliveries++;
        m->handed[m->handed_count++] = seq;
    }
}

static void fail_one(struct model *m, struct model_group *g, const struct resolution *r)
{
    struct model_state *s = &g->states[r->seq];
    enum attempt_outcome o = r->outcome;
    bool backs_off = o == ATTEMPT_NACKED || o == ATTEMPT_LEASE_EXPIRED || o == ATTEMPT_DISCONNECTED;
    bool charged = backs_off || o == ATTEMPT_REJECTED;
    s->attempts += charged;
    s->attempts_total += charged;
    if (o == ATTEMPT_NACKED || o == ATTEMPT_REJECTED)
        s->suspect = false;
    if (o == ATTEMPT_DISCONNECTED || o == ATTEMPT_SUSPECTED)
        s->suspect = true;
    if (!g->topic->origin &&
        (o == ATTEMPT_REJECTED || (charged && s->attempts >= model_setting(m, g, POLICY_max_attempts)))) {
        model_divert(m, g, r->seq);
        return;
    }
    if ((o == ATTEMPT_NACKED || o == ATTEMPT_RELEASED) && r->delay_ms > 0) {
        model_wait_until(s, m->now_ms + r->delay_ms);
        return;
    }
    if (!charged || (o == ATTEMPT_NACKED && r->delay_ms == 0)) {
        model_wait_until(s, 0);
        return;
    }
    int64_t bound_ms = model_setting(m, g, POLICY_backoff_min_ms),
            most_ms = model_setting(m, g, POLICY_backoff_max_ms);
    for (uint32_t i = 1; i < s->attempts && bound_ms < most_ms; i++)
        bound_ms *= 2;
    model_wait_until(s, 1);
    s->due_ms = -1;
    s->due_most_ms = m->now_ms + (bound_ms < most_ms ? bound_ms : most_ms);
}

static void do_resolve(struct model *m, const struct resolve_command *c)
{
    struct model_group *g = model_group_by_id(m, c->group);
    for (uint32_t i = 0; g && i < c->count; i++) {
        const struct resolution *r = &c->entries[i];
        struct model_state *s = r->seq && r->seq < g->topic->head ? &g->states[r->seq] : NULL;
        if (!s || s->place != MODEL_FLIGHT || s->token != r->token)
            continue;
        if (!r->acked)
            fail_one(m, g, r);
        else if (g->topic->origin)
            model_leave_dlq(m, g, r->seq, &g->acked, true, false);
        else
            model_settle(g, r->seq, &g->acked);
    }
}

static void tick_due(struct model *m, struct model_group *g)
{
    bool any = false;
    for (uint64_t seq = 1; seq < g->topic->head; seq++) {
        struct model_state *s = &g->states[seq];
        if (s->place == MODEL_DELAYED && s->due_ms <= m->now_ms) {
            s->place = MODEL_READY;
            any = true;
        }
    }
    if (any)
        g->mark_ms = m->now_ms;
}

/* The next row of expiry that has run out, by time, group and number. */
static bool next_expiry(struct model *m, struct model_group **ret_group, uint64_t *ret_seq)
{
    int64_t best_ms = m->now_ms + 1;
    for (size_t i = 0; i < m->groups_count; i++) { /* in order of id */
        for (uint64_t seq = 1; m->groups[i].live && seq < m->groups[i].topic->head; seq++) {
            const struct model_state *s = &m->groups[i].states[seq];
            if (s->place != MODEL_GONE && s->has_expiry && s->expires_ms < best_ms) {
                best_ms = s->expires_ms;
                *ret_group = &m->groups[i];
                *ret_seq = seq;
            }
        }
    }
    return best_ms <= m->now_ms;
}

static void do_tick(struct model *m)
{
    struct model_group *g = NULL;
    uint64_t seq = 0;
    for (size_t i = 0; i < m->groups_count; i++) {
        if (m->groups[i].live)
            tick_due(m, &m->groups[i]);
    }
    while (next_expiry(m, &g, &seq)) {
        struct model_state *s = &g->states[seq];
        if (s->place != MODEL_FLIGHT) {
            model_expire(m, g, seq);
            continue;
        }
        s->tracked = true;
        s->has_expiry = false;
    }
}

static void recover_group(struct model *m, struct model_group *g, int64_t wait_ms)
{
    int64_t lease_ms = model_setting(m, g, POLICY_lease_ms);
    int64_t until_ms = wait_ms ? m->now_ms + (wait_ms < lease_ms ? wait_ms : lease_ms) : 0;
    for (uint64_t seq = 1; seq < g->topic->head; seq++) {
        struct model_state *s = &g->states[seq];
        if (s->place != MODEL_FLIGHT)
            continue;
        if (s->expires_ms && s->expires_ms < until_ms)
            s->expires_ms = until_ms;
        model_wait_until(s, until_ms);
    }
}

static void do_recover(struct model *m, const struct recover_command *c)
{
    for (size_t i = 0; i < m->groups_count; i++) {
        if (m->groups[i].live)
            recover_group(m, &m->groups[i], c->wait_ms);
    }
}

static void do_topic_create(struct model *m, const struct topic_command *c)
{
    if (m->f->err)
        return;
    cr_assert_null(model_find_topic(m, c->topic));
    struct model_topic *t = model_add_topic(m, c->topic, NULL);
    for (uint32_t i = 0; i < c->groups_count; i++)
        model_add_group(m, t, c->groups[i]);
    if (!c->groups_count)
        model_add_group(m, t, text("default"));
}

/* A group that begins at the oldest gets what is stored: the store is asked what that is. */
static void do_group_create(struct model *m, const struct group_command *c)
{
    struct model_topic *t = model_find_topic(m, c->topic);
    struct topic *real = ledger_topic(m->f->l, c->topic);
    struct store_txn *txn;
    struct slice value;
    if (m->f->err)
        return;
    cr_assert(t && !model_find_group(m, t, c->group));
    struct model_group *g = model_add_group(m, t, c->group);
    cr_assert_eq(store_begin(m->f->store, false, &txn), 0);
    for (uint64_t seq = 1; !c->from_now && seq < t->head; seq++) {
        struct key key = key_id_seq(real->r.id, seq);
        if (store_get(txn, TABLE_MESSAGE, key_slice(&key), &value))
            continue;
        g->published++;
        g->states[seq] =
            (struct model_state){.place = MODEL_READY, .expires_ms = t->messages[seq].expires_ms};
    }
    store_abort(txn);
}

static void do_group_delete(struct model *m, const struct group_command *c)
{
    struct model_topic *t = model_find_topic(m, c->topic);
    struct model_group *g = model_find_group(m, t, c->group);
    size_t groups = 0;
    for (size_t i = 0; i < m->groups_count; i++)
        groups += m->groups[i].live && m->groups[i].topic == t;
    if (!g || groups == 1)
        return;
    g->live = false;
    model_find_group(m, g->dlq, text("default"))->live = false;
}

static void do_purge(struct model *m, const struct purge_command *c)
{
    const struct model_topic *t = model_find_topic(m, c->topic);
    for (size_t i = 0; t && i < m->groups_count; i++) {
        struct model_group *g = &m->groups[i];
        if (!g->live || g->topic != t || (c->group.size && !model_is(g->name, c->group)))
            continue;
        for (uint64_t seq = 1; seq < t->head; seq++) {
            if (g->states[seq].place == MODEL_READY || g->states[seq].place == MODEL_DELAYED)
                model_settle(g, seq, &g->purged);
        }
    }
}

static void do_dead(struct model *m, const struct dead_command *c, bool redriven)
{
    struct model_group *g = model_find_group(m, model_find_topic(m, c->topic), c->group);
    struct model_group *reader = g ? model_find_group(m, g->dlq, text("default")) : NULL;
    uint64_t left = c->count, head = g ? g->dlq->head : 0;
    for (uint64_t seq = 1; seq < head && left; seq++) {
        if (reader->states[seq].place != MODEL_GONE) {
            left--;
            model_leave_dlq(m, reader, seq, redriven ? &reader->away : &reader->purged, false, redriven);
        }
    }
}

static void do_pause(struct model *m, const struct group_command *c)
{
    struct model_group *g = model_find_group(m, model_find_topic(m, c->topic), c->group);
    if (g)
        g->paused = c->paused;
}

void model_apply(struct model *m, const struct command *c)
{
    m->now_ms = T0 + m->f->now_ms;
    m->handed_count = 0;
    switch (c->kind) {
    case COMMAND_RECOVER:
        do_recover(m, &c->recover);
        break;
    case COMMAND_TICK:
        do_tick(m);
        break;
    case COMMAND_PUBLISH:
        do_publish(m, &c->publish);
        break;
    case COMMAND_ASSIGN:
        do_assign(m, &c->assign);
        break;
    case COMMAND_RESOLVE:
        do_resolve(m, &c->resolve);
        break;
    case COMMAND_TOPIC_CREATE:
        do_topic_create(m, &c->topic);
        break;
    case COMMAND_TOPIC_PURGE:
        do_purge(m, &c->purge);
        break;
    case COMMAND_GROUP_CREATE:
        do_group_create(m, &c->group);
        break;
    case COMMAND_GROUP_DELETE:
        do_group_delete(m, &c->group);
        break;
    case COMMAND_GROUP_PAUSE:
        do_pause(m, &c->group);
        break;
    case COMMAND_DLQ_REDRIVE:
    case COMMAND_DLQ_PURGE:
        do_dead(m, &c->dead, c->kind == COMMAND_DLQ_REDRIVE);
        break;
    case COMMAND_LIMITS:
    case COMMAND_TOPIC_UPDATE:
    case COMMAND_TOPIC_DELETE:
    case COMMAND_GROUP_UPDATE:
    case COMMAND_TAKE_UP:
    case COMMAND_BREAKER_RESET: /* none is on */
    case COMMAND_CLOCK:         /* only what is shown */
    case COMMAND_JOB_CANCEL:
    case COMMAND_JOB_PAUSE:
    case COMMAND_JOB_RESUME:
    case COMMAND_BUILD_SEEN: /* no redrive waits here */
    case COMMAND_CORRUPT:    /* nothing is damaged here */
    case COMMAND_REFUSAL:    /* a row of the audit log */
    case COMMAND_DAMAGED:
    case COMMAND_DLQ_ATTEND: /* where a message is does not change */
    case COMMAND_DLQ_EDIT:
    case COMMAND_CAUSE_UPDATE:
    case COMMAND_RULE_SET: /* rules have tests of their own */
    case COMMAND_RULE_DELETE:
    case COMMAND_USER_SET: /* nothing of messages */
    case COMMAND_USER_DELETE:
    case COMMAND_ROLE_SET:
    case COMMAND_ROLE_DELETE:
    case COMMAND_TOKEN_ADD:
    case COMMAND_TOKEN_REVOKE:
        break;
    }
}
