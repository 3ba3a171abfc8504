/* A producer that outlives its process: what comes under a number is stored once. Against a real shuntd. */
#include "broker.h"
#include "calls.h"

static struct broker broker;
static struct shunt *s;
static struct shunt_error err;

static void setup(void)
{
    broker_start(&broker);
    ok(shunt_open(broker.url, NULL, &s, &err));
}

static void teardown(void)
{
    shunt_close(s, 1000);
    broker_stop(&broker);
}

TestSuite(producer, .init = setup, .fini = teardown, .timeout = 60);

static struct shunt *open_producer(const char *name)
{
    struct shunt *one;
    struct shunt_options *o = shunt_options_new();
    ok(shunt_options_set(o, "producer", name));
    ok(shunt_options_set(o, "reconnect-max", "50ms"));
    ok(shunt_open(broker.url, o, &one, &err));
    shunt_options_free(o);
    return one;
}

static uint64_t publish_number(struct shunt *by, uint64_t number)
{
    struct shunt_message *m = shunt_message_new();
    uint64_t seq = 0;
    ok(shunt_message_number(m, number));
    ok(shunt_publish(by, "orders", m, WAIT_MS, &seq, &err));
    shunt_message_free(m);
    return seq;
}

Test(producer, a_number_is_stored_once_whoever_publishes_it_again)
{
    uint64_t last = 99;
    ok(shunt_topic_create(s, "orders", NULL, WAIT_MS, &err));
    struct shunt *first = open_producer("import");
    ok(shunt_producer_last(first, WAIT_MS, &last, &err));
    cr_assert_eq(last, 0);
    cr_assert_eq(publish_number(first, 10), 1);
    cr_assert_eq(publish_number(first, 20), 2);
    shunt_close(first, WAIT_MS);
    broker_kill(&broker);
    broker_restart(&broker);
    struct shunt *second = open_producer("import");
    ok(shunt_producer_last(second, WAIT_MS, &last, &err));
    cr_assert_eq(last, 20);
    cr_assert_eq(publish_number(second, 10), 1, "the first answer again");
    cr_assert_eq(publish_number(second, 20), 2);
    cr_assert_eq(publish_number(second, 21), 3);
    struct shunt_value *v = NULL;
    ok(shunt_group_show(second, "orders", "default", WAIT_MS, &v, &err));
    cr_assert_eq(shunt_value_integer(shunt_value_get(v, "published")), 3);
    shunt_value_free(v);
    struct shunt *other = open_producer("another import");
    cr_assert_eq(publish_number(other, 10), 4, "its numbers are its own");
    shunt_close(other, WAIT_MS);
    shunt_close(second, WAIT_MS);
}

Test(producer, of_two_handles_with_one_producer_the_older_ends)
{
    struct shunt_message *m = shunt_message_new();
    ok(shunt_topic_create(s, "orders", NULL, WAIT_MS, &err));
    struct shunt *older = open_producer("import"), *newer = open_producer("import");
    cr_assert_eq(publish_number(older, 1), 1);
    cr_assert_eq(publish_number(newer, 2), 2);
    ok(shunt_message_number(m, 3));
    cr_assert_eq(shunt_publish(older, "orders", m, WAIT_MS, NULL, &err), SHUNT_PROTOCOL);
    cr_assert_eq(shunt_connect(older, WAIT_MS, &err), SHUNT_PROTOCOL, "it does not take the producer back");
    cr_assert_eq(publish_number(newer, 4), 3);
    cr_assert_eq(shunt_producer_last(s, WAIT_MS, NULL, &err), SHUNT_BAD_ARGUMENT);
    shunt_message_free(m);
    shunt_close(older, 0);
    shunt_close(newer, WAIT_MS);
}
