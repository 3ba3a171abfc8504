/* changes: what is kept of what the engine did, and how it is told. */
#include "broker/http/changes.h"

#include "base/clock.h"
#include "broker/engine/engine.h"
#include "broker/http/text.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct event act(const char *name)
{
    return (struct event){.kind = EVENT_ACT, .name = name, .topic = "t", .client = "a \"b\"\n"};
}

/* All behind `*number`, as text that the caller frees. */
static char *read_all(struct changes *c, uint64_t *number)
{
    struct text t = {0};
    uint64_t before;
    do {
        before = *number;
        changes_read(c, number, SIZE_MAX, &t);
    } while (*number != before);
    text_add_bytes(&t, "", 1);
    return t.data;
}

Test(changes, each_is_an_event_with_its_id)
{
    struct changes *c = changes_new();
    struct event event = act("topic_created");
    char id[CHANGES_ID_BYTES], want[256];
    uint64_t number = 0;
    changes_tell(c, &event, 0, 1234);
    changes_id(c, 1, id);
    snprintf(want, sizeof want,
             "id: %s\nevent: topic_created\ndata: {\"time\":1234,\"topic\":\"t\",\"client\":\"a "
             "\\\"b\\\"\\n\"}\n\n",
             id);
    char *text = read_all(c, &number);
    cr_assert_str_eq(text, want, "%s", text);
    cr_assert_eq(number, 1);
    cr_assert_eq(changes_newest(c), 1);
    free(text);
    changes_free(c);
}

Test(changes, those_of_users_roles_and_tokens_are_counted)
{
    struct changes *c = changes_new();
    struct event event = act("topic_created"), access = act("token_revoked");
    access.access = true;
    changes_tell(c, &event, 0, 0);
    cr_assert_eq(changes_of_access(c), 0);
    changes_tell(c, &access, 0, 0);
    cr_assert_eq(changes_of_access(c), 1);
    cr_assert_eq(changes_newest(c), 1, "and not told: not all who follow may look at users");
    changes_free(c);
}

Test(changes, the_oldest_go_and_the_gap_is_told)
{
    struct changes *c = changes_new();
    struct event event = act("group_paused");
    uint64_t number = 3;
    for (unsigned i = 0; i < CHANGES_MAX; i++)
        changes_tell(c, &event, 0, 0);
    cr_assert_eq(changes_missed(c, &number), 0, "as many as there may be are kept");
    for (unsigned i = 0; i < 10; i++)
        changes_tell(c, &event, 0, 0);
    number = 3;
    struct text t = {0};
    changes_read(c, &number, SIZE_MAX, &t);
    cr_assert_eq(t.size, 0, "nothing is sent over a gap that was not told");
    cr_assert_eq(changes_missed(c, &number), 7);
    cr_assert_eq(number, 10);
    cr_assert_eq(changes_missed(c, &number), 0);
    changes_read(c, &number, 1, &t);
    cr_assert_eq(number, 11, "up to about so many bytes");
    text_done(&t);
    changes_free(c);
}

Test(changes, they_are_bounded_in_bytes_too)
{
    struct changes *c = changes_new();
    char *large = malloc(10001);
    memset(large, 'x', 10000);
    large[10000] = '\0';
    struct event event = act("topic_updated");
    event.asked = large;
    uint64_t number = 0;
    for (unsigned i = 0; i < 100; i++)
        changes_tell(c, &event, 0, 0);
    uint64_t missed = changes_missed(c, &number);
    cr_assert_geq(missed, 100 - CHANGES_BYTES_MAX / 10000);
    cr_assert_lt(missed, 60);
    free(large);
    changes_free(c);
}

Test(changes, deaths_are_gathered_and_keep_their_place)
{
    struct changes *c = changes_new();
    struct event dead = {
        .kind = EVENT_DEAD, .topic = "t", .group = "g", .count = 2, .seq = 7, .reason = DEAD_REJECTED};
    struct event other = act("topic_deleted");
    uint64_t number = 0;
    changes_tell(c, &dead, 0, 0);
    cr_assert_eq(changes_newest(c), 1, "the first are told at once");
    changes_tell(c, &dead, 10, 0);
    dead.seq = 9;
    changes_tell(c, &dead, 20, 0);
    cr_assert_eq(changes_newest(c), 1);
    cr_assert_eq(changes_gathered(c, CHANGES_DEATHS_MS - 1, 0), CHANGES_DEATHS_MS);
    cr_assert_eq(changes_gathered(c, CHANGES_DEATHS_MS, 0), CLOCK_NEVER);
    changes_tell(c, &dead, CHANGES_DEATHS_MS + 1, 0);
    changes_tell(c, &other, CHANGES_DEATHS_MS + 2, 0);
    char *text = read_all(c, &number);
    const char *first = strstr(text, "\"count\":2,\"newest\":\"t/7\",\"reason\":\"rejected\"");
    const char *second = strstr(text, "\"count\":4,\"newest\":\"t/9\"");
    const char *third = second ? strstr(second + 1, "\"count\":2,\"newest\":\"t/9\"") : NULL;
    cr_assert(first && second && third && first < second, "%s", text);
    cr_assert(strstr(third, "topic_deleted"), "deaths before the deletion are told before it: %s", text);
    cr_assert_eq(number, 4);
    free(text);
    changes_free(c);
}

Test(changes, deaths_of_more_groups_than_are_gathered_are_one_sum)
{
    struct changes *c = changes_new();
    char group[16];
    struct event dead = {.kind = EVENT_DEAD, .topic = "t", .group = group, .count = 1};
    uint64_t number = 0;
    strcpy(group, "first");
    changes_tell(c, &dead, 0, 0);
    for (unsigned i = 0; i < CHANGES_GROUPS_MAX + 5; i++) {
        snprintf(group, sizeof group, "g%u", i);
        changes_tell(c, &dead, 1, 0);
    }
    (void)changes_gathered(c, CHANGES_DEATHS_MS, 0);
    cr_assert_eq(changes_newest(c), 1 + CHANGES_GROUPS_MAX + 1);
    char *text = read_all(c, &number);
    cr_assert(strstr(text, "data: {\"time\":0,\"count\":5}"), "%s", text);
    free(text);
    changes_free(c);
}

Test(changes, an_id_names_its_start)
{
    struct changes *c = changes_new(), *d = changes_new();
    char id[CHANGES_ID_BYTES];
    uint64_t number = 9;
    changes_id(c, 77, id);
    cr_assert_eq(changes_id_read(c, id, &number), CHANGES_ID_GOOD);
    cr_assert_eq(number, 77);
    cr_assert_eq(changes_id_read(d, id, &number), CHANGES_ID_OF_ANOTHER_START);
    static const char *const bad[] = {"",
                                      "-",
                                      "7",
                                      "0123456789abcdef",
                                      "0123456789abcdef-",
                                      "0123456789abcdef-x",
                                      "0123456789abcdef-1x",
                                      "0123456789abcdeg-1",
                                      "0123456789ABCDEF-1",
                                      "0123456789abcdef-9999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(changes_id_read(c, bad[i], &number), CHANGES_ID_BAD, "%s", bad[i]);
    changes_free(c);
    changes_free(d);
}
