/* The client against a real shuntd: what it promises holds when the broker is killed under it. */
#include "broker.h"
#include "calls.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct broker broker;
static struct shunt *s;
static struct shunt_error err;

static struct shunt *connect_one(void)
{
    struct shunt *one;
    struct shunt_options *o = shunt_options_new();
    (void)shunt_options_set(o, "reconnect-max", "50ms");
    ok(shunt_open(broker.url, o, &one, &err));
    shunt_options_free(o);
    ok(shunt_connect(one, WAIT_MS, &err));
    return one;
}

static void create_topic(const char *topic, const char *key, const char *value)
{
    struct shunt_options *o = shunt_options_new();
    (void)shunt_options_set(o, "backoff", "1ms..1ms");
    if (key)
        (void)shunt_options_set(o, key, value);
    ok(shunt_topic_create(s, topic, o, WAIT_MS, &err));
    shunt_options_free(o);
}

static void setup(void)
{
    broker_start(&broker);
    s = connect_one();
}

static void teardown(void)
{
    shunt_close(s, 1000);
    broker_stop(&broker);
}

TestSuite(broker, .init = setup, .fini = teardown, .timeout = 60);

static uint64_t publish(const char *topic, const char *body)
{
    struct shunt_message *m = shunt_message_new();
    uint64_t seq = 0;
    shunt_message_body(m, body, strlen(body));
    ok(shunt_message_header(m, "file", "a.json", 6));
    ok(shunt_message_key(m, "k", 1));
    ok(shunt_publish(s, topic, m, WAIT_MS, &seq, &err));
    shunt_message_free(m);
    return seq;
}

static struct shunt_consumer *subscribe(struct shunt *by, const char *topic)
{
    struct shunt_consumer *c = NULL;
    ok(shunt_subscribe(by, topic, NULL, NULL, WAIT_MS, &c, &err));
    return c;
}

static struct shunt_delivery *next(struct shunt_consumer *c)
{
    struct shunt_delivery *d = NULL;
    ok(shunt_next(c, WAIT_MS, &d, &err));
    return d;
}

static int64_t group_figure(const char *topic, const char *name)
{
    struct shunt_value *v = NULL;
    ok(shunt_group_show(s, topic, "default", WAIT_MS, &v, &err));
    cr_assert_not_null(shunt_value_get(v, name));
    int64_t figure = shunt_value_integer(shunt_value_get(v, name));
    shunt_value_free(v);
    return figure;
}

Test(broker, a_message_is_published_handed_out_and_acknowledged)
{
    int64_t us = -1;
    size_t size;
    create_topic("orders", NULL, NULL);
    cr_assert_eq(publish("orders", "hello"), 1);
    struct shunt_consumer *c = subscribe(s, "orders");
    struct shunt_delivery *d = next(c);
    cr_assert_str_eq(shunt_delivery_id(d), "orders/1");
    cr_assert_arr_eq(shunt_delivery_body(d, &size), "hello", 5);
    cr_assert_arr_eq(shunt_delivery_header(d, "file", &size), "a.json", 6);
    cr_assert_arr_eq(shunt_delivery_key(d, &size), "k", 1);
    cr_assert_eq(shunt_delivery_deliveries(d), 1);
    cr_assert_gt(shunt_delivery_lease_left_ms(d), 1000);
    ok(shunt_extend(d, 60000, WAIT_MS, &err));
    cr_assert_gt(shunt_delivery_lease_left_ms(d), 31000);
    ok(shunt_ack(d, WAIT_MS, &err));
    cr_assert_eq(group_figure("orders", "acked"), 1);
    cr_assert_eq(shunt_next(c, 0, &d, &err), SHUNT_EMPTY);
    ok(shunt_ping(s, WAIT_MS, &us, &err));
    cr_assert_geq(us, 0);
    shunt_unsubscribe(c, WAIT_MS);
}

