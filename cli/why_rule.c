/* why_rule: what rules on dead letters had, or will have, to do with a message. */
#include <inttypes.h>

#include "cli/rule.h"
#include "cli/why_say.h"

void why_tell_ruled(struct story *s, const struct shunt_value *death)
{
    const char *action = record_text(death, "rule_action");
    int64_t rule = record_integer(death, "rule");
    char time[32];
    if (!action)
        return;
    say(s, "", "  rule %" PRId64 " %s at %s, unless somebody decides before", rule, rule_does(action),
        time_of(death, "rule_at", time));
    say(s, "", "  (`shunt rule set %s %" PRId64 " --off -g %s` leaves it where it is)", s->topic, rule,
        s->name);
}

static const struct saying outcomes[] = {
    {"pending", "has no outcome of it yet", NULL},
    {"acked", "counts it as acked", NULL},
    {"failed_same", "counts it as failed: again of the cause that it had died of", NULL},
    {"failed_other", "counts it as failed: of another cause than it had died of", NULL},
    {"gone", "counts it as gone", NULL},
    {0},
};

bool why_tell_brought_back(struct story *s, int64_t generation)
{
    const struct shunt_value *redrive = shunt_value_get(s->group, "redrive");
    int64_t rule = record_integer(redrive, "rule");
    if (!rule)
        return false;
    say(s, "",
        "died, and was brought back by rule %" PRId64 ": generation %" PRId64 " begins, with attempts 0",
        rule, generation);
    say(s, "", "  rule %" PRId64 " %s (`shunt rule list %s -g %s`)", rule,
        saying_of(outcomes, record_text(redrive, "outcome")).sentence, s->topic, s->name);
    return true;
}

bool why_tell_ended_by_rule(struct story *s, const struct shunt_value *end)
{
    int64_t rule = record_integer(end, "rule");
    char time[32];
    if (!rule)
        return false;
    const char *moved_to = record_text(end, "moved_to");
    say(s, time_of(s->group, "since", time), "%s%s by rule %" PRId64 " on dead letters",
        moved_to ? "moved to " : "discarded", moved_to ? moved_to : "", rule);
    return true;
}
