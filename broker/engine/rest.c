/* rest: see rest.h. */
#include "broker/engine/rest.h"

static void grow(uint64_t *told, uint64_t *before, uint64_t *now, bool first)
{
    if (!first && *now > *before)
        *told += *now - *before;
    *before = *now;
    *now = *told;
}

void rest_tell(struct rest *r, struct snapshot_group *now, bool *there)
{
    bool first = !r->known;
    *there |= r->known;
    if (!*there)
        return;
    r->known = true;
#define GROW(field) grow(&r->told.field, &r->before.field, &now->field, first)
    GROW(published);
    GROW(acked);
    GROW(expired);
    GROW(discarded);
    GROW(purged);
    GROW(moved);
    GROW(deliveries);
    GROW(redriven);
    GROW(expired_unattended);
    GROW(slo_breaches);
    GROW(breaker_trips);
    for (unsigned i = 0; i < ATTEMPT_OUTCOMES; i++)
        GROW(attempts[i]);
    for (unsigned i = 0; i < DEAD_REASONS; i++)
        GROW(dead_lettered[i]);
    for (unsigned i = 0; i < REDRIVE_OUTCOMES; i++)
        GROW(outcomes[i]);
    for (unsigned i = 0; i < RULE_ACTIONS; i++)
        GROW(rule_actions[i]);
#undef GROW
}
