/* columns, table: how wide texts are, and what a table leaves out, cuts or folds where it is too wide. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/table.h"

#define COUNT_OF(array) (sizeof array / sizeof array[0])

Test(columns, are_those_that_a_terminal_shows)
{
    static const struct {
        const char *text;
        size_t columns;
    } rows[] = {
        {"", 0},        {"plain", 5},   {"\u20acx", 2},    {"\u65e5\u672c", 4},
        {"e\u0301", 1}, {"\u200bx", 1}, {"\U0001f600", 2}, {"\U0001fae9", 2},
        {"\uff21", 2},  {"\xff", 1},    {"\xe6\x97", 2},   {"\u65e5\xe6\x97", 4},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_eq(columns_of(rows[i].text, strlen(rows[i].text)), rows[i].columns, "row %zu", i);
}

Test(columns, fit_to_the_last_whole_character_with_what_is_set_over_it)
{
    static const char text[] = "a\u65e5e\u0301b";
    static const size_t bytes[] = {0, 1, 1, 4, 7, 8, 8};
    for (size_t columns = 0; columns < COUNT_OF(bytes); columns++)
        cr_expect_eq(columns_fit(text, strlen(text), columns), bytes[columns], "%zu columns", columns);
}

Test(columns, of_what_is_no_terminal_are_unlimited)
{
    FILE *file = tmpfile();
    cr_expect_eq(columns_of_terminal(file), COLUMNS_UNLIMITED);
    (void)fclose(file);
}

/* What is printed within `columns`. The cells end with NULL. */
static char *printed(const char *const *headings, const char *const *cells, size_t columns)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct table t;
    if (headings)
        table_init(&t, headings);
    else
        table_init_plain(&t);
    for (; *cells; cells++)
        table_cell(&t, *cells);
    cr_assert(table_print_within(&t, out, columns));
    table_done(&t);
    (void)fclose(out);
    return text;
}

static void expect(const char *const *headings, const char *const *cells, size_t columns,
                   const char *expected)
{
    char *text = printed(headings, cells, columns);
    cr_expect_str_eq(text, expected, "%zu columns:\n%s", columns, text);
    free(text);
}

static const char *const headings[] = {"ID", "--AGE", ">COUNT", "-~WHO", "~WHY", NULL};
static const char *const cells[] = {"orders/1",
                                    "1h2m",
                                    "12345",
                                    "somebody with a name",
                                    "the \u65e5\u672c\u8a9e text",
                                    "orders/2",
                                    "3s",
                                    "7",
                                    "me",
                                    "short",
                                    NULL};

Test(table, is_whole_where_there_is_room)
{
    static const char expected[] =
        "ID        AGE   COUNT  WHO                   WHY\n"
        "orders/1  1h2m  12345  somebody with a name  the \u65e5\u672c\u8a9e text\n"
        "orders/2  3s        7  me                    short\n";
    expect(headings, cells, COLUMNS_UNLIMITED, expected);
    expect(headings, cells, 60, expected);
}

Test(table, cuts_prose_the_widest_first_and_no_number_or_id)
{
    expect(headings, cells, 59,
           "ID        AGE   COUNT  WHO                  WHY\n"
           "orders/1  1h2m  12345  somebody with a na\u2026  the \u65e5\u672c\u8a9e text\n"
           "orders/2  3s        7  me                   short\n");
    expect(headings, cells, 41,
           "ID        AGE   COUNT  WHO       WHY\n"
           "orders/1  1h2m  12345  somebod\u2026  the \u65e5\u2026\n"
           "orders/2  3s        7  me        short\n");
}

Test(table, leaves_out_what_is_marked_when_cutting_is_not_enough)
{
    expect(headings, cells, 40,
           "ID        COUNT  WHO         WHY\n"
           "orders/1  12345  somebody \u2026  the \u65e5\u672c\u8a9e\u2026\n"
           "orders/2      7  me          short\n");
    expect(headings, cells, 31,
           "ID        COUNT  WHY\n"
           "orders/1  12345  the \u65e5\u672c\u8a9e te\u2026\n"
           "orders/2      7  short\n");
}

Test(table, becomes_blocks_of_whole_lines_when_nothing_else_helps)
{
    expect(headings, cells, 24,
           "ID     orders/1\n"
           "AGE    1h2m\n"
           "COUNT  12345\n"
           "WHO    somebody with a\n"
           "       name\n"
           "WHY    the \u65e5\u672c\u8a9e text\n"
           "\n"
           "ID     orders/2\n"
           "AGE    3s\n"
           "COUNT  7\n"
           "WHO    me\n"
           "WHY    short\n");
}

Test(table, of_names_folds_between_words_and_puts_a_long_word_below_its_name)
{
    static const char *const pairs[] = {
        "state", "it  waits for somebody to look", "",     "  further in it goes on",
        "id",    "dlq:orders:default/1042",        "none", "",
        NULL};
    expect(NULL, pairs, COLUMNS_UNLIMITED,
           "state  it  waits for somebody to look\n"
           "         further in it goes on\n"
           "id     dlq:orders:default/1042\n"
           "none\n");
    expect(NULL, pairs, 25,
           "state  it  waits for\n"
           "       somebody to look\n"
           "         further in it\n"
           "         goes on\n"
           "id\n"
           "  dlq:orders:default/1042\n"
           "none\n");
    expect(NULL, pairs, 1,
           "state\nit\nwaits\nfor\nsomebody\nto\nlook\n\nfurther\nin\nit\ngoes\non\n"
           "id\ndlq:orders:default/1042\nnone\n");
}

Test(table, tames_what_would_command_a_terminal_or_turn_its_writing)
{
    static const char *const heading[] = {"~TEXT", "N", NULL};
    static const char *const wild[] = {"a\x1b[2Jb\u202ec\xc2\x85"
                                       "d\nnext",
                                       "1", NULL};
    expect(heading, wild, COLUMNS_UNLIMITED, "TEXT                N\na?[2Jb???c??d next  1\n");
}
