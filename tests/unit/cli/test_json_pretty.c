/* json_pretty: what is JSON is shown with other white space and nothing else, and what is not is told from it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/json_pretty.h"

/* What it writes, which the caller frees; NULL: it is not JSON. */
static char *pretty(const char *text, size_t bytes)
{
    char *written = NULL;
    size_t size;
    FILE *out = open_memstream(&written, &size);
    bool good = json_pretty(text, bytes, out);
    fclose(out);
    if (good)
        return written;
    free(written);
    return NULL;
}

Test(json_pretty, keeps_numbers_strings_and_order_as_they_were)
{
    static const char *const cases[][2] = {
        {"{}", "{}"},
        {" [ ] \n", "[]"},
        {"[1,-0.5E+3,true,null]", "[\n  1,\n  -0.5E+3,\n  true,\n  null\n]"},
        {"{\"b\":\"\\u00e9\\/\\\"\",\"a\":{\"b\":[]}}",
         "{\n  \"b\": \"\\u00e9\\/\\\"\",\n  \"a\": {\n    \"b\": []\n  }\n}"},
        {"[10000000000000000000000.0]", "[\n  10000000000000000000000.0\n]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *got = pretty(cases[i][0], strlen(cases[i][0]));
        cr_assert_not_null(got, "%s", cases[i][0]);
        cr_expect_str_eq(got, cases[i][1]);
        free(got);
    }
}

Test(json_pretty, refuses_what_the_grammar_does_not_have)
{
    static const char *const cases[] = {
        "",           "1",     "\"a\"", "true",      "[",           "]",
        "{",          "[1,]",  "[,1]",  "[1 2]",     "{\"a\"}",     "{\"a\":}",
        "{\"a\":1,}", "{a:1}", "{1:1}", "['a']",     "[01]",        "[-]",
        "[+1]",       "[1.]",  "[.5]",  "[1e]",      "[1e+]",       "[tru]",
        "[True]",     "[NaN]", "[\"a]", "[\"\\x\"]", "[\"\\u12\"]", "[\"\\u12g4\"]",
        "[\"\n\"]",   "[] []", "[]x",   "{}{}",      "[\"\\",       "{\"a\":1",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_null(pretty(cases[i], strlen(cases[i])), "%s", cases[i]);
    cr_expect_null(pretty("[\0]", 3));
}

Test(json_pretty, reads_as_deep_as_it_says_and_no_deeper)
{
    char text[2 * JSON_DEPTH_MAX + 3];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        char *got = pretty(text, 2 * depth);
        cr_expect_eq(got != NULL, depth == JSON_DEPTH_MAX);
        free(got);
    }
}

Test(json_pretty, stops_at_the_end_of_what_it_was_given)
{
    static const char whole[] = "{\"a\":[true,-1.5e9,\"\\u00e9\"],\"b\":null}";
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        char *copy = malloc(size + !size); /* so that a sanitizer sees a byte too far */
        memcpy(copy, whole, size);
        cr_expect_null(pretty(copy, size), "%zu", size);
        free(copy);
    }
}
