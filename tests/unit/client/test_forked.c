/* A process that was forked from one with a handle has a copy of it, whose socket is the same. */
#include "broker.h"
#include "calls.h"
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct broker broker;
static struct shunt *s;
static struct shunt_consumer *consumer;
static struct shunt_error err;

static void publish_later(const char *body, int64_t delay_ms)
{
    struct shunt_message *m = shunt_message_new();
    shunt_message_delay(m, delay_ms);
    shunt_message_body(m, body, strlen(body));
    ok(shunt_publish(s, "orders", m, WAIT_MS, NULL, &err));
    shunt_message_free(m);
}

static void publish(const char *body)
{
    publish_later(body, 0);
}

static void setup(void)
{
    broker_start(&broker);
    ok(shunt_open(broker.url, NULL, &s, &err));
    ok(shunt_topic_create(s, "orders", NULL, WAIT_MS, &err));
    ok(shunt_subscribe(s, "orders", NULL, NULL, WAIT_MS, &consumer, &err));
}

static void teardown(void)
{
    shunt_close(s, 1000);
    broker_stop(&broker);
}

TestSuite(forked, .init = setup, .fini = teardown, .timeout = 60);

static struct shunt_delivery *next(void)
{
    struct shunt_delivery *d = NULL;
    ok(shunt_next(consumer, WAIT_MS, &d, &err));
    return d;
}

/* The line of the first claim that does not hold in a child is its exit status. */
#define claim(what)                                                                                          \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            _exit(__LINE__ % 256);                                                                           \
    } while (0)

static void join(pid_t pid)
{
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0, "a claim does not hold in the child: line %d or so, status 0x%x",
                 WEXITSTATUS(status), status);
}

/* What is held is still ours, on the same connection; a goodbye would have given it back. */
static void expect_undisturbed(struct shunt_delivery *held)
{
    ok(shunt_ping(s, WAIT_MS, NULL, &err));
    ok(shunt_ack(held, WAIT_MS, &err));
    publish("later");
    struct shunt_delivery *d = next();
    cr_assert_eq(shunt_delivery_deliveries(d), 1);
    ok(shunt_ack(d, WAIT_MS, &err));
}

Test(forked, closing_the_copy_leaves_the_connection_alone)
{
    publish("held");
    struct shunt_delivery *held = next();
    pid_t pid = fork();
    if (pid == 0) {
        shunt_close(s, WAIT_MS);
        _exit(0);
    }
    join(pid);
    expect_undisturbed(held);
}

Test(forked, whatever_would_use_the_connection_fails_with_closed)
{
    publish("held");
    publish("prefetched");
    struct shunt_delivery *held = next();
    ok(shunt_ping(s, WAIT_MS, NULL, &err)); /* the second one has come, and lies ready */
    pid_t pid = fork();
    if (pid == 0) {
        struct shunt_message *m = shunt_message_new();
        struct shunt_delivery *d = NULL;
        struct shunt_consumer *c = NULL;
        claim(!shunt_connected(s));
        claim(shunt_next(consumer, WAIT_MS, &d, &err) == SHUNT_CLOSED && !d);
        claim(strstr(err.text, "forked"));
        claim(shunt_publish_async(s, "orders", m, NULL, NULL, NULL) == SHUNT_CLOSED);
        claim(shunt_publish(s, "orders", m, WAIT_MS, NULL, NULL) == SHUNT_CLOSED);
        claim(shunt_subscribe(s, "orders", NULL, NULL, WAIT_MS, &c, NULL) == SHUNT_CLOSED);
        claim(shunt_ack(held, WAIT_MS, NULL) == SHUNT_CLOSED);
        claim(shunt_ping(s, WAIT_MS, NULL, NULL) == SHUNT_CLOSED);
        claim(shunt_flush(s, WAIT_MS, NULL) == SHUNT_CLOSED);
        claim(shunt_process(s, NULL) == SHUNT_CLOSED);
        shunt_unsubscribe(consumer, WAIT_MS);
        shunt_message_free(m);
        shunt_close(s, WAIT_MS);
        _exit(0);
    }
    join(pid);
    ok(shunt_ack(next(), WAIT_MS, &err));
    expect_undisturbed(held);
}

