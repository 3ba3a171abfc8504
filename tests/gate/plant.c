/* plant: bugs of the gate, put between its parts when the program is linked; SHUNT_PLANT names the one that is wanted. What finds bugs
 * has to find them. */
#include "broker/core/identity.h"
#include "broker/engine/gate_demand.h"
#include "proto/words.h"

#include <stdlib.h>
#include <string.h>

static bool planted(const char *bug)
{
    const char *wanted = getenv("SHUNT_PLANT");
    return wanted && strcmp(wanted, bug) == 0;
}

void __real_demands_of(enum wire_need need, unsigned op, struct slice topic,
                       const union request_fields *fields, struct demands *ret);
void __wrap_demands_of(enum wire_need need, unsigned op, struct slice topic,
                       const union request_fields *fields, struct demands *ret);
uint64_t __real_ledger_identities(const struct ledger *l);
uint64_t __wrap_ledger_identities(const struct ledger *l);
uint32_t __real_ledger_rights(const struct ledger *l, const struct user *u, struct slice topic);
uint32_t __wrap_ledger_rights(const struct ledger *l, const struct user *u, struct slice topic);

/* One request is left out. */
void __wrap_demands_of(enum wire_need need, unsigned op, struct slice topic,
                       const union request_fields *fields, struct demands *ret)
{
    __real_demands_of(need, op, topic, fields, ret);
    if (planted("left-out") && op == OP_DLQ_ATTEND)
        ret->count = 0;
    if (planted("target-left-out") && ret->count > 1)
        ret->count = 1;
}

/* Nobody is told that users have changed: what a connection might do it may for ever. */
uint64_t __wrap_ledger_identities(const struct ledger *l)
{
    return planted("cached") ? 1 : __real_ledger_identities(l);
}

/* On a dead-letter queue, the rights on its topic count. */
uint32_t __wrap_ledger_rights(const struct ledger *l, const struct user *u, struct slice topic)
{
    uint32_t rights = __real_ledger_rights(l, u, topic);
    if (planted("consumers-read-letters") && demand_is_of_dlq(topic) && rights)
        rights |= RIGHT(DLQ_CONSUME);
    return rights;
}
