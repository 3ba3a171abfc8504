/* plant_lease: bugs of leases, on the calls from the engine to the dispatcher and the ledger. See plant.c. */
#include "broker/core/dispatcher_state.h"
#include "broker/core/ledger.h"
#include "proto/errors.h"
#include "tests/crash/plant.h"

#define FORGED_MAX 4096 /* in one batch */

/* stale-answer: answers that were let pass with another's token, until the batch with them is applied. */
static struct {
    uint32_t group;
    uint64_t seq, given, current;
} forged[FORGED_MAX];
static size_t forged_count;

int __real_dispatcher_lease(struct dispatcher *d, const struct assignment *a, uint64_t seq, uint64_t token,
                            uint64_t bytes, int64_t lease_ms, int64_t mono_ms, int64_t wall_ms);
int __wrap_dispatcher_lease(struct dispatcher *d, const struct assignment *a, uint64_t seq, uint64_t token,
                            uint64_t bytes, int64_t lease_ms, int64_t mono_ms, int64_t wall_ms);
int __real_dispatcher_claim(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token,
                            struct lease_times *ret);
int __wrap_dispatcher_claim(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token,
                            struct lease_times *ret);
int __real_ledger_apply(struct ledger *l, struct store_txn *txn, const struct batch *batch);
int __wrap_ledger_apply(struct ledger *l, struct store_txn *txn, const struct batch *batch);

/* The consumer is told of the whole lease, and has half of it. */
int __wrap_dispatcher_lease(struct dispatcher *d, const struct assignment *a, uint64_t seq, uint64_t token,
                            uint64_t bytes, int64_t lease_ms, int64_t mono_ms, int64_t wall_ms)
{
    int64_t its_ms = planted() == PLANT_SHORT_LEASE ? lease_ms / 2 : lease_ms;
    return __real_dispatcher_lease(d, a, seq, token, bytes, its_ms, mono_ms, wall_ms);
}

/* An answer for the message, whatever its token, ends the lease of its present holder. */
int __wrap_dispatcher_claim(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token,
                            struct lease_times *ret)
{
    int err = __real_dispatcher_claim(d, m, seq, token, ret);
    if (err != SHUNT_STALE || planted() != PLANT_STALE_ANSWER || forged_count == FORGED_MAX)
        return err;
    uint32_t id = lease_table_find(&d->leases, member_group(m), seq);
    if (id == LEASE_NONE)
        return err;
    const struct lease *l = lease_at(&d->leases, id);
    forged[forged_count].group = member_group(m);
    forged[forged_count].seq = seq;
    forged[forged_count].given = token;
    forged[forged_count++].current = l->token;
    return __real_dispatcher_claim(d, l->member, seq, l->token, ret);
}

static void forge(uint32_t group, struct resolution *r)
{
    for (size_t i = 0; i < forged_count; i++) {
        if (forged[i].group == group && forged[i].seq == r->seq && forged[i].given == r->token)
            r->token = forged[i].current;
    }
}

/* What the engine has made of requests lies in its own memory and is not looked at again. */
int __wrap_ledger_apply(struct ledger *l, struct store_txn *txn, const struct batch *batch)
{
    for (size_t i = 0; forged_count && i < batch->count; i++) {
        const struct command *c = &batch->commands[i];
        for (uint32_t k = 0; c->kind == COMMAND_RESOLVE && k < c->resolve.count; k++)
            forge(c->resolve.group, (struct resolution *)(uintptr_t)&c->resolve.entries[k]);
    }
    forged_count = 0;
    return __real_ledger_apply(l, txn, batch);
}
