/* trail: an hour of points, what is not known among them, and how many groups are followed. */
#include "broker/http/trail.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS 1700000000000

static struct snapshot_group row(const char *topic, const char *group, int64_t oldest_ms)
{
    struct snapshot_group g = {.oldest_unattended_ms = oldest_ms};
    snprintf(g.topic, sizeof g.topic, "%s", topic);
    snprintf(g.group, sizeof g.group, "%s", group);
    return g;
}

static void note(struct trail *t, int64_t wall_ms, struct snapshot_group *rows, size_t count)
{
    struct snapshot s = {.rows = rows, .rows_count = count};
    trail_note(t, &s, wall_ms);
}

static void expect(const struct trail *t, const char *want)
{
    struct text text = {0};
    trail_write(t, &text);
    cr_assert(!text.failed && text.size == strlen(want) && memcmp(text.data, want, text.size) == 0,
              "expected %s, got %.*s", want, (int)text.size, text.data);
    text_done(&text);
}

Test(trail, before_the_first_point_it_says_that_it_knows_nothing)
{
    struct trail t = {0};
    expect(&t, "{\"every_ms\":60000,\"points\":0,\"until\":null,\"left_out\":0,\"groups\":[]}\n");
    trail_done(&t);
}

Test(trail, a_group_has_a_point_for_each_minute_also_for_those_before_it_had_any)
{
    struct trail t = {0};
    struct snapshot_group rows[] = {row("b", "g", NOW_MS - 90000), row("a", "h", NOW_MS), row("a", "g", 0)};
    note(&t, NOW_MS - 60000, NULL, 0);
    note(&t, NOW_MS, rows, 3);
    trail_note(&t, NULL, NOW_MS + 60000);
    rows[0].oldest_unattended_ms = 0; /* somebody has looked */
    note(&t, NOW_MS + 120000, rows, 2);
    expect(&t, "{\"every_ms\":60000,\"points\":4,\"until\":1700000120000,\"left_out\":0,\"groups\":["
               "{\"topic\":\"a\",\"group\":\"h\",\"age_ms\":[0,1000,null,120000]},"
               "{\"topic\":\"b\",\"group\":\"g\",\"age_ms\":[0,90000,null,0]}]}\n");
    trail_done(&t);
}

Test(trail, names_are_written_as_json)
{
    struct trail t = {0};
    struct snapshot_group g = row("a\"b\\", "\xff", NOW_MS - 1000);
    note(&t, NOW_MS, &g, 1);
    expect(&t, "{\"every_ms\":60000,\"points\":1,\"until\":1700000000000,\"left_out\":0,\"groups\":["
               "{\"topic\":\"a\\\"b\\\\\",\"group\":\"\\ufffd\",\"age_ms\":[1000]}]}\n");
    trail_done(&t);
}

Test(trail, an_hour_is_kept_and_a_group_is_followed_as_long_as_it_had_any_in_it)
{
    struct trail t = {0};
    struct snapshot_group g = row("t", "g", NOW_MS - 5000);
    note(&t, NOW_MS, &g, 1);
    for (int i = 1; i < TRAIL_POINTS; i++)
        note(&t, NOW_MS + i, NULL, 0);
    cr_assert_eq(t.groups_count, 1);
    struct text text = {0};
    trail_write(&t, &text);
    cr_assert(memmem(text.data, text.size, "\"points\":60,", 12));
    cr_assert(memmem(text.data, text.size, "[5000,0,", 8), "the oldest comes first");
    text_done(&text);
    note(&t, NOW_MS + TRAIL_POINTS, NULL, 0);
    cr_assert_eq(t.groups_count, 0);
    trail_done(&t);
}

Test(trail, ages_that_no_number_holds_are_the_largest)
{
    struct trail t = {0};
    struct snapshot_group rows[] = {row("a", "g", 1), row("b", "g", NOW_MS + 5000)};
    note(&t, INT64_MAX, rows, 2);
    cr_assert_eq(t.groups[0]->age_s[0], UINT32_MAX);
    note(&t, NOW_MS, rows, 2); /* the clock went back */
    cr_assert_eq(t.groups[1]->age_s[1], 1, "there is one, whatever its age is");
    trail_done(&t);
}

Test(trail, the_most_groups_are_followed_and_one_more_waits_for_a_place)
{
    struct trail t = {0};
    struct snapshot_group *rows = calloc(TRAIL_GROUPS_MAX + 1, sizeof *rows);
    for (int i = 0; i <= TRAIL_GROUPS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%05d", i);
        rows[i] = row(name, "g", NOW_MS - 1000);
    }
    note(&t, NOW_MS, rows, TRAIL_GROUPS_MAX);
    cr_assert_eq(t.groups_count, TRAIL_GROUPS_MAX);
    cr_assert_eq(t.left_out, 0);
    note(&t, NOW_MS, rows, TRAIL_GROUPS_MAX + 1);
    cr_assert_eq(t.groups_count, TRAIL_GROUPS_MAX);
    cr_assert_eq(t.left_out, 1);
    for (int i = 0; i < TRAIL_POINTS - 1; i++)
        note(&t, NOW_MS, rows + 1, TRAIL_GROUPS_MAX); /* the first has none any more */
    cr_assert_eq(t.left_out, 1);
    note(&t, NOW_MS, rows + 1, TRAIL_GROUPS_MAX);
    cr_assert_eq(t.groups_count, TRAIL_GROUPS_MAX);
    cr_assert_eq(t.left_out, 0);
    cr_assert_str_eq(t.groups[TRAIL_GROUPS_MAX - 1]->topic, rows[TRAIL_GROUPS_MAX].topic);
    trail_done(&t);
    free(rows);
}