Test(broker, failures_are_charged_kept_in_the_dlq_and_redriven)
{
    struct shunt_failure failure = {.type = "bad_json", .message = "line 3", .stack = "at main"};
    struct shunt_value *v = NULL;
    uint64_t job, count;
    create_topic("orders", "max-attempts", "2");
    (void)publish("orders", "poison");
    struct shunt_consumer *c = subscribe(s, "orders");
    ok(shunt_nack(next(c), SHUNT_BACKOFF, &failure, WAIT_MS, &err));
    struct shunt_delivery *d = next(c);
    cr_assert_eq(shunt_delivery_attempts(d), 1);
    ok(shunt_nack(d, 0, &failure, WAIT_MS, &err));
    ok(shunt_dlq_list(s, "orders", NULL, 0, 10, WAIT_MS, &v, &err));
    cr_assert_eq(shunt_value_integer(shunt_value_get(v, "more")), 0);
    const struct shunt_value *row = shunt_value_at(shunt_value_get(v, "rows"), 0);
    cr_assert_str_eq(shunt_value_text(shunt_value_get(row, "error_type"), NULL), "bad_json");
    cr_assert_str_eq(shunt_value_text(shunt_value_get(row, "origin"), NULL), "orders/1");
    shunt_value_free(v);
    ok(shunt_dlq_show(s, "orders", NULL, "orders/1", WAIT_MS, &v, &err));
    cr_assert_eq(shunt_value_count(shunt_value_get(v, "history")), 2);
    cr_assert_str_eq(shunt_value_text(shunt_value_get(v, "body"), NULL), "poison");
    shunt_value_free(v);
    ok(shunt_dlq_redrive(s, "orders", NULL, (const char *[]){"orders/1", "orders/99"}, 2, 0, 0, WAIT_MS, &job,
                         &count, &err));
    cr_assert_eq(count, 1);
    ok(shunt_job_wait(s, job, WAIT_MS, &err));
    d = next(c);
    cr_assert_eq(shunt_delivery_attempts(d), 0);
    cr_assert_eq(shunt_delivery_generation(d), 1);
    ok(shunt_reject(d, &failure, WAIT_MS, &err));
    ok(shunt_dlq_purge(s, "orders", NULL, NULL, 0, SHUNT_ALL, WAIT_MS, &job, &count, &err));
    cr_assert_eq(count, 1);
    ok(shunt_job_wait(s, job, WAIT_MS, &err));
    cr_assert_eq(group_figure("orders", "dead"), 0);
    cr_assert_eq(shunt_dlq_show(s, "orders", NULL, "orders/1", WAIT_MS, &v, &err), SHUNT_NOT_FOUND);
}

struct tally {
    int calls[20000];
    int failed;
};

struct slot {
    struct tally *tally;
    int index;
};

static void count_call(void *context, uint64_t seq, const struct shunt_error *error)
{
    struct slot *slot = context;
    (void)seq;
    slot->tally->calls[slot->index]++;
    slot->tally->failed += error != NULL;
}

Test(broker, killed_while_publishing_it_stores_each_message_once)
{
    enum { COUNT = 20000 };
    static struct tally tally;
    static struct slot slots[COUNT];
    struct shunt_message *m = shunt_message_new();
    struct pollfd fd = {.fd = shunt_fd(s), .events = POLLIN};
    create_topic("orders", NULL, NULL);
    for (int i = 0; i < COUNT;) {
        char body[16];
        slots[i] = (struct slot){.tally = &tally, .index = i};
        shunt_message_body(m, body, (size_t)snprintf(body, sizeof body, "%d", i));
        int rc = shunt_publish_async(s, "orders", m, count_call, &slots[i], &err);
        i += rc == 0;
        if (rc == 0 && i % 4000 == 0) {
            broker_kill(&broker);
            broker_restart(&broker);
        }
        if (rc != 0) {
            cr_assert_eq(rc, SHUNT_BUSY);
            cr_assert_eq(poll(&fd, 1, WAIT_MS), 1);
            ok(shunt_process(s, &err));
        }
    }
    ok(shunt_flush(s, WAIT_MS, &err));
    cr_assert_eq(tally.failed, 0);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(tally.calls[i], 1, "message %d was called back %d times", i, tally.calls[i]);
    cr_assert_eq(group_figure("orders", "ready"), COUNT, "none lost, none twice");
    struct shunt_consumer *c = subscribe(s, "orders");
    for (int i = 0; i < 1000; i++) { /* in the order of the calls */
        size_t size;
        char body[16];
        struct shunt_delivery *d = next(c);
        (void)snprintf(body, sizeof body, "%d", i);
        cr_assert_arr_eq(shunt_delivery_body(d, &size), body, strlen(body));
        ok(shunt_resolve_async(d, SHUNT_ACK, 0, NULL, NULL, NULL, &err));
    }
    ok(shunt_flush(s, WAIT_MS, &err));
    shunt_message_free(m);
}

Test(broker, an_ack_after_the_lease_was_lost_says_stale)
{
    create_topic("orders", "lease", "500ms");
    (void)publish("orders", "slow");
    struct shunt *other = connect_one();
    struct shunt_consumer *c = subscribe(s, "orders");
    struct shunt_delivery *mine = next(c);
    struct shunt_consumer *second = subscribe(other, "orders");
    (void)shunt_credit(c, 0, 1, NULL); /* it goes to the other one */
    ok(shunt_ping(s, WAIT_MS, NULL, &err));
    struct shunt_delivery *theirs = next(second);
    cr_assert_eq(shunt_delivery_attempts(theirs), 1, "it was started");
    cr_assert_eq(shunt_ack(mine, WAIT_MS, &err), SHUNT_STALE);
    shunt_close(other, WAIT_MS);
}

