/* plant_breaker: bugs of breakers, between the core's files (the linker's --wrap). */
#include "broker/core/breaker.h"
#include "broker/core/group_queue.h"
#include "tests/sim/plant.h"

int __real_breaker_failed(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
                          int64_t leased_ms, bool *ret_spared);
int __wrap_breaker_failed(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
                          int64_t leased_ms, bool *ret_spared);
uint32_t __real_breaker_may(const struct group *g);
uint32_t __wrap_breaker_may(const struct group *g);
int __real_breakers_tick(struct ledger *l);
int __wrap_breakers_tick(struct ledger *l);
int __real_breakers_flush(struct ledger *l);
int __wrap_breakers_flush(struct ledger *l);

int __wrap_breaker_failed(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
                          int64_t leased_ms, bool *ret_spared)
{
    static uint64_t tries;
    struct attempt_record another = *row;
    if (plant_is(PLANT_BREAKER_POISON) && (!g->breaker || g->breaker->r.state == BREAKER_CLOSED)) {
        another.key = ++tries;
        another.generation = 0;
        return __real_breaker_failed(l, g, tries << 32 | seq, &another, leased_ms, ret_spared);
    }
    int err = __real_breaker_failed(l, g, seq, row, leased_ms, ret_spared);
    if (plant_is(PLANT_BREAKER_CHARGES))
        *ret_spared = false;
    if (plant_is(PLANT_BREAKER_PARDONS) && g->breaker && g->breaker->r.state == BREAKER_RAMP)
        *ret_spared = true;
    return err;
}

uint32_t __wrap_breaker_may(const struct group *g)
{
    return plant_is(PLANT_BREAKER_FLOODS) ? BREAKER_NO_LIMIT : __real_breaker_may(g);
}

int __wrap_breakers_tick(struct ledger *l)
{
    if (!plant_is(PLANT_BREAKER_STUCK))
        return __real_breakers_tick(l);
    (void)group_queue_take(l, QUEUE_BREAKER, l->now_ms);
    return 0;
}

int __wrap_breakers_flush(struct ledger *l)
{
    for (; plant_is(PLANT_BREAKER_FORGOTTEN) && l->dirty_breakers;
         l->dirty_breakers = l->dirty_breakers->dirty_next)
        l->dirty_breakers->dirty = false;
    return __real_breakers_flush(l);
}
