/* table, nearest: what people see. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/nearest.h"
#include "cli/table.h"

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
