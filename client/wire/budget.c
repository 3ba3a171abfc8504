/* budget: calls and retries in the slots of a window. */
#include "client/wire/budget.h"

#include <string.h>

void budget_init(struct retry_budget *b, int64_t share, int64_t reserve, int64_t window_ms)
{
    *b = (struct retry_budget){.share = share, .reserve = reserve, .slot_us = window_ms * 1000 / RETRY_SLOTS};
}

/* The slot of `now_us`; what is older than the window is forgotten. Time that goes back is taken for the newest that there was. */
static unsigned slot_at(struct retry_budget *b, int64_t now_us)
{
    int64_t slot = now_us / b->slot_us;
    if (slot - b->slot >= RETRY_SLOTS) {
        memset(b->slots, 0, sizeof b->slots);
        b->slot = slot;
    }
    while (b->slot < slot)
        memset(&b->slots[++b->slot % RETRY_SLOTS], 0, sizeof b->slots[0]);
    return (unsigned)(b->slot % RETRY_SLOTS);
}

void budget_call(struct retry_budget *b, int64_t now_us)
{
    b->slots[slot_at(b, now_us)].calls++;
}

bool budget_retry(struct retry_budget *b, int64_t now_us)
{
    unsigned newest = slot_at(b, now_us);
    int64_t calls = 0, retries = 0;
    for (unsigned i = 0; i < RETRY_SLOTS; i++) {
        calls += b->slots[i].calls;
        retries += b->slots[i].retries;
    }
    if (b->share == 0 || retries >= b->reserve + calls * b->share / 100)
        return false;
    b->slots[newest].retries++;
    return true;
}
