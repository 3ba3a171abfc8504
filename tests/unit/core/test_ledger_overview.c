/* OVERVIEW: every group in a few numbers, and where a page ends. */
#include "tests/unit/core/as_text.h"
#include "tests/unit/core/ledger_fixture.h"

/* Those with a thousand topics fetch it often: what has nothing to tell takes no room. */
Test(ledger_overview, the_overview_leaves_out_what_is_nothing)
{
    struct fixture f;
    struct look k;
    fixture_init(&f);
    topic_create_groups(&f, "b", "one two");
    topic_create(&f, "a", settings(POLICY_max_attempts, 1, POLICY_dlq_slo_ms, 5000, -1));
    publish(&f, "a", 2);
    assign(&f, "a", "default", 2);
    fail(&f, "a", "default", 1, ATTEMPT_NACKED);
    group_pause(&f, "b", "two", true);
    begin(&k, &f);
    k.v.members = NULL;
    cr_assert_eq(view_overview(&k.v, text(""), 100, &k.b), 0);
    expect(&k.b, "[{topic:\"a\"\ngroup:\"default\"\npublished:2\nin_flight:1\ndead:1\nunattended:1\n"
                 "causes_new:1\noldest_dead:1000000\noldest_unattended:1000000\ndlq_slo_ms:5000} "
                 "{topic:\"b\"\ngroup:\"one\"} {topic:\"b\"\ngroup:\"two\"\npaused:true}]\nno\n\"b\"\n");
    k.b.size = 0;
    k.v.members = three_members;
    cr_assert_eq(view_overview(&k.v, text("aa"), 100, &k.b), 0);
    expect(&k.b, "[{topic:\"b\"\ngroup:\"one\"\nconsumers:3} {topic:\"b\"\ngroup:\"two\"\nconsumers:3\n"
                 "paused:true}]\nno\n\"b\"\n");
    end(&k);
    fixture_done(&f);
}

Test(ledger_overview, a_page_of_the_overview_has_all_groups_of_a_topic_or_none)
{
    static const struct {
        const char *after;
        uint32_t limit;
        const char *want;
    } pages[] = {
        {"", 1, "[{topic:\"a\"\ngroup:\"x\"} {topic:\"a\"\ngroup:\"y\"}]\ntrue\n\"a\"\n"},
        {"", 2, "[{topic:\"a\"\ngroup:\"x\"} {topic:\"a\"\ngroup:\"y\"}]\ntrue\n\"a\"\n"},
        {"a", 1, "[{topic:\"b\"\ngroup:\"default\"}]\nno\n\"b\"\n"},
        {"", 3,
         "[{topic:\"a\"\ngroup:\"x\"} {topic:\"a\"\ngroup:\"y\"} "
         "{topic:\"b\"\ngroup:\"default\"}]\nno\n\"b\"\n"},
        {"b", 3, "[]\nno\nnil\n"},
    };
    struct fixture f;
    struct look k;
    fixture_init(&f);
    topic_create(&f, "b", settings(-1));
    topic_create_groups(&f, "a", "x y");
    begin(&k, &f);
    k.v.members = NULL;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        k.b.size = 0;
        cr_assert_eq(view_overview(&k.v, text(pages[i].after), pages[i].limit, &k.b), 0);
        expect(&k.b, pages[i].want);
    }
    end(&k);
    fixture_done(&f);
}
