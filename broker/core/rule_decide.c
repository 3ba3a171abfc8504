/* rule_decide: which rule a letter is for, when it acts, and what comes of it. */
#include "base/check.h"
#include "broker/core/group_queue.h"
#include "broker/core/rule.h"

/* ---- which ---- */

int rule_matches(struct ledger *l, const struct letter_filter *f, const struct dead_letter *d, bool *ret)
{
    *ret = letter_passes_row(l, f, &d->m->dead);
    return *ret && letter_filter_is_deep(f) ? letter_passes(l, f, d, ret) : 0;
}

/* ---- what ---- */

static void act_later(struct ledger *l, struct rule *r, struct dead_record *dead, int64_t wait_ms)
{
    dead->rule = r->r.id;
    dead->due_ms = l->now_ms + wait_ms;
    r->r.waiting++;
}

static void decide(struct ledger *l, struct rule *r, const struct attempt_record *row,
                   struct dead_record *dead)
{
    r->r.matched++;
    rule_dirty(l, r);
    switch (r->r.action) {
    case RULE_MUTE:
        dead->attended = true;
        r->r.done++;
        r->group->r.counts.ruled[RULE_MUTE]++;
        break;
    case RULE_DISCARD:
    case RULE_MOVE:
        act_later(l, r, dead, 0);
        break;
    case RULE_REDRIVE:
        if (row->ruled < r->r.times)
            act_later(l, r, dead, ledger_back_off_ms(l, 0, r->r.wait_ms, r->r.wait_max_ms, row->ruled));
        else
            r->r.given_up++;
        break;
    case RULE_ACTIONS:
        check(false);
    }
}

int rules_decide(struct ledger *l, struct group *g, const struct attempt_record *row,
                 struct dead_record *dead)
{
    struct loaded_message m = {0};
    struct dead_letter d = {.g = g, .m = &m, .row = *row};
    int err = message_load(l, g->topic, dead->origin_seq, false, &m);
    m.is_dead = true;
    m.dead = *dead;
    m.ttl_ms = message_ttl_ms(&m.head);
    for (size_t i = 0; !err && i < g->rules_count; i++) {
        struct rule *r = g->rules[i];
        struct letter_filter f = letter_filter_kept(&r->r.filter);
        bool matches = false;
        if (!r->r.disabled)
            err = rule_matches(l, &f, &d, &matches);
        if (!err && matches) {
            decide(l, r, row, dead);
            break;
        }
    }
    return err;
}

/* ---- when ---- */

int rule_wait(struct ledger *l, struct group *g, const struct dead_record *dead, uint64_t dead_seq)
{
    struct key key = key_due(g->r.id, DUE_RULED, dead->due_ms, dead_seq);
    g->r.ruled_waiting++;
    l->ruled_retry_ms = 0;
    group_queue_at(l, QUEUE_RULED, g, dead->due_ms);
    return ledger_put(l, TABLE_DUE, key_slice(&key), (struct slice){"", 0});
}

int rule_left(struct ledger *l, struct group *g, const struct dead_record *dead, uint64_t dead_seq)
{
    struct rule *r = rule_of_id(g, dead->rule);
    struct key key = key_due(g->r.id, DUE_RULED, dead->due_ms, dead_seq);
    if (r) {
        r->r.waiting -= r->r.waiting > 0; /* a damaged store may differ */
        rule_dirty(l, r);
    }
    g->r.ruled_waiting -= g->r.ruled_waiting > 0;
    ledger_dirty_group(l, g);
    int err = ledger_del(l, TABLE_DUE, key_slice(&key), NULL);
    return err == SHUNT_NOT_FOUND ? 0 : err; /* of a group that is being cleared away */
}

/* ---- what came of it ---- */

void rule_moves(struct ledger *l, struct attempt_record *row, uint64_t cause)
{
    struct rule *r = l->ruling;
    row->job = r->r.id;
    row->job_cause = cause;
    row->outcome = REDRIVE_PENDING;
    row->ruled++;
    r->r.outcomes[REDRIVE_PENDING]++;
    rule_dirty(l, r);
}

void rule_outcome(struct ledger *l, struct group *g, const struct attempt_record *row,
                  enum redrive_outcome outcome)
{
    struct rule *r = rule_of_id(g, row->job);
    if (!r)
        return;
    r->r.outcomes[row->outcome]--;
    r->r.outcomes[outcome]++;
    rule_dirty(l, r);
}
