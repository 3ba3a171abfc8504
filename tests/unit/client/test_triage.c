/* shunt_triage.h against a real shuntd: dead letters are found by what they are, and causes are listed, shown, attended to
 * and decided about. */
#include "client/shunt_triage.h"

#include "broker.h"
#include "calls.h"
#include <string.h>

static struct broker broker;
static struct shunt *s;
static struct shunt_error err;

static void setup(void)
{
    struct shunt_options *o = shunt_options_new();
    broker_start(&broker);
    ok(shunt_open(broker.url, NULL, &s, &err));
    ok(shunt_options_set(o, "max-attempts", "1"));
    ok(shunt_topic_create(s, "orders", o, WAIT_MS, &err));
    shunt_options_free(o);
}

static void teardown(void)
{
    shunt_close(s, 1000);
    broker_stop(&broker);
}

TestSuite(triage, .init = setup, .fini = teardown, .timeout = 60);

/* A message with this header and key dies of this error. */
static void die(const char *kind, const char *key, const char *type, const char *message)
{
    const struct shunt_failure failure = {.type = type, .message = message};
    struct shunt_message *m = shunt_message_new();
    struct shunt_consumer *c = NULL;
    struct shunt_delivery *d = NULL;
    ok(shunt_message_header(m, "kind", kind, strlen(kind)));
    ok(shunt_message_key(m, key, strlen(key)));
    ok(shunt_publish(s, "orders", m, WAIT_MS, NULL, &err));
    shunt_message_free(m);
    ok(shunt_subscribe(s, "orders", NULL, NULL, WAIT_MS, &c, &err));
    ok(shunt_next(c, WAIT_MS, &d, &err));
    ok(shunt_reject(d, &failure, WAIT_MS, &err));
    shunt_unsubscribe(c, WAIT_MS);
}

static const char *text(const struct shunt_value *v, const char *key)
{
    return shunt_value_text(shunt_value_get(v, key), NULL);
}

static int64_t number(const struct shunt_value *v, const char *key)
{
    return shunt_value_integer(shunt_value_get(v, key));
}

/* How many letters the filter names; *ret_origin is that of the first. */
static size_t found(const struct shunt_dlq_filter *filter, char *ret_origin)
{
    struct shunt_value *page = NULL;
    uint64_t after = 0;
    size_t count = 0;
    for (bool more = true; more;) {
        ok(shunt_dlq_find(s, "orders", NULL, after, 2, filter, WAIT_MS, &page, &err));
        const struct shunt_value *rows = shunt_value_get(page, "rows");
        if (count == 0 && ret_origin && shunt_value_count(rows))
            strcpy(ret_origin, text(shunt_value_at(rows, 0), "origin"));
        count += shunt_value_count(rows);
        more = number(page, "more") != 0;
        after = (uint64_t)number(page, "next");
        shunt_value_free(page);
    }
    return count;
}

static struct shunt_value *causes(void)
{
    struct shunt_value *v = NULL;
    ok(shunt_dlq_causes(s, "orders", NULL, WAIT_MS, &v, &err));
    return v;
}

