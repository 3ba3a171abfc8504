/* search: every place in rows of every length. */
#include "base/search.h"

#include <criterion/criterion.h>

static int by_number(const void *element, const void *key)
{
    int a = *(const int *)element, b = *(const int *)key;
    return (a > b) - (a < b);
}

Test(search, finds_the_first_that_is_not_before_the_key)
{
    static const int rows[] = {1, 3, 3, 3, 5, 7, 7, 9};
    for (size_t count = 0; count <= sizeof rows / sizeof *rows; count++) {
        for (int key = 0; key <= 10; key++) {
            size_t wanted = 0;
            while (wanted < count && rows[wanted] < key)
                wanted++;
            cr_expect_eq(search_first(rows, count, sizeof *rows, &key, by_number), wanted, "%d of %zu", key,
                         count);
        }
    }
}
