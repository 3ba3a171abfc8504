/* facts: what a decision on rights needs to know of what is stored. Reads memory alone. */
#ifndef SHUNT_CORE_FACTS_H
#define SHUNT_CORE_FACTS_H

#include "broker/core/ledger.h"
#include "broker/core/schema_job.h"
#include "proto/words.h"

/* Of a job that is known: `ret` is lent until the next batch. False: there is none of that number. */
struct job_facts {
    enum job_kind kind;
    struct slice topic; /* empty: it is at work on all of them */
    struct slice to;    /* where it moves messages to; empty: back */
};
bool ledger_job_facts(const struct ledger *l, uint64_t id, struct job_facts *ret);

/* Of a rule on the group's dead letters; lent as above. False: there is no such topic, group or rule. */
struct rule_facts {
    enum rule_action action;
    struct slice to; /* empty: it moves nothing to another topic */
};
bool ledger_rule_facts(const struct ledger *l, struct slice topic, struct slice group, uint32_t number,
                       struct rule_facts *ret);

/* How many dead letters would go with the topic, or (`group` not empty) with that group of it. 0 also if it is not there. */
uint64_t ledger_dead_letters(const struct ledger *l, struct slice topic, struct slice group);

#endif
