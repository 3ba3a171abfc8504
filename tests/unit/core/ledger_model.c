/* ledger_model: topics, groups, and the moves of one message. */
#include "tests/unit/core/ledger_model.h"
#include "proto/names.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

void model_init(struct model *m, struct fixture *f)
{
    memset(m, 0, sizeof *m);
    m->f = f;
}

void model_done(struct model *m)
{
    for (size_t i = 0; i < m->topics_count; i++)
        free(m->topics[i].messages);
    for (size_t i = 0; i < m->groups_count; i++)
        free(m->groups[i].states);
}

/* ---- finding and making ---- */

bool model_is(const char *name, struct slice s)
{
    return slice_is(s, name);
}

struct model_topic *model_find_topic(struct model *m, struct slice name)
{
    for (size_t i = 0; i < m->topics_count; i++) {
        if (!m->topics[i].origin && model_is(m->topics[i].name, name))
            return &m->topics[i];
    }
    return NULL;
}

struct model_group *model_find_group(struct model *m, const struct model_topic *t, struct slice name)
{
    for (size_t i = 0; t && i < m->groups_count; i++) {
        if (m->groups[i].live && m->groups[i].topic == t && model_is(m->groups[i].name, name))
            return &m->groups[i];
    }
    return NULL;
}

struct model_group *model_group_by_id(struct model *m, uint32_t id)
{
    for (size_t i = 0; i < m->groups_count; i++) {
        if (m->groups[i].live && m->groups[i].id == id)
            return &m->groups[i];
    }
    return NULL;
}

int64_t model_setting(struct model *m, const struct model_group *g, enum policy_field field)
{
    return group_setting(catalog_live_group(m->f->l, g->id), field);
}

struct model_topic *model_add_topic(struct model *m, struct slice name, struct model_group *origin)
{
    cr_assert_lt(m->topics_count, MODEL_TOPICS_MAX);
    struct model_topic *t = &m->topics[m->topics_count++];
    memcpy(t->name, name.data, name.size);
    t->origin = origin;
    t->head = 1;
    t->messages = calloc(MODEL_SEQS_MAX, sizeof *t->messages);
    return t;
}

struct model_group *model_add_group(struct model *m, struct model_topic *t, struct slice name)
{
    cr_assert_lt(m->groups_count, MODEL_GROUPS_MAX);
    struct model_group *g = &m->groups[m->groups_count++];
    memcpy(g->name, name.data, name.size);
    g->live = true;
    g->topic = t;
    g->mark_ms = m->now_ms;
    g->states = calloc(MODEL_SEQS_MAX, sizeof *g->states);
    if (!t->origin) {
        char dlq[TOPIC_BYTES_MAX + 1];
        size_t size = name_dlq(dlq, text(t->name), name);
        g->dlq = model_add_topic(m, (struct slice){dlq, size}, g);
        model_add_group(m, g->dlq, text("default"));
    }
    return g;
}

/* ---- moves ---- */

void model_wait_until(struct model_state *s, int64_t due_ms)
{
    s->place = due_ms > 0 ? MODEL_DELAYED : MODEL_READY;
    s->due_ms = due_ms;
    s->tracked = true;
    s->has_expiry = s->expires_ms != 0;
}

/* Ready for every group of the topic. */
uint64_t model_append(struct model *m, struct model_topic *t, struct model_message message)
{
    uint64_t seq = t->head++;
    cr_assert_lt(seq, MODEL_SEQS_MAX);
    t->messages[seq] = message;
    for (size_t i = 0; i < m->groups_count; i++) {
        struct model_group *g = &m->groups[i];
        if (!g->live || g->topic != t)
            continue;
        g->published++;
        g->states[seq] = (struct model_state){.place = MODEL_READY,
                                              .expires_ms = t->origin ? 0 : message.expires_ms,
                                              .has_expiry = !t->origin && message.expires_ms};
        if (!t->origin && message.due_ms)
            model_wait_until(&g->states[seq], message.due_ms);
    }
    return seq;
}

void model_divert(struct model *m, struct model_group *g, uint64_t seq)
{
    struct model_state *s = &g->states[seq];
    struct model_message dead = {.origin_seq = seq, .size = g->topic->messages[seq].size};
    s->place = MODEL_DEAD;
    s->tracked = true;
    s->has_expiry = false;
    s->ttl_left_ms = s->expires_ms > m->now_ms ? s->expires_ms - m->now_ms : 0;
    s->dead_seq = model_append(m, g->dlq, dead);
}

void model_expire(struct model *m, struct model_group *g, uint64_t seq)
{
    if (model_setting(m, g, POLICY_expired) == 0) {
        model_divert(m, g, seq);
        return;
    }
    g->states[seq].place = MODEL_GONE;
    g->discarded++;
}

void model_settle(struct model_group *g, uint64_t seq, uint64_t *counter)
{
    g->states[seq].place = MODEL_GONE;
    (*counter)++;
}

/* A dead letter leaves its DLQ, whose only reader counts that in `counter`. */
void model_leave_dlq(struct model *m, struct model_group *reader, uint64_t dead_seq, uint64_t *reader_counter,
                     bool acked, bool redriven)
{
    struct model_group *g = reader->topic->origin;
    uint64_t seq = reader->topic->messages[dead_seq].origin_seq;
    struct model_state *s = &g->states[seq];
    model_settle(reader, dead_seq, reader_counter);
    cr_assert_eq(s->place, MODEL_DEAD);
    if (!redriven) {
        model_settle(g, seq, acked ? &g->acked : &g->purged);
        return;
    }
    g->redriven++;
    s->generation++;
    s->attempts = s->deliveries = 0;
    if (s->expires_ms) {
        const struct model_message *message = &g->topic->messages[seq];
        s->expires_ms =
            m->now_ms + (s->ttl_left_ms ? s->ttl_left_ms
                                        : message->expires_ms -
                                              (message->due_ms ? message->due_ms : message->published_ms));
    }
    model_wait_until(s, g->mark_ms);
    s->place = MODEL_READY;
}
