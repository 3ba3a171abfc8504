/* model_rules: the rules on dead letters that may be in force, what they decide when a message dies, and what they do with its
 * letter when its time has come. */
#include "base/array.h"
#include "proto/mpack.h"
#include "proto/wire.h"
#include "tests/sim/model.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

/* ---- which may be in force ---- */

static unsigned place_of(const struct model_ruling *r, uint32_t number)
{
    unsigned at = 0;
    while (at < r->count && r->rules[at].number < number)
        at++;
    return at;
}

/* What a request asks for. */
struct asked {
    struct model_rule rule;
    bool defines, deletes;
};

static void read_filter(struct model_rule *rule, struct mpack_reader *r)
{
    static const char *const reasons[DEAD_REASONS] = DEAD_REASON_NAMES;
    rule->reason = -1;
    if (mpack_peek(r) != MPACK_MAP) {
        (void)mpack_read_any(r);
        return;
    }
    for (uint32_t pairs = mpack_read_map(r); pairs && !r->failed; pairs--) {
        struct slice key = mpack_read_str(r), value = mpack_read_str(r);
        for (int i = 0; slice_is(key, "reason") && i < DEAD_REASONS; i++) {
            if (slice_is(value, reasons[i]))
                rule->reason = i;
        }
    }
}

static void read_options(struct asked *a, struct mpack_reader *r)
{
    static const char *const actions[RULE_ACTIONS] = RULE_ACTION_NAMES;
    for (uint32_t pairs = mpack_read_map(r); pairs && !r->failed; pairs--) {
        struct slice key = mpack_read_str(r);
        if (slice_is(key, "action")) {
            struct slice action = mpack_read_str(r);
            a->defines = true;
            while (a->rule.action + 1 < RULE_ACTIONS && !slice_is(action, actions[a->rule.action]))
                a->rule.action++;
        } else if (slice_is(key, "to")) {
            struct slice to = mpack_read_str(r);
            (void)snprintf(a->rule.to, sizeof a->rule.to, "%.*s", (int)to.size, (const char *)to.data);
        } else if (slice_is(key, "disabled")) {
            a->rule.disabled = mpack_read_bool(r);
        } else {
            int64_t value = mpack_read_int(r);
            if (slice_is(key, "times"))
                a->rule.times = (uint32_t)value;
            else if (slice_is(key, "wait_ms"))
                a->rule.wait = value;
            else
                a->rule.wait_max = value;
        }
    }
}

static struct asked read_asked(unsigned op, struct mpack_reader *r)
{
    struct asked a;
    memset(&a, 0, sizeof a);
    a.deletes = op == OP_RULE_DELETE;
    a.rule.number = (uint32_t)mpack_read_uint(r);
    if (!a.deletes) {
        read_filter(&a.rule, r);
        read_options(&a, r);
    }
    return a;
}

/* False: there is nothing that could be changed so. */
static bool change(struct model *m, struct model_ruling *to, const struct asked *a)
{
    size_t count = to->count;
    unsigned at = place_of(to, a->rule.number);
    bool there = at < to->count && to->rules[at].number == a->rule.number;
    if (!there && !a->defines)
        return false;
    if (a->deletes) {
        array_remove(to->rules, &count, at);
    } else if (!a->defines) {
        to->rules[at].disabled = a->rule.disabled;
    } else {
        if (!there && count == MODEL_RULES_MAX)
            model_fail(m, NULL, 0, "more rules than the model has room for");
        if (!there)
            array_insert(to->rules, &count, at);
        to->rules[at] = a->rule;
    }
    to->count = (unsigned)count;
    return true;
}

/* A number for this setting of a rule; the broker's is learned when it is seen. */
static unsigned new_setting(struct model *m)
{
    size_t wanted = m->settings_count + 2;
    m->settings = model_grow(m->settings, &m->settings_capacity, wanted, sizeof *m->settings);
    m->settings[++m->settings_count] = 0;
    return (unsigned)m->settings_count;
}

void model_rule_changed(struct model *m, struct model_group *g, unsigned op, struct mpack_reader *r,
                        bool sure)
{
    struct asked a = read_asked(op, r);
    unsigned before = g->rulings_count;
    if (a.defines)
        a.rule.setting = new_setting(m);
    g->ruled = m->groups[g->other].ruled = true;
    for (unsigned i = g->rulings_now; i < before; i++) {
        struct model_ruling next = g->rulings[i];
        if (!change(m, &next, &a))
            continue;
        if (g->rulings_count == MODEL_RULINGS_MAX)
            model_fail(m, g, 0, "more rules that may be in force than the model has room for");
        g->rulings[g->rulings_count++] = next;
    }
    if (sure && g->rulings_count == before)
        model_fail(m, g, 0, "a rule that there is not was changed");
    if (sure)
        g->rulings_now = before;
}

bool model_is_setting(const struct model *m, unsigned setting, uint64_t id)
{
    if (!setting || !id)
        return !setting && !id;
    if (m->settings[setting])
        return m->settings[setting] == id;
    for (size_t i = 1; i <= m->settings_count; i++) {
        if (m->settings[i] == id)
            return false;
    }
    return true;
}

void model_rules_settle(struct model_group *g, unsigned ruling)
{
    g->rulings[0] = g->rulings[ruling];
    g->rulings_count = 1;
    g->rulings_now = 0;
}