static void count(void *context, uint64_t seq, const struct shunt_error *error)
{
    (void)seq;
    (void)error;
    ++*(int *)context;
}

Test(forked, nobody_is_called_back_in_the_copy)
{
    struct shunt_message *m = shunt_message_new();
    int calls = 0;
    ok(shunt_publish_async(s, "orders", m, count, &calls, &err));
    pid_t pid = fork();
    if (pid == 0) {
        shunt_close(s, WAIT_MS);
        claim(calls == 0);
        _exit(0);
    }
    join(pid);
    ok(shunt_flush(s, WAIT_MS, &err));
    cr_assert_eq(calls, 1);
    shunt_message_free(m);
}

struct forking {
    int calls;
    pid_t pid;
};

static void fork_in_callback(void *context, uint64_t seq, const struct shunt_error *error)
{
    struct forking *f = context;
    (void)seq;
    (void)error;
    if (++f->calls == 1)
        f->pid = fork();
}

Test(forked, a_copy_that_returns_from_a_callback_calls_nobody_back)
{
    struct shunt_message *m = shunt_message_new();
    struct forking f = {.calls = 0};
    for (int i = 0; i < 3; i++)
        ok(shunt_publish_async(s, "orders", m, fork_in_callback, &f, &err));
    int rc = shunt_flush(s, WAIT_MS, &err);
    if (f.pid == 0) {
        claim(rc == SHUNT_CLOSED);
        claim(f.calls == 1);
        shunt_close(s, WAIT_MS);
        _exit(0);
    }
    join(f.pid);
    cr_assert_eq(rc, 0);
    cr_assert_eq(f.calls, 3);
    shunt_message_free(m);
}

Test(forked, a_forked_process_may_open_a_handle_of_its_own)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct shunt *own = NULL;
        claim(shunt_open(broker.url, NULL, &own, &err) == 0);
        claim(shunt_ping(own, WAIT_MS, NULL, &err) == 0);
        shunt_close(own, WAIT_MS);
        _exit(0);
    }
    join(pid);
    ok(shunt_ping(s, WAIT_MS, NULL, &err));
}

/* What a handler saw: how often it was called, and how the process that it forked ended. */
struct handled {
    int count;
    int status;
    void (*in_copy)(void);
};

static enum shunt_outcome forks_once(void *context, const struct shunt_delivery *d, struct shunt_verdict *v)
{
    struct handled *h = context;
    (void)d;
    (void)v;
    if (++h->count == 2) {
        shunt_worker_stop(s);
        return SHUNT_ACK;
    }
    pid_t pid = fork();
    if (pid == 0) {
        h->in_copy();
        _exit(7);
    }
    (void)waitpid(pid, &h->status, 0); /* the status says whether it worked */
    return SHUNT_ACK;
}

static void run_worker(struct handled *h)
{
    shunt_unsubscribe(consumer, WAIT_MS);
    publish("first");
    publish_later("second", 300); /* a worker that is told to stop looks for that first */
    ok(shunt_worker_run(s, "orders", NULL, NULL, forks_once, h, &err));
}

static void is_terminated(void)
{
    (void)raise(SIGTERM); /* does not return */
}

Test(forked, a_process_that_a_handler_forked_dies_of_sigterm_and_stops_no_worker)
{
    struct handled h = {.in_copy = is_terminated};
    run_worker(&h);
    cr_assert(WIFSIGNALED(h.status) && WTERMSIG(h.status) == SIGTERM, "status 0x%x", h.status);
    cr_assert_eq(h.count, 2, "the worker stopped");
}

