/* facts: see facts.h. */
#include "broker/core/facts.h"
#include "broker/core/job.h"
#include "broker/core/rule.h"

bool ledger_job_facts(const struct ledger *l, uint64_t id, struct job_facts *ret)
{
    const struct job *j = job_find(l, id);
    if (!j)
        return false;
    *ret = (struct job_facts){.kind = j->r.kind, .topic = slice_of(j->r.topic_name), .to = slice_of(j->r.to)};
    return true;
}

bool ledger_rule_facts(const struct ledger *l, struct slice topic, struct slice group, uint32_t number,
                       struct rule_facts *ret)
{
    int err;
    const struct group *g = ledger_group(l, topic, group, &err);
    const struct rule *r = g ? rule_find(g, number) : NULL;
    if (!r)
        return false;
    *ret = (struct rule_facts){.action = r->r.action, .to = slice_of(r->r.to)};
    return true;
}

uint64_t ledger_dead_letters(const struct ledger *l, struct slice topic, struct slice group)
{
    const struct topic *t = ledger_topic(l, topic);
    uint64_t dead = 0;
    for (size_t i = 0; t && i < t->groups_count; i++) {
        const struct group *g = t->groups[i];
        if (!group.size || slice_is(group, g->r.name))
            dead += g->r.counts.dead;
    }
    return dead;
}