/* ---- what they decide ---- */

static void decide(const struct model *m, const struct model_ruling *r, struct model_is *is)
{
    const struct model_rule *rule = NULL;
    for (unsigned i = 0; i < r->count && !rule; i++) {
        const struct model_rule *at = &r->rules[i];
        if (!at->disabled && (at->reason < 0 || at->reason == is->reason))
            rule = at;
    }
    if (!rule)
        return;
    if (rule->action == RULE_MUTE) {
        is->muted = true;
        return;
    }
    if (rule->action == RULE_REDRIVE && is->ruled >= rule->times)
        return; /* it has been brought back as often as it may */
    int64_t bound = rule->wait;
    for (uint32_t i = 0; i < is->ruled && bound < rule->wait_max; i++)
        bound *= 2;
    is->rule = rule->setting;
    is->due_lo = is->due_hi = m->wall;
    if (rule->action == RULE_REDRIVE) {
        is->due_lo = m->wall + 1;
        is->due_hi = m->wall + (bound < rule->wait_max ? bound : rule->wait_max);
    }
}

void model_die(struct model *m, const struct model_group *g, struct model_set *to, struct model_is is,
               enum dead_reason reason)
{
    is.state = MODEL_DEAD;
    if (is.deadline > 0)
        is.expires = is.ttl_ends;
    is.left = is.expires <= 0 ? is.expires : is.expires > m->wall ? is.expires - m->wall : 0;
    is.reason = (uint8_t)reason;
    is.muted = false;
    is.rule = 0;
    is.due_lo = is.due_hi = 0;
    for (unsigned i = 0; i < g->rulings_count; i++) {
        struct model_is dead = is;
        decide(m, &g->rulings[i], &dead);
        model_put(m, to, &dead);
    }
}

/* ---- what they do ---- */

static const struct model_rule *rule_set_as(const struct model_ruling *r, unsigned setting)
{
    for (unsigned i = 0; i < r->count; i++) {
        if (r->rules[i].setting == setting)
            return r->rules[i].disabled ? NULL : &r->rules[i];
    }
    return NULL;
}

static struct model_group *target_of(struct model *m, const struct model_rule *rule)
{
    for (unsigned i = 0; i < m->groups_count; i++) {
        if (!m->groups[i].is_dlq && !strcmp(m->groups[i].topic, rule->to))
            return &m->groups[m->groups[i].messages];
    }
    return NULL;
}

/* Whether the topic is there, as far as anybody knows: it is as long as one of its groups is. */
static enum model_mark is_there(const struct model *m, const struct model_group *first)
{
    enum model_mark there = MARK_NONE;
    for (unsigned i = 0; i < m->groups_count; i++) {
        const struct model_group *g = &m->groups[i];
        if (g->is_dlq || &m->groups[g->messages] != first)
            continue;
        if (g->exists == MODEL_YES && !g->ended_now)
            return MARK_YES;
        if (g->exists == MODEL_MAYBE || g->ended_now)
            there = MARK_MAYBE;
    }
    return there;
}

static void move(struct model *m, struct model_set *to, struct model_is is,
                 const struct model_message *message, const struct model_rule *rule)
{
    struct model_group *target = target_of(m, rule);
    enum model_mark can = target ? is_there(m, target) : MARK_NONE;
    if (message && (message->copy || message->damaged))
        can = MARK_NONE;
    if (can) {
        struct model_is away = {.state = MODEL_DONE, .how = MODEL_REDRIVEN};
        target->unclaimed++;
        model_put(m, to, &away);
    }
    is.rule = 0;
    is.due_lo = is.due_hi = 0;
    if (can != MARK_YES)
        model_put(m, to, &is);
}

static void act(struct model *m, struct model_set *to, struct model_is is,
                const struct model_message *message, const struct model_rule *rule)
{
    struct model_is gone = {.state = MODEL_DONE, .how = MODEL_DISCARDED};
    if (rule && rule->action == RULE_MOVE) {
        move(m, to, is, message, rule);
    } else if (rule && rule->action == RULE_DISCARD) {
        model_put(m, to, &gone);
    } else if (rule) {
        model_revive(m, &is, message);
        is.ruled++;
        model_put(m, to, &is);
    } else { /* it lies there like any other */
        is.rule = 0;
        is.due_lo = is.due_hi = 0;
        model_put(m, to, &is);
    }
}

bool model_rule_acts(struct model *m, const struct model_group *g, struct model_set *to, struct model_is is,
                     const struct model_message *message)
{
    if (is.state != MODEL_DEAD || !is.rule || is.due_lo > m->wall)
        return false;
    for (unsigned i = 0; i < g->rulings_count; i++)
        act(m, to, is, message, rule_set_as(&g->rulings[i], is.rule));
    return true;
}

/* There is a bound on how much is done at once, and a store without room makes letters wait: it may be later. */
void model_rules(struct model *m)
{
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g = &m->groups[m->live[i].group];
        struct model_cell *c = &g->cells[m->live[i].seq];
        if (g->is_dlq || !g->ruled || !model_event(m, g, c, EVENT_RULED, 0, false))
            continue;
        struct model_cell *letter = model_cell(m, &m->groups[g->other], c->link);
        if (letter)
            (void)model_event(m, &m->groups[g->other], letter, EVENT_RULED, 0, false);
    }
}