Test(broker, what_is_held_when_the_broker_dies_is_taken_up_again_and_its_ack_counts)
{
    create_topic("orders", NULL, NULL);
    (void)publish("orders", "x");
    struct shunt_consumer *c = subscribe(s, "orders");
    struct shunt_delivery *d = next(c);
    broker_kill(&broker);
    broker_restart(&broker);
    ok(shunt_ack(d, WAIT_MS,
                 &err)); /* it waits for the connection, and for the broker's word that it is ours */
    cr_assert_eq(shunt_next(c, 0, &d, &err), SHUNT_EMPTY);
    struct shunt_value *show;
    ok(shunt_group_show(s, "orders", "default", WAIT_MS, &show, &err));
    cr_assert_eq(shunt_value_integer(shunt_value_get(show, "acked")), 1);
    cr_assert_eq(shunt_value_integer(shunt_value_get(show, "deliveries")), 2);
    shunt_value_free(show);
}

Test(broker, what_went_to_another_while_the_broker_was_away_is_stale)
{
    struct shunt_delivery *theirs;
    create_topic("orders", NULL, NULL);
    (void)publish("orders", "x");
    struct shunt_consumer *c = subscribe(s, "orders");
    struct shunt_delivery *d = next(c);
    broker_kill(&broker);
    broker_restart(&broker);
    struct shunt *other = connect_one(); /* it comes first */
    theirs = next(subscribe(other, "orders"));
    cr_assert_eq(shunt_delivery_deliveries(theirs), 2);
    cr_assert_eq(shunt_ack(d, WAIT_MS, &err), SHUNT_STALE);
    ok(shunt_ack(theirs, WAIT_MS, &err));
    shunt_close(other, WAIT_MS);
}

Test(broker, leaving_gives_back_uncharged)
{
    create_topic("orders", NULL, NULL);
    (void)publish("orders", "a");
    (void)publish("orders", "b");
    struct shunt *other = connect_one();
    (void)next(subscribe(other, "orders"));
    shunt_close(other, WAIT_MS);
    struct shunt_consumer *c = subscribe(s, "orders");
    for (int i = 0; i < 2; i++) {
        struct shunt_delivery *d = next(c);
        cr_assert_eq(shunt_delivery_attempts(d), 0);
        ok(shunt_release(d, WAIT_MS, &err));
        cr_assert_eq(shunt_delivery_attempts(d = next(c)), 0);
        ok(shunt_ack(d, WAIT_MS, &err));
    }
    (void)publish("orders", "c");
    (void)next(c);
    shunt_unsubscribe(c, WAIT_MS);
    struct shunt_delivery *d = next(subscribe(s, "orders"));
    cr_assert_eq(shunt_delivery_attempts(d), 0);
    cr_assert_eq(shunt_delivery_deliveries(d), 2);
}

/* Bodies in the order in which the handler got them; it gives `back` back the first time. */
struct handled {
    char order[16];
    size_t count;
};

static enum shunt_outcome gives_back(void *context, const struct shunt_delivery *d, struct shunt_verdict *v)
{
    struct handled *h = context;
    size_t size;
    const char *body = shunt_delivery_body(d, &size);
    (void)v;
    h->order[h->count++] = body[0];
    if (h->count == 3)
        shunt_worker_stop(s);
    return body[0] == 'a' && shunt_delivery_deliveries(d) == 1 ? SHUNT_RELEASE : SHUNT_ACK;
}

Test(broker, what_a_handler_gives_back_lets_others_go_first)
{
    struct handled handled = {.count = 0};
    struct shunt_options *options = shunt_options_new();
    ok(shunt_options_set(options, "prefetch", "1"));
    create_topic("orders", NULL, NULL);
    (void)publish("orders", "a");
    (void)publish("orders", "b");
    ok(shunt_worker_run(s, "orders", NULL, options, gives_back, &handled, &err));
    cr_assert_str_eq(handled.order, "aba");
    cr_assert_eq(group_figure("orders", "acked"), 2);
    shunt_options_free(options);
}

Test(broker, deleting_a_topic_closes_its_subscriptions)
{
    struct shunt_delivery *d;
    create_topic("orders", NULL, NULL);
    struct shunt *other = connect_one();
    struct shunt_consumer *c = subscribe(other, "orders");
    ok(shunt_topic_delete(s, "orders", WAIT_MS, NULL, &err));
    cr_assert_eq(shunt_next(c, WAIT_MS, &d, &err), SHUNT_CLOSED);
    shunt_unsubscribe(c, WAIT_MS);
    shunt_close(other, WAIT_MS);
}

