/* slice: how bytes compare. */
#include "base/slice.h"

#include <criterion/criterion.h>

Test(slice, of_a_text_has_no_terminator_and_of_none_is_empty)
{
    cr_expect_eq(slice_of("abc").size, 3);
    cr_expect_eq(slice_of("").size, 0);
    cr_expect_eq(slice_of(NULL).size, 0);
}

Test(slice, is_equal_byte_for_byte)
{
    cr_expect(slice_equal(slice_of("ab"), (struct slice){"abc", 2}));
    cr_expect(slice_equal((struct slice){NULL, 0}, slice_of("")), "no byte is read of what is empty");
    cr_expect_not(slice_equal(slice_of("ab"), slice_of("ac")));
    cr_expect(slice_is((struct slice){"abc", 2}, "ab"));
    cr_expect_not(slice_is(slice_of("ab"), "abc"));
    cr_expect_not(slice_equal(slice_of("ab"), slice_of("abc")));
    cr_expect(slice_equal((struct slice){"a\0b", 3}, (struct slice){"a\0b", 3}));
    cr_expect_not(slice_equal((struct slice){"a\0b", 3}, (struct slice){"a\0c", 3}));
}

Test(slice, order_is_that_of_unsigned_bytes_and_a_beginning_comes_first)
{
    static const char *const rows[] = {"", "a", "aa", "ab", "b", "\x7f", "\x80", "\xff"};
    size_t count = sizeof rows / sizeof *rows;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int order = slice_compare(slice_of(rows[i]), slice_of(rows[j]));
            cr_expect_eq((order > 0) - (order < 0), (i > j) - (i < j), "%zu and %zu", i, j);
        }
    }
}
