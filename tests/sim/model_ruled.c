/* model_ruled: what rules on dead letters have left in the ledger: themselves, and copies in other topics. */
#include "broker/core/rule.h"
#include "broker/core/view_put.h"
#include "proto/names.h"
#include "tests/sim/model.h"
#include "tests/sim/sim.h"

#include <string.h>

static bool is_rule(const struct model *m, const struct model_rule *r, const struct rule *found)
{
    const struct rule_record *f = &found->r;
    bool redrives = r->action == RULE_REDRIVE;
    return r->number == found->number && r->disabled == f->disabled && r->action == f->action &&
           (r->reason >= 0) == f->filter.has_reason &&
           (r->reason < 0 || r->reason == (int)f->filter.reason) &&
           (!redrives || (r->times == f->times && r->wait == f->wait_ms && r->wait_max == f->wait_max_ms)) &&
           strcmp(r->to, f->to) == 0 && model_is_setting(m, r->setting, f->id);
}

void model_find_rules(struct model *m, struct model_group *g, const struct group *found)
{
    for (unsigned i = g->rulings_now; i < g->rulings_count; i++) {
        const struct model_ruling *r = &g->rulings[i];
        bool same = r->count == found->rules_count;
        for (unsigned k = 0; same && k < r->count; k++)
            same = is_rule(m, &r->rules[k], found->rules[k]);
        for (unsigned k = 0; same && k < r->count; k++)
            m->settings[r->rules[k].setting] = found->rules[k]->r.id;
        if (same) {
            model_rules_settle(g, i);
            return;
        }
    }
    model_fail(m, g, 0, "its rules are not those that were set");
}

struct model_message *model_copied(struct model *m, struct store_txn *txn, const struct group *g,
                                   uint64_t seq)
{
    struct key key = key_id_seq(g->topic->r.id, seq);
    struct slice value, message;
    struct message_head head;
    if (store_get(txn, TABLE_MESSAGE, key_slice(&key), &value) ||
        message_decode(key_slice(&key), value, true, &head, &message))
        return NULL;
    struct message_view v = view_parse(message);
    struct slice origin = message_header(&v, ORIGIN_HEADER), topic;
    uint64_t of;
    if (!origin.data || !name_parse_id(origin, &topic, &of))
        return NULL;
    for (unsigned i = 0; i < m->groups_count; i++) {
        if (slice_is(topic, m->groups[i].topic))
            return model_message(m, &m->groups[i], of);
    }
    return NULL;
}

void model_compare_copies(struct model *m)
{
    for (unsigned i = 0; i < m->groups_count; i++) {
        struct model_group *g = &m->groups[i];
        for (size_t seq = 1; seq < g->list_count; seq++) {
            const struct model_message *message = &g->list[seq];
            if (message->copies > message->moved_hi)
                model_fail(m, g, seq, "there are more copies of it than letters of it were moved");
            if (message->copies < message->moved_lo && !m->sim->plan.admin)
                model_fail(m, g, seq, "a letter of it was moved, and there is no copy");
        }
    }
}
