/* utf8, table, nearest: what people see. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/nearest.h"
#include "cli/table.h"
#include "cli/utf8.h"

Test(utf8, cuts_between_characters)
{
    static const char euros[] = "a\xe2\x82\xac\xe2\x82\xac";
    static const size_t ends[] = {0, 1, 1, 1, 4, 4, 4, 7, 7};
    static const size_t begins[] = {0, 0, 2, 1, 0, 2, 1, 0};
    for (size_t most = 0; most < sizeof ends / sizeof *ends; most++)
        cr_expect_eq(utf8_end(euros, 7, most), ends[most], "%zu", most);
    for (size_t from = 0; from < sizeof begins / sizeof *begins; from++)
        cr_expect_eq(utf8_begin(euros + from, 7 - from), begins[from], "%zu", from);
    cr_expect_eq(utf8_end("\x80\x80\x80\x80\x80\x80", 6, 4), 4); /* no text: anywhere */
    cr_expect_eq(utf8_begin("\x80\x80\x80\x80\x80", 5), 0);
    char text[] = "-H \xe2\x82=\xc3\xa4\xff\xf0\x9f";
    utf8_mend(text);
    cr_expect_str_eq(text, "-H =\xc3\xa4\xff");
}

Test(utf8, tells_text_from_bytes)
{
    cr_expect(utf8_valid("", 0));
    cr_expect(utf8_valid("a\0b", 3));
    cr_expect(utf8_valid("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", 10));
    cr_expect_not(utf8_valid("\xed\xa0\x80", 3));
    cr_expect_not(utf8_valid("\xc1\xbf", 2));
    cr_expect_not(utf8_valid("\xe0\x9f\xbf", 3));
    cr_expect_not(utf8_valid("\xf0\x8f\xbf\xbf", 4));
    cr_expect_not(utf8_valid("\x80", 1));
    cr_expect_not(utf8_valid("\xf0\x9f\x98", 3));
}

Test(utf8, repair_touches_only_what_is_wrong)
{
    char text[] = "a\xff\0\xc3\xa4\x1b";
    utf8_repair(text, sizeof text - 1);
    cr_expect_arr_eq(text, "a??\xc3\xa4\x1b", sizeof text);
}

Test(utf8, tamed_text_cannot_command_a_terminal)
{
    char text[] = "a\x1b[31m\nb\tc\xc2\x9b"
                  "2J";
    utf8_tame(text, strlen(text), false);
    cr_expect_str_eq(text, "a?[31m b c??2J");
    char lines[] = "a\r\nb\tc\x07";
    utf8_tame(lines, strlen(lines), true);
    cr_expect_str_eq(lines, "a?\nb\tc?");
}

Test(utf8, prefix_counts_characters)
{
    cr_expect_eq(utf8_prefix("\xc3\xa4\xc3\xa4"
                             "b",
                             5, 2),
                 4);
    cr_expect_eq(utf8_prefix("ab", 2, 2), 2);
    cr_expect_eq(utf8_prefix("ab", 2, 0), 0);
    cr_expect_eq(utf8_columns("\xe2\x82\xac"
                              "x",
                              4),
                 2);
}

static void expect_table(const struct table *t, const char *wanted)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cr_assert_not_null(out);
    cr_expect(table_print(t, out));
    fclose(out);
    cr_expect_str_eq(text, wanted);
    free(text);
}

Test(table, aligns_columns_and_leaves_no_blank_at_the_end)
{
    static const char *const headings[] = {"NAME", ">N", "WHY", NULL};
    struct table t;
    table_init(&t, headings);
    table_cell(&t, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4");
    table_cellf(&t, "%d", 1000);
    table_cell(&t, NULL);
    table_cell(&t, "b");
    table_cellf(&t, "%d", 7);
    table_cell(&t, "two\nlines");
    expect_table(&t, "NAME      N  WHY\n"
                     "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4  1000  -\n"
                     "b         7  two lines\n");
    table_done(&t);
}

Test(table, without_rows_is_its_headings)
{
    static const char *const headings[] = {"A", "B", NULL};
    struct table t;
    table_init(&t, headings);
    expect_table(&t, "A  B\n");
    table_done(&t);
}

Test(nearest, counts_changes_and_swaps)
{
    cr_expect_eq(nearest_distance("publish", "publish"), 0);
    cr_expect_eq(nearest_distance("pubilsh", "publish"), 1);
    cr_expect_eq(nearest_distance("", "abc"), 3);
    cr_expect_eq(nearest_distance("kitten", "sitting"), 3);
    char endless[200];
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    cr_expect_gt(nearest_distance(endless, "x"), 10);
}

Test(nearest, hints_only_at_what_is_near)
{
    static const char *const words[] = {"topic", "group", "publish", "consume", "work"};
    struct nearest near = {.word = "pubish"};
    struct nearest far = {.word = "frobnicate"};
    struct nearest beginning = {.word = "cons"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        nearest_offer(&near, words[i]);
        nearest_offer(&far, words[i]);
        nearest_offer(&beginning, words[i]);
    }
    cr_expect_str_eq(near.best, "publish");
    cr_expect_null(far.best);
    cr_expect_str_eq(beginning.best, "consume");
}
