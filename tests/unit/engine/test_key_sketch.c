/* Which keys weigh most, against exact counts: SHUNT_KEYS_MESSAGES=10000000 SHUNT_KEYS_NUMBER=1000000 runs the size that docs/keys.md
 * has figures of. */
#include "broker/engine/key_sketch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTERS     256
#define SKEW         1.1
#define HALF_LIFE_MS 60000ll
#define BEGIN_MS     1000

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Different for different keys. */
static uint64_t hash_of(uint32_t key)
{
    uint64_t x = key + 1ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static void add(struct key_sketch *s, uint32_t key, double weight, int64_t mono_ms)
{
    char text[16];
    int bytes = snprintf(text, sizeof text, "k%u", key);
    key_sketch_add(s, hash_of(key), (struct slice){text, (size_t)bytes}, weight, mono_ms);
}

static uint32_t key_of(const struct key_weight *w)
{
    char text[16] = {0};
    memcpy(text, w->key.data, w->key.size);
    return (uint32_t)strtoul(text + 1, NULL, 10);
}

/* ---- the bound, against exact counts ---- */

struct draw {
    uint32_t keys, messages;
    int64_t span_ms; /* in which they come */
    double *sums;    /* of the weights of the first keys */
    double *exact;
    double total;
};

static uint32_t number_of(const char *name, uint32_t otherwise)
{
    const char *text = getenv(name);
    return text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

static uint32_t draw_key(const struct draw *d, uint64_t *state)
{
    double at = (double)(random_next(state) >> 11) / 9007199254740992.0 * d->sums[d->keys - 1];
    uint32_t low = 0, high = d->keys - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (d->sums[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void pour(struct draw *d, struct key_sketch *s)
{
    uint64_t state = 88172645463325252ull;
    double sum = 0;
    d->keys = number_of("SHUNT_KEYS_NUMBER", 20000);
    d->messages = number_of("SHUNT_KEYS_MESSAGES", 200000);
    d->sums = calloc(d->keys, sizeof *d->sums);
    d->exact = calloc(d->keys, sizeof *d->exact);
    cr_assert(d->sums && d->exact);
    for (uint32_t i = 0; i < d->keys; i++)
        d->sums[i] = sum += pow(i + 1, -SKEW);
    const int64_t end_s = (BEGIN_MS + d->span_ms) / 1000;
    for (uint32_t i = 0; i < d->messages; i++) {
        int64_t now_ms = BEGIN_MS + d->span_ms * i / d->messages;
        uint32_t key = draw_key(d, &state);
        double weight = exp2((double)(now_ms / 1000 - end_s) * 1000 / HALF_LIFE_MS);
        add(s, key, 1, now_ms);
        d->exact[key] += weight;
        d->total += weight;
    }
}

static void hold_against_exact(int64_t span_ms, const char *name)
{
    struct draw d = {.span_ms = span_ms};
    struct key_sketch s;
    static struct key_weight top[COUNTERS];
    key_sketch_init(&s, COUNTERS, HALF_LIFE_MS);
    pour(&d, &s);
    const int64_t end_ms = BEGIN_MS + span_ms;
    const double unit = key_sketch_per_second(&s, end_ms) / d.total, near = 1e-6 * d.total;
    const double bound = d.total / COUNTERS;
    double worst = 0;
    uint32_t count = key_sketch_top(&s, end_ms, COUNTERS, top);
    cr_assert_eq(count, COUNTERS);
    for (uint32_t i = 0; i < count; i++) {
        double exact = d.exact[key_of(&top[i])], over = top[i].per_second / unit - exact;
        cr_assert(over > -near, "%s: the estimate of key %u is too small by %f", name, key_of(&top[i]),
                  -over);
        cr_assert(over < bound + near, "%s: key %u: %f over, the bound is %f", name, key_of(&top[i]), over,
                  bound);
        cr_assert(over < top[i].error / unit + near, "%s: key %u is further off than it says", name,
                  key_of(&top[i]));
        worst = over > worst ? over : worst;
    }
    for (uint32_t key = 0; key < d.keys; key++) {
        struct key_weight w;
        if (d.exact[key] > bound + near) {
            cr_assert(key_sketch_find(&s, hash_of(key), end_ms, &w), "%s: heavy key %u has no counter", name,
                      key);
        }
    }
    cr_assert_eq(key_of(&top[0]), 0, "the first key is the heaviest");
    cr_log_info("%s: %u messages, %u keys, bound %.0f, worst over-count %.0f", name, d.messages, d.keys,
                bound, worst);
    key_sketch_done(&s);
    free(d.sums);
    free(d.exact);
}

Test(key_sketch, skewed_keys_are_within_the_bound, .timeout = 300)
{
    hold_against_exact(0, "at once");
}

Test(key_sketch, skewed_keys_are_within_the_bound_while_they_fade, .timeout = 300)
{
    hold_against_exact(600000, "in ten minutes");
}

/* The estimate that the test above judges can be wrong: what it takes for the exact counts decides. */
Test(key_sketch, a_key_that_took_over_a_counter_is_over_counted_by_its_error)
{
    struct key_sketch s;
    struct key_weight w;
    key_sketch_init(&s, 2, HALF_LIFE_MS);
    add(&s, 1, 5, 0);
    add(&s, 2, 3, 0);
    add(&s, 3, 1, 0);
    const double unit = key_sketch_per_second(&s, 0) / 9;
    cr_assert(key_sketch_find(&s, hash_of(3), 0, &w));
    cr_assert_float_eq(w.per_second / unit, 4, 1e-9, "its own 1 and the 3 of the key before it");
    cr_assert_float_eq(w.error / unit, 3, 1e-9);
    cr_assert_not(key_sketch_find(&s, hash_of(2), 0, &w));
    key_sketch_done(&s);
}

/* Where each key takes over what was there before, the estimate alone would call all of it one key's. */
Test(key_sketch, the_share_of_the_heaviest_is_what_is_certain_of_it)
{
    struct key_sketch s;
    key_sketch_init(&s, 2, HALF_LIFE_MS);
    cr_assert_float_eq(key_sketch_share(&s, 0), 0, 1e-12, "nothing is known");
    add(&s, 1, 6, 0);
    cr_assert_float_eq(key_sketch_share(&s, 0), 1, 1e-12);
    add(&s, 2, 2, 0);
    cr_assert_float_eq(key_sketch_share(&s, HALF_LIFE_MS), 0.75, 1e-9, "both have faded");
    key_sketch_done(&s);
    key_sketch_init(&s, 2, HALF_LIFE_MS);
    for (uint32_t key = 0; key < 100; key++)
        add(&s, key, 1, 0);
    cr_assert_float_eq(key_sketch_share(&s, 0), 0.01, 1e-9);
    cr_assert_float_eq(key_sketch_share(&s, 1000 * HALF_LIFE_MS), 0, 1e-12, "it is long ago");
    key_sketch_done(&s);
}

/* ---- time ---- */

Test(key_sketch, a_weight_is_half_after_each_half_life)
{
    struct key_sketch s;
    struct key_weight old, new;
    key_sketch_init(&s, 4, HALF_LIFE_MS);
    add(&s, 1, 8, 0);
    add(&s, 2, 1, 3 * HALF_LIFE_MS);
    cr_assert(key_sketch_find(&s, hash_of(1), 3 * HALF_LIFE_MS, &old));
    cr_assert(key_sketch_find(&s, hash_of(2), 3 * HALF_LIFE_MS, &new));
    cr_assert_float_eq(old.per_second, new.per_second, 1e-9);
    key_sketch_done(&s);
}

Test(key_sketch, a_steady_rate_is_told_as_it_is_early_and_late)
{
    struct key_sketch s;
    struct key_weight w;
    key_sketch_init(&s, 4, HALF_LIFE_MS);
    for (int64_t ms = 0; ms < 20 * HALF_LIFE_MS; ms += 100) {
        add(&s, 7, 2, ms);
        if (ms == 9900 || ms == 20 * HALF_LIFE_MS - 100) {
            cr_assert(key_sketch_find(&s, hash_of(7), ms, &w));
            cr_assert_float_eq(w.per_second, 20, 0.4, "%f at %lld ms", w.per_second, (long long)ms);
        }
    }
    key_sketch_done(&s);
}

/* Weights are scaled up as time goes on: a number that is scaled up for ever overflows. */
Test(key_sketch, years_of_messages_lose_nothing)
{
    struct key_sketch s;
    struct key_weight w;
    key_sketch_init(&s, 4, HALF_LIFE_MS);
    for (int64_t day = 0; day < 4000; day++)
        add(&s, 7, 1, day * 10 * HALF_LIFE_MS);
    cr_assert(key_sketch_find(&s, hash_of(7), 3999 * 10 * HALF_LIFE_MS, &w));
    cr_assert(isfinite(w.per_second));
    cr_assert_gt(w.per_second, 0);
    key_sketch_done(&s);
}

Test(key_sketch, what_is_long_ago_is_forgotten)
{
    struct key_sketch s;
    struct key_weight w;
    key_sketch_init(&s, 4, HALF_LIFE_MS);
    add(&s, 1, 8, 0);
    cr_assert_not(key_sketch_find(&s, hash_of(1), 1000 * HALF_LIFE_MS, &w));
    cr_assert_float_eq(key_sketch_per_second(&s, 1000 * HALF_LIFE_MS), 0, 1e-12);
    key_sketch_done(&s);
}

/* ---- order, memory, edges ---- */

Test(key_sketch, keys_of_one_weight_come_in_the_order_of_their_bytes)
{
    struct key_sketch s;
    struct key_weight top[3];
    key_sketch_init(&s, 4, HALF_LIFE_MS);
    add(&s, 3, 1, 0);
    add(&s, 1, 1, 0);
    add(&s, 2, 1, 0);
    cr_assert_eq(key_sketch_top(&s, 0, 3, top), 3);
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(key_of(&top[i]), i + 1);
    key_sketch_done(&s);
}

Test(key_sketch, memory_stays_within_its_counters_whatever_comes)
{
    struct key_sketch s;
    char key[256];
    memset(key, 'x', sizeof key);
    key_sketch_init(&s, 16, HALF_LIFE_MS);
    const size_t most = 16 * (sizeof(struct key_counter) + 2 * sizeof(uint32_t) + sizeof key);
    for (uint32_t i = 0; i < 10000; i++) {
        key_sketch_add(&s, hash_of(i), (struct slice){key, sizeof key - i % 3}, 1, i);
        cr_assert_leq(s.bytes, most);
    }
    cr_assert_eq(s.count, 16);
    cr_assert_gt(s.bytes, most - 16 * 3);
    key_sketch_done(&s);
    cr_assert_eq(s.bytes, 0);
}

Test(key_sketch, without_counters_nothing_is_counted)
{
    struct key_sketch s;
    struct key_weight top[1];
    key_sketch_init(&s, 0, HALF_LIFE_MS);
    add(&s, 1, 8, 0);
    cr_assert_eq(key_sketch_top(&s, 0, 1, top), 0);
    cr_assert_eq(s.bytes, 0);
    key_sketch_done(&s);
}
