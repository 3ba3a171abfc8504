/* dice: the one source of chance in a run. splitmix64 (Steele, Lea, Flood 2014). */
#ifndef SHUNT_TESTS_SIM_DICE_H
#define SHUNT_TESTS_SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* Uniform in [0, bound); 0 for a bound of 0. */
static inline uint64_t dice_below(struct dice *r, uint64_t bound)
{
    return bound ? dice_next(r) % bound : 0;
}

static inline uint64_t dice_from(struct dice *r, uint64_t least, uint64_t most)
{
    return least + dice_below(r, most - least + 1);
}

/* True once in `times`. */
static inline bool dice_once_in(struct dice *r, uint64_t times)
{
    return dice_below(r, times) == 0;
}

/* True that often in a hundred. */
static inline bool dice_percent(struct dice *r, unsigned percent)
{
    return dice_below(r, 100) < percent;
}

#endif