Test(triage, letters_are_found_by_what_they_are)
{
    char origin[300] = "";
    struct shunt_dlq_filter f = {.size = sizeof f};
    die("a", "k1", "late", "order 1 is late");
    die("b", "k2", "lost", "order 2 is lost");
    die("a", "k3", "late", "order 3 is late");
    cr_assert_eq(found(NULL, NULL), 3);
    cr_assert_eq(found(&f, NULL), 3);
    f.type = "late";
    cr_assert_eq(found(&f, origin), 2);
    cr_assert_str_eq(origin, "orders/1");
    f.match = "order 3";
    cr_assert_eq(found(&f, origin), 1, "all that is given holds");
    cr_assert_str_eq(origin, "orders/3");
    f = (struct shunt_dlq_filter){
        .size = sizeof f, .header = "kind", .header_value = "b", .header_value_bytes = 1};
    cr_assert_eq(found(&f, origin), 1);
    cr_assert_str_eq(origin, "orders/2");
    f = (struct shunt_dlq_filter){.size = sizeof f, .key = "k3", .key_bytes = 2};
    cr_assert_eq(found(&f, origin), 1);
    cr_assert_str_eq(origin, "orders/3");
    f = (struct shunt_dlq_filter){.size = sizeof f, .reason = "max_attempts"};
    cr_assert_eq(found(&f, NULL), 0);
    f = (struct shunt_dlq_filter){.size = sizeof f, .since_ms = INT64_MAX};
    cr_assert_eq(found(&f, NULL), 0);
    struct shunt_value *v = causes(), *page = NULL;
    f = (struct shunt_dlq_filter){.size = sizeof f, .cause = text(shunt_value_at(v, 0), "cause")};
    cr_assert_eq(found(&f, origin), 2, "the cause with the most letters comes first");
    cr_assert_str_eq(origin, "orders/1");
    shunt_value_free(v);
    f.cause = "no fingerprint";
    cr_assert_eq(shunt_dlq_find(s, "orders", NULL, 0, 2, &f, WAIT_MS, &page, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_null(page);
}

Test(triage, a_cause_is_listed_and_shown_with_what_is_known_of_it)
{
    struct shunt_value *v = NULL;
    die("a", "k", "late", "order 17 is late");
    die("a", "k", "late", "order 4711 is late");
    struct shunt_value *list = causes();
    cr_assert_eq(shunt_value_count(list), 1);
    const struct shunt_value *c = shunt_value_at(list, 0);
    cr_assert_eq(number(c, "count"), 2);
    cr_assert_str_eq(text(c, "state"), "new");
    ok(shunt_dlq_cause(s, "orders", "default", text(c, "cause"), WAIT_MS, &v, &err));
    cr_assert_str_eq(text(v, "title"), text(c, "title"));
    cr_assert_str_eq(text(shunt_value_get(v, "example"), "error_message"), "order 17 is late");
    int64_t hours = 0;
    for (size_t i = 0; i < shunt_value_count(shunt_value_get(v, "hours")); i++)
        hours += shunt_value_integer(shunt_value_at(shunt_value_get(v, "hours"), i));
    cr_assert_eq(hours, 2);
    shunt_value_free(v);
    shunt_value_free(list);
    v = NULL;
    cr_assert_eq(shunt_dlq_cause(s, "orders", NULL, "00000000000000ff", WAIT_MS, &v, &err), SHUNT_NOT_FOUND);
    cr_assert_eq(shunt_dlq_cause(s, "orders", NULL, "ff", WAIT_MS, &v, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_null(v);
}

Test(triage, to_look_is_told_and_to_decide_is_noted)
{
    const char *const ids[] = {"orders/1", "orders/99"};
    uint64_t count = 0;
    char cause[17];
    die("a", "k", "late", "order 1 is late");
    die("a", "k", "late", "order 2 is late");
    struct shunt_value *v = causes();
    strcpy(cause, text(shunt_value_at(v, 0), "cause"));
    shunt_value_free(v);
    ok(shunt_dlq_attend(s, "orders", NULL, NULL, ids, 2, WAIT_MS, &count, &err));
    cr_assert_eq(count, 1);
    ok(shunt_dlq_find(s, "orders", NULL, 0, 10, NULL, WAIT_MS, &v, &err));
    cr_assert_eq(number(shunt_value_at(shunt_value_get(v, "rows"), 0), "attended"), 1);
    cr_assert_eq(number(shunt_value_at(shunt_value_get(v, "rows"), 1), "attended"), 0);
    shunt_value_free(v);
    ok(shunt_dlq_attend(s, "orders", NULL, cause, NULL, 0, WAIT_MS, NULL, &err));
    v = causes();
    cr_assert_str_eq(text(shunt_value_at(v, 0), "state"), "seen");
    cr_assert_eq(number(shunt_value_at(v, 0), "unattended"), 0);
    shunt_value_free(v);
    struct shunt_cause_change change = {
        .size = sizeof change, .state = "muted", .owner = "ann", .note = "known"};
    ok(shunt_cause_update(s, "orders", NULL, cause, &change, WAIT_MS, &count, &err));
    cr_assert_eq(count, 2);
    change = (struct shunt_cause_change){.size = sizeof change, .note = ""};
    ok(shunt_cause_update(s, "orders", NULL, cause, &change, WAIT_MS, NULL, &err));
    v = causes();
    cr_assert_str_eq(text(shunt_value_at(v, 0), "state"), "muted");
    cr_assert_str_eq(text(shunt_value_at(v, 0), "owner"), "ann");
    cr_assert_eq(shunt_value_type(shunt_value_get(shunt_value_at(v, 0), "note")), SHUNT_NIL);
    shunt_value_free(v);
}

Test(triage, a_failure_may_name_its_fault_itself)
{
    const struct shunt_failure failures[] = {{.type = "A", .message = "a", .fingerprint = "no-customer"},
                                             {.type = "B", .message = "b", .fingerprint = "no-customer"}};
    struct shunt_consumer *c = NULL;
    ok(shunt_subscribe(s, "orders", NULL, NULL, WAIT_MS, &c, &err));
    for (int i = 0; i < 2; i++) {
        struct shunt_message *m = shunt_message_new();
        struct shunt_delivery *d = NULL;
        ok(shunt_publish(s, "orders", m, WAIT_MS, NULL, &err));
        shunt_message_free(m);
        ok(shunt_next(c, WAIT_MS, &d, &err));
        ok(shunt_reject(d, &failures[i], WAIT_MS, &err));
    }
    struct shunt_value *v = causes();
    cr_assert_eq(shunt_value_count(v), 1);
    cr_assert_str_eq(text(shunt_value_at(v, 0), "title"), "no-customer");
    shunt_value_free(v);
    shunt_unsubscribe(c, WAIT_MS);
}

Test(triage, letters_go_back_by_a_filter_with_a_canary_and_the_job_waits_and_goes_on)
{
    const uint32_t max_fail = 50;
    const struct shunt_dlq_filter late = {.size = sizeof late, .type = "late"};
    struct shunt_redrive how = {.size = sizeof how,
                                .count = SHUNT_ALL,
                                .filter = &late,
                                .canary = 1,
                                .max_fail = &max_fail,
                                .spread_ms = 10};
    uint64_t job = 0, count = 0;
    struct shunt_value *v = NULL;
    die("a", "k", "late", "order 1 is late");
    die("a", "k", "lost", "order 2 is lost");
    die("a", "k", "late", "order 3 is late");
    ok(shunt_dlq_redrive_as(s, "orders", NULL, &how, WAIT_MS, &job, &count, &err));
    cr_assert(job && count == 3, "so many at most");
    ok(shunt_job_pause(s, job, WAIT_MS, &err));
    ok(shunt_job_list(s, job - 1, 10, WAIT_MS, &v, &err));
    const struct shunt_value *row = shunt_value_at(shunt_value_get(v, "rows"), 0);
    cr_assert_str_eq(text(row, "phase"), "paused");
    cr_assert_eq(number(row, "max_fail"), 50);
    cr_assert_eq(number(shunt_value_get(row, "outcomes"), "pending"), 1);
    shunt_value_free(v);
    cr_assert_eq(shunt_dlq_purge_as(s, "orders", NULL, SHUNT_ALL, &late, WAIT_MS, NULL, NULL, &err),
                 SHUNT_TOO_MANY);
    ok(shunt_job_resume(s, job, WAIT_MS, &err));
    ok(shunt_job_cancel(s, job, WAIT_MS, &err));
    cr_assert_eq(shunt_job_resume(s, job, WAIT_MS, &err), SHUNT_BAD_ARGUMENT);
    ok(shunt_dlq_purge_as(s, "orders", NULL, SHUNT_ALL, &late, WAIT_MS, &job, NULL, &err));
    ok(shunt_job_wait(s, job, WAIT_MS, &err));
    cr_assert_eq(found(NULL, NULL), 1);
    const char *const ids[] = {"orders/2"};
    how.ids = ids;
    how.ids_count = 1;
    cr_assert_eq(shunt_dlq_redrive_as(s, "orders", NULL, &how, WAIT_MS, NULL, NULL, &err),
                 SHUNT_BAD_ARGUMENT);
    how.filter = NULL;
    how.spread_ms = -1;
    cr_assert_eq(shunt_dlq_redrive_as(s, "orders", NULL, &how, WAIT_MS, NULL, NULL, &err),
                 SHUNT_BAD_ARGUMENT);
}

Test(triage, what_cannot_be_meant_is_refused)
{
    char large[514];
    struct shunt_cause_change change = {.size = sizeof change, .state = "regressed"};
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    die("a", "k", "late", "order 1 is late");
    struct shunt_value *v = causes();
    const char *cause = text(shunt_value_at(v, 0), "cause");
    cr_assert_eq(shunt_cause_update(s, "orders", NULL, cause, &change, WAIT_MS, NULL, &err),
                 SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_cause_update(s, "orders", NULL, cause, NULL, WAIT_MS, NULL, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_cause_update(s, "orders", NULL, NULL, &change, WAIT_MS, NULL, &err),
                 SHUNT_BAD_ARGUMENT);
    change = (struct shunt_cause_change){.size = sizeof change, .note = large + 1};
    ok(shunt_cause_update(s, "orders", NULL, cause, &change, WAIT_MS, NULL, &err));
    change.note = large;
    cr_assert_eq(shunt_cause_update(s, "orders", NULL, cause, &change, WAIT_MS, NULL, &err), SHUNT_TOO_LARGE);
    change = (struct shunt_cause_change){.size = sizeof change, .owner = large + 513 - 64};
    ok(shunt_cause_update(s, "orders", NULL, cause, &change, WAIT_MS, NULL, &err));
    change.owner--;
    cr_assert_eq(shunt_cause_update(s, "orders", NULL, cause, &change, WAIT_MS, NULL, &err), SHUNT_TOO_LARGE);
    cr_assert_eq(shunt_dlq_attend(s, "orders", NULL, NULL, NULL, 0, WAIT_MS, NULL, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(
        shunt_dlq_attend(s, "orders", NULL, NULL, (const char *[]){"orders/7"}, 1, WAIT_MS, NULL, &err),
        SHUNT_NOT_FOUND);
    cr_assert_eq(shunt_dlq_causes(s, NULL, NULL, WAIT_MS, &v, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_dlq_causes(s, "dlq:orders:default", NULL, WAIT_MS, &v, &err), SHUNT_RESERVED);
    shunt_value_free(v);
}
