/* model_set: the states that a message may be in, as the model keeps them: one, or a set of several. */
#include "tests/sim/model.h"

#include <string.h>

const struct model_is *model_states(const struct model *m, const struct model_cell *c, unsigned *ret_count)
{
    *ret_count = c->set ? m->sets[c->set - 1].count : 1;
    return c->set ? m->sets[c->set - 1].is : &c->now;
}

bool model_may_be(const struct model *m, const struct model_cell *c, enum model_state state)
{
    unsigned count;
    const struct model_is *is = model_states(m, c, &count);
    for (unsigned i = 0; i < count; i++) {
        if (is[i].state == state)
            return true;
    }
    return false;
}

bool model_must_be(const struct model *m, const struct model_cell *c, enum model_state state)
{
    unsigned count;
    const struct model_is *is = model_states(m, c, &count);
    for (unsigned i = 0; i < count; i++) {
        if (is[i].state != state)
            return false;
    }
    return count > 0;
}

bool model_holds(const struct model *m, const struct model_cell *c, uint64_t token)
{
    unsigned count;
    const struct model_is *is = model_states(m, c, &count);
    for (unsigned i = 0; i < count; i++) {
        if (is[i].state == MODEL_FLIGHT && is[i].token == token)
            return true;
    }
    return false;
}

static struct model_set *set_of(struct model *m, struct model_cell *c)
{
    if (!c->set) {
        size_t capacity = m->sets_capacity;
        m->sets = model_grow(m->sets, &capacity, m->sets_count + 1, sizeof *m->sets);
        m->sets_capacity = (unsigned)capacity;
        c->set = ++m->sets_count;
        m->sets[c->set - 1].count = 1;
        m->sets[c->set - 1].is[0] = c->now;
    }
    return &m->sets[c->set - 1];
}

static bool same(const struct model_is *a, const struct model_is *b)
{
    return a->state == b->state && a->how == b->how && a->suspect == b->suspect &&
           a->attempts == b->attempts && a->deliveries == b->deliveries && a->generation == b->generation &&
           a->token == b->token && a->due_lo == b->due_lo && a->due_hi == b->due_hi &&
           a->expires == b->expires && a->left == b->left && a->deadline == b->deadline &&
           a->ttl_ends == b->ttl_ends && a->ruled == b->ruled && a->rule == b->rule &&
           a->reason == b->reason && a->muted == b->muted && a->judged == b->judged;
}

void model_put(struct model *m, struct model_set *s, const struct model_is *is)
{
    for (unsigned i = 0; i < s->count; i++) {
        if (same(&s->is[i], is))
            return;
    }
    if (s->count == MODEL_STATES_MAX)
        model_fail(m, NULL, 0, "more states than the model has room for");
    s->is[s->count++] = *is;
}

void model_also(struct model *m, struct model_cell *c, const struct model_is *is)
{
    model_put(m, set_of(m, c), is);
}

/* Back to one state where one is left. */
unsigned model_settle(struct model *m, struct model_cell *c, const struct model_set *s)
{
    if (s->count == 1) {
        c->now = s->is[0];
        c->set = 0;
    } else if (s->count) {
        struct model_set *to = set_of(m, c);
        memcpy(to->is, s->is, s->count * sizeof *s->is);
        to->count = s->count;
    }
    return s->count;
}

unsigned model_only(struct model *m, struct model_cell *c, model_keep_fn *keep, const void *context)
{
    struct model_set left; /* large, and only its first ones count */
    left.count = 0;
    unsigned count;
    const struct model_is *is = model_states(m, c, &count);
    for (unsigned i = 0; i < count; i++) {
        if (keep(&is[i], context))
            left.is[left.count++] = is[i];
    }
    return model_settle(m, c, &left);
}
