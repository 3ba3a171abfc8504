/* list: joining at the end and in the middle, and leaving from anywhere. */
#include "base/list.h"

#include <criterion/criterion.h>
#include <signal.h>

struct element {
    char name;
    struct element *next;
    struct element *prev;
};

struct row {
    struct element *head;
    struct element *tail;
    size_t count;
};

static void expect(const struct row *row, const char *wanted)
{
    size_t count = 0;
    const struct element *last = NULL;
    for (const struct element *e = row->head; e; last = e, e = e->next) {
        cr_assert_eq(e->name, wanted[count++]);
        cr_assert_eq(e->prev, last);
    }
    cr_assert_eq(wanted[count], '\0');
    cr_assert_eq(row->count, count);
    cr_assert_eq(row->tail, last);
}

Test(list, keeps_its_ends_and_its_count)
{
    struct row row = {0};
    struct element a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
    expect(&row, "");
    list_append(&row, &a);
    expect(&row, "a");
    list_append(&row, &c);
    list_insert_before(&row, &b, &c);
    expect(&row, "abc");
    list_remove(&row, &b);
    expect(&row, "ac");
    list_insert_before(&row, &b, &a);
    expect(&row, "bac");
    list_remove(&row, &c);
    expect(&row, "ba");
    list_remove(&row, &b);
    expect(&row, "a");
    list_remove(&row, &a);
    expect(&row, "");
}

Test(list, nothing_leaves_an_empty_list, .signal = SIGABRT)
{
    struct row row = {0};
    struct element a = {.name = 'a'};
    list_append(&row, &a);
    list_remove(&row, &a);
    list_remove(&row, &a);
}
