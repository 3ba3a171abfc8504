/* gate_demand: see gate_demand.h. */
#include "broker/engine/gate_demand.h"
#include "base/check.h"
#include "proto/names.h"
#include "proto/words.h"

static const struct {
    enum demand_on on;
    uint32_t rights, dlq_rights;
} needs[WIRE_NEEDS] = {
#define NEED(NAME, on_, rights_, dlq_rights_, quota, text)                                                   \
    [NEED_##NAME] = {ON_##on_, (rights_), (dlq_rights_)},
#include "proto/need.def"
};

bool demand_is_of_dlq(struct slice topic)
{
    const size_t size = sizeof DLQ_PREFIX - 1;
    return topic.size >= size && !memcmp(topic.data, DLQ_PREFIX, size);
}

void demands_add(struct demands *to, enum wire_need need, struct slice topic)
{
    bool of_dlq = needs[need].on == ON_TOPIC && demand_is_of_dlq(topic);
    if (needs[need].on == ON_NOTHING)
        return;
    check(to->count < DEMANDS_MAX);
    to->items[to->count++] = (struct demand){
        .on = needs[need].on, .rights = of_dlq ? needs[need].dlq_rights : needs[need].rights, .topic = topic};
}

/* A shorter retention drops dead letters. */
static bool changes_retention(const struct policy_change *change)
{
    return (change->set.given | change->reset) & 1u << POLICY_dlq_retention_ms;
}

/* What the fields say beside the names. */
static void add_of_fields(struct demands *to, unsigned op, struct slice topic, const union request_fields *f)
{
    static const char *const actions[] = RULE_ACTION_NAMES;
    struct slice target = {0};
    if ((op == OP_TOPIC_UPDATE && changes_retention(&f->topic_update.policy)) ||
        (op == OP_GROUP_UPDATE && changes_retention(&f->group_update.policy)))
        demands_add(to, NEED_DLQ_PURGE, topic);
    if (op == OP_DLQ_REDRIVE)
        target = f->dlq_redrive.options.to;
    if (op == OP_RULE_SET) {
        target = f->rule_set.options.to;
        if (slice_is(f->rule_set.options.action, actions[RULE_DISCARD]))
            demands_add(to, NEED_DLQ_PURGE, topic);
    }
    demands_add_target(to, topic, target);
}

void demands_add_target(struct demands *to, struct slice topic, struct slice target)
{
    if (!target.size)
        return;
    demands_add(to, NEED_DLQ_LOOK, topic);
    demands_add(to, NEED_PUBLISH, target);
}

void demands_of(enum wire_need need, unsigned op, struct slice topic, const union request_fields *fields,
                struct demands *ret)
{
    ret->count = 0;
    demands_add(ret, need, topic);
    if (need == NEED_DLQ_REDRIVE_TO || need == NEED_DLQ_RULE || need == NEED_SETTINGS)
        add_of_fields(ret, op, topic, fields);
}

uint32_t demand_missing(const struct demand *d, uint32_t rights)
{
    if (d->on == ON_SOME)
        return d->rights & rights ? 0 : d->rights;
    return d->rights & ~rights;
}
