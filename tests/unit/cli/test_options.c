/* options: one table parses, checks and explains. */
#include <criterion/criterion.h>
#include <string.h>

#include "cli/options.h"

static const struct option_row rows[] = {
    {"file", 0, "F", OPTION_TEXT, WORDS_MANY, 0, 0, ""},
    {"lines", 0, "[FILE]", OPTION_TEXT, WORDS_ONE, 0, 0, ""},
    {"header", 'H', "K=V", OPTION_TEXT, WORDS_NONE, 0, 0, ""},
    {"wait", 0, "D", OPTION_DURATION, WORDS_NONE, 1, 60000, ""},
    {"count", 'n', "N", OPTION_COUNT, WORDS_NONE, 1, 1000, ""},
    {"drain", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, ""},
    {"yes", 'y', NULL, OPTION_FLAG, WORDS_NONE, 0, 0, ""},
};
#define ROWS          (sizeof rows / sizeof *rows)
#define ARGUMENTS_MAX 16

static bool parse(struct options *o, bool leading, int *ret_used, char **arguments)
{
    int argc = 0;
    while (arguments[argc])
        argc++;
    options_init(o);
    options_accept(o, rows, ROWS);
    return options_parse(o, argc, arguments, leading, ret_used);
}

#define LINE(...)                                                                                            \
    (char *[])                                                                                               \
    {                                                                                                        \
        (char[]){"shunt"}, __VA_ARGS__, NULL                                                                 \
    }
#define W(text)                                                                                              \
    (char[])                                                                                                 \
    {                                                                                                        \
        text                                                                                                 \
    }

Test(options, may_stand_anywhere)
{
    struct options o;
    char **line = LINE(W("topic"), W("-n"), W("3"), W("body"), W("--drain"));
    cr_assert(parse(&o, false, NULL, line));
    cr_expect_eq(o.words_count, 2);
    cr_expect_str_eq(o.words[1], "body");
    cr_expect_eq(options_number(&o, "count", 0), 3);
    cr_expect(options_flag(&o, "drain"));
    cr_expect_not(options_flag(&o, "wait"));
    options_done(&o);
}

static size_t given(const struct options *o, const char *name, const char *text)
{
    size_t count = 0;
    for (size_t i = 0; i < o->values_count; i++) {
        const struct option_value *v = &o->values[i];
        count += strcmp(v->row->name, name) == 0 && v->text && (!text || strcmp(v->text, text) == 0);
    }
    return count;
}

Test(options, file_takes_all_words_after_it_across_other_options)
{
    struct options o;
    char **line = LINE(W("files"), W("--file"), W("a"), W("b"), W("-H"), W("k=v"), W("c"));
    cr_assert(parse(&o, false, NULL, line));
    cr_expect_eq(o.words_count, 1);
    cr_expect_eq(given(&o, "file", NULL), 3);
    cr_expect_eq(given(&o, "file", "c"), 1);
    cr_expect_eq(given(&o, "header", "k=v"), 1);
    options_done(&o);
}

Test(options, lines_takes_at_most_the_next_word)
{
    struct options o;
    char **line = LINE(W("t"), W("--lines"), W("f"), W("more"));
    cr_assert(parse(&o, false, NULL, line));
    cr_expect_str_eq(options_text(&o, "lines", "-"), "f");
    cr_expect_eq(o.words_count, 2);
    options_done(&o);
    line = LINE(W("t"), W("--lines"), W("--drain"), W("more"));
    cr_assert(parse(&o, false, NULL, line));
    cr_expect(options_flag(&o, "lines"));
    cr_expect_str_eq(options_text(&o, "lines", "-"), "-");
    cr_expect_eq(o.words_count, 2);
    options_done(&o);
}

