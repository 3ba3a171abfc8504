/* test_histogram: quantiles against a sorted list of the same values. */
#include "bench/histogram.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define VALUES 20000

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static struct histogram *new_histogram(void)
{
    struct histogram *h = calloc(1, sizeof *h);
    cr_assert_not_null(h);
    return h;
}

Test(histogram, quantiles_are_within_a_sixty_fourth_of_the_exact_ones)
{
    static uint64_t values[VALUES];
    struct histogram *h = new_histogram();
    uint64_t state = 42;
    for (size_t i = 0; i < VALUES; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        values[i] = (state >> 32) >> (state >> 8) % 32; /* all magnitudes */
        histogram_record(h, values[i]);
    }
    qsort(values, VALUES, sizeof *values, by_value);
    for (unsigned k = 1; k <= 1000; k++) {
        uint64_t exact = values[(size_t)k * VALUES / 1000 - 1], got = histogram_quantile(h, k / 1000.0);
        cr_assert_geq(got, exact, "share %u/1000", k);
        cr_assert_leq(got, exact + exact / 64, "share %u/1000: %lu for %lu", k, (unsigned long)got,
                      (unsigned long)exact);
    }
    cr_assert_eq(histogram_quantile(h, 1), values[VALUES - 1]);
    free(h);
}

Test(histogram, small_values_are_exact)
{
    struct histogram *h = new_histogram();
    for (uint64_t v = 0; v < 128; v++)
        histogram_record(h, v);
    for (uint64_t v = 0; v < 128; v++)
        cr_assert_eq(histogram_quantile(h, (double)(v + 1) / 128), v);
    cr_assert_float_eq(histogram_mean(h), 63.5, 1e-9);
    free(h);
}

Test(histogram, values_past_the_top_count_in_the_last_bucket)
{
    struct histogram *h = new_histogram();
    histogram_record(h, UINT64_MAX);
    cr_assert_eq(h->buckets[HISTOGRAM_BUCKETS - 1], 1);
    cr_assert_eq(h->max, UINT64_MAX);
    free(h);
}

Test(histogram, an_empty_one_says_zero)
{
    struct histogram *h = new_histogram();
    cr_assert_eq(histogram_quantile(h, 0.5), 0);
    cr_assert_float_eq(histogram_mean(h), 0, 1e-9);
    free(h);
}

Test(histogram, merging_is_recording_both)
{
    struct histogram *a = new_histogram(), *b = new_histogram(), *both = new_histogram();
    for (uint64_t v = 1; v < 1u << 30; v = v * 3 + 1) {
        histogram_record(v % 2 ? a : b, v);
        histogram_record(both, v);
    }
    histogram_merge(a, b);
    cr_assert_arr_eq(a, both, sizeof *a);
    free(a);
    free(b);
    free(both);
}
