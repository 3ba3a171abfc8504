/* What callers of shunt_triage.h hand over: old and new structs, texts, filters. */
#include "client/driving/given.h"
#include <criterion/criterion.h>
#include <string.h>

/* A struct as this library knows it, one from before `b`, and one with a member more. */
struct known {
    size_t size;
    const char *a, *b;
};
struct older {
    size_t size;
    const char *a;
};
struct newer {
    struct known known;
    const char *c;
};

static int take(const void *from, struct known *ret)
{
    struct shunt_error err;
    memset(ret, 0xAA, sizeof *ret);
    return given_struct(ret, sizeof *ret, from, &err);
}

Test(given, an_older_struct_has_nothing_where_later_members_are)
{
    struct known got;
    struct older older = {sizeof older, "a"};
    cr_assert_eq(take(&older, &got), 0);
    cr_assert_str_eq(got.a, "a");
    cr_assert_null(got.b);
}

Test(given, a_newer_struct_is_taken_if_what_is_new_is_not_given)
{
    struct known got;
    struct newer newer = {{sizeof newer, "a", "b"}, NULL};
    cr_assert_eq(take(&newer, &got), 0);
    cr_assert_str_eq(got.b, "b");
    newer.c = "c";
    cr_assert_eq(take(&newer, &got), SHUNT_UNSUPPORTED);
}

Test(given, a_struct_without_its_size_is_refused)
{
    struct known got, none = {0}, wild = {.size = SIZE_MAX};
    cr_assert_eq(take(&none, &got), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(take(&wild, &got), SHUNT_BAD_ARGUMENT);
}

Test(given, a_filter_is_carried_over_member_by_member)
{
    struct shunt_error err;
    struct dead_filter got;
    const struct shunt_dlq_filter all = {sizeof all, "c", "r", "t", "m", 7, "h", "\xff", 1, "\0k", 2};
    cr_assert_eq(given_filter(&all, &got, &err), 0);
    cr_assert(slice_is(got.cause, "c") && slice_is(got.reason, "r") && slice_is(got.type, "t"));
    cr_assert(slice_is(got.match, "m") && got.since == 7 && slice_is(got.header.name, "h"));
    cr_assert(slice_is(got.header.value, "\xff"));
    cr_assert(slice_equal(got.key, (struct slice){"\0k", 2}));
    cr_assert_eq(given_filter(NULL, &got, &err), 0);
    cr_assert(!got.cause.data && !got.reason.data && !got.type.data && !got.match.data && !got.since);
    cr_assert(!got.header.name.data && !got.key.data);
}

Test(given, a_filter_that_is_empty_or_no_text_is_refused_and_does_not_mean_all)
{
    struct shunt_error err;
    struct dead_filter got;
    struct shunt_dlq_filter f = {.size = sizeof f};
    const char **texts[] = {&f.cause, &f.reason, &f.type, &f.match, &f.header};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = "";
        cr_assert_eq(given_filter(&f, &got, &err), SHUNT_BAD_ARGUMENT, "%zu", i);
        *texts[i] = "\xff";
        cr_assert_eq(given_filter(&f, &got, &err), SHUNT_BAD_ARGUMENT, "%zu", i);
        *texts[i] = NULL;
    }
    f.key = "";
    cr_assert_eq(given_filter(&f, &got, &err), SHUNT_BAD_ARGUMENT);
    f.key = NULL;
    f.since_ms = -1;
    cr_assert_eq(given_filter(&f, &got, &err), SHUNT_BAD_ARGUMENT);
}
