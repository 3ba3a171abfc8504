/* The audit log by shunt_triage.h, against a real shuntd. */
#include "client/shunt_triage.h"

#include "broker.h"
#include "calls.h"
#include <stdio.h>
#include <string.h>

static struct broker broker;
static struct shunt *s;
static struct shunt_error err;

static void setup(void)
{
    struct shunt_options *o = shunt_options_new();
    broker_start(&broker);
    ok(shunt_options_set(o, "client", "ann@desk"));
    ok(shunt_open(broker.url, o, &s, &err));
    shunt_options_free(o);
}

static void teardown(void)
{
    shunt_close(s, 1000);
    broker_stop(&broker);
}

TestSuite(audit, .init = setup, .fini = teardown, .timeout = 60);

/* Of the act at that place of the listing; "-": nil. Lives until the next call. */
static const char *member(const struct shunt_audit_filter *filter, size_t place, const char *key)
{
    static char text[600];
    struct shunt_value *page = NULL;
    ok(shunt_audit_list(s, 0, 0, filter, WAIT_MS, &page, &err));
    const struct shunt_value *row = shunt_value_at(shunt_value_get(page, "rows"), place);
    cr_assert_not_null(row, "no act %zu", place);
    const char *is = shunt_value_text(shunt_value_get(row, key), NULL);
    (void)snprintf(text, sizeof text, "%s", is && *is ? is : "-");
    shunt_value_free(page);
    return text;
}

static size_t count(const struct shunt_audit_filter *filter)
{
    struct shunt_value *page = NULL;
    ok(shunt_audit_list(s, 0, 0, filter, WAIT_MS, &page, &err));
    size_t rows = shunt_value_count(shunt_value_get(page, "rows"));
    shunt_value_free(page);
    return rows;
}

Test(audit, the_reason_goes_with_each_act_until_it_is_said_otherwise)
{
    ok(shunt_topic_create(s, "t", NULL, WAIT_MS, &err));
    ok(shunt_set_reason(s, "ticket 12", &err));
    ok(shunt_group_create(s, "t", "g", NULL, false, WAIT_MS, &err));
    ok(shunt_group_pause(s, "t", "g", WAIT_MS, &err));
    ok(shunt_clock_set(s, WAIT_MS, NULL, &err));
    ok(shunt_set_reason(s, NULL, &err));
    ok(shunt_group_resume(s, "t", "g", WAIT_MS, &err));
    static const char *const reasons[] = {"-", "ticket 12", "ticket 12", "ticket 12", "-"};
    static const char *const acts[] = {"topic_created", "group_created", "group_paused", "clock_set",
                                       "group_resumed"};
    for (size_t i = 0; i < 5; i++) {
        cr_assert_str_eq(member(NULL, i, "reason"), reasons[i]);
        cr_assert_str_eq(member(NULL, i, "act"), acts[i]);
        cr_assert_str_eq(member(NULL, i, "client"), "ann@desk");
    }
    cr_assert_eq(count(NULL), 5);
}

Test(audit, a_reason_is_as_long_as_its_bound_and_no_longer)
{
    char longest[514];
    memset(longest, 'r', sizeof longest);
    longest[513] = 0;
    cr_assert_eq(shunt_set_reason(s, longest, &err), SHUNT_TOO_LARGE);
    cr_assert_not_null(strstr(err.text, "512"));
    longest[512] = 0;
    ok(shunt_set_reason(s, longest, &err));
    ok(shunt_topic_create(s, "t", NULL, WAIT_MS, &err));
    cr_assert_str_eq(member(NULL, 0, "reason"), longest);
    cr_assert_eq(shunt_set_reason(s, "\xff", &err), SHUNT_BAD_ARGUMENT);
    ok(shunt_topic_purge(s, "t", NULL, WAIT_MS, NULL, &err));
    cr_assert_str_eq(member(NULL, 1, "reason"), longest, "what was refused changed nothing");
}

Test(audit, acts_are_found_by_what_they_are)
{
    struct shunt_value *page = NULL;
    ok(shunt_topic_create(s, "t", NULL, WAIT_MS, &err));
    ok(shunt_topic_create(s, "u", NULL, WAIT_MS, &err));
    ok(shunt_topic_delete(s, "t", WAIT_MS, NULL, &err));
    cr_assert_eq(shunt_topic_delete(s, "none", WAIT_MS, NULL, &err), SHUNT_UNKNOWN_TOPIC);
    cr_assert_eq(count(NULL), 3, "what was refused is not there");
    struct shunt_audit_filter f = {.size = sizeof f, .topic = "t"};
    cr_assert_eq(count(&f), 2);
    f.act = "topic_deleted";
    cr_assert_eq(count(&f), 1);
    f = (struct shunt_audit_filter){.size = sizeof f, .since_ms = 1};
    cr_assert_eq(count(&f), 3);
    f = (struct shunt_audit_filter){.size = sizeof f, .until_ms = 1};
    cr_assert_eq(count(&f), 0);
    f = (struct shunt_audit_filter){.size = sizeof f, .act = "nothing"};
    cr_assert_eq(shunt_audit_list(s, 0, 0, &f, WAIT_MS, &page, &err), SHUNT_BAD_ARGUMENT);
    f = (struct shunt_audit_filter){.size = sizeof f, .since_ms = -1};
    cr_assert_eq(shunt_audit_list(s, 0, 0, &f, WAIT_MS, &page, &err), SHUNT_BAD_ARGUMENT);
    ok(shunt_audit_list(s, 0, 2, NULL, WAIT_MS, &page, &err));
    cr_assert(shunt_value_integer(shunt_value_get(page, "more")));
    int64_t next = shunt_value_integer(shunt_value_get(page, "next"));
    shunt_value_free(page);
    ok(shunt_audit_list(s, (uint64_t)next, 2, NULL, WAIT_MS, &page, &err));
    cr_assert_eq(shunt_value_count(shunt_value_get(page, "rows")), 1);
    shunt_value_free(page);
}
