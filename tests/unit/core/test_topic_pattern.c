/* topic_pattern: what is one, and which topics it fits. */
#include "broker/core/topic_pattern.h"
#include "proto/limits.h"

#include <criterion/criterion.h>

Test(topic_pattern, has_the_characters_of_names_and_stars)
{
    static const char *const good[] = {"*",     "**",      "orders", "orders.*", "*.eu",
                                       "a*b*c", "A-Z_0.9", "-",      "_*"};
    static const char *const bad[] = {"",   ".orders", ".*",  "dlq:orders:default", "a b",
                                      "a?", "a[b]",    "a/b", "\xc3\xa4",           "a\n"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert(topic_pattern_is_valid(slice_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(topic_pattern_is_valid(slice_of(bad[i])), "%s", bad[i]);
    cr_assert_not(topic_pattern_is_valid((struct slice){"a\0b", 3}));
}

Test(topic_pattern, is_at_most_as_long_as_a_name)
{
    char text[NAME_BYTES_MAX + 1];
    memset(text, 'a', sizeof text);
    text[0] = '*';
    cr_assert(topic_pattern_is_valid((struct slice){text, NAME_BYTES_MAX}));
    cr_assert_not(topic_pattern_is_valid((struct slice){text, NAME_BYTES_MAX + 1}));
}

Test(topic_pattern, a_star_is_any_number_of_any_characters)
{
    static const struct {
        const char *pattern, *topic;
        bool fits;
    } rows[] = {
        {"*", "orders", true},
        {"*", "", true},
        {"orders", "orders", true},
        {"orders", "orders.eu", false},
        {"orders", "order", false},
        {"orders.*", "orders.eu.west", true},
        {"orders.*", "orders.", true},
        {"orders.*", "orders", false},
        {"orders*", "orders", true},
        {"*.eu", "orders.eu", true},
        {"*.eu", "eu", false},
        {"*.eu", "orders.eu.eu", true},
        {"a*a", "a", false},
        {"a*a", "aa", true},
        {"a*b*a", "aba", true},
        {"a*ba*ba", "aba", false},
        {"*ab*ab", "abab", true},
        {"*ab*ab", "aab", false},
        {"**", "x", true},
        {"a**b", "ab", true},
        {"*", "dlq:a:b", true},
        {"A*", "a", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(topic_pattern_matches(slice_of(rows[i].pattern), slice_of(rows[i].topic)), rows[i].fits,
                     "%s and %s", rows[i].pattern, rows[i].topic);
    }
    cr_assert(topic_pattern_matches(slice_of("*"), (struct slice){0}));
    cr_assert_not(topic_pattern_matches(slice_of("a"), (struct slice){0}));
}

/* Written as it is defined. */
static bool fits(const char *pattern, const char *topic)
{
    if (!*pattern)
        return !*topic;
    if (*pattern == '*')
        return fits(pattern + 1, topic) || (*topic && fits(pattern, topic + 1));
    return *pattern == *topic && fits(pattern + 1, topic + 1);
}

/* The text of that number, of these characters; false: there is none so short. */
static bool spell(const char *characters, unsigned number, char *ret)
{
    unsigned base = (unsigned)strlen(characters), size = 0;
    for (; number; number = (number - 1) / base) {
        if (size == 6)
            return false;
        ret[size++] = characters[(number - 1) % base];
    }
    ret[size] = 0;
    return true;
}

Test(topic_pattern, every_short_one_fits_what_it_is_defined_to_fit)
{
    char pattern[8], topic[8];
    unsigned fitting = 0;
    for (unsigned i = 1; spell("ab*", i, pattern); i++) {
        for (unsigned j = 0; spell("ab", j, topic); j++) {
            bool expected = fits(pattern, topic);
            fitting += expected;
            cr_assert_eq(topic_pattern_matches(slice_of(pattern), slice_of(topic)), expected, "%s and %s",
                         pattern, topic);
        }
    }
    cr_assert_gt(fitting, 1000);
}
