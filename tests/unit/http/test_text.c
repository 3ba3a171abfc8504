/* text: numbers and labels, byte for byte. */
#include "broker/http/text.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <string.h>

static void expect(struct text *t, const char *want)
{
    cr_assert(!t->failed);
    cr_assert(t->size == strlen(want) && memcmp(t->data, want, t->size) == 0, "got `%.*s`, want `%s`",
              (int)t->size, t->data ? t->data : "", want);
    text_done(t);
}

Test(text, decimals_have_no_exponent_and_no_trailing_zeros)
{
    const struct {
        double value;
        const char *want;
    } rows[] = {
        {0, "0"},           {1, "1"},
        {0.0001, "0.0001"}, {0.00025, "0.00025"},
        {2.5, "2.5"},       {32768, "32768"},
        {-1.25, "-1.25"},   {0.9999999999, "1"},
        {1e-12, "0"},       {1e15 + 0.5, "1000000000000000.5"},
        {1e30, "+Inf"},     {-INFINITY, "-Inf"},
        {NAN, "NaN"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text t = {0};
        text_add_decimal(&t, rows[i].value);
        expect(&t, rows[i].want);
    }
}

Test(text, numbers_ignore_the_locale)
{
    /* Where the locale is not installed there is nothing to get wrong, and the test is as good as the one
     * above. */
    (void)setlocale(LC_ALL, "de_DE.UTF-8");
    struct text t = {0};
    text_add_decimal(&t, 1234.5);
    expect(&t, "1234.5");
}

Test(text, whole_numbers_reach_both_ends)
{
    struct text t = {0};
    text_add_u64(&t, 0);
    text_add(&t, " ");
    text_add_u64(&t, UINT64_MAX);
    expect(&t, "0 18446744073709551615");
}

Test(text, milliseconds_become_seconds_exactly)
{
    struct text t = {0};
    text_add_ms_as_seconds(&t, 1700000000123);
    text_add(&t, " ");
    text_add_ms_as_seconds(&t, 50);
    text_add(&t, " ");
    text_add_ms_as_seconds(&t, -1500);
    text_add(&t, " ");
    text_add_ms_as_seconds(&t, INT64_MIN);
    expect(&t, "1700000000.123 0.05 -1.5 -9223372036854775.808");
}

Test(text, label_values_are_escaped)
{
    struct text t = {0};
    text_add_label(&t, "topic", "a\\b\"c\nd}é");
    expect(&t, "topic=\"a\\\\b\\\"c\\nd}é\"");
}

Test(text, label_values_that_are_not_utf8_are_made_so)
{
    struct text t = {0};
    text_add_label(&t, "topic", "a\xff\xc3z");
    expect(&t, "topic=\"a??z\"");
}

Test(text, grows_past_its_first_size)
{
    struct text t = {0};
    for (unsigned i = 0; i < 10000; i++)
        text_add(&t, "abc");
    cr_assert_eq(t.size, 30000);
    for (size_t i = 0; i < t.size; i++)
        cr_assert_eq(t.data[i], "abc"[i % 3]);
    text_done(&t);
}
