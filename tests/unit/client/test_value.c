/* Trees of values. */
#include "client/wire/value.h"
#include <criterion/criterion.h>
#include <string.h>

static struct shunt_value *build(struct mpack_buffer *b)
{
    struct shunt_value *v = NULL;
    cr_assert_eq(value_build((struct slice){b->data, b->size}, &v), 0);
    mpack_buffer_done(b);
    return v;
}

Test(value, a_tree_is_read_as_it_was_written)
{
    struct mpack_buffer b = {0};
    mpack_write_map(&b, 4);
    mpack_write_cstr(&b, "list");
    mpack_write_array(&b, 3);
    mpack_write_int(&b, -5);
    mpack_write_array(&b, 0);
    mpack_write_bin(&b, "\0x", 2);
    mpack_write_cstr(&b, "text");
    mpack_write_cstr(&b, "hello");
    mpack_write_cstr(&b, "yes");
    mpack_write_bool(&b, true);
    mpack_write_cstr(&b, "nothing");
    mpack_write_nil(&b);
    struct shunt_value *v = build(&b);
    cr_assert_eq(shunt_value_type(v), SHUNT_MAP);
    cr_assert_eq(shunt_value_count(v), 4);
    cr_assert_str_eq(shunt_value_key_at(v, 0), "list");
    cr_assert_null(shunt_value_key_at(v, 4));
    const struct shunt_value *list = shunt_value_get(v, "list");
    cr_assert_eq(shunt_value_type(list), SHUNT_LIST);
    cr_assert_eq(shunt_value_count(list), 3);
    cr_assert_eq(shunt_value_integer(shunt_value_at(list, 0)), -5);
    cr_assert_eq(shunt_value_count(shunt_value_at(list, 1)), 0);
    cr_assert_eq(shunt_value_type(shunt_value_at(list, 2)), SHUNT_BYTES);
    size_t size;
    cr_assert_arr_eq(shunt_value_text(shunt_value_at(list, 2), &size), "\0x", 3, "terminated");
    cr_assert_eq(size, 2);
    cr_assert_null(shunt_value_at(list, 3));
    cr_assert_str_eq(shunt_value_text(shunt_value_get(v, "text"), NULL), "hello");
    cr_assert_eq(shunt_value_integer(shunt_value_get(v, "yes")), 1);
    cr_assert_eq(shunt_value_type(shunt_value_get(v, "nothing")), SHUNT_NIL);
    shunt_value_free(v);
}

Test(value, what_is_not_there_is_empty)
{
    cr_assert_eq(shunt_value_type(NULL), SHUNT_NIL);
    cr_assert_eq(shunt_value_integer(NULL), 0);
    cr_assert_str_eq(shunt_value_text(NULL, NULL), "");
    cr_assert_eq(shunt_value_count(NULL), 0);
    cr_assert_null(shunt_value_at(NULL, 0));
    cr_assert_null(shunt_value_get(NULL, "x"));
    shunt_value_free(NULL);
}

Test(value, large_numbers_saturate)
{
    struct mpack_buffer b = {0};
    mpack_write_uint(&b, UINT64_MAX);
    struct shunt_value *v = build(&b);
    cr_assert_eq(shunt_value_type(v), SHUNT_INTEGER);
    cr_assert_eq(shunt_value_integer(v), INT64_MAX);
    shunt_value_free(v);
}

Test(value, a_name_that_is_no_text_is_refused)
{
    struct shunt_value *v;
    cr_assert_eq(value_build((struct slice){"\x81\x01\x02", 3}, &v), SHUNT_PROTOCOL);
}
