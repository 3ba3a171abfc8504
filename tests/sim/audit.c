/* audit: everything that must hold after a turn, whatever the turn was. */
#include "broker/core/state.h"
#include "tests/sim/server.h"

_Noreturn void audit_failed(const char *file, int line, const char *what);
void ledger_audit(struct ledger *l, struct store *s); /* tests/unit/core/ledger_audit.c */

static struct sim *audited;

_Noreturn void audit_failed(const char *file, int line, const char *what)
{
    sim_fail(audited, "audit: %s (%s:%d)", what, file, line);
}

/* Each message in flight is held by somebody, and the other way round. */
static void audit_leases(struct sim *s, const struct engine *e)
{
    uint64_t in_flight = 0;
    for (size_t i = 0; i < e->ledger->groups_count; i++) {
        const struct group *g = e->ledger->groups[i];
        if (!g->r.dropped && !g->topic->r.dropped)
            in_flight += g->r.counts.in_flight;
    }
    if (e->config.limits.in_flight_max && in_flight > e->config.limits.in_flight_max) {
        sim_fail(s, "audit: %llu in flight, the limit is %llu", (unsigned long long)in_flight,
                 (unsigned long long)e->config.limits.in_flight_max);
    }
    if (in_flight != dispatcher_leases(e->dispatcher)) {
        sim_fail(s, "audit: %llu in flight, %llu leases", (unsigned long long)in_flight,
                 (unsigned long long)dispatcher_leases(e->dispatcher));
    }
}

void audit(struct sim *s, struct engine *e)
{
    /* A fault that is due must hit the engine, not the one who looks. */
    disk_hold_faults(&s->disk);
    audited = s;
    dispatcher_check_slow(e->dispatcher);
    audit_leases(s, e);
    ledger_audit(e->ledger, s->disk.store);
    disk_let_faults(&s->disk);
}
