/* model_fair: in a group whose keys take turns, a key that has nothing out goes before those that have. The broker hands out as it lies
 * what there is credit for in all, and the model knows of some things later than the broker; so a key may be passed over now and then,
 * but not more often than one of them has credit for. What is not sure is not held against the broker. */
#include "tests/sim/model.h"
#include "tests/sim/sim.h"

#include <stdio.h>

struct seen {
    bool out;   /* one of the key may be out */
    bool waits; /* one of it surely can be taken */
};

/* Its key is known, which may be none. */
static bool key_of(struct model *m, struct model_group *g, uint64_t seq, uint64_t *ret)
{
    const struct model_message *message = model_message(m, g, seq);
    if (!message || !message->claimed || message->copy || message->damaged)
        return false;
    *ret = message->key;
    return true;
}

static bool surely_ready(const struct model *m, const struct model_cell *c)
{
    unsigned count;
    const struct model_is *is = model_states(m, c, &count);
    for (unsigned i = 0; i < count; i++) {
        if (is[i].state != MODEL_READY || is[i].suspect || is[i].expires)
            return false;
    }
    return count > 0;
}

static struct model_passed *passed_of(struct model_group *g, uint64_t key)
{
    struct model_passed *free = NULL;
    for (unsigned i = 0; i < MODEL_PASSED_MAX; i++) {
        if (g->passed[i].count && g->passed[i].key == key)
            return &g->passed[i];
        if (!g->passed[i].count)
            free = &g->passed[i];
    }
    return free;
}

/* What there is of the key, beside this message. False: that is not known. */
static bool look_at(struct model *m, struct model_group *g, uint64_t key, uint64_t but, struct seen *ret)
{
    *ret = (struct seen){0};
    for (size_t i = 0; i < m->live_count; i++) {
        uint64_t other = m->live[i].seq, of;
        if (&m->groups[m->live[i].group] != g || other == but)
            continue;
        const struct model_cell *c = &g->cells[other];
        bool out = model_may_be(m, c, MODEL_FLIGHT);
        if (!key_of(m, g, other, &of)) {
            if (out)
                return false;
            continue;
        }
        ret->out |= of == key && out;
        ret->waits |= of == key && surely_ready(m, c);
    }
    return true;
}

/* Another one of its key surely is out. */
static bool has_more_out(struct model *m, struct model_group *g, uint64_t key, uint64_t seq)
{
    for (size_t i = 0; i < m->live_count; i++) {
        uint64_t other = m->live[i].seq, of;
        if (&m->groups[m->live[i].group] == g && other != seq && key_of(m, g, other, &of) && of == key &&
            model_must_be(m, &g->cells[other], MODEL_FLIGHT))
            return true;
    }
    return false;
}

static void pass_over(struct model *m, struct model_group *g, uint64_t seq, uint64_t key)
{
    struct seen seen;
    struct model_passed *p = passed_of(g, key);
    char text[100];
    if (!p || !look_at(m, g, key, seq, &seen))
        return;
    p->key = key;
    p->count = seen.waits && !seen.out ? p->count + 1 : 0;
    if (p->count <= SIM_CREDIT_MAX)
        return;
    (void)snprintf(text, sizeof text, "number %u that was handed out before one of a key with nothing out",
                   p->count);
    model_fail(m, g, seq, text);
}

void model_check_fair(struct model *m, struct model_group *g, uint64_t seq)
{
    uint64_t key, of;
    if (!g->fair || g->ordered || g->is_dlq || m->sim->plan.full_bytes || !key_of(m, g, seq, &key))
        return;
    struct model_passed *own = passed_of(g, key);
    if (own)
        own->count = 0;
    if (!has_more_out(m, g, key, seq))
        return;
    uint64_t looked[MODEL_PASSED_MAX];
    unsigned count = 0;
    for (size_t i = 0; i < m->live_count && count < MODEL_PASSED_MAX; i++) {
        bool known = &m->groups[m->live[i].group] != g || !key_of(m, g, m->live[i].seq, &of) || of == key;
        for (unsigned k = 0; !known && k < count; k++)
            known = looked[k] == of;
        if (known)
            continue;
        looked[count++] = of;
        pass_over(m, g, seq, of);
    }
}
