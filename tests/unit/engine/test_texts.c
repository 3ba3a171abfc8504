/* test_texts: what an error says of the thing it is about. */
#include "base/utf8.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "proto/errors.h"
#include "tests/unit/engine/world.h"
#include <criterion/criterion.h>
#include <string.h>

enum { MOST = 101 };

Test(texts, an_error_names_the_topic_and_group_that_are_missing)
{
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20});
    cr_assert_str_eq(engine_about(w.engine, SHUNT_UNKNOWN_TOPIC, slice_of("t"), slice_of("g"), HINT_MISSING),
                     "`t`; check the name, or create it");
    cr_assert_str_eq(engine_about(w.engine, SHUNT_UNKNOWN_GROUP, slice_of("t"), slice_of("g"), HINT_DELETED),
                     "`g` of topic `t`, which was deleted");
    cr_assert_str_eq(engine_about(w.engine, SHUNT_GROUP_EXISTS, slice_of("t"), slice_of("g"), HINT_MISSING),
                     "`g` of topic `t`");
    cr_assert_null(engine_about(w.engine, SHUNT_STALE, slice_of("t"), slice_of("g"), HINT_MISSING));
    world_stop(&w);
}

Test(texts, a_name_from_the_wire_is_cut_and_can_command_no_terminal_and_no_log)
{
    static const struct {
        const char *name, *shown;
    } rows[] = {{"orders", "`orders`"},
                {"", "``"},
                {"a\x1b[31mb", "`a?[31mb`"},
                {"a\nerror: b\t\r", "`a?error: b??`"},
                {"\xff\xc3.\xc3\xa4", "`?"
                                      "?.\xc3\xa4`"},
                {"\xc2\x9b", "`??`"}};
    char longest[1000], longer[1000];
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_str_eq(engine_name(w.engine, slice_of(rows[i].name), MOST), rows[i].shown, "%zu", i);
    memset(longest, 'x', sizeof longest);
    memset(longer, 0xc3, sizeof longer);
    for (size_t i = 1; i < sizeof longer; i += 2)
        longer[i] = (char)0xa4;
    cr_assert_eq(strlen(engine_name(w.engine, (struct slice){longest, MOST}, MOST)), MOST + 2, "whole");
    const char *shown = engine_name(w.engine, (struct slice){longest, MOST + 1}, MOST);
    cr_assert_eq(strlen(shown), MOST + strlen("`…`"));
    cr_assert_not_null(strstr(shown, "x…`"));
    shown = engine_name(w.engine, (struct slice){longer, sizeof longer}, MOST);
    cr_assert(utf8_valid(shown, strlen(shown)) && !strchr(shown, '?'), "%s: no sequence is cut", shown);
    /* What it becomes a part of is not cut again. */
    shown = engine_about(w.engine, SHUNT_UNKNOWN_GROUP, (struct slice){longest, sizeof longest},
                         (struct slice){longest, sizeof longest}, HINT_MISSING);
    cr_assert_not_null(strstr(shown, HINT_MISSING));
    cr_assert_lt(strlen(shown), 400);
    world_stop(&w);
}
