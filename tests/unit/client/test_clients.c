/* The groups at a glance, the connections and the holders of messages by shunt_admin.h, against a real shuntd. */
#include "client/shunt.h"

#include "broker.h"
#include "calls.h"
#include <stdio.h>
#include <string.h>

static struct broker broker;
static struct shunt *s, *worker;
static struct shunt_error err;

static struct shunt *open_as(const char *client)
{
    struct shunt *made;
    struct shunt_options *o = shunt_options_new();
    ok(shunt_options_set(o, "client", client));
    ok(shunt_options_set(o, "host", "h\x1b[1m1"));
    ok(shunt_open(broker.url, o, &made, &err));
    shunt_options_free(o);
    ok(shunt_connect(made, WAIT_MS, &err));
    return made;
}

static void setup(void)
{
    broker_start(&broker);
    s = open_as("admin");
    worker = open_as("worker");
    ok(shunt_topic_create(s, "t", NULL, WAIT_MS, &err));
}

static void teardown(void)
{
    shunt_close(worker, 1000);
    shunt_close(s, 1000);
    broker_stop(&broker);
}

TestSuite(clients, .init = setup, .fini = teardown, .timeout = 60);

static int64_t integer(const struct shunt_value *row, const char *key)
{
    return shunt_value_integer(shunt_value_get(row, key));
}

static const char *text(const struct shunt_value *row, const char *key)
{
    return shunt_value_text(shunt_value_get(row, key), NULL);
}

Test(clients, each_connection_is_listed_in_pages_in_the_order_in_which_they_came)
{
    static const char *const names[] = {"admin", "worker"};
    uint64_t after = 0;
    for (size_t i = 0; i < 2; i++) {
        struct shunt_value *page = NULL;
        ok(shunt_client_list(s, after, 1, WAIT_MS, &page, &err));
        const struct shunt_value *rows = shunt_value_get(page, "rows");
        cr_assert_eq(shunt_value_count(rows), 1);
        cr_assert_str_eq(text(shunt_value_at(rows, 0), "client"), names[i]);
        cr_assert_str_eq(text(shunt_value_at(rows, 0), "host"), "h\x1b[1m1", "as it was given");
        cr_assert_eq(integer(page, "more"), i == 0);
        cr_assert_geq(integer(page, "now"), integer(shunt_value_at(rows, 0), "since"));
        after = (uint64_t)integer(page, "next");
        cr_assert_eq(integer(shunt_value_at(rows, 0), "connection"), (int64_t)after);
        shunt_value_free(page);
    }
}

static void hold_one(void)
{
    struct shunt_consumer *consumer = NULL;
    struct shunt_delivery *delivery = NULL;
    struct shunt_message *message = shunt_message_new();
    shunt_message_body(message, "x", 1);
    ok(shunt_publish(s, "t", message, WAIT_MS, NULL, &err));
    shunt_message_free(message);
    ok(shunt_subscribe(worker, "t", NULL, NULL, WAIT_MS, &consumer, &err));
    ok(shunt_next(consumer, WAIT_MS, &delivery, &err));
}

Test(clients, a_message_in_flight_is_listed_with_its_holder)
{
    struct shunt_value *page = NULL;
    ok(shunt_group_holders(s, "t", NULL, 0, 0, WAIT_MS, &page, &err));
    cr_assert_eq(shunt_value_count(shunt_value_get(page, "rows")), 0);
    shunt_value_free(page);
    hold_one();
    ok(shunt_group_holders(s, "t", "default", 0, 10, WAIT_MS, &page, &err));
    cr_assert_eq(shunt_value_count(shunt_value_get(page, "rows")), 1);
    const struct shunt_value *row = shunt_value_at(shunt_value_get(page, "rows"), 0);
    cr_assert_str_eq(text(row, "consumer"), "worker");
    cr_assert_eq(integer(row, "seq"), 1);
    cr_assert_gt(integer(row, "until"), integer(page, "now"));
    shunt_value_free(page);
    cr_assert_eq(shunt_group_holders(s, "none", NULL, 0, 0, WAIT_MS, &page, &err), SHUNT_UNKNOWN_TOPIC);
    cr_assert_eq(shunt_group_holders(s, "t", "none", 0, 0, WAIT_MS, &page, &err), SHUNT_UNKNOWN_GROUP);
    cr_assert_eq(shunt_group_holders(s, NULL, NULL, 0, 0, WAIT_MS, &page, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_group_holders(s, "t", "a/b", 0, 0, WAIT_MS, &page, &err), SHUNT_BAD_NAME);
}

Test(clients, the_keys_that_weigh_most_come_first)
{
    static const char *const keys[] = {"often", "once", "often"};
    struct shunt_value *found = NULL;
    for (size_t i = 0; i < 3; i++) {
        struct shunt_message *m = shunt_message_new();
        ok(shunt_message_key(m, keys[i], strlen(keys[i])));
        ok(shunt_publish(s, "t", m, WAIT_MS, NULL, &err));
        shunt_message_free(m);
    }
    ok(shunt_keys(s, "t", NULL, NULL, 0, WAIT_MS, &found, &err));
    const struct shunt_value *rows = shunt_value_get(found, "keys");
    cr_assert_str_eq(text(found, "by"), "rate");
    cr_assert_eq(shunt_value_count(rows), 2);
    cr_assert_str_eq(text(shunt_value_at(rows, 0), "key"), "often");
    cr_assert_gt(integer(shunt_value_at(rows, 0), "milli"), integer(shunt_value_at(rows, 1), "milli"));
    shunt_value_free(found);
    ok(shunt_keys(s, "t", "default", "blocked", 1, WAIT_MS, &found, &err));
    cr_assert_eq(shunt_value_count(shunt_value_get(found, "keys")), 0);
    shunt_value_free(found);
    cr_assert_eq(shunt_keys(s, "t", "none", "waiting", 0, WAIT_MS, &found, &err), SHUNT_UNKNOWN_GROUP);
    cr_assert_eq(shunt_keys(s, "t", NULL, "nonsense", 0, WAIT_MS, &found, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_keys(s, "no name", NULL, NULL, 0, WAIT_MS, &found, &err), SHUNT_BAD_NAME);
}

Test(clients, all_groups_are_told_in_pages_that_no_topic_is_cut_by)
{
    struct shunt_options *two = shunt_options_new();
    struct shunt_value *page = NULL;
    ok(shunt_options_set(two, "groups", "a,b"));
    ok(shunt_topic_create(s, "s", two, WAIT_MS, &err));
    shunt_options_free(two);
    hold_one();
    ok(shunt_overview(s, NULL, 1, WAIT_MS, &page, &err));
    const struct shunt_value *rows = shunt_value_get(page, "rows");
    cr_assert_eq(shunt_value_count(rows), 2, "both groups of one topic");
    cr_assert_str_eq(text(shunt_value_at(rows, 1), "group"), "b");
    cr_assert_null(shunt_value_get(shunt_value_at(rows, 0), "ready"), "what is 0 is left out");
    cr_assert(integer(page, "more"));
    cr_assert_gt(integer(page, "now"), 0);
    struct shunt_value *next = NULL;
    ok(shunt_overview(s, text(page, "next"), 1, WAIT_MS, &next, &err));
    shunt_value_free(page);
    rows = shunt_value_get(next, "rows");
    cr_assert_eq(shunt_value_count(rows), 1);
    cr_assert_str_eq(text(shunt_value_at(rows, 0), "topic"), "t");
    cr_assert_eq(integer(shunt_value_at(rows, 0), "in_flight"), 1);
    cr_assert_not(integer(next, "more"));
    shunt_value_free(next);
}