static void stops(void)
{
    shunt_worker_stop(s);
}

Test(forked, a_copy_that_stops_its_worker_stops_nobody)
{
    struct handled h = {.in_copy = stops};
    run_worker(&h);
    cr_assert(WIFEXITED(h.status) && WEXITSTATUS(h.status) == 7, "status 0x%x", h.status);
    cr_assert_eq(h.count, 2, "the worker stopped");
}

static enum shunt_outcome forks_and_returns_twice(void *context, const struct shunt_delivery *d,
                                                  struct shunt_verdict *v)
{
    struct handled *h = context;
    (void)d;
    (void)v;
    pid_t pid = fork();
    if (pid == 0) {
        h->count = -1;
        return SHUNT_ACK;
    }
    (void)waitpid(pid, &h->status, 0);
    shunt_worker_stop(s);
    return SHUNT_REJECT;
}

Test(forked, a_copy_that_returns_from_a_handler_answers_for_nothing)
{
    struct handled h = {.count = 0};
    struct shunt_value *group = NULL;
    shunt_unsubscribe(consumer, WAIT_MS);
    publish("one");
    int rc = shunt_worker_run(s, "orders", NULL, NULL, forks_and_returns_twice, &h, &err);
    if (h.count == -1) {
        claim(rc == SHUNT_CLOSED);
        shunt_close(s, WAIT_MS);
        _exit(0);
    }
    cr_assert_eq(rc, 0, "%s", err.text);
    cr_assert_eq(h.status, 0, "a claim does not hold in the child: status 0x%x", h.status);
    ok(shunt_group_show(s, "orders", "default", WAIT_MS, &group, &err));
    cr_assert_eq(shunt_value_integer(shunt_value_get(group, "dead")), 1);
    cr_assert_eq(shunt_value_integer(shunt_value_get(group, "acked")), 0);
    shunt_value_free(group);
}

static enum shunt_outcome stops_the_worker(void *context, const struct shunt_delivery *d,
                                           struct shunt_verdict *v)
{
    (void)context;
    (void)d;
    (void)v;
    shunt_worker_stop(s);
    return SHUNT_ACK;
}

Test(forked, a_handler_in_a_child_of_the_worker_may_stop_it)
{
    struct shunt_options *o = shunt_options_new();
    (void)shunt_options_set(o, "isolation", "fork");
    shunt_unsubscribe(consumer, WAIT_MS);
    publish("one");
    ok(shunt_worker_run(s, "orders", NULL, o, stops_the_worker, NULL, &err));
    shunt_options_free(o);
}

static int told;

static void hear(void *context, const struct shunt_error *e)
{
    (void)context;
    (void)e;
    told++;
}

Test(forked, what_waits_to_be_told_is_told_in_the_parent_alone)
{
    struct shunt_consumer *c = NULL;
    ok(shunt_subscribe_async(s, "orders", NULL, NULL, hear, NULL, &c, &err));
    ok(shunt_ping_async(s, hear, NULL, &err));
    ok(shunt_goodbye_async(s, hear, NULL, &err));
    pid_t pid = fork();
    if (pid == 0) {
        claim(shunt_ping_async(s, hear, NULL, NULL) == SHUNT_CLOSED);
        claim(shunt_goodbye_async(s, hear, NULL, NULL) == SHUNT_CLOSED);
        claim(shunt_unsubscribe_async(c, hear, NULL, NULL) == SHUNT_CLOSED);
        claim(shunt_process(s, NULL) == SHUNT_CLOSED);
        shunt_close(s, WAIT_MS);
        claim(told == 0);
        _exit(0);
    }
    join(pid);
    struct pollfd ready = {.fd = shunt_fd(s), .events = POLLIN};
    while (told < 3) {
        cr_assert_eq(poll(&ready, 1, WAIT_MS), 1);
        ok(shunt_process(s, &err));
    }
    cr_assert_eq(told, 3);
}
