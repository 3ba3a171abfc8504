/* target: paths and queries as they come. */
#include "broker/http/target.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void text_of(const char *raw, char to[512])
{
    struct target t;
    const char *why = "";
    int at = 0;
    bool ok = target_read(raw, &t, &why);
    to[0] = '\0';
    for (unsigned i = 0; ok && i < t.segments_count; i++) {
        at += snprintf(to + at, 512 - (size_t)at, "<%.*s>", (int)t.segments[i].size,
                       (const char *)t.segments[i].data);
    }
    for (unsigned i = 0; ok && i < t.pairs_count; i++) {
        at += snprintf(to + at, 512 - (size_t)at, "(%.*s|%.*s)", (int)t.pairs[i].name.size,
                       (const char *)t.pairs[i].name.data, (int)t.pairs[i].value.size,
                       (const char *)t.pairs[i].value.data);
    }
    if (!ok)
        snprintf(to, 512, "%s", why);
    target_done(&t);
}

Test(target, parts_are_split_before_they_are_decoded)
{
    static const struct {
        const char *raw, *text;
    } rows[] = {
        {"/a/b", "<a><b>"},
        {"/a%2Fb/c%2fd", "<a/b><c/d>"},
        {"/a+b%20c", "<a+b c>"},
        {"/%C3%A4", "<\xc3\xa4>"},
        {"/a?x=1&y=", "<a>(x|1)(y|)"},
        {"/a?x=%26%3D+%2B=?&y=1", "<a>(x|&= +=?)(y|1)"},
        {"/a?", "<a>"},
        {"/a?x=1&", "<a>(x|1)"},
    };
    char text[512];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        text_of(rows[i].raw, text);
        cr_assert_str_eq(text, rows[i].text, "%s: %s", rows[i].raw, text);
    }
}

Test(target, what_is_not_valid_is_refused)
{
    static const char *const rows[] = {
        "/",       "//a",        "/a/",     "/%",
        "/%4",     "/%4g",       "/%00",    "/\xff",
        "/%ff",    "/%ed%a0%80", "/a?x",    "/a?=1",
        "/a?x=%0", "/a?%00=1",   "/a?&x=1", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct target t;
        const char *why = NULL;
        cr_assert_not(target_read(rows[i], &t, &why), "%s", rows[i]);
        cr_assert(why && *why);
        target_done(&t);
    }
}