Test(options, rest_is_what_follows_two_dashes)
{
    struct options o;
    char **line = LINE(W("t"), W("-n"), W("1"), W("--"), W("sh"), W("-c"), W("--"));
    cr_assert(parse(&o, false, NULL, line));
    cr_expect_eq(o.words_count, 1);
    cr_expect_eq(o.rest_count, 3);
    cr_expect_str_eq(o.rest[1], "-c");
    options_done(&o);
    line = LINE(W("t"));
    cr_assert(parse(&o, false, NULL, line));
    cr_expect_null(o.rest);
    options_done(&o);
}

Test(options, leading_ones_end_at_the_first_word)
{
    struct options o;
    int used = 0;
    char **line = LINE(W("--drain"), W("topic"), W("--nonsense"));
    cr_assert(parse(&o, true, &used, line));
    cr_expect_eq(used, 2);
    options_done(&o);
}

struct refusal {
    const char *arguments[4];
    const char *why;
};

Test(options, one_argument_may_hold_many_of_one_letter)
{
    struct options o;
    cr_assert(parse(&o, false, NULL, LINE(W("-yyyyyyyyyyyyyyyyn7"), W("word"))), "%s", o.why);
    cr_assert_eq(o.values_count, 17);
    cr_assert(options_flag(&o, "yes"));
    cr_assert_eq(options_number(&o, "count", 1), 7);
    cr_assert_eq(o.words_count, 1);
    options_done(&o);
}

Test(options, refuses_with_a_reason)
{
    static const struct refusal refusals[] = {
        {{"--drian"}, "unknown option --drian; did you mean --drain?"},
        {{"--frobnicate=7"}, "unknown option --frobnicate"},
        {{"-z"}, "unknown option -z"},
        {{"--wait"}, "--wait needs a value: D"},
        {{"-n"}, "--count needs a value: N"},
        {{"--drain=yes"}, "--drain takes no value"},
        {{"-n", "0"}, "--count 0: must be from 1 to 1000"},
        {{"-n", "1001"}, "--count 1001: must be from 1 to 1000"},
        {{"-n", "-1"}, "--count -1: not a whole number of at least 1 (or too large)"},
        {{"-n", "1x"}, "--count 1x: not a whole number of at least 1 (or too large)"},
        {{"-n", ""}, "--count : not a whole number of at least 1 (or too large)"},
        {{"-n", "99999999999999999999"}, "--count 99999999999999999999: not a whole number"},
        {{"--wait", "-1s"}, "--wait -1s: "},
        {{"--wait", "5"}, "--wait 5: "},
        {{"--wait", "5 parsecs"}, "--wait 5 parsecs: "},
        {{"--wait", "99999999999999999999d"}, "--wait 99999999999999999999d: "},
        {{"--wait", "2m"}, "--wait 2m: must be from 1ms to 1m"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct options o;
        char copies[4][64];
        char *line[ARGUMENTS_MAX] = {(char[]){"shunt"}};
        for (size_t k = 0; k < 4 && refusals[i].arguments[k]; k++)
            line[k + 1] = strcpy(copies[k], refusals[i].arguments[k]);
        cr_expect_not(parse(&o, false, NULL, line), "%s", refusals[i].arguments[0]);
        cr_expect_eq(strncmp(o.why, refusals[i].why, strlen(refusals[i].why)), 0, "said: %s", o.why);
        options_done(&o);
    }
}

Test(options, the_first_row_of_a_name_hides_later_ones)
{
    static const struct option_row own[] = {{"timeout", 0, "D", OPTION_DURATION, WORDS_NONE, 0, 0, ""}};
    static const struct option_row global[] = {{"timeout", 0, "D", OPTION_DURATION, WORDS_NONE, 0, 0, ""}};
    struct options o;
    char *line[] = {(char[]){"shunt"}, (char[]){"--timeout"}, (char[]){"5s"}, NULL};
    options_init(&o);
    options_accept(&o, own, 1);
    options_accept(&o, global, 1);
    cr_assert(options_parse(&o, 3, line, false, NULL));
    cr_expect_not_null(options_find_row(&o, own));
    cr_expect_null(options_find_row(&o, global));
    cr_expect_eq(options_number(&o, "timeout", 0), 5000);
    options_done(&o);
}