static void keep_code(void *context, uint64_t seq, const struct shunt_error *error)
{
    (void)seq;
    *(int *)context = error ? error->code : 0;
}

Test(broker, a_body_over_the_brokers_limit_fails_alone)
{
    int codes[3] = {-1, -1, -1};
    size_t sizes[3] = {10, 1500000, 20};
    char *body = calloc(1, 1500000);
    struct shunt_message *m = shunt_message_new();
    struct shunt *fresh;
    create_topic("orders", NULL, NULL);
    ok(shunt_open(broker.url, NULL, &fresh, &err)); /* not connected: the limit is not known yet */
    for (int i = 0; i < 3; i++) {
        shunt_message_body(m, body, sizes[i]);
        ok(shunt_publish_async(fresh, "orders", m, keep_code, &codes[i], &err));
    }
    ok(shunt_flush(fresh, WAIT_MS, &err));
    cr_assert_eq(codes[0], 0);
    cr_assert_eq(codes[1], SHUNT_TOO_LARGE);
    cr_assert_eq(codes[2], 0);
    cr_assert_eq(group_figure("orders", "ready"), 2);
    shunt_close(fresh, WAIT_MS);
    shunt_message_free(m);
    free(body);
}

Test(broker, topics_and_groups_are_made_shown_and_listed)
{
    struct shunt_value *v = NULL;
    struct shunt_options *o = shunt_options_new();
    create_topic("b", "lease", "90s");
    create_topic("a", NULL, NULL);
    cr_assert_eq(shunt_topic_create(s, "a", NULL, WAIT_MS, &err), SHUNT_TOPIC_EXISTS);
    cr_assert_eq(shunt_topic_show(s, "c", WAIT_MS, &v, &err), SHUNT_UNKNOWN_TOPIC);
    ok(shunt_topic_list(s, WAIT_MS, &v, &err));
    cr_assert_eq(shunt_value_count(v), 2);
    cr_assert_str_eq(shunt_value_text(shunt_value_get(shunt_value_at(v, 0), "topic"), NULL), "a");
    shunt_value_free(v);
    (void)shunt_options_set(o, "max-attempts", "9");
    ok(shunt_group_create(s, "b", "audit", o, true, WAIT_MS, &err));
    cr_assert_eq(shunt_group_create(s, "b", "audit", o, true, WAIT_MS, &err), SHUNT_GROUP_EXISTS);
    ok(shunt_group_show(s, "b", "audit", WAIT_MS, &v, &err));
    const struct shunt_value *policy = shunt_value_get(v, "policy");
    cr_assert_eq(shunt_value_integer(shunt_value_get(policy, "max_attempts")), 9);
    cr_assert_eq(shunt_value_integer(shunt_value_get(policy, "lease_ms")), 90000);
    shunt_value_free(v);
    (void)shunt_options_set(o, "max-attempts", "inherit");
    ok(shunt_group_update(s, "b", "audit", o, WAIT_MS, &err));
    ok(shunt_group_list(s, "b", WAIT_MS, &v, &err));
    cr_assert_eq(shunt_value_count(v), 2);
    shunt_value_free(v);
    ok(shunt_group_pause(s, "b", "audit", WAIT_MS, &err));
    ok(shunt_group_resume(s, "b", "audit", WAIT_MS, &err));
    ok(shunt_group_reset_breaker(s, "b", "audit", WAIT_MS, &err));
    cr_assert_eq(shunt_group_reset_breaker(s, "b", "none", WAIT_MS, &err), SHUNT_UNKNOWN_GROUP);
    cr_assert_eq(shunt_group_reset_breaker(s, "b", NULL, WAIT_MS, &err), SHUNT_BAD_ARGUMENT);
    ok(shunt_group_delete(s, "b", "audit", WAIT_MS, NULL, &err));
    cr_assert_eq(shunt_group_delete(s, "b", "default", WAIT_MS, NULL, &err), SHUNT_LAST_GROUP);
    (void)publish("a", "x");
    ok(shunt_peek(s, "a", NULL, 0, 10, true, WAIT_MS, &v, &err));
    cr_assert_eq(shunt_value_count(shunt_value_get(v, "rows")), 1);
    shunt_value_free(v);
    uint64_t job;
    ok(shunt_topic_purge(s, "a", NULL, WAIT_MS, &job, &err));
    ok(shunt_job_wait(s, job, WAIT_MS, &err));
    cr_assert_eq(group_figure("a", "ready"), 0);
    ok(shunt_stats(s, WAIT_MS, &v, &err));
    cr_assert_eq(shunt_value_integer(shunt_value_get(v, "conservation_error")), 0);
    shunt_value_free(v);
    shunt_options_free(o);
}
